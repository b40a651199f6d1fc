//! An answer that carries the labels of what it tells.

use std::collections::BTreeSet;
use vextir::{BoxError, Event, IntoOutputs, Name, OutputSpec, Payload};

/// A payload, and the labels of the documents that it comes from.
pub(super) struct Labelled<P> {
    pub(super) payload: P,
    pub(super) labels: BTreeSet<Name>,
}

impl<P: Payload> IntoOutputs for Labelled<P> {
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        let event = Event::of(&self.payload)?;
        outputs.push(self.labels.into_iter().fold(event, Event::with_label));
        Ok(())
    }

    fn describe(specs: &mut Vec<OutputSpec>) {
        specs.push(OutputSpec::of::<P>());
    }
}
