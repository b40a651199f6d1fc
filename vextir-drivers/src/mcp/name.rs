//! Names: of servers, and of tools as segments of event types.

use vextir::{Error, Result};

/// The longest name of a server, in bytes.
const LONGEST_SERVER: usize = 64;
/// The longest name of a tool, in bytes: with its server and `.result` it stays within what an event type may have.
const LONGEST_TOOL: usize = 128;

/// Checks a server's name: it is a segment of event types.
pub(super) fn server(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > LONGEST_SERVER || name.starts_with('-') || !name.chars().all(is_plain)
    {
        return Err(Error::invalid(format!(
            "{:?} is no name for an MCP server: use ASCII letters, digits, '_' and '-', at most {LONGEST_SERVER}",
            name.chars().take(80).collect::<String>()
        )));
    }
    Ok(())
}

/// A tool's name as a segment of an event type: what may not stand there becomes `_`.
pub(super) fn segment(tool: &str) -> Result<String> {
    if tool.is_empty() || tool.len() > LONGEST_TOOL {
        let shown: String = tool.chars().take(40).collect();
        return Err(Error::invalid(format!(
            "the tool {shown:?} has a name of {} bytes; 1 to {LONGEST_TOOL}: leave it out with `deny`",
            tool.len()
        )));
    }
    let plain = |(index, c): (usize, char)| match c {
        '-' if index > 0 => '-',
        c if c.is_ascii_alphanumeric() || c == '_' => c,
        _ => '_',
    };
    Ok(tool.chars().enumerate().map(plain).collect())
}

/// Whether a name fits a pattern in which `*` stands for any part.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    while let Some((part, more)) = rest.split_once('*') {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
        rest = more;
    }
    name.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::{fits, segment, server};

    #[test]
    fn a_tool_becomes_one_segment() {
        assert_eq!(segment("create_issue").unwrap(), "create_issue");
        assert_eq!(segment("-a.b/c d-é").unwrap(), "_a_b_c_d-_");
        assert!(segment("").is_err() && segment(&"x".repeat(129)).is_err());
        assert!(server("git-hub_1").is_ok());
        for bad in ["", "a.b", "-a", "ä", "a b"] {
            assert!(server(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_star_is_any_part() {
        for (pattern, name, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("write_*", "write_file", true),
            ("write_*", "rewrite_file", false),
            ("*_file", "read_file", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("ab*b", "ab", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
