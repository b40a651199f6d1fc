//! The instructions of the specification, from copies of their blocks.

use crate::{Does, Stage, clock, hub, workflow};
use serde_json::json;
use std::time::Duration;
use vextir_core::prelude::*;
use vextir_core::{Clock, Processor};
use vextir_drivers::context::ContextDriver;
use vextir_drivers::workflow::PlanFinished;

const STANDUP: &str = include_str!("../workflow/good/daily_standup.yaml");
const EMAIL: &str = include_str!("../workflow/good/email_summary.yaml");
const WEATHER: &str = include_str!("../workflow/good/severe_weather.yaml");

#[tokio::test]
async fn the_daily_standup_runs_on_time_and_tells_the_team() {
    let mail = Does::answering("email.fetch", "email.fetched", json!({"emails": ["a mail"]}));
    let calendar = Does::answering("calendar.fetch", "calendar.fetched", json!({"meetings": []}));
    let research = Does::answering("research.request", "research.result", json!("All is well."));
    let chat = Does::new("chat.message", |_| Ok(Vec::new()));
    let now = clock("2025-06-16T12:59:00Z");
    let mut builder =
        Processor::builder(hub()).clock(now.clone()).driver(workflow(STANDUP)).driver(ContextDriver);
    for driver in [&mail, &calendar, &research, &chat] {
        builder = builder.driver(driver.clone());
    }
    let stage = Stage { app: builder.start().await.unwrap(), clock: now };
    stage.app.context("local").write("/Tasks/Active", json!({"tasks": ["write tests"]})).await.unwrap();
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    let schedule = loop {
        if let Some(schedule) = stage.app.schedule("instruction-daily_standup").await.unwrap() {
            break schedule;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(schedule.next.unwrap().to_string(), "2025-06-16T13:00:00Z", "nine in New York");
    stage.clock.advance(schedule.next.unwrap().since(stage.clock.now()));
    let ended: PlanFinished = finished.next().await.unwrap().unwrap().decode().unwrap();
    assert_eq!((ended.status.as_str(), ended.error), ("completed", None));
    assert_eq!(chat.data(), [json!({"channel": "standup", "message": "All is well."})]);
    let asked = mail.data();
    assert_eq!(asked[0]["filters"]["since"], "2025-06-15", "yesterday, in New York");
    assert_eq!(calendar.data()[0]["range"], json!({"start": "2025-06-16", "end": "2025-06-17"}));
    let plan = stage.plans("daily_standup").get(&ended.plan).await.unwrap().unwrap();
    assert_eq!(
        (plan["instruction_id"].as_str(), plan["status"].as_str()),
        (Some("daily_standup"), Some("completed"))
    );
    assert_eq!(plan["dag"]["nodes"]["fetch_emails"]["output"], json!({"emails": ["a mail"]}));
    assert_eq!(plan["dag"]["nodes"]["read_tasks"]["status"], "completed");
    let before = json!(["fetch_emails", "fetch_calendar", "read_tasks"]);
    assert_eq!(plan["dag"]["nodes"]["generate_summary"]["dependencies"], before);
}

#[tokio::test]
async fn the_morning_mails_are_summarized_and_said() {
    let fetch = Does::answering("email.fetch", "email.fetched", json!({"emails": ["one", "two"]}));
    let summarize = Does::new("email.summarize", |event| {
        let count = event.data.value()["emails"].as_array().map_or(0, Vec::len);
        Ok(vec![Event::new("email.summary").with_data(json!({"text": format!("{count} mails")}))])
    });
    let chat = Does::new("chat.message", |_| Ok(Vec::new()));
    let now = clock("2025-06-16T07:59:59Z");
    let stage = Stage::new(hub(), now, vec![workflow(EMAIL)], &[&fetch, &summarize, &chat]).await;
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    while stage.app.schedules().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.clock.advance(Duration::from_secs(1));
    let ended: PlanFinished = finished.next().await.unwrap().unwrap().decode().unwrap();
    assert_eq!((ended.status.as_str(), ended.error), ("completed", None));
    assert_eq!(fetch.data(), [json!({"since": "2025-06-15"})]);
    let said = &chat.data()[0];
    assert_eq!(said["channel"], "personal", "{said}");
}

#[tokio::test]
async fn severe_weather_is_told_and_written_down() {
    let alert = Does::new("notification.urgent", |_| Ok(Vec::new()));
    let builder = Processor::builder(hub()).clock(clock("2025-06-16T08:00:00Z")).driver(workflow(WEATHER));
    let app = builder.driver(ContextDriver).driver(alert.clone()).start().await.unwrap();
    let stage = Stage { app, clock: clock("2025-06-16T08:00:00Z") };
    let mut finished = stage.app.subscribe("plan.finished").await.unwrap();
    stage
        .app
        .emit(Event::new("weather.severe").with_data(json!({"kind": "storm", "place": "Oslo"})))
        .await
        .unwrap();
    let ended: PlanFinished = finished.next().await.unwrap().unwrap().decode().unwrap();
    assert_eq!((ended.status.as_str(), ended.error), ("completed", None));
    assert_eq!(alert.data(), [json!({"kind": "storm", "place": "Oslo"})]);
    let written = stage.app.context("local").read("/Alerts/Weather").await.unwrap().unwrap();
    assert_eq!(written.content.as_json().unwrap()["kind"], "storm");
}
