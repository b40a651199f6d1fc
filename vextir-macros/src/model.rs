//! What was found valid: all that the expansion needs, and nothing that can fail.

use proc_macro2::{Span, TokenStream};
use std::time::Duration;
use syn::{Attribute, Ident, ItemImpl, LitStr, Path, Type};

/// A driver.
pub(crate) struct Driver {
    /// The path of the `vextir` crate.
    pub(crate) root: Path,
    pub(crate) item: ItemImpl,
    pub(crate) settings: Settings,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) start: Option<Hook>,
    pub(crate) stop: Option<Hook>,
}

/// The options of `#[driver]`; what the user left out is not set.
pub(crate) struct Settings {
    pub(crate) id: LitStr,
    /// A variant of `DriverKind`.
    pub(crate) kind: Option<Ident>,
    pub(crate) version: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) author: Option<LitStr>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) memory: Option<u64>,
    pub(crate) retries: Option<u32>,
    pub(crate) concurrency: Option<u32>,
    pub(crate) eager: bool,
    pub(crate) from_start: bool,
    pub(crate) block_on_dead: bool,
    pub(crate) flow: Vec<Rule>,
}

/// A rule of flow control.
pub(crate) struct Rule {
    pub(crate) demand: Demand,
    pub(crate) key: Option<LitStr>,
    pub(crate) across_users: bool,
    /// Where it stands.
    pub(crate) place: Span,
}

/// What it demands.
pub(crate) enum Demand {
    Concurrency(u32),
    RateLimit(u32, Duration),
    Throttle(u32, Duration),
    Debounce(Duration, Option<Duration>),
    Batch(u32, Duration),
    /// A variant of `Twin`.
    Singleton(Ident),
    Priority(LitStr),
}

/// A method with `#[on]`.
pub(crate) struct Handler {
    pub(crate) name: Ident,
    /// Its `#[cfg]`s.
    pub(crate) cfgs: Vec<Attribute>,
    /// Its doc comment, as an expression.
    pub(crate) docs: Option<TokenStream>,
    /// A variant of `Effect`: its own, or the driver's.
    pub(crate) effect: Option<Ident>,
    /// What one call is expected to use: units and amounts.
    pub(crate) reserve: Vec<(String, u64)>,
    pub(crate) flow: Vec<Rule>,
    /// Whether it takes several events at a time.
    pub(crate) batch: bool,
    pub(crate) input: Input,
    /// The order of its parameters after `&self`.
    pub(crate) parameters: Vec<Parameter>,
    /// `None`: it returns nothing.
    pub(crate) returns: Option<Type>,
}

/// What a handler gets.
pub(crate) enum Input {
    /// The payload; its type names the event.
    Payload(Box<Type>),
    /// The raw event, for these names and patterns.
    Raw(Vec<LitStr>),
}

/// A parameter of a handler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    /// The payload, or the raw event.
    Input,
    Context,
}

/// A method with `#[on_start]` or `#[on_stop]`.
pub(crate) struct Hook {
    pub(crate) name: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    /// Whether it takes the emitter.
    pub(crate) emitter: bool,
    /// `None`: it returns nothing.
    pub(crate) returns: Option<Type>,
}

/// A payload.
pub(crate) struct Payload {
    /// The path of the `vextir` crate.
    pub(crate) root: Path,
    pub(crate) ident: Ident,
    pub(crate) event_type: LitStr,
    /// A variant of `Category`.
    pub(crate) category: Option<Ident>,
    /// Its doc comment, as an expression.
    pub(crate) docs: Option<TokenStream>,
}
