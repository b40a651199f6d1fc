//! Paths: checked in one place, and brought to one spelling.

use crate::{Error, Result};
use unicode_normalization::UnicodeNormalization;

/// The longest path that something is made at, in bytes, in the tree of its owner.
pub const MAX_PATH_BYTES: usize = 1_024;
/// The longest segment of a path, in bytes.
pub const MAX_SEGMENT_BYTES: usize = 255;
/// The most segments of a path that something is made at, in the tree of its owner.
pub const MAX_DEPTH: usize = 32;
/// What can be asked for. More than what is made: `/Shared/<owner>/<name>` stands in front of what others share, and who
/// moves a folder without seeing all of it may bring what it does not see further down.
const LONGEST: usize = 4_096;
const DEEPEST: usize = 96;

/// The one spelling of a path: absolute, `/` between segments and none at the end, Unicode form NFC. `/` alone is
/// the user's root. Case matters.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir::context::clean_path;
///
/// assert_eq!(clean_path("/Projects/Cafe\u{301}")?, "/Projects/Caf\u{e9}");
/// assert!(clean_path("/Projects/../secret").is_err());
/// # Ok::<(), vextir::Error>(())
/// ```
///
/// # Errors
/// `Invalid`: it does not begin with `/`; a segment is empty, `.` or `..`, begins or ends with white space, or
/// holds a control character; a segment, the path or the number of segments is too long.
pub fn clean_path(path: &str) -> Result<String> {
    if path.len() > LONGEST {
        return Err(refused(path, format_args!("has {} bytes, at most {LONGEST}", path.len())));
    }
    let clean: String = if path.is_ascii() { path.to_owned() } else { path.nfc().collect() };
    if clean.len() > LONGEST {
        return Err(refused(path, format_args!("has {} bytes, at most {LONGEST}", clean.len())));
    }
    let Some(rest) = clean.strip_prefix('/') else {
        return Err(refused(path, "does not begin with /; paths start at the user's root"));
    };
    if rest.is_empty() {
        return Ok(clean);
    }
    let mut depth = 0;
    for segment in rest.split('/') {
        depth += 1;
        check_segment(segment).map_err(|what| refused(path, what))?;
    }
    if depth > DEEPEST {
        return Err(refused(path, format_args!("has {depth} segments, at most {DEEPEST}")));
    }
    Ok(clean)
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    let spaced = |sign: char| sign.is_whitespace();
    match segment {
        "" => Err("has an empty segment; write one / between segments and none at the end"),
        "." | ".." => Err("has a segment . or ..; write the path out"),
        _ if segment.chars().any(char::is_control) => Err("holds a control character"),
        _ if segment.starts_with(spaced) || segment.ends_with(spaced) => {
            Err("has a segment that begins or ends with white space")
        }
        _ if segment.len() > MAX_SEGMENT_BYTES => Err("has a segment of more than 255 bytes"),
        _ => Ok(()),
    }
}

/// The message shows the beginning of the path only, with what cannot be seen escaped.
fn refused(path: &str, what: impl std::fmt::Display) -> Error {
    const SHOWN: usize = 80;
    let mut shown: String = path.chars().take(SHOWN).collect();
    if shown.len() < path.len() {
        shown.push_str("..");
    }
    Error::invalid(format!("path {shown:?} {what}"))
}

/// The segments of a clean path; none for the root.
pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// Whether a clean path is `folder` or lies below it.
#[must_use]
pub fn is_within(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path at or below `from`, as it is called after `from` was moved to `to`.
#[must_use]
pub fn rebase(path: &str, from: &str, to: &str) -> Option<String> {
    is_within(path, from).then(|| format!("{to}{}", path.get(from.len()..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trick_is_refused_with_its_reason() {
        let long_segment = format!("/{}", "x".repeat(256));
        let deep = "/a".repeat(DEEPEST + 1);
        let long = format!("/{}", "abc/".repeat(1_200));
        let tricks = [
            ("", "begin with /"),
            ("notes", "begin with /"),
            ("//", "empty segment"),
            ("/a//b", "empty segment"),
            ("/a/", "empty segment"),
            ("/a/../b", "segment . or .."),
            ("/.", "segment . or .."),
            ("/a\0b", "control character"),
            ("/a\nb", "control character"),
            ("/a\u{85}b", "control character"),
            ("/ a", "white space"),
            ("/a/b\u{a0}", "white space"),
            (&long_segment, "255 bytes"),
            (&deep, "97 segments"),
            (&long, "4801 bytes"),
        ];
        for (path, reason) in tricks {
            let error = clean_path(path).unwrap_err().to_string();
            assert!(error.contains(reason), "{path:?}: {error}");
            assert!(!error.contains('\0') && error.len() < 300, "{error:?}");
        }
    }

    #[test]
    fn forms_of_one_text_are_one_path_and_cases_are_two() {
        assert_eq!(clean_path("/A\u{30a}").unwrap(), clean_path("/\u{c5}").unwrap());
        assert_eq!(clean_path("/\u{212b}").unwrap(), "/\u{c5}", "the sign for the unit is the letter");
        assert_ne!(clean_path("/Notes").unwrap(), clean_path("/notes").unwrap());
        assert_eq!(clean_path("/...").unwrap(), "/...", "a name like any other");
    }

    #[test]
    fn a_folder_holds_whole_segments() {
        assert!(is_within("/a/b", "/a") && is_within("/a", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a"));
        assert_eq!(rebase("/a/b/c", "/a/b", "/x").as_deref(), Some("/x/c"));
        assert_eq!(rebase("/a/bc", "/a/b", "/x"), None);
    }
}
