//! Agents: models, the tools that they may call, and runs of which every step is an event.

mod compact;
mod critic;
mod driver;
mod model;
mod models;
mod payload;
mod planner;
mod provider;
mod registry;
mod run;
mod spec;
mod tape;
mod toolbox;
mod tools;
mod turn;
mod usage;

pub use driver::{Agent, AgentRuns};
pub use model::{
    Finish, Image, Message, Model, ModelError, ModelErrorClass, ModelReply, ModelRequest, OutputSchema,
    TokenUsage, Tokens, ToolCall, ToolChoice, ToolSpec,
};
pub use models::{MICRO_USD, ModelComplete, ModelCompleted, ModelFailed, ModelHandle, Models, TOKEN, TOKENS};
pub use payload::{AgentAnswer, AgentDegraded, AgentFinished};
pub use planner::{PlanCreate, PlanDraft, planner};
pub use registry::{
    CHAT, FUNCTION_CALLING, ModelChoice, ModelRegistry, ModelSpec, ModelWanted, Prefer, Price, Provider,
    VISION,
};
pub use run::{AgentRun, Called, RunStatus, Used};
pub use spec::{AgentCapability, AgentSpec, Bounds, Recall, Scopes};
pub use tape::{Tape, TapedDriver, TapedModel};
pub use tools::{McpEntry, ToolEntry, ToolRegistry};
pub use usage::{Usage, UsageReport};
