//! What templates and conditions read: the names, and the outputs behind them.

use super::part::{PART, PartKey};
use super::state::{KeptIn, NodeStatus};
use super::turn::Turn;
use super::world::Found;
use crate::workflow::expression::{Names, Reference};
use crate::workflow::instruction::Step;
use serde_json::{Map, Value, json};
use std::io;
use std::sync::Arc;
use vextir::{EventId, Name};

/// How much one template may read, in bytes of JSON.
const READ: usize = 16 << 20;

/// An element of a `for_each`, as templates read it.
pub(super) struct Element {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) value: Arc<Value>,
}

impl Turn<'_> {
    /// The names that are referred to, and no other: so that nothing is loaded or copied that nobody reads.
    pub(super) fn names(
        &mut self,
        references: &[Reference],
        element: Option<&Element>,
    ) -> Result<Names, String> {
        let (mut names, mut read) = (Names::new(), 0);
        for reference in references {
            let Some(top) = reference.path.first() else { continue };
            if top == "steps" && self.node(&Name::from("steps")).is_none() {
                read += self.add_step_below(&mut names, reference.path.get(1))?;
            } else if !names.contains_key(top)
                && let Some(value) = self.name(top, element)?
            {
                read += measure(&value);
                names.insert(top.clone(), value);
            }
            within_bounds(read)?;
        }
        Ok(names)
    }

    /// For ids that are no names in templates: `steps["fetch-mails"]`.
    fn add_step_below(&mut self, names: &mut Names, id: Option<&String>) -> Result<usize, String> {
        let known = self.run.dag.nodes.keys().map(ToString::to_string);
        let ids: Vec<String> = id.map_or_else(|| known.collect(), |id| vec![id.clone()]);
        let mut read = 0;
        for id in ids {
            let steps = names.entry("steps").or_insert_with(|| Value::Object(Map::new()));
            if steps.get(&id).is_some() {
                continue;
            }
            let Some(value) = self.step_value(&Name::from(id.clone()))? else { continue };
            read += measure(&value);
            within_bounds(read)?;
            if let Value::Object(steps) = steps {
                steps.insert(id, value);
            }
        }
        Ok(read)
    }

    fn name(&mut self, top: &str, element: Option<&Element>) -> Result<Option<Value>, String> {
        match (top, element) {
            ("index", Some(element)) => return Ok(Some(element.index.into())),
            (name, Some(element)) if name == element.name => return Ok(Some((*element.value).clone())),
            ("inputs", _) => return Ok(Some(Value::Object((*self.run.inputs).clone()))),
            ("trigger", _) => return self.trigger_value().map(Some),
            _ => {}
        }
        self.step_value(&Name::from(top))
    }

    /// `{status, output, error}`.
    fn step_value(&mut self, id: &Name) -> Result<Option<Value>, String> {
        let Some(node) = self.node(id) else { return Ok(None) };
        let (status, error) = (node.status.name(), node.error.clone());
        let output = self.output(id)?;
        Ok(Some(json!({"status": status, "output": *output, "error": error})))
    }

    fn trigger_value(&mut self) -> Result<Value, String> {
        let Some(trigger) = self.run.trigger.clone() else { return Ok(Value::Null) };
        let data = self.trigger_data()?;
        Ok(json!({"id": trigger.id, "type": trigger.event_type, "time": trigger.time, "data": *data}))
    }

    fn trigger_data(&mut self) -> Result<Arc<Value>, String> {
        match self.run.trigger.clone() {
            None => Ok(Arc::new(Value::Null)),
            Some(trigger) => match &trigger.data {
                Some(data) => Ok(Arc::clone(data)),
                None => self.event(&trigger.id),
            },
        }
    }

    /// The output of a step; null where it has none.
    pub(super) fn output(&mut self, id: &Name) -> Result<Arc<Value>, String> {
        let mut id = id.clone();
        // What was passed on from step to step is found behind as many steps as there are, at most.
        for _ in 0..=self.run.dag.nodes.len() {
            let Some(node) = self.node(&id) else { break };
            if let Some(value) = &node.output {
                return Ok(Arc::clone(value));
            }
            match node.kept_in.clone() {
                None => break,
                Some(KeptIn::Step(before)) => id = before,
                Some(KeptIn::Trigger) => return self.trigger_data(),
                Some(KeptIn::Event(event)) => return self.event(&event),
                Some(KeptIn::Events(events)) => return self.events(&events).map(Arc::new),
                Some(KeptIn::Items(count)) => return self.items(&id, count).map(Arc::new),
            }
        }
        Ok(Arc::new(Value::Null))
    }

    fn events(&mut self, ids: &[EventId]) -> Result<Value, String> {
        let mut list = Vec::with_capacity(ids.len());
        let mut read = 0;
        for id in ids {
            let value = self.event(id)?;
            read += measure(&value);
            within_bounds(read)?;
            list.push((*value).clone());
        }
        Ok(Value::Array(list))
    }

    fn items(&mut self, step: &Name, count: u32) -> Result<Value, String> {
        let mut list = Vec::with_capacity(count as usize);
        let mut read = 0;
        for number in 0..count.div_ceil(PART) {
            let Some(part) = self.part(&PartKey { step: step.clone(), number }) else { continue };
            for item in &part.items {
                let value = match (&item.output, &item.kept_in) {
                    (Some(value), _) => (**value).clone(),
                    (None, Some(KeptIn::Event(id))) => (*self.event(id)?).clone(),
                    (None, Some(KeptIn::Events(ids))) => self.events(ids)?,
                    _ => Value::Null,
                };
                read += measure(&value);
                within_bounds(read)?;
                list.push(value);
            }
        }
        Ok(Value::Array(list))
    }

    pub(super) fn event(&mut self, id: &EventId) -> Result<Arc<Value>, String> {
        match self.world.event(id) {
            Found::Here(value) => Ok(value),
            Found::Gone => Err(format!("what it reads is in event {id}, which is no longer kept")),
            Found::NotLoaded => {
                self.wanted.events.insert(id.clone());
                Ok(Arc::new(Value::Null))
            }
        }
    }

    /// What a piped step gets from the one before it.
    pub(super) fn input(&mut self, step: &Step) -> Result<Arc<Value>, String> {
        match self.input_place(step) {
            Some(KeptIn::Step(id)) => self.output(&id),
            Some(_) => self.trigger_data(),
            None => Ok(Arc::new(Value::Null)),
        }
    }

    /// The step before, or the trigger; a step that was skipped stands in nobody's way.
    pub(super) fn input_place(&self, step: &Step) -> Option<KeptIn> {
        let mut place = step;
        while let Some(id) = place.depends_on.first() {
            let skipped = self.node(id).is_some_and(|node| node.status == NodeStatus::Skipped);
            match self.find(id) {
                Some(before) if skipped && before.piped => place = before,
                _ => return Some(KeptIn::Step(id.clone())),
            }
        }
        self.run.trigger.as_ref().map(|_| KeptIn::Trigger)
    }
}

fn within_bounds(read: usize) -> Result<(), String> {
    if read > READ { Err(format!("it reads more than {} MiB", READ >> 20)) } else { Ok(()) }
}

/// Bytes of a value's JSON.
pub(super) fn measure(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Values have text keys and the writer takes all, so there is nothing that could fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}
