//! Recorded runs: what models and tools answered is kept, and an agent runs again on it, offline.

mod difference;
mod entry;

use super::{Model, ModelError, ModelErrorClass, ModelReply, ModelRequest, Tokens};
use difference::nearest;
use entry::{Answered, Entry, Told, canonical};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use vextir::{Ctx, Driver, Error, ErrorKind, Event, Failure, HandlerResult, Manifest, Result, async_trait};

/// The longest line of a tape, in bytes.
const LONGEST: usize = 16 << 20;

/// What models and tools answered, by what they were asked.
///
/// One that [records](Tape::record) hands every question on, and keeps the answer. One that [replays](Tape::replay) answers from what
/// was kept: the same questions get the same answers in the same order, and a question that was not asked then fails with what
/// differs. The clock, the ids of events and everything else that a question does not hold may differ.
///
/// A tape is a file of JSON lines. It holds what was asked and answered, and no key: those are in neither.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir_drivers::agent::{Message, Model, ModelError, ModelReply, ModelRequest, Tape, Tokens};
///
/// /// Stands for a real model.
/// #[derive(Debug)]
/// struct Polite;
///
/// #[vextir::async_trait]
/// impl Model for Polite {
///     async fn complete(&self, _: &ModelRequest, _: &Tokens<'_>) -> Result<ModelReply, ModelError> {
///         Ok(ModelReply::text("Good morning."))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("run.tape");
/// let hello = ModelRequest::new([Message::user("Hello!")]);
/// Tape::record(&path)?.model("polite", Polite).complete(&hello, &|_| {}).await?;
///
/// let offline = Tape::replay(&path)?.recorded_model("polite");
/// assert_eq!(offline.complete(&hello, &|_| {}).await?.text, "Good morning.");
///
/// let other = ModelRequest::new([Message::user("Goodbye!")]);
/// let error = offline.complete(&other, &|_| {}).await.unwrap_err().to_string();
/// assert!(error.contains("messages/0/text: \"Hello!\" on the tape, \"Goodbye!\" now"), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Tape(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Records(Mutex<File>),
    Replays(Kept),
}

/// What a tape holds, to be replayed.
#[derive(Debug, Default)]
struct Kept {
    asked: Vec<(Told, Value)>,
    /// For each question the answers, and how many were given.
    answers: Mutex<HashMap<String, (usize, Vec<Answered>)>>,
    manifests: Vec<Manifest>,
}

impl Tape {
    /// Begins a tape; one that was there before is replaced. It waits for the disk.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn record(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let file = File::create(&path).map_err(|error| of_file(&path, &error))?;
        Ok(Self(Arc::new(Inner { path, mode: Mode::Records(Mutex::new(file)) })))
    }

    /// Reads a tape. It waits for the disk.
    ///
    /// # Errors
    /// The file cannot be read, or is no tape; with its line.
    pub fn replay(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let file = File::open(&path).map_err(|error| of_file(&path, &error))?;
        let mut kept = Kept::default();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| of_file(&path, &error))?;
            let wrong = |why: &str| Error::invalid(format!("{}:{}: {why}", path.display(), number + 1));
            if line.len() > LONGEST {
                return Err(wrong("the line is too long for a tape"));
            }
            let entry =
                serde_json::from_str(&line).map_err(|error| wrong(&format!("not of a tape: {error}")))?;
            kept.take(entry);
        }
        Ok(Self(Arc::new(Inner { path, mode: Mode::Replays(kept) })))
    }

    /// Whether it answers from what was kept.
    #[must_use]
    pub fn replays(&self) -> bool {
        matches!(self.0.mode, Mode::Replays(_))
    }

    /// A model on the tape: asked and kept, or answered from it without being asked.
    pub fn model(&self, name: impl Into<String>, model: impl Model) -> TapedModel {
        self.taped(name, Arc::new(model))
    }

    pub(super) fn taped(&self, name: impl Into<String>, model: Arc<dyn Model>) -> TapedModel {
        TapedModel { tape: self.clone(), name: name.into(), model: Some(model) }
    }

    /// A model that was recorded under this name. It cannot record.
    pub fn recorded_model(&self, name: impl Into<String>) -> TapedModel {
        TapedModel { tape: self.clone(), name: name.into(), model: None }
    }

    /// A driver on the tape: it handles events and what it emits is kept, or that is taken from the tape and it is neither asked nor
    /// started. Changes of documents that it makes are not kept: leave drivers that work on documents off the tape, they can run.
    ///
    /// # Errors
    /// The tape cannot be written.
    pub fn driver(&self, driver: impl Driver) -> Result<TapedDriver> {
        let manifest = driver.manifest();
        if !self.replays() {
            self.write(&Entry::Driver { manifest: Box::new(manifest.clone()) })?;
        }
        Ok(TapedDriver { tape: self.clone(), manifest, driver: Some(Arc::new(driver)) })
    }

    /// A driver that was recorded, by its id: for one that cannot even be made offline.
    ///
    /// # Errors
    /// `NotFound`: it is not on the tape, or the tape records.
    pub fn recorded_driver(&self, id: &str) -> Result<TapedDriver> {
        let Mode::Replays(kept) = &self.0.mode else {
            return Err(Error::new(ErrorKind::NotFound, "a tape that records has no recorded drivers"));
        };
        let manifest =
            kept.manifests.iter().find(|manifest| manifest.id == *id).cloned().ok_or_else(|| {
                let known: Vec<&str> = kept.manifests.iter().map(|manifest| manifest.id.as_str()).collect();
                let message = format!("{}: there is no driver {id:?}, but {known:?}", self.0.path.display());
                Error::new(ErrorKind::NotFound, message)
            })?;
        Ok(TapedDriver { tape: self.clone(), manifest, driver: None })
    }

    fn write(&self, entry: &Entry) -> Result<()> {
        let Mode::Records(file) = &self.0.mode else { return Ok(()) };
        let mut line = json!(entry).to_string();
        line.push('\n');
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|error| of_file(&self.0.path, &error))
    }

    /// The next answer to a question.
    ///
    /// # Errors
    /// It is not on the tape: what differs from the nearest question that is.
    fn find(&self, told: &Told, question: &Value) -> std::result::Result<Answered, String> {
        let Mode::Replays(kept) = &self.0.mode else { return Err("the tape records".to_owned()) };
        let key = told.key(question);
        if let Some((given, answers)) = kept.answers().get_mut(&key) {
            // What is asked more often than then gets the last answer again: an attempt may have been repeated.
            let at = (*given).min(answers.len().saturating_sub(1));
            *given += 1;
            if let Some(answer) = answers.get(at) {
                return Ok(answer.clone());
            }
        }
        let same = kept.asked.iter().filter(|(of, _)| of == told).map(|(_, question)| question);
        let differs = nearest(same, question).unwrap_or_else(|| "nothing like it is".to_owned());
        Err(format!(
            "{}: {told} was not asked that on the tape: {differs}; record it again",
            self.0.path.display()
        ))
    }
}

