//! Who sees what: rights are asked at the document that something comes from.

use crate::{day, fact, hub, near, refused, say, shown};
use vextir_core::context::graph::{EntityKey, Episode, Fact};
use vextir_core::{Context, ErrorKind, Level, Principal};

/// All that a user can learn of a graph.
async fn all(context: &Context, of: &str) -> String {
    let mut text = String::new();
    for graph in [context.graph().of(of), context.graph()] {
        let graph = graph.valid_at(day(1_000));
        for key in ["canary", "bob", "tea"] {
            let key = EntityKey::new("thing", key);
            text += &format!("{:?}", graph.entity(&key).await.unwrap().map(|entity| entity.properties));
            let found = graph.neighbours(&key).depth(6).await.unwrap();
            text += &format!("{:?}{}", shown(&found.links), found.truncated);
            text += &format!("{:?}", graph.timeline(&key, 9).await.unwrap().links);
            text += &format!("{:?}", graph.paths(&key, ("thing", "bob"), 6).await.unwrap());
        }
        for path in ["/Shared/ann/plan", "/Shared/ann/secret", "/secret", "/plan"] {
            text += &format!("{:?}", graph.neighbours(EntityKey::document(path)).await.unwrap());
        }
    }
    for table in ["links", "entities"] {
        text += &format!("{:?}", context.query(format!("SELECT * FROM {table}")).await.unwrap());
    }
    text
}

#[tokio::test]
async fn another_tenant_sees_nothing() {
    let hub = hub();
    let ann = hub.context("ann");
    say(&ann.graph(), "canary-source", 1, [fact("bob", "likes", "canary")]).await;
    ann.write("/canary", "[[/canary]] @canary").await.unwrap();
    let nobody = hub.context("zoe");
    let eve = hub.context("eve");
    assert!(!all(&eve, "ann").await.contains("canary"));
    assert_eq!(all(&eve, "ann").await, all(&nobody, "nobody").await);
    refused(
        eve.graph().of("ann").ingest(Episode::new("note", "x")).await,
        ErrorKind::Denied,
        "by its owner only",
    );
    refused(eve.graph().of("ann").forget("canary-source").await, ErrorKind::Denied, "by its owner only");
    assert_eq!(eve.graph().forget("canary-source").await.unwrap().unwrap().links.len(), 0);
    assert_eq!(near(&ann.graph(), "bob").await, ["bob likes canary"]);
}

#[tokio::test]
async fn what_came_from_a_document_is_seen_while_it_may_be_read() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/plan", "[[/secret]]").await.unwrap();
    ann.write("/secret", "@canary").await.unwrap();
    ann.grant("/plan", "bob", Level::Read).await.unwrap();
    // Bob keeps what he read there; Ann, what only she may see.
    say(&bob.graph(), "/Shared/ann/plan", 1, [fact("bob", "saw", "canary")]).await;
    say(&ann.graph(), "/plan", 1, [fact("plan", "names", "bob")]).await;
    say(&ann.graph(), "/secret", 1, [fact("plan", "names", "canary")]).await;
    say(&ann.graph(), "mail", 1, [fact("plan", "costs", "canary")]).await;
    assert_eq!(near(&bob.graph(), "bob").await, ["bob saw canary"]);
    let shared = bob.graph().of("ann");
    assert_eq!(near(&shared, "plan").await, ["plan names bob"]);
    assert!(shared.entity(("thing", "canary")).await.unwrap().is_none());
    let link = &shared.neighbours(("thing", "plan")).await.unwrap().links[0];
    let seen = shared.episode(&link.episodes[0]).await.unwrap().unwrap();
    assert_eq!(seen.source, "/Shared/ann/plan");
    let plan = shared.neighbours(EntityKey::document("/Shared/ann/plan")).await.unwrap();
    assert!(plan.links.is_empty(), "the link leads to what bob may not read: {plan:?}");
    ann.revoke("/plan", "bob").await.unwrap();
    let left = all(&bob, "ann").await;
    assert!(!left.contains("canary") && !left.contains("plan names"), "{left}");
    assert!(bob.graph().entity(("thing", "canary")).await.unwrap().is_none());
    assert_eq!(bob.graph().forget("/Shared/ann/plan").await.unwrap().unwrap(), Default::default());
    refused(
        bob.graph().ingest(Episode::new("note", "/Shared/ann/plan")).await,
        ErrorKind::NotFound,
        "nothing at",
    );
    ann.grant("/plan", "bob", Level::Read).await.unwrap();
    assert_eq!(near(&bob.graph(), "bob").await, ["bob saw canary"], "it was hidden, not lost");
}

