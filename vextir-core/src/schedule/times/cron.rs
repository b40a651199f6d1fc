//! Cron expressions: what they mean is croner's; what is wrong with one is said here.

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Year};
use jiff::tz::TimeZone;

const HELP: &str = "write five fields, as in \"0 9 * * MON-FRI\" (minute, hour, day, month, day of week), or six with \
                    seconds in front";

const FIELDS: [&str; 6] = ["second", "minute", "hour", "day", "month", "day of the week"];

/// Checks a cron expression in a time zone (`UTC`, if there is none of that name): it can be read, and it fires some day.
///
/// # Errors
/// What is wrong, and what to write instead.
pub fn check_cron(cron: &str, timezone: &str) -> Result<(), (String, &'static str)> {
    let cron = parse(cron).map_err(|error| (wrong(cron, &error), HELP))?;
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    match cron.find_next_occurrence(&jiff::Timestamp::UNIX_EPOCH.to_zoned(zone), false) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(("this never fires: there is no such day".to_owned(), "check the day against the month"))
        }
    }
}

pub(super) fn parse(cron: &str) -> Result<Cron, CronError> {
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
            return format!("{field:?} is no {name} of a cron expression: {}", said(&error));
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
