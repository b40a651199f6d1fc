//! The names under which the parts of a JSON value are stored.
//!
//! A key is a JSON Pointer (RFC 6901) from the document's root, or, for a part of an array's element, the id of
//! that element followed by the pointer from there. So two replicas that create the same nested object give its
//! members the same keys, and an element that moves within its array keeps its parts.

/// The characters of an element's id; none of them begins a pointer.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ID_LENGTH: usize = 8;

/// The identity of an object or array that stands in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ElementId([u8; ID_LENGTH]);

impl ElementId {
    /// The id of the element that `client` creates at its `clock`, which it passes only once. 48 bits: two
    /// replicas that each add a thousand elements to one document clash once in 300 million times.
    pub(super) fn new(client: u64, clock: u32) -> Self {
        let mut mixed = client ^ u64::from(clock).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let sign = |at: usize| ALPHABET.get((mixed >> (16 + 6 * at)) as usize & 63).copied().unwrap_or(b'A');
        Self(std::array::from_fn(sign))
    }

    /// Reads a stored id.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let id: [u8; ID_LENGTH] = bytes.try_into().ok()?;
        id.iter().all(|sign| ALPHABET.contains(sign)).then_some(Self(id))
    }

    /// The id as the key of the element itself.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The key of the member `name` of the object at `key`.
pub(super) fn member(key: &str, name: &str) -> String {
    let mut child = String::with_capacity(key.len() + 1 + name.len());
    child.push_str(key);
    child.push('/');
    for sign in name.chars() {
        match sign {
            '~' => child.push_str("~0"),
            '/' => child.push_str("~1"),
            other => child.push(other),
        }
    }
    child
}

/// The member's name that the token of a pointer stands for.
pub(super) fn name(token: &str) -> String {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~") } else { token.to_owned() }
}

/// The keys of everything below `key`: at least the first, below the second. `0` follows `/` in Unicode.
pub(super) fn below(key: &str) -> (String, String) {
    (format!("{key}/"), format!("{key}0"))
}

/// The name of the text that belongs to `key`, in a space.
pub(super) fn text(space: &str, key: &str) -> String {
    [space, ":", key].concat()
}

/// The name of the array that belongs to `key`, in a space. A text has another name, because edits of a text and of
/// an array, made at the same time by two replicas, must not meet in one sequence.
pub(super) fn array(space: &str, key: &str) -> String {
    [space, "[", key].concat()
}

#[cfg(test)]
mod tests {
    use super::{ElementId, below, member, name};

    #[test]
    fn names_survive_their_pointers() {
        for plain in ["", "a", "/", "~", "~1", "a/b~c", "~01", "ü\u{0}🦀"] {
            let key = member("/x", plain);
            assert_eq!(name(key.strip_prefix("/x/").expect("a member of x")), plain);
            let (from, to) = below("/x");
            assert!(from <= key && key < to, "{key}");
        }
    }

    #[test]
    fn ids_differ_by_client_and_clock_and_are_read_back() {
        let ids: std::collections::BTreeSet<_> =
            (0..100).flat_map(|client| (0..100).map(move |clock| ElementId::new(client, clock))).collect();
        assert_eq!(ids.len(), 10_000);
        let id = ElementId::new(7, 8);
        assert_eq!(ElementId::of(id.as_str().as_bytes()), Some(id));
        assert_eq!(ElementId::of(b"short"), None);
        assert_eq!(ElementId::of(b"/slashes"), None);
    }
}
