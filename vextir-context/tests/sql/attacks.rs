//! Attacks: each ends soon, and none learns anything of what another user has.

use crate::stored;
use std::fmt::Debug;
use std::time::{Duration, Instant};
use vextir_context::{Hub, QueryLimits};
use vextir_core::{Context, ErrorKind, Event, EventBusExt, Level};

const DEADLINE: Duration = Duration::from_millis(100);
/// On a machine that others use too. What is measured on an idle one is far below.
const MARGIN: Duration = Duration::from_secs(3);

/// In content, path, metadata, guide and events of another user; the letters stand nowhere else.
const CANARY: &str = "KANARIENVOGEL";

/// Refused before anything runs.
const REFUSED: &[&str] = &[
    // Other files, other schemas, the connection itself.
    "ATTACH 'hub.db' AS hub",
    "ATTACH ':memory:' AS x",
    "DETACH main",
    "PRAGMA database_list",
    "PRAGMA table_list",
    "PRAGMA writable_schema = ON",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA hard_heap_limit = 1",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('documents')",
    "SELECT * FROM pragma_function_list",
    "SELECT 1 FROM pragma_compile_options",
    "SELECT count(*) FROM sqlite_schema",
    "SELECT count(*) FROM dbstat",
    "SELECT 1 FROM json_each('[1]')",
    "SELECT * FROM sqlite_schema",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM sqlite_temp_schema",
    "SELECT sql FROM main.sqlite_schema",
    "SELECT * FROM temp.sqlite_schema",
    "SELECT * FROM node",
    "SELECT * FROM main.node",
    "SELECT * FROM document",
    "SELECT * FROM change",
    "SELECT * FROM log",
    "SELECT * FROM entitlement",
    "SELECT * FROM mount",
    "SELECT * FROM dbstat",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM bytecode('SELECT 1')",
    "SELECT * FROM json_each('[1]')",
    "SELECT * FROM json_tree('[1]')",
    "SELECT * FROM generate_series(1, 10)",
    "SELECT * FROM fts5vocab",
    "SELECT * FROM documents_fts",
    "SELECT * FROM documents_content",
    "SELECT * FROM documents('KANARIENVOGEL')",
    "SELECT * FROM documents WHERE documents MATCH 'a'",
    "VACUUM INTO '/tmp/x'",
    "VACUUM",
    "ANALYZE",
    "REINDEX",
    // Changes.
    "INSERT INTO documents (path) VALUES ('/x')",
    "UPDATE documents SET path = '/x'",
    "DELETE FROM documents",
    "DELETE FROM documents RETURNING *",
    "REPLACE INTO documents (path) VALUES ('x')",
    "CREATE TABLE t (x)",
    "CREATE TEMP TABLE t (x)",
    "CREATE TEMP TABLE documents AS SELECT 1",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TEMP VIEW documents AS SELECT 1",
    "CREATE TRIGGER t AFTER INSERT ON documents BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE t USING fts5(x)",
    "CREATE VIRTUAL TABLE t USING documents",
    "CREATE INDEX i ON documents (path)",
    "DROP TABLE documents",
    "ALTER TABLE documents RENAME TO x",
    "BEGIN",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT x",
    "RELEASE x",
    "WITH x AS (DELETE FROM documents RETURNING *) SELECT * FROM x",
    // More than one statement, or none that selects.
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE documents",
    "SELECT 1;;; PRAGMA user_version",
    "SELECT 1; garbage",
    "EXPLAIN SELECT * FROM documents",
    "EXPLAIN QUERY PLAN SELECT * FROM documents",
    "",
    ";",
    "--",
    "/*",
    "SELECT 1 \0; ATTACH 'x' AS y",
    "SELECT '\0'",
    "\0",
    // Row numbers.
    "SELECT rowid FROM documents",
    "SELECT _rowid_ FROM documents",
    "SELECT oid FROM events",
    "SELECT * FROM documents WHERE rowid = 1",
    "SELECT max(rowid) FROM history",
    "SELECT max(seq) FROM events",
    "SELECT sequence FROM events",
    // Functions.
    "SELECT load_extension('x')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/x', 'y')",
    "SELECT zeroblob(1000000000)",
    "SELECT randomblob(1000000000)",
    "SELECT random()",
    "SELECT printf('%.*c', 1000000000, 'x')",
    "SELECT format('%1000000000d', 1)",
    "SELECT sqlite_version()",
    "SELECT sqlite_source_id()",
    "SELECT sqlite_compileoption_get(1)",
    "SELECT last_insert_rowid()",
    "SELECT changes()",
    "SELECT total_changes()",
    "SELECT sqlite_log(1, 'x')",
    "SELECT sqlite_offset(path) FROM documents",
    "SELECT fts3_tokenizer('x')",
    "SELECT fts5(1)",
    "SELECT highlight(documents, 0, 'a', 'b') FROM documents",
    "SELECT snippet(documents) FROM documents",
    "SELECT bm25(documents) FROM documents",
    "SELECT match('a', path) FROM documents",
    "SELECT json_set('{}', '$.a', 1)",
    "SELECT json_patch('{}', '{}')",
    "SELECT soundex('x')",
    "SELECT rtreecheck('x')",
    "SELECT eval('SELECT 1')",
    "SELECT edit(path) FROM documents",
    "SELECT path REGEXP 'a' FROM documents",
    "SELECT * FROM documents WHERE path MATCH 'x'",
    "SELECT \"KANARIENVOGEL\"",
    "SELECT subtype(path) FROM documents",
    "SELECT unistr('\\0041')",
    "SELECT 1 WHERE 1 = :a",
    "SELECT ?101",
    "SELECT ?999999999",
];

