//! What the graph says, and to whom.

use super::super::conformance::{Outcome, holds, present, refused, same};
use super::{StoreUnderTest, of};
use crate::context::graph::{EntityKey, Episode, Fact, GraphChange, PAGE};
use crate::context::{Change, Intent};
use crate::{Actor, ErrorKind, Level, Timestamp};

fn person(name: &str) -> EntityKey {
    EntityKey::new("person", name)
}

fn place(name: &str) -> EntityKey {
    EntityKey::new("place", name)
}

/// Noon of the first day of a year.
fn new_year(year: u32) -> crate::Result<Timestamp> {
    format!("{year}-01-01T12:00:00Z").parse()
}

pub(super) async fn the_graph_tells_what_was_said<S: StoreUnderTest>(subject: S) -> Outcome {
    if subject.store().graph().is_none() {
        return Ok(());
    }
    let graph = of(&subject, "ann").graph();
    let mail = Episode::new("mail", "imap:inbox").key("1").at(new_year(2025)?).text("Bob is in Oslo.");
    let mail = mail.entity(person("bob"), "Bob").fact(Fact::new(person("bob"), "lives_in", place("oslo")));
    let told = present(graph.ingest(mail.clone()).await?, "what an ingest did is told")?;
    let id = present(told.episode, "with the episode's id")?;
    same((told.fresh, told.facts), (true, 2), "and how much was new")?;
    let again = present(graph.ingest(mail).await?, "it is taken again")?;
    same((again.episode.as_ref(), again.fresh), (Some(&id), false), "an episode is there once")?;

    let bob = present(graph.entity(person("bob")).await?, "what an episode names is there")?;
    same(bob.name.as_str(), "Bob", "with its properties")?;
    let around = graph.neighbours(place("oslo")).depth(1).await?;
    same(around.entities, vec![(person("bob"), 1)], "links are gone over in both directions")?;
    same(around.links[0].episodes.as_slice(), std::slice::from_ref(&id), "each names its witness")?;
    let paths = graph.paths(person("bob"), place("oslo"), 2).await?;
    same(paths.paths.len(), 1, "there is one way")?;
    same(graph.timeline(person("bob"), 10).await?.links.len(), 2, "all that was said of one is told")?;
    let seen = present(graph.episode(&id).await?, "the episode is kept")?;
    same((seen.source.as_str(), seen.at), ("imap:inbox", new_year(2025)?), "as it was seen")?;

    let forgotten = present(graph.forget("imap:inbox").await?, "what was forgotten is told")?;
    same((forgotten.episodes, forgotten.links.len()), (vec![id.clone()], 2), "by name")?;
    same(graph.entity(person("bob")).await?, None, "and with the last episode all goes that it said")?;
    same(graph.episode(&id).await?, None, "itself too")?;
    holds(graph.neighbours(place("oslo")).await?.entities.is_empty(), "and its links", ())
}

pub(super) async fn facts_may_come_in_any_order<S: StoreUnderTest>(subject: S) -> Outcome {
    if subject.store().graph().is_none() {
        return Ok(());
    }
    let graph = of(&subject, "ann").graph();
    graph.declare_single("lives_in", true).await?;
    for (key, year, city) in [("2", 2024, "oslo"), ("1", 2022, "rome"), ("3", 2023, "bern")] {
        let fact = Fact::new(person("bob"), "lives_in", place(city)).valid_from(new_year(year)?);
        graph.ingest(Episode::new("letter", "post").key(key).at(new_year(2025)?).fact(fact)).await?;
    }
    for (year, city) in [(2022, "rome"), (2023, "bern"), (2024, "oslo"), (2030, "oslo")] {
        let then = graph.valid_at(new_year(year)?.after(std::time::Duration::from_secs(1)));
        let found = then.neighbours(person("bob")).depth(1).await?.entities;
        same(found, vec![(place(city), 1)], "of a single-valued relation the latest fact holds")?;
    }
    let before = graph.valid_at(new_year(2021)?).neighbours(person("bob")).await?;
    holds(before.entities.is_empty(), "and none before the first", before)
}

