//! A step for each element of a list, so many at a time.

use super::command::At;
use super::names::Element;
use super::part::{ITEMS, Item, PART, Part, PartKey};
use super::state::{Fan, KeptIn, NodeStatus};
use super::turn::{Turn, shortened};
use crate::workflow::instruction::{ForEach, OnError, Step};
use serde_json::Value;
use std::sync::Arc;

/// The longest error that is kept for an element, in bytes.
const ERROR: usize = 200;
/// The longest list whose outputs may stand in the document.
const LISTED: u32 = 256;

impl<'a> Turn<'a> {
    /// Reads the list, lays its elements in parts, and begins with the first.
    pub(super) fn open(&mut self, step: &'a Step, each: &ForEach) {
        match self.list(each) {
            Ok(list) => {
                self.lay_out(step, list);
                self.fill(step);
            }
            Err(error) => self.fail_step(step, format!("its `for_each`: {error}")),
        }
    }

    fn list(&mut self, each: &ForEach) -> Result<Vec<Value>, String> {
        let names = self.names(&each.items.references(), None)?;
        match self.world.render(&each.items, &names, &self.day())? {
            Value::Array(list) if list.len() > ITEMS as usize => {
                Err(format!("the list has {} elements; at most {ITEMS} fit", list.len()))
            }
            Value::Array(list) => Ok(list),
            other => Err(format!("it needs a list, and this is {}", described(&other))),
        }
    }

    fn lay_out(&mut self, step: &Step, list: Vec<Value>) {
        let count = u32::try_from(list.len()).unwrap_or(u32::MAX);
        let mut items = list.into_iter().map(|element| Item {
            element: Arc::new(element),
            output: None,
            kept_in: None,
            error: None,
        });
        for number in 0..count.div_ceil(PART) {
            let part = Part { items: items.by_ref().take(PART as usize).collect() };
            self.run.parts.put(PartKey { step: step.id.clone(), number }, Arc::new(part));
        }
        if let Some(node) = self.node_mut(&step.id) {
            node.items = Some(Fan { count, ..Fan::default() });
        }
    }

    /// Begins as many elements as may be at work, and ends the step when all are over.
    pub(super) fn fill(&mut self, step: &'a Step) {
        let parallel = step.for_each.as_ref().map_or(1, |each| each.parallel.max(1)) as usize;
        while self.wanted.is_empty() && self.may_begin(step) {
            let Some(node) = self.node_mut(&step.id) else { return };
            let Some(fan) = node.items.as_mut().filter(|_| node.status == NodeStatus::Running) else {
                return;
            };
            if node.at_work.len() >= parallel {
                return;
            }
            let item = match fan.lost.pop_first() {
                Some(item) => item,
                None if fan.next < fan.count => {
                    fan.next += 1;
                    fan.next - 1
                }
                None => break,
            };
            self.launch(step, Some(item));
        }
        self.settle_fan(step);
    }

    /// Ends the step if no element is at work and none will be.
    pub(super) fn settle_fan(&mut self, step: &Step) {
        let Some(node) = self.node(&step.id) else { return };
        let Some(fan) = &node.items else { return };
        if node.status != NodeStatus::Running || !node.at_work.is_empty() {
            return;
        }
        if fan.next == fan.count && fan.lost.is_empty() {
            self.complete_fan(step);
        } else if self.run.failing.is_some() && !self.may_go_on(step) {
            self.end(step, NodeStatus::Cancelled);
        }
    }

    /// A small list of outputs goes into the document, and its parts go; else it stays where it is.
    fn complete_fan(&mut self, step: &Step) {
        let Some(count) = self.node(&step.id).and_then(|node| node.items.as_ref()).map(|fan| fan.count)
        else {
            return;
        };
        let small = if count > LISTED { None } else { self.small_list(step, count) };
        let kept_in = if small.is_none() { Some(KeptIn::Items(count)) } else { None };
        if let Some(list) = small {
            for number in 0..count.div_ceil(PART) {
                self.run.parts.remove(PartKey { step: step.id.clone(), number });
            }
            self.set_output(step, Some(list), None);
        } else {
            self.set_output(step, None, kept_in);
        }
        self.end(step, NodeStatus::Completed);
    }

    fn small_list(&mut self, step: &Step, count: u32) -> Option<Arc<Value>> {
        let key = |number| PartKey { step: step.id.clone(), number };
        let parts: Vec<_> = (0..count.div_ceil(PART)).map(|number| self.part(&key(number))).collect();
        let parts: Vec<Arc<Part>> = parts.into_iter().collect::<Option<_>>()?;
        let items = || parts.iter().flat_map(|part| &part.items);
        if items().any(|item| item.kept_in.is_some()) {
            return None;
        }
        let list: Value = items().map(|item| item.output.as_deref().cloned().unwrap_or_default()).collect();
        self.fits(&list).then(|| Arc::new(list))
    }

    /// An element is done.
    pub(super) fn complete_item(
        &mut self,
        step: &Step,
        item: u32,
        output: Option<Arc<Value>>,
        kept_in: Option<KeptIn>,
    ) {
        if let Some(place) = self.item_mut(step, item) {
            place.output = output;
            place.kept_in = kept_in;
            place.error = None;
        }
        if let Some(fan) = self.node_mut(&step.id).and_then(|node| node.items.as_mut()) {
            fan.completed = fan.completed.saturating_add(1);
        }
    }

    /// An element has failed for good: where the run goes on, its output is null; else so does the step.
    pub(super) fn lose_item(&mut self, step: &Step, item: u32, error: String) {
        if let Some(place) = self.item_mut(step, item) {
            let mut short = error.clone();
            short.truncate(short.floor_char_boundary(ERROR));
            place.error = Some(short);
        }
        let goes_on = step.on_error == OnError::Continue;
        let Some(node) = self.node_mut(&step.id) else { return };
        let Some(fan) = &mut node.items else { return };
        fan.failed = fan.failed.saturating_add(1);
        if goes_on {
            return;
        }
        fan.lost.insert(item);
        if node.status == NodeStatus::Running {
            self.fail_step(step, shortened(format!("element {item}: {error}")));
        }
    }

    /// What an element is called in templates.
    pub(super) fn element(&mut self, step: &Step, item: Option<u32>) -> Option<Element> {
        let (each, index) = (step.for_each.as_ref()?, item?);
        let key = PartKey { step: step.id.clone(), number: index / PART };
        let value = Arc::clone(&self.part(&key)?.items.get((index % PART) as usize)?.element);
        Some(Element { name: each.name.clone(), index, value })
    }

    fn item_mut(&mut self, step: &Step, item: u32) -> Option<&mut Item> {
        let key = PartKey { step: step.id.clone(), number: item / PART };
        if self.run.parts.get(&key).is_none() {
            self.wanted.parts.insert(key);
            return None;
        }
        self.run.parts.edit(&key)?.items.get_mut((item % PART) as usize)
    }

    pub(super) fn part(&mut self, key: &PartKey) -> Option<Arc<Part>> {
        let part = self.run.parts.get(key).cloned();
        if part.is_none() {
            self.wanted.parts.insert(key.clone());
        }
        part
    }
}

/// Which slot of its node an attempt has.
pub(super) fn slot_of(at: &At) -> u32 {
    at.item.unwrap_or(0)
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
