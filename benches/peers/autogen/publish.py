"""AutoGen core: publish messages to one subscriber, in memory. One line of JSON with the rate.

publish.py MESSAGES
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass

from autogen_core import (
    DefaultTopicId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    default_subscription,
    message_handler,
)


@dataclass
class Reading:
    number: int


@default_subscription
class Counter(RoutedAgent):
    handled = 0

    def __init__(self) -> None:
        super().__init__("counts what it gets")

    @message_handler
    async def on_reading(self, message: Reading, ctx: MessageContext) -> None:
        Counter.handled += 1


async def main() -> None:
    messages = int(sys.argv[1])
    runtime = SingleThreadedAgentRuntime()
    await Counter.register(runtime, "counter", Counter)
    runtime.start()
    # The first message creates the agent.
    await runtime.publish_message(Reading(-1), DefaultTopicId())
    while Counter.handled < 1:
        await asyncio.sleep(0.001)

    started = time.perf_counter()
    for number in range(messages):
        await runtime.publish_message(Reading(number), DefaultTopicId())
    await runtime.stop_when_idle()
    rate = messages / (time.perf_counter() - started)

    if Counter.handled != messages + 1:
        sys.exit(f"{messages} were published, {Counter.handled - 1} were handled")
    print(json.dumps({"workload": "autogen_publish", "unit": "per_second", "value": round(rate, 1)}))


asyncio.run(main())
