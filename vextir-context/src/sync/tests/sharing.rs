//! What is shared: who gets it, who may change it, and what nobody else learns.

use super::{exchange, serve, shown};
use crate::Peer;
use crate::hub::Hub;
use vextir_core::{ErrorKind, Level, Principal};

fn bob() -> Principal {
    Principal::User("bob".into())
}

async fn server_and_laptop() -> (Hub, Hub) {
    let (server, laptop) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let ann = server.context("ann");
    ann.write("/Projects/Team/plan", "one\n").await.unwrap();
    ann.write("/Projects/Team/sub/deep", "deep\n").await.unwrap();
    ann.grant("/Projects/Team", bob(), Level::Write).await.unwrap();
    serve(&server, &laptop).await;
    (server, laptop)
}

#[tokio::test]
async fn what_is_shared_goes_both_ways_with_who_did_it() {
    let (server, laptop) = server_and_laptop().await;
    let (ann, bob) = (server.context("ann"), laptop.context("bob"));
    assert_eq!(bob.read("/Shared/ann/Team/plan").await.unwrap().unwrap().content, "one\n".into());
    bob.append("/Shared/ann/Team/plan", "two, by bob\n").await.unwrap();
    bob.write("/Shared/ann/Team/sub/new", "new").await.unwrap();
    bob.write("/own", "of bob").await.unwrap();
    let (report, _) = serve(&server, &laptop).await;
    assert_eq!((report.applied, report.refused_here, report.differing), (3, 0, 0));
    assert_eq!(ann.read("/Projects/Team/plan").await.unwrap().unwrap().content, "one\ntwo, by bob\n".into());
    assert_eq!(&*ann.history("/Projects/Team/plan", 1).await.unwrap()[0].by.user, "bob");
    assert_eq!(shown(&server.context("bob")).await, shown(&bob).await);
    // And from there to another one of ann's.
    let desktop = Hub::in_memory().unwrap();
    exchange(&server, &desktop, "ann").await;
    let told = desktop.context("ann").history("/Projects/Team/plan", 9).await.unwrap();
    assert_eq!(told.iter().map(|told| &*told.by.user).collect::<Vec<_>>(), ["bob", "ann"]);
}

#[tokio::test]
async fn what_moves_into_a_shared_folder_comes_whole_and_what_moves_out_is_gone() {
    let (server, laptop) = server_and_laptop().await;
    let (ann, bob) = (server.context("ann"), laptop.context("bob"));
    ann.write("/private/a/b", "was private").await.unwrap();
    serve(&server, &laptop).await;
    ann.move_to("/private/a", "/Projects/Team/a").await.unwrap();
    ann.move_to("/Projects/Team/sub", "/private/sub").await.unwrap();
    let (report, told) = serve(&server, &laptop).await;
    assert_eq!(
        (report.differing, report.nodes_sent, told.repaired),
        (0, 3, 2),
        "the folder, what is above it, and what is in it"
    );
    assert_eq!(bob.read("/Shared/ann/Team/a/b").await.unwrap().unwrap().content, "was private".into());
    assert!(bob.read("/Shared/ann/Team/sub/deep").await.unwrap().is_none());
    ann.move_to("/private/sub", "/Projects/Team/back").await.unwrap();
    serve(&server, &laptop).await;
    assert_eq!(bob.read("/Shared/ann/Team/back/deep").await.unwrap().unwrap().content, "deep\n".into());
}

#[tokio::test]
async fn a_right_that_is_lost_cannot_be_used_any_more_nor_a_change_sneaked_in_with_it() {
    let (server, laptop) = server_and_laptop().await;
    let (ann, there) = (server.context("ann"), laptop.context("bob"));
    there.append("/Shared/ann/Team/plan", "too late\n").await.unwrap();
    ann.grant("/Projects/Team", bob(), Level::Read).await.unwrap();
    let (report, told) = serve(&server, &laptop).await;
    assert_eq!((report.refused_here, told.refused_there), (1, 1));
    assert_eq!(ann.read("/Projects/Team/plan").await.unwrap().unwrap().content, "one\n".into());
    let refused = there.append("/Shared/ann/Team/plan", "no\n").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);

    ann.revoke("/Projects/Team", bob()).await.unwrap();
    serve(&server, &laptop).await;
    assert!(there.read("/Shared/ann/Team/plan").await.unwrap().is_none());
}

