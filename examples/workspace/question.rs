//! What a question asks for: sorts of files and times, as far as it says them plainly, and words for the rest.
//!
//! Nothing is guessed. What a question names twice ("June or July", "letters and notes"), and what is open at one end
//! ("since June"), is no filter; the words are looked for instead, and the answer says what was looked for.

use crate::class::Class;
use crate::dates::{When, Word, at, month, month_name, week, words, year};
use crate::facts::KINDS;
use jiff::ToSpan;
use jiff::civil::Date;

/// The longest question, in bytes.
pub(crate) const LONGEST: usize = 1_000;

/// Words for whole classes; such as mostly mean something else ("code", "table") are not among them.
const CLASSES: [(Class, &[&str]); 7] = [
    (Class::Documents, &["documents"]),
    (Class::Images, &["photo", "photos", "picture", "pictures", "image", "images"]),
    (Class::Code, &["scripts", "programs"]),
    (Class::Archives, &["archives"]),
    (Class::Data, &["spreadsheets", "tables"]),
    (Class::Audio, &["audio", "music", "songs", "recordings"]),
    (Class::Video, &["video", "videos", "films", "movies"]),
];

/// Words that ask, and do not say for what.
const ASKING: [&str; 79] = [
    "a", "about", "all", "an", "and", "any", "are", "arrive", "arrived", "at", "be", "been", "by", "came",
    "can", "come", "comes", "contain", "contains", "could", "did", "do", "does", "during", "file", "files",
    "find", "for", "from", "get", "give", "got", "had", "has", "have", "how", "i", "in", "is", "it", "its",
    "know", "list", "made", "many", "me", "mention", "mentions", "much", "my", "of", "on", "or", "our",
    "please", "s", "said", "say", "says", "search", "show", "some", "tell", "that", "the", "their", "there",
    "these", "they", "this", "to", "was", "we", "were", "what", "when", "where", "which", "with",
];

/// A time that is open at one end.
const OPEN: [&str; 8] = ["since", "before", "after", "until", "till", "between", "through", "by"];

/// A stretch of time that a question names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Day(Date),
    /// The week that this day is in.
    Week(Date),
    /// Of any year, without one.
    Month(Option<i16>, i8),
    Year(i16),
}

impl Period {
    fn facts(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Day(date) => vec![("date", date.to_string())],
            Self::Week(date) => vec![("week", week(date))],
            Self::Month(year, month) => {
                let month = ("month", month_name(month).to_owned());
                year.map(|year| ("year", year.to_string())).into_iter().chain([month]).collect()
            }
            Self::Year(year) => vec![("year", year.to_string())],
        }
    }

    fn name(self) -> String {
        match self {
            Self::Day(date) => date.strftime("%-d %B %Y").to_string(),
            Self::Week(date) => format!("week {}", week(date)),
            Self::Month(Some(year), month) => format!("{} {year}", month_name(month)),
            Self::Month(None, month) => format!("{} of any year", month_name(month)),
            Self::Year(year) => year.to_string(),
        }
    }
}

/// A question, understood as far as it is plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// What is searched for.
    pub(crate) text: String,
    pub(crate) kind: Option<&'static str>,
    class: Option<Class>,
    period: Option<Period>,
    /// Whether the text is words of the question.
    has_words: bool,
}

impl Question {
    /// Reads a question that is asked on this day.
    pub(crate) fn of(asked: &str, today: Date) -> Self {
        let all = words(asked);
        let mut found = Reading::default();
        let mut next = 0;
        while next < all.len() {
            next += found.take(&all, next, today);
        }
        let Reading { kinds, classes, periods, rest } = found;
        let mut words = rest;
        let kind = only(kinds, &mut words);
        let class = only(classes, &mut words);
        let period = only(periods, &mut words);
        words.sort_unstable_by_key(|(place, _)| *place);
        let text: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
        let mut question = Self { text: text.join(" "), kind, class, period, has_words: !words.is_empty() };
        if !question.has_words {
            // What is asked for is itself a word of what is kept.
            let facts: Vec<String> = question.facts().into_iter().map(|(_, value)| value).collect();
            question.text = if facts.is_empty() { asked.trim().to_owned() } else { facts.join(" ") };
            question.has_words = facts.is_empty();
        }
        question
    }

