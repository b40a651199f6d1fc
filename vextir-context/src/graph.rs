//! The graph of every user: episodes, entities, links, and the statements that join them.
//!
//! ```text
//! episode ─ statement ─▶ link: subject entity ─ relation ─▶ object entity, or value
//! what was seen          │
//!                        └ when it holds in the world, and when it is known here
//! ```
//!
//! A link is nothing but its three parts, once for each owner. All that changes is in statements: the episode that
//! says it, since when and until when. What holds, and which fact retires another one, is worked out when it is asked
//! for, from the statements that the reader may see: so facts may come late, twice and in any order, and nobody can
//! tell from what holds that there is something hidden.
//!
//! Ids are hashes of what tells rows apart, the same in every replica; a forgotten episode stays as an empty row with
//! its mark.

mod forget;
mod holds;
mod ids;
mod index;
mod ingest;
mod join;
mod pen;
mod sight;
mod store;
mod tell;
mod timeline;
mod told;
mod walk;

pub(crate) use forget::purge;
pub(crate) use holds::Stated;
pub(crate) use index::{Batch, MARK, take_links, unseen};
pub(crate) use join::join;
pub(crate) use pen::{Pen, apply};
pub(crate) use sight::Sight;
pub(crate) use tell::{Wanted, digests, keep, part};
pub(crate) use timeline::{link, links_of, properties};
pub(crate) use told::GraphPart;

/// How a link's sort is stored: to an entity, to a value, or a property.
pub(crate) const TO_ENTITY: i64 = 0;
pub(crate) const TO_VALUE: i64 = 1;
pub(crate) const PROPERTY: i64 = 2;

/// Later than any time that is stored.
pub(crate) const EVER: i64 = i64::MAX;
