//! A search for tools: with many of them the model sees only those that it looked for.

use super::{Tool, Toolbox};
use crate::agent::ToolSpec;
use serde_json::{Value, json};
use std::sync::Arc;

/// The name of the tool that finds tools.
pub(in crate::agent) const SEARCH: &str = "search_tools";
/// How many tools one search gives.
const MOST: usize = 5;

/// The tool that finds tools.
pub(in crate::agent) fn search_tool(toolbox: &Toolbox) -> ToolSpec {
    let description = format!(
        "Find tools for a task: there are {}. What it finds can be called from then on.",
        toolbox.tools.len()
    );
    let schema = json!({
        "type": "object",
        "properties": {"query": {"type": "string", "description": "What the tool shall do, in a few words."}},
        "required": ["query"],
    });
    ToolSpec { name: SEARCH.to_owned(), description, schema }
}

/// The tools that fit best, best first.
pub(in crate::agent) fn found<'t>(toolbox: &'t Toolbox, arguments: &Value) -> Vec<&'t Arc<Tool>> {
    let query = arguments["query"].as_str().unwrap_or_default().to_lowercase();
    let words: Vec<&str> =
        query.split(|sign: char| !sign.is_alphanumeric()).filter(|word| word.len() > 1).collect();
    let score = |tool: &Tool| -> usize {
        let (name, about) = (tool.spec.name.to_lowercase(), tool.spec.description.to_lowercase());
        // A stem is enough: `emails` finds `email`.
        let has = |text: &str, word: &str| text.contains(word) || text.contains(word.trim_end_matches('s'));
        words.iter().map(|word| 3 * usize::from(has(&name, word)) + usize::from(has(&about, word))).sum()
    };
    let mut scored: Vec<(usize, &Arc<Tool>)> =
        toolbox.tools.values().map(|tool| (score(tool), tool)).collect();
    scored.retain(|(score, _)| *score > 0);
    scored.sort_by_key(|(score, tool)| (std::cmp::Reverse(*score), tool.spec.name.clone()));
    scored.into_iter().take(MOST).map(|(_, tool)| tool).collect()
}
