//! Agents whose model costs nothing or a known time: what a turn costs beside it, how many tools are called, and what a
//! thousand runs at once take.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use vextir::drivers::agent::{
    Agent, AgentFinished, Message, Model, ModelError, ModelRegistry, ModelReply, ModelRequest, ModelSpec,
    Models, Tokens, ToolCall,
};
use vextir::{Event, Processor, Tenant};

use super::answerer::Answerer;
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::resources::resident_mebibytes;
use crate::trial::Trial;

/// How long a run may take before the workload is broken.
const LONGEST: Duration = Duration::from_mins(5);

/// A model that calls tools in each turn but the last one.
#[derive(Debug, Clone, Copy)]
struct Double {
    turns: usize,
    /// How many tools at a time.
    calls: usize,
    /// How long it thinks.
    thinks: Duration,
}

#[vextir::async_trait]
impl Model for Double {
    async fn complete(
        &self,
        request: &ModelRequest,
        _: &Tokens<'_>,
    ) -> std::result::Result<ModelReply, ModelError> {
        if !self.thinks.is_zero() {
            tokio::time::sleep(self.thinks).await;
        }
        let said = request.messages.iter().filter(|one| matches!(one, Message::Assistant { .. })).count();
        if said + 1 >= self.turns {
            return Ok(ModelReply::text("It is 21.5 degrees in Oslo.").with_usage(100, 10));
        }
        let arguments = json!({"location": "Oslo", "celsius": 21.5});
        let call = |index| ToolCall::new(format!("{said}-{index}"), "bench_ask", arguments.clone());
        Ok(ModelReply::calls((0..self.calls).map(call)).with_usage(100, 10))
    }
}

/// An agent with this model, which may be called so often at a time, and one tool, which answers at once.
async fn start(trial: &Trial, model: Double, at_a_time: usize) -> Result<Processor> {
    let spec = ModelSpec::own().with_concurrency(at_a_time);
    let models = ModelRegistry::new().with_model("double", spec, model);
    let agent = Agent::new("weather")
        .model("double")
        .system_prompt("You tell the weather.")
        .tools(["bench_ask"])
        .handles("bench.run");
    let builder = Processor::builder(super::open(trial)?).driver(Answerer::new(256)).driver(agent);
    Ok(builder.driver(Models::new(models).with_concurrency(at_a_time)).start().await?)
}

/// One run, from the emit until its answer is committed and seen.
async fn run(user: &Tenant) -> Result<AgentFinished> {
    let event = Event::new("bench.run").with_data(json!({"question": "How warm is it in Oslo?"}));
    let ended: AgentFinished = user.request_within(LONGEST, event).await?;
    if ended.status == "completed" { Ok(ended) } else { Err(format!("{ended:?}").into()) }
}

/// So many runs, all begun at once: their tools.
async fn runs(app: Processor, count: usize) -> Result<u64> {
    let mut running = JoinSet::new();
    for _ in 0..count {
        let user = app.as_user("local");
        running.spawn(async move { run(&user).await.map_err(|error| error.to_string()) });
    }
    let mut tools = 0;
    while let Some(ended) = running.join_next().await {
        tools += u64::from(ended??.used.tools);
    }
    Ok(tools)
}

/// One run at a time, of 10 turns with a tool in each but the last, and a model that answers at once: the median of a run, by its
/// turns. A turn is a call of the model and one of a tool, each an event that is answered, and the steps of the agent after both.
pub(crate) fn turn(trial: &Trial) -> Result<Vec<Measurement>> {
    const TURNS: usize = 10;
    let (warm_up, count) = if trial.quick { (1, 5) } else { (20, 200) };
    super::block_on(async {
        let model = Double { turns: TURNS, calls: 1, thinks: Duration::ZERO };
        let app = start(trial, model, 64).await?;
        let user = app.as_user("local");
        let mut times = Vec::with_capacity(count);
        for number in 0..warm_up + count {
            let started = Instant::now();
            run(&user).await?;
            if number >= warm_up {
                times.push(started.elapsed().as_secs_f64() * 1e3 / TURNS as f64);
            }
        }
        app.shutdown().await?;
        Ok(vec![Measurement::middle("agent_turn", Unit::Milliseconds, &times)?])
    })
}

/// 64 runs at a time, each with 16 tools in each of 4 turns and an answer in the fifth: tools a second.
pub(crate) fn tools(trial: &Trial) -> Result<Vec<Measurement>> {
    let (at_a_time, rounds) = if trial.quick { (4, 1) } else { (64, 2) };
    super::block_on(async {
        let app = start(trial, Double { turns: 5, calls: 16, thinks: Duration::ZERO }, at_a_time).await?;
        runs(app.clone(), at_a_time).await?;
        let (mut called, started) = (0, Instant::now());
        for _ in 0..rounds {
            called += runs(app.clone(), at_a_time).await?;
        }
        let rate = called as f64 / started.elapsed().as_secs_f64();
        app.shutdown().await?;
        Ok(vec![Measurement::new("agent_tools", Unit::PerSecond, rate)])
    })
}

/// 1,000 runs at once, of 3 turns with a tool in each but the last, and a model that thinks for 100 ms and is called at most so often
/// at a time: how long they take, what the model alone would take, and how much more is resident at the most than before.
pub(crate) fn thousand(trial: &Trial, at_a_time: usize) -> Result<Vec<Measurement>> {
    const TURNS: usize = 3;
    let count = if trial.quick { 100 } else { 1_000 };
    let thinks = Duration::from_millis(100);
    super::block_on(async {
        let app = start(trial, Double { turns: TURNS, calls: 1, thinks }, at_a_time).await?;
        runs(app.clone(), 1).await?;
        let (before, started) = (resident_mebibytes()?, Instant::now());
        let mut highest = before;
        let all = runs(app.clone(), count);
        tokio::pin!(all);
        let tools = loop {
            tokio::select! {
                ended = &mut all => break ended?,
                () = tokio::time::sleep(Duration::from_millis(20)) => highest = highest.max(resident_mebibytes()?),
            }
        };
        if tools != 2 * count as u64 {
            return Err(format!("{tools} tools were called").into());
        }
        let took = started.elapsed().as_secs_f64() * 1e3;
        app.shutdown().await?;
        // With room for all of them each run waits for its own turns alone.
        let waves = (count as f64 / at_a_time as f64).max(1.0);
        let ideal = waves * TURNS as f64 * thinks.as_secs_f64() * 1e3;
        Ok(vec![
            Measurement::new("took", Unit::Milliseconds, took),
            Measurement::new("ideal", Unit::Milliseconds, ideal),
            Measurement::new("resident", Unit::Mebibytes, highest - before),
        ])
    })
}
