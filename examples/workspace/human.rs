//! Numbers, sizes, times and paths as people read them.

use std::time::Duration;
use vextir::Timestamp;

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 file`, `2 files`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// `512 B`, `3.4 KiB`, `12 MiB`: three digits at most.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    // Sizes beyond 2^53 lose digits that nobody sees.
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64 / 1_024.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    let digits = usize::from(value < 9.95);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// `just now`, `5 minutes ago`, `3 days ago`.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    const STEPS: [(u64, &str, &str); 6] = [
        (365 * 86_400, "year", "years"),
        (30 * 86_400, "month", "months"),
        (7 * 86_400, "week", "weeks"),
        (86_400, "day", "days"),
        (3_600, "hour", "hours"),
        (60, "minute", "minutes"),
    ];
    if then > now.after(Duration::from_secs(60)) {
        return "in the future".to_owned();
    }
    let seconds = now.since(then).as_secs();
    match STEPS.iter().find(|(span, ..)| seconds >= *span) {
        Some((span, one, many)) => format!("{} ago", counted(seconds / span, one, many)),
        None => "just now".to_owned(),
    }
}

/// `Sunday, 15 June 2025`, of a date such as `2025-06-15`.
pub(crate) fn day(date: &str) -> String {
    date.parse::<jiff::civil::Date>()
        .map_or_else(|_| date.to_owned(), |date| date.strftime("%A, %-d %B %Y").to_string())
}

/// `2025-06-15 14:02`, where the reader is.
pub(crate) fn clock(time: Timestamp) -> String {
    let here = jiff::tz::TimeZone::system();
    jiff::Timestamp::from_microsecond(time.as_micros())
        .map_or_else(|_| time.to_string(), |time| time.to_zoned(here).strftime("%Y-%m-%d %H:%M").to_string())
}

/// Without control characters, which a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

/// A path that fits, its middle left out if need be: the name matters most, then where it begins.
pub(crate) fn shorten(path: &str, width: usize) -> String {
    let length = path.chars().count();
    if length <= width {
        return path.to_owned();
    }
    let room = width.saturating_sub(1);
    let head = room / 3;
    let start: String = path.chars().take(head).collect();
    let end: String = path.chars().skip(length - (room - head)).collect();
    format!("{start}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        let sizes = [0, 999, 1_000, 1_024, 10_189, 1_048_576, 5_400_000_000, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 KiB", "1.0 KiB", "10 KiB", "1.0 MiB", "5.0 GiB", "16 EiB"]);
    }

    #[test]
    fn ages() {
        let now: Timestamp = "2025-06-15T12:00:00Z".parse().unwrap();
        let ago = |seconds| age(now.before(Duration::from_secs(seconds)), now);
        assert_eq!(
            [5, 60, 7_300, 86_400 * 2, 86_400 * 400].map(ago),
            ["just now", "1 minute ago", "2 hours ago", "2 days ago", "1 year ago"]
        );
        assert_eq!(age(now.after(Duration::from_secs(7_200)), now), "in the future");
        assert_eq!(day("2025-06-15"), "Sunday, 15 June 2025");
        assert!(clock(now).starts_with("2025-06-1"), "{}", clock(now));
    }

    #[test]
    fn paths_keep_their_ends() {
        assert_eq!(shorten("short", 10), "short");
        assert_eq!(shorten("a/long/way/to/file.txt", 16), "a/lon…o/file.txt");
    }
}
