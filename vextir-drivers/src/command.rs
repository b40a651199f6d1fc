//! Commands as tasks: run within limits, with their output as events.
//!
//! | event | answer |
//! |---|---|
//! | `command.run` | `command.output` for each piece of 8 KiB, then `command.finished` |
//!
//! ```
//! # extern crate vextir_core as vextir;
//! use vextir::prelude::*;
//! use vextir_drivers::command::{CommandDriver, CommandFinished, CommandRun};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> vextir::Result<()> {
//! let commands = CommandDriver::new().allow("echo", "/bin/echo");
//! let app = vextir::Processor::builder(vextir::MemoryBus::new()).driver(commands).start().await?;
//! let ask = CommandRun::new("echo").args(["hello"]);
//! let done: CommandFinished = app.as_user("ann").request(ask).await?;
//! assert_eq!((done.code, done.stdout.as_str()), (Some(0), "hello\n"));
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! * **Only what the application allows is run** ([`CommandDriver::allow`]), by its whole path and without a shell that reads
//!   anything of what was asked. It runs in a folder that is [granted](CommandDriver::folder), and links do not lead out of
//!   it. Its environment is empty but for what the application [gives](CommandDriver::env) it; secrets in it are looked up when
//!   the command starts, and are kept nowhere.
//! * **It ends.** After its time (60 seconds when nothing is said), when its tree is cancelled, and when the processor stops,
//!   the whole process group is killed, and whatever it left behind when it ended by itself, too. What begins a session of its
//!   own leaves the group, and is held by its limits only.
//! * **Its memory and its processor time are limited by the system**, for each of its processes: 512 MiB of address space, and as
//!   much time as it may take altogether.
//! * **Its output is kept up to a limit**, 64 KiB of each stream; what is beyond that is read and dropped, and `truncated`
//!   says so. While it runs, each piece is a signal `output` ([`Processor::signals`](vextir::Processor::signals)); with its end
//!   come the events, in one commit with the documents: `/System/Tasks/<task>` says what was run, when, and how it ended, and
//!   `/System/Tasks/.output/<task>/stdout` and `stderr` what it said. Without a store of documents there are none. All of them
//!   carry the labels of the event, and what it said is labelled `untrusted`.
//! * **It is not run twice unnoticed.** Which process it is to be is noted before that becomes the command. When ours died with
//!   it, what is left of it is killed at the next start, and it ends as `lost`, unless the application says that it may be
//!   [repeated](CommandDriver::allow_repeatable). When only its end could not be told, that is tried again, and it is not run
//!   again.

mod driver;
mod env;
mod group;
mod payload;
mod place;
mod run;
mod untold;

pub use driver::CommandDriver;
pub use env::CommandText;
pub use payload::{CommandFinished, CommandOutput, CommandRun};
