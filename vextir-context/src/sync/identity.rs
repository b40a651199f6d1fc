//! Which incarnation made which operation.
//!
//! Each opening of a file is a new incarnation, so a copied or restored file never gives a name twice. An operation of
//! this file is named by its incarnation and its number in the operation log; one of another file keeps its name in
//! the table `operation`.

use super::name::Uid;
use crate::decode::get;
use crate::fault::{OrFault, damaged};
use crate::queries::{self, signed};
use rusqlite::{Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::sync::Arc;
use vextir_core::Result;

/// Up to which operation of each replica somebody has everything.
pub(super) type Vector = BTreeMap<Uid, u64>;

/// Roots are never removed; saying so lets SQLite find them in the index of what is there, and not among all nodes.
pub(crate) const ROOTS: &str = "SELECT id, uid, name FROM node WHERE parent = 0 AND removed IS NULL";

/// Begins a new incarnation, at each opening of the file.
pub(crate) fn begin(connection: &Connection) -> Result<()> {
    let transaction = connection.unchecked_transaction().or_fault()?;
    let head = signed(head(connection)?);
    // One that changed nothing leaves nothing behind.
    transaction.execute("DELETE FROM replica WHERE first >= ?1", [head]).or_fault()?;
    let id = Uid::random();
    transaction.execute("INSERT INTO replica (id, first) VALUES (?1, ?2)", (id.0, head)).or_fault()?;
    let mut roots = Vec::new();
    {
        let mut statement = transaction.prepare(ROOTS).or_fault()?;
        let mut rows = statement.query([]).or_fault()?;
        while let Some(row) = rows.next().or_fault()? {
            let (node, old, user): (i64, Vec<u8>, String) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
            let new = Uid::of_root(&user);
            if old != new.0 {
                roots.push((node, Uid::of(&old)?, new));
            }
        }
    }
    for (node, old, new) in roots {
        // A file from before there was sync.
        transaction.execute("UPDATE node SET uid = ?2 WHERE id = ?1", (node, new.0)).or_fault()?;
        let sql = "UPDATE fact SET value = replace(value, ?2, ?3)
                   WHERE topic IN ('c', 'm') AND node IN (SELECT id FROM node WHERE parent = ?1)";
        transaction.execute(sql, (node, old.to_string(), new.to_string())).or_fault()?;
    }
    transaction.commit().or_fault()
}

/// The last change.
pub(super) fn head(connection: &Connection) -> Result<u64> {
    let last = queries::number(connection, "SELECT coalesce(max(seq), 0) FROM change", [])?;
    Ok(last.max(queries::stored_number(connection, "changes_trimmed")?))
}

/// The present incarnation.
pub(super) fn present(connection: &Connection) -> Result<Uid> {
    let id: Vec<u8> = connection
        .prepare_cached("SELECT id FROM replica WHERE first IS NOT NULL ORDER BY number DESC LIMIT 1")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .or_fault()?;
    Uid::of(&id)
}

/// The number of a replica, which it gets if it has none.
pub(super) fn number(connection: &Connection, id: Uid) -> Result<i64> {
    if let Some(number) = known(connection, id)? {
        return Ok(number);
    }
    connection.execute("INSERT INTO replica (id) VALUES (?1)", [id.0]).or_fault()?;
    Ok(connection.last_insert_rowid())
}

fn known(connection: &Connection, id: Uid) -> Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM replica WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id.0], |row| row.get(0)).optional())
        .or_fault()
}

/// The incarnations of this file, and everybody who is known.
#[derive(Debug)]
pub(super) struct Replicas {
    ids: BTreeMap<i64, Uid>,
    /// First change, last change, number; in order of each of them.
    own: Vec<(u64, u64, i64)>,
}

/// What another replica has of a scope.
#[derive(Debug, Clone, Default)]
pub(super) struct Has {
    /// What it made itself, the same in each scope.
    own: Arc<Vector>,
    taken: Vector,
}

impl Has {
    pub(super) fn new(own: Arc<Vector>, taken: Vector) -> Self {
        Self { own, taken }
    }

    /// Up to which operation of a replica.
    pub(super) fn of(&self, by: Uid) -> u64 {
        let of = |vector: &Vector| vector.get(&by).copied().unwrap_or(0);
        of(&self.own).max(of(&self.taken))
    }

