//! Messages in order and once, over a way that may lose, double and turn them around. Pure.

use super::name::Uid;
use super::wire::{Frame, Message};
use std::collections::{BTreeMap, VecDeque};
use vextir_core::{Error, Result};

/// How far ahead of the last one a message may be.
const AHEAD: u64 = 64;

/// One side of a session.
#[derive(Debug)]
pub(super) struct Line {
    own: Uid,
    peer: Option<Uid>,
    sent: u64,
    /// What the other side has not said that it has seen.
    unseen: VecDeque<(u64, Message)>,
    received: u64,
    /// What came too early.
    kept: BTreeMap<u64, Message>,
    /// Whether the other side should hear what was seen.
    owes: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            own: Uid::random(),
            peer: None,
            sent: 0,
            unseen: VecDeque::new(),
            received: 0,
            kept: BTreeMap::new(),
            owes: false,
        }
    }

    /// The message as it goes out; it is kept until it was seen.
    pub(super) fn send(&mut self, message: Message) -> Result<Vec<u8>> {
        self.sent += 1;
        self.owes = false;
        let frame = Frame::new(self.own, self.peer, self.sent, self.received, message);
        let bytes = frame.encode()?;
        self.unseen.push_back((frame.number, frame.message));
        Ok(bytes)
    }

    /// What was sent and not seen, once more.
    pub(super) fn again(&self) -> Result<Vec<Vec<u8>>> {
        let frame = |(number, message): &(u64, Message)| {
            Frame::new(self.own, self.peer, *number, self.received, message.clone()).encode()
        };
        self.unseen.iter().map(frame).collect()
    }

    /// Says what was seen, if the other side should hear of it and nothing else told it.
    pub(super) fn seen(&mut self) -> Result<Option<Vec<u8>>> {
        if !std::mem::take(&mut self.owes) {
            return Ok(None);
        }
        Frame::new(self.own, self.peer, 0, self.received, Message::Seen).encode().map(Some)
    }

    /// Takes a message; those that are next in order come out.
    ///
    /// # Errors
    /// It is malformed, or of another session. Nothing was changed.
    pub(super) fn accept(&mut self, bytes: &[u8]) -> Result<Vec<Message>> {
        let frame = Frame::decode(bytes)?;
        let is_hello = matches!(frame.message, Message::Hello(_));
        let fits = match (frame.to, self.peer) {
            (Some(to), None) => to == self.own,
            (Some(to), Some(peer)) => to == self.own && frame.from == peer,
            (None, None) => is_hello,
            (None, Some(peer)) => is_hello && frame.from == peer,
        };
        if !fits || is_hello != (frame.number == 1) || frame.from == self.own {
            return Err(Error::invalid("a message of another session of sync; it was not taken in"));
        }
        if frame.seen > self.sent || frame.number > self.received + AHEAD {
            return Err(Error::invalid("a message of sync that counts wrongly; it was not taken in"));
        }
        self.peer = Some(frame.from);
        while self.unseen.front().is_some_and(|(number, _)| *number <= frame.seen) {
            self.unseen.pop_front();
        }
        if frame.number == 0 {
            return Ok(Vec::new());
        }
        self.owes = true;
        if frame.number > self.received {
            self.kept.entry(frame.number).or_insert(frame.message);
        }
        let mut next = Vec::new();
        while let Some(message) = self.kept.remove(&(self.received + 1)) {
            self.received += 1;
            next.push(message);
        }
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::wire::{Hello, Known};

    fn hello() -> Message {
        let (file, replica) = (Uid::random(), Uid::random());
        let hello = Hello { user: "ann".into(), file, replica, known: Known::default() };
        Message::Hello(hello)
    }

    #[test]
    fn messages_come_out_in_order_and_once_and_lost_ones_are_sent_again() {
        let (mut ann, mut bob) = (Line::new(), Line::new());
        let first = ann.send(hello()).unwrap();
        let second = ann.send(Message::Sent).unwrap();
        assert_eq!(bob.accept(&first).unwrap().len(), 1);
        assert_eq!(ann.accept(&bob.send(hello()).unwrap()).unwrap().len(), 1);
        let third = ann.send(Message::Done).unwrap();
        assert_eq!(bob.accept(&third).unwrap().len(), 0, "the second is missing");
        assert!(bob.accept(&second).is_err(), "it does not say for whom it is");
        let again = ann.again().unwrap();
        assert_eq!(again.len(), 2);
        assert_eq!(bob.accept(&again[0]).unwrap().len(), 2);
        assert_eq!(bob.accept(&again[0]).unwrap().len(), 0, "for the second time");
        ann.accept(&bob.seen().unwrap().unwrap()).unwrap();
        assert_eq!((ann.again().unwrap().len(), bob.seen().unwrap()), (0, None));
    }

    #[test]
    fn other_sessions_are_refused_and_change_nothing() {
        let (mut ann, mut bob, mut eve) = (Line::new(), Line::new(), Line::new());
        bob.accept(&ann.send(hello()).unwrap()).unwrap();
        ann.accept(&bob.send(hello()).unwrap()).unwrap();
        let old = ann.send(Message::Sent).unwrap();
        assert!(eve.accept(&old).is_err());
        assert!(bob.accept(&eve.send(hello()).unwrap()).is_err());
        assert!(bob.accept(b"{}").is_err());
        assert_eq!(bob.accept(&old).unwrap().len(), 1);
    }
}
