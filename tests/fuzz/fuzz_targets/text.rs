//! Everything small that is read from text: names, ids, times, cursors. What is read is written as it came, or in a
//! form that reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fmt::{Debug, Display};
use std::str::FromStr;
use vextir_core::{Category, Cursor, EventId, Timestamp, check_type};

fn settles<T: FromStr + Display + Debug + PartialEq>(text: &str) -> Option<T> {
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    match written.parse::<T>() {
        Ok(again) => assert_eq!(again, read, "{text:?} through {written:?}"),
        Err(_) => panic!("{text:?} was read as {read:?}, and {written:?} is not read"),
    }
    Some(read)
}

fuzz_target!(|text: &str| {
    if let Some(id) = settles::<EventId>(text) {
        assert_eq!(id.to_string(), text, "an id is kept as it came");
        assert_eq!(id.foreign().is_none(), id.uuid_bytes().is_some());
        if let Some(bytes) = id.uuid_bytes() {
            assert_eq!(EventId::from_uuid_bytes(bytes), id);
        }
    }
    if let Some(time) = settles::<Timestamp>(text) {
        assert_eq!(Timestamp::from_micros(time.as_micros()), time);
        let json = serde_json::to_string(&time).expect("a time has a JSON form");
        assert_eq!(serde_json::from_str::<Timestamp>(&json).expect("which is read"), time);
    }
    settles::<Cursor>(text);
    if let Ok(category) = text.parse::<Category>() {
        assert_eq!(category.as_str(), text);
    }
    if check_type(text).is_ok() {
        assert!(text.split('.').all(|segment| !segment.is_empty()), "{text:?}");
        assert!(vextir_core::Pattern::new(text.to_owned()).is_ok_and(|pattern| pattern.matches(text)));
    }
});
