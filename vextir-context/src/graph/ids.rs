//! Ids of the graph's rows: hashes of what tells them apart, the same in every replica.

use sha2::{Digest, Sha256};

/// The id of a row.
pub(crate) type Uid = [u8; 16];

/// The hash of some parts; no two lists of parts look alike.
pub(super) fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Uid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut uid = [0; 16];
    uid.copy_from_slice(&hash.finalize()[..16]);
    uid
}

pub(super) fn of_entity(owner: &str, kind: &str, key: &str) -> Uid {
    hash([b"entity".as_slice(), owner.as_bytes(), kind.as_bytes(), key.as_bytes()])
}

pub(super) fn of_episode(owner: &str, source: &str, key: &str) -> Uid {
    hash([b"episode".as_slice(), owner.as_bytes(), source.as_bytes(), key.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{hex, unhex};

    #[test]
    fn ids_come_back_and_tell_parts_apart() {
        let uid = of_entity("ann", "a", "bc");
        assert_eq!(unhex(&hex(&uid)), Some(uid));
        assert_ne!(uid, of_entity("ann", "ab", "c"));
        assert!(unhex("").is_none() && unhex(&"+1".repeat(16)).is_none());
    }
}
