//! Reads what is known of the application, for the check of it.

use super::registry::Registered;
use super::{Kernel, Processor};
use crate::check::{Check, Facts, Finding, FindingKind, Known, Report, Severity, Wiring};
use crate::{Name, Result};
use futures::FutureExt;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Drivers that every processor has.
const BUILT_IN: &[&str] = if cfg!(feature = "schedule") { &["scheduler"] } else { &[] };

impl Processor {
    /// Checks the whole application as it stands: every driver, instruction, schedule and subscription. See
    /// [`check`](crate::check) for what is found. It changes nothing.
    ///
    /// # Errors
    /// The back end failed.
    pub async fn check(&self) -> Result<Report> {
        self.check_with(Check::new()).await
    }

    /// As [`Processor::check`], with what the application says of itself.
    ///
    /// # Errors
    /// As [`Processor::check`]; `Invalid`: a bad pattern.
    pub async fn check_with(&self, check: Check) -> Result<Report> {
        Ok(Report::of(&self.kernel.facts(check).await?))
    }
}

impl Kernel {
    async fn facts(self: &Arc<Self>, mut asked: Check) -> Result<Facts> {
        asked.take_wrong()?;
        // The table itself is not kept: a driver that comes meanwhile waits for who routes by the old one.
        let (known, drivers) = {
            let routes = self.routes();
            (Known::of(routes.manifests()), routes.drivers().to_vec())
        };
        let (mut wirings, mut told) = (BTreeMap::<Name, Wiring>::new(), Vec::new());
        for driver in &drivers {
            match wiring(driver, &known).await {
                Ok(wiring) => drop(wirings.insert(driver.id.clone(), wiring)),
                Err(why) => told.push(silent(driver, &why)),
            }
        }
        #[cfg(feature = "schedule")]
        let schedules = self.schedules(&mut told).await?;
        #[cfg(not(feature = "schedule"))]
        let schedules = Vec::new();
        let (subscriptions, limits) = (self.observers.patterns(), self.limits.as_deref().cloned());
        Ok(Facts { known, wirings, built_in: BUILT_IN, schedules, subscriptions, asked, limits, told })
    }
}

async fn wiring(driver: &Registered, known: &Known) -> Result<Wiring, String> {
    match AssertUnwindSafe(driver.driver.wiring(known)).catch_unwind().await {
        Ok(wiring) => wiring.map_err(|error| error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    }
}

fn silent(driver: &Registered, why: &str) -> Finding {
    let message = format!("`{}` cannot tell what it is wired to: {why}", driver.id);
    Finding::new(Severity::Warning, FindingKind::Incomplete, driver.id.clone(), message, "")
}

#[cfg(feature = "schedule")]
mod armed {
    use super::{Finding, FindingKind, Severity};
    use crate::bus::Hold;
    use crate::check::Scheduled;
    use crate::processor::{Kernel, Tenant};
    use crate::schedule::ScheduleState;
    use crate::{Event, Name, Result};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    /// How many delayed events are looked at: the timers of schedules are among them.
    const DELAYED: usize = 20_000;

    impl Kernel {
        /// The schedules that are armed: those with a timer, which are not paused.
        pub(super) async fn schedules(self: &Arc<Self>, told: &mut Vec<Finding>) -> Result<Vec<Scheduled>> {
            let delayed = self.bus.parked(Hold::Delayed, DELAYED + 1).await?;
            if delayed.len() > DELAYED {
                let message =
                    format!("more than {DELAYED} events are delayed: not every schedule was looked at");
                let kind = FindingKind::Incomplete;
                told.push(Finding::new(Severity::Note, kind, "scheduler", message, ""));
            }
            let timers = delayed.iter().take(DELAYED).map(|parked| &parked.event);
            let timers = timers.filter(|event| event.event_type == "schedule.due");
            let ids: BTreeSet<(Name, String)> = timers.filter_map(id).collect();
            let mut schedules = Vec::with_capacity(ids.len());
            for (user, id) in ids {
                match Tenant::new(self.clone(), user.clone()).schedule(&id).await {
                    Ok(Some(state)) if state.paused.is_none() => {
                        told.extend(self.misfit(&user, &state));
                        let event_type = state.schedule.event.event_type.clone();
                        schedules.push(Scheduled { user, id: id.into(), event_type });
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let (message, remedy) = (error.to_string(), "set the schedule anew, or remove it");
                        let (severity, kind) = (Severity::Warning, FindingKind::Incomplete);
                        told.push(Finding::new(severity, kind, id.as_str(), message, remedy));
                    }
                }
            }
            Ok(schedules)
        }

        /// Whether what a schedule emits is what its handlers take.
        fn misfit(&self, user: &Name, state: &ScheduleState) -> Option<Finding> {
            let event = &state.schedule.event;
            let targets = self.targets(&event.event_type);
            let (driver, error) = targets.iter().find_map(|target| {
                let error = target.driver.check(event).err()?;
                Some((&target.driver.id, error))
            })?;
            let says = format!("schedule `{}` of user `{user}`", state.id);
            let message =
                format!("{says} emits `{}`, which `{driver}` cannot take: {error}", event.event_type);
            let (severity, kind) = (Severity::Error, FindingKind::Mismatch);
            Some(Finding::new(severity, kind, state.id.clone(), message, "set the schedule with other data"))
        }
    }

    fn id(timer: &Event) -> Option<(Name, String)> {
        let id = timer.data.value()["id"].as_str()?.to_owned();
        Some((timer.user_id.clone(), id))
    }
}
