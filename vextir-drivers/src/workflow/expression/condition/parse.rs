//! The grammar of conditions: CEL's, without what conditions have no use for.
//!
//! How deep the parser goes is bounded before it goes there, so a hostile text costs neither stack nor time.

mod operand;

use super::super::names::shortened;
use super::super::{Flaw, flaw, hyphen};
use super::token::{Kind, Token, tokens};
use super::tree::{Expr, Node, Order, Sum};
use serde_json::Value;
use std::ops::Range;

/// The longest condition, in bytes.
const SOURCE: usize = 1024;
/// How deep a condition is nested, at most.
const DEPTH: usize = 32;
/// Of how many parts it is made, at most.
const NODES: usize = 256;
const SPLIT: &str = "compute a part of it in a step of its own";

/// Reads a condition.
pub(super) fn parse(source: &str) -> Result<Node, Flaw> {
    if source.trim().is_empty() {
        let help = "write what has to hold, such as trigger.data.count > 0";
        return Err(flaw(0..source.len(), "the condition is empty", help));
    }
    if source.len() > SOURCE {
        let message = format!("a condition has at most {SOURCE} bytes, and this one {}", source.len());
        return Err(flaw(0..source.len(), message, SPLIT));
    }
    if source.trim_start().starts_with("{{") {
        return Err(flaw(
            0..source.len(),
            "a condition has no braces around it",
            "write trigger.data.count > 0",
        ));
    }
    let mut parser = Parser { source, tokens: tokens(source)?, next: 0, nodes: 0, depth: 0, element: None };
    let node = parser.whole()?;
    match parser.tokens.get(parser.next) {
        Some(_) => Err(parser.unexpected()),
        None if deeper(&node, DEPTH) => Err(flaw(node.at, format!("nested deeper than {DEPTH}"), SPLIT)),
        None => Ok(node),
    }
}

