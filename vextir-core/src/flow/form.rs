//! How a rule is written: a map in which one field names it.

use super::{EventPath, Flow, FlowRule, Twin};
use crate::time::span;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    throttle: Option<u32>,
    #[serde(with = "span", skip_serializing_if = "Option::is_none")]
    per: Option<Duration>,
    #[serde(with = "span", skip_serializing_if = "Option::is_none")]
    debounce: Option<Duration>,
    #[serde(with = "span", skip_serializing_if = "Option::is_none")]
    at_most: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<u32>,
    #[serde(with = "span", skip_serializing_if = "Option::is_none")]
    within: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    singleton: Option<Twin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<EventPath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<EventPath>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    across_users: bool,
}

impl From<Flow> for Form {
    fn from(flow: Flow) -> Self {
        let Flow { rule, key, across_users } = flow;
        let form = Self { key, across_users, ..Self::default() };
        match rule {
            FlowRule::Concurrency(most) => Self { concurrency: Some(most), ..form },
            FlowRule::RateLimit(most, per) => Self { rate_limit: Some(most), per: Some(per), ..form },
            FlowRule::Throttle(most, per) => Self { throttle: Some(most), per: Some(per), ..form },
            FlowRule::Debounce { quiet, at_most } => Self { debounce: Some(quiet), at_most, ..form },
            FlowRule::Batch(most, within) => Self { batch: Some(most), within: Some(within), ..form },
            FlowRule::Singleton(twin) => Self { singleton: Some(twin), ..form },
            FlowRule::Priority(path) => Self { priority: Some(path), ..form },
        }
    }
}

impl TryFrom<Form> for Flow {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let Form { per, at_most, within, key, across_users, .. } = form;
        let spans = (per.is_some(), at_most.is_some(), within.is_some());
        let needs = |rule: &str, field: &str| format!("`{rule}` needs `{field}`, such as `{field}: 1m`");
        let mut rules = Vec::new();
        if let Some(most) = form.concurrency {
            rules.push((FlowRule::Concurrency(most), (false, false, false)));
        }
        if let Some(most) = form.rate_limit {
            let per = per.ok_or_else(|| needs("rate_limit", "per"))?;
            rules.push((FlowRule::RateLimit(most, per), (true, false, false)));
        }
        if let Some(most) = form.throttle {
            let per = per.ok_or_else(|| needs("throttle", "per"))?;
            rules.push((FlowRule::Throttle(most, per), (true, false, false)));
        }
        if let Some(quiet) = form.debounce {
            rules.push((FlowRule::Debounce { quiet, at_most }, (false, at_most.is_some(), false)));
        }
        if let Some(most) = form.batch {
            let within = within.ok_or_else(|| needs("batch", "within"))?;
            rules.push((FlowRule::Batch(most, within), (false, false, true)));
        }
        if let Some(twin) = form.singleton {
            rules.push((FlowRule::Singleton(twin), (false, false, false)));
        }
        if let Some(path) = form.priority {
            rules.push((FlowRule::Priority(path), (false, false, false)));
        }
        let all = "`concurrency`, `rate_limit`, `throttle`, `debounce`, `batch`, `singleton` or `priority`";
        let (rule, takes) = match rules.len() {
            1 => rules.remove(0),
            0 => return Err(format!("a rule says one of {all}")),
            _ => return Err(format!("a rule says only one of {all}: make several rules of it")),
        };
        if takes != spans {
            return Err(
                "`per` belongs to `rate_limit` and `throttle`, `at_most` to `debounce`, `within` to `batch`"
                    .to_owned(),
            );
        }
        let flow = Self { rule, key, across_users };
        flow.check().map_err(|error| error.message().to_owned())?;
        Ok(flow)
    }
}
