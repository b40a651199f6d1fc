//! What all who ask services over HTTP share: how long to wait, what is near, and why there is no connection.

#[cfg(any(feature = "agent", feature = "embed-http"))]
use reqwest::Url;
#[cfg(any(feature = "agent", feature = "embed-http"))]
use std::error::Error as _;
use std::time::{Duration, SystemTime};

/// The pause that `retry-after` asks for: seconds, or a date.
pub(crate) fn pause(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(header).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Whether an address is on this machine.
#[cfg(any(feature = "agent", feature = "embed-http"))]
pub(crate) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The cause at the bottom, which knows of sockets and certificates, and of nothing that was sent.
#[cfg(any(feature = "agent", feature = "embed-http"))]
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(below) = cause.and_then(|cause| cause.source()) {
        cause = Some(below);
    }
    cause.map(ToString::to_string).unwrap_or_else(|| "no cause is known".to_owned())
}

#[cfg(all(test, any(feature = "agent", feature = "embed-http")))]
mod tests {
    use super::{is_local, pause};
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_pause_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(pause(" 3 ", now), Some(Duration::from_secs(3)));
        assert_eq!(pause("0.5", now), Some(Duration::from_millis(500)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(Duration::from_secs(10)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:30 GMT", now), Some(Duration::ZERO));
        for wrong in ["", "-1", "NaN", "inf", "1e300", "soon"] {
            assert_eq!(pause(wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        for (base, expected) in [
            ("http://localhost", true),
            ("http://127.9.9.9:1", true),
            ("http://[::1]:1", true),
            ("http://x", false),
        ] {
            assert_eq!(is_local(&base.parse().unwrap()), expected, "{base}");
        }
    }
}
