//! One exchange with one peer: bytes in, bytes out.
//!
//! ```text
//! hello ─▶ operations ─▶ took ─▶ .. ─▶ sent ─▶ digests ─▶ compare ─▶ compared ─▶ nodes ─▶ took ─▶ done
//!  scopes    of each      stored          all    of each    of what     all pages   what the other side
//!  vectors   scope        waiting         taken  scope      differs                 has not or otherwise
//!            or nodes     refused
//! ```
//!
//! The graph has no operations: its parts are among what is compared, and what differs follows the nodes.
//!
//! Both sides do the same; what one has to send of a scope waits for the other's `took`, so that no more than one message
//! of content is under way in each direction. What somebody is told at once (a right or a node is gone) is short.

mod comparing;
mod graphing;
mod meeting;

use super::audit::Digests;
use super::incoming::{Bases, Intake, Taken};
use super::line::Line;
use super::name::Uid;
use super::outgoing::{self, Sending};
use super::registry::Acknowledgement;
use super::wire::{Hello, ITEMS, Known, Message, Operation, Operations, Record, Scope};
use super::{Peer, SyncReport};
use crate::graph;
use crate::hub::Hub;
use crate::readers::spawn;
use crate::writer::question;
use meeting::{Greeting, Meeting};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use vextir_core::{Error, ErrorKind, EventBus, Result};

/// How often a message is merged again because its documents were changed meanwhile.
const TRIES: usize = 16;

/// What is merged in the caller's task: up to so many bytes.
const QUICK: usize = 32 << 10;

