//! Names for what has none: the hash of a text in hexadecimal digits.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// The first bytes of a SHA-256, as two digits each; 32 are all of them.
pub(crate) fn hex(text: impl AsRef<[u8]>, bytes: usize) -> String {
    Sha256::digest(text).iter().take(bytes).fold(String::with_capacity(2 * bytes), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
