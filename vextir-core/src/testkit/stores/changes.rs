//! What is told of changes to who follows them.

use super::super::conformance::{Outcome, holds, present, refused, same, soon};
use super::{StoreUnderTest, of};
use crate::context::Deed;
use crate::{Actor, ErrorKind, Level};

pub(super) async fn changes_come_in_commit_order<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    let mut watch = ann.watch("/f").await?;
    ann.write("/other", "x").await?;
    ann.write("/f/a", "1").await?;
    ann.write("/f/a", "2").await?;
    ann.move_to("/f/a", "/f/b").await?;
    ann.remove("/f/b").await?;
    let mut found = Vec::new();
    while found.len() < 5 {
        let changed = present(soon(watch.next(), "a change is told").await?, "the store is open")??;
        found.push((changed.what, changed.version, changed.path));
    }
    let paths: Vec<_> = found.iter().map(|(what, version, _)| (*what, *version)).collect();
    let expected =
        [(Deed::Created, 0), (Deed::Created, 1), (Deed::Written, 2), (Deed::Moved, 0), (Deed::Removed, 0)];
    same(paths, expected.to_vec(), "each change once, in order, and none of elsewhere")?;
    holds(found.iter().all(|(.., path)| path.starts_with("/f")), "with its path", &found)
}

pub(super) async fn nothing_is_skipped_by_a_cursor<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    let mut watch = ann.watch("/").await?;
    for number in 0..600 {
        ann.write("/a", format!("{number}")).await?;
    }
    for version in 1..=600 {
        let changed = present(soon(watch.next(), "a change is told").await?, "the store is open")??;
        same(changed.version, version, "a slow reader misses nothing")?;
        if version % 100 == 0 {
            watch = ann.watch_from("/", &watch.cursor()).await?;
        }
    }
    Ok(())
}

pub(super) async fn a_watch_sees_what_its_user_may_see<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    ann.write("/f/a", "x").await?;
    ann.write("/secret", "x").await?;
    ann.grant("/f", "bob", Level::Read).await?;
    let mut watch = bob.watch("/").await?;
    ann.write("/secret", "canary").await?;
    ann.write("/f/a", "y").await?;
    let changed = present(soon(watch.next(), "a change is told").await?, "the store is open")??;
    same((changed.path.as_str(), changed.version), ("/Shared/ann/f/a", 2), "what is shared, and nothing else")
}

pub(super) async fn cursors_tell_stores_apart<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/a", "x").await?;
    let cursor = ann.watch("/").await?.cursor();
    ann.watch_from("/", &cursor).await?;
    let made_up = crate::Cursor::new(crate::bus::new_incarnation(), 1);
    refused(
        ann.watch_from("/", &made_up).await,
        ErrorKind::Invalid,
        "a cursor that no store gave is refused",
    )?;
    let Some(other) = subject.another().await else { return Ok(()) };
    let ann = of(&other, "ann");
    ann.write("/a", "x").await?;
    ann.watch_from("/", &ann.watch("/").await?.cursor()).await?;
    refused(ann.watch_from("/", &cursor).await, ErrorKind::Invalid, "and one of another store")
}

pub(super) async fn a_cursor_tells_no_count<S: StoreUnderTest>(subject: S) -> Outcome {
    let (store, ann) = (subject.store(), of(&subject, "ann"));
    for number in 0..5 {
        ann.write("/a", format!("{number}")).await?;
    }
    let page = store.changes(&Actor::user("ann"), "/", 0, 100).await?;
    let after = page.next;
    for earlier in [after, after - 1] {
        let (left, right) = (store.cursor(earlier), store.cursor(after));
        same((store.place(&left)?, store.place(&right)?), (earlier, after), "a cursor is for its place")?;
        let (left, right) = (left.to_string(), right.to_string());
        let alike = left.bytes().zip(right.bytes()).filter(|(left, right)| left == right).count();
        holds(alike < left.len() / 2, "two cursors do not show how far they are apart", (left, right))?;
    }
    Ok(())
}

pub(super) async fn the_head_grows_with_each_commit<S: StoreUnderTest>(subject: S) -> Outcome {
    let (store, ann) = (subject.store(), of(&subject, "ann"));
    let mut head = store.head();
    let mut last = *head.borrow_and_update();
    for number in 0..5 {
        ann.write("/a", format!("{number}")).await?;
        soon(head.changed(), "who waits for the head is woken").await?.ok();
        let now = *head.borrow_and_update();
        holds(now > last, "the head grows", (last, now))?;
        last = now;
    }
    let mut page = store.changes(&Actor::user("ann"), "/", 0, 100).await?;
    while !page.at_head {
        page = store.changes(&Actor::user("ann"), "/", page.next, 100).await?;
    }
    same(page.next, last, "and is where reading ends")
}
