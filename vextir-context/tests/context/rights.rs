//! Who may do what, and that what one may not see does not exist.

use crate::{hub, paths, refused, text};
use vextir_core::context::Deed;
use vextir_core::{ErrorKind, Level, Principal};

#[tokio::test]
async fn a_shared_folder_appears_and_goes_with_the_grant() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Clients/Acme/plan", "secret plan").await.unwrap();
    ann.write("/Clients/Other/x", "canary").await.unwrap();
    assert!(bob.list("/").await.unwrap().is_empty(), "no hint before");
    ann.grant("/Clients/Acme", "bob", Level::Read).await.unwrap();
    assert_eq!(paths(&bob.list("/").await.unwrap()), ["/Shared"]);
    assert_eq!(paths(&bob.list("/Shared").await.unwrap()), ["/Shared/ann"]);
    assert_eq!(paths(&bob.list("/Shared/ann").await.unwrap()), ["/Shared/ann/Acme"]);
    assert_eq!(paths(&bob.list("/Shared/ann/Acme").await.unwrap()), ["/Shared/ann/Acme/plan"]);
    assert_eq!(text(&bob, "/Shared/ann/Acme/plan").await, "secret plan");
    refused(bob.write("/Shared/ann/Acme/plan", "x").await, ErrorKind::Denied, "Write");
    refused(bob.write("/Shared/ann/Acme/new", "x").await, ErrorKind::Denied, "Write");
    refused(bob.remove("/Shared/ann/Acme/plan").await, ErrorKind::Denied, "Write");
    refused(bob.grant("/Shared/ann/Acme", "eve", Level::Read).await, ErrorKind::Denied, "Admin");

    ann.grant("/Clients/Acme", "bob", Level::Write).await.unwrap();
    bob.write("/Shared/ann/Acme/plan", "better plan").await.unwrap();
    bob.write("/Shared/ann/Acme/by/bob", "x").await.unwrap();
    assert_eq!(text(&ann, "/Clients/Acme/plan").await, "better plan");
    assert_eq!(text(&ann, "/Clients/Acme/by/bob").await, "x");
    refused(bob.remove("/Shared/ann/Acme").await, ErrorKind::Denied, "folder that it is in");
    refused(bob.move_to("/Shared/ann/Acme/plan", "/mine").await, ErrorKind::Invalid, "another owner");
    bob.move_to("/Shared/ann/Acme/plan", "/Shared/ann/Acme/by/plan").await.unwrap();
    ann.move_to("/Clients/Acme", "/Archive/Acme 2").await.unwrap();
    assert_eq!(text(&bob, "/Shared/ann/Acme/by/plan").await, "better plan", "the place stays");

    ann.revoke("/Archive/Acme 2", "bob").await.unwrap();
    assert!(bob.list("/").await.unwrap().is_empty());
    assert!(bob.read("/Shared/ann/Acme/by/plan").await.unwrap().is_none());
    refused(bob.write("/Shared/ann/Acme/by/plan", "x").await, ErrorKind::NotFound, "nothing");
}

#[tokio::test]
async fn a_restricted_folder_cuts_off_what_it_inherits_at_once() {
    let hub = hub();
    let (ann, bob, eve) = (hub.context("ann"), hub.context("bob"), hub.context("eve"));
    ann.write("/Team/wages/all", "canary").await.unwrap();
    ann.write("/Team/news", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Admin).await.unwrap();
    ann.grant("/Team", "eve", Level::Write).await.unwrap();
    assert_eq!(text(&eve, "/Shared/ann/Team/wages/all").await, "canary");
    bob.restrict("/Shared/ann/Team/wages", true).await.unwrap();
    assert_eq!(text(&bob, "/Shared/ann/Team/wages/all").await, "canary", "who restricts stays in");
    assert_eq!(text(&ann, "/Team/wages/all").await, "canary", "and so does the owner");
    assert!(eve.read("/Shared/ann/Team/wages/all").await.unwrap().is_none());
    assert_eq!(paths(&eve.list("/Shared/ann/Team").await.unwrap()), ["/Shared/ann/Team/news"]);
    refused(eve.write("/Shared/ann/Team/wages/new", "x").await, ErrorKind::NotFound, "nothing");
    refused(eve.write("/Shared/ann/Team/wages", "x").await, ErrorKind::NotFound, "nothing");
    refused(
        eve.move_to("/Shared/ann/Team/wages", "/Shared/ann/Team/mine").await,
        ErrorKind::NotFound,
        "nothing",
    );
    ann.grant("/Team/wages", "eve", Level::Read).await.unwrap();
    assert_eq!(text(&eve, "/Shared/ann/Team/wages/all").await, "canary");
    ann.revoke("/Team/wages", "eve").await.unwrap();
    assert!(eve.read("/Shared/ann/Team/wages/all").await.unwrap().is_none());
    assert_eq!(paths(&eve.list("/Shared/ann").await.unwrap()), ["/Shared/ann/Team"]);
    ann.restrict("/Team/wages", false).await.unwrap();
    assert_eq!(text(&eve, "/Shared/ann/Team/wages/all").await, "canary");
    refused(eve.restrict("/Shared/ann/Team/wages", true).await, ErrorKind::Denied, "Admin");
    refused(ann.restrict("/Team/news", true).await, ErrorKind::Invalid, "folder");
    refused(ann.restrict("/", true).await, ErrorKind::Invalid, "root");
}

