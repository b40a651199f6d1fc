//! What somebody may have meant, and how words are told.

/// What other tools call what we call something else.
const ELSEWHERE: [(&str, &str); 34] = [
    ("steps", "plan"),
    ("jobs", "plan"),
    ("tasks", "plan"),
    ("title", "name"),
    ("cron", "schedule"),
    ("tz", "timezone"),
    ("zone", "timezone"),
    ("on", "trigger"),
    ("when", "condition"),
    ("if", "condition"),
    ("needs", "depends_on"),
    ("after", "depends_on"),
    ("requires", "depends_on"),
    ("foreach", "for_each"),
    ("loop", "for_each"),
    ("with_items", "for_each"),
    ("on_failure", "on_error"),
    ("catch", "on_error"),
    ("retries", "retry"),
    ("max_attempts", "attempts"),
    ("backoff", "factor"),
    ("with", "data"),
    ("payload", "data"),
    ("concurrency", "parallel"),
    ("period", "per"),
    ("window", "per"),
    ("interval", "per"),
    ("by", "key"),
    ("max_wait", "at_most"),
    ("text", "message"),
    ("prompt", "message"),
    ("workflow", "instruction"),
    ("id", "instruction"),
    ("type", "event"),
];

/// `` `a`, `b` and `c` ``.
pub(crate) fn list<S: AsRef<str>>(words: &[S]) -> String {
    match words {
        [] => "none".to_owned(),
        [only] => format!("`{}`", only.as_ref()),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|word| format!("`{}`", word.as_ref())).collect();
            format!("{} and `{}`", first.join(", "), last.as_ref())
        }
    }
}

/// What to write instead of a word that is not known.
pub(crate) fn instead_of<S: AsRef<str>>(word: &str, known: &[S], is_crowded: bool) -> Option<String> {
    meant(word, known, is_crowded).map(|meant| format!("did you mean `{meant}`?"))
}

/// The known word that somebody probably meant.
pub(crate) fn meant<'k, S: AsRef<str>>(word: &str, known: &'k [S], is_crowded: bool) -> Option<&'k str> {
    if is_crowded {
        return None;
    }
    let is_ours = |ours: &str| ELSEWHERE.iter().any(|(other, known)| *other == word && *known == ours);
    let elsewhere = known.iter().map(AsRef::as_ref).find(|ours| is_ours(ours));
    elsewhere.or_else(|| nearest(word, known))
}

/// The known word that differs least, if it differs little.
fn nearest<'k, S: AsRef<str>>(word: &str, known: &'k [S]) -> Option<&'k str> {
    const LONGEST: usize = 48;
    /// How many pairs of characters are compared: each word costs the square of its length.
    const PAIRS: usize = 200_000;
    if word.len() > LONGEST {
        return None;
    }
    let most = (word.chars().count() / 3).max(1);
    let plain = |text: &str| text.to_lowercase().replace(['-', ' '], "_");
    let wanted = plain(word);
    let near = known.iter().map(AsRef::as_ref).filter(|known| known.len().abs_diff(word.len()) <= most);
    let near = near.take(PAIRS / (word.len() * word.len()).max(1));
    let far = near.map(|known| (strsim::osa_distance(&wanted, &plain(known)), known));
    far.filter(|(distance, _)| *distance <= most).min().map(|(_, known)| known)
}

/// A name for programs, made from the one for people: `Daily Standup` is `daily_standup`.
pub(crate) fn slug(name: &str) -> String {
    let words = name.split(|sign: char| !sign.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{instead_of, list, slug};

    #[test]
    fn what_was_meant_is_near_or_called_so_elsewhere() {
        let keys = ["id", "depends_on", "condition", "plan"];
        let meant = |word| instead_of(word, &keys, false);
        assert_eq!(meant("dependson").as_deref(), Some("did you mean `depends_on`?"));
        assert_eq!(meant("Depends-On").as_deref(), Some("did you mean `depends_on`?"));
        assert_eq!(meant("steps").as_deref(), Some("did you mean `plan`?"));
        assert_eq!(meant("needs").as_deref(), Some("did you mean `depends_on`?"));
        assert_eq!(meant("colour"), None);
        assert_eq!(meant(&"x".repeat(1_000_000)), None);
    }

    #[test]
    fn a_slug_is_words_joined_by_lines() {
        assert_eq!(slug("Morning Email Summary"), "morning_email_summary");
        assert_eq!(slug("  A -- b/c! "), "a_b_c");
        assert_eq!(slug("日報"), "");
        assert_eq!(list(&["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
