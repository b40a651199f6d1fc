//! Handlers as data: event type and code, installed by an event, run in a sandbox.
//!
//! | event | answer |
//! |---|---|
//! | `handler.install` | `handler.installed`, once the code is checked |
//! | `handler.remove` | `handler.removed` |
//! | `handler.list` | `handler.items` |
//!
//! A handler is `{id, type, code}`; for each event type a user has one. It is a document, `/System/Handlers/<id>` of who installed
//! it, and acts for nobody else. The code is [Rhai](https://rhai.rs), and knows:
//!
//! | in the code | what it is |
//! |---|---|
//! | `event` | the event: `event.type`, `event.data`, `event.user_id`, `event.id`, `event.source`, `event.labels` .. |
//! | `emit(type, data)` | an event that this one causes |
//! | `read(path)` | a document: a text, or what its JSON says; `()` if there is none |
//! | `write(path, value)` | a document: a text, or JSON |
//! | `log(text)` | a signal `log` to who listens |
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use vextir::prelude::*;
//! use vextir_drivers::script::Scripts;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> vextir::Result<()> {
//! let urgent = r#"
//!     if event.data.subject.contains("urgent") {
//!         emit("notification.send", #{ text: "Look: " + event.data.subject });
//!     }
//! "#;
//! let scripts = Scripts::for_types(["email.*"]).with_handler("urgent", "email.received", urgent);
//! let app = vextir::Processor::builder(vextir::MemoryBus::new()).driver(scripts).start().await?;
//! let mut told = app.subscribe("notification.send").await?;
//! app.emit(Event::new("email.received").with_data(json!({"subject": "urgent: the report"}))).await?;
//! let told = told.next().await.ok_or(vextir::Error::invalid("closed"))??;
//! assert_eq!(told.data.value(), json!({"text": "Look: urgent: the report"}));
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **The application says how far handlers reach**: [`Scripts::for_types`]. What is installed for another type is refused.
//! * **The code does nothing itself.** What it emits and writes is committed with the settlement, with the rights of its user, or
//!   not at all. A document that it reads is loaded, and the code begins anew; so each run is the same, for the same event and
//!   the same documents. There is no clock, no chance, no file and no network in it.
//! * **Labels travel through it**: what it emits and writes carries those of the event, of all documents that it read, and of the
//!   handler's own. What is labelled `untrusted` installs no handler, neither as an event nor as a document that somebody wrote
//!   where handlers are; and no handler writes below `/System`.
//! * **It is bounded**: 64 KiB of code; half a million operations and five seconds; 16 calls within each other, with 32 variables
//!   and some 8 MiB each; 128 KiB of text and 2,048 elements and members in one value, with all that is in it; 64 documents read;
//!   100 events, 100 documents and 1 MiB of both. Four run at a time, two of one user, and others wait; that is not counted.
//! * **There are no closures**, for they could hold what no limit counts. Where a function is wanted, name one:
//!   `list.map(Fn("double"))`.
//! * **A failure names handler, line and column**, in the `error` event too, and is not tried again; one that ran out of time is.
//!
//! Most handlers are done within a thousand operations, and run where their event is handled. What takes longer begins anew on a
//! thread of its own.

mod driver;
mod effects;
mod fault;
mod payload;
mod room;
mod run;
mod sandbox;
mod store;
mod value;

pub use driver::Scripts;
pub use payload::{
    HandlerInstall, HandlerInstalled, HandlerItem, HandlerItems, HandlerList, HandlerRemove, HandlerRemoved,
};
