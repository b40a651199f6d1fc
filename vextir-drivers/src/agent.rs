//! Agents: models, the tools that they may call, and runs of which every step is an event.

mod model;

pub use model::{
    Finish, Image, Message, Model, ModelError, ModelErrorClass, ModelReply, ModelRequest, OutputSchema,
    TokenUsage, Tokens, ToolCall, ToolChoice, ToolSpec,
};
