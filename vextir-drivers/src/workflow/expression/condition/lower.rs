//! CEL's tree becomes ours: what is not known, too deep or too large is refused here.

use super::super::Flaw;
use super::super::names::{like, shortened};
use super::syntax::flaw;
use super::tree::{Each, Expr, Function, Node, Order, Sum};
use cel::common::ast::{self, CallExpr, IdedExpr, LiteralValue, SourceInfo, operators};
use serde_json::Value;
use std::ops::Range;

/// How deep a condition is nested, at most.
const DEPTH: usize = 32;
/// Of how many parts it is made, at most.
const NODES: usize = 256;
/// What can be called.
const FUNCTIONS: [&str; 13] = [
    "all",
    "contains",
    "double",
    "endsWith",
    "exists",
    "exists_one",
    "filter",
    "has",
    "int",
    "map",
    "size",
    "startsWith",
    "string",
];
const AVAILABLE: &str = "there are all, contains, double, endsWith, exists, exists_one, filter, has, int, map, size, startsWith, string";

/// Our form of a tree.
pub(super) fn lower(source: &str, tree: &IdedExpr, places: &SourceInfo) -> Result<Node, Flaw> {
    let mut lowering = Lowering { source, places, nodes: 0, depth: 0, element: None };
    lowering.node(tree)
}

struct Lowering<'a> {
    source: &'a str,
    places: &'a SourceInfo,
    nodes: usize,
    depth: usize,
    /// What the element at hand is called, within the body of `all` and its like.
    element: Option<String>,
}