/// Answered or refused; what matters is that it ends and what it says.
const ENDING: &[&str] = &[
    "SELECT * FROM documents",
    "SELECT * FROM folders",
    "SELECT * FROM history",
    "SELECT * FROM events",
    "SELECT * FROM main.documents",
    "SELECT * FROM \"documents\"",
    "SELECT * FROM [documents]",
    // A module is found under every schema, also one that is not there: they are the same tables.
    "SELECT * FROM hub.documents",
    "SELECT * FROM temp.documents",
    "SELECT * FROM documents AS a, folders AS b, history AS c, events AS d",
    // Shadowing.
    "WITH documents AS (SELECT 1 AS x) SELECT * FROM documents",
    "WITH documents AS (SELECT * FROM main.documents) SELECT * FROM documents",
    "WITH node AS (SELECT * FROM documents) SELECT * FROM node",
    "WITH sqlite_schema AS (SELECT 1 AS sql) SELECT sql FROM sqlite_schema",
    // Predicates that would leak if they ran before the rights are checked.
    "SELECT 1 FROM documents WHERE content LIKE '%KANARIEN' || 'VOGEL%'",
    "SELECT abs(-9223372036854775808) FROM documents WHERE path = '/secret/plan'",
    "SELECT CASE WHEN content LIKE '%KANARIEN%' THEN json('{') ELSE 1 END FROM documents",
    "SELECT json_extract(content, '$.x') FROM documents",
    "SELECT json(content) FROM documents",
    "SELECT count(*), sum(length(content)), max(version), min(created_at) FROM documents",
    "SELECT group_concat(path) FROM documents",
    "SELECT group_concat(user), group_concat(cause) FROM history",
    "SELECT path FROM documents WHERE path LIKE '/secret/%'",
    "SELECT path FROM documents WHERE path = '/secret/plan'",
    "SELECT path FROM documents WHERE path GLOB '*'",
    "SELECT path FROM documents WHERE path >= '' AND path < X'ff'",
    "SELECT * FROM documents WHERE path LIKE '/Shared/%'",
    "SELECT * FROM documents WHERE path LIKE '/Shared/ann/secret/%'",
    "SELECT * FROM documents WHERE path IN ('/Shared/ann/secret/plan', '/../ann/secret/plan', '../secret')",
    "SELECT * FROM documents WHERE id > ''",
    "SELECT * FROM documents WHERE id LIKE '%'",
    "SELECT * FROM documents WHERE id IN (SELECT id FROM history)",
    "SELECT * FROM folders WHERE parent_id IS NULL",
    "SELECT * FROM documents WHERE path = ('/secret/plan' COLLATE NOCASE)",
    "SELECT * FROM documents NATURAL JOIN folders",
    "SELECT * FROM documents d LEFT JOIN history h ON 1",
    "SELECT (SELECT content FROM documents WHERE path = '/secret/plan')",
    "SELECT * FROM events WHERE user_id = 'ann'",
    "SELECT * FROM events WHERE data LIKE '%KANARIEN%'",
    "SELECT CAST(content AS INTEGER) / 0 FROM documents",
    "SELECT 1 FROM documents ORDER BY content LIMIT -1",
    "SELECT 1 FROM documents LIMIT 9223372036854775807 OFFSET 9223372036854775807",
    "SELECT DISTINCT kind, permissions FROM documents",
    "VALUES (1), (2)",
    // Without end.
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION SELECT x + 1 FROM n) SELECT max(x) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n ORDER BY -x",
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT DISTINCT x % 100000 FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT group_concat(x) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT json_group_array(x) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, sum(x) OVER (ORDER BY x) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 'x' UNION ALL SELECT x || x FROM n) SELECT max(length(x)) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 'x' UNION ALL SELECT replace(x, 'x', 'xx') FROM n) SELECT max(length(x)) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT 'x' UNION ALL SELECT hex(x) FROM n) SELECT max(length(x)) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT '\"' UNION ALL SELECT json_quote(x) FROM n) SELECT max(length(x)) FROM n",
    "WITH RECURSIVE n (x) AS (SELECT '[]' UNION ALL SELECT json_array(json(x), json(x)) FROM n) SELECT max(length(x)) FROM n",
    "WITH RECURSIVE n (x, y) AS (SELECT 1, hex(hex(hex(hex('xxxxxxxxxxxxxxxx')))) UNION ALL SELECT x + 1, y || x FROM n) SELECT y FROM n ORDER BY y",
    "WITH a (x) AS (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9), (10)) SELECT count(*) FROM a, a b, a c, a d, a e, a f, a g, a h, a i, a j",
    "WITH a (x) AS (SELECT 1), b AS (SELECT p.x FROM a p, a q), c AS (SELECT p.x FROM b p, b q), d AS (SELECT p.x FROM c p, c q), e AS (SELECT p.x FROM d p, d q), f AS (SELECT p.x FROM e p, e q), g AS (SELECT p.x FROM f p, f q), h AS (SELECT p.x FROM g p, g q) SELECT count(*) FROM h p, h q",
    "SELECT count(*) FROM documents a, documents b, documents c, documents d, documents e, documents f, documents g, documents h",
    "SELECT count(*) FROM history a, history b, history c, history d, history e, history f, history g WHERE a.at < b.at",
    // Much in one step.
    "WITH RECURSIVE n (x, i) AS (SELECT 'a', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21) SELECT max(x) LIKE '%a%a%a%a%a%a%a%b' FROM n",
    "WITH RECURSIVE n (x, i) AS (SELECT 'a', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21) SELECT max(x) LIKE '%' || substr(max(x), 1, 30000) || 'b%' FROM n",
    "WITH RECURSIVE n (x, i) AS (SELECT 'a', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21) SELECT max(x) GLOB '*' || substr(max(x), 1, 30000) || '[b]*' FROM n",
    "WITH RECURSIVE n (x, i) AS (SELECT 'a', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21) SELECT instr(max(x), substr(max(x), 1, 500000) || 'b') FROM n",
    "WITH RECURSIVE n (x, i) AS (SELECT 'a', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21) SELECT replace(max(x), substr(max(x), 1, 500000) || 'b', 'c') FROM n",
    "WITH RECURSIVE n (x, i) AS (SELECT 'a', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21) SELECT length(trim(max(x), 'b' || max(x))) FROM n",
    "WITH RECURSIVE n (x, i) AS (SELECT '[', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21) SELECT json_valid(max(x)) FROM n",
    "SELECT strftime('%Y%Y%Y%Y', 'now', '+1 year', '-1 year')",
    "SELECT char(0, 1114112, -1)",
    "SELECT substr('x', -9223372036854775808, 9223372036854775807)",
    "SELECT replace('aaaa', 'a', replace('aaaa', 'a', replace('aaaa', 'a', 'aaaa')))",
    "SELECT 'a' LIKE 'b' ESCAPE 'cc'",
    "SELECT round(1e308, 1000000000)",
    "SELECT quote(x'00')",
    "SELECT 1 LIKE NULL",
    "SELECT ntile(0) OVER ()",
];

