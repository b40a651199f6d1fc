//! The summary on the terminal.

use crate::args::Task;
use crate::human::{age, count, counted, day, shorten, size};
use crate::plan::{Plan, by_folder};
use crate::run::Deed;
use crate::summary::{Changes, Copies, FileLine, Summary};
use console::{Alignment, measure_text_width, pad_str, style};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use vextir::Timestamp;

/// How many lines a list has here; the event and the Markdown have more.
const LIST: usize = 5;
const TITLES: usize = 10;
const BAR: usize = 20;

/// Everything that a run has to say.
#[derive(Debug)]
pub(crate) struct Printer {
    pub(crate) summary: Summary,
    /// What could be filed away now.
    pub(crate) plan: Plan,
    pub(crate) task: Task,
    pub(crate) deed: Option<Deed>,
    /// Moves of an earlier run that this one finished.
    pub(crate) finished: u64,
    pub(crate) problems: Vec<String>,
    /// The copy of the sample that was worked on.
    pub(crate) copy: Option<PathBuf>,
    pub(crate) now: Timestamp,
}

impl Printer {
    pub(crate) fn print(&self) {
        print!("{}", self.text(width()));
    }

    /// Writes the summary as Markdown.
    pub(crate) fn write(&self, out: &Path) -> Result<(), String> {
        let text = crate::markdown::markdown(&self.summary);
        // Whole or not at all: somebody may be reading the old one.
        let fresh = out.with_extension("md.new");
        std::fs::write(&fresh, text)
            .and_then(|()| std::fs::rename(&fresh, out))
            .map_err(|error| format!("{}: {error}", out.display()))
    }

    fn text(&self, width: usize) -> String {
        let mut page = Page { text: String::new(), width };
        page.summary(&self.summary, self.now);
        if self.finished > 0 {
            page.heading("Finished");
            page.line(&format!(
                "{} of an earlier run that was broken off",
                counted(self.finished, "move", "moves")
            ));
        }
        match (&self.deed, &self.task) {
            (Some(deed), Task::Apply) => page.filed(deed),
            (Some(deed), _) => page.put_back(deed),
            (None, _) => page.open(&self.plan),
        }
        page.rest(self);
        page.text
    }
}

