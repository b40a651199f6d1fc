//! A folder, a processor that watches it, and what it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use vextir::{Event, EventStream, MemoryBus, Processor, Result, Start};
use vextir_drivers::files::Files;

/// How long an event may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    _dir: TempDir,
    root: PathBuf,
    bus: MemoryBus,
    app: Option<(Processor, EventStream)>,
}

impl World {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // A parent of its own, so that the root can be removed and made again.
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let world = Self { _dir: dir, root, bus: MemoryBus::new(), app: None };
        files.iter().for_each(|(path, content)| world.write(path, content));
        world
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), content).unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(crate) async fn try_start(&self, driver: Files) -> Result<Processor> {
        Processor::builder(self.bus.clone()).driver(driver).start().await
    }

    pub(crate) async fn start(&mut self, driver: impl FnOnce(PathBuf) -> Files) {
        let head = self.bus.clone();
        let log = vextir::EventBus::status(&head);
        let cursor = vextir::Cursor::new(vextir::EventBus::incarnation(&head), log.borrow().head);
        let app = self.try_start(driver(self.root.clone())).await.unwrap();
        let stream = app.subscribe_from("file.*", Start::At(cursor)).await.unwrap();
        self.app = Some((app, stream));
    }

    pub(crate) async fn stop(&mut self) {
        let (app, _) = self.app.take().unwrap();
        app.shutdown().await.unwrap();
    }

    pub(crate) fn crash(&mut self) {
        self.app = None;
        vextir::EventBus::abandon(&self.bus);
    }

    pub(crate) async fn next_event(&mut self) -> Event {
        let (_, stream) = self.app.as_mut().unwrap();
        tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event").unwrap().unwrap()
    }

    /// The next event: its type, and its path or its mode.
    pub(crate) async fn next(&mut self) -> String {
        let event = self.next_event().await;
        let data = event.data.value();
        let text = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let from = if data["from"].is_string() { format!("{} -> ", text("from")) } else { String::new() };
        format!("{} {from}{}{}", event.event_type, text("path"), text("mode")).trim_end().to_owned()
    }

    /// The next events are these, in any order.
    pub(crate) async fn expect(&mut self, lines: &[&str]) {
        let mut seen = Vec::new();
        for _ in lines {
            seen.push(self.next().await);
        }
        seen.sort();
        let mut lines = lines.to_vec();
        lines.sort_unstable();
        assert_eq!(seen, lines);
    }

    /// Nothing more is said for a while.
    pub(crate) async fn quiet(&mut self) {
        let (_, stream) = self.app.as_mut().unwrap();
        let more = tokio::time::timeout(Duration::from_millis(600), stream.next()).await;
        assert!(more.is_err(), "{more:?}");
    }
}
