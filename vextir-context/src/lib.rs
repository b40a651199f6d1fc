//! The Context Hub of Vextir: all durable state of an application in one SQLite file.
//!
//! A [`Hub`] is an [`EventBus`](vextir_core::EventBus): the log of events, the work that follows from them,
//! and one commit for both. It is a [`ContextStore`](vextir_core::ContextStore) too: documents and folders that
//! merge, remember and keep secrets, in the same commits ([`Hub::context`]).
//!
//! # How a commit goes
//!
//! ```text
//! commit(command) ─▶ queue ─▶ the writer thread ──────────────────────────▶ answer
//!   any task,         bounded   gathers what is there, one BEGIN .. COMMIT    after the sync:
//!   any runtime                 for all of it; `transact` decides, `rows`     it is durable
//!                               store; then the feed, the status
//! read, find, ..  ─▶ queue ─▶ two reader threads, each with a connection ─▶ answer
//! ```
//!
//! * One thread writes; each command of a batch is applied whole or refused whole, and a command that fails
//!   takes nobody with it.
//! * Readers never hold a transaction across an await: the write-ahead log stays short.
//! * One process opens a file. A second one is told who has it.
//!
//! # Documents
//!
//! ```text
//! change ─▶ lane ─▶ the document as it is ─▶ merge ─▶ the writer thread: names and rights are looked up again, the
//!           one for   on a reader thread      in the    version is compared, rows are stored; if somebody else
//!           each                              caller's  was quicker, the merge is done once more
//!           document                          task
//! ```
//!
//! * Every user has a root of the own; paths begin there. What `ann` shares with `bob` stands in bob's tree as
//!   `/Shared/ann/<name>`, with the name that it had when it was shared; a second one of that name is `<name> (2)`.
//!   Such a path never comes to mean something else: neither a move by its owner nor a revocation gives it away.
//! * Rights are granted on a document or folder and hold for all below it, up to a restricted folder, which inherits
//!   nothing. A tree's owner always has all rights on it. What one may not read is not there: the same answers.
//! * A document is at most 16 MiB. What is removed can be restored. The history of all documents is kept.
//!
//! # What is kept
//!
//! Events for 7 days and up to 1 GiB ([`HubBuilder::keep_for`], [`HubBuilder::keep_bytes`]); open work,
//! events that wait and dead letters for as long as they are needed. A cursor that asks for what is gone is
//! told so.
//!
//! # Beside the file
//!
//! `<path>-wal` and `<path>-shm` belong to SQLite while the hub is open; `<path>.lock` says who has it open,
//! and stays. Copy a hub's file while it is closed, or with SQLite's backup tools.

#[cfg_attr(not(test), expect(dead_code, reason = "the documents build on it"))]
mod crdt;
mod decode;
mod documents;
mod encode;
mod fault;
mod file;
mod hub;
mod key;
mod queries;
mod readers;
mod rows;
mod schema;
mod space;
mod writer;

pub use hub::{Hub, HubBuilder, Synchronous};
pub use space::HubSize;
