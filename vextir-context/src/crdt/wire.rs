//! Reads an update that came from outside before the CRDT library sees it.
//!
//! An update is bytes in the first encoding of Yjs. A document of ours holds texts, arrays and flat maps of small
//! values under names of our own, and nothing else; so whatever else an update may hold (values nested without
//! end, lengths that reserve gigabytes, sub-documents) is refused here, at a cost that is linear in its size.

use super::key::ElementId;
use super::limits;
use vextir_core::{Error, Result};
use yrs::{ClientID, StateVector};

/// What an update brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// For each client, the clock behind its last operation.
    pub(super) ends: Vec<(u64, u32)>,
    /// Where the deletions begin, in bytes.
    pub(super) deletions: usize,
}

/// The highest id of a client that the format has room for.
pub(super) const CLIENTS: u64 = (1 << 53) - 1;
/// The highest clock that is accepted: far above what fits into one update, far below where sums overflow.
const CLOCKS: u32 = 1 << 30;

const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_NAME: u8 = 0x20;

/// Checks an update, and says what it brings.
pub(super) fn contents(update: &[u8]) -> Result<Contents> {
    let mut reader = Reader { rest: update };
    let mut contents = Contents::default();
    for _ in 0..reader.number()? {
        let blocks = reader.number()?;
        let client = reader.client()?;
        let mut clock = reader.clock()?;
        for _ in 0..blocks {
            let length = reader.block()?;
            clock = later(clock, length)?;
        }
        contents.ends.push((client, clock));
    }
    contents.deletions = update.len() - reader.rest.len();
    for _ in 0..reader.number()? {
        reader.client()?;
        for _ in 0..reader.number()? {
            let from = reader.clock()?;
            let length = reader.number()?;
            later(from, length)?;
        }
    }
    if reader.rest.is_empty() { Ok(contents) } else { Err(malformed("bytes behind its end")) }
}

/// Reads a state vector: for each client, how many of its operations are known.
pub(super) fn vector(bytes: &[u8]) -> Result<StateVector> {
    limits::check_update(bytes.len())?;
    let mut reader = Reader { rest: bytes };
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

fn malformed(what: &str) -> Error {
    Error::invalid(format!(
        "the update has {what}; it was not applied. Ask the replica that sent it for a new one"
    ))
}

struct Reader<'u> {
    rest: &'u [u8],
}

impl<'u> Reader<'u> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.rest.split_first().ok_or_else(|| malformed("no end"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn bytes(&mut self, length: u64) -> Result<&'u [u8]> {
        let length = usize::try_from(length).ok().filter(|length| *length <= self.rest.len());
        let (taken, rest) = self.rest.split_at(length.ok_or_else(|| malformed("no end"))?);
        self.rest = rest;
        Ok(taken)
    }

    /// A number of variable length, at most 9 bytes: 63 bits.
    fn number(&mut self) -> Result<u64> {
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

    fn client(&mut self) -> Result<u64> {
        let client = self.number()?;
        if client <= CLIENTS { Ok(client) } else { Err(malformed("an impossible client")) }
    }

    fn text(&mut self) -> Result<&'u str> {
        let length = self.number()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| malformed("a text that is not UTF-8"))
    }

    /// One block; its length in clocks.
    fn block(&mut self) -> Result<u64> {
        let info = self.byte()?;
        // Removed content whose place nobody needs, and gaps.
        if matches!(info, 0 | 10) {
            return self.number();
        }
        for flag in [HAS_ORIGIN, HAS_RIGHT_ORIGIN] {
            if info & flag != 0 {
                self.client()?;
                self.clock()?;
            }
        }
        if info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
            self.parent(info & HAS_NAME != 0)?;
        }
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

    fn parent(&mut self, has_name: bool) -> Result<()> {
        if self.number()? != 1 {
            return Err(malformed("content inside of content"));
        }
        let root = self.text()?;
        let behind = super::SPACES.iter().find_map(|space| root.strip_prefix(space));
        let known =
            behind.is_some_and(|rest| if has_name { rest.is_empty() } else { rest.starts_with([':', '[']) });
        let name = if has_name { self.text()? } else { root };
        if known && name.len() <= 2 * limits::KEY {
            return Ok(());
        }
        Err(malformed("content under an unknown name"))
    }

    fn value(&mut self) -> Result<()> {
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
