//! After everything was sent: whether both sides have the same, and what differs once more.

use super::{SyncSession, unasked};
use crate::graph;
use crate::sync::audit::{self, Digests};
use crate::sync::name::Uid;
use crate::sync::outgoing;
use crate::sync::wire::{ITEMS, Message};
use std::collections::{BTreeMap, BTreeSet};
use vextir_core::Result;

/// So many hashes of episodes are stored in one commit: a few milliseconds.
const SLICE: usize = 500;

impl SyncSession {
    pub(super) async fn send_digests(&mut self, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        let user = self.peer.user.to_string();
        let read =
            move |connection: &_| Ok((audit::all(connection, &user)?, graph::digests(connection, &user)?));
        let (mut digests, mut graph) = self.read(read).await?;
        while !graph.news.is_empty() {
            let some = graph.news.split_off(graph.news.len().saturating_sub(SLICE));
            self.hub.write_with(move |rows| graph::keep(rows.writing(), &some)).await?;
        }
        self.state.graph = graph.parts.keys().copied().collect();
        digests.extend(graph.parts);
        let is_told =
            |(scope, nodes): &(&Uid, &Digests)| !nodes.is_empty() || !self.state.graph.contains(scope);
        let scopes =
            digests.iter().filter(is_told).map(|(scope, nodes)| (*scope, audit::total(nodes))).collect();
        self.state.digests = digests;
        self.send(Message::Digests { scopes }, answers)
    }

    /// Compares the scopes of both sides: of those that differ, every node is told.
    pub(super) async fn compare(
        &mut self,
        theirs: Vec<(Uid, String)>,
        answers: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        if !self.state.sent || !self.state.peer_sent || self.state.compared {
            return Err(unasked());
        }
        if self.state.digests.is_empty() {
            self.send_digests(answers).await?;
        }
        let mut pages = Vec::new();
        let told: BTreeSet<Uid> = theirs.iter().map(|(scope, _)| *scope).collect();
        // Of an empty part of the graph nothing is told.
        let untold = self.state.graph.iter().filter(|part| !told.contains(part));
        let empty = audit::total(&Digests::new());
        let untold: Vec<(Uid, String)> = untold.map(|part| (*part, empty.clone())).collect();
        for (scope, total) in theirs.into_iter().chain(untold) {
            let Some(nodes) = self.state.digests.get(&scope) else { continue };
            if audit::total(nodes) == total {
                continue;
            }
            if !self.state.graph.contains(&scope) {
                self.report.differing += 1;
                tracing::info!(user = %self.peer.user, %scope, "two replicas differ; the nodes are compared");
            }
            let nodes: Vec<(Uid, String)> = nodes.iter().map(|(uid, hash)| (*uid, hash.clone())).collect();
            let mut after = None;
            let mut chunks = nodes.chunks(ITEMS / 2).peekable();
            if chunks.peek().is_none() {
                pages.push(Message::Compare { scope, after, until: None, nodes: Vec::new() });
            }
            while let Some(chunk) = chunks.next() {
                let until = chunks.peek().and_then(|_| chunk.last()).map(|(uid, _)| *uid);
                pages.push(Message::Compare { scope, after, until, nodes: chunk.to_vec() });
                after = until;
            }
        }
        for page in pages {
            self.send(page, answers)?;
        }
        self.state.compared = true;
        self.send(Message::Compared, answers)
    }

    /// What the other side lacks, or has otherwise, is to be sent.
    pub(super) fn differ(
        &mut self,
        scope: Uid,
        after: Option<Uid>,
        until: Option<Uid>,
        theirs: Vec<(Uid, String)>,
    ) -> Result<()> {
        if self.state.peer_compared {
            return Err(unasked());
        }
        let Some(nodes) = self.state.digests.get(&scope) else { return Ok(()) };
        let theirs: BTreeMap<Uid, String> = theirs.into_iter().collect();
        let here = nodes.iter().filter(|(uid, _)| after.is_none_or(|after| **uid > after));
        let here = here.filter(|(uid, _)| until.is_none_or(|until| **uid <= until));
        // What is removed here and not there at all was purged there, or nobody there ever saw it.
        let differs = |(uid, hash): &(&Uid, &String)| match theirs.get(uid) {
            Some(there) => there != *hash,
            None => !audit::is_removed(hash),
        };
        let different = here.filter(differs).map(|(uid, _)| *uid);
        self.state.differing.entry(scope).or_default().extend(different);
        Ok(())
    }

    pub(super) async fn want_different(&mut self, top: Uid, different: BTreeSet<Uid>) -> Result<()> {
        if self.state.graph.contains(&top) {
            self.state.episodes.extend(different.into_iter().map(|episode| (episode, 0)));
            return Ok(());
        }
        let known = self.state.scopes.iter().find(|known| known.top == top).cloned();
        let Some(scope) = known.filter(|_| !different.is_empty()) else { return Ok(()) };
        let user = self.peer.user.to_string();
        let mut all = self.read(move |connection| outgoing::in_order(connection, &user, top)).await?;
        all.retain(|uid| different.contains(uid));
        self.state.want(scope, all);
        Ok(())
    }
}
