//! Words for days: `yesterday`, `today`, `tomorrow`.

use jiff::Zoned;

/// The keys under which a word for a day is meant as one.
const KEYS: [&str; 11] =
    ["after", "at", "before", "date", "end", "from", "on", "since", "start", "to", "until"];

/// A day as it is written in an instruction, counted from that of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Day {
    Yesterday,
    Today,
    Tomorrow,
}

impl Day {
    /// The day that `text` means under `key`: only where the whole text is the word, and the key means a time.
    pub(super) fn read(key: &str, text: &str) -> Option<Self> {
        if !KEYS.contains(&key) {
            return None;
        }
        match text {
            "yesterday" => Some(Self::Yesterday),
            "today" => Some(Self::Today),
            "tomorrow" => Some(Self::Tomorrow),
            _ => None,
        }
    }

    /// Its date (`2025-06-15`, the full date of RFC 3339), in the zone of `now`.
    pub(super) fn date(self, now: &Zoned) -> Result<String, String> {
        let today = now.date();
        let date = match self {
            Self::Yesterday => today.yesterday(),
            Self::Today => Ok(today),
            Self::Tomorrow => today.tomorrow(),
        };
        date.map(|date| date.to_string()).map_err(|_| format!("there is no such day next to {today}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    fn day(word: &str, now: &str) -> String {
        let now: jiff::Zoned = now.parse().unwrap();
        Day::read("since", word).unwrap().date(&now).unwrap()
    }

    #[test]
    fn days_are_those_of_the_calendar_in_the_zone_of_the_run() {
        let now = "2025-06-16T09:00:00-04:00[America/New_York]";
        assert_eq!(day("yesterday", now), "2025-06-15");
        assert_eq!(day("today", now), "2025-06-16");
        assert_eq!(day("tomorrow", now), "2025-06-17");
        // The same moment is another day elsewhere.
        assert_eq!(day("today", "2025-06-17T01:30:00+12:00[Pacific/Auckland]"), "2025-06-17");
    }

    #[test]
    fn days_of_23_and_25_hours_are_days() {
        assert_eq!(day("yesterday", "2025-03-10T00:30:00-04:00[America/New_York]"), "2025-03-09");
        assert_eq!(day("tomorrow", "2025-11-01T23:30:00-04:00[America/New_York]"), "2025-11-02");
        // Apia had no 30 December 2011, but the calendar does.
        assert_eq!(day("tomorrow", "2011-12-29T12:00:00-10:00[Pacific/Apia]"), "2011-12-30");
        assert_eq!(day("yesterday", "2024-03-01T00:00:00+00:00[UTC]"), "2024-02-29");
    }

    #[test]
    fn only_whole_words_under_keys_of_time_are_days() {
        assert_eq!(Day::read("since", "yesterday"), Some(Day::Yesterday));
        for (key, text) in [
            ("message", "yesterday"),
            ("query", "today"),
            ("since", "Yesterday"),
            ("since", " today"),
            ("since", "yesterday's mail"),
            ("Since", "today"),
            ("since", ""),
        ] {
            assert_eq!(Day::read(key, text), None, "{key}: {text}");
        }
    }

    #[test]
    fn past_the_end_of_the_calendar_is_an_error() {
        let last: jiff::Zoned = "9999-12-30T12:00:00+00:00[UTC]".parse().unwrap();
        assert_eq!(Day::Tomorrow.date(&last).unwrap(), "9999-12-31");
        let first: jiff::Zoned = "-009999-01-02T12:00:00+00:00[UTC]".parse().unwrap();
        let before = first
            .date()
            .yesterday()
            .unwrap()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map(|day| Day::Yesterday.date(&day));
        assert!(!matches!(before, Ok(Ok(_))));
    }
}
