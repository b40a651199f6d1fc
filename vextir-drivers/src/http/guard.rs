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

/// What the application allows.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    /// Exact, `*.example.com` for all below, `*` for every one.
    pub(super) hosts: Vec<String>,
    /// Those that may be inside.
    pub(super) inside: Vec<String>,
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
    pub(super) fn check(&self, text: &str) -> Result<Url> {
        let url =
            Url::parse(text).map_err(|error| Error::invalid(format!("the address {text:?}: {error}")))?;
        self.check_url(&url)?;
        Ok(url)
    }

    pub(super) fn check_url(&self, url: &Url) -> Result<()> {
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
        if !self.hosts.iter().chain(&self.inside).any(|pattern| matches(pattern, &host)) {
            return Err(refused(format!("{host} is not among the hosts that the application allows")));
        }
        // An address is not looked up: it is checked here.
        match address {
            Some(address) => self.check_address(&host, address),
            None => Ok(()),
        }
    }

    fn check_address(&self, host: &str, address: IpAddr) -> Result<()> {
        if is_public(address) || self.inside.iter().any(|pattern| matches(pattern, host)) {
            return Ok(());
        }
        Err(refused(format!("{host} is at {address}, which is no public address")))
    }

    /// The addresses of a host. If one of them is inside, none is taken: whose name it is wants something else.
    fn look_up(&self, host: &str) -> Result<Vec<SocketAddr>> {
        let host = plain(host);
        let addresses: Vec<SocketAddr> = match self.known.get(&host) {
            Some(known) => known.iter().map(|address| SocketAddr::new(*address, 0)).collect(),
            None => {
                let missing = |error| Error::new(ErrorKind::Unavailable, format!("{host}: {error}"));
                (host.as_str(), 0).to_socket_addrs().map_err(missing)?.take(MOST).collect()
            }
        };
        for address in &addresses {
            self.check_address(&host, address.ip())?;
        }
        Ok(addresses)
    }
}

/// Looks hosts up for connections: they go to the addresses that were checked, and to no other.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found = tokio::task::spawn_blocking(move || guard.look_up(name.as_str())).await??;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Guard, matches};

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
