//! What is asked for by search and by query.

use super::super::conformance::{Outcome, holds, refused, same};
use super::{StoreUnderTest, of, offered};
use crate::context::{ContentKind, Hit};
use crate::{ErrorKind, Level};
use serde_json::{Value, json};

fn paths(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.path.as_str()).collect()
}

pub(super) async fn a_search_finds_what_its_user_may_read<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob, eve) = (of(&subject, "ann"), of(&subject, "bob"), of(&subject, "eve"));
    ann.write("/Mail/printer", "# Invoice\nThe printer was repaired in June.").await?;
    ann.write("/Mail/walk", json!({"body": "a walk in August"})).await?;
    ann.write("/secret", "a canary, and a printer, in June").await?;
    ann.grant("/Mail", "bob", Level::Read).await?;
    let Some(hits) = offered(ann.search("printer june").text_only().fresh().await)? else { return Ok(()) };
    let mut found = paths(&hits);
    found.sort_unstable();
    same(found, vec!["/Mail/printer", "/secret"], "it finds what has the words")?;
    holds(
        hits.iter()
            .flat_map(|hit| hit.marks.iter().map(|mark| hit.snippet.get(mark.clone())))
            .all(|at| at.is_some()),
        "marks are parts of the snippet",
        &hits,
    )?;
    same(ann.search("printer june").text_only().limit(1).await?.len(), 1, "no more than is asked for")?;
    let under = ann.search("printer june").text_only().under("/Mail").await?;
    same(paths(&under), vec!["/Mail/printer"], "what is elsewhere is left out")?;
    let json = ann.search("august").text_only().kind(ContentKind::Json).await?;
    same(paths(&json), vec!["/Mail/walk"], "one kind alone is asked for")?;
    let theirs = bob.search("printer june").text_only().fresh().await?;
    same(paths(&theirs), vec!["/Shared/ann/Mail/printer"], "others find what is shared, by their path")?;
    for text in ["canary", "printer june"] {
        let found = eve.search(text).text_only().fresh().found().await?;
        same((found.hits, found.behind), (Vec::new(), 0), "and of what is hidden nothing, and no count")?;
    }
    ann.remove("/Mail/printer").await?;
    let left = ann.search("printer june").text_only().under("/Mail").fresh().await?;
    same(paths(&left), Vec::new(), "what is removed is not found")
}

pub(super) async fn a_query_sees_what_its_user_may_read<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob, eve) = (of(&subject, "ann"), of(&subject, "bob"), of(&subject, "eve"));
    ann.write("/f/a", "one").await?;
    ann.write("/secret", "canary").await?;
    ann.grant("/f", "bob", Level::Read).await?;
    let given = ann.query("SELECT ?1 AS text, ?2 AS number").params([json!("it's"), json!(7)]).await;
    let Some(given) = offered(given)? else { return Ok(()) };
    same(given, vec![json!({"text": "it's", "number": 7})], "rows are objects, and parameters are data")?;
    refused(ann.query("what is there?").await, ErrorKind::Invalid, "what is no query is refused")?;
    let all = "SELECT path FROM documents ORDER BY path";
    let own = match ann.query(all).await {
        // Its tables are others: what they are, the store says.
        Err(error) if error.kind() == ErrorKind::Invalid => return Ok(()),
        own => own?,
    };
    let rows = |paths: &[&str]| paths.iter().map(|path| json!({"path": path})).collect::<Vec<Value>>();
    same(own, rows(&["/f/a", "/secret"]), "the own documents are there")?;
    same(bob.query(all).await?, rows(&["/Shared/ann/f/a"]), "and what is shared, by the reader's path")?;
    let count = "SELECT count(*) AS number FROM documents";
    same(eve.query(count).await?, vec![json!({"number": 0})], "what is hidden is not counted")?;
    refused(ann.query("DELETE FROM documents").await, ErrorKind::Invalid, "nothing is changed by a query")?;
    holds(ann.read("/f/a").await?.is_some(), "and nothing was", ())
}
