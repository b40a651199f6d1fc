//! A chat that is a file of JSON lines.

use crate::journal::Journal;
use vextir::prelude::*;

/// Say something in a channel.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "chat.message")]
pub(crate) struct ChatMessage {
    channel: String,
    message: String,
}

/// It was said.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "chat.sent", category = "output")]
pub(crate) struct ChatSent {
    channel: String,
}

pub(crate) struct Chat(pub(crate) Journal);

#[driver("chat", kind = "io")]
impl Chat {
    /// Say something in a channel.
    #[on]
    async fn say(&self, ask: ChatMessage, cx: &Ctx) -> Result<ChatSent, Failure> {
        let said = json!({"at": cx.now(), "channel": ask.channel, "message": ask.message});
        self.0.add(cx.idempotency_key(), said).await?;
        Ok(ChatSent { channel: ask.channel })
    }
}
