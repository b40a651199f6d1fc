//! The graph as text that others draw: Mermaid and DOT.

use super::{Graph, NodeKind};
use std::fmt::Write as _;

/// The longest text of a label, in characters.
const LONGEST: usize = 60;

impl Graph {
    /// A Mermaid flow chart. Names of any signs stay names.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let mut chart = String::from("flowchart LR\n");
        for (number, node) in self.nodes.iter().enumerate() {
            let (open, close) = match node.kind {
                NodeKind::Event => ("(", ")"),
                NodeKind::Pattern => ("{{", "}}"),
                NodeKind::Driver | NodeKind::Kernel => ("[", "]"),
                NodeKind::Schedule => ("[[", "]]"),
                NodeKind::Subscription => (">", "]"),
                NodeKind::Outside => ("((", "))"),
            };
            // The names of nodes are ours: a name such as `end` is a word of the language.
            let _ = writeln!(chart, "    n{number}{open}\"{}\"{close}", mermaid_text(&node.name));
        }
        for edge in &self.edges {
            let (from, to) = (edge.from, edge.to);
            let _ = match edge.label.as_str() {
                "" => writeln!(chart, "    n{from} --> n{to}"),
                label => writeln!(chart, "    n{from} -->|\"{}\"| n{to}", mermaid_text(label)),
            };
        }
        chart
    }

    /// A directed graph in the language DOT. Names of any signs stay names.
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut graph = String::from("digraph vextir {\n    rankdir=LR;\n");
        for (number, node) in self.nodes.iter().enumerate() {
            let shape = match node.kind {
                NodeKind::Event => "ellipse",
                NodeKind::Pattern => "hexagon",
                NodeKind::Driver | NodeKind::Kernel => "box",
                NodeKind::Schedule => "octagon",
                NodeKind::Subscription => "cds",
                NodeKind::Outside => "circle",
            };
            let _ = writeln!(graph, "    n{number} [label=\"{}\", shape={shape}];", dot_text(&node.name));
        }
        for edge in &self.edges {
            let (from, to) = (edge.from, edge.to);
            let _ = match edge.label.as_str() {
                "" => writeln!(graph, "    n{from} -> n{to};"),
                label => writeln!(graph, "    n{from} -> n{to} [label=\"{}\"];", dot_text(label)),
            };
        }
        graph.push_str("}\n");
        graph
    }
}

/// Text for a label of a Mermaid chart: one line, at most 60 characters, with nothing in it that means something to Mermaid or
/// to a page.
///
/// ```
/// # extern crate vextir_core as vextir;
/// assert_eq!(vextir::check::mermaid_text("a[\"b\"]"), "a#91;#34;b#34;#93;");
/// ```
#[must_use]
pub fn mermaid_text(raw: &str) -> String {
    escaped(raw, |sign, shown| match sign {
        'a'..='z' | 'A'..='Z' | '0'..='9' | ' ' | '.' | ',' | '-' | '_' | '/' | ':' => shown.push(sign),
        sign if sign.is_ascii() => {
            let _ = write!(shown, "#{};", u32::from(sign));
        }
        sign => shown.push(sign),
    })
}

/// Text for a label in DOT, between quotation marks.
fn dot_text(raw: &str) -> String {
    escaped(raw, |sign, shown| {
        if matches!(sign, '"' | '\\') {
            shown.push('\\');
        }
        shown.push(sign);
    })
}

fn escaped(raw: &str, write: impl Fn(char, &mut String)) -> String {
    let mut shown = String::new();
    for (count, sign) in raw.chars().enumerate() {
        if count == LONGEST {
            shown.push_str("..");
            break;
        }
        write(if sign.is_control() { ' ' } else { sign }, &mut shown);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{dot_text, mermaid_text};

    #[test]
    fn odd_signs_mean_nothing() {
        let odd = "a\"];\n<script>`#x`&&é|end";
        let drawn = "a#34;#93;#59; #60;script#62;#96;#35;x#96;#38;#38;é#124;end";
        assert_eq!(mermaid_text(odd), drawn);
        assert_eq!(mermaid_text(&"x".repeat(100)).len(), 62);
        assert_eq!(dot_text("a\\\"];\n}"), "a\\\\\\\"]; }");
    }
}
