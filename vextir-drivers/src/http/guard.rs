//! Which hosts may be asked, and at which addresses.

use super::address::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use url::{Host, Url};
use vextir::{Error, ErrorKind, Result};

/// The most addresses of a host that are tried.
const MOST: usize = 16;

/// Where an address may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To what is public.
    Outside,
    /// To this machine and its network, too.
    Inside,
}

/// A host, and one of its ports, that may be inside.
#[derive(Debug, Clone)]
pub(super) struct Door {
    host: String,
    ports: Ports,
}

#[derive(Debug, Clone, Copy)]
enum Ports {
    /// Those of `http` and `https`.
    Usual,
    One(u16),
    Every,
}

impl Door {
    /// Reads `host`, `host:8080` or `host:*`.
    pub(super) fn new(text: &str) -> Self {
        let (host, ports) = match text.rsplit_once(':') {
            Some((host, "*")) => (host, Ports::Every),
            // In an address of version 6 it is a port after the bracket alone.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
                Ok(port) => (host, Ports::One(port)),
                Err(_) => (text, Ports::Usual),
            },
            _ => (text, Ports::Usual),
        };
        Self { host: plain(host.trim_start_matches('[').trim_end_matches(']')), ports }
    }

    fn is_for(&self, host: &str, port: Option<u16>) -> bool {
        let is_port = match self.ports {
            Ports::Usual => matches!(port, Some(80 | 443)),
            Ports::One(one) => port == Some(one),
            Ports::Every => true,
        };
        is_port && matches(&self.host, host)
    }
}

/// What the application allows.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    /// Exact, `*.example.com` for all below, `*` for every one.
    pub(super) hosts: Vec<String>,
    /// Those that may be inside.
    pub(super) inside: Vec<Door>,
    /// Addresses that the application knows better than the system.
    pub(super) known: BTreeMap<String, Vec<IpAddr>>,
}

/// As it is compared: without the dot of the root, and in small letters.
pub(super) fn plain(host: &str) -> String {
    host.trim_end_matches('.').to_ascii_lowercase()
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(below) => host.len() > below.len() && below.starts_with('.') && host.ends_with(below),
        None => pattern == host,
    }
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Denied, what)
}

impl Guard {
    /// Reads an address, and checks all that can be checked before it is looked up.
    pub(super) fn check(&self, text: &str) -> Result<(Url, Reach)> {
        let url =
            Url::parse(text).map_err(|error| Error::invalid(format!("the address {text:?}: {error}")))?;
        let reach = self.check_url(&url, Reach::Inside)?;
        Ok((url, reach))
    }

    /// Where this address may lead, if it may, and if who says so is no further away than this.
    pub(super) fn check_url(&self, url: &Url, most: Reach) -> Result<Reach> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(format!("{}: only http and https are spoken", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("an address with a name or a password in it is not asked".to_owned()));
        }
        let (host, address) = match url.host() {
            Some(Host::Domain(name)) => (plain(name), None),
            Some(Host::Ipv4(address)) => (address.to_string(), Some(IpAddr::V4(address))),
            Some(Host::Ipv6(address)) => (address.to_string(), Some(IpAddr::V6(address))),
            None => return Err(Error::invalid("an address without a host")),
        };
        let port = url.port_or_known_default();
        let is_inside = most == Reach::Inside && self.inside.iter().any(|door| door.is_for(&host, port));
        let reach = if is_inside { Reach::Inside } else { Reach::Outside };
        if !is_inside && !self.hosts.iter().any(|pattern| matches(pattern, &host)) {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let known = self.inside.iter().any(|door| matches(&door.host, &host));
            let what = if known && most == Reach::Outside {
                format!("{host}{port} is allowed, but not from outside")
            } else if known {
                format!("{host}{port} is not allowed: the application allows other ports of it")
            } else {
                format!("{host} is not among the hosts that the application allows")
            };
            return Err(refused(what));
        }
        // An address is not looked up: it is checked here.
        if let Some(address) = address {
            check_address(&host, address, reach)?;
        }
        Ok(reach)
    }

    /// The addresses of a host. If one of them is inside, none is taken: whose name it is wants something else.
    fn look_up(&self, host: &str, reach: Reach) -> Result<Vec<SocketAddr>> {
        let host = plain(host);
        let addresses: Vec<SocketAddr> = match self.known.get(&host) {
            Some(known) => known.iter().map(|address| SocketAddr::new(*address, 0)).collect(),
            None => {
                let missing = |error| Error::new(ErrorKind::Unavailable, format!("{host}: {error}"));
                (host.as_str(), 0).to_socket_addrs().map_err(missing)?.take(MOST).collect()
            }
        };
        for address in &addresses {
            check_address(&host, address.ip(), reach)?;
        }
        Ok(addresses)
    }
}