impl Lowering<'_> {
    fn node(&mut self, tree: &IdedExpr) -> Result<Node, Flaw> {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(flaw(
                0..self.source.len(),
                format!("it is made of more than {NODES} parts"),
                "compute a part of it in a step of its own",
            ));
        }
        if self.depth == DEPTH {
            return Err(flaw(
                self.token(tree.id),
                format!("nested deeper than {DEPTH}"),
                "compute a part of it in a step of its own",
            ));
        }
        self.depth += 1;
        let node = self.inner(tree);
        self.depth -= 1;
        node
    }

    fn inner(&mut self, tree: &IdedExpr) -> Result<Node, Flaw> {
        let token = self.token(tree.id);
        match &tree.expr {
            ast::Expr::Literal(literal) => Ok(Node { expr: self.literal(literal, &token)?, at: token }),
            ast::Expr::Ident(name) => self.name(name, token),
            ast::Expr::Select(select) => {
                if let Some(step) = self.step_by_name(&select.operand, &select.field) {
                    return Ok(step);
                }
                let of = self.node(&select.operand)?;
                let at = of.at.start..self.behind(token.end, &select.field);
                Ok(Node { expr: Expr::Field(Box::new(of), select.field.clone()), at })
            }
            ast::Expr::Call(call) => self.call(call, token),
            ast::Expr::List(list) => {
                let parts =
                    list.elements.iter().map(|element| self.node(element)).collect::<Result<Vec<_>, _>>()?;
                let end = self.behind(parts.last().map_or(token.end, |last| last.at.end), "]");
                Ok(Node { expr: Expr::List(parts), at: token.start..end })
            }
            ast::Expr::Map(_) | ast::Expr::Struct(_) => {
                Err(flaw(token, "objects cannot be written in conditions", "compare their fields one by one"))
            }
            ast::Expr::Comprehension(_) | ast::Expr::Unspecified => Err(flaw(token, "it cannot be read", "")),
        }
    }

    fn literal(&self, literal: &LiteralValue, at: &Range<usize>) -> Result<Expr, Flaw> {
        let value = match literal {
            LiteralValue::Boolean(value) => Value::from(*value.inner()),
            LiteralValue::Int(value) => Value::from(*value.inner()),
            LiteralValue::UInt(value) => Value::from(*value.inner()),
            LiteralValue::String(value) => Value::from(value.inner()),
            LiteralValue::Null => Value::Null,
            LiteralValue::Double(value) if value.inner().is_finite() => Value::from(*value.inner()),
            LiteralValue::Double(_) => return Err(flaw(at.clone(), "the number is too large", "")),
            LiteralValue::Bytes(_) => {
                return Err(flaw(at.clone(), "there are no bytes here", "write a text: 'abc'"));
            }
        };
        Ok(Expr::Literal(value))
    }

    fn name(&self, name: &str, at: Range<usize>) -> Result<Node, Flaw> {
        if name == "steps" && self.element.as_deref() != Some(name) {
            let help = "write steps['fetch-mails'].output";
            return Err(flaw(at, "`steps` is read by the id of a step", help));
        }
        if name.starts_with('.') {
            return Err(flaw(
                at,
                format!("`{}` does not begin with a dot", name.trim_start_matches('.')),
                "",
            ));
        }
        Ok(Node { expr: Expr::Name(name.to_owned()), at })
    }

    /// `steps['fetch-mails']` and `steps.fetch`: the step of that id.
    fn step_by_name(&self, of: &IdedExpr, id: &str) -> Option<Node> {
        let ast::Expr::Ident(name) = &of.expr else { return None };
        if name != "steps" || self.element.as_deref() == Some(name) {
            return None;
        }
        let start = self.token(of.id).start;
        let end = self.behind(self.behind(start, id), "]");
        let dotted =
            self.source[start..].strip_prefix("steps").is_some_and(|rest| rest.trim_start().starts_with('.'));
        let end = if dotted { self.behind(start, id) } else { end };
        Some(Node { expr: Expr::Name(id.to_owned()), at: start..end })
    }

    fn call(&mut self, call: &CallExpr, token: Range<usize>) -> Result<Node, Flaw> {
        let name = call.func_name.as_str();
        match (&call.target, call.args.as_slice()) {
            (None, [left, right]) => {
                if let Some(node) = self.operator(name, left, right, &token)? {
                    return Ok(node);
                }
            }
            (None, [of]) if name == operators::LOGICAL_NOT || name == operators::NEGATE => {
                let of = self.node(of)?;
                let at = token.start..of.at.end;
                let of = Box::new(of);
                let expr = if name == operators::NEGATE { Expr::Negative(of) } else { Expr::Not(of) };
                return Ok(Node { expr, at });
            }
            (None, [when, then, or]) if name == operators::CONDITIONAL => {
                let [when, then, or] = [self.node(when)?, self.node(then)?, self.node(or)?];
                let at = when.at.start..or.at.end;
                return Ok(Node { expr: Expr::Either(Box::new(when), Box::new(then), Box::new(or)), at });
            }
            _ => {}
        }
        self.function(call, token)
    }

    fn operator(
        &mut self,
        name: &str,
        left: &IdedExpr,
        right: &IdedExpr,
        token: &Range<usize>,
    ) -> Result<Option<Node>, Flaw> {
        if name == operators::INDEX {
            return self.index(left, right).map(Some);
        }
        let Some(make) = binary(name) else { return Ok(None) };
        if name == operators::SUBSTRACT {
            self.hyphen(token)?;
        }
        let (left, right) = (self.node(left)?, self.node(right)?);
        let at = left.at.start..right.at.end;
        Ok(Some(Node { expr: make(Box::new(left), Box::new(right)), at }))
    }

    fn index(&mut self, of: &IdedExpr, index: &IdedExpr) -> Result<Node, Flaw> {
        if let ast::Expr::Literal(LiteralValue::String(id)) = &index.expr
            && let Some(step) = self.step_by_name(of, id.inner())
        {
            return Ok(step);
        }
        let (of, index) = (self.node(of)?, self.node(index)?);
        let at = of.at.start..self.behind(index.at.end, "]");
        Ok(Node { expr: Expr::Index(Box::new(of), Box::new(index)), at })
    }

    /// `fetch-mails` is a subtraction, and never meant as one.
    fn hyphen(&self, minus: &Range<usize>) -> Result<(), Flaw> {
        let in_name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        let (before, after) = (&self.source[..minus.start], &self.source[minus.end..]);
        let left = &before[before.trim_end_matches(in_name).len()..];
        let right = &after[..after.len() - after.trim_start_matches(in_name).len()];
        let named = |word: &str| word.starts_with(|sign: char| sign.is_ascii_alphabetic() || sign == '_');
        if !named(left) || !named(right) {
            return Ok(());
        }
        let whole = format!("{left}-{right}");
        let help = format!(
            "write steps['{whole}'] for a step and x['{whole}'] for a key; for a subtraction put spaces around the minus"
        );
        Err(flaw(
            minus.start - left.len()..minus.end + right.len(),
            format!("`{whole}` reads as a subtraction"),
            &help,
        ))
    }

    fn function(&mut self, call: &CallExpr, token: Range<usize>) -> Result<Node, Flaw> {
        let name = call.func_name.as_str();
        let start = self.source[..token.start].trim_end().len().saturating_sub(name.len());
        let word = if self.source.get(start..).is_some_and(|rest| rest.starts_with(name)) {
            start..start + name.len()
        } else {
            token
        };
        match (name, &call.target, call.args.as_slice()) {
            ("has", None, [of]) => self.has(of, &word),
            (_, Some(list), [element, body]) if Each::of(name).is_some() => {
                self.each(name, &word, [list, element, body])
            }
            _ => {
                let arguments: Vec<&IdedExpr> =
                    call.target.as_deref().into_iter().chain(&call.args).collect();
                let Some(function) = Function::of(name, call.target.is_some(), arguments.len()) else {
                    return Err(unknown(name, word));
                };
                let parts =
                    arguments.into_iter().map(|part| self.node(part)).collect::<Result<Vec<_>, _>>()?;
                let start = parts.first().map_or(word.start, |first| first.at.start.min(word.start));
                let end = parts.last().map_or(word.end, |last| last.at.end.max(word.end));
                Ok(Node { expr: Expr::Call(function, parts), at: start..self.behind(end, ")") })
            }
        }
    }

    fn has(&mut self, of: &IdedExpr, word: &Range<usize>) -> Result<Node, Flaw> {
        let help = "write has(trigger.data.name)";
        let ast::Expr::Select(select) = &of.expr else {
            return Err(flaw(word.clone(), "`has` asks for a field", help));
        };
        if matches!(&select.operand.expr, ast::Expr::Ident(name) if name == "steps") {
            return Err(flaw(word.clone(), "`has` asks for a field, and not for a step", help));
        }
        let of = self.node(&select.operand)?;
        let end = self.behind(self.behind(of.at.end, &select.field), ")");
        Ok(Node { expr: Expr::Has(Box::new(of), select.field.clone()), at: word.start..end })
    }

    fn each(&mut self, how: &str, word: &Range<usize>, parts: [&IdedExpr; 3]) -> Result<Node, Flaw> {
        let [list, element, body] = parts;
        let (ast::Expr::Ident(name), Some(each)) = (&element.expr, Each::of(how)) else {
            let help = format!("write .{how}(one, one.size > 0)");
            return Err(flaw(word.clone(), format!("`{how}` names the element first"), &help));
        };
        if self.element.is_some() {
            let message = format!("`{how}` within `all`, `exists` and their like would take too long");
            return Err(flaw(word.clone(), message, "go over the inner list in a step of its own"));
        }
        let list = self.node(list)?;
        self.element = Some(name.clone());
        let body = self.node(body);
        self.element = None;
        let body = body?;
        let at = list.at.start..self.behind(body.at.end, ")");
        Ok(Node {
            expr: Expr::Each { how: each, list: Box::new(list), name: name.clone(), body: Box::new(body) },
            at,
        })
    }

    /// Where a token stands. The parser's offsets are trusted no further than to be numbers.
    fn token(&self, id: u64) -> Range<usize> {
        let (first, last) = self.places.offset_for(id).unwrap_or_default();
        let byte = |at: u32| self.source.floor_char_boundary(usize::try_from(at).unwrap_or(usize::MAX));
        let start = byte(first);
        let end = usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1);
        start..self.source.ceil_char_boundary(end.min(self.source.len())).max(start)
    }

    /// The end of the next `word` after `from`; `from` where there is none.
    fn behind(&self, from: usize, word: &str) -> usize {
        let found = self.source.get(from..).and_then(|rest| rest.find(word));
        found.map_or(from, |at| from + at + word.len())
    }
}

