//! A crate that calls the library `vx`.

use super::types;
use vx::prelude::{Deserialize, Driver, Event, JsonSchema, Payload, Serialize, driver};

#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "note.add", crate = ::vx)]
struct AddNote {
    text: String,
}

struct Notes;

#[driver("notes", crate = vx)]
impl Notes {
    #[on]
    async fn add(&self, note: AddNote, _cx: &vx::Ctx) -> Event {
        Event::new("note.added").with_source(note.text)
    }

    #[on("note.*")]
    async fn other(&self, _event: vx::Event) {}
}

#[tokio::test]
async fn the_path_of_the_library_is_an_option() {
    let event = Event::of(&AddNote { text: "rain".into() }).unwrap();
    assert_eq!(types(&Notes, &event).await, ["note.added"]);
    assert_eq!(Notes.manifest().id, "notes");
}
