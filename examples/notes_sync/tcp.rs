//! Messages over TCP: the length in four bytes, then the message. For a network that is not one's own, put TLS around it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use tokio::sync::mpsc;
use vextir::prelude::*;
use vextir::{Error, ErrorKind, Peer, Result, SyncReport, SyncSession};

/// A longer message is refused before there is room made for it.
const LONGEST: u32 = 160 << 20;

/// Two hubs in this process meet over a socket, as they would in two; what the first one says of it.
pub(crate) async fn meet(one: &Hub, of_one: Peer, other: &Hub, of_other: Peer) -> Result<SyncReport> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| failed("listening", error))?;
    let address = listener.local_addr().map_err(|error| failed("listening", error))?;
    let calling = TcpStream::connect(address).map_err(|error| failed("connecting", error))?;
    let (called, _) = listener.accept().map_err(|error| failed("accepting", error))?;
    let (here, there) = tokio::join!(talk(one.sync(of_one), calling), talk(other.sync(of_other), called));
    there?;
    here
}

/// Carries the messages of one side until both are done.
async fn talk(mut session: SyncSession, stream: TcpStream) -> Result<SyncReport> {
    let clone = || stream.try_clone().map_err(|error| failed("the connection", error));
    let (mut reading, mut writing) = (clone()?, clone()?);
    // Reading and writing each have a thread: a side that only wrote, while the other one only wrote, would wait for ever.
    let (came, mut coming) = mpsc::channel(16);
    std::thread::spawn(
        move || while read(&mut reading).is_ok_and(|message| came.blocking_send(message).is_ok()) {},
    );
    let (going, mut goes) = mpsc::channel::<Vec<u8>>(16);
    let writer = std::thread::spawn(move || {
        while let Some(message) = goes.blocking_recv() {
            write(&mut writing, &message)?;
        }
        writing.shutdown(std::net::Shutdown::Write)
    });

    let gone = || Error::new(ErrorKind::Unavailable, "the other side has gone; meet again");
    let mut answers = session.start().await?;
    loop {
        for message in answers {
            going.send(message).await.map_err(|_| gone())?;
        }
        if session.is_done() {
            break;
        }
        answers = session.receive(&coming.recv().await.ok_or_else(gone)?).await?;
    }
    drop(going);
    // What is still on its way is written before the connection is closed.
    let written = tokio::task::spawn_blocking(move || writer.join()).await;
    if !matches!(written, Ok(Ok(Ok(())))) {
        return Err(gone());
    }
    Ok(session.report().clone())
}

fn read(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > LONGEST {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    // Room is made as bytes come, not as they are announced.
    let mut message = Vec::new();
    stream.take(u64::from(length)).read_to_end(&mut message)?;
    Ok(message)
}

fn write(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| std::io::ErrorKind::InvalidData)?;
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(message)
}

pub(crate) fn failed(what: &str, error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{what} failed: {error}")).with_source(error)
}
