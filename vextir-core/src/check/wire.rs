//! What a driver tells of itself beside its manifest.

use super::Finding;
use crate::{Category, Name, OutputSpec, Payload};
use schemars::Schema;

/// What a driver holds as data: from [`Driver::wiring`](crate::Driver::wiring). A driver that tells wires is taken at its
/// word: they say what begins its work and what that emits, and its manifest only what it takes.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Wiring {
    /// What it emits and what it waits for.
    pub wires: Vec<Wire>,
    /// What the driver itself found.
    pub findings: Vec<Finding>,
}

impl Wiring {
    /// A driver that does this.
    pub fn new(wires: impl IntoIterator<Item = Wire>) -> Self {
        Self { wires: wires.into_iter().collect(), findings: Vec::new() }
    }
}

/// One thing that a driver emits or waits for.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::check::Wire;
///
/// let starts = Wire::starts("standup.due");
/// let asks = Wire::emits("email.fetch").part("step `fetch`").at("standup.yaml:7:12").when("inputs.mails");
/// # let _ = (starts, asks);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Wire {
    /// Which part of the driver, as it is said in a sentence: "step `fetch`". Empty for the driver itself.
    pub part: String,
    /// Where it was written, if it was: file, line, column.
    pub place: String,
    /// Only where this holds.
    pub condition: Option<String>,
    /// What it does.
    pub end: WireEnd,
}

/// What a wire does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WireEnd {
    /// Emits an event of this type.
    Emits {
        /// The type.
        event_type: Name,
        /// What it carries, if that is known and was not checked by the driver.
        schema: Option<Schema>,
        /// Its category.
        category: Category,
        /// It begins a causal tree of its own, so that no limit counts what caused it.
        plants: bool,
    },
    /// An event that matches begins the driver's work; all that it emits may follow.
    Starts(Name),
    /// As `Starts`, but it is asked for by the application, or by the driver itself.
    Asked(Name),
    /// Work that has begun waits for an event that matches.
    Awaits(Name),
}

impl Wire {
    fn new(end: WireEnd) -> Self {
        Self { part: String::new(), place: String::new(), condition: None, end }
    }

    /// It emits an event of this type.
    pub fn emits(event_type: impl Into<Name>) -> Self {
        let (schema, category, plants) = (None, Category::default(), false);
        Self::new(WireEnd::Emits { event_type: event_type.into(), schema, category, plants })
    }

    /// It emits events with this payload.
    #[must_use]
    pub fn emits_payload<P: Payload>() -> Self {
        let OutputSpec { event_type, schema, category } = OutputSpec::of::<P>();
        Self::new(WireEnd::Emits { event_type, schema: Some(schema), category, plants: false })
    }

    /// An event that matches this type or pattern begins its work.
    pub fn starts(pattern: impl Into<Name>) -> Self {
        Self::new(WireEnd::Starts(pattern.into()))
    }

    /// As [`Wire::starts`], but it is asked for by the application, or by the driver itself.
    pub fn asked(pattern: impl Into<Name>) -> Self {
        Self::new(WireEnd::Asked(pattern.into()))
    }

    /// Work that has begun waits for an event that matches this type or pattern.
    pub fn awaits(pattern: impl Into<Name>) -> Self {
        Self::new(WireEnd::Awaits(pattern.into()))
    }

    /// Says which part of the driver it is: "step `fetch`".
    #[must_use]
    pub fn part(self, part: impl Into<String>) -> Self {
        Self { part: part.into(), ..self }
    }

    /// Says where it was written.
    #[must_use]
    pub fn at(self, place: impl Into<String>) -> Self {
        Self { place: place.into(), ..self }
    }

    /// Only where this holds.
    #[must_use]
    pub fn when(self, condition: impl Into<String>) -> Self {
        Self { condition: Some(condition.into()), ..self }
    }

    /// What it emits begins a causal tree of its own.
    #[must_use]
    pub fn planted(mut self) -> Self {
        if let WireEnd::Emits { plants, .. } = &mut self.end {
            *plants = true;
        }
        self
    }
}
