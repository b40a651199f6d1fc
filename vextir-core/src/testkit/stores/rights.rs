//! Who may do what, and what is told to those who may not.

use super::super::conformance::{Outcome, holds, present, refused, same};
use super::{StoreUnderTest, of};
use crate::{ErrorKind, Level, Principal};

pub(super) async fn a_user_sees_nothing_of_another<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, eve) = (of(&subject, "ann"), of(&subject, "eve"));
    ann.write("/f/secret", "canary").await?;
    ann.write("/f/shared", "x").await?;
    ann.grant("/f/shared", "eve", Level::Read).await?;
    for path in ["/f/secret", "/Shared/ann/f/secret", "/Shared/ann/secret", "/Shared/ann/f", "/Shared/bob/x"]
    {
        holds(eve.read(path).await?.is_none(), "what one may not see is not there", path)?;
        let none = "/Shared/ann/none";
        let errors =
            [eve.remove(path).await, eve.remove(none).await].map(|answer| answer.map_err(|e| e.kind()));
        same(errors[0], errors[1], "a hidden path is refused as one that is not there")?;
        same(
            eve.history(path, 9).await.map_err(|e| e.kind()).err(),
            Some(ErrorKind::NotFound),
            "no history",
        )?;
        same(eve.access(path).await?, None, "no rights are told")?;
    }
    let listed: Vec<String> = eve.list("/Shared/ann").await?.into_iter().map(|item| item.path).collect();
    same(listed, vec!["/Shared/ann/shared".to_owned()], "only what is shared is listed")?;
    holds(eve.list("/").await?.len() == 1, "in a root of the own", ())
}

pub(super) async fn a_grant_holds_for_all_below<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    ann.write("/f/in/a", "one").await?;
    ann.grant("/f", "bob", Level::Read).await?;
    let path = "/Shared/ann/f/in/a";
    holds(bob.read(path).await?.is_some(), "it is read below", ())?;
    refused(bob.write(path, "x").await, ErrorKind::Denied, "and not written")?;
    ann.grant("/f/in", "bob", Level::Write).await?;
    bob.append(path, ", two").await?;
    bob.write("/Shared/ann/f/in/new", "x").await?;
    holds(ann.read("/f/in/new").await?.is_some(), "what is written there is the owner's", ())?;
    ann.revoke("/f/in", "bob").await?;
    refused(bob.append(path, "x").await, ErrorKind::Denied, "a revocation holds at once")?;
    ann.revoke("/f", "bob").await?;
    holds(bob.read(path).await?.is_none(), "and takes what was granted", ())
}

pub(super) async fn a_restricted_folder_inherits_nothing<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    ann.write("/f/in/a", "x").await?;
    ann.grant("/f", "bob", Level::Write).await?;
    ann.restrict("/f/in", true).await?;
    holds(bob.read("/Shared/ann/f/in/a").await?.is_none(), "it is hidden", ())?;
    holds(bob.list("/Shared/ann/f").await?.is_empty(), "and so is its name", ())?;
    holds(ann.read("/f/in/a").await?.is_some(), "not from its owner", ())?;
    ann.grant("/f/in", "bob", Level::Read).await?;
    refused(bob.write("/Shared/ann/f/in/a", "y").await, ErrorKind::Denied, "what is granted there holds")?;
    ann.restrict("/f/in", false).await?;
    bob.write("/Shared/ann/f/in/a", "y").await?;
    Ok(())
}

pub(super) async fn an_agent_acts_within_both_rights<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    ann.write("/f/a", "x").await?;
    ann.write("/other", "x").await?;
    let agent = ann.clone().as_agent("helper");
    holds(agent.read("/f/a").await?.is_none(), "an agent has no rights of its own", ())?;
    ann.grant("/f", Principal::Agent("helper".into()), Level::Write).await?;
    agent.append("/f/a", "y").await?;
    holds(agent.read("/other").await?.is_none(), "and none elsewhere", ())?;
    ann.grant("/f", "bob", Level::Read).await?;
    let other = bob.as_agent("helper");
    holds(other.read("/Shared/ann/f/a").await?.is_some(), "it may what both may", ())?;
    refused(other.append("/Shared/ann/f/a", "z").await, ErrorKind::Denied, "and no more than its user")?;
    let last = present(ann.history("/f/a", 1).await?.pop(), "it has a history")?;
    same(last.by.agent.as_deref(), Some("helper"), "which names the agent")
}

pub(super) async fn a_group_is_its_members<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    ann.write("/f/a", "x").await?;
    ann.grant("/f", Principal::Group("team".into()), Level::Read).await?;
    holds(bob.read("/Shared/ann/f/a").await?.is_none(), "who is no member sees nothing", ())?;
    if subject.add_member("team", "bob").await {
        holds(bob.read("/Shared/ann/f/a").await?.is_some(), "a member does", ())?;
    }
    Ok(())
}

pub(super) async fn rights_take_an_administrator<S: StoreUnderTest>(subject: S) -> Outcome {
    let (ann, bob) = (of(&subject, "ann"), of(&subject, "bob"));
    ann.write("/f/a", "x").await?;
    ann.grant("/f", "bob", Level::Write).await?;
    let path = "/Shared/ann/f";
    refused(bob.grant(path, "eve", Level::Read).await, ErrorKind::Denied, "write is not enough to grant")?;
    refused(bob.restrict(path, true).await, ErrorKind::Denied, "nor to restrict")?;
    refused(bob.move_to(path, "/Shared/ann/g").await, ErrorKind::Denied, "nor to move what is shared")?;
    let told = present(bob.access(path).await?, "what one may do is told")?;
    holds(told.level == Level::Write && told.granted.is_empty(), "and nothing about others", &told)?;
    ann.grant("/f", "bob", Level::Admin).await?;
    bob.grant(path, "eve", Level::Read).await?;
    holds(of(&subject, "eve").read("/Shared/ann/f/a").await?.is_some(), "an administrator grants", ())
}