/// A hidden fact retires nothing, ends nothing and dates nothing.
#[tokio::test]
async fn nothing_that_is_seen_tells_of_what_is_hidden() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    for path in ["/open", "/hidden"] {
        ann.write(path, "x").await.unwrap();
        ann.grant(path, "bob", Level::Read).await.unwrap();
    }
    ann.graph().declare_single("works_for", true).await.unwrap();
    let tell = async |path: &'static str, at: i64, company: &'static str| {
        say(
            &ann.graph(),
            path,
            at,
            [
                fact("bob", "works_for", company),
                fact("bob", "likes", "tea"),
                Fact::property(("thing", "bob"), "age", at),
            ],
        )
        .await;
    };
    tell("/open", 5, "acme").await;
    ann.revoke("/hidden", "bob").await.unwrap();
    let before = all(&bob, "ann").await;
    assert!(before.contains("acme"));
    tell("/hidden", 9, "canary").await;
    tell("/hidden", 1, "early").await;
    assert_eq!(all(&bob, "ann").await, before);
    assert_eq!(near(&ann.graph(), "bob").await, ["bob likes tea", "bob works_for canary"]);
}

#[tokio::test]
async fn an_agent_acts_within_what_was_granted_to_it() {
    let hub = hub();
    let ann = hub.context("ann");
    let agent = || hub.context("ann").as_agent("helper").graph();
    ann.write("/Work/a", "@bob").await.unwrap();
    ann.write("/Private/b", "@canary").await.unwrap();
    say(&ann.graph(), "mail", 1, [fact("bob", "likes", "canary")]).await;
    let note = |source: &str| Episode::new("note", source).fact(fact("bob", "likes", "tea"));
    assert!(near(&agent(), "bob").await.is_empty());
    refused(agent().ingest(note("x")).await, ErrorKind::NotFound, "nothing at");
    let helper = Principal::Agent("helper".into());
    ann.grant("/Work", helper.clone(), Level::Read).await.unwrap();
    let seen = agent().neighbours(("handle", "bob")).await.unwrap();
    assert_eq!(shown(&seen.links), ["/Work/a mentions bob"]);
    assert!(agent().entity(("handle", "canary")).await.unwrap().is_none());
    refused(agent().ingest(note("/Work/a")).await, ErrorKind::Denied, "takes the level Write");
    refused(agent().ingest(note("/Private/b")).await, ErrorKind::NotFound, "nothing at");
    ann.grant("/Work", helper.clone(), Level::Write).await.unwrap();
    agent().ingest(note("/Work/a")).await.unwrap();
    assert_eq!(near(&agent(), "bob").await, ["bob likes tea"]);
    refused(agent().ingest(note("x")).await, ErrorKind::NotFound, "nothing at");
    refused(agent().forget("mail").await, ErrorKind::NotFound, "nothing at");
    refused(agent().declare_single("likes", true).await, ErrorKind::NotFound, "nothing at");
    ann.grant("/", helper, Level::Write).await.unwrap();
    agent().ingest(note("x")).await.unwrap();
    assert_eq!(near(&agent(), "bob").await, ["bob likes canary", "bob likes tea"]);
}

/// A link that names a document which its author may not read is no way to learn whether it is there.
#[tokio::test]
async fn a_named_document_that_is_hidden_is_like_none() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/open", "x").await.unwrap();
    ann.write("/Team/in/hidden", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Read).await.unwrap();
    ann.restrict("/Team/in", true).await.unwrap();
    let mut answers = Vec::new();
    for name in ["in/hidden", "in/nothing"] {
        let path = format!("/Shared/ann/Team/{name}");
        let told =
            say(&bob.graph(), "x", 1, [Fact::new(("thing", "t"), "at", EntityKey::document(&path))]).await;
        let found = bob.graph().neighbours(("thing", "t")).await.unwrap();
        answers.push(format!("{} {:?}", told.facts, shown(&found.links)).replace(name, "NAME"));
        bob.graph().forget("x").await.unwrap();
    }
    assert_eq!(answers[0], answers[1]);
}

