//! The scheduler as a driver: reads the document, decides, and plants what follows.

use super::payload::{KEY, ScheduleDue, about, check_id};
use super::state::Act;
use super::{
    BackfillSchedule, CancelSchedule, FOLDER, PauseSchedule, ResumeSchedule, SchedulePaused, ScheduleState,
    SetSchedule, TriggerSchedule,
};
use crate::notice::is_kernels_own;
use crate::{BranchEnded, Content, Ctx, Error, ErrorKind, Event, Name, Result, Timestamp, driver};

/// How many schedules are at work at a time. Those of one schedule come one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scheduler;

#[driver("scheduler", name = "Scheduler", kind = "tool", effect = "writes_context", concurrency = 256)]
impl Scheduler {
    /// Make a schedule, or change the one that has this id.
    #[on]
    async fn set(&self, ask: SetSchedule, cx: &Ctx) -> Result<ScheduleState> {
        let id = ask.name()?;
        in_turn(cx, &id)?;
        let mut schedule = ask.schedule;
        let envelope = schedule.event.edit();
        envelope.user_id = cx.user().clone();
        (envelope.id, envelope.deliver_at) = (crate::EventId::UNSET, None);
        let before = read(cx, &id).await?;
        let state = match before.clone() {
            None => ScheduleState::begin(id, schedule, cx.now())?,
            Some(mut state) if state.schedule.asks_the_same(&schedule) && state.is_overdue(cx.now()) => {
                state.wind_up();
                state
            }
            Some(state) if state.schedule.asks_the_same(&schedule) => return Ok(state),
            Some(mut state) => {
                state.replace(schedule, cx.now())?;
                state
            }
        };
        settle(cx, before.as_ref(), state, Vec::new()).await
    }

    /// Stop a schedule until it is resumed.
    #[on]
    async fn pause(&self, ask: PauseSchedule, cx: &Ctx) -> Result<ScheduleState> {
        let reason = if ask.reason.is_empty() { "somebody paused it" } else { &ask.reason };
        change(cx, &ask.id, |state| {
            state.pause(reason);
            Ok(Vec::new())
        })
        .await
    }

    /// Let a paused schedule go on.
    #[on]
    async fn resume(&self, ask: ResumeSchedule, cx: &Ctx) -> Result<ScheduleState> {
        change(cx, &ask.id, |state| state.resume(cx.now()).map(|()| Vec::new())).await
    }

    /// Forget a schedule.
    #[on]
    async fn cancel(&self, ask: CancelSchedule, cx: &Ctx) -> Result<ScheduleState> {
        in_turn(cx, &ask.id)?;
        let mut state = read(cx, &ask.id).await?.ok_or_else(|| unknown(&ask.id))?;
        cx.context().remove(&path(&ask.id)).await?;
        state.pause("it was cancelled");
        Ok(state)
    }

    /// Fire now, out of turn.
    #[on]
    async fn trigger(&self, ask: TriggerSchedule, cx: &Ctx) -> Result<ScheduleState> {
        change(cx, &ask.id, |state| Ok(state.trigger(cx.now()))).await
    }

    /// Fire slots of the past that have not fired.
    #[on]
    async fn backfill(&self, ask: BackfillSchedule, cx: &Ctx) -> Result<ScheduleState> {
        in_turn(cx, &ask.id)?;
        let before = read(cx, &ask.id).await?.ok_or_else(|| unknown(&ask.id))?;
        let mut slots = Vec::new();
        for slot in before.slots_between(ask.from, ask.until.min(cx.now()))? {
            let waits =
                before.waiting.contains(&slot) || before.running.iter().any(|firing| firing.slot == slot);
            if !waits && cx.find(&before.firing(slot)).await?.is_none() {
                slots.push(slot);
            }
        }
        let mut state = before.clone();
        let acts = state.backfill(slots);
        settle(cx, Some(&before), state, acts).await
    }

    /// The timer of a schedule has rung.
    #[on]
    async fn due(&self, due: ScheduleDue, cx: &Ctx) -> Result<()> {
        in_turn(cx, &due.id)?;
        let Some(before) = read(cx, &due.id).await? else { return Ok(()) };
        let mut state = before.clone();
        let acts = state.due(due.turn, cx.now())?;
        settle(cx, Some(&before), state, acts).await.map(drop)
    }

