//! What queries answer.

use crate::{column, refusal, stored};
use serde_json::{Value, json};
use vextir_context::Hub;
use vextir_core::{ErrorKind, Event, EventBusExt, Timestamp};

#[tokio::test]
async fn the_examples_of_the_specification_and_the_design() {
    let (_folder, hub) = stored();
    let notes = hub.context("user_123");
    notes
        .write("/Projects/Alpha/status", json!({"phase": "development", "progress": 0.75}))
        .metadata(json!({"priority": "high"}))
        .await
        .unwrap();
    notes.write("/Projects/Beta/status", "x").metadata(json!({"priority": "low"})).await.unwrap();
    notes.write("/Other", "x").metadata(json!({"priority": "high"})).await.unwrap();
    let rows = notes
        .query(
            "SELECT path, content FROM documents
             WHERE path LIKE '/Projects/%' AND json_extract(metadata, '$.priority') = 'high'",
        )
        .await
        .unwrap();
    let content = r#"{"phase":"development","progress":0.75}"#;
    assert_eq!(rows, [json!({"path": "/Projects/Alpha/status", "content": content})]);
    let rows = notes
        .query("SELECT path FROM documents WHERE metadata ->> 'priority' = ?1 AND path > ?2 ORDER BY path")
        .params(["high", "/P"])
        .await
        .unwrap();
    assert_eq!(rows, [json!({"path": "/Projects/Alpha/status"})]);
}