/// Attacks that are too long to be written down.
fn long() -> Vec<String> {
    let nested = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("SELECT {}{inner}{}", open.repeat(depth), close.repeat(depth))
    };
    vec![
        nested("(", "1", ")", 200),
        nested("(", "1", ")", 30_000),
        nested("abs(", "1", ")", 5_000),
        nested("(SELECT ", "1", ")", 300),
        nested("-", "1", "", 60_000),
        nested("NOT ", "1", "", 15_000),
        nested("CASE WHEN 1 THEN ", "1", " END", 3_000),
        format!("SELECT 1{}", " + 1".repeat(15_000)),
        format!("SELECT 1{}", ", 1".repeat(15_000)),
        format!("SELECT 1 WHERE 1{}", " OR 1".repeat(10_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(4_000)),
        format!("SELECT 1{}", "; SELECT 1".repeat(6_000)),
        format!("SELECT 1{}", ";".repeat(60_000)),
        format!("SELECT 1 FROM documents a{}", ", documents".repeat(64)),
        format!("SELECT '{}'", "x".repeat(1 << 20)),
        format!("SELECT x'{}'", "00".repeat(30_000)),
        format!("SELECT {}", "9".repeat(60_000)),
        format!("SELECT 1e{}", "9".repeat(60_000)),
        format!("SELECT json('{}')", "[".repeat(60_000)),
        format!("SELECT json_extract('{{}}', '${}')", ".a".repeat(30_000)),
        format!("SELECT '{0}' LIKE '{1}b'", "a".repeat(20_000), "%a".repeat(10_000)),
        format!("SELECT '{0}' GLOB '{1}b'", "a".repeat(20_000), "*a".repeat(10_000)),
        format!("SELECT coalesce(1{})", ", 1".repeat(200)),
        format!("SELECT {}", vec!["?"; 2_000].join(" + ")),
        format!("SELECT 1 AS \"{}\"", "x".repeat(60_000)),
        format!("SELECT {} FROM nowhere", "x".repeat(60_000)),
        format!(
            "WITH {} SELECT 1",
            (0..2_000).map(|n| format!("t{n} AS (SELECT 1)")).collect::<Vec<_>>().join(",")
        ),
        {
            let step = |n: usize| format!("t{n} AS (SELECT * FROM t{0} UNION ALL SELECT * FROM t{0})", n - 1);
            let steps: Vec<String> = (1..60).map(step).collect();
            format!("WITH t0 AS (SELECT 1), {} SELECT * FROM t59", steps.join(", "))
        },
        {
            let big =
                "WITH RECURSIVE n (x, i) AS (SELECT 'a', 1 UNION ALL SELECT x || x, i + 1 FROM n LIMIT 21)";
            let columns: Vec<String> = (0..60).map(|n| format!("x || '{n}' AS c{n}")).collect();
            format!("{big} SELECT {} FROM n ORDER BY i DESC", columns.join(", "))
        },
    ]
}

