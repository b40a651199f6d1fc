//! Rules of flow control: `flow(throttle = 10, per = "1m", key = "data.host")`, as often as there are rules.

use super::options::{Known, Options};
use crate::attr::{Args, Opt, Value};
use crate::mistakes::Mistakes;
use crate::model::{Demand, Rule};
use proc_macro2::Span;
use syn::parse::Parser;
use syn::spanned::Spanned;

const FORM: &str = "flow(throttle = 10, per = \"1m\", key = \"data.host\")";

const OPTIONS: &[Known] = &[
    Known { name: "concurrency", form: "concurrency = 5" },
    Known { name: "rate_limit", form: "rate_limit = 10, per = \"1m\"" },
    Known { name: "throttle", form: "throttle = 10, per = \"1m\"" },
    Known { name: "per", form: "per = \"1m\"" },
    Known { name: "debounce", form: "debounce = \"30s\"" },
    Known { name: "at_most", form: "at_most = \"5m\"" },
    Known { name: "batch", form: "batch = 100, within = \"5s\"" },
    Known { name: "within", form: "within = \"5s\"" },
    Known { name: "singleton", form: "singleton = \"skip\"" },
    Known { name: "priority", form: "priority = \"data.urgency\"" },
    Known { name: "key", form: "key = \"data.host\"" },
    Known { name: "across_users", form: "across_users" },
];

const TWINS: [(&str, &str); 2] = [("skip", "Skip"), ("replace", "Replace")];

/// All rules among the options of an attribute.
pub(super) fn rules(options: &[Opt], mistakes: &mut Mistakes) -> Vec<Rule> {
    let flows = options.iter().filter(|option| option.name == "flow");
    flows.filter_map(|option| rule(option, mistakes)).collect()
}

fn rule(option: &Opt, mistakes: &mut Mistakes) -> Option<Rule> {
    let Value::Call(tokens) = &option.value else {
        mistakes.at(&option.name, format!("`flow` takes a rule in parentheses: write `{FORM}`"));
        return None;
    };
    let parse = |input: syn::parse::ParseStream<'_>| input.parse::<Args>();
    let args = match parse.parse2(tokens.clone()) {
        Ok(args) => args,
        Err(error) => {
            mistakes.note(error);
            return None;
        }
    };
    for value in &args.values {
        mistakes.at(value, format!("a rule is said by name: write `{FORM}`"));
    }
    let place = if tokens.is_empty() { option.name.span() } else { tokens.span() };
    let mut options = Options::new("flow", OPTIONS, &args.options, mistakes);
    let (per, at_most, within) =
        (options.duration("per"), options.duration("at_most"), options.duration("within"));
    let mut demands = Vec::new();
    demands.extend(options.number("concurrency", 1).map(Demand::Concurrency));
    demands
        .extend(options.number("rate_limit", 1).map(|most| Demand::RateLimit(most, per.unwrap_or_default())));
    demands.extend(options.number("throttle", 1).map(|most| Demand::Throttle(most, per.unwrap_or_default())));
    demands.extend(options.duration("debounce").map(|quiet| Demand::Debounce(quiet, at_most)));
    demands.extend(options.number("batch", 1).map(|most| Demand::Batch(most, within.unwrap_or_default())));
    demands.extend(options.choice("singleton", &TWINS).map(Demand::Singleton));
    demands.extend(options.text("priority").map(Demand::Priority));
    let (key, across_users) = (options.text("key"), options.flag("across_users"));
    if demands.len() != 1 {
        let sentence = "a rule says one of `concurrency`, `rate_limit`, `throttle`, `debounce`, `batch`, `singleton`, `priority`";
        mistakes.at_span(place, sentence);
        return None;
    }
    let demand = demands.remove(0);
    check_spans(&demand, [per.is_some(), at_most.is_some(), within.is_some()], place, mistakes);
    Some(Rule { demand, key, across_users, place })
}

fn check_spans(demand: &Demand, given: [bool; 3], place: Span, mistakes: &mut Mistakes) {
    let [per, at_most, within] = given;
    let (takes_per, takes_at_most, takes_within) = match demand {
        Demand::RateLimit(..) | Demand::Throttle(..) => (true, false, false),
        Demand::Debounce(..) => (false, at_most, false),
        Demand::Batch(..) => (false, false, true),
        _ => (false, false, false),
    };
    if (per, at_most, within) != (takes_per, takes_at_most, takes_within) {
        let sentence = "`rate_limit` and `throttle` need `per`, `batch` needs `within`, and `at_most` belongs to `debounce`";
        mistakes.at_span(place, sentence);
    }
}
