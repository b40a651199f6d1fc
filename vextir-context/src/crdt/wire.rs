//! Reads an update that came from outside before the CRDT library sees it.
//!
//! An update is bytes in the first encoding of Yjs. A document of ours holds texts and lists of small
//! values under names of our own, and nothing else; so whatever else an update may hold (values nested without
//! end, lengths that reserve gigabytes, sub-documents) is refused here, at a cost that is linear in its size.

use super::key::ElementId;
use super::limits;
use std::collections::BTreeSet;
use std::ops::Range;
use vextir_core::{Error, Result};
use yrs::{ClientID, StateVector};

/// What an update brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The clocks of each client's operations.
    pub(super) operations: Vec<(u64, Range<u32>)>,
    /// Other clients than an operation's own, beside whose operations it stands.
    pub(super) beside: BTreeSet<u64>,
    /// For each client, the clock behind the last operation that is removed.
    pub(super) removed: Vec<(u64, u32)>,
    /// Where the removals begin, in bytes.
    pub(super) removals: usize,
}

impl Contents {
    /// Whether a replica with this vector can take the update in. The library takes in operations that lie behind a
    /// gap, but says of them neither that they are there nor that something is missing.
    pub(super) fn follow(&self, known: &StateVector) -> bool {
        let known = |client: u64| known.get(&ClientID::new(client));
        let brought = |client: u64| {
            let own = self.operations.iter().filter(|(other, _)| *other == client);
            own.map(|(_, clocks)| clocks.end).max().unwrap_or_default()
        };
        self.operations.iter().all(|(client, clocks)| clocks.start <= known(*client))
            && self.removed.iter().all(|(client, end)| *end <= known(*client).max(brought(*client)))
    }
}

/// The highest id of a client that the format has room for.
pub(super) const CLIENTS: u64 = (1 << 53) - 1;
/// The highest clock that is accepted: far above what fits into one update, far below where sums overflow.
const CLOCKS: u32 = 1 << 30;

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_KEY: u8 = 0x20;

/// Checks an update, and says what it brings.
pub(super) fn contents(update: &[u8]) -> Result<Contents> {
    let mut reader = Reader::new(update);
    let mut contents = Contents::default();
    for _ in 0..reader.number()? {
        let blocks = reader.number()?;
        let client = reader.client()?;
        let start = reader.clock()?;
        let mut end = start;
        for _ in 0..blocks {
            end = later(end, reader.block(client, end, &mut contents.beside)?)?;
        }
        contents.operations.push((client, start..end));
    }
    contents.removals = update.len() - reader.rest.len();
    for _ in 0..reader.number()? {
        let client = reader.client()?;
        let mut last = 0;
        for _ in 0..reader.number()? {
            let start = reader.clock()?;
            last = last.max(later(start, reader.number()?)?);
        }
        contents.removed.push((client, last));
    }
    if reader.rest.is_empty() { Ok(contents) } else { Err(malformed("bytes behind its end")) }
}

/// Reads a state vector: for each client, how many of its operations are known.
pub(super) fn vector(bytes: &[u8]) -> Result<StateVector> {
    limits::check_update(bytes.len())?;
    let mut reader = Reader::new(bytes);
    let mut vector = StateVector::default();
    for _ in 0..reader.number()? {
        vector.set_max(ClientID::new(reader.client()?), reader.clock()?);
    }
    if reader.rest.is_empty() { Ok(vector) } else { Err(malformed("bytes behind its end")) }
}

fn later(clock: u32, length: u64) -> Result<u32> {
    let end = u64::from(clock).saturating_add(length);
    u32::try_from(end)
        .ok()
        .filter(|end| length > 0 && *end <= CLOCKS)
        .ok_or_else(|| malformed("an impossible clock"))
}

pub(super) fn malformed(what: &str) -> Error {
    Error::invalid(format!(
        "the update has {what}; it was not applied. Ask the replica that sent it for a new one"
    ))
}

/// Whether a block is removed content whose place nobody needs: a length and nothing else.
pub(super) fn is_bare(info: u8) -> bool {
    info == 0
}

/// How many neighbours a block names. One that names none names its place.
pub(super) fn neighbours(info: u8) -> u32 {
    (info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)).count_ones()
}

/// Reads the parts of an update, each with its bounds.
pub(super) struct Reader<'u> {
    pub(super) rest: &'u [u8],
}

impl<'u> Reader<'u> {
    pub(super) fn new(bytes: &'u [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| malformed("no end"))?;
        self.rest = rest;
        Ok(*first)
    }

