//! The `files` driver: watches folders.
//!
//! [`Files`] compares the folders that it watches with what it remembers of them, and emits an event for each
//! difference: [`FileCreated`], [`FileChanged`], [`FileMoved`], [`FileRemoved`]. The memory is written in the
//! same commit as the events, so that after a crash or a restart it goes on exactly where it was: what changed
//! meanwhile is found, and nothing is said twice.
//!
//! ```no_run
//! # extern crate vextir_core as vextir;
//! use vextir::prelude::*;
//! use vextir_drivers::files::{FileCreated, Files};
//!
//! struct Inbox;
//!
//! #[driver("inbox")]
//! impl Inbox {
//!     #[on]
//!     async fn arrived(&self, file: FileCreated) {
//!         println!("{}: {} bytes of {}", file.path, file.size, file.media_type);
//!     }
//! }
//!
//! # async fn run() -> vextir::Result<()> {
//! let app = vextir::Processor::builder(vextir::MemoryBus::new())
//!     .driver(Files::watch("inbox").ignore("*.part"))
//!     .driver(Inbox)
//!     .start()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **A scan is the source of truth.** The system's notifications only say where to scan. Whatever they miss,
//!   the next whole scan finds ([`Files::rescan_every`]). When the system has no more watches to give, the
//!   folder is scanned at an interval ([`Files::poll_every`]) and [`FileWatch`] says so.
//! * **Content decides.** A file whose times changed and whose content did not has not changed; one that was
//!   written so fast that its times are the same has. Without hashes ([`Files::hash`]), and for files larger
//!   than [`Files::max_hashed_bytes`], size, time and inode decide.
//! * **A file that is missing here and new there has moved**, when it is the same by inode, or by content.
//!   Two files that swap their names are two changes. A rename that runs while the scan does may be reported
//!   as removed and created; so are the files beyond the first 65,536 that move at once.
//! * **What cannot be read is said once**, as [`FileUnreadable`], also across restarts, and what was reported
//!   about it stands. When it can be read again, it is compared like anything else.
//! * **Names are kept without loss**: [`escape`] and [`unescape`]; `location()` of a payload gives the path
//!   as the system knows it.
//! * **Links, pipes, sockets and devices are passed over**, hidden names too, unless wanted. Links that are
//!   followed ([`Files::follow_symlinks`]) bring in what is outside, each folder once, and never loop.
//! * **A root that is removed** has lost all its files, which is said, and it is watched again when it comes
//!   back. A root that was never there is an error at the start.
//! * **Memory is bounded**, whatever the number of files: 4,096 changes, 65,536 missing files, 1,024 paths to
//!   scan, and the listings of the folders that are open (of at most a million names; a folder with more is
//!   reported as unreadable, as are folders more than 200 levels deep).
//!
//! [`FileReader`] reads files when it is asked to, within the folders that are granted.
//!
//! Events about one path share an ordering key: each driver gets them one after the other.

mod diff;
mod dirty;
mod driver;
mod finding;
mod hash;
mod ignore;
mod join;
mod missing;
mod name;
mod payload;
mod read;
mod record;
mod scan;
mod sink;
mod timer;
mod wake;
mod walk;
mod watch;

pub use driver::Files;
pub use name::{escape, unescape};
pub use payload::{
    FileChanged, FileCreated, FileMoved, FileRemoved, FileScanned, FileUnreadable, FileWatch, WatchMode,
};
pub use read::{FileContent, FileItem, FileItems, FileList, FileRead, FileReader};
