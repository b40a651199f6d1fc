//! The server over HTTP: who may come in, and how it ends.

use super::{Menu, Offer};
use crate::mcp::wire::serving::Http;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vextir::{Error, ErrorKind, Name, Result, Tenant};

/// How long requests that run may take when the server ends.
const GRACE: Duration = Duration::from_secs(5);
/// The header that names a session.
const SESSION: &str = "mcp-session-id";

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
    most_sessions: usize,
    /// Whose a session is: nobody else's token opens it.
    owners: Arc<Mutex<HashMap<String, Name>>>,
    /// One permit for each request that names no session: it may be opening one.
    opening: Arc<Semaphore>,
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
        let menu: Arc<Menu> = Arc::new(self.menu()?);
        let bad =
            |error: std::io::Error| Error::new(ErrorKind::Unavailable, format!("the listener: {error}"));
        let address = listener.local_addr().map_err(bad)?;
        let stop = CancellationToken::new();
        let http = Http::new(menu, &self.hosts, &self.origins, stop.clone());
        let gate = Gate {
            admit: Arc::new(admit),
            http,
            most_sessions: self.limits.sessions,
            owners: Arc::default(),
            opening: Arc::new(Semaphore::new(self.limits.sessions)),
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
    let opening = match &session {
        Some(session) if !gate.is_owner(session, user.user()) => {
            return (StatusCode::NOT_FOUND, "there is no such session").into_response();
        }
        Some(_) => None,
        None => match gate.opens().await {
            Some(permit) => Some(permit),
            None => {
                let what = "too many sessions; try again later";
                return (StatusCode::SERVICE_UNAVAILABLE, what).into_response();
            }
        },
    };
    let name = user.user().clone();
    request.extensions_mut().insert(user);
    let response = gate.http.handle(request).await;
    let opened = response.headers().get(SESSION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let (None, Some(opened)) = (session, opened) {
        gate.own(opened, name).await;
    }
    drop(opening);
    response
}

impl Gate {
    /// Whether one more session may be opened: those that are open and those that are being opened are within the bound.
    async fn opens(&self) -> Option<OwnedSemaphorePermit> {
        let permit = self.opening.clone().try_acquire_owned().ok()?;
        let opening = self.most_sessions - self.opening.available_permits().min(self.most_sessions);
        (self.http.sessions().await.len() + opening <= self.most_sessions).then_some(permit)
    }

    fn is_owner(&self, session: &str, user: &Name) -> bool {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).get(session) == Some(user)
    }

    /// Notes whose a new session is, and forgets those that are over.
    async fn own(&self, session: String, user: Name) {
        let live = self.http.sessions().await;
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.retain(|session, _| live.contains(session));
        owners.insert(session, user);
    }
}
