//! From an entity on along the links that hold.

use super::holds::{Holding, one_of_many, the_one};
use super::{EVER, Sight, TO_ENTITY};
use crate::decode::{get, name};
use crate::fault::OrFault;
use crate::key::hex;
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use vextir_core::context::graph::{EntityKey, Link, Neighbourhood, Object, Paths, Walk};
use vextir_core::{Name, Result, Timestamp};

/// A link to an entity that was met.
#[derive(Debug, Clone)]
struct Met {
    subject: i64,
    object: i64,
    link: Link,
}

/// What a walk came to.
struct Tour<'c> {
    connection: &'c Connection,
    sight: Sight,
    relations: HashSet<Name>,
    left: usize,
    truncated: bool,
    met: HashMap<i64, Option<Met>>,
    /// What holds in the single-valued relations that were met, by subject and relation.
    ones: HashMap<(i64, Name), Option<Holding>>,
}

impl<'c> Tour<'c> {
    fn new(connection: &'c Connection, sight: Sight, walk: &Walk) -> Self {
        let relations = walk.relations.iter().cloned().collect();
        Self {
            connection,
            sight,
            relations,
            left: walk.visited,
            truncated: false,
            met: HashMap::new(),
            ones: HashMap::new(),
        }
    }

    /// The links of an entity that hold, with what each leads to. Those that were met before are not told again,
    /// unless `again`.
    fn around(&mut self, entity: i64, again: bool) -> Result<Vec<(i64, Met)>> {
        let mut found = Vec::new();
        for end in ["subject", "object"] {
            let sql = format!(
                "SELECT id, uid, subject, object, relation FROM link WHERE {end} = ?1 AND sort = {TO_ENTITY}"
            );
            let mut statement = self.connection.prepare_cached(&sql).or_fault()?;
            let mut rows = statement.query([entity]).or_fault()?;
            while let Some(row) = rows.next().or_fault()? {
                self.sight.go_on()?;
                let id: i64 = get(row, 0)?;
                if let Some(met) = self.met.get(&id) {
                    found.extend(met.clone().filter(|_| again).map(|met| (id, met)));
                    continue;
                }
                let relation = name(row, 4)?;
                if !self.relations.is_empty() && !self.relations.contains(&relation) {
                    continue;
                }
                let ends = (get(row, 2)?, get(row, 3)?);
                let Some(holding) = self.holding(id, ends.0, &relation)? else { continue };
                let keys = (self.key(ends.0)?, self.key(ends.1)?);
                let (Some(subject), Some(object)) = keys else {
                    self.met.insert(id, None);
                    continue;
                };
                if self.left == 0 {
                    self.truncated = true;
                    return Ok(found);
                }
                self.left -= 1;
                let uid: Vec<u8> = get(row, 1)?;
                let object = Object::Entity(object);
                let link = self.link((hex(&uid), subject, relation, object), holding)?;
                let met = Met { subject: ends.0, object: ends.1, link };
                self.met.insert(id, Some(met.clone()));
                found.push((id, met));
            }
        }
        Ok(found)
    }

    fn key(&mut self, entity: i64) -> Result<Option<EntityKey>> {
        self.sight.key(self.connection, entity)
    }

    fn holding(&mut self, link: i64, subject: i64, relation: &Name) -> Result<Option<Holding>> {
        if !self.sight.is_single(TO_ENTITY, relation) {
            return one_of_many(self.connection, &mut self.sight, link);
        }
        let group = (subject, relation.clone());
        let one = match self.ones.get(&group) {
            Some(known) => known.clone(),
            None => {
                let one = the_one(self.connection, &mut self.sight, (subject, TO_ENTITY, relation))?;
                self.ones.insert(group, one.clone());
                one
            }
        };
        Ok(one.filter(|one| one.link == link))
    }

