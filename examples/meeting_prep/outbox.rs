//! Mails that are sent by writing them into a file of JSON lines.

use crate::journal::Journal;
use vextir::prelude::*;

/// Send a mail.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.send")]
pub(crate) struct SendMail {
    to: String,
    subject: String,
    text: String,
}

/// It was sent.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.sent", category = "output")]
pub(crate) struct MailSent {
    pub(crate) to: String,
}

pub(crate) struct Outbox(pub(crate) Journal);

#[driver("outbox", kind = "io")]
impl Outbox {
    /// Send a mail.
    #[on]
    async fn send(&self, ask: SendMail, cx: &Ctx) -> Result<MailSent, Failure> {
        let mail = json!({"to": ask.to, "subject": ask.subject, "text": ask.text});
        self.0.add(cx.idempotency_key(), mail).await?;
        Ok(MailSent { to: ask.to })
    }
}
