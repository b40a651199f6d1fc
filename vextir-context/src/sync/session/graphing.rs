//! The graph of the user: what differs goes from each side to the other one.

use super::{SyncSession, unasked};
use crate::graph::{self, GraphPart};
use crate::sync::wire::Message;
use vextir_core::Result;

impl SyncSession {
    /// Sends some of what the other side lacks, or has otherwise.
    pub(super) async fn send_graph(&mut self, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        let (user, mut wanted) = (self.peer.user.to_string(), std::mem::take(&mut self.state.episodes));
        let (part, rest) = self
            .read(move |connection| graph::part(connection, &user, &mut wanted).map(|part| (part, wanted)))
            .await?;
        self.state.episodes = rest;
        if part.is_empty() {
            return Ok(());
        }
        self.report.episodes_sent += part.episodes();
        self.state.untaken += 1;
        self.send(Message::Graph(part), answers)
    }

    /// Takes in what the other side has of the user's graph. All of it is the user's own.
    pub(super) async fn take_graph(&mut self, part: GraphPart, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        if self.state.file.is_none() {
            return Err(unasked());
        }
        let user = self.peer.user.to_string();
        let joined = self.hub.write_with(move |rows| graph::join(rows.writing(), &user, &part)).await?;
        self.report.episodes_taken += joined.changed;
        self.report.refused_here += joined.refused;
        self.send(Message::Took { refused: joined.refused }, answers)
    }
}
