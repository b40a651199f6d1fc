//! The summary of a folder: what is in it, what is new, what is there twice.

use crate::catalog::Catalog;
use crate::class::Class;
use crate::duplicates::groups;
use crate::layout::{folders, projects};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use vextir::Timestamp;

/// How many files each list holds.
const LIST: usize = 10;
/// How many titles and how many copies of one file are listed.
const TITLES: usize = 20;
const COPIES: usize = 5;

/// What there is to say about a folder on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Summary {
    /// As in 2025-06-15.
    pub(crate) date: String,
    pub(crate) root: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) folders: u64,
    pub(crate) unreadable: Vec<String>,
    pub(crate) classes: Vec<ClassTotal>,
    pub(crate) projects: Vec<ProjectTotal>,
    pub(crate) largest: Vec<FileLine>,
    pub(crate) newest: Vec<FileLine>,
    pub(crate) duplicates: Duplicates,
    pub(crate) titles: Vec<Title>,
    /// None in the first summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) news: Option<Changes>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClassTotal {
    pub(crate) class: Class,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProjectTotal {
    pub(crate) path: String,
    pub(crate) kind: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FileLine {
    pub(crate) path: String,
    pub(crate) size: u64,
    #[schemars(with = "String")]
    pub(crate) modified: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Duplicates {
    pub(crate) groups: u64,
    /// Copies beyond the first of each group.
    pub(crate) copies: u64,
    pub(crate) wasted: u64,
    pub(crate) worst: Vec<Copies>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Copies {
    pub(crate) size: u64,
    pub(crate) count: u64,
    /// The first few.
    pub(crate) paths: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Title {
    pub(crate) title: String,
    pub(crate) path: String,
}

/// What happened since the summary before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Changes {
    #[schemars(with = "String")]
    pub(crate) since: Timestamp,
    pub(crate) created: u64,
    pub(crate) changed: u64,
    pub(crate) moved: u64,
    pub(crate) removed: u64,
}

/// Sums up a catalog. `exists` tells of hidden files that make a folder a project.
pub(crate) fn summarize(catalog: &Catalog, date: String, exists: &dyn Fn(&str) -> bool) -> Summary {
    let lines: Vec<FileLine> = catalog
        .files
        .iter()
        .map(|(path, entry)| FileLine { path: path.clone(), size: entry.size, modified: entry.modified })
        .collect();
    let around: BTreeSet<&str> = catalog.files.keys().flat_map(|path| folders(path)).collect();
    let news = catalog.news;
    Summary {
        date,
        root: catalog.root.clone().unwrap_or_default(),
        files: lines.len() as u64,
        bytes: lines.iter().map(|line| line.size).sum(),
        folders: around.len() as u64,
        unreadable: catalog.unreadable.iter().take(LIST).cloned().collect(),
        classes: classes(catalog),
        projects: project_totals(catalog, exists),
        largest: top(&lines, |line| Reverse(line.size)),
        newest: top(&lines, |line| Reverse(line.modified)),
        duplicates: duplicates(catalog),
        titles: titles(catalog),
        news: catalog.summary.as_ref().map(|(since, _)| Changes {
            since: *since,
            created: news.created,
            changed: news.changed,
            moved: news.moved,
            removed: news.removed,
        }),
    }
}

fn top<K: Ord>(lines: &[FileLine], key: impl Fn(&FileLine) -> K) -> Vec<FileLine> {
    let mut sorted: Vec<&FileLine> = lines.iter().collect();
    sorted.sort_by_key(|line| key(line));
    sorted.into_iter().take(LIST).cloned().collect()
}

/// Totals of the classes that there are, the largest first.
fn classes(catalog: &Catalog) -> Vec<ClassTotal> {
    let mut totals = Class::ALL.map(|class| ClassTotal { class, files: 0, bytes: 0 });
    for (path, entry) in &catalog.files {
        let class = entry.class(path);
        if let Some(total) = totals.iter_mut().find(|total| total.class == class) {
            (total.files, total.bytes) = (total.files + 1, total.bytes + entry.size);
        }
    }
    let mut totals: Vec<ClassTotal> = totals.into_iter().filter(|total| total.files > 0).collect();
    totals.sort_by_key(|total| Reverse(total.bytes));
    totals
}

fn project_totals(catalog: &Catalog, exists: &dyn Fn(&str) -> bool) -> Vec<ProjectTotal> {
    let mut totals: Vec<ProjectTotal> = Vec::new();
    for project in projects(catalog.files.keys(), exists) {
        let inside = catalog.files.iter().filter(|(path, _)| project.holds(path));
        let (files, bytes) =
            inside.fold((0, 0), |(files, bytes), (_, entry)| (files + 1, bytes + entry.size));
        totals.push(ProjectTotal { kind: project.kind.to_owned(), path: project.path, files, bytes });
    }
    totals.sort_by_key(|total| Reverse(total.bytes));
    totals.truncate(LIST);
    totals
}

fn duplicates(catalog: &Catalog) -> Duplicates {
    let groups = groups(catalog);
    let worst = groups.iter().take(LIST).map(|group| Copies {
        size: group.size,
        count: group.paths.len() as u64,
        paths: group.paths.iter().take(COPIES).cloned().collect(),
    });
    Duplicates {
        groups: groups.len() as u64,
        copies: groups.iter().map(|group| group.paths.len() as u64 - 1).sum(),
        wasted: groups.iter().map(crate::duplicates::Group::wasted).sum(),
        worst: worst.collect(),
    }
}

/// The titles of the newest documents; of several copies, one.
fn titles(catalog: &Catalog) -> Vec<Title> {
    let copies: BTreeSet<String> =
        groups(catalog).into_iter().flat_map(|group| group.paths.into_iter().skip(1)).collect();
    let mut titled: Vec<_> =
        catalog.files.iter().filter_map(|(path, entry)| Some((path, entry, entry.title.clone()?))).collect();
    titled.retain(|(path, ..)| !copies.contains(*path));
    titled.sort_by_key(|(path, entry, _)| (Reverse(entry.modified), path.as_str()));
    titled.into_iter().take(TITLES).map(|(path, _, title)| Title { title, path: path.clone() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::tests::{catalog, tell};
    use crate::events::{Described, Summarized};

    #[test]
    fn a_summary_counts_what_is_there() {
        let mut catalog =
            catalog(&[("a.txt", "12345"), ("b/c.png", "1"), ("b/d.png", "1"), ("p/go.mod", "")]);
        let title = Some("A title".to_owned());
        tell(&mut catalog, Described { path: "a.txt".into(), class: Class::Documents, title });
        let summary = summarize(&catalog, "2025-06-15".into(), &|_| false);
        assert_eq!((summary.files, summary.bytes, summary.folders), (4, 7, 2));
        let classes: Vec<_> = summary.classes.iter().map(|total| (total.class, total.files)).collect();
        assert_eq!(classes, [(Class::Documents, 1), (Class::Images, 2), (Class::Other, 1)]);
        assert_eq!((summary.duplicates.copies, summary.duplicates.wasted), (1, 1));
        assert_eq!(summary.largest[0].path, "a.txt");
        assert_eq!(summary.titles[0].title, "A title");
        assert_eq!(summary.projects[0].kind, "Go");
        assert_eq!(summary.news, None);

        tell(&mut catalog, Summarized { summary });
        tell(&mut catalog, crate::catalog::tests::created("new", "x"));
        let news = summarize(&catalog, "2025-06-16".into(), &|_| false).news.unwrap();
        assert_eq!((news.created, news.changed), (1, 0));
    }
}
