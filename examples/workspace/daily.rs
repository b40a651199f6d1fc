//! The time of day at which a summary is made, in a time zone.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use vextir::{Result, Timestamp};

/// What `--daily` and `--timezone` say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Daily {
    time: Time,
    /// A name of the IANA database.
    pub(crate) timezone: String,
}

impl Daily {
    /// Reads `18:00` or `18:00:30`, and the zone's name; without one this machine's zone counts. An error is a sentence.
    pub(crate) fn parse(time: &str, timezone: Option<&str>) -> Result<Self, String> {
        let is_plain = time.len() >= 5
            && time.contains(':')
            && time.chars().all(|sign| sign.is_ascii_digit() || sign == ':');
        let read = if is_plain { time.parse().ok() } else { None };
        let time = read.ok_or_else(|| {
            format!("--daily is a time of day from 00:00 to 23:59, such as 18:00, and not {time:?}")
        })?;
        let timezone = timezone.map_or_else(own_zone, str::to_owned);
        zone(&timezone)?;
        Ok(Self { time, timezone })
    }

    /// For the scheduler, with seconds.
    pub(crate) fn cron(&self) -> String {
        format!("{} {} {} * * *", self.time.second(), self.time.minute(), self.time.hour())
    }
}

/// This machine's zone; UTC where it has none that has a name.
fn own_zone() -> String {
    let own = TimeZone::try_system().ok();
    let name = own.as_ref().and_then(TimeZone::iana_name).filter(|name| zone(name).is_ok());
    name.unwrap_or("UTC").to_owned()
}

fn zone(name: &str) -> Result<TimeZone, String> {
    let advice = "take a name such as Europe/Berlin or UTC";
    TimeZone::get(name).map_err(|_| format!("--timezone: there is no zone {name:?}; {advice}"))
}

/// A time in a zone: the day, and the time of day.
pub(crate) fn local(time: Timestamp, timezone: &str) -> Result<(String, String), String> {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).map_err(|error| error.to_string())?;
    let local = time.to_zoned(zone(timezone)?);
    Ok((local.date().to_string(), local.strftime("%H:%M:%S").to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        let cron = |time| Daily::parse(time, Some("Europe/Berlin")).map(|daily| daily.cron());
        assert_eq!(cron("18:00"), Ok("0 0 18 * * *".into()));
        assert_eq!(cron("00:05:30"), Ok("30 5 0 * * *".into()));
        for wrong in
            ["", "18", "24:00", "18:60", "6pm", "18.00", "-1:00", "18:00:00.5", "2025-06-16", "T18:00"]
        {
            let error = cron(wrong).unwrap_err();
            assert!(error.contains("from 00:00 to 23:59") && error.contains(wrong), "{error}");
        }
        let error = Daily::parse("18:00", Some("Mars/Olympus")).unwrap_err();
        assert!(error.contains("Mars/Olympus") && error.contains("Europe/Berlin"), "{error}");
        assert!(Daily::parse("18:00", None).is_ok());
    }

    #[test]
    fn a_day_begins_when_it_begins_there() {
        let time: Timestamp = "2025-06-15T23:30:00Z".parse().unwrap();
        assert_eq!(local(time, "UTC"), Ok(("2025-06-15".into(), "23:30:00".into())));
        assert_eq!(local(time, "Europe/Berlin"), Ok(("2025-06-16".into(), "01:30:00".into())));
    }
}
