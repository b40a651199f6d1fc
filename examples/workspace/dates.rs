//! Dates as people write them in names and texts.

use jiff::civil::Date;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A run of letters and digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    /// What stands between it and the word before.
    pub(crate) gap: &'a str,
}

/// A day, or a month of a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Day(Date),
    Month { year: i16, month: i8 },
}

impl When {
    pub(crate) fn year(self) -> i16 {
        match self {
            Self::Day(date) => date.year(),
            Self::Month { year, .. } => year,
        }
    }

    pub(crate) fn month(self) -> i8 {
        match self {
            Self::Day(date) => date.month(),
            Self::Month { month, .. } => month,
        }
    }
}

/// The words of a text.
pub(crate) fn words(text: &str) -> Vec<Word<'_>> {
    let (mut words, mut end) = (Vec::new(), 0);
    let mut rest = text;
    while let Some(begin) = rest.find(char::is_alphanumeric) {
        let length = rest[begin..].find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len() - begin);
        let at = text.len() - rest.len() + begin;
        words.push(Word { text: &text[at..at + length], gap: &text[end..at] });
        end = at + length;
        rest = &text[end..];
    }
    words
}

/// The first date in a text.
pub(crate) fn first(text: &str) -> Option<When> {
    let words = words(text);
    (0..words.len()).find_map(|from| at(&words[from..])).map(|(when, _)| when)
}

/// The date with which these words begin, and of how many words it is. `3/4/2025` is none: nobody knows which of the
/// two is the month.
pub(crate) fn at(words: &[Word<'_>]) -> Option<(When, usize)> {
    let text = |index: usize| words.get(index).map_or("", |word| word.text);
    let joined = |index: usize, gaps: &[&str]| words.get(index).is_some_and(|word| gaps.contains(&word.gap));
    let all = |gaps: &[&str]| joined(1, gaps) && joined(2, gaps);
    let [one, two, three] = [text(0), text(1), text(2)];
    let numbers = ["-", "_", "/", "."].iter().any(|gap| all(&[*gap]));
    let spoken = [" ", ". ", ", ", "-", ".", ""];
    let three_words = if numbers && one.len() == 4 {
        date(one, two.parse().ok(), three)
    } else if all(&["."]) && three.len() == 4 && month(two).is_none() {
        date(three, two.parse().ok(), one)
    } else if all(&spoken) && month(two).is_some() {
        date(three, month(two), one)
    } else if all(&spoken) && month(one).is_some() {
        date(three, month(one), two)
    } else {
        None
    };
    if let Some(date) = three_words {
        return Some((When::Day(date), 3));
    }
    if one.len() == 8
        && one.bytes().all(|digit| digit.is_ascii_digit())
        && let Some(date) = date(&one[..4], one[4..6].parse().ok(), &one[6..])
    {
        return Some((When::Day(date), 1));
    }
    let found = if joined(1, &["-", "_"]) && one.len() == 4 && two.len() == 2 {
        (year(one), two.parse().ok().filter(|month| (1..=12).contains(month)))
    } else if joined(1, &[" ", ", ", "-", "_"]) {
        (year(two), month(one))
    } else {
        (None, None)
    };
    let (Some(year), Some(month)) = found else { return None };
    Some((When::Month { year, month }, 2))
}

fn date(year_text: &str, month: Option<i8>, day: &str) -> Option<Date> {
    let day = ["st", "nd", "rd", "th"].iter().find_map(|ending| day.strip_suffix(ending)).unwrap_or(day);
    Date::new(year(year_text)?, month?, day.parse().ok()?).ok()
}

/// A year of which people have files.
pub(crate) fn year(word: &str) -> Option<i16> {
    let is_plain = word.len() == 4 && word.bytes().all(|digit| digit.is_ascii_digit());
    word.parse().ok().filter(|year| is_plain && (1900..2100).contains(year))
}

/// The month that a word names, in full or by its first three letters.
pub(crate) fn month(word: &str) -> Option<i8> {
    let is_it = |name: &str| {
        name.eq_ignore_ascii_case(word) || name[..3].eq_ignore_ascii_case(word) || is_sept(name, word)
    };
    MONTHS.iter().position(|name| is_it(name)).and_then(|index| i8::try_from(index + 1).ok())
}

fn is_sept(name: &str, word: &str) -> bool {
    name == "September" && word.eq_ignore_ascii_case("sept")
}

/// The name of a month, from 1 to 12.
pub(crate) fn month_name(month: i8) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or_default()
}

/// The name of the week that a day is in, as ISO 8601 counts them: `2025-W24`.
pub(crate) fn week(date: Date) -> String {
    let week = date.iso_week_date();
    format!("{:04}-W{:02}", week.year(), week.week())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_found_however_they_are_written() {
        for text in [
            "invoice 2025-06-12.txt",
            "IMG_20250612_1830.jpg",
            "scan 2025_06_12",
            "Date:\t12 June 2025",
            "on June 12th, 2025, and on 1 July 2025",
            "12.06.2025",
            "12. Jun. 2025",
            "the 12-jun-2025",
            "no. 4711-2025 of 12 June 2025",
        ] {
            assert_eq!(first(text), Some(When::Day(jiff::civil::date(2025, 6, 12))), "{text}");
        }
        for text in ["bill-2025-06.pdf", "the sums of June 2025", "Sums_June_2025"] {
            assert_eq!(first(text), Some(When::Month { year: 2025, month: 6 }), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "6/12/2025",
            "2025-13-01x",
            "99999999",
            "00000000",
            "call 2025-0612-33",
            "version 1.2.3",
            "you may go",
            "127.0.0.1",
            "é-ü-2025",
            "𝟚𝟘𝟚𝟝-06-12",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
        assert_eq!(week(jiff::civil::date(2027, 1, 1)), "2026-W53");
        assert_eq!(
            (month_name(12), month_name(0), month("sept"), month("Ma")),
            ("December", "", Some(9), None)
        );
    }

    #[test]
    fn words_know_what_stands_before_them() {
        let found: Vec<_> = words(" Ünï, b—c!").iter().map(|word| (word.gap, word.text)).collect();
        assert_eq!(found, [(" ", "Ünï"), (", ", "b"), ("—", "c")]);
        assert_eq!(words("…"), []);
    }
}