#[tokio::test]
async fn a_folder_that_is_restricted_is_out_of_sight_and_comes_back() {
    let (server, laptop) = server_and_laptop().await;
    let (ann, bob) = (server.context("ann"), laptop.context("bob"));
    ann.restrict("/Projects/Team/sub", true).await.unwrap();
    ann.write("/Projects/Team/sub/more", "later").await.unwrap();
    serve(&server, &laptop).await;
    assert!(bob.read("/Shared/ann/Team/sub/deep").await.unwrap().is_none());
    ann.restrict("/Projects/Team/sub", false).await.unwrap();
    serve(&server, &laptop).await;
    assert_eq!(bob.read("/Shared/ann/Team/sub/more").await.unwrap().unwrap().content, "later".into());
}

#[tokio::test]
async fn what_happens_behind_a_restriction_is_not_told() {
    let (server, laptop) = server_and_laptop().await;
    let ann = server.context("ann");
    ann.restrict("/Projects/Team/sub", true).await.unwrap();
    let (report, _) = serve(&server, &laptop).await;
    assert_eq!(report.sent, 1, "that it is out of sight");
    ann.move_to("/Projects/Team/sub", "/Projects/Team/other").await.unwrap();
    ann.grant("/Projects/Team/other", Principal::User("carol".into()), Level::Read).await.unwrap();
    ann.write("/Projects/Team/other/deep", "deeper\n").await.unwrap();
    ann.remove("/Projects/Team/other").await.unwrap();
    let (report, _) = serve(&server, &laptop).await;
    assert_eq!((report.sent, report.nodes_sent, report.differing), (0, 0, 0), "{report:?}");
}

#[tokio::test]
async fn of_rights_that_are_given_at_the_same_time_the_lowest_counts() {
    let (one, other) = (Hub::in_memory().unwrap(), Hub::in_memory().unwrap());
    let (here, there) = (one.context("ann"), other.context("ann"));
    here.write("/f/x", "1").await.unwrap();
    here.grant("/f", bob(), Level::Write).await.unwrap();
    exchange(&one, &other, "ann").await;
    here.revoke("/f", bob()).await.unwrap();
    there.grant("/f", bob(), Level::Admin).await.unwrap();
    here.restrict("/f", true).await.unwrap();
    there.restrict("/f", false).await.unwrap();
    exchange(&one, &other, "ann").await;
    for context in [&here, &there] {
        let access = context.access("/f").await.unwrap().unwrap();
        assert_eq!((access.granted.len(), access.restricted), (0, true), "{access:?}");
    }
    // Who has seen both decides anew.
    there.grant("/f", bob(), Level::Read).await.unwrap();
    there.restrict("/f", false).await.unwrap();
    exchange(&one, &other, "ann").await;
    let access = here.access("/f").await.unwrap().unwrap();
    assert_eq!((access.granted, access.restricted), (vec![(bob(), Level::Read)], false));
}

#[tokio::test]
async fn no_byte_of_what_a_peer_may_not_read_is_in_a_message() {
    const CANARY: &str = "canary";
    let (server, laptop) = server_and_laptop().await;
    let ann = server.context("ann");
    ann.write("/canary-name/x", "canary text").await.unwrap();
    ann.write("/Projects/canary-above", "canary").await.unwrap();
    ann.write("/Projects/Team/secret/x", "canary inside").await.unwrap();
    ann.restrict("/Projects/Team/secret", true).await.unwrap();
    ann.grant("/Projects/Team", Principal::User("canary-carol".into()), Level::Read).await.unwrap();
    ann.write("/canary-old", "shared later").await.unwrap();
    ann.move_to("/canary-old", "/Projects/Team/new").await.unwrap();
    ann.move_to("/Projects/Team/sub", "/canary-gone").await.unwrap();
    server.context("carol").write("/canary", "canary").await.unwrap();
    for _ in 0..2 {
        let (mut here, mut there) = (server.sync(Peer::new("bob")), laptop.sync(Peer::new("bob").trusted()));
        let (mut to_there, mut to_here) = (here.start().await.unwrap(), there.start().await.unwrap());
        while !(to_there.is_empty() && to_here.is_empty()) {
            for message in std::mem::take(&mut to_there) {
                let text = String::from_utf8(message.clone()).unwrap();
                let hidden: String = CANARY.bytes().map(|byte| format!("{byte:02x}")).collect();
                assert!(!text.contains(CANARY) && !text.contains(&hidden), "{text}");
                to_here.extend(there.receive(&message).await.unwrap());
            }
            for message in std::mem::take(&mut to_here) {
                to_there.extend(here.receive(&message).await.unwrap());
            }
        }
        assert!(here.is_done());
    }
    assert!(laptop.context("bob").read("/Shared/ann/Team/new").await.unwrap().is_some());
}
