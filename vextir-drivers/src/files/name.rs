//! File names as text, without loss.
//!
//! A name that is plain text stays as it is. What is not becomes an escape. On Unix the bytes of what is not
//! UTF-8 and of control characters are `\xHH`, and a backslash is `\\`; on Windows unpaired surrogates and
//! control characters are `\uHHHH`. Folders are joined with `/` everywhere.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use vextir::{Error, Result};

/// A file name, or a path, as text that [`unescape`] turns back into the same name.
///
/// ```
/// # #[cfg(unix)] {
/// use std::ffi::OsStr;
/// use std::os::unix::ffi::OsStrExt;
/// use vextir_drivers::files::{escape, unescape};
///
/// assert_eq!(escape(OsStr::new("Übersicht 100 %.txt")), "Übersicht 100 %.txt");
///
/// let odd = OsStr::from_bytes(b"caf\xe9 \\ menu\n");
/// assert_eq!(escape(odd), r"caf\xe9 \\ menu\x0a");
/// assert_eq!(unescape(&escape(odd))?, odd);
/// # }
/// # Ok::<(), vextir_core::Error>(())
/// ```
#[must_use]
pub fn escape(name: impl AsRef<OsStr>) -> String {
    let name = name.as_ref();
    match name.to_str() {
        Some(text) if !text.chars().any(is_special) => text.to_owned(),
        _ => platform::escape(name),
    }
}

/// The name that [`escape`] made this text of.
///
/// # Errors
/// A backslash that begins no escape.
pub fn unescape(text: &str) -> Result<OsString> {
    if !text.contains('\\') {
        return Ok(text.into());
    }
    platform::unescape(text).ok_or_else(|| {
        Error::invalid(format!(
            "file name {text:?}: after a backslash comes x and two hexadecimal digits, or another backslash"
        ))
    })
}

/// Joins an escaped relative path to a folder.
pub(super) fn below(folder: &Path, relative: &str) -> Result<PathBuf> {
    let mut path = folder.to_owned();
    if !relative.is_empty() {
        path.push(unescape(relative)?);
    }
    Ok(path)
}

/// Whether a character of plain text has to be escaped.
fn is_special(c: char) -> bool {
    c == '\\' || c.is_control()
}

/// A number of `digits` hexadecimal digits, and what follows.
fn hexadecimal(text: &str, digits: usize) -> Option<(u16, &str)> {
    let (number, rest) = text.split_at_checked(digits)?;
    // `from_str_radix` alone would take a sign.
    let only_digits = number.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((u16::from_str_radix(number, 16).ok().filter(|_| only_digits)?, rest))
}

#[cfg(unix)]
mod platform {
    use super::{hexadecimal, is_special};
    use std::ffi::{OsStr, OsString};
    use std::fmt::Write;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    pub(super) fn escape(name: &OsStr) -> String {
        let mut text = String::with_capacity(name.len() + 8);
        for chunk in name.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    c if is_special(c) => push_bytes(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                    c => text.push(c),
                }
            }
            push_bytes(&mut text, chunk.invalid());
        }
        text
    }

    /// Writes bytes as `\xHH`.
    fn push_bytes(text: &mut String, bytes: &[u8]) {
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }

    pub(super) fn unescape(text: &str) -> Option<OsString> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((plain, escaped)) = rest.split_once('\\') {
            bytes.extend_from_slice(plain.as_bytes());
            if let Some(after) = escaped.strip_prefix('\\') {
                bytes.push(b'\\');
                rest = after;
            } else {
                let (byte, after) = hexadecimal(escaped.strip_prefix('x')?, 2)?;
                bytes.push(u8::try_from(byte).ok()?);
                rest = after;
            }
        }
        bytes.extend_from_slice(rest.as_bytes());
        Some(OsString::from_vec(bytes))
    }
}

#[cfg(windows)]
mod platform {
    use super::{hexadecimal, is_special};
    use std::ffi::{OsStr, OsString};
    use std::fmt::Write;
    use std::os::windows::ffi::{OsStrExt, OsStringExt};

    pub(super) fn escape(name: &OsStr) -> String {
        let mut text = String::with_capacity(name.len() + 8);
        for unit in char::decode_utf16(name.encode_wide()) {
            match unit {
                Ok('\\') => text.push('/'),
                Ok(c) if is_special(c) => push_unit(&mut text, u32::from(c)),
                Ok(c) => text.push(c),
                Err(lone) => push_unit(&mut text, u32::from(lone.unpaired_surrogate())),
            }
        }
        text
    }

    fn push_unit(text: &mut String, unit: u32) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\u{unit:04x}");
    }

    pub(super) fn unescape(text: &str) -> Option<OsString> {
        let mut wide = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((plain, escaped)) = rest.split_once('\\') {
            wide.extend(plain.encode_utf16());
            let (unit, after) = hexadecimal(escaped.strip_prefix('u')?, 4)?;
            wide.push(unit);
            rest = after;
        }
        wide.extend(rest.encode_utf16());
        Some(OsString::from_wide(&wide))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    #[test]
    fn text_stays_text_and_the_rest_is_escaped() {
        assert_eq!(escape("a/b c.txt"), "a/b c.txt");
        assert_eq!(escape("tab\there"), r"tab\x09here");
        assert_eq!(escape(OsStr::from_bytes(b"\xff\xc3(")), r"\xff\xc3(");
        assert_eq!(unescape(r"\\x41").unwrap(), r"\x41");
    }

    #[test]
    fn a_bad_escape_is_refused() {
        for bad in [r"\", r"\x4", r"\xgg", r"\n", r"\x+1", "\\xé"] {
            assert!(unescape(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let name = OsString::from_vec(bytes);
            let text = escape(&name);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(unescape(&text).unwrap(), name);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = unescape(&text);
        }
    }
}
