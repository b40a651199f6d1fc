//! Keeps a link up: watches over the server, and starts it again when it is lost.

use super::{Link, News, State, list};
use crate::mcp::payload::{McpChanged, McpDown};
use crate::mcp::wire::Session;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The first pause before a restart; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The least time between two lists of tools that the server asked us to read.
const BETWEEN_LISTS: Duration = Duration::from_secs(1);
/// How long a server may take to say that it is alive.
const ALIVE: Duration = Duration::from_secs(10);

/// Runs until the link is stopped; then the connection and the child have ended.
pub(super) async fn keep(link: &Link, mut session: Arc<Session>) {
    let mut losses = Losses { times: VecDeque::new(), spread: fastrand::Rng::new() };
    loop {
        let lost = tokio::select! {
            biased;
            () = link.stop.cancelled() => None,
            why = watch(link, &session) => Some(why),
        };
        let Some(why) = lost else {
            link.set(State::Stopped);
            session.close().await;
            return;
        };
        link.set(State::Restarting(why.into()));
        let reason = format!("{why}: {}", session.close().await);
        tracing::warn!(server = %link.name, %reason, "an MCP server was lost");
        link.set(State::Restarting(reason.as_str().into()));
        link.tell(News::Down(down(link, &reason, false)));
        session = tokio::select! {
            biased;
            () = link.stop.cancelled() => {
                link.set(State::Stopped);
                return;
            }
            session = revive(link, &mut losses, reason) => session,
        };
    }
}

/// Watches over a server, and says why it is lost.
async fn watch(link: &Link, session: &Session) -> &'static str {
    let (mut refused, mut again) = (String::new(), Instant::now());
    loop {
        let is_asked = tokio::select! {
            biased;
            () = session.ended() => return "the connection was lost",
            () = session.suspect.notified() => true,
            // A server that says without end that it has other tools is asked for them once a second.
            () = async { tokio::time::sleep_until(again).await; session.changed.notified().await } => {
                relist(link, session, &mut refused).await;
                again = Instant::now() + BETWEEN_LISTS;
                false
            }
            // A server that computes may have no time for a ping; who waits for it has a limit of his own.
            () = tokio::time::sleep(link.config.ping) => session.is_idle(),
        };
        if is_asked && !session.ping(link.config.timeout.min(ALIVE)).await {
            return "the server does not answer";
        }
    }
}

/// Takes the new list of tools. A refusal is told unless it is the one that was told last.
async fn relist(link: &Link, session: &Session, refused: &mut String) {
    match list(&link.name, &link.config, session).await {
        Ok(catalogue) => {
            refused.clear();
            link.replace(catalogue);
        }
        Err(error) if error.to_string() == *refused => {}
        Err(error) => {
            *refused = error.to_string();
            tracing::warn!(server = %link.name, %error, "the new list of tools is refused; the old one stands");
            let findings = vec![refused.clone()];
            let (added, removed) = (Vec::new(), Vec::new());
            link.tell(News::Changed(McpChanged { server: link.name.clone(), added, removed, findings }));
        }
    }
}

/// Starts a server again, however often it takes.
async fn revive(link: &Link, losses: &mut Losses, mut reason: String) -> Arc<Session> {
    let mut given_up = false;
    loop {
        let pause = match losses.add(link.config.restart_window, link.config.max_restarts) {
            Some(pause) => pause,
            None => {
                link.set(State::Down(reason.as_str().into()));
                if !given_up {
                    link.tell(News::Down(down(link, &reason, true)));
                }
                given_up = true;
                link.config.restart_window.max(FIRST_PAUSE)
            }
        };
        tokio::time::sleep(pause).await;
        match start(link).await {
            Ok(session) => return session,
            Err(error) => reason = error.to_string(),
        }
    }
}

async fn start(link: &Link) -> vextir::Result<Arc<Session>> {
    let session = Session::open(&link.config).await?;
    let catalogue = match list(&link.name, &link.config, &session).await {
        Ok(catalogue) => catalogue,
        Err(error) => {
            session.close().await;
            return Err(error);
        }
    };
    let session = Arc::new(session);
    link.replace(catalogue);
    link.set(State::Up(session.clone()));
    link.tell_up();
    Ok(session)
}

fn down(link: &Link, reason: &str, given_up: bool) -> McpDown {
    McpDown { server: link.name.clone(), reason: reason.to_owned(), given_up }
}

/// When the server was lost; no more than the bound of restarts is kept.
struct Losses {
    times: VecDeque<Instant>,
    spread: fastrand::Rng,
}

impl Losses {
    /// Counts one more, and says how long to wait before the restart. None: there were too many.
    fn add(&mut self, window: Duration, most: usize) -> Option<Duration> {
        let now = Instant::now();
        while self.times.front().is_some_and(|time| now.duration_since(*time) > window) {
            self.times.pop_front();
        }
        if self.times.len() >= most {
            return None;
        }
        let doubled = u32::try_from(self.times.len()).unwrap_or(u32::MAX).min(16);
        self.times.push_back(now);
        let pause = (FIRST_PAUSE * (1 << doubled)).min(LONGEST_PAUSE);
        // Servers that fell together do not come back together.
        Some(pause.mul_f64(0.5 + self.spread.f64() / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST_PAUSE, LONGEST_PAUSE, Losses};
    use std::collections::VecDeque;
    use std::time::Duration;

    #[tokio::test(flavor = "current_thread")]
    async fn pauses_grow_and_end() {
        let mut losses = Losses { times: VecDeque::new(), spread: fastrand::Rng::with_seed(7) };
        let pauses: Vec<Duration> = (0..12).map_while(|_| losses.add(Duration::from_secs(60), 10)).collect();
        assert_eq!(pauses.len(), 10);
        assert!(pauses[0] <= FIRST_PAUSE && pauses[0] * 2 >= FIRST_PAUSE, "{pauses:?}");
        assert!(pauses[9] <= LONGEST_PAUSE && pauses[9] * 2 >= LONGEST_PAUSE, "{pauses:?}");
        assert!(losses.add(Duration::ZERO, 10).is_some(), "what is past counts no more");
    }
}