    pub(super) fn bytes(&mut self, length: u64) -> Result<&'u [u8]> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.rest.len());
        let (taken, rest) = self.rest.split_at(length.ok_or_else(|| malformed("no end"))?);
        self.rest = rest;
        Ok(taken)
    }

    /// A number of variable length, at most 9 bytes: 63 bits.
    pub(super) fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for place in 0..9 {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << (7 * place);
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(malformed("a number without an end"))
    }

    fn clock(&mut self) -> Result<u32> {
        let clock = self.number()?;
        u32::try_from(clock)
            .ok()
            .filter(|clock| *clock <= CLOCKS)
            .ok_or_else(|| malformed("an impossible clock"))
    }

    pub(super) fn client(&mut self) -> Result<u64> {
        let client = self.number()?;
        if client <= CLIENTS { Ok(client) } else { Err(malformed("an impossible client")) }
    }

    pub(super) fn text(&mut self) -> Result<&'u str> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| malformed("a text that is not UTF-8"))
    }

    /// One block of a client that begins at a clock; its length in clocks.
    fn block(&mut self, client: u64, start: u32, beside: &mut BTreeSet<u64>) -> Result<u64> {
        let info = self.byte()?;
        if is_bare(info) {
            return self.number();
        }
        for _ in 0..neighbours(info) {
            // The library would link such a block to itself, and follow the links without end.
            let (neighbour, clock) = (self.client()?, self.clock()?);
            if neighbour == client && clock >= start {
                return Err(malformed("an operation that stands beside itself"));
            }
            if neighbour != client {
                beside.insert(neighbour);
            }
        }
        if neighbours(info) == 0 {
            self.place(info)?;
        }
        self.content(info)
    }

    /// The name of the text or list that a block belongs to.
    pub(super) fn root(&mut self, info: u8) -> Result<&'u str> {
        let named = self.number()? == 1 && info & HAS_KEY == 0;
        if named { self.text() } else { Err(malformed("content inside of content")) }
    }

    fn place(&mut self, info: u8) -> Result<()> {
        let root = self.root(info)?;
        let behind = super::SPACES.iter().find_map(|space| root.strip_prefix(space));
        let known = behind.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '[']));
        if known && root.len() <= 2 * limits::KEY {
            return Ok(());
        }
        Err(malformed("content under an unknown name"))
    }

    /// What a block holds; its length in clocks.
    pub(super) fn content(&mut self, info: u8) -> Result<u64> {
        match info & 0x0F {
            1 => self.number(),
            4 => Ok(self.text()?.encode_utf16().count() as u64),
            8 => {
                let length = self.number()?;
                for _ in 0..length {
                    self.value()?;
                }
                Ok(length)
            }
            _ => Err(malformed("content that documents here do not have")),
        }
    }

    /// One value of a list: a pair of a key and a small value, or a small value.
    pub(super) fn value(&mut self) -> Result<()> {
        let Some(rest) = self.rest.strip_prefix(&[117, 2, 119]) else { return self.small() };
        self.rest = rest;
        if self.text()?.len() > 2 * limits::KEY {
            return Err(malformed("a key that is too long"));
        }
        self.small()
    }

    fn small(&mut self) -> Result<()> {
        match self.byte()? {
            120 | 121 | 126 | 127 => Ok(()),
            125 => self.integer(),
            124 => self.float(4, |bytes| bytes.try_into().map(f32::from_be_bytes).is_ok_and(f32::is_finite)),
            123 => self.float(8, |bytes| bytes.try_into().map(f64::from_be_bytes).is_ok_and(f64::is_finite)),
            122 => self.bytes(8).map(drop),
            119 => self.text().map(drop),
            118 if self.number()? == 0 => Ok(()),
            117 => match self.number()? {
                0 => Ok(()),
                1 if self.byte()? == 119 => self.text().map(drop),
                _ => Err(malformed("nested values")),
            },
            116 => {
                let length = self.number()?;
                let bytes = self.bytes(length)?;
                let known = bytes.is_empty() || ElementId::of(bytes).is_some();
                if known { Ok(()) } else { Err(malformed("an element without an id")) }
            }
            _ => Err(malformed("a value of an unknown kind")),
        }
    }

    /// A signed number of variable length.
    fn integer(&mut self) -> Result<()> {
        for _ in 0..9 {
            if self.byte()? < 0x80 {
                return Ok(());
            }
        }
        Err(malformed("a number without an end"))
    }

    fn float(&mut self, length: u64, is_finite: impl Fn(&'u [u8]) -> bool) -> Result<()> {
        if is_finite(self.bytes(length)?) { Ok(()) } else { Err(malformed("a number that is none")) }
    }
}
