//! What an agent is wired to, for the check of the whole application.

use super::missing;
use crate::agent::spec::AgentSpec;
use crate::agent::toolbox::offered;
use crate::agent::tools::ToolRegistry;
use vextir::check::{Finding, FindingKind, Known, Severity, Wire, Wiring};

pub(super) fn wiring(spec: &AgentSpec, tools: &ToolRegistry, known: &Known) -> Wiring {
    let toolbox = offered(&spec.tools, tools, known.manifests(), &spec.id);
    let starts = spec.capabilities.iter().map(|capability| Wire::starts(capability.event_type.clone()));
    let calls = toolbox.tools.values().map(|tool| {
        Wire::emits(tool.event_type.clone())
            .part(format!("tool `{}`", tool.spec.name))
            .when("the model wants it")
    });
    let answers = spec.capabilities.iter().map(|capability| Wire::emits(capability.result()));
    let model = Wire::emits("model.complete").part("the model");
    let mut wiring = Wiring::new(starts.chain([model]).chain(calls).chain(answers));
    wiring.findings.extend(missing(&toolbox).into_iter().map(|what| {
        let message = format!("agent `{}` lacks the tool {what}", spec.id);
        let remedy = "register what handles it, or take it off the agent's tools";
        Finding::new(Severity::Warning, FindingKind::Unhandled, spec.id.clone(), message, remedy)
    }));
    wiring
}
