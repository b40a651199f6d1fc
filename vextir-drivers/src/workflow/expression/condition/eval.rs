//! Whether a condition holds, over values that stay where they are.

mod alike;

use super::super::Names;
use super::super::names::{field, kind, no_field, no_name, shortened};
use super::number::Number;
use super::tree::{Each, Expr, Function, Node, Sum};
use serde_json::Value;

/// What may be done: parts that are evaluated, elements that are compared, and 16 bytes of text that are looked at.
pub(super) const FUEL: usize = 2_000_000;
/// The longest text that is put together, in bytes.
const TEXT: usize = 1024 * 1024;

/// A value at hand.
#[derive(Debug, Clone)]
enum Val<'a> {
    /// Where it is.
    Json(&'a Value),
    /// Computed.
    Own(Value),
    /// Computed, of such.
    List(Vec<Val<'a>>),
}

impl Val<'_> {
    fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(value) => Some(value),
            Self::Own(value) => Some(value),
            Self::List(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        self.json()?.as_str()
    }

    fn kind(&self) -> &'static str {
        self.json().map_or("a list", kind)
    }
}

/// Evaluates.
pub(super) fn holds(source: &str, tree: &Node, names: &Names) -> Result<bool, String> {
    let mut run = Run { source, names, element: None, fuel: FUEL };
    run.truth(tree)
}

struct Run<'a> {
    source: &'a str,
    names: &'a Names,
    element: Option<(&'a str, Val<'a>)>,
    fuel: usize,
}

impl<'a> Run<'a> {
    fn spend(&mut self, cost: usize) -> Result<(), String> {
        self.fuel =
            self.fuel.checked_sub(cost).ok_or("it does too much: shorten the lists that it goes over")?;
        Ok(())
    }

    fn truth(&mut self, node: &'a Node) -> Result<bool, String> {
        let value = self.value(node)?;
        let truth = value.json().and_then(Value::as_bool);
        truth.ok_or_else(|| format!("{} is {}, not true or false", self.place(node), value.kind()))
    }

