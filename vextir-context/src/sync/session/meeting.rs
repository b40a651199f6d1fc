//! What a replica does when it meets another one.

use crate::sync::name::Uid;
use crate::sync::outgoing::{self, Sending};
use crate::sync::scope::{self, View};
use crate::sync::wire::{Hello, Record, Scope};
use crate::sync::{early, identity, registry};
use rusqlite::Connection;
use std::collections::BTreeMap;
use vextir_core::{Error, ErrorKind, Result};

/// What there is to exchange.
pub(super) struct Meeting {
    pub(super) sendings: Vec<Sending>,
    pub(super) lost: Vec<(Scope, Vec<Record>)>,
    pub(super) early: Vec<(Uid, Vec<Uid>)>,
    pub(super) restored: bool,
}

impl Meeting {
    pub(super) fn prepare(connection: &Connection, user: &str, hello: Hello) -> Result<Self> {
        let replicas = identity::Replicas::read(connection)?;
        let own = replicas.own()?;
        if hello.replica == replicas.present()? {
            return Err(Error::new(ErrorKind::Conflict, "a replica cannot exchange with itself"));
        }
        let mut theirs: BTreeMap<Scope, _> = hello.scopes.into_iter().collect();
        let mut restored = false;
        for (scope, vector) in &theirs {
            let here = identity::vector(connection, &replicas, scope.top)?;
            restored |= own.keys().any(|by| vector.get(by) > here.get(by));
        }
        let mut met =
            Self { sendings: Vec::new(), lost: Vec::new(), early: early(connection, user)?, restored };
        for scope in scope::scopes(&mut View::new(connection, user))? {
            let vector = theirs.remove(&scope).unwrap_or_default();
            let hint = registry::last(connection, hello.file, user, scope.top)?;
            met.sendings.push(outgoing::begin(connection, user, scope, vector, hint)?);
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
