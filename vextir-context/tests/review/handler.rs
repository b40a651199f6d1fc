//! A handler's view of the documents, and what is committed of it.

use crate::{handle, hub, text};
use vextir_context::Hub;
use vextir_core::context::ItemKind;
use vextir_core::{BoxError, Context, Failure, Level};

#[tokio::test]
async fn a_handler_that_writes_one_document_by_two_paths_is_settled() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/Notes/x", "").await.unwrap();
    ann.grant("/a/Notes", "bob", Level::Write).await.unwrap();
    ann.grant("/a", "bob", Level::Write).await.unwrap();
    let told = handle(&hub, "bob", |cx| {
        Box::pin(async move {
            cx.context().append("/Shared/ann/Notes/x", "one\n").await?;
            cx.context().append("/Shared/ann/a/Notes/x", "two\n").await?;
            Ok(())
        })
    })
    .await;
    assert_eq!(
        (told, text(&ann, "/a/Notes/x").await.unwrap()),
        (vec!["done null".into()], "one\ntwo\n".into())
    );
}

#[tokio::test]
async fn changes_of_one_document_by_two_paths_are_applied_or_refused_for_good() {
    use vextir_core::{Actor, ContextStore, ErrorKind};
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/Notes/x", "").await.unwrap();
    ann.grant("/a/Notes", "bob", Level::Write).await.unwrap();
    ann.grant("/a", "bob", Level::Write).await.unwrap();
    let changes = vec![crate::write("/Shared/ann/Notes/x", "1"), crate::write("/Shared/ann/a/Notes/x", "2")];
    if let Err(error) = hub.change(&Actor::user("bob"), changes).await {
        assert_ne!(error.kind(), ErrorKind::Unavailable, "trying again does not help: {error}");
    }
}

#[tokio::test]
async fn a_document_that_a_handler_overwrites_without_reading_it_keeps_its_metadata_in_both_views() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", "old").metadata(serde_json::json!({"m": 1})).await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.write("/x", "new").await?;
            let seen = context.read("/x").await?.unwrap();
            (seen.metadata == serde_json::json!({"m": 1})).then_some(()).ok_or("metadata are gone".into())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
    assert_eq!(ann.read("/x").await.unwrap().unwrap().metadata, serde_json::json!({"m": 1}));
}

#[tokio::test]
async fn what_cannot_be_merged_takes_the_outputs_of_its_settlement_along() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/doc", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().write("/fine", "x").await?;
            cx.context().write("/doc/below", "x").await?;
            Ok(())
        })
    })
    .await;
    assert!(told.len() == 1 && told[0].starts_with("error"), "{told:?}");
    assert_eq!(text(&ann, "/fine").await, None);
}

#[tokio::test]
async fn a_document_is_there_for_one_task_of_a_handler_while_another_one_removes_others() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let hub = hub();
    hub.context("ann").write("/kept", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        let (reads, removes, begun) = (cx.context(), cx.context(), Arc::new(AtomicUsize::new(0)));
        let read = begun.clone();
        Box::pin(async move {
            reads.read("/kept").await?;
            let here = tokio::runtime::Handle::current();
            // On a thread of its own, and each one while something is read.
            let removing = tokio::task::spawn_blocking(move || {
                for n in 1..6_000 {
                    while read.load(Ordering::SeqCst) < n {
                        std::hint::spin_loop();
                    }
                    here.block_on(removes.remove(&format!("/gone/{n}")))?;
                }
                Ok::<_, vextir_core::Error>(())
            });
            while !removing.is_finished() {
                begun.fetch_add(1, Ordering::SeqCst);
                reads.read("/kept").await?.ok_or_else(|| Failure::permanent("it is not there"))?;
            }
            removing.await??;
            Err(Failure::permanent("it was there all along").into())
        })
    })
    .await;
    assert!(told.len() == 1 && told[0].contains("all along"), "{told:?}");
}

#[tokio::test]
async fn an_agent_that_writes_where_it_may_not_look_is_refused_for_good() {
    let hub = hub();
    hub.context("ann").write("/Private/x", "ann's").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().as_agent("writer").write("/Private/x", "the agent's").await?;
            Ok(())
        })
    })
    .await;
    assert!(told[0].contains("there is nothing at"), "{told:?}");
}

