//! The form in which a document is stored.
//!
//! It is the first encoding of Yjs with two tables in front: clients (8 bytes each, and named by most operations) and
//! the names of texts, arrays and maps; and with short forms for the content that most entries of a map have. The
//! second encoding of Yjs is a little smaller, but the library panics when it reads damaged bytes of it, and only the
//! first one comes from outside: one form needs one set of checks.

use super::wire::{self, Reader};
use std::collections::HashMap;
use vextir_core::Result;

/// The first byte of a stored document: the encoding of Yjs as it is.
const PLAIN: u8 = 0;
/// The same with tables.
const PACKED: u8 = 1;

/// The stored form of an update.
pub(super) fn pack(update: &[u8]) -> Vec<u8> {
    // What this module cannot read it keeps as it is.
    with_tables(update).unwrap_or_else(|_| [&[PLAIN], update].concat())
}

fn with_tables(update: &[u8]) -> Result<Vec<u8>> {
    let mut packer = Packer::default();
    let body = packer.transcode(&mut Reader::new(update))?;
    let mut packed = vec![PACKED];
    number(&mut packed, packer.clients.len() as u64);
    packer.clients.iter().for_each(|client| number(&mut packed, *client));
    number(&mut packed, packer.names.len() as u64);
    packer.names.iter().for_each(|name| text(&mut packed, name));
    packed.extend(body);
    Ok(packed)
}

/// The update of a stored form.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Reader::new(packed);
    match reader.byte()? {
        PACKED => {}
        PLAIN => return Ok(reader.rest.to_vec()),
        _ => return Err(wire::malformed("a form that this version does not know")),
    }
    let mut unpacker = Unpacker::default();
    for _ in 0..reader.number()? {
        unpacker.clients.push(reader.client()?);
    }
    for _ in 0..reader.number()? {
        unpacker.names.push(reader.text()?);
    }
    unpacker.transcode(&mut reader)
}

pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Walks through an update and writes it in the other form.
trait Transcode<'u> {
    /// Reads a client in the one form, writes it in the other.
    fn client(&mut self, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()>;

    /// The same for the name of a map, text or array.
    fn name(&mut self, info: u8, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()>;

    fn transcode(&mut self, reader: &mut Reader<'u>) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(reader.rest.len());
        for _ in 0..same(reader, &mut out)? {
            let blocks = same(reader, &mut out)?;
            self.client(reader, &mut out)?;
            same(reader, &mut out)?;
            for _ in 0..blocks {
                self.block(reader, &mut out)?;
            }
        }
        for _ in 0..same(reader, &mut out)? {
            self.client(reader, &mut out)?;
            for _ in 0..same(reader, &mut out)? {
                same(reader, &mut out)?;
                same(reader, &mut out)?;
            }
        }
        if reader.rest.is_empty() { Ok(out) } else { Err(wire::malformed("bytes behind its end")) }
    }

    /// Reads what a block holds in the one form, writes it in the other; `at` is where its first byte was written.
    fn content(&mut self, info: u8, at: usize, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()>;

    fn block(&mut self, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()> {
        let info = reader.byte()?;
        let at = out.len();
        out.push(info);
        if wire::is_bare(info) {
            return same(reader, out).map(drop);
        }
        for _ in 0..wire::neighbours(info) {
            self.client(reader, out)?;
            same(reader, out)?;
        }
        if wire::neighbours(info) == 0 {
            self.name(info, reader, out)?;
        }
        self.content(info, at, reader, out)
    }
}

/// The part of a block's first byte that says what it holds.
const KIND: u8 = 0x0F;

/// Content with a short form: the kind in the encoding of Yjs and the bytes after it, and the kind in ours.
const SHORT: [(u8, &[u8], u8); 3] = [
    // A value of one string, any one value, one thing that was removed.
    (8, &[1, 119], 13),
    (8, &[1], 11),
    (1, &[1], 12),
];

fn same(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<u64> {
    let read = reader.number()?;
    number(out, read);
    Ok(read)
}

#[derive(Default)]
struct Packer<'u> {
    clients: Vec<u64>,
    client_places: HashMap<u64, usize>,
    names: Vec<&'u str>,
    name_places: HashMap<&'u str, usize>,
}

impl<'u> Transcode<'u> for Packer<'u> {
    fn client(&mut self, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()> {
        let client = reader.client()?;
        let place = *self.client_places.entry(client).or_insert_with(|| {
            self.clients.push(client);
            self.clients.len() - 1
        });
        number(out, place as u64);
        Ok(())
    }

    fn name(&mut self, info: u8, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()> {
        let name = reader.root(info)?;
        let place = *self.name_places.entry(name).or_insert_with(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        number(out, place as u64);
        Ok(())
    }

    fn content(&mut self, info: u8, at: usize, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()> {
        let before = reader.rest;
        reader.content(info)?;
        let mut content = &before[..before.len() - reader.rest.len()];
        for (kind, start, short) in SHORT {
            if let Some(rest) = content.strip_prefix(start).filter(|_| info & KIND == kind) {
                out[at] = info & !KIND | short;
                content = rest;
                break;
            }
        }
        out.extend_from_slice(content);
        Ok(())
    }
}

#[derive(Default)]
struct Unpacker<'u> {
    clients: Vec<u64>,
    names: Vec<&'u str>,
}

impl<'u> Transcode<'u> for Unpacker<'u> {
    fn client(&mut self, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()> {
        let place = usize::try_from(reader.number()?).ok();
        let client = place.and_then(|place| self.clients.get(place));
        number(out, *client.ok_or_else(|| wire::malformed("an unknown client"))?);
        Ok(())
    }

    fn name(&mut self, _: u8, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()> {
        let place = usize::try_from(reader.number()?).ok();
        let name = place.and_then(|place| self.names.get(place));
        number(out, 1);
        text(out, name.ok_or_else(|| wire::malformed("an unknown name"))?);
        Ok(())
    }

    fn content(&mut self, info: u8, at: usize, reader: &mut Reader<'u>, out: &mut Vec<u8>) -> Result<()> {
        let before = reader.rest;
        match SHORT.iter().find(|(_, _, short)| info & KIND == *short) {
            Some((kind, start, short)) => {
                out[at] = info & !KIND | kind;
                out.extend_from_slice(start);
                match short {
                    13 => drop(reader.text()?),
                    11 => reader.value()?,
                    _ => {}
                }
            }
            None => drop(reader.content(info)?),
        }
        out.extend_from_slice(&before[..before.len() - reader.rest.len()]);
        Ok(())
    }
}
