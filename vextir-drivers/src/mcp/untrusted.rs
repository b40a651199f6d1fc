//! What handlers of your own emit of a server's words.

use super::server::UNTRUSTED;
use vextir::{BoxError, Event, IntoOutputs, OutputSpec, Payload};

/// A payload that holds words of a server: its event has the label `untrusted`, and what it causes inherits that. A handler
/// that calls a server through a handle returns it, since the handle does not know what becomes of its answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untrusted<P>(pub P);

impl<P: Payload> IntoOutputs for Untrusted<P> {
    fn add_to(self, outputs: &mut Vec<Event>) -> Result<(), BoxError> {
        outputs.push(Event::of(&self.0)?.with_label(UNTRUSTED));
        Ok(())
    }

    fn describe(specs: &mut Vec<OutputSpec>) {
        specs.push(OutputSpec::of::<P>());
    }
}

#[cfg(test)]
mod tests {
    use super::Untrusted;
    use crate::mcp::McpUp;
    use vextir::IntoOutputs;

    #[test]
    fn it_is_labelled_and_described() {
        let (mut events, mut specs) = (Vec::new(), Vec::new());
        let up = McpUp { server: "s".into(), tools: 1, findings: Vec::new() };
        Untrusted(up).add_to(&mut events).unwrap();
        Untrusted::<McpUp>::describe(&mut specs);
        assert!(events[0].labels.contains("untrusted") && events[0].event_type == "mcp.up");
        assert_eq!(specs[0].event_type, "mcp.up");
    }
}
