//! Paths that lead nowhere, or somewhere else.

use crate::{hub, text};
use vextir_core::context::graph::{EntityKey, Episode, Fact, Object};
use vextir_core::{Context, ErrorKind, Level, Principal};

#[tokio::test]
async fn nobody_puts_a_document_into_anothers_tree_where_its_owner_cannot_reach_it() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/mine", "ann's").await.unwrap();
    ann.grant("/", "bob", Level::Write).await.unwrap();
    let wrote = bob.write("/Shared/ann/Home/Shared/hidden", "x").await;
    let moved = bob.move_to("/Shared/ann/Home/mine", "/Shared/ann/Home/Shared").await;
    let items = ann.list("/").await.unwrap();
    assert!(wrote.is_err() && moved.is_err(), "{items:?}");
}

#[tokio::test]
async fn the_owner_reaches_what_somebody_else_moved_in_its_tree() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/mine", "ann's").await.unwrap();
    ann.grant("/", "bob", Level::Write).await.unwrap();
    drop(bob.move_to("/Shared/ann/Home/mine", "/Shared/ann/Home/Shared/ann/x").await);
    let reached = [text(&ann, "/mine").await, text(&ann, "/Shared/ann/x").await];
    assert!(reached.iter().any(Option::is_some), "{:?}", ann.list("/").await.unwrap());
}

#[tokio::test]
async fn names_of_users_that_look_like_paths_stay_names() {
    let hub = hub();
    let (odd, bob) = (hub.context("../bob"), hub.context("bob"));
    bob.write("/x", "bob's").await.unwrap();
    odd.write("/Team/x", "odd's").await.unwrap();
    assert_eq!(text(&bob, "/x").await.unwrap(), "bob's");
    odd.grant("/Team", "bob", Level::Read).await.unwrap();
    assert_eq!(text(&bob, "/Shared/..%2Fbob/Team/x").await.unwrap(), "odd's");
    assert_eq!(text(&hub.context("new"), "/bob/x").await, None);
    assert!(hub.context("new").history("/bob/x", 9).await.is_err());
    assert!(hub.context("new").restore("/bob").await.is_err());
}

#[tokio::test]
async fn a_root_is_no_document_for_a_new_user_either() {
    let hub = hub();
    let ann = hub.context("ann");
    let outcome = ann.write("/", "x").await;
    assert!(outcome.is_err(), "{outcome:?}, and the guide is {:?}", ann.guide("/").await);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_move_leaves_every_document_at_a_path_that_can_be_asked_for() {
    let hub = hub();
    let ann = hub.context("ann");
    let long = |sign: &str| sign.repeat(250);
    let path = format!("/{}/{}/{}/{}", long("a"), long("b"), long("c"), "d".repeat(60));
    ann.write(&path, "x").await.unwrap();
    let target = format!("/{}/{}", long("t"), long("a"));
    if ann.move_to(&format!("/{}", long("a")), &target).await.is_ok() {
        let moved = format!("{target}/{}/{}/{}", long("b"), long("c"), "d".repeat(60));
        assert!(ann.read(&moved).await.unwrap_or(None).is_some(), "a path of {} bytes", moved.len());
    }
}

#[tokio::test]
async fn all_that_is_shared_can_be_read_by_whom_it_is_shared_with() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    let below = "/d".repeat(31);
    ann.write(&format!("/Team{below}"), "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    let read = bob.read(&format!("/Shared/ann/Team{below}")).await;
    assert!(matches!(read, Ok(Some(_))), "{read:?}");
}

/// The paths under which a user finds the one document that it sees of another's: of SQL, of a search, of the graph, and of
/// a watch that began before `text` was written there.
async fn ways(owner: &Context, theirs: &Context, path: &str, text: &str) -> Vec<String> {
    let mut watch = theirs.watch("/Shared").await.unwrap();
    owner.write(path, text).await.unwrap();
    let fact = Fact::new(("thing", "bob"), "reads", EntityKey::document(path));
    owner.graph().ingest(Episode::new("note", path).fact(fact)).await.unwrap();
    let rows = theirs.query("SELECT path FROM documents WHERE path LIKE '/Shared/%'").await.unwrap();
    let mut found: Vec<String> = rows.iter().map(|row| row["path"].as_str().unwrap().to_owned()).collect();
    let hits = theirs.search(text).fresh().await.unwrap();
    found.extend(hits.into_iter().map(|hit| hit.path));
    let links = theirs.graph().of("ann").neighbours(("thing", "bob")).await.unwrap().links;
    for link in links {
        let Object::Entity(key) = link.object else { panic!("{link:?}") };
        found.push(key.key);
    }
    found.extend(crate::told(&mut watch).await.into_iter().map(|change| change.path));
    found
}

/// Wherever a document is told of, it has the same path, and that path leads to it.
#[tokio::test]
async fn a_document_has_one_path_in_sql_search_graph_and_watches() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    // Within what is shared lies what is not, and in there something that is.
    ann.write("/Team/inside/doc", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    ann.restrict("/Team/inside", true).await.unwrap();
    ann.grant("/Team/inside/doc", "bob", Level::Read).await.unwrap();
    let found = ways(&ann, &bob, "/Team/inside/doc", "zebra").await;
    assert_eq!(found, ["/Shared/ann/doc"; 4], "the name of the folder is not bob's to know");
    assert_eq!(text(&bob, &found[0]).await.unwrap(), "zebra");
    // An agent that was given the document alone sees it where its user does.
    ann.write("/Plans/a/doc", "x").await.unwrap();
    ann.grant("/Plans", "carl", Level::Read).await.unwrap();
    ann.grant("/Plans/a/doc", Principal::Agent("helper".into()), Level::Read).await.unwrap();
    let helper = hub.context("carl").as_agent("helper");
    let found = ways(&ann, &helper, "/Plans/a/doc", "giraffe").await;
    assert_eq!(found, ["/Shared/ann/Plans/a/doc"; 4]);
    assert_eq!(text(&helper, &found[0]).await.unwrap(), "giraffe");
}

/// Who was given a folder and one in it finds things in both; a watch of either tells of them.
#[tokio::test]
async fn a_watch_of_any_place_that_leads_to_a_document_tells_of_it() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/inside/doc", "x").await.unwrap();
    for folder in ["/Team", "/Team/inside"] {
        ann.grant(folder, "bob", Level::Read).await.unwrap();
    }
    for folder in ["/Shared/ann/inside", "/Shared/ann/Team"] {
        let mut watch = bob.watch(folder).await.unwrap();
        ann.write("/Team/inside/doc", folder).await.unwrap();
        let told = crate::told(&mut watch).await;
        assert!(told.len() == 1 && told[0].path.starts_with(folder), "{told:?}");
    }
}

/// A right that went takes no part of the way with it for what is still there.
#[tokio::test]
async fn guides_stand_at_the_paths_that_were_asked_for() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/inside/doc", "x").await.unwrap();
    ann.set_guide("/Team/inside", "what is inside").await.unwrap();
    for folder in ["/Team", "/Team/inside"] {
        ann.grant(folder, "bob", Level::Read).await.unwrap();
    }
    ann.revoke("/Team", "bob").await.unwrap();
    for path in ["/Shared/ann/Team/inside", "/Shared/ann/inside"] {
        let guides = bob.guides(path).await.unwrap();
        assert_eq!(guides.iter().map(|guide| guide.path.as_str()).collect::<Vec<_>>(), [path]);
    }
}
