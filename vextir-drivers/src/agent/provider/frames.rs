//! What a service sends, bit by bit, cut into what means something: pure.

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events.
    Events,
    /// One JSON value in each line.
    Lines,
    /// One JSON value.
    Whole,
}

impl Framing {
    /// What the type of an answer says; `lines` if the provider writes JSON line by line. Nothing for what is no answer.
    pub(super) fn of(content_type: &str, lines: bool) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/event-stream" => Some(Self::Events),
            "application/x-ndjson" | "application/jsonl" => Some(Self::Lines),
            // Such a server may say so of its lines, too; one value is one line or several.
            "application/json" | "text/plain" | "" if lines => Some(Self::Lines),
            "application/json" => Some(Self::Whole),
            // A service that says nothing was asked for a stream.
            "text/plain" | "" => Some(Self::Events),
            _ => None,
        }
    }
}

/// Cuts bytes into events, lines or one whole. It holds what has no end yet; who feeds it bounds that.
///
/// What the standard tells to ignore is ignored: comments, names of events, ids, and fields that nobody knows.
#[derive(Debug)]
pub(super) struct Frames {
    framing: Framing,
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    is_first: bool,
    was_return: bool,
}

impl Frames {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            framing,
            line: Vec::new(),
            data: Vec::new(),
            has_data: false,
            is_first: true,
            was_return: false,
        }
    }

    /// Takes bytes, and adds what they complete.
    pub(super) fn push(&mut self, bytes: &[u8], complete: &mut Vec<Vec<u8>>) {
        if self.framing == Framing::Whole {
            self.data.extend_from_slice(bytes);
            return;
        }
        for byte in bytes {
            let was_return = std::mem::replace(&mut self.was_return, *byte == b'\r');
            match byte {
                b'\n' if was_return => {}
                b'\n' | b'\r' => self.end_line(complete),
                _ => self.line.push(*byte),
            }
        }
    }

    /// What is left at the end.
    pub(super) fn end(mut self) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut complete);
        }
        if !self.data.is_empty() {
            complete.push(self.data);
        }
        complete
    }

    fn end_line(&mut self, complete: &mut Vec<Vec<u8>>) {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_first) && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if self.framing == Framing::Lines {
            if !line.trim_ascii().is_empty() {
                complete.push(line);
            }
        } else if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                complete.push(std::mem::take(&mut self.data));
            }
        } else if let Some(value) = line.strip_prefix(b"data:") {
            if std::mem::replace(&mut self.has_data, true) {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frames, Framing};

    fn cut(framing: Framing, parts: &[&[u8]]) -> Vec<String> {
        let mut frames = Frames::new(framing);
        let mut complete = Vec::new();
        parts.iter().for_each(|part| frames.push(part, &mut complete));
        complete.extend(frames.end());
        complete.into_iter().map(|one| String::from_utf8(one).unwrap()).collect()
    }

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = "\u{feff}: hello\r\nevent: message\r\ndata: {\"a\":\r\ndata:1}\r\n\r\nretry: soon\nodd\ndata: é\n\nid: 7\n\rdata: x\r\r";
        let expected = ["{\"a\":\n1}", "é", "x"];
        assert_eq!(cut(Framing::Events, &[text.as_bytes()]), expected);
        for at in 0..text.len() {
            let (one, two) = text.as_bytes().split_at(at);
            assert_eq!(cut(Framing::Events, &[one, two]), expected, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(cut(Framing::Events, &bytes), expected);
    }

    #[test]
    fn the_last_event_needs_no_empty_line() {
        assert_eq!(cut(Framing::Events, &[b"data: 1\n\ndata: 2"]), ["1", "2"]);
        assert_eq!(cut(Framing::Lines, &[b"1\n\n2\r\n", b"3"]), ["1", "2", "3"]);
        assert_eq!(cut(Framing::Whole, &[b"{\n", b"}"]), ["{\n}"]);
        assert!(cut(Framing::Events, &[b"", b"\n\n: x\n"]).is_empty());
    }

    #[test]
    fn the_type_of_an_answer_says_how_it_is_written() {
        assert_eq!(Framing::of("text/event-stream; charset=utf-8", false), Some(Framing::Events));
        assert_eq!(Framing::of("Application/JSON", false), Some(Framing::Whole));
        assert_eq!(Framing::of("application/x-ndjson", true), Some(Framing::Lines));
        assert_eq!(Framing::of("", false), Some(Framing::Events));
        assert_eq!(Framing::of("text/html", false), None);
    }
}
