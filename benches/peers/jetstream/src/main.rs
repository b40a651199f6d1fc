//! NATS JetStream: take a message, publish its answer, acknowledge it. One line of JSON with the rate.
//!
//! `vextir-peer-jetstream SERVER always|default MESSAGES IN_FLIGHT FOLDER`
//!
//! Starts its own `nats-server` (the program SERVER) with its store in FOLDER. `always` syncs each write, which is
//! what a durable bus promises; `default` syncs every two minutes. The stream of answers and the stream of
//! messages are files; the clock runs from the first message taken until the server has counted the last
//! acknowledgement.

use std::error::Error;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::{self, Context, stream};
use futures::{StreamExt, TryStreamExt};

type Failure = Box<dyn Error + Send + Sync>;

/// As long as the events of the other programs: a small JSON object.
const PAYLOAD: &str = r#"{"location":"Oslo","celsius":21.5}"#;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [server, mode, messages, in_flight, folder] = arguments.as_slice() else {
        return Err("usage: vextir-peer-jetstream SERVER always|default MESSAGES IN_FLIGHT FOLDER".into());
    };
    let (messages, in_flight): (usize, usize) = (messages.parse()?, in_flight.parse()?);

    let server = Server::start(server, mode == "always", Path::new(folder))?;
    let context = jetstream::new(server.connect().await?);
    create_streams(&context).await?;
    fill(&context, messages).await?;
    let took = consume(&context, messages, in_flight).await?;
    let rate = messages as f64 / took.as_secs_f64();
    println!(r#"{{"workload":"jetstream_{mode}","unit":"per_second","value":{rate:.1}}}"#);
    Ok(())
}

async fn create_streams(context: &Context) -> Result<(), Failure> {
    for (name, subject) in [("MESSAGES", "messages"), ("ANSWERS", "answers")] {
        context
            .create_stream(stream::Config {
                name: name.into(),
                subjects: vec![subject.into()],
                storage: stream::StorageType::File,
                ..Default::default()
            })
            .await?;
    }
    Ok(())
}

/// Not timed: the messages that will be consumed.
async fn fill(context: &Context, messages: usize) -> Result<(), Failure> {
    futures::stream::iter((0..messages).map(Ok::<_, Failure>))
        .try_for_each_concurrent(256, |_| async {
            context.publish("messages", PAYLOAD.into()).await?.await?;
            Ok(())
        })
        .await
}

async fn consume(context: &Context, messages: usize, in_flight: usize) -> Result<Duration, Failure> {
    let mut consumer: PullConsumer = context
        .create_consumer_on_stream(
            pull::Config {
                durable_name: Some("worker".into()),
                max_ack_pending: i64::try_from(in_flight)?,
                ..Default::default()
            },
            "MESSAGES",
        )
        .await?;
    let started = Instant::now();
    consumer
        .stream()
        .max_messages_per_batch(in_flight)
        .messages()
        .await?
        .map_err(Failure::from)
        .take(messages)
        .try_for_each_concurrent(in_flight, |message| async move {
            context.publish("answers", message.payload.clone()).await?.await?;
            message.ack().await
        })
        .await?;
    while consumer.info().await?.ack_floor.stream_sequence < messages as u64 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(started.elapsed())
}

/// A `nats-server` of our own, on a free port of the loopback, ended with this value.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(program: &str, always: bool, folder: &Path) -> Result<Server, Failure> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let store = folder.join("jetstream");
        let sync = if always { "sync_interval: always" } else { "" };
        let settings = format!(
            "listen: 127.0.0.1:{port}\njetstream {{\n  store_dir: {:?}\n  max_file: 4G\n  {sync}\n}}\n",
            store.display().to_string()
        );
        let file = folder.join("nats.conf");
        std::fs::write(&file, settings)?;
        let log = std::fs::File::create(folder.join("nats.log"))?;
        let process =
            Command::new(program).arg("-c").arg(&file).stdout(Stdio::null()).stderr(log).spawn()?;
        Ok(Server { process, port })
    }

    async fn connect(&self) -> Result<async_nats::Client, Failure> {
        let address = format!("127.0.0.1:{}", self.port);
        let mut attempts = 0;
        loop {
            match async_nats::connect(&address).await {
                Ok(client) => return Ok(client),
                Err(error) if attempts == 100 => return Err(error.into()),
                Err(_) => attempts += 1,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already is what this wants.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
