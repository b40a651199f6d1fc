//! What a watch passes over.

use glob::{MatchOptions, Pattern};
use vextir::{Error, Result};

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Decides which names below a root are passed over, folders with all that is in them.
#[derive(Debug, Clone)]
pub(super) struct Ignore {
    hidden: bool,
    /// Patterns without a slash: against each name.
    names: Vec<Pattern>,
    /// Patterns with a slash: against the path below the root.
    paths: Vec<Pattern>,
}

impl Ignore {
    /// Passes over hidden names, unless `hidden` are wanted, and over what matches a pattern.
    pub(super) fn new(hidden: bool, patterns: &[String]) -> Result<Self> {
        let mut ignore = Self { hidden, names: Vec::new(), paths: Vec::new() };
        for text in patterns {
            let bad = |error| Error::invalid(format!("ignore pattern {text:?}: {error}"));
            let bare = text.strip_suffix('/').unwrap_or(text);
            let anchored = bare.strip_prefix('/').unwrap_or(bare);
            let pattern = Pattern::new(anchored).map_err(bad)?;
            let list = if bare.contains('/') { &mut ignore.paths } else { &mut ignore.names };
            list.push(pattern);
        }
        Ok(ignore)
    }

    /// Whether the entry at this escaped path, whose folder is not passed over, is.
    pub(super) fn skips(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        (!self.hidden && name.starts_with('.'))
            || self.names.iter().any(|pattern| pattern.matches_with(name, OPTIONS))
            || self.paths.iter().any(|pattern| pattern.matches_with(path, OPTIONS))
    }

    /// Whether the entry, or a folder that it is in, is passed over.
    pub(super) fn skips_below(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        !path.is_empty() && ends.into_iter().any(|end| self.skips(&path[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignore(patterns: &[&str]) -> Ignore {
        let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
        Ignore::new(false, &patterns).unwrap()
    }

    #[test]
    fn hidden_names_are_passed_over_unless_wanted() {
        assert!(ignore(&[]).skips(".git"));
        assert!(ignore(&[]).skips("a/.cache"));
        assert!(ignore(&[]).skips_below("a/.cache/b"));
        assert!(!ignore(&[]).skips("a.b/c.d"));
        assert!(!Ignore::new(true, &[]).unwrap().skips(".git"));
    }

    #[test]
    fn a_pattern_without_a_slash_is_about_names_and_one_with_a_slash_about_paths() {
        let ignore = ignore(&["*.tmp", "node_modules", "/build", "docs/*.html", "**/cache/*.bin", "out/"]);
        for skipped in
            ["x.tmp", "a/b/x.tmp", "a/node_modules", "build", "docs/x.html", "a/cache/x.bin", "out"]
        {
            assert!(ignore.skips(skipped), "{skipped}");
        }
        for kept in ["x.tmp2", "a/build", "docs/a/x.html", "cache.bin"] {
            assert!(!ignore.skips(kept), "{kept}");
        }
        assert!(ignore.skips_below("a/node_modules/b/c.js"));
    }

    #[test]
    fn a_bad_pattern_is_refused_with_its_text() {
        let error = Ignore::new(false, &["a[".into()]).unwrap_err();
        assert!(error.to_string().contains("\"a[\""), "{error}");
    }
}