/// What a reader of a share may write into it tells nothing of the tree around it.
#[tokio::test]
async fn a_page_tells_nobody_else_what_is_around_a_share() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Merger/Proj/x", "nothing").await.unwrap();
    ann.grant("/Merger/Proj", "bob", Level::Write).await.unwrap();
    bob.write("/Shared/ann/Proj/x", "[[foo]] and [[/Secret/plan]] and @bob").await.unwrap();
    let theirs = async || {
        let walk = bob.graph().of("ann").neighbours(EntityKey::document("/Shared/ann/Proj/x")).await.unwrap();
        format!("{walk:?}").replace(char::is_numeric, "")
    };
    let before = theirs().await;
    assert!(before.contains("bob") && !before.contains("Merger") && !before.contains("Secret"), "{before}");
    ann.write("/Secret/plan", "canary").await.unwrap();
    bob.write("/Shared/ann/Proj/x", "[[foo]] and [[/Secret/plan]] and @bob!").await.unwrap();
    assert_eq!(theirs().await.len(), before.len());
    let own = ann.graph().neighbours(EntityKey::document("/Merger/Proj/x")).await.unwrap();
    assert!(format!("{own:?}").contains("Secret"), "{own:?}");
}

/// Nor does a fact about something hidden, however it is told.
#[tokio::test]
async fn a_link_to_what_is_hidden_retires_nothing() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/open", "x").await.unwrap();
    ann.write("/hidden", "x").await.unwrap();
    let graph = ann.graph();
    graph.declare_single("is_at", true).await.unwrap();
    let at = |path: &str| Fact::new(("thing", "plan"), "is_at", EntityKey::document(path));
    say(&graph, "/open", 1, [at("/open")]).await;
    ann.grant("/open", "bob", Level::Read).await.unwrap();
    let bob = hub.context("bob");
    let theirs = async || {
        let graph = bob.graph().of("ann");
        let near = graph.neighbours(("thing", "plan")).await.unwrap();
        let timeline = graph.timeline(("thing", "plan"), 9).await.unwrap();
        format!("{near:?} {timeline:?}")
    };
    let before = theirs().await;
    assert!(before.contains("/Shared/ann/open"), "{before}");
    // It comes from what bob may read, and leads to what he may not.
    say(&graph, "/open", 5, [at("/hidden")]).await;
    assert_eq!(theirs().await, before);
    assert_eq!(near(&graph, "plan").await, ["plan is_at /hidden"]);
}

/// What an agent is told of what it made its user forget is what it could see.
#[tokio::test]
async fn forgetting_tells_nothing_of_what_is_hidden() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Work/a", "x").await.unwrap();
    ann.write("/Private/b", "x").await.unwrap();
    ann.grant("/Work", Principal::Agent("helper".into()), Level::Write).await.unwrap();
    let agent = hub.context("ann").as_agent("helper").graph();
    let told = async |also: bool| {
        say(&ann.graph(), "/Work/a", 1, [fact("bob", "likes", "tea"), fact("tea", "is", "hot")]).await;
        if also {
            say(&ann.graph(), "/Private/b", 1, [fact("bob", "likes", "tea")]).await;
            say(&ann.graph(), "mail", 1, [fact("tea", "is", "hot"), fact("bob", "is", "ill")]).await;
        }
        agent.forget("/Work/a").await.unwrap().unwrap()
    };
    let (alone, beside) = (told(false).await, told(true).await);
    assert_eq!((alone.links.len(), alone.entities.len(), alone.kept), (2, 3, 0));
    assert_eq!(alone, beside);
    assert_eq!(near(&ann.graph(), "bob").await, ["bob is ill", "bob likes tea"], "it stays all the same");
}
