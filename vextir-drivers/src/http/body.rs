//! What comes back, up to a limit, and as text.

use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use vextir::{Error, ErrorKind, Result};

/// What was read.
pub(super) struct Body {
    pub(super) content_type: String,
    pub(super) text: String,
    pub(super) truncated: bool,
    pub(super) binary: bool,
}

/// Reads at most so many bytes, whatever the server says about the length.
pub(super) async fn read(mut response: Response, most: usize) -> Result<Body> {
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = header(CONTENT_TYPE).to_owned();
    let is_packed = !matches!(header(CONTENT_ENCODING), "" | "identity");
    let mut bytes = Vec::new();
    let mut truncated = false;
    loop {
        let cut = |error: reqwest::Error| {
            let why = super::fetch::innermost(&error);
            Error::new(ErrorKind::Unavailable, format!("the answer was cut off: {why}"))
        };
        let Some(chunk) = response.chunk().await.map_err(cut)? else { break };
        let room = most - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            truncated = true;
            break;
        }
    }
    let text = if is_packed { None } else { text(&bytes, &content_type, truncated) };
    let binary = text.is_none();
    Ok(Body { content_type, text: text.unwrap_or_default(), truncated, binary })
}

/// The text of what is one: by what the server says it is, or by its looks.
fn text(bytes: &[u8], content_type: &str, truncated: bool) -> Option<String> {
    let kind = content_type.to_ascii_lowercase();
    let (media, parameters) = kind.split_once(';').unwrap_or((&kind, ""));
    let media = media.trim();
    let is_named = media.starts_with("text/")
        || ["json", "xml", "javascript", "yaml", "x-www-form-urlencoded", "toml", "graphql"]
            .iter()
            .any(|name| media.ends_with(name));
    if bytes.contains(&0) || !(is_named || media.is_empty()) {
        return None;
    }
    let charset = parameters.split(';').find_map(|part| part.trim().strip_prefix("charset="));
    let charset = charset.map(|name| name.trim_matches(['"', '\'']));
    if matches!(charset, Some("iso-8859-1" | "latin1" | "windows-1252")) {
        return Some(bytes.iter().copied().map(char::from).collect());
    }
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    if truncated && text.ends_with(char::REPLACEMENT_CHARACTER) {
        text.pop();
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn text_is_read_in_its_charset() {
        let read = |bytes: &[u8], kind: &str| text(bytes, kind, false);
        assert_eq!(read(b"caf\xc3\xa9", "text/html; charset=UTF-8").unwrap(), "caf\u{e9}");
        assert_eq!(read(b"caf\xe9", "text/html; charset=\"ISO-8859-1\"").unwrap(), "caf\u{e9}");
        assert_eq!(read(b"caf\xe9", "text/plain; charset=klingon").unwrap(), "caf\u{fffd}");
        assert_eq!(read(b"{}", "application/problem+json").unwrap(), "{}");
        assert_eq!(read(b"plain", "").unwrap(), "plain");
        assert_eq!(read(b"\x89PNG", "image/png"), None);
        assert_eq!(read(b"a\0b", "text/plain"), None);
        assert_eq!(text(b"caf\xc3", "text/plain", true).unwrap(), "caf");
    }
}
