//! Run with `cargo run --example severe_weather`.
//!
//! The specification's third scenario, as it is printed there (`severe_weather.yaml`). A driver looks at reports of the
//! weather and emits `weather.severe` for those that matter. Each such event starts a run, which notifies somebody and
//! writes the warning down as the document `/Alerts/Weather`; no code of this program names the two steps. Reports come
//! from a file of JSON lines, and notifications go to one, both in a temporary folder.

#[path = "../office/folder.rs"]
mod folder;
#[path = "../office/journal.rs"]
mod journal;
#[path = "../office/progress.rs"]
mod progress;

use journal::Journal;
use progress::Progress;
use vextir::BoxError;
use vextir::drivers::context::ContextDriver;
use vextir::drivers::workflow::Workflow;
use vextir::prelude::*;

/// The strongest gusts somewhere, in km/h.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.report", category = "input")]
struct Report {
    place: String,
    gusts: u32,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "weather.severe", category = "output")]
struct Severe {
    place: String,
    gusts: u32,
    text: String,
}

/// From these gusts on the weather is severe, in km/h.
const STORM: u32 = 90;

struct Station;

#[driver("weather_station", kind = "tool", effect = "reads")]
impl Station {
    /// Warns of storms.
    #[on]
    async fn look(&self, Report { place, gusts }: Report) -> Option<Severe> {
        let text = format!("Storm in {place}: gusts of {gusts} km/h");
        (gusts >= STORM).then_some(Severe { place, gusts, text })
    }
}

/// Notify somebody at once. The step says nothing, so the text is that of the event that started the run.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "notification.urgent")]
struct Urgent {
    text: String,
}

struct Pager(Journal);

#[driver("pager", kind = "io")]
impl Pager {
    /// Notify somebody. There is no answer, so the next step gets what this one got.
    #[on]
    async fn notify(&self, ask: Urgent, cx: &Ctx) -> Result<(), Failure> {
        self.0.add(cx.idempotency_key(), json!({"text": ask.text})).await
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let folder = folder::copy("severe_weather")?;
    let place = |name: &str| folder.path().join(name);
    let instruction = Workflow::from_file(place("severe_weather.yaml"))?;
    println!("{}", instruction.instruction().name);

    let app = Processor::builder(Hub::open(place("vextir.db"))?)
        .driver(Station)
        .driver(Pager(Journal::new(place("notifications.jsonl"))))
        .driver(ContextDriver)
        .driver(instruction)
        .start()
        .await?;
    let context = app.context("local");
    let mut progress = Progress::new(context.clone()).await?;
    for line in std::fs::read_to_string(place("reports.jsonl"))?.lines() {
        let report: Report = serde_json::from_str(line)?;
        println!("\nA report from {}", report.place);
        let caused = app.process_event(report).await?;
        if caused.iter().any(|event| event.event_type == Severe::TYPE) {
            progress.until_over().await?;
        }
    }

    println!("\nnotifications.jsonl:\n{}", std::fs::read_to_string(place("notifications.jsonl"))?);
    let Some(alert) = context.read("/Alerts/Weather").await? else {
        return Err("nothing was written down".into());
    };
    println!("/Alerts/Weather: {}", alert.content.to_text());
    for revision in context.history("/Alerts/Weather", 10).await? {
        let driver = revision.by.driver.unwrap_or_default();
        println!("  {:?} by {driver} for {}", revision.what, revision.by.user);
    }
    app.shutdown().await?;
    Ok(())
}
