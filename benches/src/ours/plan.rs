//! Instructions: how fast one is read, and how many plans run.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use vextir::Processor;
use vextir::drivers::workflow::{Instruction, PlanFinished, Plans, Workflow};

use super::answerer::Answerer;
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::trial::Trial;

/// How many plans are on their way at a time.
const IN_FLIGHT: usize = 64;

const THREE: &str = r#"
name: Three
plan:
  - {id: a, emit: {type: bench.ask, data: {location: Oslo, celsius: 21.5}}}
  - {id: b, depends_on: a, emit: {type: bench.ask, data: {location: "{{a.output.location}}", celsius: 21.5}}}
  - {id: c, depends_on: b, emit: {type: bench.ask, data: {location: "{{b.output.location}}", celsius: 21.5}}}
"#;

/// Three steps one after the other, each answered at once: plans a second, from the request to the plan's end.
pub(crate) fn three_steps(trial: &Trial) -> Result<Vec<Measurement>> {
    let plans = if trial.quick { 100 } else { 2_000 };
    super::block_on(async {
        let builder = Processor::builder(super::open(trial)?).driver(Answerer::new(256));
        let app = builder.driver(Workflow::from_yaml("three.yaml", THREE)?).start().await?;
        let (room, started) = (Arc::new(Semaphore::new(IN_FLIGHT)), Instant::now());
        let mut running = Vec::with_capacity(plans);
        for _ in 0..plans {
            let permit = room.clone().acquire_owned().await?;
            let user = app.as_user("local");
            running.push(tokio::spawn(async move {
                let event = Plans::new(user.clone(), "three").event(serde_json::Map::default());
                let ended: vextir::Result<PlanFinished> = user.request(event).await;
                drop(permit);
                ended
            }));
        }
        for plan in running {
            let ended = plan.await??;
            if ended.status != "completed" {
                return Err(format!("{ended:?}").into());
            }
        }
        let rate = plans as f64 / started.elapsed().as_secs_f64();
        app.shutdown().await?;
        Ok(vec![Measurement::new("plan_3", Unit::PerSecond, rate)])
    })
}

/// 500 steps, each with a condition and a template that read the one before: read and checked, the median.
pub(crate) fn reading(trial: &Trial) -> Result<Vec<Measurement>> {
    let mut text = "name: Long\nplan:\n  - {id: s0, emit: {type: work, data: {n: 1}}}\n".to_owned();
    for step in 1..500 {
        let before = step - 1;
        writeln!(
            text,
            "  - {{id: s{step}, depends_on: s{before}, condition: s{before}.output.n > 0, \
             emit: {{type: work, data: {{n: \"{{{{s{before}.output.n}}}}\"}}}}}}"
        )?;
    }
    let rounds = if trial.quick { 3 } else { 50 };
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let started = Instant::now();
        let read = Instruction::from_yaml("long.yaml", &text)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        if read.steps.len() != 500 {
            return Err("not all steps were read".into());
        }
    }
    Ok(vec![Measurement::middle("instruction_500", Unit::Milliseconds, &times)?])
}
