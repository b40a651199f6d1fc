//! What there is to say about a file, so that it can be found: by its name, how its content begins, and its times.

use crate::class::Class;
use crate::dates::{When, first, month_name, week, words};
use jiff::civil::Date;
use serde_json::{Value, json};
use vextir::Timestamp;

/// Sorts of papers, and the words that name them: in files and in questions.
pub(crate) const KINDS: [(&str, &[&str]); 9] = [
    ("invoice", &["invoice", "invoices", "bills"]),
    ("receipt", &["receipt", "receipts"]),
    ("letter", &["letter", "letters"]),
    ("note", &["note", "notes"]),
    ("minutes", &["minutes", "meeting", "meetings"]),
    ("recipe", &["recipe", "recipes"]),
    ("offer", &["offer", "offers", "quotation", "quotations"]),
    ("contract", &["contract", "contracts"]),
    ("summary", &["summary", "summaries"]),
];

/// A date is looked for in so much of a text.
const DATED: usize = 4 << 10;

/// The longest sum of money that is kept.
const SUM: usize = 32;

/// A file that was looked into.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct File {
    /// Below the folder, as the `files` driver writes it.
    pub(crate) path: String,
    pub(crate) class: Class,
    pub(crate) title: Option<String>,
    pub(crate) size: u64,
    pub(crate) modified: Timestamp,
    /// The beginning of its text; empty if it has none.
    pub(crate) text: String,
}

impl File {
    /// The metadata of the document about it: what a question may ask for, each as a value of its own.
    pub(crate) fn facts(&self) -> Value {
        let mut facts = json!({
            "path": self.path,
            "class": self.class.name().to_lowercase(),
            "kind": self.kinds(),
            "size": self.size,
            "modified": self.modified.to_string(),
        });
        for (key, value) in [("title", self.title.clone()), ("total", total(&self.text))] {
            if let Some(value) = value {
                facts[key] = value.into();
            }
        }
        self.when().inspect(|when| add_when(&mut facts, *when));
        facts
    }

    /// The sorts that its name says; without one there its title, and then the nearest folder that says one.
    fn kinds(&self) -> Vec<&'static str> {
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        let title = self.title.as_deref().unwrap_or_default();
        let places = [name, title].into_iter().chain(folder.rsplit('/'));
        places.map(kinds).find(|kinds| !kinds.is_empty()).unwrap_or_default()
    }

    /// The date in its name; else the first one in a document; else when it was modified.
    fn when(&self) -> Option<When> {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let head = match self.class {
            Class::Documents => &self.text[..self.text.floor_char_boundary(DATED)],
            _ => "",
        };
        first(name).or_else(|| first(head)).or_else(|| day_of(self.modified).map(When::Day))
    }
}

/// Adds the members by which a time is asked for.
pub(crate) fn add_when(facts: &mut Value, when: When) {
    facts["year"] = when.year().to_string().into();
    facts["month"] = month_name(when.month()).into();
    if let When::Day(date) = when {
        facts["week"] = week(date).into();
        facts["date"] = date.to_string().into();
    }
}

/// The day of a time, where the reader is.
pub(crate) fn day_of(time: Timestamp) -> Option<Date> {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::system()).date())
}

/// The sorts that a text names.
fn kinds(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let words = words(&text);
    let names = |known: &[&str]| words.iter().any(|word| known.contains(&word.text));
    KINDS.iter().filter(|(_, known)| names(known)).map(|(kind, _)| *kind).collect()
}

/// What comes to how much, as the last line with a total says.
fn total(text: &str) -> Option<String> {
    let sum = |line: &str| {
        let lower = line.to_ascii_lowercase();
        let begin = lower.match_indices("total").map(|(at, _)| at).find(|at| {
            let is_inside = |c: char| c.is_alphanumeric() || c == '-';
            !lower[..*at].ends_with(is_inside) && !lower[at + 5..].starts_with(is_inside)
        })?;
        let sum = line[begin + 5..].trim_matches(|c: char| c.is_whitespace() || ":=|*_.".contains(c));
        (sum.contains(|c: char| c.is_ascii_digit()) && sum.len() <= SUM).then(|| sum.to_owned())
    };
    text.lines().rev().find_map(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, title: &str, text: &str) -> File {
        File {
            path: path.into(),
            class: Class::Documents,
            title: Some(title.to_owned()).filter(|title| !title.is_empty()),
            size: text.len() as u64,
            modified: "2024-02-29T12:00:00Z".parse().unwrap(),
            text: text.into(),
        }
    }

    #[test]
    fn facts_come_from_the_name_the_text_and_the_times() {
        let text =
            "# Invoice 17\n\nDate: 12 June 2025\nDue: 12 July 2025\n\nSubtotal 70.00\n**Total:** 84.50 EUR\n";
        let facts = file("scans/0017.md", "Invoice 17", text).facts();
        let expected = json!({
            "path": "scans/0017.md", "class": "documents", "kind": ["invoice"], "size": text.len(),
            "modified": "2024-02-29T12:00:00Z", "title": "Invoice 17", "total": "84.50 EUR",
            "year": "2025", "month": "June", "week": "2025-W24", "date": "2025-06-12",
        });
        assert_eq!(facts, expected);

        let named = file("bills/2025-07.txt", "", "12 June 2025").facts();
        let said = ["kind", "year", "month", "week", "date", "total"].map(|key| named[key].clone());
        assert_eq!(
            said,
            [json!(["invoice"]), json!("2025"), json!("July"), json!(null), json!(null), json!(null)]
        );
        assert_eq!(file("a", "", "").facts()["date"], "2024-02-29");
    }

    #[test]
    fn the_nearest_word_says_what_sort_it_is() {
        for (path, title, kinds) in [
            ("invoices/letter to Ann.txt", "An invoice", &["letter"][..]),
            ("invoices/x.txt", "A letter", &["letter"]),
            ("notes/invoices/x.txt", "", &["invoice"]),
            ("Meeting notes.md", "", &["note", "minutes"]),
            ("invoiced.txt", "", &[]),
        ] {
            assert_eq!(file(path, title, "").kinds(), kinds, "{path}");
        }
    }

    #[test]
    fn a_total_is_a_line_that_says_how_much() {
        for (text, sum) in [
            ("Total: €1,240.00\n", Some("€1,240.00")),
            ("| Total | 3 |\n", Some("3")),
            ("total\n12\n", None),
            ("totally 12", None),
            ("sub-total 12", None),
            ("In total we met 12 people on the way from the station to the old mill", None),
            ("tötal total é 5", Some("é 5")),
        ] {
            assert_eq!(total(text).as_deref(), sum, "{text}");
        }
    }
}
