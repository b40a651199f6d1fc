//! Messages as lines, with a bound: the client's side of stdio.
//!
//! rmcp's own transport drops a line that is too long, and the call whose answer it was would wait for its timeout. Here the
//! call gets an error, since the line's ends say which one it was.

use rmcp::RoleClient;
use rmcp::model::{ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Mutex;

/// How much is read at once, in bytes.
const CHUNK: usize = 64 * 1024;
/// How much of the ends of a line that is too long is kept, in bytes.
const ENDS: usize = 128;
/// The code of the error that stands for an answer that is too large.
pub(super) const TOO_LARGE: i32 = -32_099;
/// So many lines that are no messages end the connection: what speaks there is no server.
const MOST_STRAY: usize = 1_000;

type Incoming = RxJsonRpcMessage<RoleClient>;

/// A transport over a child's output and input.
pub(super) struct Lines<R, W> {
    read: BufReader<R>,
    write: Arc<Mutex<Option<W>>>,
    line: Vec<u8>,
    /// The last bytes of a line that is too long, of which `line` holds the first.
    overflow: Option<Vec<u8>>,
    longest: usize,
    stray: usize,
}

impl<R: AsyncRead + Send + Unpin, W> Lines<R, W> {
    pub(super) fn new(read: R, write: W, longest: usize) -> Self {
        Self {
            read: BufReader::with_capacity(CHUNK, read),
            write: Arc::new(Mutex::new(Some(write))),
            line: Vec::new(),
            overflow: None,
            longest,
            stray: 0,
        }
    }

    /// Reads on until a line is whole. Nothing is lost if the caller gives up in between: what was read is in the state.
    async fn fill(&mut self) -> Option<()> {
        loop {
            let chunk = self.read.fill_buf().await.ok()?;
            if chunk.is_empty() {
                return None;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let is_over = self.overflow.is_some() || self.line.len() + part.len() > self.longest;
            if is_over {
                let last = self.overflow.get_or_insert_default();
                last.extend_from_slice(&part[part.len().saturating_sub(ENDS)..]);
                let excess = last.len().saturating_sub(ENDS);
                last.drain(..excess);
                self.line.truncate(ENDS);
                self.line.shrink_to(CHUNK);
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.read.consume(used);
            if end.is_some() {
                return Some(());
            }
        }
    }

    /// What the line says, if it is a message.
    fn message(&mut self) -> Option<Incoming> {
        let message = match self.overflow.take() {
            Some(last) => answered(&self.line, &last).map(|id| {
                let data = ErrorData::new(ErrorCode(TOO_LARGE), "the answer is too large", None);
                JsonRpcMessage::error(data, Some(id))
            }),
            None => serde_json::from_slice(self.line.trim_ascii()).ok(),
        };
        self.line.clear();
        message
    }
}

/// Whose answer a line is, by its beginning or its end: servers write the id in one of the two places.
fn answered(first: &[u8], last: &[u8]) -> Option<RequestId> {
    let number = |text: &str| text.trim().parse().ok().map(RequestId::Number);
    let last = String::from_utf8_lossy(last);
    let at_end = last.trim_end().strip_suffix('}').and_then(|text| number(text.rsplit_once("\"id\":")?.1));
    let first = String::from_utf8_lossy(first);
    let begins = || {
        let (before, after) = first.split_once("\"id\":")?;
        let is_outside = before.matches('{').count() == 1;
        number(after.split([',', '}']).next()?).filter(|_| is_outside)
    };
    at_end.or_else(begins)
}

impl<R, W> Transport<RoleClient> for Lines<R, W>
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let write = self.write.clone();
        async move {
            let mut line = serde_json::to_vec(&item)?;
            line.push(b'\n');
            let mut write = write.lock().await;
            let write = write.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
            write.write_all(&line).await?;
            write.flush().await
        }
    }

    async fn receive(&mut self) -> Option<Incoming> {
        loop {
            self.fill().await?;
            let is_blank = self.overflow.is_none() && self.line.trim_ascii().is_empty();
            match self.message() {
                Some(message) => return Some(message),
                None if is_blank => {}
                None => {
                    self.stray += 1;
                    if self.stray == 1 {
                        tracing::warn!("an MCP server writes lines that are no messages to its output");
                    }
                    if self.stray > MOST_STRAY {
                        return None;
                    }
                }
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.write.lock().await.take();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, answered};
    use rmcp::model::{JsonRpcMessage, RequestId};
    use rmcp::transport::Transport;

    #[test]
    fn the_ends_of_a_line_say_whose_answer_it_is() {
        let seven = Some(RequestId::Number(7));
        assert_eq!(answered(b"{\"result\":{\"a\":\"", b"xx\"},\"jsonrpc\":\"2.0\",\"id\":7}"), seven);
        assert_eq!(answered(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a", b"xxx\"}}"), seven);
        assert_eq!(answered(b"{\"result\":{\"x\":{\"id\":7,", b"xxx\"}}}"), None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_too_long_is_an_error_and_what_follows_is_read() {
        let long =
            format!("{{\"result\":{{\"a\":\"{}\"}},\"jsonrpc\":\"2.0\",\"id\":7}}\n", "x".repeat(300_000));
        let text = format!("no message\n\n{long}{{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{{}}}}\n");
        let mut lines = Lines::new(std::io::Cursor::new(text.into_bytes()), tokio::io::sink(), 1_000);
        let Some(JsonRpcMessage::Error(error)) = lines.receive().await else { panic!("no error") };
        assert_eq!(error.id, Some(RequestId::Number(7)));
        let Some(JsonRpcMessage::Response(answer)) = lines.receive().await else { panic!("no answer") };
        assert_eq!(answer.id, RequestId::Number(8));
        assert!(lines.receive().await.is_none());
    }
}