#[tokio::test]
async fn groups_give_what_is_granted_to_them() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/plan", "x").await.unwrap();
    ann.grant("/Team", Principal::Group("staff".into()), Level::Read).await.unwrap();
    assert!(bob.list("/").await.unwrap().is_empty());
    hub.add_member("staff", "bob").await.unwrap();
    assert_eq!(text(&bob, "/Shared/ann/Team/plan").await, "x");
    ann.write("/Later/plan", "y").await.unwrap();
    ann.grant("/Later", Principal::Group("staff".into()), Level::Write).await.unwrap();
    bob.write("/Shared/ann/Later/plan", "z").await.unwrap();
    hub.remove_member("staff", "bob").await.unwrap();
    assert!(bob.read("/Shared/ann/Team/plan").await.unwrap().is_none());
    assert!(bob.list("/").await.unwrap().is_empty());
    refused(ann.grant("/Team", Principal::Group("".into()), Level::Read).await, ErrorKind::Invalid, "name");
}

#[tokio::test]
async fn an_agent_acts_within_its_user_and_its_own_scope() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    let agent = ann.clone().as_agent("writer");
    ann.write("/Drafts/one", "x").await.unwrap();
    ann.write("/Private/canary", "canary").await.unwrap();
    assert!(agent.list("/").await.unwrap().is_empty());
    assert!(agent.read("/Drafts/one").await.unwrap().is_none());
    refused(agent.write("/new", "x").await, ErrorKind::NotFound, "nothing");
    refused(hub.context("new").as_agent("writer").write("/new", "x").await, ErrorKind::NotFound, "nothing");
    ann.grant("/Drafts", Principal::Agent("writer".into()), Level::Write).await.unwrap();
    agent.write("/Drafts/two", "y").await.unwrap();
    assert_eq!(paths(&agent.list("/").await.unwrap()), ["/Drafts"]);
    assert!(agent.read("/Private/canary").await.unwrap().is_none());
    assert_eq!(ann.history("/Drafts/two", 9).await.unwrap()[0].by.agent.as_deref(), Some("writer"));
    let other = bob.as_agent("writer");
    assert!(other.read("/Shared/ann/Drafts/two").await.unwrap().is_none(), "its user may not");
    ann.grant("/Drafts", "bob", Level::Read).await.unwrap();
    assert_eq!(text(&other, "/Shared/ann/Drafts/two").await, "y");
    refused(other.write("/Shared/ann/Drafts/two", "z").await, ErrorKind::Denied, "Read");
}

#[tokio::test]
async fn places_of_one_name_stay_apart_for_good() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/a/Notes/x", "first").await.unwrap();
    ann.write("/b/Notes/x", "second").await.unwrap();
    ann.grant("/a/Notes", "bob", Level::Write).await.unwrap();
    ann.grant("/b/Notes", "bob", Level::Write).await.unwrap();
    assert_eq!(
        paths(&bob.list("/Shared/ann").await.unwrap()),
        ["/Shared/ann/Notes", "/Shared/ann/Notes (2)"]
    );
    ann.revoke("/a/Notes", "bob").await.unwrap();
    assert_eq!(paths(&bob.list("/Shared/ann").await.unwrap()), ["/Shared/ann/Notes (2)"]);
    refused(bob.write("/Shared/ann/Notes/x", "lost").await, ErrorKind::NotFound, "nothing");
    assert_eq!(text(&bob, "/Shared/ann/Notes (2)/x").await, "second");
    ann.grant("/", "bob", Level::Read).await.unwrap();
    assert_eq!(text(&bob, "/Shared/ann/Home/a/Notes/x").await, "first");
    refused(ann.grant("/a", "ann", Level::Read).await, ErrorKind::Invalid, "owner");
    ann.grant("/a/Notes/x", "dan", Level::Read).await.unwrap();
    assert_eq!(text(&hub.context("dan"), "/Shared/ann/x").await, "first", "one document alone");
    ann.remove("/a").await.unwrap();
    assert!(hub.context("dan").list("/").await.unwrap().is_empty());
}

