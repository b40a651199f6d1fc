//! A calendar that is an iCalendar file.

use icalendar::{Calendar, CalendarDateTime, Component, DatePerhapsTime, EventLike, EventStatus};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};
use vextir::prelude::*;

/// Fetch what is in the calendar from one day to another, which does not count itself.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "calendar.fetch")]
pub(crate) struct FetchCalendar {
    range: Days,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Days {
    start: String,
    end: String,
}

/// The meetings, in their order.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "calendar.fetched", category = "output")]
pub(crate) struct CalendarFetched {
    pub(crate) meetings: Vec<Meeting>,
}

/// Times are of the owner's zone: `2025-06-16T10:00:00`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Meeting {
    pub(crate) start: String,
    pub(crate) end: String,
    pub(crate) title: String,
    pub(crate) place: Option<String>,
}

/// The file, and the zone of its owner.
pub(crate) struct Planner {
    pub(crate) file: PathBuf,
    pub(crate) zone: TimeZone,
}

#[driver("calendar", kind = "io", effect = "reads")]
impl Planner {
    /// Fetch what is in the calendar.
    #[on]
    async fn fetch(&self, ask: FetchCalendar) -> Result<CalendarFetched, Failure> {
        let (file, zone) = (self.file.clone(), self.zone.clone());
        let read = tokio::task::spawn_blocking(move || read(&file, &zone, &ask.range));
        let meetings = read.await.map_err(Failure::transient)?.map_err(Failure::permanent)?;
        Ok(CalendarFetched { meetings })
    }
}

fn read(file: &Path, zone: &TimeZone, days: &Days) -> Result<Vec<Meeting>, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let midnight = |day: &str| match day.parse::<Date>() {
        Ok(date) => Ok(date.to_datetime(jiff::civil::Time::midnight())),
        Err(error) => Err(format!("range: {day:?} is no day: {error}")),
    };
    let (first, last) = (midnight(&days.start)?, midnight(&days.end)?);
    let text = std::fs::read_to_string(file).map_err(|error| said(&error))?;
    let calendar: Calendar = text.parse().map_err(|error: String| said(&error))?;
    let mut found = Vec::new();
    for event in calendar.events().filter(|event| event.get_status() != Some(EventStatus::Cancelled)) {
        let title = event.get_summary().unwrap_or("(no title)").to_owned();
        if event.property_value("RRULE").is_some() {
            return Err(said(&format!("{title:?} is a series, and this small driver unfolds none")));
        }
        let Some(start) = event.get_start() else {
            return Err(said(&format!("{title:?} has no beginning")));
        };
        let start = local(start, zone).map_err(|error| said(&format!("{title:?}: {error}")))?;
        let end = event.get_end().map_or(Ok(start), |end| local(end, zone));
        let end = end.map_err(|error| said(&format!("{title:?}: {error}")))?;
        if start < last && (end > first || start >= first) {
            let place = event.get_location().map(str::to_owned);
            found.push(Meeting { start: start.to_string(), end: end.to_string(), title, place });
        }
    }
    found.sort_by(|one, other| one.start.cmp(&other.start));
    Ok(found)
}

/// A time as the owner's clock shows it.
fn local(time: DatePerhapsTime, zone: &TimeZone) -> Result<DateTime, jiff::Error> {
    let written = match time {
        DatePerhapsTime::Date(date) => return date.to_string().parse(),
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(time)) => {
            return Ok(jiff::Timestamp::from_second(time.timestamp())?.to_zoned(zone.clone()).datetime());
        }
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(time)) => return time.to_string().parse(),
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
            date_time.to_string().parse::<DateTime>()?.in_tz(&tzid)?
        }
    };
    Ok(written.with_time_zone(zone.clone()).datetime())
}
