//! Waits for the time of a schedule on a clock that is moved by hand.

use std::time::Duration;
use vextir::prelude::*;
use vextir::schedule::ScheduleState;
use vextir::{Clock, Error, ErrorKind, ManualClock, Processor, Result, Timestamp};

/// A clock that stands just before a time, so that what is meant for this time is still to come.
pub(crate) fn before(time: Timestamp) -> ManualClock {
    ManualClock::starting(time.before(Duration::from_secs(1)))
}

/// Moves the clock to the next time of the only schedule, as soon as that is set, and returns it.
pub(crate) async fn reach(app: &Processor, clock: &ManualClock) -> Result<Timestamp> {
    let mut states = app.subscribe_from("schedule.state", Start::Beginning).await?;
    while let Some(event) = states.next().await {
        let state: ScheduleState = event?.decode()?;
        if let Some(slot) = state.next {
            clock.advance(slot.since(clock.now()));
            return Ok(slot);
        }
    }
    Err(Error::new(ErrorKind::Closed, "nothing is scheduled"))
}
