//! The statements that read. Joins are `CROSS` to fix their order: the first table is walked in the order that
//! is asked for, and the others are looked up.

use crate::schema::EVENT_COLUMNS;
use std::sync::LazyLock;

type Sql = LazyLock<String>;

/// What a query about [`logged`](crate::decode::logged) events selects.
fn logged(rest: &str) -> String {
    format!("SELECT seq, logged, {EVENT_COLUMNS} FROM log {rest}")
}

/// The columns of an event in a join.
fn of_log() -> String {
    EVENT_COLUMNS.split(", ").map(|column| format!("log.{}", column.trim())).collect::<Vec<_>>().join(", ")
}

/// For [`decode::delivery`](crate::decode::delivery); `table` is `delivery` or `unclaimed`.
fn deliveries(table: &str, rest: &str) -> String {
    format!(
        "SELECT pos, {table}.seq, driver.name, {table}.logged, attempt, reclaims, due, obligations, error, reserve,
                {}
         FROM {table} CROSS JOIN driver ON driver.id = {table}.driver
         CROSS JOIN log ON log.seq = {table}.seq {rest}",
        of_log()
    )
}

/// For [`decode::dead`](crate::decode::dead).
fn dead(rest: &str) -> String {
    format!(
        "SELECT pos, dead.seq, driver.name, dead.logged, attempts, at, reason, dead.obligations, reserve, {}
         FROM dead CROSS JOIN driver ON driver.id = dead.driver
         CROSS JOIN log ON log.seq = dead.seq {rest}",
        of_log()
    )
}

/// For [`decode::parked`](crate::decode::parked).
fn parked(rest: &str) -> String {
    format!("SELECT number, hold, since, decision, approved, origin, {EVENT_COLUMNS} FROM parked {rest}")
}

pub(crate) static READ: Sql = LazyLock::new(|| logged("WHERE seq > ?1 ORDER BY seq"));
pub(crate) static FIND: Sql = LazyLock::new(|| logged("WHERE id = ?1"));
pub(crate) static PENDING: Sql =
    LazyLock::new(|| deliveries("delivery", "WHERE pos > ?1 ORDER BY pos LIMIT ?2"));
pub(crate) static ONE_OPEN: Sql = LazyLock::new(|| deliveries("delivery", "WHERE pos = ?1"));
pub(crate) static ONE_UNCLAIMED: Sql = LazyLock::new(|| deliveries("unclaimed", "WHERE pos = ?1"));
pub(crate) static UNCLAIMED_OF: Sql = LazyLock::new(|| {
    let rest = "WHERE unclaimed.driver = (SELECT id FROM driver WHERE name = ?1) AND pos > ?2
                ORDER BY pos LIMIT ?3";
    deliveries("unclaimed", rest)
});
pub(crate) const UNCLAIMED: &str = "SELECT name, counted FROM
     (SELECT driver, count(*) AS counted FROM unclaimed GROUP BY driver) AS own
     CROSS JOIN driver ON driver.id = own.driver";
pub(crate) static DEAD: Sql = LazyLock::new(|| dead("WHERE pos > ?1 ORDER BY pos LIMIT ?2"));
pub(crate) static ONE_DEAD: Sql = LazyLock::new(|| dead("WHERE pos = ?1"));
pub(crate) static DELAYED: Sql =
    LazyLock::new(|| parked("WHERE hold = 0 ORDER BY deliver_at, number LIMIT ?1"));
pub(crate) static HELD: Sql =
    LazyLock::new(|| parked("WHERE hold <> 0 AND hold = ?2 ORDER BY number LIMIT ?1"));
pub(crate) static ONE_PARKED: Sql = LazyLock::new(|| parked("WHERE id = ?1"));
pub(crate) static HELD_TREE: Sql =
    LazyLock::new(|| parked("WHERE root = ?1 AND hold <> 0 ORDER BY number LIMIT ?2"));