    fn value(&mut self, node: &'a Node) -> Result<Val<'a>, String> {
        self.spend(1)?;
        match &node.expr {
            Expr::Literal(value) => Ok(Val::Json(value)),
            Expr::List(parts) => {
                Ok(Val::List(parts.iter().map(|part| self.value(part)).collect::<Result<_, _>>()?))
            }
            Expr::Name(name) => self.name(name),
            Expr::Field(of, field) => self.field(of, field),
            Expr::Index(of, index) => self.index(node, of, index),
            Expr::Has(of, field) => self.has(of, field),
            Expr::Not(of) => Ok(truth(!self.truth(of)?)),
            Expr::Negative(of) => {
                let zero = Number::Whole(0);
                let number = self.number(of)?;
                self.named(node, zero.compute(Sum::Subtract, number).and_then(Number::value)).map(Val::Own)
            }
            // An error on the way is an error of the whole: nothing makes up for it.
            Expr::And(parts) => self.until(parts, false),
            Expr::Or(parts) => self.until(parts, true),
            Expr::Either(when, then, or) => {
                let chosen = if self.truth(when)? { then } else { or };
                self.value(chosen)
            }
            Expr::Compare(order, left, right) => self.compare(node, *order, left, right),
            Expr::Compute(how, left, right) => self.compute(node, *how, left, right),
            Expr::In(one, all) => self.contained(one, all),
            Expr::Call(function, parts) => self.call(node, *function, parts),
            Expr::Each { how, list, name, body } => self.each(*how, list, name, body),
        }
    }

    /// The first part that is `end` decides.
    fn until(&mut self, parts: &'a [Node], end: bool) -> Result<Val<'a>, String> {
        for part in parts {
            if self.truth(part)? == end {
                return Ok(truth(end));
            }
        }
        Ok(truth(!end))
    }

    fn name(&mut self, name: &str) -> Result<Val<'a>, String> {
        if let Some((_, value)) = self.element.as_ref().filter(|(element, _)| *element == name) {
            let value = value.clone();
            // Only what was computed is copied.
            let copied = if matches!(value, Val::Own(_)) { value.text().map_or(0, str::len) } else { 0 };
            self.spend(copied / 16)?;
            return Ok(value);
        }
        self.names.get(name).map(Val::Json).ok_or_else(|| no_name(name, self.names))
    }

    fn field(&mut self, of: &'a Node, key: &str) -> Result<Val<'a>, String> {
        let value = self.value(of)?;
        let found = match &value {
            Val::Json(value) => field(value, key).map(Val::Json),
            Val::Own(value) => field(value, key).cloned().map(Val::Own),
            Val::List(_) => None,
        };
        match found {
            Some(found) => Ok(found),
            // An object's `length` is a field like any other.
            None if key == "length" && !matches!(value.json(), Some(Value::Object(_))) => {
                self.size(of, &value)
            }
            None => {
                let spelled = self.spelled(of);
                Err(value.json().map_or_else(
                    || format!("`{spelled}` is a list and has no `{key}`"),
                    |value| no_field(&spelled, value, key),
                ))
            }
        }
    }

    fn has(&mut self, of: &'a Node, key: &str) -> Result<Val<'a>, String> {
        let value = self.value(of)?;
        match value.json() {
            Some(Value::Object(fields)) => Ok(truth(fields.contains_key(key))),
            _ => Err(format!("{} is {} and has no fields", self.place(of), value.kind())),
        }
    }

    fn index(&mut self, node: &'a Node, of: &'a Node, index: &'a Node) -> Result<Val<'a>, String> {
        let list = self.value(of)?;
        let index = self.value(index)?;
        let key = index.json().unwrap_or(&Value::Null);
        let at = key.as_u64().and_then(|at| usize::try_from(at).ok());
        let found = match (&list, key, at) {
            (Val::Json(Value::Object(fields)), Value::String(key), _) => fields.get(key).map(Val::Json),
            (Val::Json(Value::Array(list)), _, Some(at)) => list.get(at).map(Val::Json),
            (Val::List(list), _, Some(at)) => list.get(at).cloned(),
            (Val::Json(Value::Object(_)), ..) => {
                return Err(format!("{}: a key is a text, and not {}", self.place(node), index.kind()));
            }
            (Val::Json(Value::Array(_)) | Val::List(_), ..) => {
                return Err(format!(
                    "{}: an index is a whole number from 0, and not {}",
                    self.place(node),
                    index.kind()
                ));
            }
            _ => return Err(format!("{} is {} and has no elements", self.place(of), list.kind())),
        };
        found.ok_or_else(|| format!("{} has no element {}", self.place(of), shortened(&key.to_string(), 40)))
    }

    fn number(&mut self, node: &'a Node) -> Result<Number, String> {
        let value = self.value(node)?;
        let number = value.json().and_then(Number::of);
        number.ok_or_else(|| format!("{} is {}, not a number", self.place(node), value.kind()))
    }

    fn compute(&mut self, node: &Node, how: Sum, left: &'a Node, right: &'a Node) -> Result<Val<'a>, String> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        if let (Sum::Add, Some(left), Some(right)) = (how, left.text(), right.text()) {
            self.spend((left.len() + right.len()) / 16)?;
            if left.len() + right.len() > TEXT {
                return Err(format!("{} is longer than {TEXT} bytes", self.place(node)));
            }
            return Ok(Val::Own(Value::from(format!("{left}{right}"))));
        }
        let numbers = left.json().and_then(Number::of).zip(right.json().and_then(Number::of));
        let Some((left, right)) = numbers else {
            return Err(format!("{} computes with {} and {}", self.place(node), left.kind(), right.kind()));
        };
        self.named(node, left.compute(how, right).and_then(Number::value)).map(Val::Own)
    }

    fn call(&mut self, node: &Node, function: Function, parts: &'a [Node]) -> Result<Val<'a>, String> {
        let Some(first) = parts.first() else { return Err(format!("{} has no value", self.place(node))) };
        let value = self.value(first)?;
        match function {
            Function::Size => self.size(first, &value),
            Function::Contains | Function::StartsWith | Function::EndsWith => {
                self.search(function, first, &value, parts)
            }
            Function::Int | Function::Double | Function::Text => {
                self.spend(value.text().map_or(0, str::len) / 16)?;
                self.named(node, converted(function, &value)).map(Val::Own)
            }
        }
    }

    /// Of a text in characters, of a list in elements, of an object in fields.
    fn size(&mut self, node: &Node, value: &Val<'_>) -> Result<Val<'a>, String> {
        let size = match value {
            Val::List(list) => list.len(),
            Val::Json(Value::Array(list)) => list.len(),
            Val::Json(Value::Object(fields)) => fields.len(),
            other => {
                let text = other
                    .text()
                    .ok_or_else(|| format!("{} is {} and has no size", self.place(node), other.kind()))?;
                self.spend(text.len() / 16)?;
                text.chars().count()
            }
        };
        Ok(Val::Own(Value::from(size)))
    }

    fn search(
        &mut self,
        function: Function,
        node: &Node,
        value: &Val<'_>,
        parts: &'a [Node],
    ) -> Result<Val<'a>, String> {
        let Some(second) = parts.get(1) else { return Err(format!("{} has no value", self.place(node))) };
        let sought = self.value(second)?;
        let text =
            value.text().ok_or_else(|| format!("{} is {}, not a text", self.place(node), value.kind()))?;
        let sought = sought
            .text()
            .ok_or_else(|| format!("{} is {}, not a text", self.place(second), sought.kind()))?;
        self.spend((text.len() + sought.len()) / 16)?;
        Ok(truth(match function {
            Function::StartsWith => text.starts_with(sought),
            Function::EndsWith => text.ends_with(sought),
            _ => text.contains(sought),
        }))
    }

    fn each(&mut self, how: Each, list: &'a Node, name: &'a str, body: &'a Node) -> Result<Val<'a>, String> {
        let place = list;
        let list = self.value(list)?;
        let Some(list) = elements(&list) else {
            return Err(format!("{} is {}, not a list", self.place(place), list.kind()));
        };
        self.spend(list.len())?;
        let (mut kept, mut found) = (Vec::new(), 0_usize);
        for element in list {
            self.element = Some((name, element.clone()));
            if how == Each::Map {
                kept.push(self.value(body)?);
                continue;
            }
            let holds = self.truth(body)?;
            match (how, holds) {
                (Each::All, false) | (Each::Exists, true) => {
                    self.element = None;
                    return Ok(truth(holds));
                }
                (Each::Filter, true) => kept.push(element),
                (Each::ExistsOne, true) => found += 1,
                _ => {}
            }
        }
        self.element = None;
        Ok(match how {
            Each::All => truth(true),
            Each::Exists => truth(false),
            Each::ExistsOne => truth(found == 1),
            Each::Filter | Each::Map => Val::List(kept),
        })
    }

    /// Says where a result went wrong.
    fn named<T>(&self, node: &Node, result: Result<T, String>) -> Result<T, String> {
        result.map_err(|reason| format!("{}: {reason}", self.place(node)))
    }

    fn place(&self, node: &Node) -> String {
        format!("`{}`", self.spelled(node))
    }

    fn spelled(&self, node: &Node) -> String {
        shortened(self.source.get(node.at.clone()).unwrap_or(self.source).trim(), 80)
    }
}

fn truth<'a>(truth: bool) -> Val<'a> {
    Val::Own(Value::Bool(truth))
}

/// The elements of a list.
fn elements<'a>(list: &Val<'a>) -> Option<Vec<Val<'a>>> {
    match list {
        Val::List(list) => Some(list.clone()),
        Val::Json(Value::Array(list)) => Some(list.iter().map(Val::Json).collect()),
        _ => None,
    }
}

fn converted(function: Function, value: &Val<'_>) -> Result<Value, String> {
    let json = value.json().ok_or("a list is no number and no text")?;
    let number = Number::of(json);
    match (function, json, number) {
        (Function::Text, Value::String(_), _) => Ok(json.clone()),
        (Function::Text, Value::Bool(_) | Value::Number(_), _) => Ok(Value::from(json.to_string())),
        (Function::Int, _, Some(number)) => number.truncated()?.value(),
        (Function::Int, Value::String(text), _) => {
            text.parse::<i64>().map(Value::from).map_err(|_| "the text is no whole number".to_owned())
        }
        (Function::Double, _, Some(number)) => Number::Float(number.float()).value(),
        (Function::Double, Value::String(text), _) => {
            let number = text.parse::<f64>().map_err(|_| "the text is no number".to_owned())?;
            Number::Float(number).value()
        }
        _ => Err(format!("{} cannot be converted", value.kind())),
    }
}
