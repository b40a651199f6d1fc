//! The grammars of names, patterns and memory sizes: those of the kernel, known before anything runs.

/// The longest event type, in bytes.
const MAX_TYPE_BYTES: usize = 255;

/// Checks an event type; the kernel's `check_type` says the same at run time.
pub(crate) fn check_type(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if text.len() > MAX_TYPE_BYTES {
        return Err(format!("it has {} bytes, and at most {MAX_TYPE_BYTES} are possible", text.len()));
    }
    text.split('.').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), String> {
    let Some(first) = segment.chars().next() else {
        return Err("one of its segments is empty".into());
    };
    if first == '-' {
        return Err(format!("segment {segment:?} begins with '-'"));
    }
    match segment.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))) {
        Some(bad) => Err(format!("{bad:?} is none of ASCII letters, digits, '_' and '-'")),
        None => Ok(()),
    }
}

/// Checks an event type or a pattern.
pub(crate) fn check_pattern(text: &str) -> Result<(), String> {
    if !text.contains('*') {
        return check_type(text);
    }
    let mut segments = text.split('.').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "*" => {}
            "**" if segments.peek().is_none() => {}
            "**" => return Err("\"**\" stands at the end only".into()),
            mixed if mixed.contains('*') => {
                return Err(format!("segment {mixed:?} mixes '*' with text, and '*' is a whole segment"));
            }
            plain => check_segment(plain)?,
        }
    }
    Ok(())
}

/// A name for a sentence about it: quoted, and cut when it is too long to read.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((cut, _)) if text.len() > MAX_TYPE_BYTES => format!("{:?}..", &text[..cut]),
        _ => format!("{text:?}"),
    }
}

/// Sorts patterns, the most specific first: segment by segment, text before `*` before `**`.
pub(crate) fn specificity(pattern: &str) -> Vec<u8> {
    let rank = |segment| match segment {
        "**" => 2,
        "*" => 1,
        _ => 0,
    };
    pattern.split('.').map(rank).collect()
}

/// The bytes that a memory size such as `512MB` or `64MiB` stands for.
pub(crate) fn parse_memory(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 7] = [
        ("KIB", 1 << 10),
        ("MIB", 1 << 20),
        ("GIB", 1 << 30),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
    ];
    let upper = text.trim().to_ascii_uppercase();
    UNITS.iter().find_map(|(unit, size)| {
        let number = upper.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
        number.checked_mul(*size)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_whole_segments() {
        for good in ["task", "task.*", "task.**", "*.created", "**", "a.*.c", "a-b.c_d.9"] {
            assert_eq!(check_pattern(good), Ok(()), "{good:?}");
        }
        for bad in ["", "a..b", "ta*k", "**.a", "a.**.b", "a b", ".", "*.", "-a", "a.*.-b", "***"] {
            assert!(check_pattern(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_type_has_no_wildcard_and_a_limit() {
        assert!(check_type("task.*").is_err());
        assert!(check_type(&"a".repeat(255)).is_ok());
        assert!(check_type(&"a".repeat(256)).is_err());
    }

    #[test]
    fn text_comes_before_wildcards() {
        let mut patterns = ["**", "a.**", "*.*", "a.*", "a.b.**", "a.*.c", "*.b"];
        patterns.sort_by_key(|pattern| specificity(pattern));
        assert_eq!(patterns, ["a.b.**", "a.*", "a.*.c", "a.**", "*.b", "*.*", "**"]);
    }

    #[test]
    fn memory_has_decimal_and_binary_units() {
        assert_eq!(parse_memory("512MB"), Some(512_000_000));
        assert_eq!(parse_memory(" 64 mib"), Some(64 << 20));
        assert_eq!(parse_memory("512"), None);
        assert_eq!(parse_memory("99999999999GB"), None);
    }
}
