//! The answer to a question, on the terminal.

use crate::archive::{HITS, Hit};
use crate::human::{counted, plain};
use crate::question::Question;
use console::style;
use std::fmt::Write;

/// A question, and what was found.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) root: String,
    pub(crate) question: Question,
    pub(crate) hits: Vec<Hit>,
    /// How many files there are.
    pub(crate) files: usize,
    /// What could not be looked into, say: it may be what was asked for.
    pub(crate) problems: Vec<String>,
}

impl Answer {
    pub(crate) fn print(&self) {
        print!("{}", self.text(crate::terminal::width()));
    }

    // Writing to a string cannot fail, which is why nobody looks at the results.
    fn text(&self, width: usize) -> String {
        let mut text = String::new();
        let _ =
            writeln!(text, "{}\n  Looked for: {}", style(&self.root).bold(), plain(&self.question.meaning()));
        for problem in &self.problems {
            let _ = writeln!(text, "  {} {problem}", style("failed:").red());
        }
        if self.hits.is_empty() {
            let files = counted(self.files as u64, "file", "files");
            let _ = writeln!(text, "\n{}", style("Nothing was found.").bold());
            let _ = writeln!(text, "  {files} searched. Fewer words, or another time, may find more.");
            return text;
        }
        let found = counted(self.hits.len() as u64, "file", "files");
        let more = if self.hits.len() < HITS { "" } else { "; these are the best, there may be more" };
        let _ = writeln!(text, "\n{}{more}", style(format!("Found: {found}")).bold());
        for hit in &self.hits {
            // Whole, so that it can be copied.
            let _ = writeln!(text, "  {}", style(plain(&hit.path)).bold());
            let _ = writeln!(text, "    {}", about(hit));
            if !hit.snippet.trim().is_empty() {
                let _ = writeln!(text, "    {}", snippet(hit, width - 4));
            }
        }
        text
    }
}

/// The date, the title and the sum, as far as they are known.
fn about(hit: &Hit) -> String {
    let fact = |name: &str| hit.facts[name].as_str().map(plain);
    let when = fact("date").or_else(|| Some(format!("{} {}", fact("month")?, fact("year")?)));
    let total = fact("total").map(|total| format!("total {total}"));
    let parts: Vec<String> = [when, fact("title"), total].into_iter().flatten().collect();
    parts.join(" · ")
}

/// On one line that fits, with what was asked for emphasized.
fn snippet(hit: &Hit, width: usize) -> String {
    let mut out = String::new();
    let (mut room, mut is_space) = (width, true);
    for (at, sign) in hit.snippet.char_indices() {
        let sign = if sign.is_control() || sign.is_whitespace() { ' ' } else { sign };
        if sign == ' ' && is_space {
            continue;
        }
        if room == 1 {
            out.push('…');
            break;
        }
        (room, is_space) = (room - 1, sign == ' ');
        let is_marked = hit.marks.iter().any(|mark| mark.contains(&at));
        let sign = if is_marked { style(sign).bold() } else { style(sign).dim() };
        let _ = write!(out, "{sign}");
    }
    out
}
