//! Who judges what an agent would answer, for agents whose answers have to be more than a form.

use serde_json::Value;
use std::fmt;
use vextir::{Ctx, Manifest, Result, async_trait};

/// A critic: decides from the drivers that there are, and does nothing but keep what is answered.
#[async_trait]
pub(super) trait Critic: fmt::Debug + Send + Sync {
    /// What the model is told beside its system prompt.
    fn brief(&self, manifests: &[Manifest]) -> String;

    /// The form of what the model is to write, after it got it wrong so often.
    fn form(&self, corrections: u32, manifests: &[Manifest]) -> Option<Value>;

    /// The answer that is made of what the model wrote in a run.
    ///
    /// # Errors
    /// What is wrong with it, in words for the model.
    fn judge(&self, text: &str, run: &str, manifests: &[Manifest]) -> std::result::Result<Value, String>;

    /// Keeps the answer, with the settlement.
    async fn keep(&self, answer: &Value, cx: &Ctx) -> Result<()>;
}
