//! What was meant: the known name that is most like an unknown one.

use super::Finding;
use super::circuit::Circuit;
use super::finding::Unknown;
use std::collections::BTreeSet;

/// For how many findings it is looked, and among how many names.
const ADVISED: usize = 20;
const NAMES: usize = 10_000;
/// Longer names are not compared.
const LONGEST: usize = 64;

/// Puts a similar name into the remedy of findings about unknown ones: one that is handled, for what nobody handles, and one
/// that is emitted, for what nobody emits.
pub(super) fn advise(circuit: &Circuit<'_>, findings: &mut [Finding]) {
    let handled = circuit.groups.iter().map(|group| group.pattern.as_str());
    let handled: BTreeSet<&str> = handled.filter(|name| !name.contains('*')).collect();
    let mut emitted: BTreeSet<&str> = circuit.types.iter().map(|emitted| emitted.name.as_str()).collect();
    emitted.extend(circuit.kernels.iter().copied());
    for finding in findings.iter_mut().filter(|finding| finding.unknown.is_some()).take(ADVISED) {
        let near = match &finding.unknown {
            Some(Unknown::Emitted(name)) => nearest(name, &mut handled.iter().copied()),
            Some(Unknown::Awaited(name)) => nearest(name, &mut emitted.iter().copied()),
            Some(Unknown::Observed(name)) => nearest(name, &mut handled.union(&emitted).copied()),
            None => None,
        };
        if let Some(name) = near {
            let remedy = std::mem::take(&mut finding.remedy);
            finding.remedy = format!("did you mean `{name}`? Otherwise {remedy}");
        }
    }
}

fn nearest<'n>(unknown: &str, names: &mut dyn Iterator<Item = &'n str>) -> Option<&'n str> {
    let length = unknown.len();
    // None in a short name, up to three in a long one.
    let most = (length / 5).min(3);
    if most == 0 || length > LONGEST || unknown.contains('*') {
        return None;
    }
    let near = names.take(NAMES).filter(|name| name.len().abs_diff(length) <= most && *name != unknown);
    near.map(|name| (slips(unknown.as_bytes(), name.as_bytes()), name))
        .filter(|(slips, _)| *slips <= most)
        .min()
        .map(|(_, name)| name)
}

/// How many letters have to be put in, taken away, replaced or exchanged with their neighbour.
fn slips(one: &[u8], other: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, theirs) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != theirs);
            let mut least = replaced.min(last[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && *letter == other[column - 1] && one[row - 1] == *theirs {
                least = least.min(before[column - 1] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut last, line);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{nearest, slips};

    #[test]
    fn slips_are_counted() {
        for (one, other, count) in
            [("", "", 0), ("mail", "mail", 0), ("mail", "mial", 1), ("mail", "mails", 1), ("a", "xyz", 3)]
        {
            assert_eq!(slips(one.as_bytes(), other.as_bytes()), count, "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_if_it_is_near() {
        let names = ["email.fetch", "email.fetched", "chat.say"];
        assert_eq!(nearest("email.fetsh", &mut names.into_iter()), Some("email.fetch"));
        assert_eq!(nearest("weather.get", &mut names.into_iter()), None);
        assert_eq!(nearest("chat.*", &mut names.into_iter()), None);
    }
}
