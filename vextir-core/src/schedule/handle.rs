//! Schedules from an application: on the processor, and on a tenant's handle.

use super::asked::millis;
use super::payload::about;
use super::{
    BackfillSchedule, CancelSchedule, FOLDER, Overlap, PauseSchedule, ResumeSchedule, Schedule,
    ScheduleState, SetSchedule, Times, TriggerSchedule,
};
use crate::{Error, IntoEvent, Limits, Name, Processor, Result, Tenant, Timestamp};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

/// How many documents are listed at once.
const PAGE: usize = 500;

/// A schedule on its way: choices, then `.await`, which answers when it is stored.
#[must_use = "nothing is scheduled before it is awaited"]
pub struct Scheduling {
    tenant: Tenant,
    asked: Result<SetSchedule>,
}

impl fmt::Debug for Scheduling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduling").field("asked", &self.asked).finish_non_exhaustive()
    }
}

impl Scheduling {
    fn new(tenant: Tenant, event: impl IntoEvent, times: Result<Times>) -> Self {
        let asked = event.into_event().and_then(|event| Ok(SetSchedule::new(Schedule::new(event, times?))));
        Self { tenant, asked }
    }

    fn with(mut self, change: impl FnOnce(&mut SetSchedule)) -> Self {
        if let Ok(asked) = &mut self.asked {
            change(asked);
        }
        self
    }

    /// Names it: the schedule that has this name is changed. Without a name, what asks for the same is the same schedule.
    pub fn id(self, id: impl Into<Name>) -> Self {
        self.with(|asked| asked.id = Some(id.into()))
    }

    /// The time zone of a cron expression, by its name in the IANA database; `UTC` by default.
    pub fn timezone(self, zone: impl Into<String>) -> Self {
        self.with(|asked| {
            if let Times::Cron { timezone, .. } = &mut asked.schedule.times {
                *timezone = zone.into();
            }
        })
    }

    /// What happens to a slot while an earlier one is at work; [`Overlap::Skip`] by default.
    pub fn overlap(self, overlap: Overlap) -> Self {
        self.with(|asked| asked.schedule.overlap = overlap)
    }

    /// Slots that were missed fire late if they are not older; a day by default.
    pub fn catch_up(self, window: Duration) -> Self {
        self.with(|asked| asked.schedule.catch_up_ms = millis(window))
    }

    /// Each firing comes later by a part of this that its slot decides; none by default.
    pub fn jitter(self, most: Duration) -> Self {
        self.with(|asked| asked.schedule.jitter_ms = millis(most))
    }

    /// Pauses it after so many firings in a row of which something failed for good.
    pub fn pause_after(self, failures: u32) -> Self {
        self.with(|asked| asked.schedule.pause_after = failures)
    }

    /// There is no slot after this.
    pub fn until(self, end: Timestamp) -> Self {
        self.with(|asked| asked.schedule.until = Some(end))
    }

    /// What each firing may use.
    pub fn limits(self, limits: Limits) -> Self {
        self.with(|asked| asked.schedule.limits = Some(limits))
    }

    async fn set(self) -> Result<ScheduleState> {
        let asked = self.asked?;
        asked.schedule.check(self.tenant.now())?;
        self.tenant.request(asked.in_turn()?).await
    }
}

impl IntoFuture for Scheduling {
    type Output = Result<ScheduleState>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<ScheduleState>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.set())
    }
}

impl Tenant {
    /// Emits an event once, at a time.
    pub fn schedule_once<T>(&self, event: impl IntoEvent, at: T) -> Scheduling
    where
        T: TryInto<Timestamp, Error: Into<Error>>,
    {
        let times = at.try_into().map(|at| Times::Once { at }).map_err(Into::into);
        Scheduling::new(self.clone(), event, times)
    }

    /// Emits an event by a cron expression: five fields (minute, hour, day of month, month, day of week), or six with
    /// seconds in front, with names (`MON-FRI`).
    pub fn schedule_recurring(&self, event: impl IntoEvent, cron: impl Into<String>) -> Scheduling {
        let times = Times::Cron { cron: cron.into(), timezone: "UTC".to_owned() };
        Scheduling::new(self.clone(), event, Ok(times))
    }

    /// Emits an event every so often, at least 100 ms apart; for the first time one period from now.
    pub fn schedule_every(&self, event: impl IntoEvent, period: Duration) -> Scheduling {
        let times = Times::Every { every_ms: millis(period), from: Timestamp::UNSET };
        Scheduling::new(self.clone(), event, Ok(times))
    }

