//! Whether values are alike, and which one is larger.

use super::super::number::Number;
use super::super::tree::{Node, Order};
use super::{Run, Val, elements, truth};
use serde_json::Value;
use std::cmp::Ordering;

impl<'a> Run<'a> {
    pub(super) fn compare(
        &mut self,
        node: &Node,
        order: Order,
        left: &'a Node,
        right: &'a Node,
    ) -> Result<Val<'a>, String> {
        let (left, right) = (self.value(left)?, self.value(right)?);
        if matches!(order, Order::Equal | Order::NotEqual) {
            let equal = self.equal(&left, &right)?;
            return Ok(truth(equal == (order == Order::Equal)));
        }
        let numbers = left.json().and_then(Number::of).zip(right.json().and_then(Number::of));
        let texts = left.text().zip(right.text());
        let found = match (numbers, texts) {
            (Some((left, right)), _) => left.compare(right),
            (None, Some((left, right))) => {
                self.spend(left.len().min(right.len()) / 16)?;
                Some(left.cmp(right))
            }
            _ => None,
        };
        let found = found.ok_or_else(|| {
            format!(
                "{}: {} and {} have no order; numbers have one, and texts",
                self.place(node),
                left.kind(),
                right.kind()
            )
        })?;
        Ok(truth(match order {
            Order::Less => found == Ordering::Less,
            Order::LessOrEqual => found != Ordering::Greater,
            Order::Greater => found == Ordering::Greater,
            _ => found != Ordering::Less,
        }))
    }

    fn equal(&mut self, left: &Val<'_>, right: &Val<'_>) -> Result<bool, String> {
        if let (Some(left), Some(right)) = (left.json(), right.json()) {
            return self.same(left, right);
        }
        let (Some(left), Some(right)) = (elements(left), elements(right)) else { return Ok(false) };
        self.spend(left.len().min(right.len()))?;
        if left.len() != right.len() {
            return Ok(false);
        }
        for (left, right) in left.iter().zip(&right) {
            if !self.equal(left, right)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn same(&mut self, left: &Value, right: &Value) -> Result<bool, String> {
        self.spend(1)?;
        match (left, right) {
            (Value::Number(_), Value::Number(_)) => {
                let (left, right) = (Number::of(left), Number::of(right));
                Ok(left.zip(right).and_then(|(left, right)| left.compare(right)) == Some(Ordering::Equal))
            }
            (Value::String(left), Value::String(right)) => {
                self.spend(left.len().min(right.len()) / 16)?;
                Ok(left == right)
            }
            (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
                for (left, right) in left.iter().zip(right) {
                    if !self.same(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Object(left), Value::Object(right)) if left.len() == right.len() => {
                for (key, left) in left {
                    let Some(right) = right.get(key) else { return Ok(false) };
                    if !self.same(left, right)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Value::Array(_), _) | (Value::Object(_), _) => Ok(false),
            _ => Ok(left == right),
        }
    }

    pub(super) fn contained(&mut self, one: &'a Node, all: &'a Node) -> Result<Val<'a>, String> {
        let (asked, place) = (one, all);
        let one = self.value(one)?;
        let all = self.value(all)?;
        if let Some(Value::Object(fields)) = all.json() {
            let key = one
                .text()
                .ok_or_else(|| format!("{}: a key is a text, and not {}", self.place(asked), one.kind()))?;
            return Ok(truth(fields.contains_key(key)));
        }
        if let Val::Json(Value::Array(list)) = &all
            && let Some(one) = one.json()
        {
            for element in list {
                if self.same(one, element)? {
                    return Ok(truth(true));
                }
            }
            return Ok(truth(false));
        }
        let list = elements(&all).ok_or_else(|| {
            format!(
                "{} is {}; `in` looks into lists and objects, x.contains(y) into texts",
                self.place(place),
                all.kind()
            )
        })?;
        for element in &list {
            if self.equal(&one, element)? {
                return Ok(truth(true));
            }
        }
        Ok(truth(false))
    }
}