pub(crate) fn width() -> usize {
    let (_, columns) = console::Term::stdout().size_checked().unwrap_or((24, 100));
    usize::from(columns).clamp(60, 110)
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "  {line}");
    }

    fn heading(&mut self, heading: &str) {
        let _ = writeln!(self.text, "\n{}", style(heading).bold());
    }

    fn summary(&mut self, summary: &Summary, now: Timestamp) {
        let _ = writeln!(self.text, "{}", style(&summary.root).bold());
        self.line(&day(&summary.date));
        let mut facts = vec![
            counted(summary.files, "file", "files"),
            size(summary.bytes),
            counted(summary.folders, "folder", "folders"),
        ];
        if !summary.unreadable.is_empty() {
            facts.push(format!("{} unreadable", count(summary.unreadable.len() as u64)));
        }
        self.line(&facts.join(", "));
        if let Some(news) = &summary.news {
            self.line(&changes(news, &age(news.since, now)));
        }
        self.classes(summary);
        self.projects(summary);
        self.files("Largest", &summary.largest, |line| size(line.size));
        self.files("Newest", &summary.newest, |line| age(line.modified, now));
        self.duplicates(summary);
        self.titles(summary);
    }

    fn classes(&mut self, summary: &Summary) {
        if summary.files == 0 {
            return;
        }
        self.heading("By class");
        for total in &summary.classes {
            let share = share(total.bytes, summary.bytes);
            let bar = "█".repeat((share * BAR).div_ceil(100));
            let line = format!(
                "{:<10} {:>8}  {:>8}  {share:>3} %  {}",
                total.class.name(),
                count(total.files),
                size(total.bytes),
                style(bar).cyan()
            );
            self.line(line.trim_end());
        }
    }

    fn projects(&mut self, summary: &Summary) {
        if summary.projects.is_empty() {
            return;
        }
        self.heading("Projects, which stay whole");
        for project in &summary.projects {
            let path = if project.path.is_empty() { "the whole folder" } else { &project.path };
            let facts = format!("{}, {}", counted(project.files, "file", "files"), size(project.bytes));
            self.line(&format!("{:<12} {:<24} {}", project.kind, facts, self.fit(path, 40)));
        }
    }

    fn files(&mut self, heading: &str, lines: &[FileLine], fact: impl Fn(&FileLine) -> String) {
        if lines.is_empty() {
            return;
        }
        self.heading(heading);
        let facts: Vec<String> = lines.iter().take(LIST).map(fact).collect();
        let widest = facts.iter().map(|fact| measure_text_width(fact)).max().unwrap_or_default();
        for (line, fact) in lines.iter().zip(facts) {
            let fact = pad_str(&fact, widest, Alignment::Right, None);
            self.line(&format!("{fact}  {}", self.fit(&line.path, widest + 4)));
        }
    }

    fn duplicates(&mut self, summary: &Summary) {
        let found = &summary.duplicates;
        if found.groups == 0 {
            return;
        }
        let copies = counted(found.copies, "needless copy", "needless copies");
        self.heading(&format!("Duplicates: {copies}, {} wasted", size(found.wasted)));
        for Copies { size: bytes, count: copies, paths } in found.worst.iter().take(LIST) {
            for (index, path) in paths.iter().enumerate() {
                let fact = if index == 0 { size(*bytes) } else { "=".to_owned() };
                self.line(&format!("{fact:>8}  {}", self.fit(path, 12)));
            }
            if *copies > paths.len() as u64 {
                self.line(&format!("{:>8}  … {} more", "=", count(copies - paths.len() as u64)));
            }
        }
        let more = found.groups.saturating_sub(LIST as u64);
        if more > 0 {
            self.line(&format!("… and {}", counted(more, "other file", "other files")));
        }
    }

    fn titles(&mut self, summary: &Summary) {
        if summary.titles.is_empty() {
            return;
        }
        self.heading("Titles");
        let column = (self.width / 2).min(46);
        let titles = summary.titles.iter().take(TITLES);
        let widest = titles.clone().map(|title| measure_text_width(&title.title)).max().unwrap_or_default();
        let column = widest.min(column);
        for title in titles {
            let text = pad_str(&title.title, column, Alignment::Left, Some("…"));
            self.line(&format!("{text}  {}", style(self.fit(&title.path, column + 4)).dim()));
        }
    }

    fn open(&mut self, plan: &Plan) {
        if plan.steps.is_empty() {
            self.heading("Everything is in its place.");
            return;
        }
        let files = counted(plan.steps.len() as u64, "file", "files");
        self.heading(&format!("To file away: {files} (nothing was moved; --apply does it)"));
        let counts = by_folder(&plan.steps).into_iter().map(|(folder, count)| (folder.to_owned(), count));
        self.line(&folders(counts));
        let half = self.width.saturating_sub(8) / 2;
        for step in plan.steps.iter().take(LIST) {
            self.line(&format!("{} → {}", shorten(&step.from, half), shorten(&step.to, half)));
        }
        if plan.steps.len() > LIST {
            self.line(&format!("… and {} more", count((plan.steps.len() - LIST) as u64)));
        }
    }

    fn filed(&mut self, deed: &Deed) {
        if deed.moved == 0 && deed.stayed.is_empty() {
            self.heading("Everything is in its place: nothing was moved.");
            return;
        }
        self.heading(&format!("Filed away: {}", counted(deed.moved as u64, "file", "files")));
        if deed.moved > 0 {
            self.line(&folders(deed.by_folder.clone().into_iter()));
            self.line("The same command with --undo instead of --apply puts them back.");
        }
        self.stayed(deed);
    }

    fn put_back(&mut self, deed: &Deed) {
        if deed.moved == 0 && deed.stayed.is_empty() {
            self.heading("There is nothing to put back.");
            return;
        }
        self.heading(&format!("Put back: {}", counted(deed.moved as u64, "file", "files")));
        self.stayed(deed);
    }

    fn stayed(&mut self, deed: &Deed) {
        for skipped in deed.stayed.iter().take(LIST) {
            let path = self.fit(&skipped.from, skipped.reason.chars().count() + 12);
            self.line(&format!("stayed: {path}: {}", skipped.reason));
        }
        if deed.stayed.len() > LIST {
            self.line(&format!("… and {} more stayed", count((deed.stayed.len() - LIST) as u64)));
        }
    }

    fn rest(&mut self, printer: &Printer) {
        for path in printer.plan.blocked.iter().take(LIST) {
            self.line(&format!("stays: {}: a file stands where a folder is needed", self.fit(path, 52)));
        }
        for problem in &printer.problems {
            self.line(&format!("{} {problem}", style("failed:").red()));
        }
        if let Some(copy) = &printer.copy {
            self.line(&format!("(This is a copy of the sample, in {}.)", copy.display()));
        }
    }

    /// A path that fits beside something of this width.
    fn fit(&self, path: &str, beside: usize) -> String {
        shorten(path, self.width.saturating_sub(beside + 2).max(24))
    }
}

/// `12 to Documents, 3 to Images`.
fn folders(counts: impl Iterator<Item = (String, usize)>) -> String {
    let mut counts: Vec<(String, usize)> = counts.collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<String> =
        counts.iter().map(|(folder, files)| format!("{} to {folder}", count(*files as u64))).collect();
    parts.join(", ")
}

/// What happened since the summary before, in a sentence.
pub(crate) fn changes(news: &Changes, since: &str) -> String {
    let since = format!("Since the last summary, {since}: ");
    let all =
        [(news.created, "new"), (news.changed, "changed"), (news.moved, "moved"), (news.removed, "removed")];
    let parts: Vec<String> = all
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(*number)))
        .collect();
    let what = if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") };
    format!("{since}{what}")
}

/// Per cent, rounded.
pub(crate) fn share(part: u64, whole: u64) -> usize {
    let percent = (u128::from(part) * 100 + u128::from(whole) / 2).checked_div(u128::from(whole));
    usize::try_from(percent.unwrap_or_default()).unwrap_or_default()
}
