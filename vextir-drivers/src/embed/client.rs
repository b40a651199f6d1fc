//! The embedder: batches, attempts, and the rest after the last one.

use super::builder::HttpEmbedderBuilder;
use super::failure::{Again, Failure, Next, next};
use super::service::Service;
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use vextir::context::Embedder;
use vextir::{Error, ErrorKind, Result, RetryPolicy};

/// What is embedded to learn the dimensions.
const PROBE: &str = "text";

/// Has texts made into vectors by a service: `POST {base}/embeddings`, as OpenAI's. See the [module](crate::embed) for
/// what it promises. A clone is the same embedder.
///
/// A text that is empty or white space is not sent; its vector is 0 everywhere, which is near to nothing.
///
/// # Errors
/// What [`Embedder::embed`] answers: `Invalid` for texts that the service refuses, `Denied` for the key, `NotFound` for the
/// address or the model, `Unsupported` for what is no answer of such a service, `Timeout` and `Unavailable` for what may
/// pass by.
#[derive(Debug, Clone)]
pub struct HttpEmbedder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    service: Service,
    /// Where its connections live, whoever asks.
    runtime: Handle,
    dimensions: usize,
    settings: Settings,
    rest: Mutex<Option<Instant>>,
}

/// The choices that matter once it is built.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) batch: usize,
    pub(super) retries: u32,
    pub(super) retry: RetryPolicy,
    pub(super) floor: f32,
}

impl HttpEmbedder {
    /// Begins with the address in front of `/embeddings` (it often ends with `/v1`) and the name of a model.
    pub fn builder(base: impl Into<String>, model: impl Into<String>) -> HttpEmbedderBuilder {
        HttpEmbedderBuilder::new(base.into(), model.into())
    }

    pub(super) fn new(service: Service, runtime: Handle, dimensions: usize, settings: Settings) -> Self {
        Self(Arc::new(Inner { service, runtime, dimensions, settings, rest: Mutex::default() }))
    }

    /// How many numbers a vector has, by asking for one; `expected` if it was said.
    pub(super) async fn probe(&self, expected: Option<usize>) -> Result<usize> {
        let inner = self.0.clone();
        self.run(async move { inner.ask(&[PROBE], expected).await })
            .await
            .map(|vectors| vectors.first().map_or(0, Vec::len))
    }

    /// Runs on the runtime of the connections; stops when the caller does.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let mut task = Task(self.0.runtime.spawn(work));
        (&mut task.0).await.unwrap_or_else(|error| {
            let why = if error.is_panic() { "lacks I/O or timers (`enable_all`)" } else { "has ended" };
            let message = format!("{}: the runtime that it was made on {why}", self.0.service);
            Err(Error::new(ErrorKind::Unavailable, message))
        })
    }
}

#[async_trait]
impl Embedder for HttpEmbedder {
    fn name(&self) -> &str {
        &self.0.settings.name
    }

    fn dimensions(&self) -> usize {
        self.0.dimensions
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let (inner, texts) = (self.0.clone(), texts.to_vec());
        self.run(async move { inner.embed(&texts).await }).await
    }

    fn floor(&self) -> f32 {
        self.0.settings.floor
    }
}

impl Inner {
    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>> {
        let mut vectors = vec![vec![0.0; self.dimensions]; texts.len()];
        let sent: Vec<usize> = (0..texts.len()).filter(|at| !texts[*at].trim().is_empty()).collect();
        for places in sent.chunks(self.settings.batch) {
            let batch: Vec<&str> = places.iter().map(|at| texts[*at].as_str()).collect();
            let made = self.ask(&batch, Some(self.dimensions)).await?;
            places.iter().zip(made).for_each(|(at, vector)| vectors[*at] = vector);
        }
        Ok(vectors)
    }

    /// One request, as often as it takes.
    async fn ask(&self, texts: &[&str], dimensions: Option<usize>) -> Result<Vec<Vec<f32>>> {
        if let Some(left) = self.rest_left() {
            let message = format!("{}: it failed and rests, for {left:?} more", self.service);
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        let Settings { retries, retry, .. } = self.settings;
        let mut attempt = 1;
        loop {
            let Failure { error, mut again } = match self.service.post(texts, dimensions).await {
                Ok(vectors) => return Ok(vectors),
                Err(failure) => failure,
            };
            // Fewer may come in time, which is for who asks; as many will not.
            if again == Again::Soon && error.kind() == ErrorKind::Timeout && texts.len() > 1 {
                again = Again::Never;
            }
            match next(again, attempt, retries, retry, fastrand::f64()) {
                Next::Retry(pause) => {
                    tracing::debug!(%error, attempt, ?pause, "texts are sent once more");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                Next::GiveUp(rest) => {
                    self.begin_rest(rest);
                    return Err(if again == Again::Never { error } else { tried(error, attempt) });
                }
            }
        }
    }

    /// How long calls fail at once from now on.
    fn rest_left(&self) -> Option<Duration> {
        let rest = *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.and_then(|end| end.checked_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn begin_rest(&self, span: Duration) {
        let Some(end) = Instant::now().checked_add(span) else { return };
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        *rest = Some(rest.map_or(end, |other| other.max(end)));
    }
}

fn tried(error: Error, attempts: u32) -> Error {
    let message = format!("{}; attempts: {attempts}", error.message());
    Error::new(error.kind(), message)
}

/// Work that ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
