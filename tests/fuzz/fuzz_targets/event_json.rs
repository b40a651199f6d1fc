//! JSON that somebody sends as an event: refused, or an event that says the same when it is written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vextir_core::Event;

fuzz_target!(|text: &str| {
    let Ok(event) = Event::from_json(text) else { return };
    let written = event.to_json();
    assert!(!written.is_empty(), "an event that was read has no JSON form");
    let again = Event::from_json(&written).expect("what was written can be read");
    assert_eq!(again, event);
    assert!(again.same_content(&event));
    assert_eq!(again.to_json(), written, "writing is settled");
    // Looking at the payload must not panic, whatever it is.
    let _ = event.data.value();
    let _ = event.data.decode::<Vec<u32>>();
});