#[tokio::test]
async fn every_column_of_every_table() {
    let hub = Hub::in_memory().unwrap();
    let ann = hub.context("ann");
    ann.write("/a/text", "one").await.unwrap();
    ann.write("/a/json", json!([1])).await.unwrap();
    ann.set_guide("/a", "what is here").await.unwrap();
    ann.write("/a/text", "two").await.unwrap();
    hub.emit(Event::new("note.made").with_data(json!({"x": 1})).with_user("ann")).await.unwrap();
    let rows = ann.query("SELECT * FROM documents ORDER BY path").await.unwrap();
    let document = &rows[1];
    assert_eq!(document["path"], "/a/text");
    assert_eq!(document["content"], "two");
    assert_eq!(document["metadata"], "{}");
    // Made behind the commit: hexadecimal numbers, when they are there.
    assert!(document["vector_embedding"].is_null() || document["vector_embedding"].is_string());
    assert_eq!(document["permissions"], "admin");
    assert_eq!(document["version"], 2);
    assert_eq!((&document["kind"], &rows[0]["kind"]), (&json!("text"), &json!("json")));
    assert!(document["created_at"].as_str().unwrap() <= document["updated_at"].as_str().unwrap());
    let id = document["id"].as_str().unwrap();
    let sql = "SELECT path FROM documents WHERE id = ?1";
    assert_eq!(ann.query(sql).params([id]).await.unwrap(), [json!({"path": "/a/text"})]);

    let folders = ann.query("SELECT * FROM folders ORDER BY path").await.unwrap();
    assert_eq!(folders.len(), 2);
    assert_eq!((&folders[0]["path"], &folders[0]["parent_id"]), (&json!("/"), &Value::Null));
    assert_eq!((&folders[1]["name"], &folders[1]["parent_id"]), (&json!("a"), &folders[0]["id"]));
    assert_eq!(folders[1]["index_guide"], "what is here");
    let history = ann.query("SELECT * FROM history WHERE path = '/a/text' ORDER BY number").await.unwrap();
    assert_eq!(history.len(), 2);
    assert_eq!((&history[1]["version"], &history[1]["user"]), (&json!(2), &json!("ann")));
    assert_eq!(history[1]["what"], "written");
    let events = ann.query("SELECT * FROM events").await.unwrap();
    assert_eq!((&events[0]["type"], &events[0]["data"]), (&json!("note.made"), &json!(r#"{"x":1}"#)));
    let sql = "SELECT type FROM events WHERE id = ?1";
    let params = [events[0]["id"].clone()];
    assert_eq!(ann.query(sql).params(params).await.unwrap(), [json!({"type": "note.made"})]);
}

#[tokio::test]
async fn conditions_on_paths_find_what_a_walk_over_everything_finds() {
    let (_folder, hub) = stored();
    let ann = hub.context("ann");
    for path in ["/a", "/a b", "/A2/x", "/b/a/x", "/b/a/y", "/b/ab", "/b/a%", "/c/ä", "/Zoo/_x", "/zoo/ax"] {
        ann.write(path, path).await.unwrap();
    }
    for number in 0..600 {
        ann.write(&format!("/many/{number:04}"), "x").await.unwrap();
    }
    for condition in [
        "path = '/b/a/x'",
        "path = '/B/a/x'",
        "path = '/b/a'",
        "path = '/'",
        "path = ''",
        "path = 5",
        "path IS NULL",
        "path = '/B/A/X' COLLATE NOCASE",
        "path LIKE '/b/%'",
        "path LIKE '/B/A/%'",
        "path LIKE '/b/a%'",
        "path LIKE '/zoo/_x'",
        "path LIKE '%x'",
        "path LIKE ''",
        "path LIKE '/C/ä'",
        "path LIKE '/c/Ä'",
        "path GLOB '/b/*'",
        "path GLOB '/[bc]/*'",
        "path >= '/b/' AND path < '/b0'",
        "path > '/a' AND path < '/b/a/y'",
        "path > '/many/0590'",
        "path BETWEEN '/many/0255' AND '/many/0257'",
        "path IN ('/a', '/b/ab', '/none')",
        "path = '/a' OR path LIKE '/b/%'",
        "path LIKE '/b/%' OR path LIKE '/b/a/%'",
        "path LIKE '/b/a\\%' ESCAPE '\\'",
        "path = '/a' AND path = '/b'",
        "path < '/b' AND path > '/c'",
        "path LIKE '/many/05%'",
        "path LIKE '/a b'",
        "path NOT LIKE '/many/%'",
        "path = '/a' || ''",
    ] {
        let quick =
            column(&ann, &format!("SELECT path FROM documents WHERE {condition} ORDER BY path")).await;
        let slow = condition.replace("path", "(+path)");
        let all = column(&ann, &format!("SELECT path FROM documents WHERE {slow} ORDER BY path")).await;
        assert_eq!(quick, all, "{condition}");
    }
    let joined = "SELECT count(*) FROM documents AS d JOIN folders AS f ON d.path = f.path || '/x'";
    assert_eq!(column(&ann, joined).await, [json!(2)]);
    let counted = "SELECT count(*) FROM history WHERE id = (SELECT id FROM documents WHERE path = '/a')";
    assert_eq!(column(&ann, counted).await, [json!(1)]);
}

#[tokio::test]
async fn functions_of_ours_answer_as_those_of_sqlite() {
    let hub = Hub::in_memory().unwrap();
    let ann = hub.context("ann");
    for (sql, answer) in [
        ("instr('häb', 'b')", json!(3)),
        ("instr('abc', 'x')", json!(0)),
        ("instr(NULL, 'x')", Value::Null),
        ("instr('abc', '')", json!(1)),
        ("replace('aXbX', 'X', '--')", json!("a--b--")),
        ("replace('abc', '', 'x')", json!("abc")),
        ("trim('  a ')", json!("a")),
        ("trim('xyaxy', 'yx')", json!("a")),
        ("ltrim('xxa', 'x') || rtrim('bxx', 'x')", json!("ab")),
        ("'Abc' LIKE 'a_C'", json!(1)),
        ("'abc' LIKE 'a%d'", json!(0)),
        ("'a%c' LIKE 'a\\%c' ESCAPE '\\'", json!(1)),
        ("'aXc' LIKE 'aX%' ESCAPE 'X'", json!(0)),
        ("'a%' LIKE 'aX%' ESCAPE 'X'", json!(1)),
        ("NULL LIKE 'a'", Value::Null),
        ("'' LIKE '%'", json!(1)),
        ("'abc' LIKE '%b%'", json!(1)),
        ("'aab' LIKE '%ab'", json!(1)),
        ("'ABC' GLOB 'A*'", json!(1)),
        ("'ABC' GLOB 'a*'", json!(0)),
        ("'b-' GLOB '[a-c][^x]'", json!(1)),
        ("']' GLOB '[]]'", json!(1)),
        ("'a' GLOB '['", json!(0)),
        ("json_extract('{\"a\":[1,2]}', '$.a[1]')", json!(2)),
        ("x'00ff'", json!("00ff")),
        ("9e999", Value::Null),
        ("1.5", json!(1.5)),
        ("count(*) FROM (SELECT 1 AS x)", json!(1)),
        ("c FROM (WITH t (x) AS (VALUES (1), (2)) SELECT count(*) AS c FROM t)", json!(2)),
    ] {
        assert_eq!(column(&ann, &format!("SELECT {sql}")).await, [answer], "{sql}");
    }
}

#[tokio::test]
async fn parameters_are_values_and_never_text_of_the_query() {
    let hub = Hub::in_memory().unwrap();
    let ann = hub.context("ann");
    ann.write("/it's", "x").await.unwrap();
    let sql = "SELECT path FROM documents WHERE path = ?";
    assert_eq!(ann.query(sql).params(["/it's"]).await.unwrap().len(), 1);
    assert!(ann.query(sql).params(["' OR 1 --"]).await.unwrap().is_empty());
    let rows = ann
        .query("SELECT ?1 AS a, ?2 AS b, ?3 AS c, ?4 AS d")
        .params([json!(null), json!(true), json!(2.5), json!({"k": [1]})])
        .await
        .unwrap();
    assert_eq!(rows, [json!({"a": null, "b": 1, "c": 2.5, "d": r#"{"k":[1]}"#})]);
    let error = ann.query(sql).await.unwrap_err();
    assert!(error.to_string().contains("1 parameters, and 0 values"), "{error}");
    assert!(ann.query("SELECT 1").params([1]).await.is_err());
}

#[tokio::test]
async fn mistakes_are_named_with_their_place() {
    let hub = Hub::in_memory().unwrap();
    let ann = hub.context("ann");
    for (sql, says) in [
        ("SELECT path FORM documents", "near \"documents\""),
        ("SELECT absent FROM documents", "no such column: absent (at byte 8)"),
        ("SELECT 1 FROM nowhere", "no such table: nowhere"),
        ("", "empty"),
        (" -- just this", "empty"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT path, path FROM documents", "AS"),
        ("SELECT CAST(x'ff' AS TEXT)", "UTF-8"),
        ("SELECT json_extract('{', '$')", "while it ran"),
    ] {
        let error = refusal(&ann, sql).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{sql}: {error}");
        assert!(error.to_string().contains(says), "{sql}: {error}");
    }
    let past = ann.at(Timestamp::from_micros(1)).query("SELECT 1").await.unwrap_err();
    assert_eq!(past.kind(), ErrorKind::Unsupported);
}