pub(crate) static HELD_KEY: Sql = LazyLock::new(|| {
    parked(
        "WHERE user = ?1 AND ordering_key = ?2 AND hold <> 0 AND ordering_key IS NOT NULL
         ORDER BY number LIMIT ?3",
    )
});
pub(crate) static HELD_USER: Sql =
    LazyLock::new(|| parked("WHERE user = ?1 AND hold <> 0 ORDER BY number LIMIT ?2"));
pub(crate) static UNROUTED: Sql = LazyLock::new(|| {
    format!(
        "SELECT log.seq, logged, {} FROM unrouted CROSS JOIN log ON log.seq = unrouted.seq
         ORDER BY unrouted.seq LIMIT ?1",
        of_log()
    )
});
/// For [`decode::lease`](crate::decode::lease).
pub(crate) const LEASE: &str =
    "SELECT root, user, events, first, last, open, parked, state, limits, units, reserved, short
     FROM lease WHERE root = ?1";
/// A branch that is not over, with its driver's name.
pub(crate) const BRANCH: &str =
    "SELECT branch.id, user, root, depth, driver.name, ordering_key, parent, open, failed, answers, more, labels, holds
     FROM branch CROSS JOIN driver ON driver.id = branch.driver WHERE branch.id = ?1";
pub(crate) const BRANCHES_OF: &str =
    "SELECT branch.id, user, root, depth, driver.name, ordering_key, parent, open, failed, answers, more, labels, holds
     FROM branch CROSS JOIN driver ON driver.id = branch.driver WHERE branch.root = ?1";
/// What is open in one branch: all open deliveries are walked over until as many were found as there are.
pub(crate) static WORK_OF: Sql =
    LazyLock::new(|| deliveries("delivery", "WHERE log.branch = ?1 ORDER BY pos LIMIT ?2"));
pub(crate) static ASIDE_OF: Sql =
    LazyLock::new(|| deliveries("unclaimed", "WHERE log.branch = ?1 ORDER BY pos LIMIT ?2"));
pub(crate) static WAITS_OF: Sql =
    LazyLock::new(|| parked("WHERE root = ?1 AND root IS NOT NULL AND branch = ?2 ORDER BY number"));
pub(crate) const AUDIT: &str = "SELECT number, record FROM audit WHERE number > ?1 ORDER BY number LIMIT ?2";
pub(crate) const CHECKPOINTS: &str = "SELECT key, value FROM checkpoint
     WHERE driver = (SELECT id FROM driver WHERE name = ?1) AND key > ?2 ORDER BY key LIMIT ?3";
pub(crate) const NEXT_DUE: &str = "SELECT min(deliver_at) FROM parked WHERE hold = 0";
pub(crate) const KEY_HELD: &str = "SELECT 1 FROM parked WHERE user = ?1 AND ordering_key = ?2 AND hold <> 0
     AND ordering_key IS NOT NULL LIMIT 1";

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            steps.push(row.get("detail").unwrap());
        }
        steps
    }

    /// Whatever the tables hold: nothing is sorted, and nothing is walked over but what is asked for.
    #[test]
    fn every_query_finds_its_rows_by_an_index_and_in_order() {
        let connection = Connection::open_in_memory().unwrap();
        crate::schema::migrate(&connection, 0).unwrap();
        let queries: [&str; 23] = [
            &READ,
            &FIND,
            &PENDING,
            &ONE_OPEN,
            &ONE_UNCLAIMED,
            &UNCLAIMED_OF,
            &DEAD,
            &ONE_DEAD,
            &DELAYED,
            &HELD,
            &ONE_PARKED,
            &HELD_TREE,
            &HELD_KEY,
            &HELD_USER,
            &UNROUTED,
            LEASE,
            BRANCH,
            BRANCHES_OF,
            &WAITS_OF,
            AUDIT,
            CHECKPOINTS,
            NEXT_DUE,
            KEY_HELD,
        ];
        for sql in queries {
            for step in plan(&connection, sql) {
                assert!(!step.contains("TEMP B-TREE"), "{step}: {sql}");
                // A partial index holds nothing but the rows in question.
                let in_order = step.contains("INDEX parked_due") || step == "SCAN unrouted";
                assert!(!step.starts_with("SCAN") || in_order, "{step}: {sql}");
            }
        }
    }
}
