//! The example when it stays, and sums up each day at its time.

use crate::desk::Desk;
use crate::program::block_on;
use jiff::{Span, Timestamp, Zoned, tz::TimeZone};
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout};
use vextir::Hub;

/// The example at work; it is killed when this is dropped.
struct Watching {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Watching {
    /// Has a summary made so many seconds from now, each day.
    fn begin(desk: &Desk, seconds: i64) -> Self {
        let time = in_utc(Timestamp::now() + Span::new().seconds(seconds));
        let time = time.strftime("%H:%M:%S").to_string();
        let out = desk.dir.path().join("summary.md");
        let arguments = ["--daily", &time, "--timezone", "UTC", "--out", out.to_str().unwrap()];
        let mut child = desk.program.begin(&arguments);
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    /// When the next summary comes, once it says so.
    fn next(&mut self) -> Timestamp {
        let line =
            self.said.by_ref().map(|line| line.unwrap()).find(|line| line.contains("The next summary"));
        let line = line.expect("it ended");
        let (_, time) = line.split_once(" comes on ").unwrap();
        time.replace(" at ", "T").replace(" (UTC).", "Z").parse().unwrap()
    }
}

fn in_utc(time: Timestamp) -> Zoned {
    time.to_zoned(TimeZone::UTC)
}

#[test]
fn each_day_is_summed_up_at_its_time_while_the_folder_is_watched() {
    let desk = Desk::new(&[("a.txt", "1")]);
    // Stopped before its time, and started again for another one: that is the same schedule.
    Watching::begin(&desk, 6 * 3_600).next();
    // On a busy machine the time may have passed before it is scheduled.
    let near = [5, 15, 45].into_iter().find_map(|seconds| {
        let mut near = Watching::begin(&desk, seconds);
        let next = near.next();
        (next.duration_since(Timestamp::now()).as_secs() < 3_600).then_some((near, next))
    });
    let (mut watching, first) = near.expect("it takes too long to begin");
    desk.write("b.txt", "2");
    let second = watching.next();
    assert_eq!(second.duration_since(first).as_hours(), 24);
    drop(watching);

    let summaries = desk.program.summaries();
    assert_eq!(summaries.len(), 1, "{summaries:#?}");
    assert_eq!(summaries[0]["files"], 2, "what came meanwhile is in it");
    assert_eq!(summaries[0]["date"], in_utc(first).date().to_string());
    let page = std::fs::read_to_string(desk.dir.path().join("summary.md")).unwrap();
    assert!(page.contains("| Documents | 2 |"), "{page}");

    let hub = Hub::open(desk.dir.path().join("state.db")).unwrap();
    let schedules = block_on(hub.context("local").list("/System/Schedules")).unwrap();
    assert_eq!(schedules.len(), 1, "{schedules:?}");
}