    /// It has more now.
    pub(super) fn note(&mut self, by: Uid, counter: u64) {
        let known = self.taken.entry(by).or_insert(0);
        *known = counter.max(*known);
    }

    /// What to remember of it: what it took in, and how far its last incarnation is. Who has that has all that its
    /// earlier ones made.
    pub(super) fn remembered(&self, present: Uid) -> Vector {
        let mut taken = self.taken.clone();
        let own = self.of(present);
        if own > 0 {
            taken.insert(present, own);
        }
        taken
    }
}

impl Replicas {
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut replicas = Self { ids: BTreeMap::new(), own: Vec::new() };
        let mut statement =
            connection.prepare_cached("SELECT number, id, first FROM replica ORDER BY number").or_fault()?;
        let mut rows = statement.query([]).or_fault()?;
        while let Some(row) = rows.next().or_fault()? {
            let number = get(row, 0)?;
            replicas.ids.insert(number, Uid::of(&get::<Vec<u8>>(row, 1)?)?);
            if let Some(first) = get::<Option<i64>>(row, 2)? {
                let first = first.cast_unsigned();
                if let Some(before) = replicas.own.last_mut() {
                    before.1 = first;
                }
                replicas.own.push((first, 0, number));
            }
        }
        let head = head(connection)?;
        if let Some(last) = replicas.own.last_mut() {
            last.1 = head;
        }
        Ok(replicas)
    }

    pub(super) fn id(&self, number: i64) -> Result<Uid> {
        self.ids.get(&number).copied().ok_or_else(|| damaged("a replica"))
    }

    /// The present incarnation.
    pub(super) fn present(&self) -> Result<Uid> {
        self.own.last().map_or_else(|| Err(damaged("the identity of the file")), |last| self.id(last.2))
    }

    /// The name of a change that is named by nothing else.
    pub(super) fn name(&self, sequence: u64) -> Result<(Uid, u64)> {
        let at = self.own.partition_point(|(first, _, _)| *first < sequence);
        let own = at.checked_sub(1).and_then(|at| self.own.get(at)).ok_or_else(|| damaged("a change"))?;
        Ok((self.id(own.2)?, sequence))
    }

    /// Up to where each incarnation of this file came.
    pub(super) fn own(&self) -> Result<Vector> {
        self.own.iter().map(|(_, last, number)| Ok((self.id(*number)?, *last))).collect()
    }

    /// Whether an operation is in the log, as one of this file's own or of another one's.
    pub(super) fn has(&self, connection: &Connection, by: Uid, counter: u64) -> Result<bool> {
        let Some(number) = known(connection, by)? else { return Ok(false) };
        let of_own = self.own.binary_search_by_key(&number, |(_, _, own)| *own).ok().map(|at| &self.own[at]);
        if of_own.is_some_and(|(first, last, _)| (*first + 1..=*last).contains(&counter)) {
            return Ok(true);
        }
        connection
            .prepare_cached("SELECT 1 FROM operation WHERE replica = ?1 AND counter = ?2")
            .and_then(|mut statement| statement.exists((number, signed(counter))))
            .or_fault()
    }
}

/// What was taken in of a scope.
pub(super) fn taken(connection: &Connection, replicas: &Replicas, scope: Uid) -> Result<Vector> {
    let mut vector = Vector::new();
    let mut statement =
        connection.prepare_cached("SELECT replica, counter FROM horizon WHERE scope = ?1").or_fault()?;
    let mut rows = statement.query([scope.0]).or_fault()?;
    while let Some(row) = rows.next().or_fault()? {
        let (id, counter) = (replicas.id(get(row, 0)?)?, get::<i64>(row, 1)?.cast_unsigned());
        let known = vector.entry(id).or_insert(0);
        *known = counter.max(*known);
    }
    Ok(vector)
}

/// Notes that a scope's operations were taken in up to this one.
pub(super) fn advance(connection: &Connection, scope: Uid, by: Uid, counter: u64) -> Result<()> {
    let number = number(connection, by)?;
    connection
        .prepare_cached(
            "INSERT INTO horizon (scope, replica, counter) VALUES (?1, ?2, ?3)
             ON CONFLICT (scope, replica) DO UPDATE SET counter = max(counter, excluded.counter)",
        )
        .and_then(|mut statement| statement.execute((scope.0, number, signed(counter))))
        .or_fault()
        .map(drop)
}
