//! Plans as pictures: Mermaid flow charts.

use super::instruction::{Instruction, OnError};
use super::run::{Action, NodeStatus, Run};
use std::fmt::Write as _;
use vextir::Name;
use vextir::check::mermaid_text;

/// A step as it is drawn.
struct Drawn<'a> {
    id: &'a Name,
    kind: &'a str,
    after: &'a [Name],
    condition: Option<&'a str>,
    status: NodeStatus,
    compensation: Option<&'a Name>,
}

impl Instruction {
    /// The steps and what they depend on, as a Mermaid flow chart. A dotted arrow leads to what is done when a step fails.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let kinds: Vec<String> = self.steps.iter().map(|step| Action::of(&step.act).kind).collect();
        let steps = self.steps.iter().zip(&kinds).map(|(step, kind)| Drawn {
            id: &step.id,
            kind,
            after: &step.depends_on,
            condition: step.condition.as_ref().map(|condition| condition.source()),
            status: NodeStatus::Pending,
            compensation: match &step.on_error {
                OnError::Compensate(id) => Some(id),
                OnError::Fail | OnError::Continue => None,
            },
        });
        chart(&steps.collect::<Vec<_>>())
    }
}

impl Run {
    /// The steps as they stand, as a Mermaid flow chart.
    pub(crate) fn to_mermaid(&self) -> String {
        let steps = self.dag.nodes.iter().map(|(id, node)| Drawn {
            id,
            kind: &node.action.kind,
            after: &node.dependencies,
            condition: node.condition.as_deref(),
            status: node.status,
            compensation: None,
        });
        chart(&steps.collect::<Vec<_>>())
    }
}

fn chart(steps: &[Drawn<'_>]) -> String {
    let mut chart = String::from("flowchart TD\n");
    let number = |id: &Name| steps.iter().position(|step| step.id == id);
    for (at, step) in steps.iter().enumerate() {
        // The names of nodes are ours: ids such as `end` are words of the language.
        let mut label = format!("{}<br/>{}", mermaid_text(step.id), mermaid_text(step.kind));
        if let Some(condition) = step.condition {
            let _ = write!(label, "<br/>if {}", mermaid_text(condition));
        }
        let class = if step.status == NodeStatus::Pending { "" } else { step.status.name() };
        let class = if class.is_empty() { String::new() } else { format!(":::{class}") };
        let _ = writeln!(chart, "    s{at}[\"{label}\"]{class}");
    }
    for (at, step) in steps.iter().enumerate() {
        for before in step.after.iter().filter_map(number) {
            let _ = writeln!(chart, "    s{before} --> s{at}");
        }
        if let Some(target) = step.compensation.and_then(number) {
            let _ = writeln!(chart, "    s{at} -.->|fails| s{target}");
        }
    }
    for (status, colour) in COLOURS {
        if steps.iter().any(|step| step.status == status) {
            let _ = writeln!(chart, "    classDef {} fill:{colour},color:#000", status.name());
        }
    }
    chart
}

const COLOURS: [(NodeStatus, &str); 6] = [
    (NodeStatus::Running, "#9cf"),
    (NodeStatus::Completed, "#9e9"),
    (NodeStatus::Failed, "#f99"),
    (NodeStatus::Skipped, "#ddd"),
    (NodeStatus::Cancelled, "#ccc"),
    (NodeStatus::Held, "#fd8"),
];

#[cfg(test)]
mod tests {
    use crate::workflow::instruction::OnError;
    use crate::workflow::run::tests::{Shell, at, condition, emit, instruction};

    #[test]
    fn an_instruction_is_drawn() {
        let mut pay = emit("pay", &["book"]);
        pay.condition = condition("true");
        pay.on_error = OnError::Compensate("end".into());
        let drawn = instruction(vec![emit("book", &[]), pay, emit("end", &[])]).to_mermaid();
        let expected = "flowchart TD
    s0[\"book<br/>do.book\"]
    s1[\"pay<br/>do.pay<br/>if true\"]
    s2[\"end<br/>do.end\"]
    s0 --> s1
    s1 -.->|fails| s2
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn a_run_is_drawn_as_it_stands() {
        let mut shell = Shell::begin(vec![emit("a", &[]), emit("b", &["a"]), emit("c", &["b"])]);
        shell.ended(&at("a"), &[]);
        let expected = "flowchart TD
    s0[\"a<br/>do.a\"]:::completed
    s1[\"b<br/>do.b\"]:::running
    s2[\"c<br/>do.c\"]
    s0 --> s1
    s1 --> s2
    classDef running fill:#9cf,color:#000
    classDef completed fill:#9e9,color:#000
";
        assert_eq!(shell.run().to_mermaid(), expected);
    }
}
