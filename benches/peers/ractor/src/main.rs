//! ractor: many callers ask one actor, each waits for its answer. One line of JSON with the rate.
//!
//! `vextir-peer-ractor CALLERS ASKS`

use std::error::Error;
use std::time::Instant;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call};

struct Echo;

enum Ask {
    Number(u64, RpcReplyPort<u64>),
}

impl Actor for Echo {
    type Msg = Ask;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, _: ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Ask>, message: Ask, _: &mut ()) -> Result<(), ActorProcessingErr> {
        let Ask::Number(number, reply) = message;
        reply.send(number)?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [callers, asks] = arguments.as_slice() else {
        return Err("usage: vextir-peer-ractor CALLERS ASKS".into());
    };
    let (callers, asks): (u64, u64) = (callers.parse()?, asks.parse()?);
    let each = asks / callers;
    let (echo, running) = Actor::spawn(None, Echo, ()).await?;

    let started = Instant::now();
    let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(ask(echo.clone(), each))).collect();
    for task in tasks {
        task.await??;
    }
    let rate = (each * callers) as f64 / started.elapsed().as_secs_f64();

    echo.stop(None);
    running.await?;
    println!(r#"{{"workload":"ractor_ask","unit":"per_second","value":{rate:.1}}}"#);
    Ok(())
}

async fn ask(echo: ActorRef<Ask>, times: u64) -> Result<(), String> {
    for number in 0..times {
        let answer = call!(echo, Ask::Number, number).map_err(|error| error.to_string())?;
        if answer != number {
            return Err(format!("asked {number}, answered {answer}"));
        }
    }
    Ok(())
}