async fn with_canary() -> (tempfile::TempDir, Hub) {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueryLimits::default().with_deadline(DEADLINE);
    let hub = Hub::builder(folder.path().join("hub.db")).query_limits(limits).open().unwrap();
    let ann = hub.context("ann");
    let metadata = serde_json::json!({"note": CANARY});
    ann.write("/secret/plan", format!("the {CANARY}")).metadata(metadata).await.unwrap();
    ann.write(&format!("/secret/{CANARY}"), "x").await.unwrap();
    ann.set_guide("/secret", CANARY).await.unwrap();
    ann.write("/open/shared", "for bob").await.unwrap();
    ann.write(&format!("/open/hidden/{CANARY}"), CANARY).await.unwrap();
    ann.write("/open/gone", CANARY).await.unwrap();
    ann.remove("/open/gone").await.unwrap();
    ann.grant("/open", "bob", Level::Read).await.unwrap();
    ann.restrict("/open/hidden", true).await.unwrap();
    ann.write(&format!("/open/{CANARY}"), CANARY).await.unwrap();
    ann.move_to(&format!("/open/{CANARY}"), "/moved").await.unwrap();
    hub.emit(Event::new("a.secret").with_data(serde_json::json!(CANARY)).with_user("ann")).await.unwrap();
    let bob = hub.context("bob");
    for number in 0..40 {
        bob.write(&format!("/own/{number}"), "mine").await.unwrap();
    }
    (folder, hub)
}

/// Asks, and looks at all that comes back; whether it was answered.
async fn ask(context: &Context, sql: &str) -> bool {
    let began = Instant::now();
    let answer = context.query(sql).await;
    let shown: &dyn Debug = &answer;
    let taken = began.elapsed();
    let head: String = sql.chars().take(120).collect();
    assert!(taken < DEADLINE + MARGIN, "{head} took {taken:?}");
    let told = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
    // What was asked may be repeated; what was not, may not.
    let is_own = sql.contains(CANARY);
    for text in [format!("{shown:?}"), told] {
        assert!(is_own || !text.contains(CANARY), "{head} told {text}");
        // Nor names of tables and files that it does not know.
        for inner in ["entitlement", "hub.db", "restricted"] {
            assert!(sql.contains(inner) || !text.contains(inner), "{head} told {text}");
        }
        assert!(text.len() < 10 << 20, "{head} told {} bytes", text.len());
    }
    answer.is_ok()
}

