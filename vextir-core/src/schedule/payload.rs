//! What can be asked of the scheduler, by event.

use super::Schedule;
use crate::digest::hex;
use crate::{Error, Event, Name, Payload, Result, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the ordering key of all events about one schedule begins with.
pub(super) const KEY: &str = "schedule/";
/// The longest id.
const LONGEST_ID: usize = 128;

/// Refuses an id that is no name of a document.
pub(super) fn check_id(id: &str) -> Result<()> {
    let fits = |letter: char| letter.is_alphanumeric() || "-_. ".contains(letter);
    let is_name =
        !id.is_empty() && id.len() <= LONGEST_ID && id.chars().all(fits) && id.trim_matches([' ', '.']) == id;
    if is_name {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "schedule id {id:?}: take 1 to {LONGEST_ID} letters, digits, dashes, underscores, and dots or spaces within"
    )))
}

/// The ordering key of what concerns a schedule.
pub(super) fn key(id: &str) -> Name {
    format!("{KEY}{id}").into()
}

/// An event about a schedule: one after the other, in order.
pub(super) fn about<P: Payload>(id: &str, payload: &P) -> Result<Event> {
    check_id(id)?;
    Ok(Event::of(payload)?.with_ordering_key(key(id)))
}

/// Make a schedule, or change the one that has this id. One that asks for the same stays as it is, so that an application
/// can ask at each start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SetSchedule {
    /// Its name: letters, digits, `-`, `_`, and `.` or spaces within, at most 128 bytes. Without one it is called by what
    /// it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub id: Option<Name>,
    /// What is asked for.
    #[serde(flatten)]
    pub schedule: Schedule,
}

impl Payload for SetSchedule {
    const TYPE: &'static str = "schedule.set";
    const DESCRIPTION: &'static str = "Make a schedule, or change the one that has this id.";
}

impl SetSchedule {
    /// A schedule that is called by what it asks for.
    #[must_use]
    pub fn new(schedule: Schedule) -> Self {
        Self { id: None, schedule }
    }

    /// Gives it a name.
    #[must_use]
    pub fn with_id(self, id: impl Into<Name>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// Its name; the beginning of a hash of what it asks for, if it was given none.
    pub(super) fn name(&self) -> Result<Name> {
        if let Some(id) = &self.id {
            check_id(id)?;
            return Ok(id.clone());
        }
        let mut asked = self.schedule.clone();
        if let super::Times::Every { from, .. } = &mut asked.times {
            *from = Timestamp::UNSET;
        }
        let text =
            serde_json::to_vec(&asked).map_err(|error| Error::invalid(format!("no JSON form: {error}")))?;
        let event_type: String = self.schedule.event.event_type.chars().take(64).collect();
        Ok(format!("{event_type}-{}", hex(text, 8)).into())
    }

    /// The event, with the ordering key by which what concerns one schedule comes in turn.
    ///
    /// # Errors
    /// `Invalid`: the name is none.
    pub fn in_turn(self) -> Result<Event> {
        let id = self.name()?;
        about(&id, &self)
    }
}

macro_rules! about_one {
    ($($(#[$doc:meta])* $name:ident $event:literal { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
            #[non_exhaustive]
            pub struct $name {
                /// Which schedule.
                #[schemars(with = "String")]
                pub id: Name,
                $($(#[$field_doc])* pub $field: $kind,)*
            }

            impl Payload for $name {
                const TYPE: &'static str = $event;
                const DESCRIPTION: &'static str = concat!("The event `", $event, "`.");
            }

            impl $name {
                /// About the schedule with this id.
                #[must_use]
                pub fn new(id: impl Into<Name>, $($field: $kind),*) -> Self {
                    Self { id: id.into(), $($field),* }
                }
            }
        )*
    };
}

about_one! {
    /// Stop a schedule until it is resumed. What is at work goes on; what waits is left out. The event `schedule.pause`.
    PauseSchedule "schedule.pause" {
        /// Why, for who looks.
        #[serde(default)]
        reason: String,
    }
    /// Let a paused schedule go on, from now. The event `schedule.resume`.
    ResumeSchedule "schedule.resume" {}
    /// Forget a schedule. What is at work goes on. The event `schedule.cancel`.
    CancelSchedule "schedule.cancel" {}
    /// Fire now, out of turn, as far as its overlap allows. The event `schedule.trigger`.
    TriggerSchedule "schedule.trigger" {}
    /// Fire slots of the past that have not fired: those after `from`, up to `until`, at most 1,000. The event
    /// `schedule.backfill`.
    BackfillSchedule "schedule.backfill" {
        /// Slots after this.
        #[schemars(with = "String")]
        from: Timestamp,
        /// And not after this.
        #[schemars(with = "String")]
        until: Timestamp,
    }
    /// A schedule was paused because its firings failed. The event `schedule.paused`.
    SchedulePaused "schedule.paused" {
        /// Why.
        reason: String,
    }
}

/// The timer of a schedule: the event `schedule.due`, delayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct ScheduleDue {
    /// Which schedule.
    #[schemars(with = "String")]
    pub(super) id: Name,
    /// Which of its timers.
    pub(super) turn: u64,
}

impl Payload for ScheduleDue {
    const TYPE: &'static str = "schedule.due";
    const DESCRIPTION: &'static str = "The timer of a schedule has rung.";
}
