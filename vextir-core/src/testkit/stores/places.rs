//! Where things are, and what was done to them.

use super::super::conformance::{Outcome, holds, present, refused, same};
use super::{StoreUnderTest, of, offered};
use crate::context::{Deed, ItemKind};
use crate::{Actor, ErrorKind};

pub(super) async fn a_folder_is_listed_by_name_and_in_pages<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    for path in ["/f/b", "/f/a", "/f/c/d", "/f/B", "/g"] {
        ann.write(path, "x").await?;
    }
    let items = ann.list("/f").await?;
    let found: Vec<_> = items.iter().map(|item| (item.path.as_str(), item.kind)).collect();
    let document = ItemKind::Document;
    let expected = [("/f/B", document), ("/f/a", document), ("/f/b", document), ("/f/c", ItemKind::Folder)];
    same(found, expected.to_vec(), "what is in a folder is listed by name")?;
    let page = ann.list_page("/f", "a", 1).await?;
    same(page.iter().map(|item| item.path.as_str()).collect(), vec!["/f/b"], "a page follows the last name")?;
    for path in ["/none", "/g", "/f/c/d"] {
        holds(ann.list(path).await?.is_empty(), "what is no folder holds nothing", path)?;
    }
    Ok(())
}

pub(super) async fn a_move_takes_along_what_is_below<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/f/in/a", "x").await?;
    ann.write("/there", "y").await?;
    ann.move_to("/f", "/new/place").await?;
    same(ann.read("/new/place/in/a").await?.map(|found| found.content), Some("x".into()), "it is there")?;
    holds(ann.read("/f/in/a").await?.is_none(), "and nowhere else", ())?;
    same(
        ann.at_version(1).read("/new/place/in/a").await?.map(|found| found.version),
        Some(1),
        "with its past",
    )?;
    refused(ann.move_to("/new/place/in/a", "/there").await, ErrorKind::Conflict, "a taken path is refused")?;
    refused(ann.move_to("/new", "/new/place/deeper").await, ErrorKind::Invalid, "and a move into itself")?;
    refused(ann.move_to("/none", "/x").await, ErrorKind::NotFound, "and one of nothing")
}

pub(super) async fn what_is_removed_can_be_restored<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/f/a", "one").await?;
    ann.write("/f/a", "two").await?;
    ann.remove("/f").await?;
    holds(ann.read("/f/a").await?.is_none() && ann.list("/").await?.is_empty(), "it is gone", ())?;
    refused(ann.remove("/f").await, ErrorKind::NotFound, "what is gone is not removed again")?;
    ann.restore("/f").await?;
    same(ann.read("/f/a").await?.map(|found| found.content), Some("two".into()), "it is as it was")?;
    same(
        ann.at_version(1).read("/f/a").await?.map(|found| found.content),
        Some("one".into()),
        "with its past",
    )?;
    refused(ann.restore("/f").await, ErrorKind::Conflict, "what is there is not restored")?;
    refused(ann.restore("/none").await, ErrorKind::NotFound, "nor what never was")
}

