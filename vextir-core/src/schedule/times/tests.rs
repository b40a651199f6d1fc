//! Slots against a reference that looks at every minute, on days with a change of the clock and without.

use super::Times;
use crate::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Zoned};
use proptest::prelude::*;
use std::collections::BTreeSet;

const ZONES: [&str; 20] = [
    "UTC",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Santiago",
    "America/Havana",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Lisbon",
    "Europe/Chisinau",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Asia/Tokyo",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Pacific/Chatham",
];

/// A cron expression in a form that is easily understood: `*`, `*/n` or a number.
#[derive(Debug, Clone)]
struct Simple {
    minute: Field,
    hour: Field,
    weekdays: bool,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Every(i8),
    At(i8),
}

impl Field {
    fn text(self) -> String {
        match self {
            Self::Every(1) => "*".to_owned(),
            Self::Every(step) => format!("*/{step}"),
            Self::At(number) => number.to_string(),
        }
    }

    fn holds(self, number: i8) -> bool {
        match self {
            Self::Every(step) => number % step == 0,
            Self::At(at) => number == at,
        }
    }
}

impl Simple {
    fn text(&self) -> String {
        let days = if self.weekdays { "MON-FRI" } else { "*" };
        format!("{} {} * * {days}", self.minute.text(), self.hour.text())
    }

    fn is_fixed(&self) -> bool {
        matches!((self.minute, self.hour), (Field::At(_), Field::At(_)))
    }

    fn holds(&self, time: jiff::civil::DateTime) -> bool {
        let weekday = time.weekday().to_monday_zero_offset() < 5;
        self.minute.holds(time.minute()) && self.hour.holds(time.hour()) && (weekday || !self.weekdays)
    }

    /// Every slot after `from`, up to `until`, by looking at each minute of the clock on the wall.
    fn slots(&self, zone: &TimeZone, from: &Zoned, until: &Zoned) -> BTreeSet<i64> {
        let mut slots = BTreeSet::new();
        let mut wall =
            from.datetime().round(jiff::Unit::Minute).unwrap().saturating_sub(Span::new().hours(3));
        let end = until.datetime().saturating_add(Span::new().hours(3));
        while wall <= end {
            if self.holds(wall) {
                let ambiguous = zone.to_ambiguous_timestamp(wall);
                match ambiguous.offset() {
                    AmbiguousOffset::Gap { .. } if self.is_fixed() => {
                        // The moment of the change: the first one that the clock shows after the gap.
                        let late = ambiguous.later().unwrap();
                        let change = zone.preceding(late + Span::new().hours(3)).next().unwrap().timestamp();
                        slots.insert(change.as_microsecond());
                    }
                    AmbiguousOffset::Gap { .. } => {}
                    AmbiguousOffset::Fold { .. } => {
                        slots.insert(ambiguous.earlier().unwrap().as_microsecond());
                        if !self.is_fixed() {
                            slots.insert(ambiguous.later().unwrap().as_microsecond());
                        }
                    }
                    AmbiguousOffset::Unambiguous { .. } => {
                        slots.insert(ambiguous.compatible().unwrap().as_microsecond());
                    }
                }
            }
            wall = wall.saturating_add(Span::new().minutes(1));
        }
        let (from, until) = (from.timestamp().as_microsecond(), until.timestamp().as_microsecond());
        slots.retain(|slot| *slot > from && *slot <= until);
        slots
    }
}

fn field(most: i8, steps: &'static [i8]) -> impl Strategy<Value = Field> {
    prop_oneof![(0..most).prop_map(Field::At), prop::sample::select(steps).prop_map(Field::Every)]
}

fn expression() -> impl Strategy<Value = Simple> {
    (field(60, &[1, 15, 30]), field(24, &[1, 2, 6]), any::<bool>())
        .prop_map(|(minute, hour, weekdays)| Simple { minute, hour, weekdays })
}

