//! duroxide: orchestrations of activities one after the other, in its SQLite file. One line of JSON with the rate.
//!
//! `vextir-peer-duroxide ACTIVITIES ORCHESTRATIONS FOLDER`
//!
//! All are started at once, and the time goes from the first start to the last result. Its provider sets the file up by
//! itself: WAL, and `synchronous = NORMAL`, so that no commit waits for the disk.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry, OrchestrationStatus};

/// As long as the payload of the other programs.
const INPUT: &str = r#"{"location":"Oslo","celsius":21.5}"#;

/// Longer than any of them takes.
const LONGEST: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [activities, orchestrations, folder] = arguments.as_slice() else {
        return Err("usage: vextir-peer-duroxide ACTIVITIES ORCHESTRATIONS FOLDER".into());
    };
    let (activities, orchestrations): (u32, u32) = (activities.parse()?, orchestrations.parse()?);
    let file = Path::new(folder).join("duroxide.db");
    let store = Arc::new(SqliteProvider::new(&format!("sqlite:{}?mode=rwc", file.display()), None).await?);

    let answer = |_: ActivityContext, asked: String| async move { Ok(asked) };
    let answers = ActivityRegistry::builder().register("Answer", answer).build();
    let sequence = move |context: OrchestrationContext, input: String| async move {
        let mut last = input;
        for _ in 0..activities {
            last = context.schedule_activity("Answer", last).await?;
        }
        Ok::<_, String>(last)
    };
    let sequences = OrchestrationRegistry::builder().register("Sequence", sequence).build();
    // The best of what was tried: 1, 2 and 4 of each, and 1, 10 and 100 ms. More of them fail now and then with "database
    // is locked".
    let options = RuntimeOptions {
        dispatcher_min_poll_interval: Duration::from_millis(10),
        orchestration_concurrency: 1,
        worker_concurrency: 2,
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::start_with_options(store.clone(), answers, sequences, options).await;
    let client = Client::new(store);

    let started = Instant::now();
    for number in 0..orchestrations {
        client.start_orchestration(&format!("run-{number}"), "Sequence", INPUT).await?;
    }
    for number in 0..orchestrations {
        match client.wait_for_orchestration(&format!("run-{number}"), LONGEST).await? {
            OrchestrationStatus::Completed { output, .. } if output == INPUT => {}
            other => return Err(format!("run-{number}: {other:?}").into()),
        }
    }
    let rate = f64::from(orchestrations) / started.elapsed().as_secs_f64();
    runtime.shutdown(None).await;
    println!(r#"{{"workload":"duroxide_{activities}","unit":"per_second","value":{rate:.1}}}"#);
    Ok(())
}
