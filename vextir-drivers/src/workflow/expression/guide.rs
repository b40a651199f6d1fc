//! What the guide says about templates and conditions is so.

use super::{Condition, Names, Template};
use serde_json::{Value, json};

const GUIDE: &str = include_str!("../../../docs/expressions.md");

/// The rows of the table with this heading: what is written, and what comes of it.
fn rows(heading: &str) -> Vec<(String, String)> {
    let table = GUIDE.lines().skip_while(|line| !line.starts_with(&format!("| {heading} |"))).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let line = line.replace("\\|", "\u{0}");
        let mut cells =
            line.split('|').map(|cell| cell.trim().trim_matches('`').replace('\u{0}', "|")).skip(1);
        (cells.next().unwrap(), cells.next().unwrap())
    });
    rows.collect()
}

fn names() -> Names {
    let start = GUIDE.find("```json").unwrap() + 7;
    let block = &GUIDE[start..start + GUIDE[start..].find("```").unwrap()];
    serde_json::from_str(block).unwrap()
}

#[test]
fn templates_become_what_the_guide_says() {
    let now = "2025-06-16T09:00:00-04:00[America/New_York]".parse().unwrap();
    let rows = rows("template");
    assert!(rows.len() > 15);
    for (written, becomes) in rows {
        let rendered = Template::parse(&json!(written)).unwrap().render(&names(), &now);
        match becomes.as_str() {
            "an error" => assert!(rendered.is_err(), "{written}"),
            _ => assert_eq!(rendered.unwrap(), serde_json::from_str::<Value>(&becomes).unwrap(), "{written}"),
        }
    }
}

#[test]
fn conditions_are_what_the_guide_says() {
    let rows = rows("condition");
    assert!(rows.len() > 15);
    for (written, is) in rows {
        let told = Condition::parse(&written).unwrap().holds(&names());
        match is.as_str() {
            "an error" => assert!(told.is_err(), "{written}"),
            _ => assert_eq!(told.unwrap().to_string(), is, "{written}"),
        }
    }
}

#[test]
fn the_guide_names_all_filters_and_tests() {
    for name in super::template::known() {
        assert!(GUIDE.contains(&format!("`{name}")) || GUIDE.contains(&format!("is {name}`")), "{name}");
    }
}
