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
//! * Something new lies at most 32 folders deep, and its path has at most 1,024 bytes, in the tree of its owner.
//! * Who comes into a large group, or is in one that is given something, may find it a moment later.
//! * A document is at most 16 MiB. What is removed can be restored, for 90 days by default; the history of documents
//!   is kept for ever by default.
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
//! | `entities` | entity of the user's graph | `id`, `kind`, `key` (the path, for a document), `name`, `properties` (JSON, those that hold) |
//! | `links` | statement of a link of the user's graph, also one that does not hold any more | `id` (of the link), `subject_kind`, `subject`, `relation`, `object_kind`, `object`, `value` (JSON, where there is no object), `valid_from`, `valid_until`, `known_from`, `known_until`, `source`, `episode` |
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
//! # The graph
//!
//! [`Context::graph`](vextir_core::Context::graph) is a user's memory of what was seen: episodes (a mail, a file, a reading, a
//! visit, an answer), and the links between entities that they say.
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use vextir::context::graph::{EntityKey, Episode, Fact};
//! use vextir_context::Hub;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> vextir::Result<()> {
//! let hub = Hub::in_memory()?;
//! let graph = hub.context("user_123").graph();
//! graph.declare_single("works_for", true).await?;
//! let bob = EntityKey::new("person", "bob@example.org");
//! for (day, company) in [("2024-03-01", "acme"), ("2025-02-01", "initech")] {
//!     let mail = Episode::new("mail", "imap:inbox").at(format!("{day}T09:00:00Z").parse()?)
//!         .fact(Fact::new(&bob, "works_for", ("company", company)));
//!     graph.ingest(mail).await?;
//! }
//! let now = graph.neighbours(&bob).depth(1).await?;
//! assert_eq!(now.entities, [(("company", "initech").into(), 1)]);
//! let then = graph.valid_at("2024-12-24T00:00:00Z".parse()?).neighbours(&bob).await?;
//! assert_eq!(then.entities, [(("company", "acme").into(), 1)]);
//!
//! hub.context("user_123").write("/Notes/alpha", "Ask bob@example.org about [[plan]].").await?;
//! let note = graph.neighbours(EntityKey::document("/Notes/alpha")).await?;
//! assert_eq!(note.links.len(), 2);
//! let forgotten = graph.forget("imap:inbox").await?.unwrap();
//! assert_eq!((forgotten.episodes.len(), forgotten.links.len()), (2, 2));
//! # Ok(())
//! # }
//! ```
//!
//! * An entity is its kind and key; an ingest makes what it names. The same episode twice is one; another content under
//!   the same key takes the place of what it said, and what it said is kept in the past.
//! * `valid_at` asks for what holds in the world at a time, `known_at` for what was known here, `as_of` for both. Facts may
//!   come late and in any order. In a relation that is declared single-valued, and for properties, the fact that holds
//!   since later retires the others of its subject; it retires nothing else.
//! * `[[links]]`, mail addresses and `@names` in the texts of documents are links too. Nothing is done for them when a
//!   document is written: the next question to the graph takes in what changed since the last one, and waits for that. So
//!   what a text said only between two questions leaves no trace. Links go by path: where a document comes or goes, the
//!   texts that name its path are looked at again (at most 200); where a folder is moved, they are not. JSON documents, and names without a
//!   sign, are not searched.
//! * What was recalled is not ingested again: text between `<recalled>` and `</recalled>` (as in
//!   [`Neighbourhood::to_text`](vextir_core::context::graph::Neighbourhood::to_text)) is left out, of episodes and of documents,
//!   and an episode that says that it was recalled is ignored.
//! * A graph is its owner's. What comes from a document (an episode's source that is a path) is seen only while that
//!   document may be read, by its owner too, and by others with [`Graph::of`](vextir_core::context::graph::Graph::of). An
//!   agent needs `Read` on the document, or on `/` for what has none, and `Write` there to change the graph. What is hidden
//!   neither counts nor retires anything.
//! * `forget` removes what came from a source alone, its text and values too, and says what that was.
//!
//! Not promised: that how long an answer takes tells nothing of what is hidden; that graphs of replicas are exchanged yet.
//! An episode says at most 500 facts; a value is at most 16 KiB, a text 64 KiB; a walk goes at most 6 links far and meets
//! at most 10,000, and says when it stopped there. A question that takes longer than the deadline of
//! [`HubBuilder::query_limits`] is stopped.
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
//! # Replicas
//!
//! [`Hub::sync`] exchanges with another hub what a user may read: the own tree, and what others share. The application
//! carries the messages; the example `notes_sync` does it over TCP.
//!
//! * Both sides may be changed at any time, also while they exchange. Texts merge by character, JSON by leaf. Of two
//!   moves of one thing the later one counts; of two moves into each other the later one is skipped. Two things of one
//!   name are both kept, one as `name (2)`, until the other one goes. What is written in a folder while it is removed
//!   elsewhere comes back with it.
//! * Of rights that two replicas gave at the same time the lowest counts. Nobody can use a right that this hub has
//!   taken back, whatever the peer knew when it made the change; such a change is refused, and told
//!   ([`SyncReport::refused_there`]).
//! * Every change keeps its author and its time in the history, and is seen by watches like any other.
//! * A file that was copied or restored goes on as another replica, and gets back what it lost. One that comes after
//!   changes were trimmed, however late, gets whole documents: what it wrote itself merges into them as ever, since a
//!   document knows each of its characters and leaves for as long as it exists; it learns what it may not see any
//!   more; and only who changed what is not told of the changes that are gone. A text that two replicas began on their own
//!   under one identity (the guide of a folder, or an export without its `.state` files that both imported) becomes one:
//!   lines and members that only one of them has are kept, and none stands there twice.
//! * What house-keeping removed for good does not come back from a replica that still has it, unless somebody restored or
//!   moved it there after it was removed. It is not removed for good before all replicas know that it was removed that
//!   were met in the last half year, and it is remembered for longer: the last 100,000 nodes for ever.
//! * How long folders keep the past goes along, to who is an admin there. Of what was said at the same time the longest
//!   counts.
//! * The user's own graph goes along: episodes that were told, with what they say and said, for when, and since when
//!   the replica that took them in knows it; and which relations have one value at a time. What documents mention each replica reads in its own documents. An episode that two replicas told
//!   at the same time says what both said, until it is told anew. What was forgotten stays so, and goes with the next
//!   exchange from those who have not heard of it; what is told after that stands. What is about a document that the
//!   user may not read is neither sent nor taken.
//! * A clock that is wrong by a day decides wrongly between changes that did not know of each other, and nothing else.
//! * A message that is malformed, of another exchange, or about what its sender may not know stores nothing, and is an error
//!   or a refusal for that peer alone.
//!
//! Not promised: groups and their members stay in each hub, and what is granted to a group means the group of that name
//! everywhere; what others' graphs say about documents that they share stays with them; numbers of versions and the names below `/Shared` are each hub's own; a peer that was refused keeps its change for itself, and its document differs
//! until somebody with the right changes that place; whoever has read something keeps it when the right goes, in the file
//! if not in sight. Messages are not encrypted, and peers are who the application says.
//!
//! # What is kept
//!
//! Events for 7 days and up to 1 GiB ([`HubBuilder::keep_for`], [`HubBuilder::keep_bytes`]); open work,
//! events that wait and dead letters for as long as they are needed. The past of documents for ever, and what was
//! removed for 90 days ([`HubBuilder::keep_versions`], [`HubBuilder::keep_removed`], and for a folder
//! [`Context::keep`](vextir_core::Context::keep)). A cursor that asks for what is gone is told so.
//!
//! # Beside the file
//!
//! `<path>-wal` and `<path>-shm` belong to SQLite while the hub is open; `<path>.lock` says who has it open,
//! and stays. [`Hub::backup`] copies a hub while it is at work; without it, copy the file while the hub is closed, or with
//! SQLite's backup tools.

mod crdt;
mod cursors;
mod decode;
mod documents;
mod drive;
mod encode;
mod fault;
mod file;
mod graph;
mod hub;
mod keeper;
mod key;
#[cfg(feature = "measure")]
#[doc(hidden)]
pub mod measure;
mod outbox;
mod queries;
mod readers;
mod rows;
mod schema;
mod search;
mod space;
mod sql;
mod sync;
mod writer;

pub use hub::{Hub, HubBuilder, Synchronous};
pub use keeper::{Exported, HubPart, HubStats, ImportRights, Imported, Progress, Tidied};
pub use search::{HashingEmbedder, SearchOptions, SearchState};
pub use space::HubSize;
pub use sql::QueryLimits;
pub use sync::{Peer, SyncReport, SyncSession};
