//! What the program says about itself: each warning is a line of its standard error.

use std::fmt::{Debug, Write as _};
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// How the line begins that says which event runs alone.
pub const ALONE: &str = "alone ";

/// Writes warnings and errors.
#[derive(Debug)]
pub struct Log;

#[derive(Default)]
struct Line {
    message: String,
    event: String,
    rest: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "event" => self.event = format!("{value:?}"),
            name => drop(write!(self.rest, " {name}={value:?}")),
        }
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let Line { message, event, rest } = line;
        let text = match message.as_str() {
            "runs alone" => format!("{ALONE}{event}\n"),
            _ => format!("{message} {event}{rest}\n"),
        };
        // One write for the line: a kill cannot tear it.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