#[tokio::test]
async fn changes_that_take_away_what_others_of_them_build_on_are_refused_for_good() {
    use vextir_core::context::{Change, Intent};
    use vextir_core::{Actor, ContextStore, ErrorKind};
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/Notes/x", "kept").await.unwrap();
    ann.grant("/a/Notes", "bob", Level::Write).await.unwrap();
    ann.grant("/a", "bob", Level::Write).await.unwrap();
    let changes =
        vec![Change::new("/Shared/ann/Notes/x", Intent::Remove), crate::write("/Shared/ann/a/Notes/x", "2")];
    let error = hub.change(&Actor::user("bob"), changes).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(text(&ann, "/a/Notes/x").await.unwrap(), "kept");
}

#[tokio::test]
async fn a_handler_does_not_overwrite_another_document_than_the_one_that_it_read() {
    use tokio::sync::Semaphore;
    static READ: Semaphore = Semaphore::const_new(0);
    static MOVED: Semaphore = Semaphore::const_new(0);
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/x", "first\n").await.unwrap();
    let work = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let read = cx.context().read("/x").await?.unwrap();
            READ.add_permits(1);
            MOVED.acquire().await?.forget();
            cx.context().write("/x", format!("{}mine\n", read.content.to_text())).await?;
            Ok(())
        })
    });
    let (told, ()) = tokio::join!(work, async {
        READ.acquire().await.unwrap().forget();
        ann.move_to("/x", "/away").await.unwrap();
        ann.write("/x", "another\n").await.unwrap();
        // It is tried again with what it reads then.
        MOVED.add_permits(2);
    });
    assert_eq!(told, ["done null"]);
    assert_eq!(text(&ann, "/x").await.unwrap(), "another\nmine\n");
    assert_eq!(text(&ann, "/away").await.unwrap(), "first\n");
}

/// What happens to `/f/x` between a handler's read and its write of it; what the document is then.
async fn meanwhile<F: Future<Output = ()>>(hub: &Hub, deeds: impl FnOnce(Context) -> F) -> String {
    use tokio::sync::Semaphore;
    static READ: Semaphore = Semaphore::const_new(0);
    static DONE: Semaphore = Semaphore::const_new(0);
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    let ann = hub.context("ann");
    let work = handle(hub, "ann", |cx| {
        Box::pin(async move {
            let read = cx.context().read("/f/x").await?;
            let read = read.map(|read| read.content.to_text().into_owned()).unwrap_or_default();
            READ.add_permits(1);
            DONE.acquire().await?.forget();
            cx.context().write("/f/x", format!("{read}mine\n")).await?;
            Ok(())
        })
    });
    let (told, ()) = tokio::join!(work, async {
        READ.acquire().await.unwrap().forget();
        deeds(ann.clone()).await;
        DONE.add_permits(2);
    });
    assert_eq!(told, ["done null"]);
    for left in [&READ, &DONE] {
        left.forget_permits(2);
    }
    text(&ann, "/f/x").await.unwrap()
}

#[tokio::test]
async fn a_handler_keeps_what_another_one_made_where_it_had_found_nothing() {
    let hub = hub();
    let made = async |ann: Context| {
        ann.write("/f/x", "theirs\n").await.unwrap();
    };
    assert_eq!(meanwhile(&hub, made).await, "theirs\nmine\n");
}

#[tokio::test]
async fn a_handler_does_not_overwrite_what_came_with_another_folder() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/f/x", "first\n").await.unwrap();
    ann.write("/other/x", "another\n").await.unwrap();
    let exchanged = async |ann: Context| {
        ann.move_to("/f", "/away").await.unwrap();
        ann.move_to("/other", "/f").await.unwrap();
    };
    assert_eq!(meanwhile(&hub, exchanged).await, "another\nmine\n");
}

#[tokio::test]
async fn a_folder_that_a_handler_moves_into_another_is_listed_as_a_folder() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/c/y", "y").await.unwrap();
    ann.write("/b/x", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.move_to("/a/c", "/b/c").await?;
            let items = context.list("/b").await?;
            match items.iter().find(|item| item.path == "/b/c") {
                Some(item) if item.kind == ItemKind::Folder => Ok(()),
                other => Err(format!("{other:?}").into()),
            }
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
}

