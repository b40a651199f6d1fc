//! The search of one hub: the threads that keep the index, those that look into it, and what they share.

use super::link::{Link, Signals};
use super::options::SearchOptions;
use super::signatures::Signatures;
use super::{embed, index, threads};
use crate::readers::spawn;
use crate::writer::{Reading, closed};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc;
use vextir_core::Result;

/// The search of one hub.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) options: SearchOptions,
    pub(super) signals: Arc<Signals>,
    pub(super) signatures: Signatures,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_over: bool,
    /// Where searches go; started by the first one.
    readers: Option<mpsc::Sender<Reading>>,
    searching: Vec<JoinHandle<()>>,
    indexing: Vec<JoinHandle<()>>,
}

impl Engine {
    pub(crate) fn new(options: SearchOptions) -> Self {
        let dimensions = options.embedder.as_ref().map_or(0, |embedder| embedder.dimensions());
        let signatures = Signatures::new(dimensions, options.memory);
        Self { options, signals: Arc::new(Signals::new()), signatures, state: Mutex::default() }
    }

    /// What a thread of the index needs to reach the hub.
    pub(crate) fn signals(&self) -> Arc<Signals> {
        self.signals.clone()
    }

    /// Starts to keep the index.
    pub(crate) fn start(&self, mut link: Link) -> Result<()> {
        if !self.options.is_on {
            return Ok(());
        }
        let mut threads = Vec::new();
        let embedder = self.options.embedder.clone();
        let is_embedded = embedder.is_some();
        if let Some(embedder) = embedder {
            let runtime = tokio::runtime::Handle::try_current().ok();
            let (link, signatures) = (link.clone(), self.signatures.clone());
            let desk = embed::Desk { link, embedder, signatures, brought: Some(0), runtime };
            threads.push(spawn("vextir-hub-embed", move || desk.run())?);
        }
        let signatures = self.signatures.clone();
        threads.push(spawn("vextir-hub-index", move || {
            if !is_embedded {
                embed::dismiss(&mut link);
            }
            index::run(link, &signatures, is_embedded);
        })?);
        self.lock().indexing = threads;
        Ok(())
    }

    /// Where searches go; starts the threads if there are none yet. `None` in memory.
    pub(super) fn readers(&self, path: Option<&Path>) -> Result<Option<mpsc::Sender<Reading>>> {
        let Some(path) = path else { return Ok(None) };
        let mut state = self.lock();
        if state.is_over {
            return Err(closed());
        }
        if state.readers.is_none() {
            let (sender, threads) = threads::start(path, self.options.deadline)?;
            (state.readers, state.searching) = (Some(sender), threads);
        }
        Ok(state.readers.clone())
    }

    /// Ends the threads, and waits for them: the file may be closed then.
    pub(crate) fn end(&self) {
        self.signals.closing.send_replace(true);
        let (readers, searching, indexing) = {
            let mut state = self.lock();
            state.is_over = true;
            let searching = std::mem::take(&mut state.searching);
            (state.readers.take(), searching, std::mem::take(&mut state.indexing))
        };
        drop(readers);
        for thread in searching.into_iter().chain(indexing) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
