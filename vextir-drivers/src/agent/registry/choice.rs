//! Which model is asked: by name, or by what it must be able to do and may cost.

use super::spec::{FUNCTION_CALLING, VISION};
use crate::agent::{Message, ModelRequest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vextir::{Ctx, Name};

/// What a policy demands: the cheapest model that can do it.
const CHEAP: &str = "restrict_to_cheap_models";

/// Which model is asked: a name, several in the order in which they are asked, or what it must be able to do.
///
/// ```
/// use vextir_drivers::agent::ModelChoice;
///
/// let by_name: ModelChoice = serde_json::from_str("\"gpt-4\"")?;
/// assert_eq!(by_name, "gpt-4".into());
/// let by_need: ModelChoice = serde_json::from_str(r#"{"capabilities": ["vision"], "prefer": "price"}"#)?;
/// assert!(matches!(by_need, ModelChoice::Wanted(_)));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ModelChoice {
    /// The one of this name, and its fallbacks.
    Named(#[schemars(with = "String")] Name),
    /// Those of these names, in this order, and their fallbacks.
    OneOf(#[schemars(with = "Vec<String>")] Vec<Name>),
    /// Those that can do this.
    Wanted(ModelWanted),
}

/// What a model must be able to do and may cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelWanted {
    /// All of these.
    pub capabilities: Vec<String>,
    /// The most that 1,000 tokens may cost, in dollars; the dearer of those of request and answer counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost_per_1k: Option<f64>,
    /// Which of several comes first.
    #[serde(skip_serializing_if = "Prefer::is_order")]
    pub prefer: Prefer,
}

/// Which of several models comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prefer {
    /// The one that was registered first.
    #[default]
    Order,
    /// The cheapest, by the price of 1,000 tokens in and 1,000 out.
    Price,
}

impl Prefer {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_order(&self) -> bool {
        *self == Self::Order
    }
}

impl From<&str> for ModelChoice {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl From<Name> for ModelChoice {
    fn from(name: Name) -> Self {
        Self::Named(name)
    }
}

/// What a request needs of a model, and what a policy demands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) tools: bool,
    pub(crate) vision: bool,
    pub(crate) cheap: bool,
}

impl Needs {
    pub(crate) fn of(request: &ModelRequest) -> Self {
        let is_shown =
            |message: &Message| matches!(message, Message::User { images, .. } if !images.is_empty());
        Self { tools: !request.tools.is_empty(), vision: request.messages.iter().any(is_shown), cheap: false }
    }

    /// With what policies demand of the event that is handled: `restrict_to_cheap_models`, alone or as an `action`.
    pub(crate) fn under(self, cx: &Ctx) -> Self {
        let demanded = cx.obligations().map(vextir::Data::value);
        let all = demanded.as_ref().and_then(|all| all.as_array()).map(Vec::as_slice).unwrap_or_default();
        let is_cheap =
            |one: &serde_json::Value| one == CHEAP || one.get("action").is_some_and(|one| one == CHEAP);
        Self { cheap: all.iter().any(is_cheap), ..self }
    }

    /// The capabilities that it comes down to.
    pub(super) fn capabilities(self) -> impl Iterator<Item = &'static str> {
        let tools = self.tools.then_some(FUNCTION_CALLING);
        tools.into_iter().chain(self.vision.then_some(VISION))
    }
}
