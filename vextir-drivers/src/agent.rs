//! Agents: models, the tools that they may call, and runs of which every step is an event.

mod compact;
mod critic;
mod driver;
mod model;
mod payload;
mod planner;
mod run;
mod spec;
mod tape;
mod toolbox;
mod tools;
mod turn;

pub use driver::{Agent, AgentRuns};
pub use model::{
    Finish, Image, Message, Model, ModelError, ModelErrorClass, ModelReply, ModelRequest, OutputSchema,
    TokenUsage, Tokens, ToolCall, ToolChoice, ToolSpec,
};
pub use payload::{AgentAnswer, AgentDegraded, AgentFinished};
pub use planner::{PlanCreate, PlanDraft, planner};
pub use run::{AgentRun, Called, RunStatus, Used};
pub use spec::{AgentCapability, AgentSpec, Bounds, Recall, Scopes};
pub use tape::{Tape, TapedDriver, TapedModel};
pub use tools::{McpEntry, ToolEntry, ToolRegistry};