impl Kept {
    fn answers(&self) -> MutexGuard<'_, HashMap<String, (usize, Vec<Answered>)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Driver { manifest } => self.manifests.push(*manifest),
            Entry::Answer { told, question, answer } => {
                let question = canonical(question);
                self.answers().entry(told.key(&question)).or_default().1.push(answer);
                self.asked.push((told, question));
            }
        }
    }
}

fn of_file(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the tape {}: {error}", path.display()))
}

/// A [`Model`] on a [`Tape`].
#[derive(Debug, Clone)]
pub struct TapedModel {
    tape: Tape,
    name: String,
    model: Option<Arc<dyn Model>>,
}

#[async_trait]
impl Model for TapedModel {
    async fn complete(
        &self,
        request: &ModelRequest,
        tokens: &Tokens<'_>,
    ) -> std::result::Result<ModelReply, ModelError> {
        let told = Told::Model(self.name.clone());
        let question = canonical(json!(request));
        if self.tape.replays() {
            let off_tape = |why| ModelError::new(ModelErrorClass::BadRequest, why);
            return match self.tape.find(&told, &question).map_err(off_tape)? {
                Answered::Reply(reply) => {
                    if !reply.text.is_empty() {
                        tokens(&reply.text);
                    }
                    Ok(reply)
                }
                other => other.into_model_error(),
            };
        }
        let Some(model) = &self.model else {
            let message = format!("{:?} was to be replayed, and the tape records", self.name);
            return Err(ModelError::new(ModelErrorClass::BadRequest, message));
        };
        let answered = model.complete(request, tokens).await;
        let answer = Answered::of_model(&answered);
        let entry = Entry::Answer { told, question, answer };
        self.tape
            .write(&entry)
            .map_err(|error| ModelError::new(ModelErrorClass::Network, error.to_string()))?;
        answered
    }
}

/// A [`Driver`] on a [`Tape`].
#[derive(Clone)]
pub struct TapedDriver {
    tape: Tape,
    manifest: Manifest,
    driver: Option<Arc<dyn Driver>>,
}

impl std::fmt::Debug for TapedDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapedDriver")
            .field("tape", &self.tape)
            .field("id", &self.manifest.id)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Driver for TapedDriver {
    fn manifest(&self) -> Manifest {
        self.manifest.clone()
    }

    async fn handle_event(&self, event: Event, cx: &Ctx) -> HandlerResult {
        let told = Told::Driver(self.manifest.id.clone());
        let question = canonical(json!({"type": event.event_type, "data": event.data}));
        if self.tape.replays() {
            return self.tape.find(&told, &question).map_err(Failure::permanent)?.into_outputs();
        }
        let Some(driver) = &self.driver else {
            return Err(Failure::permanent("it was to be replayed, and the tape records").into());
        };
        let answered = driver.handle_event(event, cx).await.map_err(Failure::from_error);
        let answer = Answered::of_driver(&answered, cx);
        self.tape.write(&Entry::Answer { told, question, answer })?;
        Ok(answered?)
    }

    fn check(&self, event: &Event) -> Result<()> {
        self.driver.as_ref().map_or(Ok(()), |driver| driver.check(event))
    }

    async fn start(&self, emitter: vextir::Emitter) -> Result<()> {
        match &self.driver {
            Some(driver) if !self.tape.replays() => driver.start(emitter).await,
            _ => Ok(()),
        }
    }

    async fn stop(&self) {
        if let Some(driver) = self.driver.as_ref().filter(|_| !self.tape.replays()) {
            driver.stop().await;
        }
    }
}
