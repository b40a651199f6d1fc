//! A program whose manifest says `vx = { package = "vextir", .. }`. `.ci/outsider` builds and runs it.

use vx::prelude::*;

/// Keep a note.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "note.add", crate = ::vx)]
struct AddNote {
    text: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "note.added", category = "output", crate = ::vx)]
struct NoteAdded {
    length: usize,
}

struct Notes;

#[driver("notes", crate = ::vx)]
impl Notes {
    /// Keeps a note and says how long it is.
    #[on]
    async fn add(&self, note: AddNote) -> NoteAdded {
        NoteAdded { length: note.text.len() }
    }
}

#[tokio::main]
async fn main() -> vx::Result<()> {
    let app = Processor::builder(Hub::open("notes.db")?).driver(Notes).start().await?;
    let added: NoteAdded = app.request(AddNote { text: "hello".into() }).await?;
    println!("{added:?}");
    app.shutdown().await
}
