//! What holds: worked out from the statements that a reader may see.
//!
//! Links of a relation that may have many: each holds while a statement of it does. Of links of a single-valued one,
//! the one that was said to hold since last, at the time that is asked for, retires the others, in whatever order they
//! came; where that has ceased to hold, none does.

use super::Sight;
use crate::decode::get;
use crate::fault::OrFault;
use rusqlite::{Connection, Row};
use vextir_core::Result;

/// How many episodes of a link are told.
const WITNESSES: usize = 8;

const COLUMNS: &str = "valid_from, valid_until, known_from, known_until, episode";

/// Whether a statement is known at a time.
const IS_KNOWN: &str = "known_from <= ?2 AND (known_until IS NULL OR known_until > ?2)";

/// One statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) link: i64,
    pub(crate) from: i64,
    pub(crate) until: Option<i64>,
    pub(crate) known_from: i64,
    pub(crate) known_until: Option<i64>,
    pub(crate) episode: i64,
}

impl Stated {
    fn read(row: &Row<'_>, link: i64) -> Result<Self> {
        Ok(Self {
            link,
            from: get(row, 0)?,
            until: get(row, 1)?,
            known_from: get(row, 2)?,
            known_until: get(row, 3)?,
            episode: get(row, 4)?,
        })
    }

    /// Which of two retires the other.
    fn rank(&self) -> (i64, i64) {
        (self.from, self.known_from)
    }
}

/// A link that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) link: i64,
    pub(crate) from: i64,
    pub(crate) until: Option<i64>,
    pub(crate) known_from: i64,
    pub(crate) known_until: Option<i64>,
    pub(crate) episodes: Vec<i64>,
}

impl From<Stated> for Holding {
    fn from(stated: Stated) -> Self {
        let Stated { link, from, until, known_from, known_until, episode } = stated;
        Self { link, from, until, known_from, known_until, episodes: vec![episode] }
    }
}

/// The earlier of two ends, where none is never.
fn sooner(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    [one, other].into_iter().flatten().min()
}

/// A link of a relation that may have many, if it holds.
pub(super) fn one_of_many(connection: &Connection, sight: &mut Sight, link: i64) -> Result<Option<Holding>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM statement WHERE link = ?1 AND {IS_KNOWN}
         AND valid_from <= ?3 AND (valid_until IS NULL OR valid_until > ?3) ORDER BY valid_from"
    );
    let mut statement = connection.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query((link, sight.known, sight.valid)).or_fault()?;
    let mut holding: Option<Holding> = None;
    while let Some(row) = rows.next().or_fault()? {
        let stated = Stated::read(row, link)?;
        if !sight.sees(connection, stated.episode)? {
            continue;
        }
        let Some(known) = &mut holding else {
            holding = Some(stated.into());
            continue;
        };
        known.until = known.until.zip(stated.until).map(|(one, other)| one.max(other));
        known.known_until = known.known_until.zip(stated.known_until).map(|(one, other)| one.max(other));
        known.known_from = known.known_from.min(stated.known_from);
        if !known.episodes.contains(&stated.episode) {
            known.episodes.push(stated.episode);
        }
        if known.episodes.len() >= WITNESSES && known.until.is_none() {
            break;
        }
    }
    Ok(holding)
}

/// The one link of a single-valued relation that holds, if one does.
pub(super) fn the_one(
    connection: &Connection,
    sight: &mut Sight,
    (subject, sort, relation): (i64, i64, &str),
) -> Result<Option<Holding>> {
    let mut links = connection
        .prepare_cached(
            "SELECT id, latest, uid, object FROM link WHERE subject = ?1 AND sort = ?2 AND relation = ?3
             ORDER BY latest DESC",
        )
        .or_fault()?;
    let mut rows = links.query((subject, sort, relation)).or_fault()?;
    let mut best: Option<(Stated, Vec<u8>)> = None;
    // The last other one before it, and the first other ones after the time that is asked for.
    let (mut second, mut next) = (None::<i64>, Vec::new());
    while let Some(row) = rows.next().or_fault()? {
        let (link, latest): (i64, i64) = (get(row, 0)?, get(row, 1)?);
        if second.is_some_and(|second| latest < second) {
            break;
        }
        // What leads to something hidden is not there: it retires nothing either.
        if !sight.may_name(connection, get(row, 3)?)? {
            continue;
        }
        if latest > sight.valid
            && let Some(later) = first_after(connection, sight, link, sight.valid, false)?
        {
            next.push(later);
        }
        let Some(stated) = last_until(connection, sight, link)? else { continue };
        let uid: Vec<u8> = get(row, 2)?;
        match &best {
            Some((known, at)) if (known.rank(), at) > (stated.rank(), &uid) => {
                second = second.max(Some(stated.from));
            }
            _ => {
                if let Some((known, _)) = best.replace((stated, uid)) {
                    second = second.max(Some(known.from));
                }
            }
        }
    }
    let Some((stated, _)) = best else { return Ok(None) };
    if stated.until.is_some_and(|until| until <= sight.valid) {
        return Ok(None);
    }
    let mut holding = Holding::from(stated);
    let others = next.iter().filter(|one| one.link != stated.link).map(|one| one.from);
    holding.until = sooner(stated.until, others.min());
    // Said again and again, it holds since it was said first, without another one in between.
    let since = first_after(connection, sight, stated.link, second.unwrap_or(i64::MIN), true)?;
    if let Some(since) = since.filter(|since| since.from < stated.from) {
        (holding.from, holding.known_from) = (since.from, since.known_from);
        holding.episodes.insert(0, since.episode);
    }
    Ok(Some(holding))
}