fn check_address(host: &str, address: IpAddr, reach: Reach) -> Result<()> {
    if reach == Reach::Inside || is_public(address) {
        return Ok(());
    }
    Err(refused(format!("{host} is at {address}, which is no public address")))
}

/// Looks hosts up for connections: they go to the addresses that were checked, and to no other.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<Guard>, pub(super) Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, reach) = (self.0.clone(), self.1);
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || guard.look_up(name.as_str(), reach)).await??;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Door, Guard, Reach, matches};

    #[test]
    fn hosts_match_whole_or_below() {
        assert!(matches("example.com", "example.com") && matches("*.example.com", "a.b.example.com"));
        assert!(matches("*", "example.com"));
        for (pattern, host) in [
            ("*.example.com", "example.com"),
            ("*.example.com", "evilexample.com"),
            ("*.example.com", "example.com.evil.org"),
            ("example.com", "www.example.com"),
            ("*ple.com", "example.com"),
        ] {
            assert!(!matches(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn what_is_inside_is_allowed_by_port() {
        let guard = |inside: &str| Guard { inside: vec![Door::new(inside)], ..Guard::default() };
        for (inside, open, shut) in [
            ("localhost", "http://localhost/", "http://localhost:8080/"),
            ("localhost", "https://LOCALHOST./", "http://localhost:22/"),
            ("localhost:8080", "http://localhost:8080/", "http://localhost/"),
            ("localhost:80", "http://localhost/", "https://localhost/"),
            ("*.lan:8080", "http://a.lan:8080/", "http://a.lan:8081/"),
            ("[::1]:8080", "http://[::1]:8080/", "http://[::1]/"),
            ("::1", "http://[::1]/", "http://[::1]:8080/"),
            ("[::1]:*", "http://[::1]:8080/", "http://[::2]:8080/"),
            ("127.0.0.1:*", "http://127.0.0.1:22/", "http://127.0.0.2:22/"),
        ] {
            assert_eq!(guard(inside).check(open).unwrap().1, Reach::Inside, "{inside} {open}");
            assert!(guard(inside).check(shut).is_err(), "{inside} {shut}");
            let open = open.parse().unwrap();
            assert!(guard(inside).check_url(&open, Reach::Outside).is_err(), "{inside} from outside");
        }
        // What is allowed as a public host is not inside with another port.
        let both = Guard { hosts: vec!["*".into()], ..guard("localhost:8080") };
        assert_eq!(both.check("http://localhost:9090/").unwrap().1, Reach::Outside);
        assert!(both.look_up("localhost", Reach::Outside).is_err());
    }

    #[test]
    fn addresses_are_refused_however_they_are_written() {
        let guard = Guard { hosts: vec!["*".into()], ..Guard::default() };
        for address in [
            "http://127.0.0.1/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://017700000001/",
            "http://127.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:a9fe:a9fe]/",
            "http://169.254.169.254/",
            "http://0/",
            "http://user@example.com/",
            "http://user:secret@example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "http://\u{ff11}27.0.0.1/",
            "data:text/plain,x",
            "http://",
            "x",
        ] {
            assert!(guard.check(address).is_err(), "{address}");
        }
        let said = guard.check("http://user:secret@example.com/").unwrap_err().to_string();
        assert!(!said.contains("secret"), "{said}");
        assert!(guard.check("https://Example.COM./a?b#c").is_ok());
        assert!(Guard::default().check("https://example.com/").is_err());
    }
}
