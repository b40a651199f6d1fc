//! A step: when it is done, how often, and what happens when it fails.

use super::act::{self, Scope, Work};
use super::name;
use super::template::{Read, Text};
use crate::workflow::expression::Condition;
use crate::workflow::instruction::{ForEach, OnError, Retry};
use crate::yaml::Found;
use crate::yaml::form::{self, Form};
use crate::yaml::word;
use crate::yaml::{Entry, Kind, Node, Plain, Shown};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use vextir::Name;

const KEYS: [&str; 15] = [
    "id",
    "name",
    "depends_on",
    "condition",
    "for_each",
    "retry",
    "timeout",
    "on_error",
    "action",
    "event",
    "emit",
    "emit_event",
    "wait_for",
    "run",
    "approve",
];
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a step may take, at most: ten years, for waits for people are long.
const LONGEST: Duration = Duration::from_secs(315_576_000);

/// A step as far as it could be read.
#[derive(Debug)]
pub(in crate::workflow) struct Draft {
    /// `None` where none was written.
    pub(in crate::workflow) id: Option<Name>,
    /// Where its id stands, or where it begins.
    pub(in crate::workflow) at: Range<usize>,
    pub(in crate::workflow) name: Option<String>,
    pub(in crate::workflow) depends_on: Vec<(Name, Range<usize>)>,
    /// Where `depends_on` stands.
    pub(in crate::workflow) depends_at: Option<Range<usize>>,
    pub(in crate::workflow) condition: Option<Condition>,
    pub(in crate::workflow) for_each: Option<ForEach>,
    pub(in crate::workflow) retry: Option<Retry>,
    pub(in crate::workflow) timeout: Option<Duration>,
    pub(in crate::workflow) on_error: OnError,
    /// Where the step that compensates is named.
    pub(in crate::workflow) compensate_at: Range<usize>,
    pub(in crate::workflow) work: Option<Work>,
    pub(in crate::workflow) reads: Vec<(Scope, Read)>,
}

impl Draft {
    /// Reads a step. `None` if it is none.
    pub(super) fn read(node: &Node, text: Text<'_>, found: &mut Found) -> Option<Self> {
        let form = Form::read(node, "a step", &KEYS, found)?;
        let (id, at) = id(&form, found);
        let mut reads = Vec::new();
        let mut keep =
            |scope: Scope, more: Vec<Read>| reads.extend(more.into_iter().map(|read| (scope, read)));
        let condition = form.get("condition", found).and_then(|node| text.condition(node, found));
        let condition = condition.map(|(condition, more)| (condition, keep(Scope::Whole, more)).0);
        let for_each = form.get("for_each", found).and_then(|node| for_each(node, text, found));
        let for_each = for_each.map(|(each, more)| (each, keep(Scope::Whole, more)).0);
        let work = act::read(&form, text, found);
        let work = work.map(|(work, more)| {
            more.into_iter().for_each(|(scope, read)| keep(scope, vec![read]));
            work
        });
        let depends = form.get("depends_on", found);
        let on_error = form.get("on_error", found).and_then(|node| on_error(node, found));
        let (on_error, compensate_at) = on_error.unwrap_or_default();
        Some(Self {
            id,
            at,
            name: form.title("name", found),
            depends_on: depends.map(|node| depends_on(node, found)).unwrap_or_default(),
            depends_at: form.entry("depends_on").map(|entry| entry.at.clone()),
            condition,
            for_each,
            retry: form.get("retry", found).and_then(|node| retry(node, found)),
            timeout: form
                .get("timeout", found)
                .and_then(|node| form::duration(node, "a timeout", Duration::from_millis(1), LONGEST, found)),
            on_error,
            compensate_at,
            work,
            reads,
        })
    }
}

fn id(form: &Form<'_>, found: &mut Found) -> (Option<Name>, Range<usize>) {
    let Some(Entry { value, .. }) = form.entry("id") else { return (None, form.at.clone()) };
    let Some(id) = form.text("id", found) else { return (Some(Name::default()), value.at.clone()) };
    if let Some(why) = name::refuse(id, true, &name::BESIDE) {
        found.add(value.at.clone(), format!("the id {} of a step {why}", Shown(id)));
    }
    (Some(Name::from(id)), value.at.clone())
}

/// One id, or a list of ids.
fn depends_on(node: &Node, found: &mut Found) -> Vec<(Name, Range<usize>)> {
    let one = std::slice::from_ref(node);
    let nodes = match &node.kind {
        Kind::List(nodes) => nodes.as_slice(),
        _ => one,
    };
    let mut ids: Vec<(Name, Range<usize>)> = Vec::new();
    for node in nodes {
        let Some(id) = node.written() else {
            let message = format!("`depends_on` names steps, but this is {node}");
            found.with_help(node.at.clone(), message, "write `depends_on: [fetch, read]`");
            continue;
        };
        if ids.iter().all(|(known, _)| *known != id) {
            ids.push((Name::from(id), node.at.clone()));
        }
    }
    ids
}