pub(super) async fn what_documents_link_to_is_in_the_graph<S: StoreUnderTest>(subject: S) -> Outcome {
    if subject.store().graph().is_none() {
        return Ok(());
    }
    let ann = of(&subject, "ann");
    let around = async || -> crate::Result<Vec<EntityKey>> {
        let found = ann.graph().neighbours(EntityKey::document("/n/a")).depth(1).await?;
        Ok(found.entities.into_iter().map(|(key, _)| key).collect())
    };
    ann.write("/n/a", "See [[/n/b]].").await?;
    same(around().await?, vec![EntityKey::new(PAGE, "/n/b")], "a link of a text is there at once")?;
    ann.write("/n/b", "x").await?;
    same(around().await?, vec![EntityKey::document("/n/b")], "it names the document that comes")?;
    ann.write("/n/a", "See nothing.").await?;
    same(around().await?, Vec::new(), "and goes with the text")
}

pub(super) async fn a_graph_shows_what_its_reader_may_see<S: StoreUnderTest>(subject: S) -> Outcome {
    if subject.store().graph().is_none() {
        return Ok(());
    }
    let ann = of(&subject, "ann");
    ann.write("/open", "x").await?;
    ann.write("/hidden", "x").await?;
    ann.grant("/open", "bob", Level::Read).await?;
    let graph = ann.graph();
    graph.declare_single("lives_in", true).await?;
    let lives = |city, year| -> crate::Result<Fact> {
        Ok(Fact::new(person("bob"), "lives_in", place(city)).valid_from(new_year(year)?))
    };
    let at = new_year(2025)?;
    graph.ingest(Episode::new("note", "/open").key("1").at(at).fact(lives("oslo", 2022)?)).await?;
    let hidden = Episode::new("note", "/hidden").key("1").at(at).fact(lives("rome", 2024)?);
    let hidden = hidden.fact(Fact::new(place("rome"), "near", place("ostia")));
    let hidden = graph.ingest(hidden).await?.and_then(|told| told.episode);
    let hidden = present(hidden, "it is ingested")?;
    let own = graph.neighbours(person("bob")).depth(1).await?;
    same(own.entities, vec![(place("rome"), 1)], "the owner sees what holds")?;

    let theirs = of(&subject, "bob").graph().of("ann");
    let seen = theirs.neighbours(person("bob")).await?;
    same(seen.entities, vec![(place("oslo"), 1)], "what is hidden retires nothing, and leads nowhere")?;
    same(seen.links[0].valid_until, None, "and ends nothing")?;
    same(theirs.timeline(person("bob"), 10).await?.links.len(), 1, "it is not counted")?;
    for eyes in [theirs, of(&subject, "eve").graph().of("ann")] {
        same(eyes.entity(place("ostia")).await?, None, "what only hidden episodes name is not there")?;
        same(eyes.episode(&hidden).await?, None, "nor are these")?;
    }
    let eves = of(&subject, "eve").graph().of("ann");
    same(eves.entity(person("bob")).await?, None, "who may read nothing sees nothing")
}

pub(super) async fn changes_of_the_graph_are_applied_whole_or_not_at_all<S: StoreUnderTest>(
    subject: S,
) -> Outcome {
    let store = subject.store();
    let Some(graph) = store.graph() else { return Ok(()) };
    let ingest = |source: &str, name: &str| {
        let fact = Fact::new(person("bob"), "lives_in", place(name));
        let episode = Episode::new("note", source).key("1").fact(fact);
        let path = if source.starts_with('/') { source } else { "/" };
        Change::new(path, Intent::Graph(Box::new(GraphChange::Ingest(episode))))
    };
    let actor = Actor::user("ann");
    let bad = vec![ingest("post", "oslo"), ingest("/none", "rome")];
    refused(graph.change_graph(&actor, bad).await, ErrorKind::NotFound, "one that does not fit refuses all")?;
    let ann = of(&subject, "ann").graph();
    same(ann.entity(person("bob")).await?, None, "nothing was ingested")?;
    let good = vec![ingest("post", "oslo"), ingest("phone", "rome")];
    same(graph.change_graph(&actor, good).await?.len(), 2, "each change is answered")?;
    same(ann.neighbours(person("bob")).await?.entities.len(), 2, "and all are there")
}
