//! Whatever a service sends, an answer or an error comes of it.

use super::draft::Draft;
use super::frames::{Frames, Framing};
use super::{Form, Provider};
use crate::agent::{Message, ModelRequest, OutputSchema};
use proptest::prelude::*;
use serde_json::json;

/// A good answer of each form.
const GOOD: [(Provider, Framing, &str); 4] = [
    (
        Provider::OpenAi,
        Framing::Events,
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":18446744073709551615,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n",
    ),
    (
        Provider::Anthropic,
        Framing::Events,
        "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":18446744073709551615,\"cache_read_input_tokens\":18446744073709551615}}}\n\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"answer\",\"input\":{}}}\n\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":3}}\n\ndata: {\"type\":\"message_stop\"}\n\n",
    ),
    (
        Provider::Gemini,
        Framing::Events,
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"},{\"functionCall\":{\"name\":\"f\",\"args\":{}}}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":18446744073709551615,\"toolUsePromptTokenCount\":18446744073709551615}}\n\n",
    ),
    (
        Provider::Ollama,
        Framing::Lines,
        "{\"message\":{\"content\":\"a\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]},\"done\":true,\"prompt_eval_count\":1}\n",
    ),
];

/// Reads bytes as an answer; says whether it was one.
fn read(provider: Provider, framing: Framing, bytes: &[u8]) -> bool {
    let (form, mut draft, mut parts) = (Form(provider), Draft::default(), Vec::new());
    let mut frames = Frames::new(framing);
    frames.push(bytes, &mut parts);
    parts.extend(frames.end());
    let is_whole = framing == Framing::Whole;
    let output = OutputSchema { name: "answer".into(), schema: json!({"type": "array"}) };
    let request = ModelRequest::new([Message::user("x")]).with_output(output);
    parts.iter().all(|part| form.take(&mut draft, part, is_whole, &|_| {}).is_ok())
        && form.finish(draft, &request).is_ok()
}

#[test]
fn good_answers_are_read() {
    for (provider, framing, text) in GOOD {
        assert!(read(provider, framing, text.as_bytes()), "{provider:?}");
    }
}

proptest! {
    #[test]
    fn an_answer_that_was_spoilt_harms_nothing(
        which in 0..GOOD.len(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, prop::collection::vec(any::<u8>(), 0..4)), 1..4),
        pieces in prop::collection::vec(prop::sample::select(vec!["null", "-1", "[]", "{}", "\"\"", "1e9", "true"]), 0..4),
    ) {
        let (provider, framing, text) = GOOD[which];
        let mut bytes = text.as_bytes().to_vec();
        for (at, gone, new) in cuts {
            let at = at.index(bytes.len());
            let end = (at + gone).min(bytes.len());
            bytes.splice(at..end, new);
        }
        // A value of another type at the place of a value.
        let mut swapped = text.to_owned();
        for (nth, piece) in pieces.iter().enumerate() {
            if let Some((at, _)) = text.match_indices(':').nth(nth * 3 + 1) {
                swapped.insert_str(at.min(swapped.len()) + 1, &format!("{piece},\"x\":"));
            }
        }
        for framing in [framing, Framing::Whole] {
            read(provider, framing, &bytes);
            read(provider, framing, swapped.as_bytes());
        }
    }

    #[test]
    fn any_value_is_an_answer_or_none(which in 0..GOOD.len(), text in "[\\[\\]{}\":,a-z0-9]{0,80}") {
        for framing in [Framing::Events, Framing::Lines, Framing::Whole] {
            read(GOOD[which].0, framing, text.as_bytes());
        }
    }
}
