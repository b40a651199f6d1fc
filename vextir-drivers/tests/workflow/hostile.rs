//! Files that nobody would write, and files that somebody wrote badly: each is answered, at once.

use proptest::prelude::*;
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use vextir::ErrorKind;
use vextir_drivers::workflow::{Act, Catalogue, Faults, Instruction};

fn faults(text: &str) -> Faults {
    Instruction::from_yaml("a.yaml", text).unwrap_err()
}

fn first(text: &str) -> String {
    faults(text).iter().next().unwrap().to_string()
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_windows_do_not_count() {
    assert_eq!(first("\u{feff}naem: A\nplan: []\n"), "1:1: an instruction has no key \"naem\"");
    let said = faults("name: A\r\nplan:\r\n  - emitt: {type: a.b}\r\n").to_string();
    assert!(said.starts_with("a.yaml:3:5: a step has no key \"emitt\"\n"), "{said}");
    assert!(!said.contains('\r'), "{said:?}");
}

#[test]
fn what_is_too_large_is_not_read() {
    let large = format!("name: A\nplan: [emit: {{type: a.b}}]\n#{}", "x".repeat(1 << 20));
    assert_eq!(
        faults(&large).to_string(),
        format!("a.yaml: {} bytes are too many for an instruction; at most 1048576", large.len())
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.yaml");
    std::fs::write(&path, &large).unwrap();
    let said = Instruction::from_file(&path).unwrap_err().to_string();
    assert!(
        said.ends_with("large.yaml: the file is too large for an instruction; at most 1048576 bytes"),
        "{said}"
    );
}

#[test]
fn files_that_are_not_there_or_not_text_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let said = Instruction::from_file(&path).unwrap_err().to_string();
    assert!(said.contains("a.yaml: the file cannot be read: "), "{said}");
    let said = Instruction::from_file(folder.path()).unwrap_err().to_string();
    assert!(said.contains("the file cannot be read: "), "{said}");
    std::fs::write(&path, b"name: \"\xc3\xa4\xff\"\nplan: []\n").unwrap();
    let faults = Instruction::from_file(&path).unwrap_err();
    let fault = faults.iter().next().unwrap();
    assert_eq!((fault.line, fault.column, fault.message.as_str()), (1, 9, "this is not UTF-8"));
    assert!(faults.file().ends_with("a.yaml"));
}

#[test]
fn an_error_of_the_kernel_says_the_first_and_how_many_more() {
    let faults = faults("name: A\ncolour: red\nplan: []\n");
    assert_eq!(format!("{faults:?}"), faults.to_string());
    let error = vextir::Error::from(faults);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "a.yaml:2:1: an instruction has no key \"colour\" (and 1 more)");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("the plan has no steps"), "{source}");
}

#[test]
fn at_most_fifty_are_shown_and_the_rest_counted() {
    let mut text = "name: A\nplan:\n".to_owned();
    for index in 0..900 {
        let _ = writeln!(text, "  - {{id: s{index}, retry: 0, timeout: x, emit: {{type: a.b}}}}");
    }
    let faults = faults(&text);
    assert_eq!((faults.iter().len(), faults.count()), (50, 1_800));
    assert!(faults.to_string().ends_with("a.yaml: and 1750 more"));
    let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
    assert!(lines.is_sorted() && lines[0] == 3, "{lines:?}");
}

/// A megabyte that begins so, and goes on with the same part.
fn fill(head: &str, part: &str) -> String {
    format!("{head}{}", part.repeat(((1 << 20) - head.len()) / part.len()))
}

/// A plan of this many lines.
fn plan(lines: usize, line: impl Fn(usize) -> String) -> String {
    let lines: String =
        (0..lines).map(|index| format!("  - {{{}, emit: {{type: a.b}}}}\n", line(index))).collect();
    format!("name: A\nplan:\n{lines}")
}

/// 15 steps whose text is this tag, many times.
fn texts(tag: &str, count: usize) -> String {
    let tags = tag.repeat(count);
    let step = |index| format!("  - {{id: s{index}, emit: {{type: a.b, x: \"\\t{tags}\"}}}}\n");
    format!("name: A\nplan:\n{}", (0..15).map(step).collect::<String>())
}

/// Aliases that unfold to too much, by number, by size and by depth.
fn aliases() -> [String; 3] {
    let mut billion = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (one, next) in ('a'..='y').zip('b'..) {
        let _ = writeln!(billion, "{next}: &{next} [*{one}, *{one}, *{one}, *{one}, *{one}, *{one}, *{one}]");
    }
    let long = format!("name: A\na: &a {}\nb: [{}]\n", "y".repeat(500_000), "*a, ".repeat(100_000));
    let nested = (1..500).map(|index| format!("a{index}: &a{index} [*a{}]\n", index - 1));
    [billion, long, format!("a0: &a0 [x]\n{}", nested.collect::<String>())]
}

