//! The summary as Markdown.

use crate::human::{clock, count, counted, day, size};
use crate::summary::{FileLine, Summary};
use crate::terminal::{changes, share};
use std::fmt::Write;

/// The whole page.
pub(crate) fn markdown(summary: &Summary) -> String {
    let mut page = String::new();
    header(&mut page, summary);
    totals(&mut page, summary);
    files(&mut page, "Largest", "Size", &summary.largest, |line| size(line.size));
    files(&mut page, "Newest", "Changed", &summary.newest, |line| clock(line.modified));
    duplicates(&mut page, summary);
    titles(&mut page, summary);
    page
}

// Writing to a string cannot fail, which is why nobody looks at the results.

fn header(page: &mut String, summary: &Summary) {
    let _ = writeln!(page, "# {}\n\n{}\n", day(&summary.date), code(&summary.root));
    let files = counted(summary.files, "file", "files");
    let folders = counted(summary.folders, "folder", "folders");
    let _ = writeln!(page, "{files}, {} in {folders}.", size(summary.bytes));
    if let Some(news) = &summary.news {
        let _ = writeln!(page, "{}.", changes(news, &clock(news.since)));
    }
    if !summary.unreadable.is_empty() {
        let names: Vec<String> = summary.unreadable.iter().map(|path| code(path)).collect();
        let _ = writeln!(page, "Unreadable: {}.", names.join(", "));
    }
}

fn totals(page: &mut String, summary: &Summary) {
    if summary.files > 0 {
        let _ = writeln!(page, "\n## By class\n\n| Class | Files | Size | Share |\n|---|---:|---:|---:|");
    }
    for total in &summary.classes {
        let (files, bytes) = (count(total.files), size(total.bytes));
        let share = share(total.bytes, summary.bytes);
        let _ = writeln!(page, "| {} | {files} | {bytes} | {share} % |", total.class.name());
    }
    if !summary.projects.is_empty() {
        let _ = writeln!(page, "\n## Projects\n\n| Project | Kind | Files | Size |\n|---|---|---:|---:|");
    }
    for project in &summary.projects {
        let path =
            if project.path.is_empty() { "(the whole folder)".to_owned() } else { code(&project.path) };
        let (files, bytes) = (count(project.files), size(project.bytes));
        let _ = writeln!(page, "| {path} | {} | {files} | {bytes} |", project.kind);
    }
}

fn files(
    page: &mut String,
    heading: &str,
    column: &str,
    lines: &[FileLine],
    fact: impl Fn(&FileLine) -> String,
) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n## {heading}\n\n| {column} | File |\n|---:|---|");
    for line in lines {
        let _ = writeln!(page, "| {} | {} |", fact(line), code(&line.path));
    }
}

fn duplicates(page: &mut String, summary: &Summary) {
    let found = &summary.duplicates;
    if found.groups == 0 {
        return;
    }
    let copies = counted(found.copies, "needless copy", "needless copies");
    let _ = writeln!(page, "\n## Duplicates\n\n{copies}, {} wasted.\n", size(found.wasted));
    for copies in &found.worst {
        let paths: Vec<String> = copies.paths.iter().map(|path| code(path)).collect();
        let more = copies.count - copies.paths.len() as u64;
        let more = if more > 0 { format!(" and {} more", count(more)) } else { String::new() };
        let _ = writeln!(page, "- {}: {}{more}", size(copies.size), paths.join(" = "));
    }
    let more = found.groups - found.worst.len() as u64;
    if more > 0 {
        let _ = writeln!(page, "- and {}", counted(more, "other file", "other files"));
    }
}

fn titles(page: &mut String, summary: &Summary) {
    if summary.titles.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n## Titles\n\n| Title | File |\n|---|---|");
    for title in &summary.titles {
        let _ = writeln!(page, "| {} | {} |", text(&title.title), code(&title.path));
    }
}

/// Text in which nothing is markup.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_[]<>|#~&".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A path as code; a fence of backticks longer than any inside, and no bar that would end a table's cell.
fn code(path: &str) -> String {
    let longest = path.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if path.starts_with('`') || path.ends_with('`') { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", path.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_markup() {
        assert_eq!(text("a*b_c|d"), r"a\*b\_c\|d");
        assert_eq!(code("plain.txt"), "`plain.txt`");
        assert_eq!(code("a`b|c"), r"``a`b\|c``");
        assert_eq!(code("`a"), "`` `a ``");
    }

    #[test]
    fn a_page_has_what_the_summary_has() {
        let catalog =
            crate::catalog::tests::catalog(&[("a.txt", "same"), ("b/a.txt", "same"), ("c.png", "x")]);
        let summary = crate::summary::summarize(&catalog, "2025-06-15".into(), &|_| false);
        let page = markdown(&summary);
        for part in [
            "# Sunday, 15 June 2025\n",
            "3 files, 9 B in 1 folder.",
            "| Documents | 2 | 8 B | 89 % |",
            "- 4 B: `a.txt` = `b/a.txt`",
        ] {
            assert!(page.contains(part), "{part} is not in:\n{page}");
        }
    }
}
