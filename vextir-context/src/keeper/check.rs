//! Whether a hub is whole: SQLite's own check, and what must hold between the rows.

use crate::crdt::Body;
use crate::decode::get;
use crate::documents::bases::state;
use crate::documents::keeping::{CONDEMNED, GONE};
use crate::documents::merge::state_of;
use crate::documents::node::NodeId;
use crate::fault::OrFault;
use crate::hub::Hub;
use rusqlite::Connection;
use std::collections::HashMap;
use vextir_core::Result;

/// How many findings of one kind are told.
const MOST: usize = 20;

/// What must not be there: rows of these queries.
const RULES: [(&str, &str); 9] = [
    (
        "a document without a place in the tree",
        "SELECT node FROM document WHERE NOT EXISTS (SELECT 1 FROM node WHERE id = document.node)",
    ),
    (
        "a document without content",
        "SELECT id FROM node WHERE kind = 2 AND (removed IS NULL OR removed >= 0)
         AND NOT EXISTS (SELECT 1 FROM document WHERE node = id)",
    ),
    (
        "a change, a right or a shared path of nothing",
        "SELECT node FROM (SELECT DISTINCT node FROM change UNION SELECT node FROM entitlement UNION SELECT node FROM mount
                           UNION SELECT node FROM keeping UNION SELECT node FROM shortened)
         WHERE NOT EXISTS (SELECT 1 FROM node WHERE id = node)",
    ),
    (
        "a root below something, or something else at the top",
        "SELECT id FROM node WHERE (kind = 0) <> (parent = 0)",
    ),
    (
        "something below a document",
        "SELECT n.id FROM node AS n JOIN node AS p ON p.id = n.parent WHERE p.kind = 2",
    ),
    (
        "a tree whose ledger counts other open work than there is",
        "WITH work (root, found) AS (
           SELECT coalesce(log.root, log.id), count(*) FROM delivery JOIN log ON log.seq = delivery.seq GROUP BY 1
         ) SELECT lease.first FROM lease LEFT JOIN work ON work.root = lease.root WHERE open <> coalesce(found, 0)",
    ),
    (
        "a tree whose ledger counts other waiting work than there is",
        "WITH work (root, found) AS (
           SELECT root, count(*) FROM (
             SELECT coalesce(root, id) AS root FROM parked
             UNION ALL SELECT coalesce(log.root, log.id) FROM unclaimed JOIN log ON log.seq = unclaimed.seq
           ) GROUP BY 1
         ) SELECT lease.first FROM lease LEFT JOIN work ON work.root = lease.root WHERE parked <> coalesce(found, 0)",
    ),
    (
        "a delivery of an event that is not in the log",
        "SELECT work.seq FROM (SELECT seq FROM delivery UNION ALL SELECT seq FROM unclaimed UNION ALL SELECT seq FROM dead
                               UNION ALL SELECT seq FROM unrouted) AS work
         WHERE work.seq <> 0 AND NOT EXISTS (SELECT 1 FROM log WHERE log.seq = work.seq)",
    ),
    (
        "work of a driver that is not known",
        "SELECT work.driver FROM (SELECT driver FROM delivery UNION ALL SELECT driver FROM unclaimed
                                  UNION ALL SELECT driver FROM dead) AS work
         WHERE NOT EXISTS (SELECT 1 FROM driver AS known WHERE known.id = work.driver)",
    ),
];

/// Documents whose changes do not lead to the version that they have, each to another one.
const VERSIONS: &str = "
    SELECT document.node FROM document
    LEFT JOIN (SELECT node, min(version) AS low, max(version) AS high, count(*) - count(DISTINCT version) AS doubled
               FROM change WHERE body IS NOT NULL GROUP BY node) AS log ON log.node = document.node
    LEFT JOIN shortened ON shortened.node = document.node
    WHERE high IS NOT document.version OR doubled > 0 OR low > shortened.version";

