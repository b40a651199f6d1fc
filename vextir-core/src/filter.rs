//! Which events an observer wants.

use crate::{Category, Error, Event, EventId, Name, Pattern, Result};

/// A filter over events: patterns, and further conditions that must all hold.
///
/// Made from one pattern or a list of them:
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::{Category, EventFilter};
///
/// let filter = EventFilter::try_from(["task.*", "plan.**"])?.category(Category::Output).user("user_123");
/// # let _ = filter;
/// # Ok::<(), vextir::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EventFilter {
    patterns: Vec<Pattern>,
    category: Option<Category>,
    user: Option<Name>,
    source: Option<Name>,
    root: Option<EventId>,
    labels: Vec<Name>,
}

impl EventFilter {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Only this category.
    #[must_use]
    pub fn category(mut self, category: Category) -> Self {
        self.category = Some(category);
        self
    }

    /// Only this user's events.
    #[must_use]
    pub fn user(mut self, user: impl Into<Name>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Only events of this emitter.
    #[must_use]
    pub fn source(mut self, source: impl Into<Name>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Only the causal tree of this root, the root included.
    #[must_use]
    pub fn root(mut self, root: EventId) -> Self {
        self.root = Some(root);
        self
    }

    /// Only events that carry this label (and those named before).
    #[must_use]
    pub fn label(mut self, label: impl Into<Name>) -> Self {
        self.labels.push(label.into());
        self
    }

    /// Whether an event passes.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        (self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(&event.event_type)))
            && self.category.is_none_or(|category| category == event.category)
            && self.user.as_ref().is_none_or(|user| *user == event.user_id)
            && self.source.as_ref().is_none_or(|source| *source == event.source)
            && self.root.as_ref().is_none_or(|root| root == event.root())
            && self.labels.iter().all(|label| event.labels.contains(label))
    }

    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The user that the filter is bound to.
    pub(crate) fn bound_user(&self) -> Option<&Name> {
        self.user.as_ref()
    }
}

impl From<Pattern> for EventFilter {
    fn from(pattern: Pattern) -> Self {
        Self { patterns: vec![pattern], ..Self::default() }
    }
}

impl TryFrom<&str> for EventFilter {
    type Error = Error;
    fn try_from(pattern: &str) -> Result<Self> {
        Ok(Pattern::new(pattern)?.into())
    }
}

impl TryFrom<String> for EventFilter {
    type Error = Error;
    fn try_from(pattern: String) -> Result<Self> {
        Ok(Pattern::new(pattern)?.into())
    }
}

impl<'a> TryFrom<&'a [&'a str]> for EventFilter {
    type Error = Error;
    fn try_from(patterns: &'a [&'a str]) -> Result<Self> {
        let patterns = patterns.iter().map(|pattern| Pattern::new(*pattern)).collect::<Result<_>>()?;
        Ok(Self { patterns, ..Self::default() })
    }
}

impl<const N: usize> TryFrom<[&str; N]> for EventFilter {
    type Error = Error;
    fn try_from(patterns: [&str; N]) -> Result<Self> {
        Self::try_from(&patterns[..])
    }
}
