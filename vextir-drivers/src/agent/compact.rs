//! Keeps a conversation within a number of tokens: what tools answered long ago is shortened first, then the oldest steps are left
//! out. What the model was told to be and what it was asked stay.

use super::Message;

/// What stands for what was cut off.
const CUT: &str = "[left out: it was long ago]";
/// How many of the last messages are never touched.
const FRESH: usize = 4;

/// Shortens a conversation to about `most` tokens, as far as that goes.
pub(super) fn compact(messages: &mut Vec<Message>, most: u64) {
    let total = |messages: &[Message]| messages.iter().map(Message::estimate).sum::<u64>();
    let mut size = total(messages);
    if size <= most {
        return;
    }
    let head = head(messages);
    let fresh = messages.len().saturating_sub(FRESH).max(head);
    for message in messages.iter_mut().take(fresh).skip(head) {
        if size <= most {
            return;
        }
        if let Message::Tool { text, .. } = message
            && text.len() > CUT.len()
        {
            size -= (text.len() - CUT.len()) as u64 / 4;
            CUT.clone_into(text);
        }
    }
    // A call and its answers go together: the answer to a call that nobody made is refused by providers.
    while size > most {
        let Some(end) = next_step(messages, head) else { break };
        messages.drain(head..end);
        size = total(messages);
    }
    shorten(messages, size, most);
}

/// How many messages at the beginning stay: those of the system, and the first question.
fn head(messages: &[Message]) -> usize {
    let system = messages.iter().take_while(|message| matches!(message, Message::System { .. })).count();
    let asked = matches!(messages.get(system), Some(Message::User { .. }));
    system + usize::from(asked)
}

/// Where the step ends that begins at `from`, if another one follows it.
fn next_step(messages: &[Message], from: usize) -> Option<usize> {
    let starts = |message: &Message| !matches!(message, Message::Tool { .. });
    let end =
        messages.iter().enumerate().skip(from + 1).find(|(_, message)| starts(message)).map(|(at, _)| at)?;
    // The last step is what the model is to go on with.
    (end < messages.len()).then_some(end)
}

/// What is left is too long by itself: each of the longest messages is cut in its middle, the last question and answers too.
fn shorten(messages: &mut [Message], size: u64, most: u64) {
    if size <= most {
        return;
    }
    let share = usize::try_from(most * 4 / (messages.len().max(1) as u64)).unwrap_or(usize::MAX).max(64);
    for message in messages.iter_mut() {
        let (Message::System { text } | Message::User { text, .. } | Message::Tool { text, .. }) = message
        else {
            continue;
        };
        if text.len() > share {
            *text = cut_middle(text, share);
        }
    }
}

/// The beginning and the end of a text, `most` bytes and a note in all.
pub(super) fn cut_middle(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let begin = text.floor_char_boundary(most * 3 / 4);
    let end = text.ceil_char_boundary(text.len() - most / 4);
    format!("{}\n[.. {} bytes left out ..]\n{}", &text[..begin], end - begin, &text[end..])
}

#[cfg(test)]
mod tests {
    use super::{compact, cut_middle};
    use crate::agent::{Message, ToolCall};
    use proptest::prelude::*;
    use serde_json::json;

    fn step(number: usize, bytes: usize) -> [Message; 2] {
        let call = ToolCall::new(format!("c{number}"), "read", json!({}));
        let tool = Message::tool(&call, "x".repeat(bytes));
        [Message::Assistant { text: String::new(), calls: vec![call] }, tool]
    }

    fn conversation(steps: usize, bytes: usize) -> Vec<Message> {
        let mut all = vec![Message::system("be"), Message::user("what?")];
        all.extend((0..steps).flat_map(|number| step(number, bytes)));
        all
    }

    #[test]
    fn old_answers_go_first_and_the_question_stays() {
        let mut messages = conversation(10, 4_000);
        compact(&mut messages, 3_000);
        assert_eq!(messages[0], Message::system("be"));
        assert_eq!(messages[1], Message::user("what?"));
        assert_eq!(messages.last().unwrap().text().len(), 4_000);
        assert!(messages.iter().map(Message::estimate).sum::<u64>() <= 3_000);
        let short = messages.clone();
        compact(&mut messages, 3_000);
        assert_eq!(messages, short);
    }

    proptest! {
        #[test]
        fn each_answer_keeps_its_call(steps in 0usize..20, bytes in 0usize..3_000, most in 0u64..9_000) {
            let mut messages = conversation(steps, bytes);
            compact(&mut messages, most);
            let mut open: Vec<String> = Vec::new();
            for message in &messages {
                match message {
                    Message::Assistant { calls, .. } => open = calls.iter().map(|call| call.id.clone()).collect(),
                    Message::Tool { call, .. } => prop_assert!(open.contains(call)),
                    _ => {}
                }
            }
            prop_assert!(messages.len() >= 2);
        }

        #[test]
        fn a_text_is_cut_at_characters(text in "\\PC{0,200}", most in 0usize..100) {
            let cut = cut_middle(&text, most);
            prop_assert!(cut == text || text.len() > most);
        }
    }
}
