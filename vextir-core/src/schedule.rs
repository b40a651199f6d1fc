//! The scheduler: events at their time.
//!
//! ```
//! # extern crate vextir_core as vextir;
//! # use vextir::prelude::*;
//! # use vextir::{Event, Processor};
//! # async fn run(app: Processor) -> vextir::Result<()> {
//! app.schedule_once(Event::new("report.generate"), "2025-06-16T09:00:00Z").await?;
//! app.schedule_recurring(Event::new("standup.prepare"), "0 9 * * MON-FRI")
//!     .timezone("America/New_York")
//!     .await?;
//! app.schedule_every(Event::new("feeds.poll"), std::time::Duration::from_mins(5)).id("feeds").await?;
//! # Ok(())
//! # }
//! ```
//!
//! A schedule is a document of its user, `/System/Schedules/<id>` ([`ScheduleState`]); its next firing is a delayed event.
//! Both change in the transaction in which the firing's event is stored, so a slot fires once, whenever the process is
//! killed. A firing's identity is (user, schedule, slot), and it is the root of a causal tree of its own. Nothing polls.
//!
//! Everything that happens to a schedule is an event, which policies see as any other, and which programs may emit
//! themselves: [`SetSchedule`], [`PauseSchedule`], [`ResumeSchedule`], [`CancelSchedule`], [`TriggerSchedule`],
//! [`BackfillSchedule`]. Each is answered with `schedule.state`. Needs a context store, as a `Hub` is.
//!
//! # When a clock changes
//!
//! What is meant for a time of day that is left out, because a clock goes forward, fires once, at the moment of the
//! change. What is meant for a time of day that comes twice, because a clock goes back, fires once, the first time. What
//! fires every so often (`*` in its minutes or hours) goes on with the clock on the wall: it has no slot in the hour that
//! is left out, and fires through both hours that look alike. [`Times::Every`] knows no time zones.
//!
//! # What was missed
//!
//! While no processor runs nothing fires. The next start fires what was missed, oldest first, if it is not older than
//! `catch_up` (a day by default); what is older is counted in [`ScheduleState::missed`]. With [`Overlap::Skip`] the first
//! of several missed slots fires, and those that come while it is at work are left out.
//!
//! # What did not come
//!
//! [`Deadline`] emits an event when another one did not come in time.

mod asked;
mod deadline;
mod driver;
mod handle;
mod payload;
mod state;
mod times;

pub use asked::{Overlap, Schedule};
pub use deadline::Deadline;
pub(crate) use driver::Scheduler;
pub use handle::Scheduling;
pub use payload::{
    BackfillSchedule, CancelSchedule, PauseSchedule, ResumeSchedule, SchedulePaused, SetSchedule,
    TriggerSchedule,
};
pub use state::{Firing, ScheduleState};
pub use times::{Times, check_cron};

/// Where the documents lie.
pub const FOLDER: &str = "/System/Schedules";
