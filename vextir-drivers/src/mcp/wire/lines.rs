//! Messages as lines, with a bound: both sides of stdio.
//!
//! rmcp's own transport drops a line that is too long, and who waits for an answer to it, or for the answer in it, would wait
//! for the timeout. Here the call gets an error, since the line's ends say which one it was.

use rmcp::model::{ClientRequest, CustomRequest, ErrorCode, ErrorData, JsonRpcMessage, RequestId};
use rmcp::service::{RxJsonRpcMessage, ServiceRole, TxJsonRpcMessage};
use rmcp::transport::Transport;
use rmcp::{RoleClient, RoleServer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// The method that stands for a request that is too large: whoever serves it refuses it.
pub(super) const TOO_LARGE_ASKED: &str = "vextir/too_large";

/// A side of the protocol, and what it makes of a line that is too long.
pub(super) trait Side: ServiceRole {
    /// What is read instead.
    fn too_long(id: RequestId) -> RxJsonRpcMessage<Self>;
    /// Whether a line that is too long and nobody's ends the connection: somebody may wait for an answer to it.
    const ENDS: bool;
}

impl Side for RoleClient {
    fn too_long(id: RequestId) -> RxJsonRpcMessage<Self> {
        let data = ErrorData::new(ErrorCode(TOO_LARGE), "the answer is too large", None);
        JsonRpcMessage::error(data, Some(id))
    }
    const ENDS: bool = false;
}

impl Side for RoleServer {
    fn too_long(id: RequestId) -> RxJsonRpcMessage<Self> {
        let request = CustomRequest::new(TOO_LARGE_ASKED, None);
        JsonRpcMessage::request(ClientRequest::CustomRequest(request), id)
    }
    const ENDS: bool = true;
}

/// A transport over what the other side writes and reads.
pub(super) struct Lines<R, W> {
    read: BufReader<R>,
    write: Arc<Mutex<Option<W>>>,
    line: Vec<u8>,
    /// The last bytes of a line that is too long, of which `line` holds the first.
    overflow: Option<Vec<u8>>,
    longest: usize,
    stray: usize,
    /// The connection was ended since a line was too long.
    pub(super) broken: Arc<AtomicBool>,
}

/// What a line is.
enum Line<M> {
    Message(M),
    Blank,
    Stray,
    /// It is too long, and nobody's.
    TooLong,
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
            broken: Arc::default(),
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

    /// What the line says.
    fn said<S: Side>(&mut self) -> Line<RxJsonRpcMessage<S>> {
        let line = self.line.trim_ascii();
        let said = match self.overflow.take() {
            Some(last) => match whose(&self.line, &last) {
                Some(id) => Line::Message(S::too_long(id)),
                None => Line::TooLong,
            },
            None if line.is_empty() => Line::Blank,
            None => serde_json::from_slice(line).map_or(Line::Stray, Line::Message),
        };
        self.line.clear();
        said
    }

    async fn next<S: Side>(&mut self) -> Option<RxJsonRpcMessage<S>> {
        loop {
            self.fill().await?;
            match self.said::<S>() {
                Line::Message(message) => return Some(message),
                Line::Blank => continue,
                Line::TooLong if S::ENDS => {
                    self.broken.store(true, Ordering::Release);
                    return None;
                }
                Line::Stray | Line::TooLong => self.stray += 1,
            }
            if self.stray == 1 {
                tracing::warn!("the other side of an MCP connection writes lines that are no messages");
            }
            if self.stray > MOST_STRAY {
                return None;
            }
        }
    }
}

/// Whose request or answer a line is, by its beginning or its end: the id is written in one of the two places.
fn whose(first: &[u8], last: &[u8]) -> Option<RequestId> {
    let id = |text: &str| serde_json::from_str(text.trim()).ok();
    let last = String::from_utf8_lossy(last);
    let at_end = last.trim_end().strip_suffix('}').and_then(|text| id(text.rsplit_once("\"id\":")?.1));
    let first = String::from_utf8_lossy(first);
    let begins = || {
        let (before, after) = first.split_once("\"id\":")?;
        let is_outside = before.matches('{').count() == 1;
        id(after.split([',', '}']).next()?).filter(|_| is_outside)
    };
    at_end.or_else(begins)
}

impl<S, R, W> Transport<S> for Lines<R, W>
where
    S: Side,
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    type Error = std::io::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<S>,
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

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<S>> {
        self.next::<S>().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.write.lock().await.take();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Lines, TOO_LARGE_ASKED, whose};
    use rmcp::model::{ClientRequest, JsonRpcMessage, RequestId};
    use rmcp::{RoleClient, RoleServer};
    use std::sync::atomic::Ordering;

    #[test]
    fn the_ends_of_a_line_say_whose_answer_it_is() {
        let seven = Some(RequestId::Number(7));
        assert_eq!(whose(b"{\"result\":{\"a\":\"", b"xx\"},\"jsonrpc\":\"2.0\",\"id\":7}"), seven);
        assert_eq!(whose(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a", b"xxx\"}}"), seven);
        assert_eq!(whose(b"{\"result\":{\"x\":{\"id\":7,", b"xxx\"}}}"), None);
        assert_eq!(whose(b"{\"params\":{\"a", b"xxx\"},\"id\":\"s\"}"), Some(RequestId::String("s".into())));
        assert_eq!(whose(b"{\"params\":{\"a", b"xxx\",\"id\":7}}"), None);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_too_long_is_an_error_and_what_follows_is_read() {
        let long =
            format!("{{\"result\":{{\"a\":\"{}\"}},\"jsonrpc\":\"2.0\",\"id\":7}}\n", "x".repeat(300_000));
        let text = format!("no message\n\n{long}{{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{{}}}}\n");
        let mut lines = Lines::new(std::io::Cursor::new(text.into_bytes()), tokio::io::sink(), 1_000);
        let Some(JsonRpcMessage::Error(error)) = lines.next::<RoleClient>().await else { panic!("no error") };
        assert_eq!(error.id, Some(RequestId::Number(7)));
        let Some(JsonRpcMessage::Response(answer)) = lines.next::<RoleClient>().await else {
            panic!("no answer")
        };
        assert_eq!(answer.id, RequestId::Number(8));
        assert!(lines.next::<RoleClient>().await.is_none());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_request_that_is_too_long_is_refused_and_one_that_is_nobodys_ends_the_connection() {
        let long = "x".repeat(2_000);
        let text = format!(
            "{{\"method\":\"tools/call\",\"params\":{{\"a\":\"{long}\"}},\"jsonrpc\":\"2.0\",\"id\":\"seven\"}}\n\
             {{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}}\n{long}\n{{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}}\n"
        );
        let mut lines = Lines::new(std::io::Cursor::new(text.into_bytes()), tokio::io::sink(), 1_000);
        let Some(JsonRpcMessage::Request(asked)) = lines.next::<RoleServer>().await else {
            panic!("no request")
        };
        assert_eq!(asked.id, RequestId::String("seven".into()));
        assert!(matches!(asked.request, ClientRequest::CustomRequest(one) if one.method == TOO_LARGE_ASKED));
        let Some(JsonRpcMessage::Request(asked)) = lines.next::<RoleServer>().await else {
            panic!("no request")
        };
        assert_eq!(asked.id, RequestId::Number(8));
        assert!(lines.next::<RoleServer>().await.is_none());
        assert!(lines.broken.load(Ordering::Acquire));
    }
}
