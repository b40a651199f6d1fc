//! Times of day: cron expressions and time zones.

use super::node::Shown;
use super::word;
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const HELP: &str = "write five fields, as in \"0 9 * * MON-FRI\" (minute, hour, day, month, day of week), or six with \
                    seconds in front";

const FIELDS: [&str; 6] = ["second", "minute", "hour", "day", "month", "day of the week"];

/// What is wrong with a cron expression, and what to write.
pub(super) fn check(cron: &str, zone: &str) -> Result<(), (String, &'static str)> {
    let cron = parse(cron).map_err(|error| (wrong(cron, &error), HELP))?;
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    match cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(zone), false) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(("this never fires: there is no such day".to_owned(), "check the day against the month"))
        }
    }
}

fn parse(cron: &str) -> Result<Cron, CronError> {
    // A year, which would be a seventh field, is in no POSIX cron.
    CronParser::builder().year(Year::Disallowed).build().parse(cron)
}

/// What is wrong with it: the number of its fields, or the first field that is wrong alone.
fn wrong(cron: &str, error: &CronError) -> String {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    if !(5..=6).contains(&fields.len()) && !cron.starts_with('@') {
        return format!("a cron expression has five or six fields, and this has {}", fields.len());
    }
    let names = FIELDS.iter().skip(FIELDS.len().saturating_sub(fields.len()));
    for (index, (field, name)) in fields.iter().zip(names).enumerate() {
        let alone = |place| if place == index { *field } else { "*" };
        let pattern: Vec<&str> = (0..fields.len()).map(alone).collect();
        if let Err(error) = parse(&pattern.join(" ")) {
            return format!("{} is no {name} of a cron expression: {}", Shown(field), said(&error));
        }
    }
    format!("this is no cron expression: {}", said(error))
}

fn said(error: &CronError) -> String {
    match error {
        CronError::EmptyPattern => "it is empty".to_owned(),
        CronError::InvalidPattern(why)
        | CronError::IllegalCharacters(why)
        | CronError::ComponentError(why) => why.trim_end_matches('.').to_owned(),
        other => other.to_string(),
    }
}

/// A time zone's name as the IANA database writes it; or what to write.
pub(super) fn zone(name: &str) -> Result<String, String> {
    if let Ok(zone) = TimeZone::get(name)
        && let Some(known) = zone.iana_name()
    {
        return Ok(known.to_owned());
    }
    let known: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let help = word::instead_of(name, &known, false);
    Err(help
        .unwrap_or_else(|| "write a name of the IANA database, as in `America/New_York` or `UTC`".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{check, zone};

    #[test]
    fn what_fires_is_taken_and_what_never_does_is_not() {
        for good in
            ["0 9 * * MON-FRI", "*/5 * * * *", "30 0 9 * * *", "0 0 29 2 *", "0 0 L * *", "0 0 * JAN MON#1"]
        {
            assert_eq!(check(good, "UTC"), Ok(()), "{good}");
        }
        for bad in [
            "",
            "9",
            "0 9 * *",
            "0 25 * * *",
            "0 9 * * MONDAY",
            "0 0 31 2 *",
            "0 0 * * * * 2030",
            "a b c d e",
        ] {
            assert!(check(bad, "UTC").is_err(), "{bad}");
        }
    }

    #[test]
    fn zones_are_known_by_name() {
        assert_eq!(zone("america/new_york").as_deref(), Ok("America/New_York"));
        assert_eq!(zone("America/New_Yrok").unwrap_err(), "did you mean `America/New_York`?");
        assert!(zone("Mars/Olympus").is_err());
        assert!(zone("").is_err());
    }
}
