//! What the guide says about templates and conditions is so.

use super::{Condition, Names, Template, is_name};
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

/// What is called a name is read by both as it is, and what is not by at least one of them otherwise.
#[test]
fn names_are_read_as_they_are() {
    let now = "2025-06-16T09:00:00-04:00[America/New_York]".parse().unwrap();
    for name in [
        "fetch",
        "fetch_mails",
        "n1",
        "_x",
        "size",
        "has",
        "map",
        "item",
        "index",
        "fetch-mails",
        "1st",
        "",
        "é",
        "a b",
        "if",
        "for",
        "loop",
        "null",
        "none",
        "None",
        "true",
        "True",
        "steps",
        "self",
        "in",
        "is",
        "as",
        "package",
        "a.b",
        "endif",
    ] {
        let value = json!({(name): {"output": 5}});
        let names = value.as_object().unwrap();
        let template = Template::parse(&json!(format!("{{{{ {name}.output + 0 }}}}")));
        let filled = template.is_ok_and(|template| template.render(names, &now) == Ok(json!(5)));
        let condition = Condition::parse(&format!("{name}.output == 5"));
        let holds = condition.is_ok_and(|condition| condition.holds(names) == Ok(true));
        assert_eq!(is_name(name), filled && holds, "{name}: {filled} {holds}");
        // By its id a step can be read whatever it is called.
        let by_id = Template::parse(&json!(format!("{{{{ steps['{name}'].output + 0 }}}}"))).unwrap();
        assert_eq!(by_id.render(names, &now), Ok(json!(5)), "{name}");
        let by_id = Condition::parse(&format!("steps['{name}'].output == 5")).unwrap();
        assert_eq!(by_id.holds(names), Ok(true), "{name}");
    }
}
