//! Search by event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::Range;
use vextir::context::{ContentKind, Hit, Why};
use vextir::{Context, Payload, Result, Timestamp};

/// The most hits that one answer holds.
const MOST: usize = 100;

/// Search documents by words, paths and meaning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.search")]
pub struct ContextSearch {
    /// What is searched for, in plain words.
    pub text: String,
    /// Only at or below this path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only documents of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ContentKind>,
    /// Only what was changed at this time or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Only what was changed before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Only documents whose metadata have these members.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// At most so many hits; 10 by default, at most 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Whether to wait until all that is committed now can be found.
    #[serde(default)]
    pub fresh: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "context.found", category = "output")]
pub struct ContextFound {
    /// What was searched for.
    pub text: String,
    /// The documents, best first.
    pub hits: Vec<ContextHit>,
    /// How many changes of documents that the user may read the index does not have yet; counted up to 1,000.
    pub behind: usize,
    /// Whether the index is being made, so that more may be missing.
    #[serde(default)]
    pub rebuilding: bool,
}

/// One document that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextHit {
    /// Its path.
    pub path: String,
    /// Its title.
    pub title: String,
    /// A part of its text.
    pub snippet: String,
    /// Which bytes of the snippet are what was searched for: from, and up to before.
    pub marks: Vec<[usize; 2]>,
    /// From 1, the best.
    pub rank: usize,
    /// Why it was found.
    pub why: Vec<Why>,
    /// When it was changed last.
    #[schemars(with = "String")]
    pub updated: Timestamp,
}

impl From<Hit> for ContextHit {
    fn from(hit: Hit) -> Self {
        Self {
            path: hit.path,
            title: hit.title,
            snippet: hit.snippet,
            marks: hit.marks.into_iter().map(|Range { start, end }| [start, end]).collect(),
            rank: hit.rank,
            why: hit.why,
            updated: hit.updated,
        }
    }
}

pub(super) async fn search(context: &Context, ask: ContextSearch) -> Result<ContextFound> {
    let mut search = context.search(&ask.text).limit(ask.limit.unwrap_or(10).min(MOST));
    if let Some(path) = ask.path {
        search = search.under(path);
    }
    if let Some(kind) = ask.kind {
        search = search.kind(kind);
    }
    if let Some(since) = ask.since {
        search = search.since(since);
    }
    if let Some(until) = ask.until {
        search = search.until(until);
    }
    for (key, value) in ask.metadata {
        search = search.metadata(key, value);
    }
    if ask.fresh {
        search = search.fresh();
    }
    let found = search.found().await?;
    let hits = found.hits.into_iter().map(ContextHit::from).collect();
    Ok(ContextFound { text: ask.text, hits, behind: found.behind, rebuilding: found.rebuilding })
}
