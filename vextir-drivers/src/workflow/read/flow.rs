//! Rules of flow control: how many runs there are at a time, and how often one begins.

use super::template::Text;
use crate::yaml::Found;
use crate::yaml::form::{self, Form};
use crate::yaml::word;
use crate::yaml::{Entry, Kind, Node, Shown};
use std::mem::discriminant;
use std::time::Duration;
use vextir::{EventPath, Flow, FlowRule, Twin};

const KEYS: [&str; 12] = [
    "concurrency",
    "rate_limit",
    "throttle",
    "debounce",
    "batch",
    "singleton",
    "priority",
    "per",
    "at_most",
    "within",
    "key",
    "across_users",
];
/// Those of them of which a rule has one.
const RULES: [&str; 7] =
    ["concurrency", "rate_limit", "throttle", "debounce", "batch", "singleton", "priority"];
/// Which rules the others go with.
const GOES_WITH: [(&str, &[&str]); 5] = [
    ("per", &["rate_limit", "throttle"]),
    ("at_most", &["debounce"]),
    ("within", &["batch"]),
    ("key", &["concurrency", "rate_limit", "throttle", "debounce", "singleton"]),
    ("across_users", &["rate_limit", "throttle"]),
];
/// What is known of the trigger.
const OF_TRIGGER: [&str; 5] = ["id", "type", "time", "user_id", "data"];
/// Where a user's runs are counted by themselves.
const USER: &str = "trigger.user_id";

const MOST: u64 = 1_000_000;
const MOST_RULES: usize = 16;
const DEEPEST: usize = 32;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// One rule, or a list of them.
pub(super) fn read(node: &Node, inputs: &[String], text: Text<'_>, found: &mut Found) -> Vec<Flow> {
    let one = std::slice::from_ref(node);
    let nodes = match &node.kind {
        Kind::List(nodes) => nodes.as_slice(),
        _ => one,
    };
    if nodes.is_empty() {
        found.with_help(node.at.clone(), "`flow` has no rules", "write one, or leave the key out");
    }
    if let Some(node) = nodes.get(MOST_RULES) {
        found.add(node.at.clone(), format!("more than {MOST_RULES} rules"));
    }
    let mut rules: Vec<Flow> = Vec::new();
    for node in nodes.iter().take(MOST_RULES) {
        let Some(form) = Form::read(node, "a rule of flow control", &KEYS, found) else { continue };
        let Some(rule) = Reader { form: &form, inputs, text }.rule(found) else { continue };
        if rules.iter().any(|other| is_same(other, &rule)) {
            let help = "leave one of them out";
            found.with_help(node.at.clone(), "there is another rule above that says how this goes", help);
        }
        rules.push(rule);
    }
    rules
}

/// Whether there may be only one of the two. Ten in a minute and a hundred in an hour go together.
fn is_same(one: &Flow, other: &Flow) -> bool {
    let may_be_two = match one.rule() {
        FlowRule::Concurrency(_) => one.path() != other.path(),
        FlowRule::RateLimit(..) | FlowRule::Throttle(..) => true,
        _ => false,
    };
    discriminant(one.rule()) == discriminant(other.rule()) && !may_be_two
}

struct Reader<'r> {
    form: &'r Form<'r>,
    /// The names of the instruction's inputs.
    inputs: &'r [String],
    text: Text<'r>,
}