/// Each answers, without a stack overflow, in a time that a debug build on a busy machine keeps.
#[test]
fn bombs_do_not_go_off() {
    let far = "a".repeat(44);
    let mut bombs = vec![
        texts("{{nobody.output.x}} {% if s0.output.y %}.{% endif %} ", 300),
        texts("{{s15.output.some_long_name_of_a_field_of_a_step}} and so on ", 900),
        texts("{{x|y}}{% z %}", 1_000),
        texts("{{", 30_000),
        plan(900, |index| format!("id: {far}{index}, depends_on: [{far}b{index}]")),
        plan(1_000, |index| format!("id: s{index}, depends_on: [s{}]", (index + 1) % 1_000)),
        fill("name: A\nplan:\n", "  - {emit: {type: a.b, data: {x: {{y}}}}}\n"),
        fill("name: A\nplan:\n", "- - - a\n"),
        fill("name: A\nplan: \"", "a"),
        fill("name: A\nplan: |\n", "\n"),
        fill("name: A\nplan: [", "a, "),
        fill("name: A\nplan: &a ", "&a "),
    ];
    bombs.extend(aliases());
    bombs.extend(["[", "{a: ", "a ", "*a ", "!!str ", "\t"].map(|part| fill("name: A\nplan: ", part)));
    bombs.extend(["- ", "? "].map(|part| fill("name: A\nplan:\n", part)));
    bombs.extend(["a: b\n", "--- a\n", "%TAG ! a\n", "\u{feff}"].map(|part| fill("", part)));
    bombs.push(fill("name: ", "a"));
    for bomb in bombs {
        let begun = Instant::now();
        let said = faults(&bomb).to_string();
        let took = begun.elapsed();
        let head: String = bomb.chars().take(60).collect();
        println!("{took:?} {} bytes: {head:?}", bomb.len());
        assert!(took < Duration::from_secs(10), "{took:?}: {head}");
        assert!(said.len() < 100_000 && !said.is_empty(), "{}: {head}", said.len());
    }
}

/// 500 steps, each with a template, a condition and a dependency.
#[test]
fn a_long_instruction_is_read_quickly() {
    let mut text = "name: Long\ninputs: [{name: x}]\nplan:\n  - {id: s0, emit: {type: a.b}}\n".to_owned();
    for index in 1..500 {
        let before = index - 1;
        let _ = writeln!(
            text,
            "  - id: s{index}\n    depends_on: [s{before}, s0]\n    condition: \"s{before}.output.n > {index}\"\n    retry: {{attempts: 3, delay: 1s}}\n    emit:\n      type: a.b\n      data: {{text: \"{{{{s{before}.output.text}}}} and {{{{inputs.x}}}}\", list: [1, 2, 3]}}"
        );
    }
    let begun = Instant::now();
    let instruction = Instruction::from_yaml("long.yaml", &text).unwrap();
    let took = begun.elapsed();
    println!("{} bytes, {} steps: {took:?}", text.len(), instruction.steps.len());
    assert_eq!(instruction.steps.len(), 500);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

const GOOD: [&str; 4] = [
    include_str!("good/daily_standup.yaml"),
    include_str!("good/email_summary.yaml"),
    include_str!("good/severe_weather.yaml"),
    include_str!("good/everything.yaml"),
];

/// A part of a file is removed, doubled, replaced or put elsewhere.
fn mutate(text: &str, (how, from, length, to): (u8, usize, usize, usize)) -> String {
    const SALT: [&str; 20] = [
        "{{", "}}", "[", "]", "{", "}", ": ", "- ", "\n", "\t", "\"", "'", "&a ", "*a", "|\n", "null",
        "\u{feff}", "é", "\0", "? ",
    ];
    let signs: Vec<char> = text.chars().collect();
    let start = from % signs.len();
    let end = (start + length).min(signs.len());
    let place = to % signs.len();
    let part: String = signs[start..end].iter().collect();
    let (head, tail): (String, String) = (signs[..start].iter().collect(), signs[end..].iter().collect());
    match how % 4 {
        0 => head + &*tail,
        1 => head + &*part + &*part + &*tail,
        2 => head + SALT[to % SALT.len()] + &*tail,
        _ => {
            let mut rest: Vec<char> = head.chars().chain(tail.chars()).collect();
            let place = place.min(rest.len());
            rest.splice(place..place, part.chars());
            rest.into_iter().collect()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_good_file_gone_bad_is_answered(
        file in 0..GOOD.len(),
        changes in prop::collection::vec((any::<u8>(), any::<usize>(), 0usize..40, any::<usize>()), 1..5),
    ) {
        let text = changes.into_iter().fold(GOOD[file].to_owned(), |text, change| {
            if text.is_empty() { text } else { mutate(&text, change) }
        });
        answered(&text)?;
    }

    #[test]
    fn anything_is_answered(text in "(?s).{0,200}", lines in prop::collection::vec("[ -]{0,4}[a-z{}\\[\\]\"&*!|>:]{0,8}: ?[ -~]{0,20}\n", 0..12)) {
        answered(&text)?;
        answered(&lines.concat())?;
        answered(&format!("name: A\nplan:\n{}", lines.concat()))?;
    }
}

/// Either it loads, and the same text loads the same; or each fault has a place in the text and a message.
fn answered(text: &str) -> Result<(), TestCaseError> {
    match Instruction::from_yaml("a.yaml", text) {
        Ok(instruction) => {
            let again = Instruction::from_yaml("b.yaml", text).unwrap();
            prop_assert_eq!(&instruction.hash, &again.hash);
            // Nobody takes any event, so each step that emits one is told.
            let untaken = instruction.check(&Catalogue::default()).map_err(|faults| faults.count());
            let emits = instruction.steps.iter().filter(|step| matches!(step.act, Act::Emit { .. })).count();
            prop_assert!(untaken.err().unwrap_or(0) >= emits);
        }
        Err(faults) => {
            prop_assert!(faults.count() > 0 && !faults.to_string().is_empty());
            for fault in faults.iter() {
                prop_assert!(fault.line <= text.split('\n').count(), "{}", fault);
                prop_assert!(fault.line > 0 || text.is_empty() || text == "\u{feff}", "{}", fault);
                prop_assert!(!fault.message.contains('\n') && !fault.message.is_empty(), "{}", fault);
            }
        }
    }
    Ok(())
}