fn for_each(node: &Node, text: Text<'_>, found: &mut Found) -> Option<(ForEach, Vec<Read>)> {
    let form = match &node.kind {
        Kind::Map(_) => Some(Form::read(node, "`for_each`", &["items", "as", "parallel"], found)?),
        _ => None,
    };
    let items = match &form {
        Some(form) => form.need("items", "`for_each`", found),
        None => Some(node),
    };
    let items = items.and_then(|node| {
        if !form::is_one_template(node) && !matches!(node.kind, Kind::List(_)) {
            let message =
                format!("`for_each` is a list, or one template that reads a list, but this is {node}");
            let path = node.text().filter(|text| text.contains('.') && !text.contains(char::is_whitespace));
            let help = format!("write \"{{{{{}}}}}\"", path.unwrap_or("fetch.output.emails"));
            found.with_help(node.at.clone(), message, help);
            return None;
        }
        text.template(&Arc::new(node.clone()), found)
    });
    let (name, parallel) = form.map(|form| details(&form, found)).unwrap_or_default();
    let (items, reads) = items?;
    let (name, parallel) = (name.unwrap_or_else(|| "item".to_owned()), parallel.unwrap_or(10));
    Some((ForEach { items, name, parallel }, reads))
}

/// What the element is called, and how many are done at a time.
fn details(form: &Form<'_>, found: &mut Found) -> (Option<String>, Option<u32>) {
    let name = form.get("as", found).and_then(|node| {
        let name = form::text(node, "`as`", found)?;
        if let Some(why) = name::refuse(name, false, &name::BESIDE).filter(|_| name != "item") {
            found.add(node.at.clone(), format!("the name {} of an element {why}", Shown(name)));
        }
        Some(name.to_owned())
    });
    let parallel = form.get("parallel", found);
    let parallel = parallel.and_then(|node| form::whole(node, "`parallel`", (1, 1_000), found));
    (name, parallel.and_then(|many| many.try_into().ok()))
}

/// A number of attempts, or a map.
fn retry(node: &Node, found: &mut Found) -> Option<Retry> {
    const MOST: (u64, u64) = (1, 100);
    let usual = Retry { attempts: 3, delay: Duration::from_secs(1), factor: 2.0 };
    if matches!(node.kind, Kind::Plain(_, Plain::Number(_))) {
        let attempts = form::whole(node, "`retry`", MOST, found)?;
        return Some(Retry { attempts: attempts.try_into().ok()?, ..usual });
    }
    if node.entries().is_none() {
        let message = format!("`retry` is a number of attempts or a map, but this is {node}");
        found.with_help(
            node.at.clone(),
            message,
            "write `retry: 3` or `retry: {attempts: 3, delay: 10s, factor: 2}`",
        );
        return None;
    }
    let form = Form::read(node, "`retry`", &["attempts", "delay", "factor"], found)?;
    let attempts = form.get("attempts", found);
    let attempts = attempts.map(|node| form::whole(node, "`attempts`", MOST, found));
    let delay = form.get("delay", found);
    let delay = delay.map(|node| form::duration(node, "a delay", Duration::ZERO, DAY, found));
    let factor = form.get("factor", found);
    let factor = factor.map(|node| form::number(node, "`factor`", (1.0, 10.0), found));
    Some(Retry {
        attempts: attempts.map_or(Some(usual.attempts), |given| given?.try_into().ok())?,
        delay: delay.unwrap_or(Some(usual.delay))?,
        factor: factor.unwrap_or(Some(usual.factor))?,
    })
}

/// What happens when it has failed, and where a step that compensates is named.
fn on_error(node: &Node, found: &mut Found) -> Option<(OnError, Range<usize>)> {
    const HELP: &str = "write `fail`, `continue` or `{compensate: step}`";
    match (node.text(), &node.kind) {
        (Some("fail"), _) => Some((OnError::Fail, node.at.clone())),
        (Some("continue"), _) => Some((OnError::Continue, node.at.clone())),
        (_, Kind::Map(_)) => {
            let form = Form::read(node, "`on_error`", &["compensate"], found)?;
            let target = form.need("compensate", "`on_error`", found)?;
            let id = form::text(target, "`compensate`", found)?;
            Some((OnError::Compensate(Name::from(id)), target.at.clone()))
        }
        _ => {
            let known = ["fail", "continue"];
            let help = node.written().and_then(|word| word::instead_of(word, &known, found.is_crowded()));
            let message = format!("`on_error` is `fail`, `continue` or a map, but this is {node}");
            found.with_help(node.at.clone(), message, help.unwrap_or_else(|| HELP.to_owned()));
            None
        }
    }
}
