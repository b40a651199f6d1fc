//! A search on its way: filters, then `.await`.

use super::{Context, clean_path};
use crate::{Error, Result, Timestamp};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::ops::Range;
use std::pin::Pin;
use std::time::Duration;

/// The longest text that is searched for, in bytes.
pub const MAX_SEARCH_BYTES: usize = 1_024;

/// The most hits that one search answers.
pub const MAX_HITS: usize = 1_000;

/// How long [`Searching::fresh`] waits.
const FRESH: Duration = Duration::from_secs(30);

/// Turns texts into vectors: the closer the vectors of two texts, the closer their meaning.
///
/// Whatever the vectors' lengths are, they are compared by angle. [`Embedder::embed`] runs behind the commits for
/// documents, and in the caller's task for what is searched for. It may be called on a thread without a runtime: one
/// that needs a runtime for its connections keeps a handle of it.
#[async_trait]
pub trait Embedder: fmt::Debug + Send + Sync + 'static {
    /// Its name with a version. It is stored beside the vectors: under another name, all documents are embedded anew.
    fn name(&self) -> &str;

    /// How many numbers a vector has; from 8 to 4,096.
    fn dimensions(&self) -> usize;

    /// A vector for each text, in order; at most 16 texts of at most 8 KiB at once.
    ///
    /// # Errors
    /// `Invalid`: there is no vector for one of the texts, and never will be. The document is set aside, if the embedder takes
    /// another text; so is one at which it panics. It is found by its words alone until it changes. `Timeout`, `Unavailable`:
    /// if the embedder takes another text, these are tried one by one; a document at which it fails each time waits, and is
    /// set aside too in the end, while the others go on. With every other error all documents wait, and are tried again,
    /// later and later. A search goes on without vectors.
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>>;

    /// Below this cosine two texts have nothing in common, and no search finds the one by the other; from -1 to 1.
    fn floor(&self) -> f32 {
        0.0
    }
}

/// How a document came to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Why {
    /// By words in its text, its title or its metadata.
    Text,
    /// By pieces of its path or title.
    Path,
    /// By what it means.
    Meaning,
}

/// What documents hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// What is searched for, and among what; what stores get.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Search {
    /// What a user typed. It is data: no sign in it is an operator.
    pub text: String,
    /// Only at or below this clean path.
    pub under: Option<String>,
    /// Only documents of this kind.
    pub kind: Option<ContentKind>,
    /// Only what was changed at this time or later.
    pub since: Option<Timestamp>,
    /// Only what was changed before this time.
    pub until: Option<Timestamp>,
    /// Only documents whose metadata have all these members with these values.
    pub metadata: Vec<(String, Value)>,
    /// At most so many hits.
    pub limit: usize,
    /// Whether words and paths count.
    pub by_text: bool,
    /// Whether the meaning counts.
    pub by_meaning: bool,
    /// Waits at most so long until all that is committed now can be found.
    pub fresh: Option<Duration>,
}

/// One document that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hit {
    /// Its path, as the user sees it.
    pub path: String,
    /// Its title: from its metadata or its first heading, else the last segment of its path.
    pub title: String,
    /// A part of its text that tells why it was found.
    pub snippet: String,
    /// Which bytes of the snippet are what was searched for; in order, apart from each other.
    pub marks: Vec<Range<usize>>,
    /// From 1, the best.
    pub rank: usize,
    /// Why it was found.
    pub why: Vec<Why>,
    /// When it was changed last.
    pub updated: Timestamp,
}

impl Hit {
    /// For stores: a hit.
    #[must_use]
    pub fn new(path: impl Into<String>, title: impl Into<String>, rank: usize, why: Vec<Why>) -> Self {
        let (snippet, marks, updated) = (String::new(), Vec::new(), Timestamp::UNSET);
        Self { path: path.into(), title: title.into(), snippet, marks, rank, why, updated }
    }
}

/// The hits, and how far they can be relied on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Found {
    /// What was found, best first.
    pub hits: Vec<Hit>,
    /// How many changes of documents that this user may read are not in the index yet; counted up to 1,000.
    pub behind: usize,
    /// Whether the index is being made, so that more than what is `behind` may be missing.
    pub rebuilding: bool,
    /// Whether the meaning of what was searched for was compared.
    pub by_meaning: bool,
}

/// A search that runs when it is awaited; made by [`Context::search`].
#[derive(Debug, Clone)]
#[must_use = "nothing is searched before it is awaited"]
pub struct Searching {
    context: Context,
    search: Search,
}

impl Searching {
    pub(super) fn new(context: &Context, text: String) -> Self {
        let search = Search {
            text,
            under: None,
            kind: None,
            since: None,
            until: None,
            metadata: Vec::new(),
            limit: 10,
            by_text: true,
            by_meaning: true,
            fresh: None,
        };
        Self { context: context.clone(), search }
    }

    /// Only at or below a path.
    pub fn under(mut self, path: impl Into<String>) -> Self {
        self.search.under = Some(path.into());
        self
    }

    /// Only documents of this kind.
    pub fn kind(mut self, kind: ContentKind) -> Self {
        self.search.kind = Some(kind);
        self
    }

    /// Only what was changed at this time or later.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.search.since = Some(time);
        self
    }

    /// Only what was changed before this time.
    pub fn until(mut self, time: Timestamp) -> Self {
        self.search.until = Some(time);
        self
    }

    /// Only documents whose metadata have this member with this value. Several must all be there.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.search.metadata.push((key.into(), value.into()));
        self
    }

    /// At most so many hits: 10 by default, 1,000 at most.
    pub fn limit(mut self, hits: usize) -> Self {
        self.search.limit = hits;
        self
    }

    /// By words and paths alone.
    pub fn text_only(mut self) -> Self {
        (self.search.by_text, self.search.by_meaning) = (true, false);
        self
    }

    /// By meaning alone.
    pub fn meaning_only(mut self) -> Self {
        (self.search.by_text, self.search.by_meaning) = (false, true);
        self
    }

    /// Waits until all that is committed now can be found; `Timeout` after 30 seconds.
    pub fn fresh(self) -> Self {
        self.fresh_within(FRESH)
    }

    /// As [`Searching::fresh`], with a limit.
    pub fn fresh_within(mut self, limit: Duration) -> Self {
        self.search.fresh = Some(limit);
        self
    }

    /// The hits, with how far they can be relied on.
    ///
    /// # Errors
    /// As [`Context::search`].
    pub async fn found(self) -> Result<Found> {
        let Self { context, mut search } = self;
        if search.text.len() > MAX_SEARCH_BYTES {
            return Err(Error::invalid(format!(
                "what is searched for has {} bytes, at most {MAX_SEARCH_BYTES}",
                search.text.len()
            )));
        }
        search.under = search.under.as_deref().map(clean_path).transpose()?;
        search.limit = search.limit.min(MAX_HITS);
        context.look(&search).await
    }
}

impl IntoFuture for Searching {
    type Output = Result<Vec<Hit>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.found().await?.hits) })
    }
}
