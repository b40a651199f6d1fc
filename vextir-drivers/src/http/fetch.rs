//! One fetch, with its redirects.

use super::body::{self, Body};
use super::driver::Clients;
use super::guard::{Guard, Reach};
use super::payload::{HttpFetch, HttpFetched};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};
use std::error::Error as _;
use url::Url;
use vextir::{Error, ErrorKind, Result};

/// How many redirects are followed.
const REDIRECTS: usize = 5;
/// The most headers, and the most bytes of what is sent.
const HEADERS: usize = 32;
const SENT: usize = 256 << 10;

/// What concerns the connection is not the asker's to say.
const OURS: [&str; 8] =
    ["connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];

/// What is asked, checked.
pub(super) struct Request {
    url: Url,
    reach: Reach,
    pub(super) method: Method,
    headers: HeaderMap,
    body: Option<String>,
}

impl Request {
    pub(super) fn new(ask: HttpFetch, guard: &Guard, methods: &[String], key: String) -> Result<Self> {
        let method = ask.method.unwrap_or_else(|| "GET".to_owned()).to_ascii_uppercase();
        if method != "GET" && !methods.contains(&method) {
            let message = format!("{method} is not among the methods that the application allows");
            return Err(Error::new(ErrorKind::Denied, message));
        }
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::invalid(format!("{method:?} is no method")))?;
        let (url, reach) = guard.check(&ask.url)?;
        if ask.headers.len() > HEADERS || ask.body.as_ref().is_some_and(|body| body.len() > SENT) {
            return Err(Error::invalid(format!("at most {HEADERS} headers and {SENT} bytes are sent")));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in ask.headers {
            let bad = || Error::invalid(format!("the header {name:?} cannot be sent"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            if OURS.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
                return Err(bad());
            }
            headers.insert(name, HeaderValue::from_str(&value).map_err(|_| bad())?);
        }
        if !is_safe(&method)
            && let Ok(key) = HeaderValue::from_str(&key)
        {
            headers.entry("idempotency-key").or_insert(key);
        }
        Ok(Self { url, reach, method, headers, body: ask.body })
    }

    /// Asks, and follows.
    pub(super) async fn send(mut self, clients: &Clients, guard: &Guard, most: usize) -> Result<HttpFetched> {
        for _ in 0..=REDIRECTS {
            let client = clients.for_reach(self.reach);
            let mut request =
                client.request(self.method.clone(), self.url.clone()).headers(self.headers.clone());
            if let Some(body) = &self.body {
                request = request.body(body.clone());
            }
            let response = request.send().await.map_err(|error| failed(&self.url, &error))?;
            let status = response.status();
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            match location.filter(|_| status.is_redirection()) {
                Some(location) => {
                    let next = self.url.join(location);
                    let next = next.map_err(|error| Error::invalid(format!("a redirect: {error}")))?;
                    self.follow(next, status, guard)?;
                }
                None => {
                    let Body { content_type, text, truncated, binary } = body::read(response, most).await?;
                    let (url, status) = (self.url.to_string(), status.as_u16());
                    return Ok(HttpFetched { url, status, content_type, text, truncated, binary });
                }
            }
        }
        Err(Error::invalid(format!("more than {REDIRECTS} redirects")))
    }

    fn follow(&mut self, next: Url, status: StatusCode, guard: &Guard) -> Result<()> {
        // Who is outside leads to nothing that is inside, and neither does who was sent there.
        self.reach = guard.check_url(&next, self.reach).map_err(|error| error.context("a redirect"))?;
        if next.origin() != self.url.origin() {
            // They may hold what is only for the first.
            self.headers.clear();
        }
        if matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER)
            && !is_safe(&self.method)
        {
            self.method = Method::GET;
            self.body = None;
        }
        self.url = next;
        Ok(())
    }
}

/// Whether asking twice does no more than asking once.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// What went wrong on the way. What the guard has refused when it looked the host up is among it.
pub(super) fn failed(url: &Url, error: &reqwest::Error) -> Error {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(own) = cause.downcast_ref::<Error>() {
            return Error::new(own.kind(), own.message().to_owned());
        }
        source = cause.source();
    }
    let host = url.host_str().unwrap_or_default();
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unavailable };
    Error::new(kind, format!("{host}: {}", innermost(error)))
}

/// The cause of the causes, which says the most; addresses may hold what is nobody's business.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::http::HttpFetch;
    use crate::http::guard::{Door, Guard};
    use reqwest::StatusCode;

    #[test]
    fn no_redirect_leads_from_outside_to_what_is_inside() {
        let inside = vec![Door::new("localhost:8080"), Door::new("127.0.0.1:*")];
        let guard = Guard { hosts: vec!["*".into()], inside, ..Guard::default() };
        let from = |url: &str| Request::new(HttpFetch::get(url), &guard, &[], String::new()).unwrap();
        let to = |url: &str| url.parse().unwrap();
        let mut within = from("http://127.0.0.1:9000/");
        within.follow(to("http://127.0.0.1:9001/"), StatusCode::FOUND, &guard).unwrap();
        // There and back again.
        within.follow(to("http://1.1.1.1/"), StatusCode::FOUND, &guard).unwrap();
        for mut request in [from("http://1.1.1.1/"), within] {
            let error = request.follow(to("http://127.0.0.1:9001/"), StatusCode::FOUND, &guard).unwrap_err();
            assert!(error.to_string().contains("no public address"), "{error}");
            // A name that may be a public one is looked up, and then it may not be inside.
            let ends = request.follow(to("http://localhost:8080/"), StatusCode::FOUND, &guard);
            assert!(ends.is_ok() && request.reach == crate::http::guard::Reach::Outside);
        }
    }
}
