//! The hub's graph, as users ask it.

use super::{Sight, index, timeline, walk};
use crate::documents::change_graph;
use crate::fault::OrFault;
use crate::hub::Hub;
use rusqlite::Connection;
use std::time::{Duration, Instant};
use vextir_core::context::Change;
use vextir_core::context::graph::{
    Entity, EntityKey, GraphStore, Neighbourhood, Paths, Seen, Timeline, Told, View, Walk,
};
use vextir_core::{Actor, Error, ErrorKind, Result, async_trait};

impl Hub {
    /// Takes in what documents say that changed since the graph was asked last, for so long; who asks again goes on.
    pub(crate) async fn catch_up(&self, allowed: Duration) -> Result<()> {
        let (head, begun) = (*self.changes_seen().borrow(), Instant::now());
        while let Some(batch) = self.read_with(index::next).await? {
            let until = batch.until;
            self.write_with(move |rows| rows.take_links(&batch)).await?;
            if until >= head {
                break;
            }
            if begun.elapsed() > allowed {
                let message = "the graph is still taking in what documents say; ask again";
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        }
        Ok(())
    }

    /// Reads the graph as the documents are now.
    async fn read_graph<T: Send + 'static>(
        &self,
        view: &View,
        read: impl Fn(&Connection, Sight) -> Result<T> + Clone + Send + 'static,
    ) -> Result<T> {
        let (mut is_fresh, begun) = (false, Instant::now());
        loop {
            let (view, now, read) = (view.clone(), self.now(), read.clone());
            let allowed = self.queries().deadline().saturating_sub(begun.elapsed());
            let answer = self
                .read_with(move |connection| {
                    if !is_fresh && index::is_behind(connection)? {
                        return Ok(None);
                    }
                    let snapshot = connection.unchecked_transaction().or_fault()?;
                    let begun = Instant::now();
                    let sight =
                        Sight::new(&snapshot, view, now)?.while_allowed(move || in_time(begun, allowed));
                    let answer = read(&snapshot, sight)?;
                    snapshot.finish().or_fault()?;
                    Ok(Some(answer))
                })
                .await?;
            match answer {
                Some(answer) => return Ok(answer),
                None => self.catch_up(allowed).await?,
            }
            // What comes while it is being read may wait for the next one who asks.
            is_fresh = true;
        }
    }
}

fn in_time(begun: Instant, allowed: Duration) -> Result<()> {
    if begun.elapsed() <= allowed {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Timeout,
        format!(
            "the graph was not gone through within {allowed:?}; ask for fewer steps, for some relations only, or from an \
             entity with fewer links"
        ),
    ))
}

#[async_trait]
impl GraphStore for Hub {
    async fn change_graph(&self, actor: &Actor, changes: Vec<Change>) -> Result<Vec<Told>> {
        change_graph(self, actor, changes).await
    }

    async fn entity(&self, view: &View, key: &EntityKey) -> Result<Option<Entity>> {
        let key = key.clone();
        self.read_graph(view, move |connection, mut sight| timeline::entity(connection, &mut sight, &key))
            .await
    }

    async fn neighbours(&self, view: &View, from: &EntityKey, wanted: &Walk) -> Result<Neighbourhood> {
        let (from, wanted) = (from.clone(), wanted.clone());
        self.read_graph(view, move |connection, sight| walk::neighbours(connection, sight, &from, &wanted))
            .await
    }

    async fn paths(
        &self,
        view: &View,
        from: &EntityKey,
        to: &EntityKey,
        wanted: &Walk,
        limit: usize,
    ) -> Result<Paths> {
        let (from, to, wanted) = (from.clone(), to.clone(), wanted.clone());
        self.read_graph(view, move |connection, sight| {
            walk::paths(connection, sight, (&from, &to), &wanted, limit)
        })
        .await
    }

    async fn timeline(&self, view: &View, of: &EntityKey, limit: usize) -> Result<Timeline> {
        let of = of.clone();
        self.read_graph(view, move |connection, mut sight| {
            timeline::timeline(connection, &mut sight, &of, limit)
        })
        .await
    }

    async fn episode(&self, view: &View, id: &str) -> Result<Option<Seen>> {
        let id = id.to_owned();
        self.read_graph(view, move |connection, mut sight| timeline::episode(connection, &mut sight, &id))
            .await
    }
}
