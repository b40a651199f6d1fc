//! Documents and folders: the context of every user, beside the log and in the same transactions.
//!
//! ```text
//! change ─▶ its lane ─▶ bases, read beside the writer ─▶ merge, in the caller's task ─▶ the writer
//!           one for      the documents as they are         new content, as rows           looks up names and
//!           each document                                                                 rights again, compares
//!              ▲                                                                          versions, stores rows
//!              └───────────────────── another document now: once more ◀───────────────────────┘
//! ```
//!
//! Where a document is, and who may do what, follows from the folders above it when it is asked for: nothing is
//! copied down, so a move, a removal, a grant and a restriction hold at once and touch one row.

mod apply;
pub(crate) mod arrive;
pub(crate) mod bases;
pub(crate) mod desk;
mod extent;
mod groups;
mod guides;
pub(crate) mod history;
pub(crate) mod keeping;
mod lanes;
mod list;
pub(crate) mod merge;
mod mounts;
pub(crate) mod node;
mod past;
pub(crate) mod place;
pub(crate) mod purge;
mod restored;
pub(crate) mod rights;
mod sight;
mod store;
mod structure;
#[cfg(test)]
mod tests;
mod threeway;
pub(crate) mod trim;
mod versions;

pub(crate) use apply::{Enrollment, apply, enroll, run_errand, settled};
pub(crate) use lanes::Lanes;
pub(crate) use merge::Merged;
pub(crate) use place::SHARED;
pub(crate) use store::{change, change_graph, changes_documents};
pub(crate) use structure::check_principal;
