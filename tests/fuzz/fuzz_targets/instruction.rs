//! Instructions that somebody wrote: refused with faults that can be shown, or read the same twice, checked and drawn.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vextir_core::Manifest;
use vextir_drivers::workflow::{Catalogue, Instruction};

static APP: LazyLock<Catalogue> = LazyLock::new(|| {
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "id": "mail",
        "capabilities": [
            {
                "type": "email.fetch",
                "input": {
                    "type": "object",
                    "required": ["since"],
                    "properties": {"since": {"type": "string"}, "max": {"type": "integer"}}
                }
            },
            {"type": "chat.*"}
        ]
    }))
    .expect("a manifest");
    Catalogue::of([&manifest])
});

fuzz_target!(|text: &str| {
    let instruction = match Instruction::from_yaml("fuzz.yaml", text) {
        Ok(instruction) => instruction,
        Err(faults) => {
            assert!(faults.count() > 0, "refused without a reason");
            drop(faults.to_string());
            return;
        }
    };
    let again = Instruction::from_yaml("fuzz.yaml", text).expect("what was read can be read again");
    assert_eq!(format!("{instruction:?}"), format!("{again:?}"));
    if let Err(faults) = instruction.check(&APP) {
        drop(faults.to_string());
    }
    drop(instruction.to_mermaid());
});
