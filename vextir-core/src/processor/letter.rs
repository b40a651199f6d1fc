//! The end of a delivery that failed for good: its letter, and who is told.

use super::Kernel;
use super::authorize::without_doubtful;
use crate::bus::{Delivery, Entry, NewDelivery, Outcome, Place, Settlement};
use crate::notice::{KERNEL, is_kernels_own};
use crate::{DeliveryFailed, Event, EventId, HandlerFailed, Name, Payload, Result, Verdict};

impl Kernel {
    /// The settlement that makes a delivery a dead letter, with the event that says so.
    pub(super) fn letter(&self, delivery: &Delivery, reason: String) -> Settlement {
        let news = |delivery: &Delivery| {
            self.error_event(delivery, &reason).into_iter().chain(self.failure_notice(delivery, &reason))
        };
        let outputs = delivery.all().flat_map(news).collect();
        Settlement::of(delivery, Outcome::Dead { reason, outputs })
    }

    /// The `error` event of a dead delivery; the kernel's own events cause none.
    pub(super) fn error_event(&self, delivery: &Delivery, reason: &str) -> Option<Entry> {
        let handled = &delivery.event;
        if is_kernels_own(handled) {
            return None;
        }
        let failed = HandlerFailed::new(delivery.driver.clone(), reason, handled.id.clone());
        let event = self.about_failure(delivery, Event::of(&failed), u32::MAX)?;
        let targets = without_doubtful(self.targets(&event.event_type));
        let place = self.route(&event, &Verdict::Allow, &targets);
        Some(Entry { exempt: true, minted: true, ..Entry::new(event, place) })
    }

    /// What the driver itself is told of its dead delivery, if it wants to know. Of a failure in that nobody is told.
    fn failure_notice(&self, delivery: &Delivery, reason: &str) -> Option<Entry> {
        let handled = &delivery.event;
        if handled.event_type == DeliveryFailed::TYPE || !self.listeners().contains(&delivery.driver) {
            return None;
        }
        let failed = DeliveryFailed::new(reason, handled.id.clone());
        let mut event = self.about_failure(delivery, Event::of(&failed), u32::MAX - 1)?;
        event.edit().ordering_key.clone_from(&handled.ordering_key);
        let place = Place::Routed(vec![NewDelivery::to(delivery.driver.clone())]);
        Some(Entry { exempt: true, minted: true, ..Entry::new(event, place) })
    }

    /// The drivers that want to know what became of their deliveries.
    pub(super) fn listeners(&self) -> Vec<Name> {
        let targets = self.targets(&Name::literal(DeliveryFailed::TYPE));
        targets.iter().map(|target| target.driver.id.clone()).collect()
    }

    fn about_failure(&self, delivery: &Delivery, made: Result<Event>, index: u32) -> Option<Event> {
        let handled = &delivery.event;
        let mut event = made
            .inspect_err(|error| tracing::error!(%error, "a failure is not told"))
            .ok()?
            .with_user(handled.user_id.clone())
            .with_source(Name::literal(KERNEL))
            .with_timestamp(self.clock.now())
            .with_cause(handled.id.clone());
        let envelope = event.edit();
        // A redriven delivery can die again: its position tells the two apart.
        let maker = format!("{}#{}", delivery.driver, delivery.position);
        envelope.id = EventId::derived(delivery.logged_at, &handled.user_id, &handled.id, &maker, index);
        envelope.root_id = Some(handled.root().clone());
        envelope.branch_id.clone_from(&handled.branch_id);
        envelope.depth = handled.depth + 1;
        envelope.labels.clone_from(&handled.labels);
        Some(event)
    }
}