/// Whether a tree has more levels than that. It has no more than parts.
fn deeper(node: &Node, levels: usize) -> bool {
    levels == 0 || node.parts().into_iter().any(|part| deeper(part, levels - 1))
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token<'a>>,
    next: usize,
    nodes: usize,
    /// How many brackets and branches are open.
    depth: usize,
    /// What the element at hand is called, within the body of `all` and its like.
    element: Option<&'a str>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Result<Token<'a>, Flaw> {
        let token = self.peek().cloned().ok_or_else(|| self.unexpected())?;
        self.next += 1;
        Ok(token)
    }

    /// Takes the next token if it is this one.
    fn took(&mut self, text: &str) -> bool {
        let is = self.peek().is_some_and(|token| token.is(text));
        self.next += usize::from(is);
        is
    }

    /// Takes this token, and says where it ends.
    fn expect(&mut self, text: &str) -> Result<usize, Flaw> {
        if self.took(text) { Ok(self.tokens[self.next - 1].at.end) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Flaw {
        let Some(token) = self.peek() else {
            return flaw(
                self.source.trim_end().len()..self.source.len(),
                "something is missing at the end",
                "",
            );
        };
        let before = self.next.checked_sub(1).map_or("", |before| self.tokens[before].text);
        let help = match token.text {
            "and" => "write `&&`",
            "or" => "write `||`",
            "{" => "objects cannot be written in conditions; compare their fields one by one",
            _ if before == "not" => "write `!`",
            _ => "",
        };
        flaw(token.at.clone(), format!("`{}` is not expected here", shortened(token.text, 40)), help)
    }

    fn node(&mut self, expr: Expr, at: Range<usize>) -> Result<Node, Flaw> {
        self.nodes += 1;
        if self.nodes > NODES {
            return Err(flaw(0..self.source.len(), format!("it is made of more than {NODES} parts"), SPLIT));
        }
        Ok(Node { expr, at })
    }

    /// `x ? y : z`, or less.
    fn whole(&mut self) -> Result<Node, Flaw> {
        if self.depth == DEPTH {
            let at = self.peek().map_or(0..self.source.len(), |token| token.at.clone());
            return Err(flaw(at, format!("nested deeper than {DEPTH}"), SPLIT));
        }
        self.depth += 1;
        let mut node = self.any()?;
        if self.took("?") {
            let then = self.any()?;
            self.expect(":")?;
            let or = self.whole()?;
            let at = node.at.start..or.at.end;
            node = self.node(Expr::Either(Box::new(node), Box::new(then), Box::new(or)), at)?;
        }
        self.depth -= 1;
        Ok(node)
    }

    fn any(&mut self) -> Result<Node, Flaw> {
        self.joined("||", Self::every, Expr::Or)
    }

    fn every(&mut self) -> Result<Node, Flaw> {
        self.joined("&&", |parser| parser.relation(), Expr::And)
    }

    /// One part, or several with a sign between them.
    fn joined(
        &mut self,
        sign: &str,
        part: fn(&mut Self) -> Result<Node, Flaw>,
        join: fn(Vec<Node>) -> Expr,
    ) -> Result<Node, Flaw> {
        let mut parts = vec![part(self)?];
        while self.took(sign) {
            parts.push(part(self)?);
        }
        if parts.len() == 1 {
            return Ok(parts.remove(0));
        }
        let at = parts[0].at.start..parts[parts.len() - 1].at.end;
        self.node(join(parts), at)
    }

    fn relation(&mut self) -> Result<Node, Flaw> {
        let mut left = self.sum()?;
        while let Some(make) = self.peek().and_then(relation) {
            self.next += 1;
            let right = self.sum()?;
            let at = left.at.start..right.at.end;
            left = self.node(make(Box::new(left), Box::new(right)), at)?;
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Node, Flaw> {
        let mut left = self.product()?;
        while let Some(token) = self.peek().filter(|token| token.is("+") || token.is("-")).cloned() {
            self.next += 1;
            let right = self.product()?;
            self.minus(&token.at)?;
            let how = if token.is("+") { Sum::Add } else { Sum::Subtract };
            let at = left.at.start..right.at.end;
            left = self.node(Expr::Compute(how, Box::new(left), Box::new(right)), at)?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Node, Flaw> {
        let mut left = self.unary()?;
        while let Some(token) =
            self.peek().filter(|token| matches!(token.text, "*" | "/" | "%") && token.kind == Kind::Sign)
        {
            let how = match token.text {
                "*" => Sum::Multiply,
                "/" => Sum::Divide,
                _ => Sum::Remainder,
            };
            self.next += 1;
            let right = self.unary()?;
            let at = left.at.start..right.at.end;
            left = self.node(Expr::Compute(how, Box::new(left), Box::new(right)), at)?;
        }
        Ok(left)
    }

    /// `!x` and `-x`; an even number of them is none.
    fn unary(&mut self) -> Result<Node, Flaw> {
        let first = self.next;
        let sign = self.peek().map_or("", |token| token.text);
        let sign = if sign == "!" || sign == "-" { sign } else { return self.member() };
        while self.took(sign) {}
        let count = self.next - first;
        let start = self.tokens[first].at.start;
        if sign == "-"
            && let Some(literal) = self.negative()?
        {
            return if count % 2 == 1 {
                Ok(literal)
            } else {
                self.node(Expr::Negative(Box::new(literal)), start..self.end())
            };
        }
        let of = self.member()?;
        if count.is_multiple_of(2) {
            return Ok(of);
        }
        let at = start..of.at.end;
        self.node(if sign == "!" { Expr::Not(Box::new(of)) } else { Expr::Negative(Box::new(of)) }, at)
    }

    /// A number behind a minus: the lowest has no positive counterpart.
    fn negative(&mut self) -> Result<Option<Node>, Flaw> {
        let Some(token) = self.peek().cloned() else { return Ok(None) };
        let value = match token.kind {
            Kind::Whole(number) if number <= i64::MIN.unsigned_abs() => {
                Value::from(0_i64.wrapping_sub_unsigned(number))
            }
            Kind::Float(number) => Value::from(-number),
            _ => return Ok(None),
        };
        self.next += 1;
        let at = self.tokens[self.next - 2].at.start..token.at.end;
        let literal = self.node(Expr::Literal(value), at)?;
        self.fields(literal).map(Some)
    }

    /// Where the last token ends.
    fn end(&self) -> usize {
        self.next.checked_sub(1).map_or(0, |last| self.tokens[last].at.end)
    }

    /// Whether a minus is meant as one.
    fn minus(&self, sign: &Range<usize>) -> Result<(), Flaw> {
        let Some(at) = self.tokens.iter().position(|token| token.at == *sign && token.text == "-") else {
            return Ok(());
        };
        let (Some(left), Some(right)) =
            (at.checked_sub(1).map(|at| &self.tokens[at]), self.tokens.get(at + 1))
        else {
            return Ok(());
        };
        let close = left.at.end == sign.start && sign.end == right.at.start;
        if !close || left.kind != Kind::Name || right.kind != Kind::Name {
            return Ok(());
        }
        Err(hyphen(left.at.start..right.at.end, left.text, right.text))
    }
}

type Relation = fn(Box<Node>, Box<Node>) -> Expr;

fn relation(token: &Token<'_>) -> Option<Relation> {
    if !matches!(token.kind, Kind::Sign | Kind::Name) {
        return None;
    }
    let make: Relation = match token.text {
        "==" => |left, right| Expr::Compare(Order::Equal, left, right),
        "!=" => |left, right| Expr::Compare(Order::NotEqual, left, right),
        "<" => |left, right| Expr::Compare(Order::Less, left, right),
        "<=" => |left, right| Expr::Compare(Order::LessOrEqual, left, right),
        ">" => |left, right| Expr::Compare(Order::Greater, left, right),
        ">=" => |left, right| Expr::Compare(Order::GreaterOrEqual, left, right),
        "in" => Expr::In,
        _ => return None,
    };
    Some(make)
}
