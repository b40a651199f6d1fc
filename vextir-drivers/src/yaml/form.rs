//! Reads maps whose keys are known, and the values that stand in them. What does not fit is found, never dropped.

use super::Found;
use super::node::{Entry, Kind, Node, Plain, Shown};
use super::word;
use std::ops::Range;
use std::time::Duration;

/// A map whose keys are known.
#[derive(Debug)]
pub(crate) struct Form<'n> {
    pub(crate) at: &'n Range<usize>,
    entries: &'n [Entry],
    /// The keys that unknown ones were probably meant to be.
    meant: Vec<&'static str>,
}

/// Where keys belong that stand at a wrong place: in what, which, and what to write.
const ELSEWHERE: [(&str, &str, &str); 12] = [
    ("a step", "data", "put it into the event: `emit: {type: .., data: {..}}`"),
    ("a step", "type", "put it into the event: `emit: {type: ..}`"),
    ("a step", "inputs", "put them into what is run: `run: {instruction: .., inputs: {..}}`"),
    ("an instruction", "schedule", "put it into the trigger: `trigger: {schedule: ..}`"),
    ("an instruction", "timezone", "put it into the trigger: `trigger: {schedule: .., timezone: ..}`"),
    ("an instruction", "event", "put it into the trigger: `trigger: {event: ..}`"),
    ("an instruction", "concurrency", "put it into the flow: `flow: {concurrency: ..}`"),
    ("an instruction", "rate_limit", "put it into the flow: `flow: {rate_limit: .., per: ..}`"),
    ("an instruction", "throttle", "put it into the flow: `flow: {throttle: .., per: ..}`"),
    ("an instruction", "debounce", "put it into the flow: `flow: {debounce: ..}`"),
    ("an instruction", "singleton", "put it into the flow: `flow: {singleton: ..}`"),
    ("an instruction", "priority", "put it into the flow: `flow: {priority: ..}`"),
];

impl<'n> Form<'n> {
    /// A map with these keys; `what` is what it is, as in "a step". Unknown keys are found.
    pub(crate) fn read(node: &'n Node, what: &str, keys: &[&'static str], found: &mut Found) -> Option<Self> {
        let Some(entries) = node.entries() else {
            let message = format!("{what} is a map, but this is {node}");
            found.with_help(node.at.clone(), message, format!("its keys are {}", word::list(keys)));
            return None;
        };
        let mut meant = Vec::new();
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let message = format!("{what} has no key {}", Shown(&entry.key));
            let elsewhere = ELSEWHERE.iter().find(|(place, key, _)| *place == what && *key == entry.key);
            let key = word::meant(&entry.key, keys, found.is_crowded());
            meant.extend(key.and_then(|key| keys.iter().find(|known| **known == key)));
            let help = elsewhere.map(|(_, _, help)| (*help).to_owned());
            let help = help.or_else(|| key.map(|key| format!("did you mean `{key}`?")));
            let help = help.unwrap_or_else(|| format!("its keys are {}", word::list(keys)));
            found.with_help(entry.at.clone(), message, help);
        }
        Some(Self { at: &node.at, entries, meant })
    }

    /// A map whose keys are anybody's.
    pub(crate) fn of(node: &'n Node, entries: &'n [Entry]) -> Self {
        Self { at: &node.at, entries, meant: Vec::new() }
    }

    /// The entry of a key.
    pub(crate) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Whether the key is not there, and no other one was probably meant to be it.
    pub(crate) fn lacks(&self, key: &str) -> bool {
        self.entry(key).is_none() && !self.meant.contains(&key)
    }

    /// The value of a key. A key without a value is found.
    pub(crate) fn get(&self, key: &str, found: &mut Found) -> Option<&'n Node> {
        let entry = self.entry(key)?;
        if entry.value.is_nothing() {
            found.with_help(
                entry.at.clone(),
                format!("`{key}` has no value"),
                "write one, or leave the key out",
            );
            return None;
        }
        Some(&entry.value)
    }

    /// The value of a key that has to be there.
    pub(crate) fn need(&self, key: &str, what: &str, found: &mut Found) -> Option<&'n Node> {
        if self.lacks(key) {
            found.add(self.at.clone(), format!("{what} needs `{key}`"));
        }
        self.get(key, found)
    }

    /// Text, if the key is there: what was written, numbers included.
    pub(crate) fn text(&self, key: &str, found: &mut Found) -> Option<&'n str> {
        let node = self.get(key, found)?;
        text(node, &format!("`{key}`"), found)
    }

    /// Text of one line for people.
    pub(crate) fn title(&self, key: &str, found: &mut Found) -> Option<String> {
        const LONGEST: usize = 200;
        let written = self.text(key, found)?;
        let at = || self.entry(key).map_or_else(|| self.at.clone(), |entry| entry.value.at.clone());
        if written.chars().any(char::is_control) {
            found.add(at(), format!("`{key}` is one line, without control characters"));
        } else if written.len() > LONGEST {
            found.add(at(), format!("`{key}` has {} bytes; at most {LONGEST}", written.len()));
        }
        Some(written.to_owned())
    }
}