impl Reader<'_> {
    fn rule(&self, found: &mut Found) -> Option<Flow> {
        let form = self.form;
        let given: Vec<&Entry> = RULES.iter().filter_map(|key| form.entry(key)).collect();
        let kind = match given.as_slice() {
            [one] => one.key.as_str(),
            [] if RULES.iter().any(|key| !form.lacks(key)) => return None,
            [] => {
                let help = "write one of `concurrency: 3`, `rate_limit: 10` or `throttle: 10` with `per: 1h`, \
                            `debounce: 30s`, `singleton: skip` and `priority: trigger.data.urgency`";
                found.with_help(form.at.clone(), "this rule says nothing", help);
                return None;
            }
            [_, second, ..] => {
                let keys: Vec<&str> = given.iter().map(|entry| entry.key.as_str()).collect();
                let message = format!("a rule says one thing, and here are {}", word::list(&keys));
                found.with_help(second.at.clone(), message, "make a list of rules: `flow: [{..}, {..}]`");
                return None;
            }
        };
        self.strays(kind, found);
        let demand = self.demand(kind, found);
        let key = form.get("key", found).map(|node| self.place(node, "`key`", found));
        let across = form.get("across_users", found);
        let across = across.and_then(|node| form::truth(node, "`across_users`", found)).unwrap_or(false);
        let rule = match key {
            Some(key) => demand?.key(key?),
            // What the processor counts without a key, it counts for all users together.
            None => match demand? {
                rule if across || !is_kernels(&rule) => rule,
                rule => rule.key(USER),
            },
        };
        Some(if across { rule.across_users() } else { rule })
    }

    /// What goes with other rules.
    fn strays(&self, kind: &str, found: &mut Found) {
        for (key, kinds) in GOES_WITH {
            let Some(entry) = self.form.entry(key).filter(|_| !kinds.contains(&kind)) else { continue };
            let message = format!("`{key}` does not go with `{kind}`");
            let help = match key {
                "across_users" => {
                    "it goes with `rate_limit` and `throttle`; the others are for each user".to_owned()
                }
                _ => format!("it goes with {}", word::list(kinds)),
            };
            found.with_help(entry.at.clone(), message, help);
        }
    }

    fn demand(&self, kind: &str, found: &mut Found) -> Option<Flow> {
        match kind {
            "concurrency" => self.many(kind, found).map(Flow::concurrency),
            "rate_limit" | "throttle" => {
                let many = self.many(kind, found);
                let per = self.form.need("per", &format!("`{kind}`"), found);
                let per = per.and_then(|node| span(node, "`per`", found));
                let rule = if kind == "throttle" { Flow::throttle } else { Flow::rate_limit };
                Some(rule(many?, per?))
            }
            "debounce" => self.debounce(found),
            "singleton" => self.form.get(kind, found).and_then(|node| twin(node, found)),
            "priority" => {
                let place = self.place(self.form.get(kind, found)?, "`priority`", found);
                place.map(Flow::priority)
            }
            _ => {
                let at = self.form.entry(kind).map_or_else(|| self.form.at.clone(), |entry| entry.at.clone());
                let help = "let a driver take its events in batches, or debounce the instruction";
                found.with_help(at, "an instruction has no batches: a run has one trigger", help);
                None
            }
        }
    }

    fn many(&self, kind: &str, found: &mut Found) -> Option<u32> {
        let node = self.form.get(kind, found)?;
        form::whole(node, &format!("`{kind}`"), (1, MOST), found)?.try_into().ok()
    }

    fn debounce(&self, found: &mut Found) -> Option<Flow> {
        let quiet = self.form.get("debounce", found).and_then(|node| span(node, "`debounce`", found));
        let Some(node) = self.form.get("at_most", found) else { return quiet.map(Flow::debounce) };
        let (quiet, most) = (quiet, span(node, "`at_most`", found));
        let (quiet, most) = (quiet?, most?);
        if most < quiet {
            let message = "`at_most` is shorter than the quiet time that `debounce` waits for";
            found.with_help(node.at.clone(), message, "write a longer one, or leave it out");
        }
        Some(Flow::debounce(quiet).at_most(most))
    }

    /// A place in what a run begins with: `inputs.account`, `trigger.data.id`.
    fn place(&self, node: &Node, what: &str, found: &mut Found) -> Option<EventPath> {
        let written = form::text(node, what, found)?;
        let Err((at, message, help)) = self.check_place(written, what, found.is_crowded()) else {
            return Some(written.into());
        };
        let at = if found.is_crowded() { node.at.clone() } else { node.part(self.text.0, &at) };
        found.note(at, message, help);
        None
    }

    /// The part that is wrong, why, and what to write instead.
    fn check_place(&self, written: &str, what: &str, is_crowded: bool) -> Result<(), Wrong> {
        let all = 0..written.len();
        if written.contains("{{") {
            let bare = written.replace(['{', '}'], "");
            let help = format!("write `{}`, without braces", bare.trim());
            return Err((all, format!("{what} is a place, not a template"), Some(help)));
        }
        let parts: Vec<&str> = written.split('.').collect();
        if parts.len() > DEEPEST || parts.iter().any(|part| part.is_empty()) {
            let help = "write `inputs.account` or `trigger.data.id`".to_owned();
            return Err((all, format!("{} is no place", Shown(written)), Some(help)));
        }
        let (first, second) = (parts.first().copied().unwrap_or_default(), parts.get(1).copied());
        let part = |index: usize| {
            let start: usize = parts.iter().take(index).map(|part| part.len() + 1).sum();
            start..start + parts.get(index).map_or(0, |part| part.len())
        };
        match (first, second) {
            ("inputs", Some(name)) if self.inputs.iter().any(|input| input == name) => Ok(()),
            ("inputs", Some(name)) => {
                let help = word::instead_of(name, self.inputs, is_crowded);
                let help = help.unwrap_or_else(|| match self.inputs {
                    [] => format!("write `inputs:` and below it `- name: {}`", Shown(name)),
                    inputs => format!("the inputs are {}", word::list(inputs)),
                });
                Err((part(1), format!("there is no input {}", Shown(name)), Some(help)))
            }
            ("trigger", Some("data")) => Ok(()),
            ("trigger", Some(of)) if OF_TRIGGER.contains(&of) && parts.len() == 2 => Ok(()),
            ("trigger", Some(of)) if OF_TRIGGER.contains(&of) => {
                Err((part(2), format!("`trigger.{of}` has no parts"), Some(format!("write `trigger.{of}`"))))
            }
            ("trigger", Some(of)) => {
                let help = word::instead_of(of, &OF_TRIGGER, is_crowded);
                let help = help.unwrap_or_else(|| format!("it has {}", word::list(&OF_TRIGGER)));
                Err((part(1), format!("a trigger has no {}", Shown(of)), Some(help)))
            }
            ("inputs" | "trigger", None) => {
                let example = if first == "inputs" { "inputs.account" } else { "trigger.data.id" };
                let help = Some(format!("write `{example}`"));
                Err((all, format!("{what} is one place, and `{first}` has many"), help))
            }
            _ => Err((part(0), format!("there is no {} here", Shown(first)), self.instead(written, first))),
        }
    }

    /// What was meant by a place that begins with something else.
    fn instead(&self, written: &str, first: &str) -> Option<String> {
        let help = match first {
            "event" => written.replacen("event", "write `trigger", 1) + "`",
            first if OF_TRIGGER.contains(&first) => format!("write `trigger.{written}`"),
            first if self.inputs.iter().any(|input| input == first) => format!("write `inputs.{written}`"),
            first => match word::meant(first, &["inputs", "trigger"], false) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "a place begins with `inputs` or `trigger`".to_owned(),
            },
        };
        Some(help)
    }
}

type Wrong = (std::ops::Range<usize>, String, Option<String>);

/// Whether the processor counts by it, when the run is to begin. The others last until the run is over.
fn is_kernels(rule: &Flow) -> bool {
    matches!(rule.rule(), FlowRule::RateLimit(..) | FlowRule::Throttle(..) | FlowRule::Debounce { .. })
}

fn span(node: &Node, what: &str, found: &mut Found) -> Option<Duration> {
    form::duration(node, what, SHORTEST, LONGEST, found)
}

fn twin(node: &Node, found: &mut Found) -> Option<Flow> {
    let written = form::text(node, "`singleton`", found)?;
    match written {
        "skip" => Some(Flow::singleton(Twin::Skip)),
        "replace" => Some(Flow::singleton(Twin::Replace)),
        _ => {
            let help = word::instead_of(written, &["skip", "replace"], found.is_crowded());
            let help =
                help.unwrap_or_else(|| "a second run is left out, or replaces the first one".to_owned());
            let message = format!("`singleton` is `skip` or `replace`, but this is {node}");
            found.with_help(node.at.clone(), message, help);
            None
        }
    }
}