impl Hub {
    /// Looks whether the hub is whole: SQLite's integrity check, and what must hold between its rows (every document
    /// has a place and holds what replicas merge, no folder is in itself, the changes lead to the versions, the ledgers
    /// count what is there). What it finds, in words; nothing if all is well. Reads the whole file, beside the work.
    ///
    /// ```
    /// # extern crate vextir_core as vextir;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> vextir::Result<()> {
    /// # let hub = vextir_context::Hub::in_memory()?;
    /// assert_eq!(hub.check().await?, [] as [&str; 0]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, or the hub was closed.
    pub async fn check(&self) -> Result<Vec<String>> {
        self.keeper().run(|hands| hands.read_long(check)).await
    }
}

fn check(connection: &Connection) -> Result<Vec<String>> {
    let snapshot = connection.unchecked_transaction().or_fault()?;
    let mut found = Vec::new();
    for line in texts(&snapshot, &format!("PRAGMA integrity_check({MOST})"))? {
        if line != "ok" {
            found.push(format!("SQLite: {line}"));
        }
    }
    for (what, sql) in RULES {
        found.extend(numbers(&snapshot, sql)?.iter().take(MOST).map(|number| format!("{what}: {number}")));
    }
    let tree = Tree::read(&snapshot)?;
    found
        .extend(tree.lost().into_iter().take(MOST).map(|id| format!("a folder that no root leads to: {id}")));
    let torn = numbers(&snapshot, VERSIONS)?.into_iter().filter(|id| !tree.is_purged(*id)).take(MOST);
    found.extend(torn.map(|id| format!("a document whose changes do not lead to its version: {id}")));
    let torn = torn_states(&snapshot, |id| tree.is_purged(id))?;
    found.extend(torn.iter().map(|id| format!("a document whose content is not what its state holds: {id}")));
    snapshot.finish().or_fault()?;
    Ok(found)
}

/// Documents whose content is not what replicas would merge.
fn torn_states(connection: &Connection, is_purged: impl Fn(NodeId) -> bool) -> Result<Vec<NodeId>> {
    let sql = "SELECT node, kind = 0, content, state FROM document";
    let mut statement = connection.prepare_cached(sql).or_fault()?;
    let mut rows = statement.query([]).or_fault()?;
    let mut torn = Vec::new();
    while let Some(row) = rows.next().or_fault()?
        && torn.len() < MOST
    {
        let (id, is_text, content): (NodeId, bool, String) = (get(row, 0)?, get(row, 1)?, get(row, 2)?);
        let body = state(row, (3, 2)).and_then(|state| Body::load(0, &state));
        let is_held = body.is_ok_and(|body| {
            let (held, _) = state_of(&body);
            held.as_json().is_none() == is_text && held.to_text() == content
        });
        if !is_held && !is_purged(id) {
            torn.push(id);
        }
    }
    Ok(torn)
}

fn texts(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .or_fault()
}

fn numbers(connection: &Connection, sql: &str) -> Result<Vec<i64>> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .or_fault()
}

/// The parent of each node, and whether it is being purged.
struct Tree(HashMap<NodeId, (NodeId, bool)>);

impl Tree {
    fn read(connection: &Connection) -> Result<Self> {
        let mut statement = connection.prepare_cached("SELECT id, parent, removed FROM node").or_fault()?;
        let mut rows = statement.query([]).or_fault()?;
        let mut nodes = HashMap::new();
        while let Some(row) = rows.next().or_fault()? {
            let removed = get::<Option<i64>>(row, 2)?;
            let is_purged = matches!(removed, Some(CONDEMNED | GONE));
            nodes.insert(get(row, 0)?, (get(row, 1)?, is_purged));
        }
        Ok(Self(nodes))
    }