    fn link(
        &self,
        (id, subject, relation, object): (String, EntityKey, Name, Object),
        holding: Holding,
    ) -> Result<Link> {
        let mut link = Link::new(id, subject, relation, object, Timestamp::from_micros(holding.from));
        link.valid_until = end(holding.until);
        link.known_from = Timestamp::from_micros(holding.known_from);
        link.known_until = end(holding.known_until);
        link.episodes = self.sight.uids(self.connection, &holding.episodes)?;
        Ok(link)
    }
}

pub(super) fn end(time: Option<i64>) -> Option<Timestamp> {
    time.filter(|time| *time != EVER).map(Timestamp::from_micros)
}

/// The other end of a link.
fn other(met: &Met, entity: i64) -> i64 {
    if met.subject == entity { met.object } else { met.subject }
}

/// What is around an entity.
pub(super) fn neighbours(
    connection: &Connection,
    mut sight: Sight,
    from: &EntityKey,
    walk: &Walk,
) -> Result<Neighbourhood> {
    let mut answer = Neighbourhood::default();
    let Some(start) = sight.find(connection, from)? else { return Ok(answer) };
    let mut tour = Tour::new(connection, sight, walk);
    let mut known = HashSet::from([start]);
    let mut ring = vec![start];
    for step in 1..=walk.steps {
        let mut next = Vec::new();
        for entity in ring {
            for (_, met) in tour.around(entity, false)? {
                let reached = other(&met, entity);
                if known.insert(reached)
                    && let Some(key) = tour.key(reached)?
                {
                    answer.entities.push((key, step));
                    next.push(reached);
                }
                answer.links.push(met.link);
            }
            if tour.truncated {
                break;
            }
        }
        ring = next;
        if ring.is_empty() || tour.truncated {
            break;
        }
    }
    answer.truncated = tour.truncated;
    Ok(answer)
}

/// For each entity how far away it is, and the links over which it was reached from nearer ones.
type Reached = HashMap<i64, (usize, Vec<(i64, Link)>)>;

/// The shortest ways between two entities.
pub(super) fn paths(
    connection: &Connection,
    mut sight: Sight,
    (from, to): (&EntityKey, &EntityKey),
    walk: &Walk,
    limit: usize,
) -> Result<Paths> {
    let mut answer = Paths::default();
    let (Some(start), Some(goal)) = (sight.find(connection, from)?, sight.find(connection, to)?) else {
        return Ok(answer);
    };
    if start == goal {
        return Ok(answer);
    }
    let mut tour = Tour::new(connection, sight, walk);
    let mut reached: Reached = HashMap::from([(start, (0, Vec::new()))]);
    let mut ring = vec![start];
    for step in 1..=walk.steps {
        let mut next = Vec::new();
        for entity in ring {
            for (_, met) in tour.around(entity, true)? {
                let found = other(&met, entity);
                let (at, ways) = reached.entry(found).or_insert_with(|| {
                    next.push(found);
                    (step, Vec::new())
                });
                if *at == step {
                    ways.push((entity, met.link));
                }
            }
            if tour.truncated {
                break;
            }
        }
        if reached.contains_key(&goal) || tour.truncated {
            break;
        }
        ring = next;
    }
    answer.truncated = tour.truncated;
    unfold(&reached, goal, &mut Vec::new(), limit, &mut answer);
    Ok(answer)
}

/// Goes back from an entity to the start, over all ways.
fn unfold(reached: &Reached, entity: i64, tail: &mut Vec<Link>, limit: usize, answer: &mut Paths) {
    let Some((step, ways)) = reached.get(&entity) else { return };
    if *step == 0 {
        if answer.paths.len() >= limit {
            answer.truncated = true;
        } else {
            answer.paths.push(tail.iter().rev().cloned().collect());
        }
        return;
    }
    for (before, link) in ways {
        if answer.paths.len() >= limit && answer.truncated {
            return;
        }
        tail.push(link.clone());
        unfold(reached, *before, tail, limit, answer);
        tail.pop();
    }
}