/// A link's last statement at the time that is asked for.
fn last_until(connection: &Connection, sight: &mut Sight, link: i64) -> Result<Option<Stated>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM statement WHERE link = ?1 AND {IS_KNOWN} AND valid_from <= ?3
         ORDER BY valid_from DESC, known_from DESC"
    );
    let mut statement = connection.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query((link, sight.known, sight.valid)).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        let stated = Stated::read(row, link)?;
        if sight.sees(connection, stated.episode)? {
            return Ok(Some(stated));
        }
    }
    Ok(None)
}

/// A link's first statement after a time; only of those without an end, if that is asked for.
fn first_after(
    connection: &Connection,
    sight: &mut Sight,
    link: i64,
    after: i64,
    is_open: bool,
) -> Result<Option<Stated>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM statement WHERE link = ?1 AND {IS_KNOWN} AND valid_from > ?3
         AND (?4 = 0 OR valid_until IS NULL) ORDER BY valid_from"
    );
    let mut statement = connection.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query((link, sight.known, after, is_open)).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        let stated = Stated::read(row, link)?;
        if sight.sees(connection, stated.episode)? {
            return Ok(Some(stated));
        }
    }
    Ok(None)
}

/// All statements of a subject and relation that are known and seen, the earliest first, each with its end as later
/// ones make it.
pub(crate) fn group(
    connection: &Connection,
    sight: &mut Sight,
    (subject, sort, relation): (i64, i64, &str),
) -> Result<Vec<Stated>> {
    let sql = format!(
        "SELECT {COLUMNS}, link, uid, object FROM link CROSS JOIN statement ON statement.link = link.id
         WHERE subject = ?1 AND {IS_KNOWN} AND sort = ?3 AND relation = ?4"
    );
    let mut statement = connection.prepare_cached(&sql).or_fault()?;
    let mut rows = statement.query((subject, sight.known, sort, relation)).or_fault()?;
    let mut found: Vec<(Stated, Vec<u8>)> = Vec::new();
    let is_single = sight.is_single(sort, relation);
    while let Some(row) = rows.next().or_fault()? {
        if is_single && !sight.may_name(connection, get(row, 7)?)? {
            continue;
        }
        let stated = Stated::read(row, get(row, 5)?)?;
        if sight.sees(connection, stated.episode)? {
            found.push((stated, get(row, 6)?));
        }
    }
    found.sort_by(|(one, at), (other, there)| (one.rank(), at).cmp(&(other.rank(), there)));
    let mut stated: Vec<Stated> = found.into_iter().map(|(stated, _)| stated).collect();
    if is_single {
        retire(&mut stated);
    }
    Ok(stated)
}

/// Ends each statement where another value is said to hold. They come in order.
fn retire(stated: &mut [Stated]) {
    let mut next: Option<(i64, i64)> = None;
    // The first of another link after the last one that was met.
    let mut other: Option<i64> = None;
    for one in stated.iter_mut().rev() {
        if let Some((link, from)) = next
            && link != one.link
        {
            other = Some(from);
        }
        one.until = sooner(one.until, other);
        next = Some((one.link, one.from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_value_retires_and_the_same_one_does_not() {
        let one =
            |link, from, until| Stated { link, from, until, known_from: 0, known_until: None, episode: 0 };
        let mut all =
            [one(1, 1, None), one(1, 2, None), one(2, 3, Some(9)), one(1, 5, None), one(1, 6, Some(7))];
        retire(&mut all);
        let ends: Vec<Option<i64>> = all.iter().map(|one| one.until).collect();
        assert_eq!(ends, [Some(3), Some(3), Some(5), None, Some(7)]);
    }
}
