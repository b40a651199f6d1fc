//! What replicas, nodes and operations are called, on every replica alike.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use vextir_core::{Error, Result};

/// 128 bits: a node, an incarnation of a replica, a file, a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Uid(pub(crate) [u8; 16]);

impl Uid {
    /// One that nobody else has.
    pub(crate) fn random() -> Self {
        Self(fastrand::u128(..).to_be_bytes())
    }

    /// The root of a user: each replica makes it on its own, and it must be the same one.
    pub(crate) fn of_root(user: &str) -> Self {
        let mut uid = [0; 16];
        let hash = Sha256::new().chain_update(b"vextir root\0").chain_update(user).finalize();
        uid.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Self(uid)
    }

    /// A stored one.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| crate::fault::damaged("an identity"))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        hexadecimal(&uid.0)
    }
}

impl TryFrom<String> for Uid {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let bytes = of_hexadecimal(&text)?;
        bytes.try_into().map(Self).map_err(|_| Error::invalid("an identity has 32 hexadecimal digits"))
    }
}

/// Bytes that travel as hexadecimal text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        hexadecimal(&bytes.0)
    }
}

impl TryFrom<String> for Bytes {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        of_hexadecimal(&text).map(Self)
    }
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn of_hexadecimal(text: &str) -> Result<Vec<u8>> {
    let digit = |sign: u8| match sign {
        b'0'..=b'9' => Ok(sign - b'0'),
        b'a'..=b'f' => Ok(sign - b'a' + 10),
        _ => Err(Error::invalid("hexadecimal text has something else in it")),
    };
    if !text.len().is_multiple_of(2) {
        return Err(Error::invalid("hexadecimal text has half a byte at its end"));
    }
    text.as_bytes().chunks_exact(2).map(|pair| Ok(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// When something was said, and by whom: what is later wins, the same on all replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Stamp(pub(crate) i64, pub(crate) Uid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_their_text_and_other_text_is_refused() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(of_hexadecimal(&hexadecimal(&bytes)).unwrap(), bytes);
        for text in ["0", "0g", "0A", "é"] {
            assert!(of_hexadecimal(text).is_err(), "{text}");
        }
        assert!(Uid::try_from("00".to_owned()).is_err());
        let uid = Uid::random();
        assert_eq!(Uid::try_from(String::from(uid)).unwrap(), uid);
        assert_ne!(Uid::of_root("ann"), Uid::of_root("bob"));
    }
}
