//! The program that is killed: it begins runs, says what `emit` acknowledged, and answers what runs ask for.

use super::{USERS, work};
use crate::Result;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::Path;
use std::time::Duration;
use vextir_context::Hub;
use vextir_core::bus::Start;
use vextir_core::{EmitOptions, Event, EventFilter, Processor, RetryPolicy, Tenant};
use vextir_drivers::workflow::{PlanApproval, Plans};

/// How long the orderly stop at the end may take.
const DRAIN: Duration = Duration::from_secs(180);
/// No run begins while so much is at work: what was begun is to come to its end between two kills.
const BUSY: usize = 60;
/// Where the person who answers has got to.
const SEEN: &str = "/seen";

async fn start(file: &Path, ticks: bool) -> Result<Processor> {
    let retry = RetryPolicy { base: Duration::from_millis(5), cap: Duration::from_millis(20) };
    let mut builder = Processor::builder(Hub::open(file)?).retry(retry).authorizer(work::Asks);
    for driver in work::drivers() {
        builder = builder.driver(driver);
    }
    for workflow in work::workflows(ticks)? {
        builder = builder.driver(workflow);
    }
    Ok(builder.start().await?)
}

/// Begins runs until it is killed. `next` has the number that each emitter begins with: all before it were acknowledged.
///
/// # Errors
/// Nothing but a kill should end it: whatever went wrong.
pub async fn load(file: &Path, next: Vec<u64>) -> Result<()> {
    let app = start(file, true).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for (emitter, from) in next.into_iter().enumerate() {
        tasks.spawn(emit(app.clone(), emitter, from));
        tasks.spawn(answer(app.as_user(USERS[emitter])));
    }
    tasks.spawn(approve(app.clone()));
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn emit(app: Processor, emitter: usize, from: u64) -> Result<()> {
    let tenant = app.as_user(USERS[emitter]);
    for n in from.. {
        while app.bus().status().borrow().open > BUSY {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (tag, kind) = (work::tag(emitter, n), work::kind(emitter, n));
        let tagged = Map::from_iter([("tag".to_owned(), Value::from(tag.clone()))]);
        let event = match kind {
            "back" => Event::new("back.begin").with_data(Value::Object(tagged)),
            kind => Plans::new(tenant.clone(), kind).event(tagged),
        };
        let id = tenant.emit_with(event, EmitOptions::new().key(tag)).await?;
        // One write for the line: a kill cannot tear it.
        std::io::stdout().write_all(format!("ack {emitter} {n} {id}\n").as_bytes())?;
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..8_000))).await;
    }
    Ok(())
}

/// The operator: lets go on what a policy holds.
async fn approve(app: Processor) -> Result<()> {
    loop {
        for held in app.held(100).await? {
            // Its plan may have ended meanwhile.
            drop(app.approve(&held, "nothing against it").await);
        }
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..8_000))).await;
    }
}

/// A user who answers runs: each question at least once.
async fn answer(tenant: Tenant) -> Result<()> {
    let context = tenant.context();
    let start = match context.read(SEEN).await? {
        Some(seen) => Start::At(seen.content.to_text().parse()?),
        None => Start::Beginning,
    };
    let wanted: EventFilter = ["plan.approval", "need.*", "work.do"].try_into()?;
    let mut events = tenant.subscribe_from(wanted, start).await?;
    while let Some(event) = events.next().await {
        answer_one(&tenant, &event?).await?;
        context.write(SEEN, events.cursor().to_string()).await?;
    }
    Ok(())
}

async fn answer_one(tenant: &Tenant, event: &Event) -> Result<()> {
    let data = event.data.value();
    let tag = data["tag"].as_str().unwrap_or_default();
    let signal = match event.event_type.as_str() {
        "plan.approval" => {
            let question: PlanApproval = event.decode()?;
            return Ok(Plans::new(tenant.clone(), question.instruction.clone())
                .decide(&question, true, None)
                .await?);
        }
        "need.cancel" => {
            let plan = work::plan_of(event).ok_or("a step's event without its plan")?;
            return Ok(Plans::new(tenant.clone(), "stopped").cancel(&plan).await?);
        }
        "need.signal" => Event::new("signal").with_data(json!({"tag": tag, "n": 7})),
        "work.do" if data["name"] == "first" => Event::new("echo.signal").with_data(json!({"tag": tag})),
        _ => return Ok(()),
    };
    let key = format!("signal-{tag}");
    tenant.emit_with(signal, EmitOptions::new().key(key)).await?;
    Ok(())
}

/// Works off what is there, and stops in order.
///
/// # Errors
/// It takes too long, or the hub fails.
pub async fn drain(file: &Path) -> Result<()> {
    let app = start(file, false).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for user in USERS {
        tasks.spawn(answer(app.as_user(user)));
    }
    tasks.spawn(approve(app.clone()));
    let rest = async {
        loop {
            tokio::select! {
                Some(ended) = tasks.join_next() => ended??,
                () = app.idle() => {}
            }
            let status = *app.bus().status().borrow();
            if (status.open, status.waiting) == (0, 0) && open_plan(&app).await?.is_none() {
                return Result::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(DRAIN, rest).await.map(|rest| rest.is_err()).unwrap_or(true) {
        let status = *app.bus().status().borrow();
        let plan = open_plan(&app).await?;
        return Err(format!("work was still open after {DRAIN:?}: {status:?} {plan:?}").into());
    }
    tasks.shutdown().await;
    Ok(app.shutdown().await?)
}

/// A run that is not over.
async fn open_plan(app: &Processor) -> Result<Option<Value>> {
    for user in USERS {
        let context = app.context(user);
        for item in context.list("/System/Plans").await? {
            let document = context.read(&item.path).await?;
            let Some(plan) = document.and_then(|document| document.content.as_json().cloned()) else {
                continue;
            };
            if plan["ended"].is_null() {
                return Ok(Some(plan));
            }
        }
    }
    Ok(None)
}
