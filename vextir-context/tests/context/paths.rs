//! Paths that are no paths, and places that are no documents.

use crate::{hub, refused};
use vextir_core::ErrorKind;

#[tokio::test]
async fn no_trick_reaches_anything() {
    let hub = hub();
    let ann = hub.context("ann");
    hub.context("bob").write("/secret", "canary").await.unwrap();
    let long = format!("/{}", "x/".repeat(600));
    for path in ["", "secret", "/../bob/secret", "/./a", "//", "/a/", "/a\0", "/\u{7f}", "/ ", &long] {
        refused(ann.write(path, "x").await, ErrorKind::Invalid, "path");
        refused(ann.read(path).await, ErrorKind::Invalid, "path");
        refused(ann.list(path).await, ErrorKind::Invalid, "path");
        refused(ann.remove(path).await, ErrorKind::Invalid, "path");
        refused(ann.move_to("/a", path).await, ErrorKind::Invalid, "path");
        refused(ann.watch(path).await, ErrorKind::Invalid, "path");
        refused(ann.history(path, 1).await, ErrorKind::Invalid, "path");
        refused(ann.guides(path).await, ErrorKind::Invalid, "path");
    }
    assert!(ann.list("/").await.unwrap().is_empty());
}

#[tokio::test]
async fn two_forms_of_a_name_are_one_document_and_two_cases_are_two() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/Cafe\u{301}", "x").await.unwrap();
    assert!(ann.read("/Caf\u{e9}").await.unwrap().is_some());
    ann.write("/caf\u{e9}", "y").await.unwrap();
    assert_eq!(ann.list("/").await.unwrap().len(), 2);
}

#[tokio::test]
async fn folders_and_documents_do_not_stand_in_for_each_other() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/b", "x").await.unwrap();
    refused(ann.write("/a", "x").await, ErrorKind::Invalid, "folder");
    refused(ann.write("/", "x").await, ErrorKind::Invalid, "folder");
    refused(ann.write("/a/b/c", "x").await, ErrorKind::Invalid, "document stands");
    assert!(ann.read("/a").await.unwrap().is_none());
    assert!(ann.read("/a/b/c").await.unwrap().is_none());
    refused(ann.write("/Shared", "x").await, ErrorKind::Denied, "/Shared");
    refused(ann.write("/Shared/bob", "x").await, ErrorKind::Denied, "/Shared");
    refused(ann.write("/Shared/bob/x", "x").await, ErrorKind::NotFound, "/Shared/bob/x");
    refused(ann.move_to("/a", "/Shared").await, ErrorKind::Denied, "/Shared");
}

#[tokio::test]
async fn a_tree_does_not_grow_deeper_than_paths_reach() {
    let hub = hub();
    let ann = hub.context("ann");
    let deep = "/d".repeat(31);
    ann.write(&format!("{deep}/x"), "x").await.unwrap();
    ann.write("/top/inner/y", "y").await.unwrap();
    refused(ann.move_to("/top", &format!("{}/t", "/d".repeat(30))).await, ErrorKind::Invalid, "deep");
    ann.move_to("/top/inner/y", &format!("{deep}/y")).await.unwrap();
}
