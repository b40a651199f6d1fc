//! What a replica does when it meets another one.

use crate::sync::farewell::Moved;
use crate::sync::identity::{Has, Replicas, Vector, taken};
use crate::sync::name::Uid;
use crate::sync::outgoing::{self, Sending};
use crate::sync::scope::{self, View};
use crate::sync::wire::{ITEMS, Known, Record, Scope};
use crate::sync::{early, registry};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::sync::Arc;
use vextir_core::{Error, ErrorKind, Result};

/// How many nodes that went out of sight are told of in one message.
const TOLD: usize = 512;
/// How many replicas and scopes are told of in one message.
const PAGE: usize = 10_000;
/// And in all of them, replicas above all: a file that was opened a hundred times a day for twenty years.
const MOST: usize = 1_000_000;

/// What this file has, in parts that fit into messages; and its present incarnation.
pub(super) fn known(connection: &Connection, user: &str) -> Result<(Uid, Vec<Known>)> {
    let replicas = Replicas::read(connection)?;
    let scopes = outgoing::offer(connection, &replicas, user)?;
    Ok((replicas.present()?, pages(replicas.own()?, scopes)))
}

fn pages(own: Vector, scopes: Vec<(Scope, Vector)>) -> Vec<Known> {
    let (mut pages, mut page, mut left) = (Vec::new(), Known::default(), PAGE);
    let mut turn = |page: &mut Known, left: &mut usize| {
        if *left == 0 {
            pages.push(Known { more: true, ..std::mem::take(page) });
            *left = PAGE;
        }
        *left -= 1;
    };
    for (by, counter) in own {
        turn(&mut page, &mut left);
        page.own.insert(by, counter);
    }
    for (scope, vector) in scopes {
        turn(&mut page, &mut left);
        page.scopes.push((scope.clone(), Vector::new()));
        for (by, counter) in vector {
            turn(&mut page, &mut left);
            match page.scopes.last_mut().filter(|(last, _)| *last == scope) {
                Some((_, vector)) => drop(vector.insert(by, counter)),
                None => page.scopes.push((scope.clone(), [(by, counter)].into())),
            }
        }
    }
    pages.push(page);
    pages
}

/// What the other side has told of itself so far.
#[derive(Debug)]
pub(super) struct Greeting {
    file: Uid,
    replica: Uid,
    own: Vector,
    scopes: BTreeMap<Scope, Vector>,
    count: usize,
}

impl Greeting {
    pub(super) fn new(file: Uid, replica: Uid) -> Self {
        Self { file, replica, own: Vector::new(), scopes: BTreeMap::new(), count: 0 }
    }

    /// Its file, and its present incarnation.
    pub(super) fn file(&self) -> (Uid, Uid) {
        (self.file, self.replica)
    }

    /// More of it.
    pub(super) fn add(&mut self, known: Known) -> Result<()> {
        self.count += known.own.len();
        self.own.extend(known.own);
        for (scope, vector) in known.scopes {
            self.count += vector.len() + 1;
            self.scopes.entry(scope).or_default().extend(vector);
        }
        // Each is looked up by itself.
        if self.scopes.len() > ITEMS {
            let message = format!("the peer knows more than {ITEMS} scopes; nobody is shared with so much");
            return Err(Error::invalid(message));
        }
        if self.count > MOST {
            let message =
                format!("the peer knows more than {MOST} replicas and scopes, which this one cannot keep");
            return Err(Error::invalid(message));
        }
        Ok(())
    }
}

/// What there is to exchange.
pub(super) struct Meeting {
    pub(super) sendings: Vec<Sending>,
    pub(super) lost: Vec<(Scope, Vec<Record>)>,
    pub(super) early: Vec<(Uid, Vec<Uid>)>,
    pub(super) restored: bool,
}

impl Meeting {
    pub(super) fn prepare(connection: &Connection, user: &str, greeting: Greeting) -> Result<Self> {
        let replicas = Replicas::read(connection)?;
        let Greeting { file, replica, own: theirs_own, scopes: mut theirs, .. } = greeting;
        if replica == replicas.present()? {
            return Err(Error::new(ErrorKind::Conflict, "a replica cannot exchange with itself"));
        }
        let (own, theirs_own) = (replicas.own()?, Arc::new(theirs_own));
        let mut restored = false;
        for (scope, vector) in &theirs {
            let here = Has::new(Arc::default(), taken(connection, &replicas, scope.top)?);
            let there = |by| vector.get(by).max(theirs_own.get(by)).copied().unwrap_or(0);
            restored |= own.iter().any(|(by, last)| there(by) > here.of(*by).max(*last));
        }
        let mut met =
            Self { sendings: Vec::new(), lost: Vec::new(), early: early(connection, user)?, restored };
        let mut moved = Moved::default();
        for scope in scope::scopes(&mut View::new(connection, user))? {
            let has = match theirs.remove(&scope) {
                Some(taken) => Has::new(theirs_own.clone(), taken),
                None => Has::default(),
            };
            let hint = registry::last(connection, file, user, scope.top)?;
            let mut sending = outgoing::begin(connection, user, (scope, has), hint, &mut moved)?;
            for nodes in std::mem::take(&mut sending.gone).chunks(TOLD) {
                met.lost.push((sending.scope.clone(), nodes.to_vec()));
            }
            met.sendings.push(sending);
        }
        for scope in theirs.into_keys() {
            let nodes = outgoing::lost(connection, user, &scope)?;
            if !nodes.is_empty() {
                met.lost.push((scope, nodes));
            }
        }
        met.early.retain(|(scope, _)| met.sendings.iter().any(|sending| sending.scope.top == *scope));
        Ok(met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_more_scopes_than_anybody_has_is_refused() {
        let scope = || (Scope { top: Uid::random(), owner: "ann".into() }, Vector::new());
        let mut greeting = Greeting::new(Uid::random(), Uid::random());
        for _ in 0..2 {
            let scopes = (0..ITEMS / 2).map(|_| scope()).collect();
            greeting.add(Known { scopes, more: true, ..Known::default() }).unwrap();
        }
        let error = greeting.add(Known { scopes: vec![scope()], ..Known::default() }).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
