//! Instructions: how fast one is read, and how many plans run.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use vextir::drivers::workflow::{Instruction, PlanFinished, Plans, Workflow};
use vextir::{Limits, Payload, Processor};

use super::answerer::{Answer, Answerer, Ask};
use crate::Result;
use crate::measurement::{Measurement, Unit};
use crate::resources::resident_mebibytes;
use crate::trial::Trial;

/// How many plans are on their way at a time.
const IN_FLIGHT: usize = 64;

/// Steps one after the other: each but the first reads the one before.
fn sequence(steps: usize) -> Result<String> {
    let mut text = "name: Sequence\nplan:\n".to_owned();
    for step in 0..steps {
        let location = match step.checked_sub(1) {
            None => "Oslo".to_owned(),
            Some(before) => format!("{{{{s{before}.output.location}}}}"),
        };
        let after = step.checked_sub(1).map(|before| format!("depends_on: s{before}, ")).unwrap_or_default();
        let data = format!("{{location: \"{location}\", celsius: 21.5}}");
        writeln!(text, "  - {{id: s{step}, {after}emit: {{type: bench.ask, data: {data}}}}}")?;
    }
    Ok(text)
}

/// So many steps one after the other, each answered at once: plans a second, from the request to the plan's end.
pub(crate) fn plans(trial: &Trial, steps: usize) -> Result<Vec<Measurement>> {
    let plans = if trial.quick { 100 } else { 2_000 };
    super::block_on(async {
        let builder = Processor::builder(super::open(trial)?).driver(Answerer::new(256));
        let app = builder.driver(Workflow::from_yaml("sequence.yaml", &sequence(steps)?)?).start().await?;
        let (room, started) = (Arc::new(Semaphore::new(IN_FLIGHT)), Instant::now());
        let mut running = Vec::with_capacity(plans);
        for _ in 0..plans {
            let permit = room.clone().acquire_owned().await?;
            let user = app.as_user("local");
            running.push(tokio::spawn(async move {
                let event = Plans::new(user.clone(), "sequence").event(serde_json::Map::default());
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
        Ok(vec![Measurement::new(format!("plan_{steps}"), Unit::PerSecond, rate)])
    })
}

/// A list of 10,000 elements, with a step for each, 64 at a time, in the tree of its own that an instruction with limits has,
/// with as many events as that takes: how much more is resident at the most than before it began.
pub(crate) fn fan_out(trial: &Trial) -> Result<Vec<Measurement>> {
    let elements = if trial.quick { 300 } else { 10_000 };
    super::block_on(async {
        let text = "name: Fan\nlimits: {events: 100000}\ninputs:\n  - {name: all, type: list}\nplan:\n  - {id: each, for_each: {items: \"{{inputs.all}}\", parallel: 64}, \
                    emit: {type: bench.ask, data: {location: Oslo, celsius: \"{{item}}\"}}}\n";
        // What the application allows: an instruction may not ask for more.
        let limits = Limits { events: 100_000, ..Limits::default() };
        let builder = Processor::builder(super::open(trial)?).limits(limits).driver(Answerer::new(64));
        let app = builder.driver(Workflow::from_yaml("fan.yaml", text)?).start().await?;
        let _: Answer = app.request(Ask::new()).await?;

        let before = resident_mebibytes()?;
        let all = (0..elements).map(serde_json::Value::from).collect();
        let inputs = serde_json::Map::from_iter([("all".to_owned(), serde_json::Value::Array(all))]);
        let user = app.as_user("local");
        let mut finished = user.subscribe(PlanFinished::TYPE).await?;
        Plans::new(user, "fan").run(inputs).await?;
        let longest = tokio::time::sleep(Duration::from_mins(30));
        tokio::pin!(longest);
        let mut highest = before;
        let ended: PlanFinished = loop {
            tokio::select! {
                ended = finished.next() => break ended.ok_or("the log ended before the plan")??.decode()?,
                () = &mut longest => return Err("the plan does not end".into()),
                () = tokio::time::sleep(Duration::from_millis(20)) => highest = highest.max(resident_mebibytes()?),
            }
        };
        if ended.status != "completed" {
            return Err(format!("{ended:?}").into());
        }
        app.shutdown().await?;
        Ok(vec![Measurement::new("fan_out", Unit::Mebibytes, highest - before)])
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
