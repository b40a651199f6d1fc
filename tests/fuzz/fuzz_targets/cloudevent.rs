//! CloudEvents that somebody sends: refused, or an event that goes out and comes back unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vextir_core::Event;

fuzz_target!(|text: &str| {
    for event in [Event::from_cloudevent(text), Event::from_json(text)].into_iter().flatten() {
        let Ok(written) = event.to_cloudevent() else { continue };
        let again = Event::from_cloudevent(&written)
            .unwrap_or_else(|error| panic!("what was written cannot be read: {error}\n{written}"));
        assert!(again.same_content(&event), "{event:?}\nbecame\n{again:?}\nthrough\n{written}");
        assert_eq!(again.id, event.id);
        let twice = again.to_cloudevent().expect("what came in can go out");
        assert_eq!(Event::from_cloudevent(&twice).expect("and come in again"), again);
    }
});