#[tokio::test]
async fn administrators_see_who_may_do_what() {
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    ann.write("/Team/x", "x").await.unwrap();
    ann.grant("/Team", "bob", Level::Comment).await.unwrap();
    ann.grant("/Team", Principal::Group("staff".into()), Level::Read).await.unwrap();
    ann.restrict("/Team", true).await.unwrap();
    let all = ann.access("/Team").await.unwrap().unwrap();
    let staff = Principal::Group("staff".into());
    assert_eq!((all.level, all.restricted), (Level::Admin, true));
    assert_eq!(all.granted, [(staff, Level::Read), ("bob".into(), Level::Comment)]);
    let own = bob.access("/Shared/ann/Team/x").await.unwrap().unwrap();
    assert_eq!((own.level, own.granted.len()), (Level::Comment, 0));
    assert!(bob.access("/Shared/ann/Team").await.unwrap().unwrap().granted.is_empty());
    for path in ["/Shared/ann/None", "/Shared/ann", "/none"] {
        assert_eq!(bob.access(path).await.unwrap(), None);
    }
    assert_eq!(hub.context("eve").access("/Shared/ann/Team").await.unwrap(), None);
}

/// The secret must not be told in any answer to somebody who may not see it.
#[tokio::test]
async fn a_canary_is_in_no_answer_to_others() {
    const CANARY: &str = "canary-7c1f";
    let hub = hub();
    let (ann, bob) = (hub.context("ann"), hub.context("bob"));
    let secret = format!("/Open/{CANARY}/{CANARY}.txt");
    ann.write("/Open/public", "x").await.unwrap();
    ann.grant("/Open", "bob", Level::Admin).await.unwrap();
    ann.write(&secret, CANARY).metadata(serde_json::json!({"of": CANARY})).await.unwrap();
    ann.restrict(&format!("/Open/{CANARY}"), true).await.unwrap();
    let mut watch = bob.watch("/").await.unwrap();
    ann.write(&secret, format!("{CANARY} again")).await.unwrap();
    ann.grant(&secret, "eve", Level::Read).await.unwrap();
    ann.move_to(&secret, &format!("/Open/{CANARY}/moved")).await.unwrap();
    ann.remove(&format!("/Open/{CANARY}/moved")).await.unwrap();
    ann.write("/Open/public", "last").await.unwrap();

    let mut told = String::new();
    for path in ["/", "/Shared", "/Shared/ann", "/Shared/ann/Open", "/Shared/ann/Open/x", "/Open"] {
        told += &format!("{:?}", bob.list(path).await);
        told += &format!("{:?}", bob.read(path).await);
        told += &format!("{:?}", bob.guides(path).await);
        told += &format!("{:?}", bob.access(path).await);
        told += &format!("{:?}", bob.history(path, 100).await);
        told += &format!("{:?}", bob.diff(path, 0, 1).await);
        told += &format!("{:?}", bob.at_version(1).read(path).await);
    }
    // Whoever guesses the name hears the same as for a name that is not there.
    for tail in ["", "/moved", &format!("/{CANARY}.txt")] {
        let (hidden, absent) =
            (format!("/Shared/ann/Open/{CANARY}{tail}"), format!("/Shared/ann/Open/nothing-7c1f{tail}"));
        let mut answers = Vec::new();
        for path in [&hidden, &absent] {
            let mut answer = format!("{:?}", bob.read(path).await);
            answer += &format!("{:?}", bob.list(path).await);
            answer += &format!("{:?}", bob.access(path).await);
            answer += &format!("{:?}", bob.history(path, 9).await.map_err(|error| error.to_string()));
            answer += &format!("{:?}", bob.remove(path).await.map_err(|error| error.to_string()));
            answer += &format!("{:?}", bob.restore(path).await.map_err(|error| error.to_string()));
            answer += &format!("{:?}", bob.move_to(path, "/x").await.map_err(|error| error.to_string()));
            answer += &format!(
                "{:?}",
                bob.patch(path, serde_json::json!({}))
                    .expect_version(7)
                    .await
                    .map_err(|error| error.kind())
                    .err()
                    .is_some()
            );
            answers.push(answer.replace(CANARY, "nothing-7c1f"));
        }
        assert_eq!(answers[0], answers[1]);
    }
    // What goes out of sight is gone, and not told where to.
    ann.write("/Open/leaves", "x").await.unwrap();
    ann.move_to("/Open/leaves", &format!("/Open/{CANARY}/left")).await.unwrap();
    let seen = watch.next().await.unwrap().unwrap();
    assert_eq!((seen.path.as_str(), seen.what), ("/Shared/ann/Open/public", Deed::Written));
    told += &format!("{seen:?}");
    let seen = watch.next().await.unwrap().unwrap();
    assert_eq!((seen.path.as_str(), seen.what), ("/Shared/ann/Open/leaves", Deed::Removed));
    told += &format!("{seen:?}");
    assert!(!told.contains(CANARY), "{told}");
}
