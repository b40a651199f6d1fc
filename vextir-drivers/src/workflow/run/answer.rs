//! What the events that a step's event caused mean.
//!
//! * The events of a declared reply are the answer, whatever else is there: also beside an `error` of somebody who
//!   listened in.
//! * Else an `error` event, or that nobody could handle it, is a failure.
//! * Else what is there is the answer: one event its data, several the list of theirs.
//! * Nothing is no answer: the step is completed and its output is null.

use super::command::Answer;
use serde_json::Value;
use vextir::Name;

/// What an attempt gave.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    Nothing,
    /// The data of an event.
    One(Answer),
    /// The list of the data of several.
    Many(Vec<Answer>),
    /// Something that stands in no event.
    Own(Value),
}

/// What the attempt gave, or why it failed. `more` answers are known to exist, and no more than that: then only a single declared reply is sure.
pub(super) fn read(
    answers: Vec<Answer>,
    more: u64,
    failed: Option<String>,
    replies: &[Name],
) -> Result<Given, String> {
    if let Some(error) = failed {
        return Err(error);
    }
    let named = answers.len();
    let (declared, others): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| replies.contains(&answer.event_type));
    if declared.len() == 1 || more == 0 && !declared.is_empty() {
        return Ok(given(declared));
    }
    match others.iter().find(|answer| answer.event_type == "error") {
        Some(error) => Err(message(&error.data)),
        None if more > 0 => Err(format!(
            "it has more than {named} answers; let the driver declare one reply that sums them up"
        )),
        None => Ok(given(others)),
    }
}

fn given(mut answers: Vec<Answer>) -> Given {
    match (answers.pop(), answers.is_empty()) {
        (None, _) => Given::Nothing,
        (Some(one), true) => Given::One(one),
        (Some(last), false) => {
            answers.push(last);
            Given::Many(answers)
        }
    }
}

fn message(data: &Value) -> String {
    let text = |key: &str| data.get(key).and_then(Value::as_str);
    match (text("error").or_else(|| text("message")), text("driver")) {
        (Some(error), Some(driver)) => format!("{driver}: {error}"),
        (Some(error), None) => error.to_owned(),
        (None, _) => "an error without a message".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, read};
    use crate::workflow::run::Answer;
    use serde_json::{Value, json};
    use vextir::{EventId, Name};

    fn answer(event_type: &'static str, data: Value) -> Answer {
        Answer { event_id: EventId::UNSET, event_type: Name::literal(event_type), data }
    }

    #[test]
    fn the_declared_reply_counts_and_else_all() {
        let one = answer("mail.received", json!({"n": 1}));
        let two = answer("mail.received", json!({"n": 2}));
        let reply = answer("mail.fetched", json!({"mails": []}));
        let replies = [Name::literal("mail.fetched")];
        let all = vec![one.clone(), two.clone(), reply.clone()];
        assert_eq!(read(all.clone(), 0, None, &replies), Ok(Given::One(reply.clone())));
        assert_eq!(read(all.clone(), 0, None, &[]), Ok(Given::Many(all)));
        assert_eq!(read(vec![one.clone()], 0, None, &replies), Ok(Given::One(one)));
        assert_eq!(read(vec![], 0, None, &replies), Ok(Given::Nothing));
        let twice = vec![reply.clone(), two, reply.clone()];
        assert_eq!(read(twice, 0, None, &replies), Ok(Given::Many(vec![reply.clone(), reply])));
    }

    #[test]
    fn an_error_is_a_failure_unless_the_declared_reply_came() {
        let error = answer("error", json!({"driver": "mail", "error": "no route", "event_id": "e"}));
        let other = answer("mail.received", json!({}));
        assert_eq!(read(vec![other, error.clone()], 0, None, &[]), Err("mail: no route".into()));
        let reply = answer("mail.fetched", json!({}));
        let replies = [Name::literal("mail.fetched")];
        assert_eq!(read(vec![error, reply.clone()], 0, None, &replies), Ok(Given::One(reply.clone())));
        assert_eq!(
            read(vec![reply.clone()], 0, Some("dead letter".into()), &replies),
            Err("dead letter".into())
        );
        let many = read(vec![reply.clone(), reply.clone()], 3, None, &replies);
        assert!(many.is_err_and(|error| error.contains("more than 2 answers")));
        assert_eq!(read(vec![reply.clone()], 3, None, &replies), Ok(Given::One(reply)));
        assert!(read(vec![answer("error", json!(7))], 0, None, &[]).is_err());
    }
}
