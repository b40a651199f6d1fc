//! The server over HTTP: who may come in, and how it ends.

use super::{Menu, Offer};
use crate::mcp::wire::serving::Http;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vextir::{Error, ErrorKind, Name, Result, Tenant};

/// How long requests that run may take when the server ends.
const GRACE: Duration = Duration::from_secs(5);
/// The header that names a session.
const SESSION: &str = "mcp-session-id";
/// How long a request's body may take to come.
const BODY: Duration = Duration::from_secs(30);

type Admit = Arc<dyn Fn(&str) -> Option<Tenant> + Send + Sync>;

/// A server that runs. It ends when this is dropped.
pub struct Serving {
    address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

#[derive(Clone)]
struct Gate {
    admit: Admit,
    http: Http,
    longest: usize,
    most_sessions: usize,
    book: Arc<Mutex<Book>>,
}

/// Who has which sessions.
#[derive(Default)]
struct Book {
    /// Whose a session is: nobody else's token opens it.
    owners: HashMap<String, Name>,
    /// How many requests of a user name no session: each may be opening one.
    opening: HashMap<Name, usize>,
}

/// A request that may be opening a session.
struct Opening {
    book: Arc<Mutex<Book>>,
    user: Name,
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = book.opening.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                book.opening.remove(&self.user);
            }
        }
    }
}

impl Offer {
    /// Serves agents over streamable HTTP, at the path `/mcp`. `admit` says for which user an agent with this bearer token
    /// works; None refuses it. TLS is the business of who stands before it.
    ///
    /// # Errors
    /// As [`Offer::serve_stdio`]; `Unavailable`: the listener is no good.
    pub async fn serve_http(
        &self,
        listener: TcpListener,
        admit: impl Fn(&str) -> Option<Tenant> + Send + Sync + 'static,
    ) -> Result<Serving> {
        let menu: Arc<Menu> = Arc::new(self.menu(of_one_user(self.limits.calls))?);
        let bad =
            |error: std::io::Error| Error::new(ErrorKind::Unavailable, format!("the listener: {error}"));
        let address = listener.local_addr().map_err(bad)?;
        let stop = CancellationToken::new();
        let http = Http::new(menu, &self.hosts, &self.origins, stop.clone());
        let gate = Gate {
            admit: Arc::new(admit),
            http,
            longest: self.limits.body,
            most_sessions: self.limits.sessions,
            book: Arc::default(),
        };
        let router = Router::new().route("/mcp", axum::routing::any(enter)).with_state(gate);
        let ended = stop.clone().cancelled_owned();
        let served = axum::serve(listener, router).with_graceful_shutdown(ended);
        let task = tokio::spawn(served.into_future());
        Ok(Serving { address, stop, task: Some(task) })
    }
}

impl Serving {
    /// Where it listens; agents connect to `http://ADDRESS/mcp`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and gives those that run five seconds.
    ///
    /// # Errors
    /// `Unavailable`: it had failed before.
    pub async fn shutdown(mut self) -> Result<()> {
        self.stop.cancel();
        let Some(mut task) = self.task.take() else { return Ok(()) };
        match tokio::time::timeout(GRACE, &mut task).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(Error::new(ErrorKind::Unavailable, error.to_string())),
            Ok(Err(error)) => Err(Error::new(ErrorKind::Unavailable, error.to_string())),
            Err(_) => {
                task.abort();
                Ok(())
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("address", &self.address).finish_non_exhaustive()
    }
}

/// One request: whose is it, may it go on, and who answers it.
async fn enter(State(gate): State<Gate>, mut request: Request<Body>) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.split_once(' '));
    let token =
        token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let Some(user) = token.and_then(|token| (gate.admit)(token)) else {
        let challenge = [(header::WWW_AUTHENTICATE, "Bearer")];
        return (StatusCode::UNAUTHORIZED, challenge, "a bearer token is needed").into_response();
    };
    let session = request.headers().get(SESSION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if session.as_ref().is_some_and(|session| !gate.is_owner(session, user.user())) {
        return (StatusCode::NOT_FOUND, "there is no such session").into_response();
    }
    let name = user.user().clone();
    request.extensions_mut().insert(user);
    let request = match whole(request, gate.longest).await {
        Ok(request) => request,
        Err(refusal) => return refusal.into_response(),
    };
    if session.is_some() {
        return gate.http.handle(request).await;
    }
    let Some(opening) = gate.opens(name).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many sessions; try again later").into_response();
    };
    // Who goes away meanwhile has opened a session nevertheless, and it is noted as his.
    let opened = tokio::spawn(async move {
        let response = gate.http.handle(request).await;
        let opened = response.headers().get(SESSION).and_then(|value| value.to_str().ok());
        if let Some(opened) = opened.map(str::to_owned) {
            gate.own(opened, opening.user.clone()).await;
        }
        response
    });
    opened.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// A request with its body, which comes in time and is not too large.
async fn whole(
    request: Request<Body>,
    longest: usize,
) -> std::result::Result<Request<Body>, (StatusCode, &'static str)> {
    let (head, body) = request.into_parts();
    match tokio::time::timeout(BODY, axum::body::to_bytes(body, longest)).await {
        Ok(Ok(bytes)) => Ok(Request::from_parts(head, Body::from(bytes))),
        // Or it was broken off, and nobody reads this.
        Ok(Err(_)) => Err((StatusCode::PAYLOAD_TOO_LARGE, "the message is too large")),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "the message does not come")),
    }
}

/// What one user may have of something that all share: nobody can take it all.
fn of_one_user(most: usize) -> usize {
    (most / 8).max(4).min(most)
}

impl Gate {
    /// Whether one more session may be opened: those that are open and those that are being opened are within the bounds, that
    /// of all and that of the user.
    async fn opens(&self, user: Name) -> Option<Opening> {
        let open = self.tidy().await;
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let all = open + book.opening.values().sum::<usize>();
        let own = book.owners.values().filter(|owner| **owner == user).count();
        let own = own + book.opening.get(&user).copied().unwrap_or_default();
        if all >= self.most_sessions || own >= of_one_user(self.most_sessions) {
            return None;
        }
        *book.opening.entry(user.clone()).or_default() += 1;
        Some(Opening { book: self.book.clone(), user })
    }

    fn is_owner(&self, session: &str, user: &Name) -> bool {
        self.book.lock().unwrap_or_else(PoisonError::into_inner).owners.get(session) == Some(user)
    }

    /// Notes whose a new session is, and forgets those that are over.
    async fn own(&self, session: String, user: Name) {
        self.tidy().await;
        self.book.lock().unwrap_or_else(PoisonError::into_inner).owners.insert(session, user);
    }

    /// Forgets the sessions that are over, and says how many are open. Only those that were known before it was asked which ones
    /// live: others may have been opened meanwhile.
    async fn tidy(&self) -> usize {
        let known: HashSet<String> =
            self.book.lock().unwrap_or_else(PoisonError::into_inner).owners.keys().cloned().collect();
        let live = self.http.sessions().await;
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.owners.retain(|session, _| !known.contains(session) || live.contains(session));
        live.len()
    }
}