    /// Everything that a firing caused is over.
    #[on]
    async fn ended(&self, ended: BranchEnded, cx: &Ctx) -> Result<()> {
        let key = cx.event().ordering_key.clone().unwrap_or_default();
        let (Some(id), true) = (key.strip_prefix(KEY), is_kernels_own(cx.event())) else { return Ok(()) };
        let Some(before) = read(cx, id).await? else { return Ok(()) };
        let mut state = before.clone();
        let acts = state.ended(&ended.branch, ended.failed > 0);
        if let (Some(reason), None) = (&state.paused, &before.paused) {
            cx.emit(SchedulePaused::new(state.id.clone(), reason.clone()))?;
        }
        settle(cx, Some(&before), state, acts).await.map(drop)
    }
}

fn path(id: &str) -> String {
    format!("{FOLDER}/{id}")
}

fn unknown(id: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no schedule {id:?}"))
}

/// What concerns one schedule comes one after the other: its events have its ordering key.
fn in_turn(cx: &Ctx, id: &str) -> Result<()> {
    check_id(id)?;
    let key = super::payload::key(id);
    if cx.event().ordering_key.as_ref() == Some(&key) {
        return Ok(());
    }
    let message =
        format!("{}: set the ordering key {key:?}, so that it comes in turn", cx.event().event_type);
    Err(Error::invalid(message))
}

async fn read(cx: &Ctx, id: &str) -> Result<Option<ScheduleState>> {
    let Some(document) = cx.context().read(&path(id)).await? else { return Ok(None) };
    let wrong = |what: String| {
        Error::invalid(format!("{}: no schedule: {what}; set it anew, or remove it", path(id)))
    };
    let Content::Json(content) = document.content else { return Err(wrong("it is text".into())) };
    let mut state: ScheduleState =
        serde_json::from_value(content).map_err(|error| wrong(error.to_string()))?;
    // Whoever can write the document acts as its user, whatever it says.
    state.schedule.event.edit().user_id = cx.user().clone();
    state.id = Name::from(id);
    Ok(Some(state))
}

async fn change(
    cx: &Ctx,
    id: &str,
    step: impl FnOnce(&mut ScheduleState) -> Result<Vec<Act>>,
) -> Result<ScheduleState> {
    in_turn(cx, id)?;
    let before = read(cx, id).await?.ok_or_else(|| unknown(id))?;
    let mut state = before.clone();
    let acts = step(&mut state)?;
    settle(cx, Some(&before), state, acts).await
}

/// Does what was decided, sets the timer of the next slot, and keeps the state.
async fn settle(
    cx: &Ctx,
    before: Option<&ScheduleState>,
    mut state: ScheduleState,
    acts: Vec<Act>,
) -> Result<ScheduleState> {
    for act in acts {
        match act {
            Act::Fire(slot) => fire(cx, &state, slot),
            Act::Cancel(root) => cx.cancel_tree(root),
        }
    }
    let timer = |state: &ScheduleState| (state.next, state.turn);
    if before.map(timer) != Some(timer(&state)) {
        state.turn += 1;
        if let Some(slot) = state.next {
            let timer = about(&state.id, &ScheduleDue { id: state.id.clone(), turn: state.turn })?;
            cx.plant(timer.with_deliver_at(state.due_at(slot)), false, None);
        }
    }
    let path = path(&state.id);
    if state.is_over() {
        if before.is_some() {
            cx.context().remove(&path).await?;
        }
    } else if before != Some(&state) {
        let content =
            serde_json::to_value(&state).map_err(|error| Error::invalid(format!("no JSON form: {error}")))?;
        cx.context().write(&path, content).await?;
    }
    Ok(state)
}

fn fire(cx: &Ctx, state: &ScheduleState, slot: Timestamp) {
    let event: Event = state
        .schedule
        .event
        .clone()
        .with_id(state.firing(slot))
        .with_source("scheduler")
        .with_timestamp(cx.now())
        .with_metadata("schedule", state.id.as_str())
        .with_metadata("slot", slot.to_string());
    cx.plant(event, state.schedule.is_watched(), state.schedule.limits.clone());
}
