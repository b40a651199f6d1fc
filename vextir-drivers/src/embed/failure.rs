//! What a failure means, and what comes after it: pure decisions.

use std::time::Duration;
use vextir::{Error, ErrorKind, RetryPolicy};

/// The longest rest that a service can ask for.
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// Codes that services give with a failure. Only these are repeated in errors: all else may hold texts or the key.
const CODES: [&str; 9] = [
    "billing_hard_limit_reached",
    "context_length_exceeded",
    "exceed_context_size_error",
    "insufficient_quota",
    "invalid_api_key",
    "model_not_found",
    "rate_limit_exceeded",
    "string_above_max_length",
    "unsupported_parameter",
];

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    pub(super) again: Again,
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    Never,
    /// It may, and if it does not, other texts may do better.
    Soon,
    /// The service takes none now; after the pause that it asked for, if it did.
    Later(Option<Duration>),
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Retry(Duration),
    /// And rest for so long.
    GiveUp(Duration),
}

impl Failure {
    pub(super) fn never(kind: ErrorKind, message: String) -> Self {
        Self { error: Error::new(kind, message), again: Again::Never }
    }

    pub(super) fn soon(kind: ErrorKind, message: String) -> Self {
        Self { error: Error::new(kind, message), again: Again::Soon }
    }

    pub(super) fn later(kind: ErrorKind, message: String) -> Self {
        Self { error: Error::new(kind, message), again: Again::Later(None) }
    }
}

/// Decides after attempt number `attempt` (from 1) of `1 + retries`; `spread` is between 0 and 1.
pub(super) fn next(again: Again, attempt: u32, retries: u32, policy: RetryPolicy, spread: f64) -> Next {
    match again {
        Again::Never => Next::GiveUp(Duration::ZERO),
        Again::Soon if attempt > retries => Next::GiveUp(Duration::ZERO),
        Again::Soon => Next::Retry(policy.pause(attempt, spread)),
        Again::Later(Some(asked)) if attempt > retries || asked > policy.cap => {
            Next::GiveUp(asked.max(policy.cap).min(LONGEST_REST))
        }
        Again::Later(None) if attempt > retries => Next::GiveUp(policy.cap),
        Again::Later(asked) => Next::Retry(asked.unwrap_or_else(|| policy.pause(attempt, spread))),
    }
}

/// What a status other than success means. `code` is what the service says about it, if it is a known one.
pub(super) fn refused(address: &str, status: u16, code: Option<&str>, asked: Option<Duration>) -> Failure {
    use ErrorKind::{Denied, Invalid, NotFound, Timeout, Unavailable, Unsupported};
    let (kind, remedy) = match status {
        300..=399 => (Unsupported, "a redirect, which is not followed: give the address that it leads to"),
        401 | 403 => (Denied, "the key was refused or is missing: see `.key(..)`"),
        404 | 405 => (
            NotFound,
            "nothing answers there, or the model is not known: see the address and the model's name",
        ),
        408 => (Timeout, "the service waited too long: try again later"),
        413 => (Invalid, "the texts are too long for the service: send fewer together, see `.batch(..)`"),
        400 | 422 => (
            Invalid,
            "the service refuses the request: the texts may be too long for the model, or its name wrong",
        ),
        429 => (Unavailable, "too many requests, or the quota is used up: try again later"),
        500..=599 => (Unavailable, "the service failed: try again later"),
        _ => (Unsupported, "no answer of an OpenAI-compatible service: see the address"),
    };
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    let asks = asked.map(|asked| format!("; it asks for a pause of {asked:?}")).unwrap_or_default();
    let error = Error::new(kind, format!("{address}: status {status}{code}: {remedy}{asks}"));
    let takes_none = matches!(status, 429 | 503) || asked.is_some();
    let again = match kind {
        _ if status == 501 => Again::Never,
        Timeout | Unavailable if takes_none => Again::Later(asked),
        Timeout | Unavailable => Again::Soon,
        _ => Again::Never,
    };
    Failure { error, again }
}

/// The code in the body of a failure, if it is one of those that are known.
pub(super) fn known_code(body: &[u8]) -> Option<&'static str> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    let said = ["code", "type"].into_iter().filter_map(|member| error.get(member)?.as_str());
    said.filter_map(|said| CODES.into_iter().find(|code| *code == said)).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy { base: Duration::from_secs(1), cap: Duration::from_secs(5) };

    fn after(again: Again, attempt: u32) -> Next {
        next(again, attempt, 2, POLICY, 0.5)
    }

    #[test]
    fn attempts_and_pauses_are_bounded() {
        let seconds = Duration::from_secs;
        assert_eq!(after(Again::Never, 1), Next::GiveUp(Duration::ZERO));
        assert_eq!(after(Again::Soon, 2), Next::Retry(seconds(2)));
        assert_eq!(after(Again::Soon, 3), Next::GiveUp(Duration::ZERO));
        assert_eq!(after(Again::Later(None), 1), Next::Retry(seconds(1)));
        assert_eq!(after(Again::Later(None), 2), Next::Retry(seconds(2)));
        assert_eq!(after(Again::Later(None), 3), Next::GiveUp(seconds(5)));
        assert_eq!(after(Again::Later(Some(seconds(4))), 1), Next::Retry(seconds(4)));
        assert_eq!(after(Again::Later(Some(seconds(4))), 3), Next::GiveUp(seconds(5)));
        assert_eq!(after(Again::Later(Some(seconds(60))), 1), Next::GiveUp(seconds(60)));
        assert_eq!(after(Again::Later(Some(Duration::MAX)), 1), Next::GiveUp(seconds(3_600)));
    }

    #[test]
    fn only_known_codes_are_repeated() {
        assert_eq!(known_code(br#"{"error": {"code": "model_not_found"}}"#), Some("model_not_found"));
        let by_type = br#"{"error": {"code": 400, "type": "exceed_context_size_error"}}"#;
        assert_eq!(known_code(by_type), Some("exceed_context_size_error"));
        for other in [r#"{"error": {"code": "sk-secret"}}"#, r#"{"error": "model_not_found"}"#, "<html>", ""]
        {
            assert_eq!(known_code(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn each_status_has_its_kind_and_only_what_may_pass_is_tried_again() {
        let cases = [
            (307, ErrorKind::Unsupported, Again::Never),
            (400, ErrorKind::Invalid, Again::Never),
            (401, ErrorKind::Denied, Again::Never),
            (404, ErrorKind::NotFound, Again::Never),
            (408, ErrorKind::Timeout, Again::Soon),
            (413, ErrorKind::Invalid, Again::Never),
            (418, ErrorKind::Unsupported, Again::Never),
            (429, ErrorKind::Unavailable, Again::Later(None)),
            (500, ErrorKind::Unavailable, Again::Soon),
            (501, ErrorKind::Unavailable, Again::Never),
            (503, ErrorKind::Unavailable, Again::Later(None)),
        ];
        for (status, kind, again) in cases {
            let failure = refused("POST http://x/embeddings", status, None, None);
            assert_eq!(failure.error.kind(), kind, "{status}");
            assert_eq!(failure.again, again, "{status}");
            assert!(failure.error.to_string().starts_with("POST http://x/embeddings: status "));
        }
    }
}