    /// The metadata that a document must have.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let kind = self.kind.map(|kind| ("kind", kind.to_owned()));
        let class = self.class.map(|class| ("class", class.name().to_lowercase()));
        let period = self.period.map(Period::facts).unwrap_or_default();
        kind.into_iter().chain(class).chain(period).collect()
    }

    /// What is looked for, in words.
    pub(crate) fn meaning(&self) -> String {
        let kind = self.kind.map(|kind| if kind.ends_with('s') { kind.to_owned() } else { plural(kind) });
        let class = self.class.map(|class| class.name().to_lowercase());
        let period = self.period.map(Period::name);
        let words = self.has_words.then(|| format!("“{}”", self.text));
        let parts: Vec<String> = [kind, class, period, words].into_iter().flatten().collect();
        parts.join(", ")
    }
}

fn plural(kind: &str) -> String {
    kind.strip_suffix('y').map_or_else(|| format!("{kind}s"), |stem| format!("{stem}ies"))
}

/// What was met of one sort, each with the words that said it and their place.
type Met<'a, T> = Vec<(T, Vec<(usize, &'a str)>)>;

#[derive(Default)]
struct Reading<'a> {
    kinds: Met<'a, &'static str>,
    classes: Met<'a, Class>,
    periods: Met<'a, Period>,
    rest: Vec<(usize, &'a str)>,
}

/// The only one that was met, if there is only one; else what said them are words like others.
fn only<'a, T: PartialEq + Copy>(met: Met<'a, T>, words: &mut Vec<(usize, &'a str)>) -> Option<T> {
    let first = met.first()?.0;
    if met.iter().all(|(one, _)| *one == first) {
        return Some(first);
    }
    words.extend(met.into_iter().flat_map(|(_, said)| said));
    None
}

