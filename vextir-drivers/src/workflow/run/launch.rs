//! Begins an attempt: fills in what the step says, and commands it.

use super::command::{At, Command, Due};
use super::fan::slot_of;
use super::names::Element;
use super::pipe;
use super::state::{NodeStatus, Phase, Slot};
use super::turn::Turn;
use crate::workflow::expression::Template;
use crate::workflow::instruction::{Act, Step};
use serde_json::Value;
use std::sync::Arc;
use vextir::Name;

impl<'a> Turn<'a> {
    /// The first attempt of this round.
    pub(super) fn launch(&mut self, step: &'a Step, item: Option<u32>) {
        let base = self.node(&step.id).map_or(0, |node| node.base);
        self.attempt(step, At { step: step.id.clone(), item, attempt: base.saturating_add(1) });
    }

    /// What an attempt reads does not change, so one that cannot begin is not tried again.
    pub(super) fn attempt(&mut self, step: &'a Step, at: At) {
        let Some(node) = self.node_mut(&step.id) else { return };
        node.attempts = node.attempts.max(at.attempt);
        node.at_work
            .insert(slot_of(&at), Slot { attempt: at.attempt, phase: Phase::Working, error: None, held: 0 });
        if at.item.is_none() {
            node.error = None;
            let asks = matches!(step.act, Act::Approve { .. });
            node.status = if asks { NodeStatus::Held } else { NodeStatus::Running };
        }
        match self.command(step, &at) {
            Ok(command) => {
                self.commands.push(command);
                if let Some(after) = step.timeout {
                    self.commands.push(Command::Timer { at, what: Due::Timeout, after });
                }
            }
            Err(error) => self.lose(step, &at, error),
        }
    }

    fn command(&mut self, step: &Step, at: &At) -> Result<Command, String> {
        let element = self.element(step, at.item);
        let at = at.clone();
        match &step.act {
            Act::Emit { event_type, data } => {
                let data = self.data(step, event_type, data, element.as_ref())?;
                Ok(Command::Emit { at, event_type: event_type.clone(), data })
            }
            Act::WaitFor { event, condition, look_back } => Ok(Command::Wait {
                at,
                event: event.clone(),
                condition: condition.as_ref().map(|condition| condition.source().to_owned()),
                since: look_back.then_some(self.run.started),
            }),
            Act::Run { instruction, inputs } => {
                let inputs = self.filled(inputs, element.as_ref())?;
                Ok(Command::Start { at, instruction: instruction.clone(), inputs })
            }
            Act::Approve { message } => {
                let message = pipe::text(self.filled(message, element.as_ref())?);
                Ok(Command::Ask { at, message })
            }
        }
    }

    fn filled(&mut self, template: &Template, element: Option<&Element>) -> Result<Value, String> {
        let names = self.names(&template.references(), element)?;
        self.world.render(template, &names, &self.day())
    }

    /// The data of the event: what is written, what is piped in, in the types that the driver wants.
    fn data(
        &mut self,
        step: &Step,
        event_type: &Name,
        template: &Template,
        element: Option<&Element>,
    ) -> Result<Value, String> {
        let written = self.filled(template, element)?;
        let schema = self.world.schema(event_type);
        let mut data = match &schema {
            Some(schema) => pipe::fitted(written, template.source(), schema),
            None => written,
        };
        if step.piped {
            let input = match element {
                Some(element) => Arc::clone(&element.value),
                None => self.input(step)?,
            };
            data = pipe::filled(data, &input, schema.as_deref());
        }
        self.world.accepts(event_type, &data)?;
        Ok(data)
    }
}