    /// Nodes from which no way leads to a root: their parent is missing, or they are in themselves.
    fn lost(&self) -> Vec<NodeId> {
        let mut known: HashMap<NodeId, bool> = HashMap::from([(0, true)]);
        for id in self.0.keys() {
            let (mut way, mut next) = (Vec::new(), *id);
            let leads = loop {
                if let Some(leads) = known.get(&next) {
                    break *leads;
                }
                // Met again on this way, it is not known yet to lead anywhere.
                known.insert(next, false);
                way.push(next);
                match self.0.get(&next) {
                    Some((parent, _)) => next = *parent,
                    None => break false,
                }
            };
            known.extend(way.into_iter().map(|id| (id, leads)));
        }
        let mut lost: Vec<NodeId> =
            self.0.keys().filter(|id| known.get(id) != Some(&true)).copied().collect();
        lost.sort_unstable();
        lost
    }

    fn is_purged(&self, id: NodeId) -> bool {
        let (mut next, mut left) = (id, self.0.len());
        while let Some((parent, is_purged)) = self.0.get(&next).filter(|_| left > 0) {
            if *is_purged {
                return true;
            }
            (next, left) = (*parent, left - 1);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_finds_what_breaks_it() {
        let breaks = [
            "INSERT INTO document VALUES (9, 1, 0, 0, NULL, '', x'')",
            "INSERT INTO node VALUES (9, x'09', 2, 1, 'd', 0, 0, 0, NULL, 0)",
            "INSERT INTO mount VALUES ('ann', 'bob', 'x', 9)",
            "INSERT INTO node VALUES (9, x'09', 1, 0, 'f', 0, 0, 0, NULL, 0)",
            "INSERT INTO node VALUES (8, x'08', 2, 1, 'd', 0, 0, 0, -1, 0), (9, x'09', 1, 8, 'f', 0, 0, 0, NULL, 0)",
            "INSERT INTO lease VALUES (x'01', 'ann', 0, 5, 0, 1, 0, 0, NULL, NULL, NULL, NULL)",
            "INSERT INTO lease VALUES (x'01', 'ann', 0, 5, 0, 0, 1, 0, NULL, NULL, NULL, NULL)",
            "INSERT INTO driver VALUES (1, 'd', NULL); INSERT INTO delivery VALUES (1, 7, 1, 0, 0, 0, NULL, NULL, NULL, NULL)",
            "INSERT INTO dead VALUES (1, 0, 7, 0, 0, 0, 'r', NULL, NULL, NULL)",
            "INSERT INTO node VALUES (8, x'08', 1, 9, 'a', 0, 0, 0, NULL, 0), (9, x'09', 1, 8, 'b', 0, 0, 0, NULL, 0)",
            "INSERT INTO node VALUES (9, x'09', 2, 1, 'd', 0, 0, 0, NULL, 0); INSERT INTO document VALUES (9, 2, 0, 0, NULL, '', x'')",
        ];
        for (number, sql) in breaks.iter().enumerate() {
            let connection = Connection::open_in_memory().unwrap();
            crate::schema::migrate(&connection, 0).unwrap();
            let named = |sql: &str| {
                let columns = "(id, uid, kind, parent, name, restricted, created, updated, removed, clock)";
                sql.replace("INTO node", &format!("INTO node {columns}"))
            };
            connection
                .execute_batch(&named("INSERT INTO node VALUES (1, x'01', 0, 0, 'ann', 0, 0, 0, NULL, 0)"))
                .unwrap();
            let event = "INSERT INTO log (seq, logged, id, type, category, time, user, source, depth)
                         VALUES (1, 0, x'00', 't', 0, 0, 'ann', 'app', 0)";
            connection.execute_batch(event).unwrap();
            assert!(check(&connection).unwrap().is_empty());
            connection.execute_batch(&named(sql)).unwrap();
            let found = check(&connection).unwrap();
            let expected = RULES.get(number).map(|(what, _)| *what);
            let expected = expected.unwrap_or(
                ["a folder that no root", "a document whose changes"]
                    [number.saturating_sub(RULES.len()).min(1)],
            );
            assert!(found.iter().any(|line| line.starts_with(expected)), "{expected}: {found:?}");
        }
    }
}