/// One exchange with one peer; made by [`Hub::sync`].
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir_context::{Hub, Peer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> vextir::Result<()> {
/// let (laptop, desktop) = (Hub::in_memory()?, Hub::in_memory()?);
/// laptop.context("ann").write("/Notes/shopping", "milk").await?;
/// desktop.context("ann").write("/Notes for work", "call bob").await?;
///
/// let (mut here, mut there) = (laptop.sync(Peer::new("ann")), desktop.sync(Peer::new("ann")));
/// let mut to_there = here.start().await?;
/// let mut to_here = there.start().await?;
/// while !(to_there.is_empty() && to_here.is_empty()) {
///     for message in std::mem::take(&mut to_there) {
///         to_here.extend(there.receive(&message).await?);
///     }
///     for message in std::mem::take(&mut to_here) {
///         to_there.extend(here.receive(&message).await?);
///     }
/// }
/// assert!(here.is_done() && there.is_done());
/// let copy = desktop.context("ann").read("/Notes/shopping").await?.unwrap();
/// assert_eq!(copy.content, "milk".into());
/// # Ok(())
/// # }
/// ```
pub struct SyncSession {
    hub: Hub,
    peer: Peer,
    line: Line,
    state: State,
    report: SyncReport,
}

/// Where an exchange stands.
#[derive(Debug, Default)]
struct State {
    /// What is to be told of what is here, once it is clear to whom.
    pages: VecDeque<Known>,
    /// What the other side has told so far of what it has.
    greeting: Option<Greeting>,
    /// The other side's file, and its present incarnation.
    file: Option<(Uid, Uid)>,
    queue: VecDeque<Sending>,
    /// Nodes that the other side wants, or has otherwise; by scope.
    wanted: VecDeque<(Scope, Vec<Uid>)>,
    scopes: Vec<Scope>,
    digests: BTreeMap<Uid, Digests>,
    /// Which of these are parts of the graph, and what is to be sent of it.
    graph: BTreeSet<Uid>,
    episodes: Vec<graph::Wanted>,
    /// Nodes that the other side lacks or has otherwise, until it has told of all of its own; by scope.
    differing: BTreeMap<Uid, BTreeSet<Uid>>,
    /// Messages with content that the other side has not taken yet.
    untaken: usize,
    sent: bool,
    peer_sent: bool,
    compared: bool,
    peer_compared: bool,
    done: bool,
    peer_done: bool,
    failed: bool,
}

impl State {
    /// Whole nodes of a scope are to be sent, the last of them first: folders come behind what is in them. What is new
    /// goes after what waits already.
    fn want(&mut self, scope: Scope, nodes: Vec<Uid>) {
        match self.wanted.iter_mut().find(|(wanted, _)| *wanted == scope) {
            Some((_, waiting)) => {
                let known: BTreeSet<Uid> = waiting.iter().copied().collect();
                waiting.splice(0..0, nodes.into_iter().filter(|node| !known.contains(node)));
            }
            None => self.wanted.push_back((scope, nodes)),
        }
    }
}

impl fmt::Debug for SyncSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSession")
            .field("peer", &self.peer)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}

impl SyncSession {
    pub(super) fn new(hub: Hub, peer: Peer) -> Self {
        Self { hub, peer, line: Line::new(), state: State::default(), report: SyncReport::default() }
    }

    /// The first messages. To be called once.
    ///
    /// # Errors
    /// The storage failed.
    pub async fn start(&mut self) -> Result<Vec<Vec<u8>>> {
        let user = self.peer.user.to_string();
        let file = file_of(&self.hub);
        let (replica, pages) = self.read(move |connection| meeting::known(connection, &user)).await?;
        self.state.pages = pages.into();
        let known = self.state.pages.pop_front().unwrap_or_default();
        let hello = Hello { user: self.peer.user.to_string(), file, replica, known };
        Ok(vec![self.line.send(Message::Hello(hello))?])
    }

    /// Takes in a message of the peer, and answers it: with any number of messages, in their order.
    ///
    /// # Errors
    /// * `Invalid`: the message is malformed, or belongs to another exchange; nothing was changed, and the exchange may
    ///   go on. Or it says what cannot be; then nothing of it was stored, and the exchange is over.
    /// * `Conflict`: the peer has changes in the name of this replica that it never made; open the file anew.
    /// * `Closed`: the exchange was over. `Unsupported`: the peer is of another version.
    pub async fn receive(&mut self, message: &[u8]) -> Result<Vec<Vec<u8>>> {
        if self.state.failed {
            return Err(Error::new(ErrorKind::Closed, "the exchange has failed; begin another one"));
        }
        let mut answers = Vec::new();
        for message in self.line.accept(message)? {
            let handled = self.handle(message, &mut answers).await;
            self.state.failed |= handled.is_err();
            handled?;
        }
        let advanced = self.advance(&mut answers).await;
        self.state.failed |= advanced.is_err();
        advanced?;
        answers.extend(self.line.seen()?);
        Ok(answers)
    }

    /// What was sent and not answered, once more: for a way that loses messages, after some time of silence.
    ///
    /// # Errors
    /// A message is too large.
    pub fn resend(&self) -> Result<Vec<Vec<u8>>> {
        self.line.again()
    }

    /// Whether both sides have sent everything and compared it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state.done && self.state.peer_done
    }

    /// What was exchanged so far.
    #[must_use]
    pub fn report(&self) -> &SyncReport {
        &self.report
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.hub.read_with(read).await
    }

    fn send(&mut self, message: Message, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        answers.push(self.line.send(message)?);
        Ok(())
    }

    async fn handle(&mut self, message: Message, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        match message {
            Message::Hello(hello) => self.greet(hello, answers).await,
            Message::Further(known) => self.learn(known, answers).await,
            Message::Operations(Operations { scope, operations }) => {
                self.report.received += operations.len() as u64;
                self.take(scope, operations, Vec::new(), answers).await
            }
            Message::Nodes { scope, nodes } => self.take(scope, Vec::new(), nodes, answers).await,
            Message::Took { refused } => {
                self.state.untaken = self.state.untaken.checked_sub(1).ok_or_else(unasked)?;
                self.report.refused_there = self.report.refused_there.saturating_add(refused);
                Ok(())
            }
            Message::Want { scope, nodes } => {
                let user = self.peer.user.to_string();
                // What the user may not read any more is not there.
                let Some(scope) = self.state.scopes.iter().find(|known| known.top == scope).cloned() else {
                    return Ok(());
                };
                let top = scope.top;
                let all =
                    self.read(move |connection| outgoing::family(connection, &user, top, &nodes)).await?;
                self.state.want(scope, all);
                Ok(())
            }
            Message::Sent => {
                self.state.peer_sent = true;
                Ok(())
            }
            Message::Digests { scopes } => self.compare(scopes, answers).await,
            Message::Compare { scope, after, until, nodes } => self.differ(scope, after, until, nodes),
            Message::Compared => {
                self.state.peer_compared = true;
                for (scope, different) in std::mem::take(&mut self.state.differing) {
                    self.want_different(scope, different).await?;
                }
                Ok(())
            }
            Message::Done => {
                self.state.peer_done = true;
                Ok(())
            }
            Message::Graph(part) => self.take_graph(part, answers).await,
            Message::Seen => Ok(()),
        }
    }

    /// The other side says who it is, and begins to say what it has.
    async fn greet(&mut self, hello: Hello, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        if *hello.user != *self.peer.user {
            return Err(Error::invalid(format!(
                "the peer came to exchange what another user may read; this exchange is on behalf of {}",
                self.peer.user
            )));
        }
        for known in std::mem::take(&mut self.state.pages) {
            self.send(Message::Further(known), answers)?;
        }
        self.state.greeting = Some(Greeting::new(hello.file, hello.replica));
        self.learn(hello.known, answers).await
    }

    /// The other side says what it has; all of it once nothing more comes.
    async fn learn(&mut self, known: Known, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        let mut greeting = self.state.greeting.take().ok_or_else(unasked)?;
        let more = known.more;
        greeting.add(known)?;
        if more {
            self.state.greeting = Some(greeting);
            return Ok(());
        }
        self.meet(greeting, answers).await
    }

    /// Both sides know what there is to exchange.
    async fn meet(&mut self, greeting: Greeting, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        let user = self.peer.user.to_string();
        let file = greeting.file();
        let met = self.read(move |connection| Meeting::prepare(connection, &user, greeting)).await?;
        // Before it can have anything of this hub.
        self.hub.write_with(|rows| super::purged::meet(&mut rows.writing())).await?;
        self.state.file = Some(file);
        self.report.restored = met.restored;
        if met.restored {
            tracing::warn!(user = %self.peer.user, "the peer has changes of this file that it has not: it was restored from a backup, and gets them back");
        }
        self.state.scopes = met.sendings.iter().map(|sending| sending.scope.clone()).collect();
        self.state.queue = met.sendings.into();
        for (scope, nodes) in met.lost {
            self.state.untaken += 1;
            self.send(Message::Nodes { scope, nodes }, answers)?;
        }
        for (scope, nodes) in met.early {
            self.send(Message::Want { scope, nodes }, answers)?;
        }
        Ok(())
    }

    /// Stores what came, and says so.
    async fn take(
        &mut self,
        scope: Scope,
        operations: Vec<Operation>,
        nodes: Vec<Record>,
        answers: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        if self.state.file.is_none() {
            return Err(unasked());
        }
        let top = scope.top;
        let known = scope.clone();
        let taken = self.store(scope, Arc::new(operations), Arc::new(nodes)).await?;
        self.report.applied += taken.applied;
        self.report.repaired += taken.repaired;
        self.report.refused_here += taken.refused;
        if !taken.gone.is_empty() {
            self.state.untaken += 1;
            // The comparison tells of the others.
            let nodes = taken.gone.into_values().take(ITEMS).collect();
            self.send(Message::Nodes { scope: known, nodes }, answers)?;
        }
        if !taken.missing.is_empty() {
            let nodes = taken.missing.into_iter().take(ITEMS).collect();
            self.send(Message::Want { scope: top, nodes }, answers)?;
        }
        self.send(Message::Took { refused: taken.refused }, answers)
    }

    async fn store(
        &self,
        scope: Scope,
        operations: Arc<Vec<Operation>>,
        nodes: Arc<Vec<Record>>,
    ) -> Result<Taken> {
        let mut tries = 0;
        loop {
            let (all, whole) = (operations.clone(), nodes.clone());
            let bases = self.read(move |connection| Bases::read(connection, &all, &whole)).await?;
            let premerged = if bases.weight() <= QUICK {
                bases.merge(self.hub.client())?
            } else {
                let (answer, answered) = question();
                let client = self.hub.client();
                spawn("vextir-hub-merge", move || answer.send(bases.merge(client)))?;
                answered.await?
            };
            if premerged.brings_back() {
                self.hub.renew_client();
            }
            let intake = Intake {
                user: self.peer.user.to_string(),
                trusted: self.peer.trusted,
                client: self.hub.client(),
                scope: scope.clone(),
                operations: operations.clone(),
                nodes: nodes.clone(),
                premerged,
            };
            tries += 1;
            match self.hub.write_with(move |rows| intake.apply(rows.writing())).await {
                Err(error) if error.kind() == ErrorKind::Conflict && tries < TRIES => {}
                outcome => return outcome,
            }
        }
    }

    /// Sends what is next, as far as the other side has taken what was sent before.
    async fn advance(&mut self, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        if self.state.file.is_none() {
            return Ok(());
        }
        while self.state.untaken == 0 {
            if let Some((scope, wanted)) = self.state.wanted.pop_front() {
                self.send_nodes(scope, wanted, answers).await?;
            } else if let Some(sending) = self.state.queue.pop_front() {
                self.send_operations(sending, answers).await?;
            } else if !self.state.sent {
                self.state.sent = true;
                self.send(Message::Sent, answers)?;
            } else if self.state.peer_sent && self.state.digests.is_empty() {
                self.send_digests(answers).await?;
            } else if self.state.compared && self.state.peer_compared && !self.state.episodes.is_empty() {
                self.send_graph(answers).await?;
            } else if self.state.compared && self.state.peer_compared && !self.state.done {
                self.state.done = true;
                self.send(Message::Done, answers)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    async fn send_nodes(
        &mut self,
        scope: Scope,
        mut wanted: Vec<Uid>,
        answers: &mut Vec<Vec<u8>>,
    ) -> Result<()> {
        let (user, top) = (self.peer.user.to_string(), scope.top);
        let (nodes, rest) = self
            .read(move |connection| {
                outgoing::records(connection, &user, top, &mut wanted).map(|nodes| (nodes, wanted))
            })
            .await?;
        if !rest.is_empty() {
            self.state.wanted.push_front((scope.clone(), rest));
        }
        if nodes.is_empty() {
            return Ok(());
        }
        self.report.nodes_sent += nodes.len() as u64;
        self.state.untaken += 1;
        self.send(Message::Nodes { scope, nodes }, answers)
    }

    async fn send_operations(&mut self, mut sending: Sending, answers: &mut Vec<Vec<u8>>) -> Result<()> {
        if !sending.whole.is_empty() {
            let whole = std::mem::take(&mut sending.whole);
            self.state.want(sending.scope.clone(), whole);
            self.state.queue.push_front(sending);
            return Ok(());
        }
        let user = self.peer.user.to_string();
        let (operations, mut sending) = self
            .read(move |connection| {
                outgoing::next(connection, &user, &mut sending).map(|operations| (operations, sending))
            })
            .await?;
        if operations.is_empty() {
            return self.acknowledge(sending).await;
        }
        for operation in &operations {
            sending.has.note(operation.by, operation.n);
        }
        self.report.sent += operations.len() as u64;
        let scope = sending.scope.clone();
        self.state.queue.push_front(sending);
        self.state.untaken += 1;
        self.send(Message::Operations(Operations { scope, operations }), answers)
    }

    /// All of a scope was taken: the other side is known to have it.
    async fn acknowledge(&self, sending: Sending) -> Result<()> {
        let Some((file, present)) = self.state.file else { return Ok(()) };
        let acknowledgement = Acknowledgement {
            file,
            user: self.peer.user.to_string(),
            scope: sending.scope.top,
            sequence: sending.head,
            vector: sending.has.remembered(present),
            owner: sending.scope.owner,
            scopes: self.state.scopes.iter().map(|scope| scope.top).collect(),
        };
        self.hub.write_with(move |rows| acknowledgement.store(rows.writing())).await
    }
}

/// What names a file through all its incarnations.
fn file_of(hub: &Hub) -> Uid {
    let mut file = [0; 16];
    file[8..].copy_from_slice(&EventBus::incarnation(hub).to_be_bytes());
    Uid(file)
}

fn unasked() -> Error {
    Error::invalid("the peer sent a message of sync out of turn; begin another exchange")
}
