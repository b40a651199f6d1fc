//! Patterns and names: two lines, a pattern and a type. The one matcher agrees with a plain reading of the grammar.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vextir_core::{Event, EventFilter, Pattern, check_type};

/// The grammar as one would explain it.
fn fits(pattern: &[&str], segments: &[&str]) -> bool {
    match (pattern, segments) {
        (["**"], rest) => !rest.is_empty(),
        (["*", pattern @ ..], [_, rest @ ..]) => fits(pattern, rest),
        ([exact, pattern @ ..], [segment, rest @ ..]) => exact == segment && fits(pattern, rest),
        ([], []) => true,
        _ => false,
    }
}

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once('\n').unwrap_or((text, "task.created"));
    let Ok(pattern) = Pattern::new(first) else { return };
    assert_eq!(pattern.as_str(), first, "a pattern is kept as it came");
    let filter = EventFilter::try_from(first).expect("a pattern is a filter");
    if check_type(second).is_err() {
        // A name that is none must not panic.
        let _ = pattern.matches(second);
        return;
    }
    let plain = fits(&first.split('.').collect::<Vec<_>>(), &second.split('.').collect::<Vec<_>>());
    assert_eq!(pattern.matches(second), plain, "{first} and {second}");
    assert_eq!(filter.matches(&Event::new(second.to_owned())), plain, "{first} and {second}");
    if pattern.is_exact() {
        assert_eq!(plain, first == second);
    }
    let both = EventFilter::try_from([first, "**"]).expect("a list of patterns is a filter");
    assert!(both.matches(&Event::new(second.to_owned())));
});