/// Something else stands where something was wanted. The help is for text.
fn wrong(node: &Node, what: &str, wanted: &str, help: &str, found: &mut Found) {
    let help = node.text().map(|_| help.to_owned());
    found.note(node.at.clone(), format!("{what} is {wanted}, but this is {node}"), help);
}

/// Text, or a number or truth value as it was written.
pub(crate) fn text<'n>(node: &'n Node, what: &str, found: &mut Found) -> Option<&'n str> {
    if node.written().is_none() {
        wrong(node, what, "text", "", found);
    }
    node.written()
}

/// Whether it is text that is one template alone, which stands for what it reads, of any type.
pub(crate) fn is_one_template(node: &Node) -> bool {
    let text = node.text().map(str::trim).unwrap_or_default();
    text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1
}

/// `true` or `false`.
pub(crate) fn truth(node: &Node, what: &str, found: &mut Found) -> Option<bool> {
    if let Kind::Plain(_, Plain::Bool(truth)) = node.kind {
        return Some(truth);
    }
    wrong(node, what, "true or false", "write `true` or `false`, without quotes", found);
    None
}

/// A whole number in a range.
pub(crate) fn whole(node: &Node, what: &str, range: (u64, u64), found: &mut Found) -> Option<u64> {
    let (least, most) = range;
    let number = match &node.kind {
        Kind::Plain(_, Plain::Number(number)) => number.as_u64(),
        _ => None,
    };
    let fits = number.filter(|number| (least..=most).contains(number));
    if fits.is_none() {
        let most = if most >= u64::from(u32::MAX) { "or more".to_owned() } else { format!("to {most}") };
        wrong(
            node,
            what,
            &format!("a whole number, {least} {most}"),
            "write the number without quotes",
            found,
        );
    }
    fits
}

/// A number in a range.
pub(crate) fn number(node: &Node, what: &str, range: (f64, f64), found: &mut Found) -> Option<f64> {
    let number = match &node.kind {
        Kind::Plain(_, Plain::Number(number)) => number.as_f64(),
        _ => None,
    };
    let fits = number.filter(|number| (range.0..=range.1).contains(number));
    if fits.is_none() {
        let wanted = format!("a number, {} to {}", range.0, range.1);
        wrong(node, what, &wanted, "write the number without quotes", found);
    }
    fits
}

/// A span of time, `longest` at most.
pub(crate) fn duration(
    node: &Node,
    what: &str,
    least: Duration,
    longest: Duration,
    found: &mut Found,
) -> Option<Duration> {
    const HELP: &str = "write `500ms`, `30s`, `5m` or `1h 30m`";
    let Some(written) = node.text() else {
        let message = format!("{what} is a span of time with its unit, but this is {node}");
        found.with_help(node.at.clone(), message, HELP);
        return None;
    };
    match humantime::parse_duration(written) {
        Ok(span) if span < least => {
            let message = format!("{what} is at least {}", humantime::format_duration(least));
            found.with_help(node.at.clone(), message, HELP);
        }
        Ok(span) if span > longest => {
            let message = format!("{what} is at most {}", humantime::format_duration(longest));
            found.add(node.at.clone(), message);
        }
        Ok(span) => return Some(span),
        Err(error) => found.with_help(node.at.clone(), format!("{what}, {}: {error}", Shown(written)), HELP),
    }
    None
}
