//! Agents: models, the tools that they may call, and runs of which every step is an event.

mod model;
mod models;
mod provider;
mod registry;
mod usage;

pub use model::{
    Finish, Image, Message, Model, ModelError, ModelErrorClass, ModelReply, ModelRequest, OutputSchema,
    TokenUsage, Tokens, ToolCall, ToolChoice, ToolSpec,
};
pub use models::{MICRO_USD, ModelComplete, ModelCompleted, ModelFailed, ModelHandle, Models, TOKEN, TOKENS};
pub use registry::{
    CHAT, FUNCTION_CALLING, ModelChoice, ModelRegistry, ModelSpec, ModelWanted, Prefer, Price, Provider,
    VISION,
};
pub use usage::{Usage, UsageReport};
