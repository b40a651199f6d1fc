//! What of a table a query can want at most, as far as its conditions tell before any row is read. SQLite checks
//! every condition again, so that too much here is only slow.

use rusqlite::vtab::{Filters, IndexConstraintOp, IndexInfo};

/// A condition on a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Is,
    AtLeast,
    AtMost,
    Like,
}

/// The part of a table that is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) id: Option<String>,
    pub(super) paths: Paths,
    /// The columns that are read, as bits.
    pub(super) columns: u64,
}

/// The paths that are looked at: those that begin so, or the one that is exactly so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paths {
    pub(super) start: String,
    pub(super) is_exact: bool,
    /// Whether upper and lower case of ASCII are the same.
    pub(super) folds: bool,
}

impl Paths {
    fn begins(&self, text: &str, start: &str) -> bool {
        let Some(front) = text.as_bytes().get(..start.len()) else { return false };
        if self.folds { front.eq_ignore_ascii_case(start.as_bytes()) } else { front == start.as_bytes() }
    }

    /// Whether a path is one of them.
    pub(super) fn has(&self, path: &str) -> bool {
        self.begins(path, &self.start) && (!self.is_exact || path.len() == self.start.len())
    }

    /// Whether one of them may be below a folder.
    pub(super) fn reach_below(&self, folder: &str) -> bool {
        let folder = if folder == "/" { "" } else { folder };
        if self.start.len() > folder.len() {
            return self.begins(&self.start, folder) && self.start.as_bytes()[folder.len()] == b'/';
        }
        !self.is_exact && self.begins(folder, &self.start)
    }

    /// What a folder's entries are looked up by: one name, or the beginning of names.
    pub(super) fn in_folder(&self, folder: &str) -> Entries<'_> {
        let base = if folder == "/" { "" } else { folder };
        let rest = self.start.strip_prefix(base).and_then(|rest| rest.strip_prefix('/'));
        match rest {
            Some(rest) if !self.folds => match rest.split_once('/') {
                Some((name, _)) => Entries::One(name),
                None if self.is_exact => Entries::One(rest),
                None => Entries::From(rest),
            },
            _ => Entries::From(""),
        }
    }
}

/// Which entries of a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entries<'a> {
    One(&'a str),
    /// Those whose name begins so.
    From(&'a str),
}

/// The columns of a table, as bits: none has more.
const COLUMNS: u64 = (1 << 16) - 1;

/// Chooses which conditions are handed to [`wanted`], and how much is expected of them.
pub(super) fn choose(info: &mut IndexInfo, id: i32, path: Option<i32>) {
    let mut chosen = Vec::new();
    for (index, constraint) in info.constraints().enumerate() {
        let is_id = constraint.column() == id;
        let is_path = Some(constraint.column()) == path;
        let test =
            match constraint.operator() {
                _ if !constraint.is_usable() || !(is_id || is_path) => continue,
                IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ => Test::Is,
                _ if is_id => continue,
                IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GT
                | IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_GE => Test::AtLeast,
                IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LT
                | IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LE => Test::AtMost,
                IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_LIKE => Test::Like,
                _ => continue,
            };
        // Under another collation, other texts are equal.
        let is_plain = info.collation(index).is_ok_and(|name| name == "BINARY");
        if test == Test::Like || is_plain {
            chosen.push((index, is_id, test));
        }
    }
    let mut plan = String::new();
    for (argument, (index, is_id, test)) in (1..).zip(&chosen) {
        info.constraint_usage(*index).set_argv_index(argument);
        plan.push(match test {
            Test::Is if *is_id => 'i',
            Test::Is => '=',
            Test::AtLeast => '>',
            Test::AtMost => '<',
            Test::Like => '~',
        });
    }
    let (cost, rows) = if plan.contains(['i', '=']) {
        (10.0, 1)
    } else if plan.contains('~') || (plan.contains('<') && plan.contains('>')) {
        (10_000.0, 1_000)
    } else {
        (1_000_000.0, 100_000)
    };
    info.set_estimated_cost(cost);
    info.set_estimated_rows(rows);
    info.set_idx_str(&plan);
    info.set_idx_num(i32::try_from(info.col_used() & COLUMNS).unwrap_or(0));
}

/// The part of the table that the chosen conditions leave.
pub(super) fn wanted(columns: i32, plan: &str, values: &Filters<'_>) -> Wanted {
    let mut wanted = Wanted { columns: u64::try_from(columns).unwrap_or(0), ..Wanted::default() };
    let mut range = (None, None);
    let mut found: Vec<Paths> = Vec::new();
    for (sign, index) in plan.chars().zip(0..values.len()) {
        // Anything but a text says nothing here; SQLite compares it.
        let Ok(text) = values.get::<String>(index) else { continue };
        match sign {
            'i' => wanted.id = Some(text),
            '=' => found.push(Paths { start: text, is_exact: true, folds: false }),
            '~' => found.push(Paths { start: literal(&text), is_exact: false, folds: true }),
            '>' => range.0 = Some(text),
            _ => range.1 = Some(text),
        }
    }
    if let (Some(low), Some(high)) = range {
        found.push(Paths { start: shared(&low, &high), ..Paths::default() });
    }
    if let Some(best) = found.into_iter().max_by_key(|paths| (paths.is_exact, paths.start.len())) {
        wanted.paths = best;
    }
    wanted
}

/// What every text begins with that fits a `LIKE` pattern.
fn literal(pattern: &str) -> String {
    pattern.chars().take_while(|sign| !matches!(sign, '%' | '_')).collect()
}

/// What every text between two others begins with.
fn shared(low: &str, high: &str) -> String {
    low.chars().zip(high.chars()).take_while(|(one, other)| one == other).map(|(sign, _)| sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(start: &str, is_exact: bool, folds: bool) -> Paths {
        Paths { start: start.into(), is_exact, folds }
    }

    #[test]
    fn a_prefix_names_what_is_looked_at() {
        let some = paths("/Projects/Al", false, false);
        assert!(some.has("/Projects/Alpha/x") && !some.has("/Projects/Beta") && !some.has("/projects/Alpha"));
        assert!(
            some.reach_below("/") && some.reach_below("/Projects") && some.reach_below("/Projects/Alpha")
        );
        assert!(!some.reach_below("/Proj") && !some.reach_below("/Projects/Beta"));
        assert_eq!(some.in_folder("/"), Entries::One("Projects"));
        assert_eq!(some.in_folder("/Projects"), Entries::From("Al"));
        assert_eq!(some.in_folder("/Projects/Alpha"), Entries::From(""));
        let like = paths("/projects/", false, true);
        assert!(like.has("/Projects/x") && like.reach_below("/PROJECTS") && !like.reach_below("/Other"));
        assert_eq!(like.in_folder("/"), Entries::From(""));
        let one = paths("/a/b", true, false);
        assert!(one.has("/a/b") && !one.has("/a/bc") && !one.reach_below("/a/b") && one.reach_below("/a"));
        assert_eq!(one.in_folder("/a"), Entries::One("b"));
        let all = Paths::default();
        assert!(all.has("/x") && all.reach_below("/") && all.reach_below("/x"));
        assert_eq!(shared("/Projects/", "/Projects0"), "/Projects");
        assert_eq!(literal("/a_b%"), "/a");
    }
}