/// A time near a change of the clock, if the zone has one, or anywhere.
fn near_a_change(zone: &TimeZone, seed: u64) -> Zoned {
    let start: jiff::Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let anywhere = start + Span::new().minutes(i64::try_from(seed % 1_000_000).unwrap());
    let change =
        zone.following(start).nth(usize::try_from(seed % 6).unwrap()).map(|change| change.timestamp());
    let near = change.map(|change| change - Span::new().minutes(i64::try_from(seed % 1_800).unwrap()));
    let moment = if seed.is_multiple_of(4) { anywhere } else { near.unwrap_or(anywhere) };
    moment.to_zoned(zone.clone())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn slots_are_those_of_a_clock_on_the_wall(expression in expression(), zone in 0..ZONES.len(), seed: u64) {
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let from = near_a_change(&zone, seed);
        let until = &from + Span::new().hours(60);
        let times = Times::Cron { cron: expression.text(), timezone: zone.iana_name().unwrap().to_owned() };
        let (mut seen, end) = (BTreeSet::new(), until.timestamp().as_microsecond());
        let mut moment = Timestamp::from_micros(from.timestamp().as_microsecond());
        while let Some(next) = times.next_after(moment).unwrap().filter(|next| next.as_micros() <= end) {
            prop_assert!(next > moment, "it goes on");
            prop_assert!(seen.insert(next.as_micros()));
            moment = next;
        }
        let expected = expression.slots(&zone, &from, &until);
        let shown = |slots: &BTreeSet<i64>| -> Vec<String> {
            slots.iter().map(|slot| jiff::Timestamp::from_microsecond(*slot).unwrap().to_zoned(zone.clone()).to_string()).collect()
        };
        prop_assert_eq!(shown(&seen), shown(&expected), "{} from {}", expression.text(), from);
    }
}

fn slots(cron: &str, timezone: &str, from: &str, count: usize) -> Vec<String> {
    let times = Times::Cron { cron: cron.to_owned(), timezone: timezone.to_owned() };
    let mut moment: Timestamp = from.parse().unwrap();
    let next = |_| {
        moment = times.next_after(moment).unwrap().unwrap();
        moment.to_string()
    };
    (0..count).map(next).collect()
}

#[test]
fn an_expression_means_what_it_says() {
    let monday = "2025-06-16T00:00:00Z";
    let days = slots("0 9 * * MON-FRI", "UTC", monday, 6);
    assert_eq!(days[4..], ["2025-06-20T09:00:00Z", "2025-06-23T09:00:00Z"]);
    assert_eq!(slots("0 9 * * 1-5", "UTC", monday, 6), days, "1 is Monday, as in POSIX");
    assert_eq!(slots("0 9 * * 0", "UTC", monday, 1), ["2025-06-22T09:00:00Z"]);
    assert_eq!(slots("0 9 * * 7", "UTC", monday, 1), ["2025-06-22T09:00:00Z"]);
    assert_eq!(slots("30 0 9 * * *", "UTC", monday, 1), ["2025-06-16T09:00:30Z"], "with seconds in front");
    assert_eq!(slots("0 0 1 JAN *", "UTC", monday, 1), ["2026-01-01T00:00:00Z"]);
    assert_eq!(
        slots("0 0 13 * FRI", "UTC", monday, 2),
        ["2025-06-20T00:00:00Z", "2025-06-27T00:00:00Z"],
        "either day, as in POSIX"
    );
    assert_eq!(slots("0 9 * * *", "America/New_York", monday, 1), ["2025-06-16T13:00:00Z"]);
}

#[test]
fn what_repeats_does_not_drift() {
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let times = Times::Every { every_ms: 90_000, from: time("2025-06-16T09:00:00Z") };
    let next = |text: &str| times.next_after(time(text)).unwrap().unwrap().to_string();
    assert_eq!(next("2025-06-16T09:00:00Z"), "2025-06-16T09:01:30Z");
    assert_eq!(next("2025-06-16T09:01:29.999999Z"), "2025-06-16T09:01:30Z");
    assert_eq!(next("2025-06-16T09:01:30Z"), "2025-06-16T09:03:00Z");
    assert_eq!(next("2025-06-17T09:01:00Z"), "2025-06-17T09:01:30Z");
    assert_eq!(
        next("2020-01-01T00:00:00Z"),
        "2025-06-16T09:01:30Z",
        "the first one is a period after the beginning"
    );
    assert_eq!(times.next_after(Timestamp::MAX).unwrap(), None);
}

#[test]
fn times_are_read_as_they_are_written() {
    for text in [
        r#"{"at":"2025-06-16T09:00:00Z"}"#,
        r#"{"cron":"0 9 * * MON-FRI","timezone":"America/New_York"}"#,
        r#"{"every_ms":60000,"from":"2025-06-16T09:00:00Z"}"#,
        r#"{"every_ms":60000}"#,
    ] {
        let times: Times = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&times).unwrap(), text);
    }
    let bare: Times = serde_json::from_str(r#"{"cron":"0 9 * * *"}"#).unwrap();
    assert_eq!(bare, Times::Cron { cron: "0 9 * * *".into(), timezone: "UTC".into() });
}
