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
//! # SQL
//!
//! [`Context::query`](vextir_core::Context::query) answers read-only SQL (SQLite's) over what the user may read:
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use serde_json::json;
//! use vextir_context::Hub;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> vextir::Result<()> {
//! let notes = Hub::in_memory()?.context("user_123");
//! notes.write("/Projects/Alpha/status", json!({"phase": "development"}))
//!     .metadata(json!({"priority": "high"})).await?;
//! let rows = notes.query(
//!     "SELECT path, content FROM documents
//!      WHERE path LIKE '/Projects/%' AND json_extract(metadata, '$.priority') = 'high'").await?;
//! assert_eq!(rows[0]["path"], "/Projects/Alpha/status");
//! let rows = notes.query("SELECT content ->> 'phase' AS phase FROM documents WHERE path = ?1")
//!     .params(["/Projects/Alpha/status"]).await?;
//! assert_eq!(rows, [json!({"phase": "development"})]);
//! # Ok(())
//! # }
//! ```
//!
//! | table | a row for each | columns |
//! |---|---|---|
//! | `documents` | document | `id`, `path`, `content` (the text, or canonical JSON), `metadata` (JSON), `vector_embedding` (a blob of 32-bit floats; null until it is made), `permissions` (the user's level: `read`, `comment`, `write`, `admin`), `created_at`, `updated_at`, `version`, `kind` (`text`, `json`) |
//! | `folders` | folder | `id`, `parent_id` (null where the folder above may not be read), `name` (empty for the root), `path`, `index_guide`, `permissions` |
//! | `history` | change of what is there | `id` (of the document or folder), `number` (from 1, the oldest), `path` (of today), `what`, `version`, `at`, `user`, `agent`, `driver`, `cause` |
//! | `events` | event of the user in the log | `id`, `type`, `category`, `timestamp`, `user_id`, `source`, `data` (JSON), `correlation_id`, `root_id`, `depth`, `ordering_key`, `labels`, `metadata` |
//!
//! Paths are those of the user, what others share among them; what is shared twice is there once. Times are RFC 3339
//! texts. Rows come as objects: a blob is hexadecimal text, an infinite number null. An agent sees what both it and
//! its user may read, and no events. `LIKE` is case-insensitive for ASCII, as always in SQLite.
//!
//! * Conditions on `id` (`=`) and `path` (`=`, `LIKE 'x/%'`, two-sided ranges) are looked up; anything else goes over
//!   all that the user may read, `events` over the whole log of everybody, of which the user's own are taken.
//! * A query is one `SELECT`, at most 64 KiB long, with at most 100 parameters and 64 columns. It runs for at most 2
//!   seconds, and answers at most 10,000 rows and 8 MiB ([`HubBuilder::query_limits`]); more is refused. No value in it
//!   is longer than 2 MiB, and neither is content that it reads: longer documents are read with `read`.
//! * Functions are those of SQLite that do no harm: for text, numbers, JSON (to read, not to change), time,
//!   aggregates and windows.
//! * Two queries run at once; others wait. One that is dropped stops.
//!
//! Not promised: the order of rows without `ORDER BY`; that the deadline is met to the millisecond, since SQLite looks
//! at it between steps; that how long a query over `events` takes tells nothing of how much others do. What is sorted
//! may go to a temporary file, unencrypted, which is removed with the query. A hub in memory is copied for each query.
//!
//! # Search
//!
//! [`Context::search`](vextir_core::Context::search) finds documents by words, by pieces of paths and titles, and by
//! meaning, and fuses the three by rank:
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use vextir_context::Hub;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> vextir::Result<()> {
//! let notes = Hub::in_memory()?.context("user_123");
//! notes.write("/Mail/printer", "# Invoice\nThe printer was repaired in June.").await?;
//! let hits = notes.search("invoices june").under("/Mail").fresh().await?;
//! assert_eq!(hits[0].path, "/Mail/printer");
//! assert_eq!(hits[0].title, "Invoice");
//! # Ok(())
//! # }
//! ```
//!
//! * *Words*: documents with all words, in any order, without regard to case and accents; if these are fewer than the limit, also those
//!   with some. The last word stands for longer ones too if it has three letters and no space follows. Of JSON, keys and
//!   values are searched; metadata and titles count more than text. What is typed is data, never syntax.
//! * *Paths*: each word stands somewhere in the path or the title, also inside of other words.
//! * *Meaning*: the vectors of pieces of about 1,200 bytes, made by an
//!   [`Embedder`](vextir_core::context::Embedder); of a long document the first 256 pieces. By default that is
//!   [`HashingEmbedder`], which knows likeness of words and nothing of what they mean.
//! * A title comes from the metadata (`title`, `subject` or `name`), the same members of JSON, or the first heading.
//! * The index follows the commits by a moment, in the background; no write waits for it. `fresh` does, and an answer
//!   says how many changes of the user's own are missing ([`Found`](vextir_core::context::Found)). After a crash it goes on where it
//!   was. [`Hub::reindex`] makes it anew, [`Hub::search_state`] tells how it is, [`HubBuilder::search`] has the choices.
//! * Rights and places are asked at the moment of the search. In a handler a search sees what is committed.
//!
//! Not promised: the same order tomorrow, since words count for more the rarer they are, among the documents of all
//! users; that is also why no scores are told. Nor that how long a search takes tells nothing of others.
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
mod cursors;
mod decode;
mod documents;
mod encode;
mod fault;
mod file;
mod hub;
mod keeper;
mod key;
mod queries;
mod readers;
mod rows;
mod schema;
mod search;
mod space;
mod sql;
mod writer;

pub use hub::{Hub, HubBuilder, Synchronous};
pub use keeper::{Exported, HubPart, HubStats, ImportRights, Imported, Progress, Tidied};
pub use search::{HashingEmbedder, SearchOptions, SearchState};
pub use space::HubSize;
pub use sql::QueryLimits;