pub(super) async fn what_would_be_restored_is_read_before<S: StoreUnderTest>(subject: S) -> Outcome {
    let (store, ann, actor) = (subject.store(), of(&subject, "ann"), Actor::user("ann"));
    for text in ["one", "two"] {
        ann.write("/f/a", text).await?;
        ann.write("/f/in/b", "x").await?;
        ann.remove("/f").await?;
    }
    let Some(last) = offered(store.read_removed(&actor, "/f", 0, "/f/a").await)? else { return Ok(()) };
    same(last.map(|found| found.content), Some("two".into()), "the last removal counts")?;
    let first = store.read_removed(&actor, "/f", 1, "/f/a").await?;
    same(first.map(|found| found.content), Some("one".into()), "and those before it are told apart")?;
    for (restored, before, path) in [("/f", 2, "/f/a"), ("/f", 0, "/f/none"), ("/none", 0, "/none")] {
        let found = store.read_removed(&actor, restored, before, path).await?;
        same(found, None, "what was never removed is not there")?;
    }
    let list = async |actor: &Actor, page: (&str, &str, usize)| -> crate::Result<Vec<String>> {
        let items = store.list_removed(actor, "/f", 0, page).await?;
        Ok(items.into_iter().map(|item| item.path).collect())
    };
    same(list(&actor, ("/f", "", 9)).await?, vec!["/f/a".to_owned(), "/f/in".to_owned()], "it is listed")?;
    same(list(&actor, ("/f", "a", 1)).await?, vec!["/f/in".to_owned()], "in pages")?;
    same(list(&actor, ("/f/in", "", 9)).await?, vec!["/f/in/b".to_owned()], "and below")?;
    let eve = Actor::user("eve");
    for path in ["/f", "/Shared/ann/f"] {
        let seen = store.read_removed(&eve, path, 0, &format!("{path}/a")).await?;
        same(seen, None, "what others removed is not there")?;
        let listed = store.list_removed(&eve, path, 0, (path, "", 9)).await?;
        holds(listed.is_empty(), "nor its names", listed)?;
    }
    ann.restore("/f").await?;
    same(ann.read("/f/a").await?.map(|found| found.content), Some("two".into()), "it is what is restored")
}

pub(super) async fn guides_are_collected_from_the_root_down<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.set_guide("/", "all").await?;
    ann.write("/f/g/a", "x").await?;
    ann.set_guide("/f/g", "inner").await?;
    let guides = ann.guides("/f/g/a").await?;
    let found: Vec<_> = guides.iter().map(|guide| (guide.path.as_str(), guide.text.as_str())).collect();
    same(found, vec![("/", "all"), ("/f/g", "inner")], "folders without one are left out")?;
    same(ann.guide("/f").await?, None, "a folder's own")?;
    refused(ann.set_guide("/f/g/a", "x").await, ErrorKind::Invalid, "documents have none")
}

pub(super) async fn history_tells_who_did_what<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    ann.write("/f/a", "one").await?;
    ann.grant("/f", "bob", crate::Level::Write).await?;
    bob.append("/Shared/ann/f/a", ", two").await?;
    ann.move_to("/f/a", "/f/b").await?;
    let found = ann.history("/f/b", 9).await?;
    let told: Vec<_> = found.iter().map(|deed| (deed.what, deed.by.user.as_str())).collect();
    let expected = vec![(Deed::Moved, "ann"), (Deed::Written, "bob"), (Deed::Created, "ann")];
    same(told, expected, "what was done, by whom, last first")?;
    holds(found.is_sorted_by(|later, earlier| later.at >= earlier.at), "times do not go back", ())?;
    same(ann.history("/f/b", 1).await?.len(), 1, "no more than is asked for")?;
    refused(ann.history("/none", 9).await, ErrorKind::NotFound, "nothing has no history")
}

pub(super) async fn everything_survives_in_a_durable_store<S: StoreUnderTest>(subject: S) -> Outcome {
    let ann = of(&subject, "ann");
    ann.write("/f/a", "one").await?;
    ann.write("/f/a", "two").await?;
    ann.grant("/f", "bob", crate::Level::Read).await?;
    let cursor = ann.watch("/").await?.cursor();
    drop(ann);
    let Some(subject) = subject.reopen().await else { return Ok(()) };
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    same(ann.read("/f/a").await?.map(|found| found.version), Some(2), "documents are there")?;
    same(
        ann.at_version(1).read("/f/a").await?.map(|found| found.content),
        Some("one".into()),
        "so is the past",
    )?;
    holds(bob.read("/Shared/ann/f/a").await?.is_some(), "and who may see them", ())?;
    ann.write("/f/a", "three").await?;
    let mut watch = ann.watch_from("/", &cursor).await?;
    let next = present(watch.next().await, "a watch goes on")??;
    same(next.version, 3, "with what came after its cursor")
}