    /// A schedule of this user, if there is one.
    ///
    /// # Errors
    /// The store failed, or somebody wrote something else there.
    pub async fn schedule(&self, id: &str) -> Result<Option<ScheduleState>> {
        let Some(document) = self.context().read(&format!("{FOLDER}/{id}")).await? else { return Ok(None) };
        let wrong = |why: String| Error::invalid(format!("{FOLDER}/{id} is no schedule: {why}"));
        let content = document.content.as_json().ok_or_else(|| wrong("it is text".to_owned()))?;
        serde_json::from_value(content.clone()).map(Some).map_err(|error| wrong(error.to_string()))
    }

    /// The schedules of this user, by id: those that are not over.
    ///
    /// # Errors
    /// As [`Tenant::schedule`].
    pub async fn schedules(&self) -> Result<Vec<ScheduleState>> {
        let (context, mut after, mut schedules) = (self.context(), String::new(), Vec::new());
        if context.access(FOLDER).await?.is_none() {
            return Ok(schedules);
        }
        loop {
            let page = context.list_page(FOLDER, &after, PAGE).await?;
            for item in &page {
                let id = item.path.rsplit('/').next().unwrap_or_default();
                schedules.extend(self.schedule(id).await?);
                id.clone_into(&mut after);
            }
            if page.len() < PAGE {
                return Ok(schedules);
            }
        }
    }

    /// Stops a schedule until it is resumed.
    ///
    /// # Errors
    /// As [`Tenant::request`]; `Failed`: there is none.
    pub async fn pause_schedule(&self, id: &str, reason: &str) -> Result<ScheduleState> {
        self.request(about(id, &PauseSchedule::new(id, reason.to_owned()))?).await
    }

    /// Lets a paused schedule go on, from now.
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn resume_schedule(&self, id: &str) -> Result<ScheduleState> {
        self.request(about(id, &ResumeSchedule::new(id))?).await
    }

    /// Forgets a schedule. What is at work goes on.
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn cancel_schedule(&self, id: &str) -> Result<ScheduleState> {
        self.request(about(id, &CancelSchedule::new(id))?).await
    }

    /// Fires now, out of turn, as far as its overlap allows.
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn trigger_schedule(&self, id: &str) -> Result<ScheduleState> {
        self.request(about(id, &TriggerSchedule::new(id))?).await
    }

    /// Fires the slots after `from`, up to `until`, that have not fired: at most 1,000.
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn backfill_schedule(
        &self,
        id: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<ScheduleState> {
        self.request(about(id, &BackfillSchedule::new(id, from, until))?).await
    }
}

/// For user `local`; [`Processor::as_user`] serves the others.
impl Processor {
    fn local(&self) -> Tenant {
        self.as_user(crate::LOCAL_USER)
    }

    /// As [`Tenant::schedule_once`].
    pub fn schedule_once<T>(&self, event: impl IntoEvent, at: T) -> Scheduling
    where
        T: TryInto<Timestamp, Error: Into<Error>>,
    {
        self.local().schedule_once(event, at)
    }

    /// As [`Tenant::schedule_recurring`].
    pub fn schedule_recurring(&self, event: impl IntoEvent, cron: impl Into<String>) -> Scheduling {
        self.local().schedule_recurring(event, cron)
    }

    /// As [`Tenant::schedule_every`].
    pub fn schedule_every(&self, event: impl IntoEvent, period: Duration) -> Scheduling {
        self.local().schedule_every(event, period)
    }

    /// As [`Tenant::schedule`].
    ///
    /// # Errors
    /// As [`Tenant::schedule`].
    pub async fn schedule(&self, id: &str) -> Result<Option<ScheduleState>> {
        self.local().schedule(id).await
    }

    /// As [`Tenant::schedules`].
    ///
    /// # Errors
    /// As [`Tenant::schedules`].
    pub async fn schedules(&self) -> Result<Vec<ScheduleState>> {
        self.local().schedules().await
    }

    /// As [`Tenant::pause_schedule`].
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn pause_schedule(&self, id: &str, reason: &str) -> Result<ScheduleState> {
        self.local().pause_schedule(id, reason).await
    }

    /// As [`Tenant::resume_schedule`].
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn resume_schedule(&self, id: &str) -> Result<ScheduleState> {
        self.local().resume_schedule(id).await
    }

    /// As [`Tenant::cancel_schedule`].
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn cancel_schedule(&self, id: &str) -> Result<ScheduleState> {
        self.local().cancel_schedule(id).await
    }

    /// As [`Tenant::trigger_schedule`].
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn trigger_schedule(&self, id: &str) -> Result<ScheduleState> {
        self.local().trigger_schedule(id).await
    }

    /// As [`Tenant::backfill_schedule`].
    ///
    /// # Errors
    /// As [`Tenant::pause_schedule`].
    pub async fn backfill_schedule(
        &self,
        id: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<ScheduleState> {
        self.local().backfill_schedule(id, from, until).await
    }
}
