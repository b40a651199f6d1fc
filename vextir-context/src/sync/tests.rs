//! What replicas promise each other.

mod convergence;
mod graph;
mod hostile;
mod keeping;
mod late;
mod openings;
mod purging;
mod sharing;
mod structure;
mod trouble;
mod twins;

use super::audit::{digests, total};
use super::fact::{node_of, of_node};
use super::name::Uid;
use super::{Peer, SyncReport, SyncSession};
use crate::documents::node;
use crate::hub::Hub;
use fastrand::Rng;
use std::collections::{BTreeMap, BTreeSet};
use vextir_core::Context;

/// How the messages of an exchange travel.
struct Way {
    rng: Rng,
    /// Of a hundred messages, so many are lost, doubled, and overtaken.
    lost: u32,
    doubled: u32,
    turned: u32,
    /// After so many messages the exchange breaks off.
    breaks: usize,
}

impl Way {
    fn good() -> Self {
        Self { rng: Rng::with_seed(1), lost: 0, doubled: 0, turned: 0, breaks: usize::MAX }
    }

    /// Puts messages on the way.
    fn put(&mut self, on_way: &mut Vec<Vec<u8>>, messages: Vec<Vec<u8>>) {
        for message in messages {
            if self.rng.u32(0..100) < self.lost {
                continue;
            }
            if self.rng.u32(0..100) < self.doubled {
                on_way.push(message.clone());
            }
            on_way.push(message);
            if self.rng.u32(0..100) < self.turned && on_way.len() > 1 {
                let end = on_way.len() - 1;
                on_way.swap(end, end - 1);
            }
        }
    }

    /// Lets two sessions talk until they are done, or the way breaks off.
    async fn carry(&mut self, here: &mut SyncSession, there: &mut SyncSession) -> bool {
        let (mut to_there, mut to_here) = (Vec::new(), Vec::new());
        let first = here.start().await.unwrap();
        self.put(&mut to_there, first);
        let first = there.start().await.unwrap();
        self.put(&mut to_here, first);
        let mut carried = 0;
        for _ in 0..2_000 {
            for message in std::mem::take(&mut to_there) {
                let answers = there.receive(&message).await.inspect_err(told).unwrap_or_default();
                self.put(&mut to_here, answers);
                carried += 1;
            }
            for message in std::mem::take(&mut to_here) {
                let answers = here.receive(&message).await.inspect_err(told).unwrap_or_default();
                self.put(&mut to_there, answers);
                carried += 1;
            }
            if here.is_done() && there.is_done() {
                return true;
            }
            if carried >= self.breaks {
                return false;
            }
            if to_there.is_empty() && to_here.is_empty() {
                self.put(&mut to_there, here.resend().unwrap());
                self.put(&mut to_here, there.resend().unwrap());
            }
        }
        panic!("the exchange does not end: {here:?} {:?} {there:?} {:?}", here.is_done(), there.is_done());
    }
}

/// An exchange over a good way, on behalf of a user who owns both sides.
async fn exchange(here: &Hub, there: &Hub, user: &str) -> (SyncReport, SyncReport) {
    exchange_as(here, there, Peer::new(user), Peer::new(user)).await
}

async fn exchange_as(here: &Hub, there: &Hub, of_here: Peer, of_there: Peer) -> (SyncReport, SyncReport) {
    let (mut one, mut other) = (here.sync(of_here), there.sync(of_there));
    let (mut to_other, mut to_one) = (one.start().await.unwrap(), other.start().await.unwrap());
    while !(to_other.is_empty() && to_one.is_empty()) {
        for message in std::mem::take(&mut to_other) {
            to_one.extend(other.receive(&message).await.unwrap());
        }
        for message in std::mem::take(&mut to_one) {
            to_other.extend(one.receive(&message).await.unwrap());
        }
    }
    assert!(one.is_done() && other.is_done(), "{one:?} {other:?}");
    (one.report().clone(), other.report().clone())
}

/// Bob's laptop, and the server that it believes.
async fn serve(server: &Hub, laptop: &Hub) -> (SyncReport, SyncReport) {
    exchange_as(server, laptop, Peer::new("bob"), Peer::new("bob").trusted()).await
}

/// What a user's tree comes to.
async fn total_of(hub: &Hub, user: &'static str) -> String {
    hub.read_with(move |connection| Ok(total(&digests(connection, user, Uid::of_root(user))?))).await.unwrap()
}

/// All documents of a user with their text, by path.
async fn shown(context: &Context) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec!["/".to_owned()];
    while let Some(folder) = folders.pop() {
        for item in context.list(&folder).await.unwrap() {
            if item.kind == vextir_core::context::ItemKind::Folder {
                folders.push(item.path.clone());
                found.insert(format!("{}/", item.path), String::new());
            } else {
                let document = context.read(&item.path).await.unwrap().unwrap();
                found.insert(item.path, document.content.to_text().into_owned());
            }
        }
    }
    found
}

/// On a bad way messages come late; nothing else may be refused.
fn told(error: &vextir_core::Error) {
    assert!(error.to_string().contains("another session"), "{error:?}");
}

/// What is known of the nodes that differ, for the reader of a failure.
async fn difference(here: &Hub, there: &Hub, user: &'static str) -> String {
    let mut sides = Vec::new();
    for hub in [here, there] {
        let all = hub.read_with(move |connection| {
            let mut found = BTreeMap::new();
            for (uid, hash) in digests(connection, user, Uid::of_root(user))? {
                let node = node_of(connection, uid)?.unwrap_or_default();
                let known =
                    format!("{hash} {:?} {:?}", node::node(connection, node)?, of_node(connection, node)?);
                found.insert(uid, (hash, known));
            }
            Ok(found)
        });
        sides.push(all.await.unwrap());
    }
    let all: BTreeSet<_> = sides.iter().flat_map(BTreeMap::keys).collect();
    let (one, other) = (|uid: &Uid| sides[0].get(uid), |uid: &Uid| sides[1].get(uid));
    let differing =
        all.into_iter().filter(|uid| one(uid).map(|node| &node.0) != other(uid).map(|node| &node.0));
    differing.map(|uid| format!("\n{uid}\n  {:?}\n  {:?}", one(uid), other(uid))).collect()
}