#[tokio::test]
async fn a_handler_sees_what_it_restored() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/x", "x").await.unwrap();
    ann.remove("/a/x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.restore("/a/x").await?;
            let (read, items) = (context.read("/a/x").await?, context.list("/a").await?);
            if read.is_none() || items.is_empty() {
                return Err(format!("{read:?} {items:?}").into());
            }
            Ok(())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
}

#[tokio::test]
async fn a_handler_that_removes_and_restores_sees_what_is_committed() {
    let hub = hub();
    let ann = hub.context("ann");
    ann.write("/a/x", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            context.remove("/a").await?;
            context.restore("/a").await?;
            context.append("/a/x", "y").await?;
            Ok(())
        })
    })
    .await;
    assert_eq!((told, text(&ann, "/a/x").await.unwrap()), (vec!["done null".into()], "xy".into()));
}

#[tokio::test]
async fn a_list_in_a_handler_tells_the_times_of_what_it_did_not_touch() {
    let hub = hub();
    hub.context("ann").write("/a/old", "x").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            cx.context().write("/a/new", "x").await?;
            let items = cx.context().list("/a").await?;
            let old = items.iter().find(|item| item.path == "/a/old").map(|item| item.updated);
            (old.is_some_and(|at| at > vextir_core::Timestamp::UNSET))
                .then_some(())
                .ok_or(format!("{old:?}").into())
        })
    })
    .await;
    assert_eq!(told, ["done null"]);
}

async fn bring_back(context: &Context) -> Result<(), BoxError> {
    context.restore("/x").await?;
    context.move_to("/x", "/y").await?;
    context.restore("/x").await?;
    context.append("/x", " again").await?;
    context.append("/y", " again").await?;
    context.restore("/f").await?;
    context.append("/f/inner/doc", " again").await?;
    context.write("/f/new", "new").await?;
    Ok(())
}

/// Two documents that were at one path, one after the other, and a folder: in a handler all come back in turn, are
/// changed, moved and listed, and what is committed is what the handler saw.
#[tokio::test]
async fn what_a_handler_brings_back_is_there_to_be_changed_moved_and_listed() {
    let hub = hub();
    let ann = hub.context("ann");
    for number in ["first", "second"] {
        ann.write("/x", number).await.unwrap();
        ann.remove("/x").await.unwrap();
    }
    ann.write("/f/inner/doc", "doc").await.unwrap();
    ann.write("/f/gone", "gone").await.unwrap();
    ann.remove("/f/gone").await.unwrap();
    ann.remove("/f").await.unwrap();
    let told = handle(&hub, "ann", |cx| {
        Box::pin(async move {
            let context = cx.context();
            bring_back(&context).await?;
            let mut seen = Vec::new();
            for path in ["/x", "/y", "/f/inner/doc", "/f/gone", "/f/new"] {
                seen.push(context.read(path).await?.map(|found| found.content.to_text().into_owned()));
            }
            let items = context.list("/f").await?.into_iter();
            let items: Vec<_> = items.map(|item| (item.path, item.kind)).collect();
            let top: Vec<_> =
                context.list("/").await?.into_iter().map(|item| (item.path, item.kind)).collect();
            Err(format!("{seen:?} {items:?} {top:?}").into())
        })
    })
    .await;
    let expected = r#"[Some("first again"), Some("second again"), Some("doc again"), None, Some("new")]"#;
    let items = r#"[("/f/inner", Folder), ("/f/new", Document)]"#;
    let top = r#"[("/f", Folder), ("/x", Document), ("/y", Document)]"#;
    let told = told[0].replace("\\\"", "\"");
    assert!(told.contains(&format!("{expected} {items} {top}")), "{told}");
    let told = handle(&hub, "ann", |cx| Box::pin(async move { bring_back(&cx.context()).await })).await;
    assert_eq!(told, ["done null"]);
    for (path, expected) in
        [("/x", "first again"), ("/y", "second again"), ("/f/inner/doc", "doc again"), ("/f/new", "new")]
    {
        assert_eq!(text(&ann, path).await.as_deref(), Some(expected), "{path}");
    }
}