#[tokio::test]
async fn no_attack_is_answered_that_should_be_refused() {
    let (_folder, hub) = with_canary().await;
    let bob = hub.context("bob");
    let mut answered = Vec::new();
    for sql in REFUSED {
        if ask(&bob, sql).await {
            answered.push(sql);
        }
    }
    assert!(answered.is_empty(), "{answered:#?}");
    assert!(REFUSED.len() > 100);
}

#[tokio::test]
async fn no_attack_runs_on_or_tells_of_others() {
    let (_folder, hub) = with_canary().await;
    let bob = hub.context("bob");
    let agent = bob.clone().as_agent("helper");
    for sql in ENDING {
        ask(&bob, sql).await;
    }
    for sql in ENDING.iter().take(45) {
        ask(&agent, sql).await;
    }
    assert!(ask(&bob, "SELECT 1").await);
}

#[tokio::test]
async fn no_long_attack_breaks_the_parser() {
    let (_folder, hub) = with_canary().await;
    let bob = hub.context("bob");
    for sql in long() {
        ask(&bob, &sql).await;
    }
    assert!(ask(&bob, "SELECT 1").await);
}

/// Each of them read at once, and kept, would take hundreds of gigabytes.
#[tokio::test]
async fn long_patterns_in_many_places_are_not_kept() {
    let (_folder, hub) = with_canary().await;
    let bob = hub.context("bob");
    for operator in ["LIKE", "GLOB"] {
        let sum = vec![format!("(path {operator} ?1)"); 90].join("+");
        let columns: Vec<String> = (0..40).map(|number| format!("{sum} AS c{number}")).collect();
        let sql = format!("SELECT {} FROM documents LIMIT 1", columns.join(", "));
        let began = Instant::now();
        let refused = bob.query(&sql).params(["a".repeat(2_000_000)]).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Timeout, "{refused}");
        assert!(began.elapsed() < DEADLINE + MARGIN, "{:?}", began.elapsed());
    }
    assert!(ask(&bob, "SELECT 1").await);
}

#[tokio::test]
async fn the_same_answers_whether_others_have_something_or_not() {
    let ((_one, full), (_two, empty)) = (with_canary().await, stored());
    let bob = empty.context("bob");
    for number in 0..40 {
        bob.write(&format!("/own/{number}"), "mine").await.unwrap();
    }
    let counts = "SELECT (SELECT count(*) FROM documents WHERE path NOT LIKE '/Shared/%') AS documents,
                         (SELECT count(*) FROM events) AS events, (SELECT max(number) FROM history) AS steps,
                         (SELECT count(*) FROM folders WHERE path LIKE '/own%') AS folders";
    assert_eq!(full.context("bob").query(counts).await.unwrap(), bob.query(counts).await.unwrap());
    let seen = "SELECT path FROM documents WHERE path LIKE '/Shared/%'";
    let rows = full.context("bob").query(seen).await.unwrap();
    assert_eq!(rows, [serde_json::json!({"path": "/Shared/ann/open/shared"})]);
    assert_eq!(
        full.context("eve").query("SELECT path FROM documents").await.unwrap(),
        [] as [serde_json::Value; 0]
    );
}

/// Queries of others follow each attack, on both threads: what is kept from one query for the next one holds nothing.
#[tokio::test]
async fn an_attack_leaves_nothing_for_whoever_asks_next() {
    let (_folder, hub) = with_canary().await;
    let (ann, bob, eve) = (hub.context("ann"), hub.context("bob"), hub.context("eve"));
    let sql = "SELECT path, content FROM documents WHERE path <> '/own/0' AND path LIKE ?1 ORDER BY path";
    let mine = ann.query(sql).params(["/sec%"]).await.unwrap();
    assert_eq!(mine.len(), 2);
    let long = long();
    let attacks = REFUSED.iter().chain(ENDING).copied().chain(long.iter().map(String::as_str));
    for attack in attacks.filter(|attack| !attack.contains("RECURSIVE")) {
        ask(&bob, attack).await;
        for _ in 0..2 {
            let (anns, eves) = (ann.query(sql).params(["/sec%"]), eve.query(sql).params(["/%"]));
            assert_eq!(anns.await.unwrap(), mine, "{attack}");
            assert_eq!(eves.await.unwrap(), [] as [serde_json::Value; 0], "{attack}");
            // The attack's own text, which may be prepared already, is asked with the rights of who asks.
            ask(&eve, attack).await;
        }
    }
}