impl<'a> Reading<'a> {
    /// Takes in what stands at a place; says how many words that were.
    fn take(&mut self, all: &[Word<'a>], place: usize, today: Date) -> usize {
        let word = all[place].text;
        let lower = word.to_lowercase();
        let said = |count: usize| (place..place + count).map(|at| (at, all[at].text)).collect::<Vec<_>>();
        let before = place.checked_sub(1).map(|before| all[before].text.to_lowercase()).unwrap_or_default();
        if let Some((period, count)) = period(all, place, &before, today) {
            if OPEN.contains(&before.as_str()) {
                self.rest.extend(said(count));
            } else {
                self.periods.push((period, said(count)));
            }
            return count;
        }
        let names = |known: &[&str]| known.contains(&lower.as_str());
        if let Some((kind, _)) = KINDS.iter().find(|(_, known)| names(known)) {
            self.kinds.push((kind, vec![(place, *kind)]));
        } else if let Some((class, _)) = CLASSES.iter().find(|(_, known)| names(known)) {
            self.classes.push((*class, said(1)));
        } else if !names(&ASKING) && !names(&OPEN) {
            self.rest.push((place, word));
        }
        1
    }
}

/// The time that begins at a place, and of how many words it is.
fn period(all: &[Word<'_>], place: usize, before: &str, today: Date) -> Option<(Period, usize)> {
    if let Some((when, count)) = at(&all[place..]) {
        let period = match when {
            When::Day(date) => Period::Day(date),
            When::Month { year, month } => Period::Month(Some(year), month),
        };
        return Some((period, count));
    }
    let word = all[place].text.to_lowercase();
    let ago = match word.as_str() {
        "today" => return Some((Period::Day(today), 1)),
        "yesterday" => return Some((Period::Day(today.yesterday().ok()?), 1)),
        "this" | "current" => Some(0),
        "last" | "past" | "previous" => Some(1),
        _ => None,
    };
    if let Some(ago) = ago {
        return Some((relative(all.get(place + 1)?.text, ago, today)?, 2));
    }
    if let Some(year) = year(&word) {
        return Some((Period::Year(year), 1));
    }
    let month = month(&word)?;
    // Some months are words of another meaning too.
    let is_other = ["may", "march", "mar", "jan", "dec"].contains(&word.as_str());
    let is_said = OPEN.contains(&before) || ["in", "of", "from", "during"].contains(&before);
    (is_said || !is_other).then_some((Period::Month(None, month), 1))
}

/// "last week", "this year", "last June".
fn relative(unit: &str, ago: i64, today: Date) -> Option<Period> {
    match unit.to_lowercase().as_str() {
        "week" => Some(Period::Week(today.checked_sub(ago.weeks()).ok()?)),
        "month" => {
            let then = today.checked_sub(ago.months()).ok()?;
            Some(Period::Month(Some(then.year()), then.month()))
        }
        "year" => Some(Period::Year(today.checked_sub(ago.years()).ok()?.year())),
        name => {
            let month = month(name)?;
            // The last one is over: in June, "last June" is a year ago.
            let is_over = month < today.month();
            let years = i64::from(ago == 1 && !is_over);
            Some(Period::Month(Some(today.checked_sub(years.years()).ok()?.year()), month))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a Sunday.
    fn read(question: &str) -> (Vec<(&'static str, String)>, String) {
        let question = Question::of(question, jiff::civil::date(2025, 6, 15));
        (question.facts(), question.text)
    }

    #[test]
    fn plain_questions_are_filters() {
        for (question, facts, text) in [
            ("which invoices came in June?", &[("kind", "invoice"), ("month", "June")][..], "invoice June"),
            ("Photos of last week", &[("class", "images"), ("week", "2025-W23")], "images 2025-W23"),
            (
                "notes from this month",
                &[("kind", "note"), ("year", "2025"), ("month", "June")],
                "note 2025 June",
            ),
            (
                "letters of last June",
                &[("kind", "letter"), ("year", "2024"), ("month", "June")],
                "letter 2024 June",
            ),
            (
                "invoices last May",
                &[("kind", "invoice"), ("year", "2025"), ("month", "May")],
                "invoice 2025 May",
            ),
            ("what came in 2024", &[("year", "2024")], "2024"),
            (
                "the minutes of 12 June 2025",
                &[("kind", "minutes"), ("date", "2025-06-12")],
                "minutes 2025-06-12",
            ),
            ("what did we get yesterday", &[("date", "2025-06-14")], "2025-06-14"),
            ("offers about a fence", &[("kind", "offer")], "fence"),
            ("soup without milk", &[], "soup without milk"),
        ] {
            let facts: Vec<_> = facts.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
            assert_eq!(read(question), (facts, text.to_owned()), "{question}");
        }
    }

    #[test]
    fn what_is_not_plain_is_words() {
        for (question, facts, text) in [
            ("letters and notes of June", &[("month", "June")][..], "letter note"),
            ("invoices of June or July", &[("kind", "invoice")], "June July"),
            ("invoices since June 2025", &[("kind", "invoice")], "June 2025"),
            ("may I march to the door", &[], "may march door"),
            ("the last straw", &[], "last straw"),
            ("June June", &[("month", "June")], "June"),
            ("which is it?", &[], "which is it?"),
            ("title:x OR \"y\" NEAR(z*) -- '; DROP", &[], "title x y NEAR z DROP"),
            ("???", &[], "???"),
        ] {
            let facts: Vec<_> = facts.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
            assert_eq!(read(question), (facts, text.to_owned()), "{question}");
        }
    }

    #[test]
    fn any_text_is_a_question() {
        let parts = [
            "2025", "-", "06", "99", ".", "/", " ", "june", "May", "last", "since", "in", "é", "\u{301}",
            "th", "𝟚",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..5_000 {
            let length = random.usize(..9);
            let text: String = (0..length).map(|_| parts[random.usize(..parts.len())]).collect();
            for today in [Date::MIN, jiff::civil::date(2024, 2, 29), Date::MAX] {
                let question = Question::of(&text, today);
                assert!(question.text.len() <= text.len().max(12), "{text:?}: {question:?}");
                assert!(question.has_words || !question.facts().is_empty(), "{text:?}");
            }
            let _ = crate::dates::first(&text);
        }
    }

    #[test]
    fn what_is_looked_for_is_said() {
        for (question, meaning) in [
            ("which invoices came in June?", "invoices, June of any year"),
            ("summaries of this week", "summaries, week 2025-W24"),
            ("minutes about the fence in May 2024", "minutes, May 2024, “fence”"),
            ("photos of 12.06.2025", "images, 12 June 2025"),
        ] {
            let question = Question::of(question, jiff::civil::date(2025, 6, 15));
            assert_eq!(question.meaning(), meaning);
        }
    }
}