fn unknown(name: &str, word: Range<usize>) -> Flaw {
    if FUNCTIONS.contains(&name) {
        let help = "write size(x), has(x.y), x.contains(y), x.all(one, ..), int(x)";
        return flaw(word, format!("`{name}` is called in another way"), help);
    }
    let meant = like(name, FUNCTIONS.iter().copied());
    flaw(word, format!("there is no function `{}`{meant}", shortened(name, 40)), AVAILABLE)
}

type Binary = fn(Box<Node>, Box<Node>) -> Expr;

/// What an operator makes of its two sides.
fn binary(name: &str) -> Option<Binary> {
    let make: Binary = match name {
        operators::LOGICAL_AND => Expr::And,
        operators::LOGICAL_OR => Expr::Or,
        operators::IN => Expr::In,
        operators::EQUALS => |left, right| Expr::Compare(Order::Equal, left, right),
        operators::NOT_EQUALS => |left, right| Expr::Compare(Order::NotEqual, left, right),
        operators::LESS => |left, right| Expr::Compare(Order::Less, left, right),
        operators::LESS_EQUALS => |left, right| Expr::Compare(Order::LessOrEqual, left, right),
        operators::GREATER => |left, right| Expr::Compare(Order::Greater, left, right),
        operators::GREATER_EQUALS => |left, right| Expr::Compare(Order::GreaterOrEqual, left, right),
        operators::ADD => |left, right| Expr::Compute(Sum::Add, left, right),
        operators::SUBSTRACT => |left, right| Expr::Compute(Sum::Subtract, left, right),
        operators::MULTIPLY => |left, right| Expr::Compute(Sum::Multiply, left, right),
        operators::DIVIDE => |left, right| Expr::Compute(Sum::Divide, left, right),
        operators::MODULO => |left, right| Expr::Compute(Sum::Remainder, left, right),
        _ => return None,
    };
    Some(make)
}
