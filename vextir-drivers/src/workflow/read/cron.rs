//! Times of day: cron expressions and time zones.

use crate::yaml::word;
use jiff::tz::TimeZone;
pub(super) use vextir::schedule::check_cron as check;

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
