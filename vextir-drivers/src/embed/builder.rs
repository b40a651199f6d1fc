//! The choices, and whether they fit together.

use super::client::{HttpEmbedder, Settings};
use super::service::{Key, Service};
use std::time::Duration;
use tokio::runtime::Handle;
use vextir::{Error, ErrorKind, Result, RetryPolicy};

/// How many numbers a vector may have.
pub(super) const DIMENSIONS: std::ops::RangeInclusive<usize> = 8..=4_096;

/// The most texts in a request.
const MAX_BATCH: usize = 256;

/// The choices for an [`HttpEmbedder`]; made by [`HttpEmbedder::builder`].
///
/// ```
/// # extern crate vextir_core as vextir;
/// use std::time::Duration;
/// use vextir::context::Embedder;
/// use vextir_drivers::embed::HttpEmbedder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> vextir::Result<()> {
/// # let key = "a key";
/// let embedder = HttpEmbedder::builder("https://api.openai.com/v1", "text-embedding-3-small")
///     .key(key)
///     .shorten_to(512)
///     .timeout(Duration::from_secs(5))
///     .build()?;
/// assert_eq!(embedder.dimensions(), 512);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing before it is built"]
pub struct HttpEmbedderBuilder {
    base: String,
    model: String,
    key: Option<Key>,
    dimensions: Option<usize>,
    is_shortened: bool,
    timeout: Duration,
    settings: Settings,
}

impl HttpEmbedderBuilder {
    pub(super) fn new(base: String, model: String) -> Self {
        let settings = Settings {
            name: model.clone(),
            batch: 16,
            retries: 2,
            retry: RetryPolicy { base: Duration::from_millis(250), cap: Duration::from_secs(5) },
            floor: 0.0,
        };
        Self {
            base,
            model,
            key: None,
            dimensions: None,
            is_shortened: false,
            timeout: Duration::from_secs(10),
            settings,
        }
    }

    /// The key, sent as `Authorization: Bearer`. White space around it is cut off.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(Key::new(key.into()));
        self
    }

    /// What stored vectors are called; the model's name by default. Under another name all documents are embedded anew.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.settings.name = name.into();
        self
    }

    /// How many numbers the model's vectors have, from 8 to 4,096. [`connect`](Self::connect) asks the service when this is
    /// not said.
    pub fn dimensions(mut self, dimensions: usize) -> Self {
        (self.dimensions, self.is_shortened) = (Some(dimensions), false);
        self
    }

    /// Asks for shorter vectors than the model's own, with so many numbers; few models can do this.
    pub fn shorten_to(mut self, dimensions: usize) -> Self {
        (self.dimensions, self.is_shortened) = (Some(dimensions), true);
        self
    }

    /// How long one request may take, up to the last byte of its answer; 10 seconds by default, half of it for the connection.
    /// A search waits for all attempts: at most so long for each, and the pauses between them.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// How many texts are sent together; 16 by default, 256 at most.
    pub fn batch(mut self, texts: usize) -> Self {
        self.settings.batch = texts;
        self
    }

    /// How often a request is tried again; twice by default. One of several texts that was not answered in time is not.
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// How attempts are spaced: 250 milliseconds, doubling up to 5 seconds by default. The cap is also how long all requests
    /// rest after the last attempt, where the service takes none (no connection, or the status 429 or 503). One that asks for
    /// more (`retry-after`) is not tried again, and gets its rest, up to an hour.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// Below this cosine two texts have nothing in common; from -1 to 1, 0 by default. It depends on the model: some put
    /// whatever there is above 0.6.
    pub fn floor(mut self, cosine: f32) -> Self {
        self.settings.floor = cosine;
        self
    }

    /// The embedder, without a look at the service. Its dimensions must have been said.
    ///
    /// # Errors
    /// `Invalid`: one of the choices, or there is no tokio runtime here (its connections need one with I/O and timers, and
    /// live on it). `Unavailable`: no certificates to check the service with.
    pub fn build(self) -> Result<HttpEmbedder> {
        let Some(dimensions) = self.dimensions else {
            return Err(Error::invalid(
                "the dimensions of the vectors are not known: say `.dimensions(..)`, or ask for them with `.connect().await`",
            ));
        };
        let service = self.check()?;
        self.put_together(service, dimensions)
    }

    /// The embedder, after a request that shows whether the service answers; it tells the dimensions if they were not said.
    ///
    /// # Errors
    /// As [`build`](Self::build), and as [`Embedder::embed`](vextir::context::Embedder::embed) of an [`HttpEmbedder`].
    pub async fn connect(self) -> Result<HttpEmbedder> {
        let service = self.check()?;
        let first = self.put_together(service.clone(), *DIMENSIONS.end())?;
        let found = first.probe(self.dimensions).await?;
        if !DIMENSIONS.contains(&found) {
            let message = format!("{service}: vectors of {found} numbers; {}", allowed());
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        self.put_together(service, found)
    }

    fn check(&self) -> Result<Service> {
        if let Some(dimensions) = self.dimensions.filter(|dimensions| !DIMENSIONS.contains(dimensions)) {
            return Err(Error::invalid(format!("{dimensions} dimensions; {}", allowed())));
        }
        let Settings { name, batch, floor, .. } = &self.settings;
        if !(1..=MAX_BATCH).contains(batch) {
            return Err(Error::invalid(format!(
                "{batch} texts in a request; 1 to {MAX_BATCH} can be sent together"
            )));
        }
        if self.timeout.is_zero() {
            return Err(Error::invalid("a timeout of 0: no request could be answered"));
        }
        if !(-1.0..=1.0).contains(floor) {
            return Err(Error::invalid(format!("{floor} is no cosine: the floor is from -1 to 1")));
        }
        if self.model.trim().is_empty() || name.trim().is_empty() {
            return Err(Error::invalid("the name of the model is empty"));
        }
        let shortened = self.dimensions.filter(|_| self.is_shortened);
        Service::new(&self.base, &self.model, self.key.as_ref(), shortened, self.timeout)
    }

    fn put_together(&self, service: Service, dimensions: usize) -> Result<HttpEmbedder> {
        let runtime = Handle::try_current().map_err(|_| {
            Error::invalid(
                "there is no tokio runtime here: build the embedder where its connections are to live",
            )
        })?;
        Ok(HttpEmbedder::new(service, runtime, dimensions, self.settings.clone()))
    }
}

fn allowed() -> String {
    format!("a vector has from {} to {} numbers", DIMENSIONS.start(), DIMENSIONS.end())
}
