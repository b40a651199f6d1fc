//! x
mod diff;
mod dirty;
mod finding;
mod hash;
mod ignore;
mod join;
mod missing;
mod name;
mod payload;
mod record;
mod scan;
mod sink;
mod walk;
pub use name::{escape, unescape};
pub use payload::{
    FileChanged, FileCreated, FileMoved, FileRemoved, FileScanned, FileUnreadable, FileWatch, WatchMode,
};
