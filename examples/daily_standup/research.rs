//! Answers a question from what came before it in the same run: the mails, the meetings and the tasks. In the place of
//! an agent with a model, and always the same for the same input.

use crate::calendar::{CalendarFetched, Meeting};
use crate::mail::{Mail, MailsFetched};
use serde_json::Value;
use vextir::drivers::context::ContextData;
use vextir::prelude::*;
use vextir::{EventFilter, Result};

/// How many events of the run are looked through.
const MOST: usize = 1_000;
/// What tells that somebody cannot go on.
const BLOCKERS: [&str; 4] = ["blocked", "blocks", "waiting for", "cannot"];

/// A question with its points, each a line: `1. Key emails from yesterday`.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "research.request")]
pub(crate) struct Request {
    query: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "research.result", category = "output")]
pub(crate) struct Answer {
    text: String,
}

pub(crate) struct Research;

#[driver("research", kind = "tool", effect = "reads")]
impl Research {
    /// Say what is known about each point of a question.
    #[on]
    async fn answer(&self, ask: Request, cx: &Ctx) -> Result<Answer> {
        let found = Found::of_this_run(cx).await?;
        let points = ask.query.lines().filter_map(point);
        let sections: Vec<String> = points.map(|point| section(point, &found)).collect();
        Ok(Answer { text: sections.join("\n") })
    }
}

/// What the steps before brought.
#[derive(Default)]
struct Found {
    mails: Vec<Mail>,
    meetings: Vec<Meeting>,
    tasks: Vec<Task>,
}

#[derive(Deserialize)]
struct Task {
    title: String,
    owner: String,
    status: String,
    #[serde(default)]
    note: String,
}

impl Found {
    async fn of_this_run(cx: &Ctx) -> Result<Self> {
        let filter = EventFilter::try_from(["email.fetched", "calendar.fetched", "context.data"])?;
        let mut found = Self::default();
        for event in cx.since_root(cx.event().root(), &filter, MOST).await? {
            if event.root() != cx.event().root() {
                continue;
            }
            match event.event_type.as_str() {
                "email.fetched" => found.mails.extend(event.decode::<MailsFetched>()?.emails),
                "calendar.fetched" => found.meetings.extend(event.decode::<CalendarFetched>()?.meetings),
                _ => found.tasks.extend(tasks(event.decode::<ContextData>()?.content)?),
            }
        }
        Ok(found)
    }
}

fn tasks(content: Value) -> Result<Vec<Task>> {
    let Some(tasks) = content.get("tasks") else { return Ok(Vec::new()) };
    serde_json::from_value(tasks.clone()).map_err(|error| vextir::Error::invalid(format!("tasks: {error}")))
}

/// The text of a line that begins with a number and a dot.
fn point(line: &str) -> Option<&str> {
    let (number, text) = line.trim().split_once(". ")?;
    number.parse::<u8>().is_ok().then_some(text)
}

fn section(point: &str, found: &Found) -> String {
    let about = |word: &str| point.to_lowercase().contains(word);
    let mut lines = match () {
        () if about("email") => found.mails.iter().map(mail).collect(),
        () if about("meeting") => found.meetings.iter().map(meeting).collect(),
        () if about("task") => found.tasks.iter().map(task).collect(),
        () if about("blocker") => blockers(found),
        () => Vec::new(),
    };
    if lines.is_empty() {
        lines.push("none".into());
    }
    format!("{point}:\n- {}", lines.join("\n- "))
}

fn mail(mail: &Mail) -> String {
    match mail.folder.as_str() {
        "sent" => format!("to {}: {}", mail.to, mail.subject),
        _ => format!("from {}: {}", mail.from, mail.subject),
    }
}

fn meeting(meeting: &Meeting) -> String {
    let time = |time: &str| time.get(11..16).unwrap_or(time).to_owned();
    let place = meeting.place.as_ref().map(|place| format!(", {place}")).unwrap_or_default();
    format!("{} to {}: {}{place}", time(&meeting.start), time(&meeting.end), meeting.title)
}

fn task(task: &Task) -> String {
    format!("{} ({}): {}", task.title, task.owner, task.status)
}

fn blockers(found: &Found) -> Vec<String> {
    let tells = |text: &str| BLOCKERS.iter().any(|word| text.to_lowercase().contains(word));
    let in_mails = found.mails.iter().flat_map(|mail| {
        let sentences = mail.text.split_inclusive(['.', '!', '?']).filter(|sentence| tells(sentence));
        sentences.map(|sentence| format!("{}: {}", mail.from, one_line(sentence)))
    });
    let in_tasks = found.tasks.iter().filter(|task| tells(&task.status) || tells(&task.note));
    let in_tasks = in_tasks.map(|task| format!("{}: {}, {}", task.owner, task.title, task.note));
    in_mails.chain(in_tasks).collect()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
