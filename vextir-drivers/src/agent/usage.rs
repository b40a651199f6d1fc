//! What models were used for, by whom and at what cost: read from the log.

use super::models::DRIVER;
use super::{ModelCompleted, ModelFailed, TokenUsage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vextir::{Event, EventBus, EventFilter, EventId, Name, Payload, Result, Timestamp};

/// How many events are read at a time.
const PAGE: usize = 500;
/// How many causal trees a report names: the dearest.
const TREES: usize = 1_000;

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Questions that were answered, or failed for good.
    pub calls: u64,
    /// Tokens of requests.
    pub input: u64,
    /// Tokens of answers.
    pub output: u64,
    /// Micro-dollars.
    pub micro_usd: u64,
}

impl Usage {
    /// All tokens.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.micro_usd = self.micro_usd.saturating_add(other.micro_usd);
    }
}

/// What models were used for since some time, as far as it was asked by event (`model.complete`) and stands in the log. What
/// handlers asked on their own ([`ModelHandle`](super::ModelHandle)), and tries that were repeated, stand in the ledgers of their
/// causal trees alone.
///
/// ```
/// # extern crate vextir_core as vextir;
/// use vextir_drivers::agent::UsageReport;
///
/// # async fn run(app: vextir::Processor, monday: vextir::Timestamp) -> vextir::Result<()> {
/// let report = UsageReport::read(&*app.bus(), Some("ann"), monday).await?;
/// for (model, usage) in &report.by_model {
///     println!("{model}: {} tokens, {} micro-dollars", usage.tokens(), usage.micro_usd);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageReport {
    /// All together.
    pub total: Usage,
    /// By user.
    pub by_user: BTreeMap<Name, Usage>,
    /// By the agent that asked; what nobody asked as an agent is not among them.
    pub by_agent: BTreeMap<Name, Usage>,
    /// By the model that answered.
    pub by_model: BTreeMap<Name, Usage>,
    /// By the root of the causal tree: the 1,000 dearest.
    pub by_tree: BTreeMap<EventId, Usage>,
}

impl UsageReport {
    /// Reads the log, all users' or one's. Whoever calls this sees what it tells: the bus knows no rights.
    ///
    /// # Errors
    /// The back end failed. What retention has removed is not counted.
    pub async fn read(bus: &dyn EventBus, user: Option<&str>, since: Timestamp) -> Result<Self> {
        // Others can emit such events, too; those count nothing.
        let mut filter = EventFilter::try_from([ModelCompleted::TYPE, ModelFailed::TYPE])?.source(DRIVER);
        if let Some(user) = user {
            filter = filter.user(user);
        }
        let (mut report, mut next) = (Self::default(), 0);
        loop {
            let page = bus.read(next, &filter, PAGE).await?;
            page.events.iter().filter(|one| one.logged_at >= since).for_each(|one| report.count(&one.event));
            if page.at_head {
                report.keep_dearest(TREES);
                return Ok(report);
            }
            next = page.next;
        }
    }

    /// Counts one event, if it tells of usage.
    fn count(&mut self, event: &Event) {
        let (model, agent, usage, micro_usd) = if event.event_type == ModelCompleted::TYPE {
            let Ok(told) = event.decode::<ModelCompleted>() else { return };
            (Some(told.model), told.agent, told.reply.usage, told.cost)
        } else {
            let Ok(told) = event.decode::<ModelFailed>() else { return };
            (told.model, told.agent, told.usage, told.cost)
        };
        let TokenUsage { input, output, .. } = usage;
        let used = Usage { calls: 1, input, output, micro_usd };
        self.total.add(&used);
        self.by_user.entry(event.user_id.clone()).or_default().add(&used);
        self.by_tree.entry(event.root().clone()).or_default().add(&used);
        if let Some(agent) = agent {
            self.by_agent.entry(agent).or_default().add(&used);
        }
        if let Some(model) = model {
            self.by_model.entry(model).or_default().add(&used);
        }
        // A tree that goes here had a small part of what came so far.
        if self.by_tree.len() >= TREES * 8 {
            self.keep_dearest(TREES * 4);
        }
    }

    fn keep_dearest(&mut self, most: usize) {
        if self.by_tree.len() > most {
            let mut all: Vec<_> = std::mem::take(&mut self.by_tree).into_iter().collect();
            all.sort_by_key(|(_, usage)| std::cmp::Reverse((usage.micro_usd, usage.tokens())));
            all.truncate(most);
            self.by_tree = all.into_iter().collect();
        }
    }
}
