//! What stands between the operators: names with their fields, calls, literals.

use super::super::super::names::{like, shortened};
use super::super::super::{Flaw, RESERVED, flaw};
use super::super::token::{Kind, Token};
use super::super::tree::{Each, Expr, Function, Node};
use super::Parser;
use serde_json::Value;

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
impl<'a> Parser<'a> {
    pub(super) fn member(&mut self) -> Result<Node, Flaw> {
        let primary = self.primary()?;
        self.fields(primary)
    }

    /// `.field`, `.function(..)`, `[index]`, as many as there are.
    pub(super) fn fields(&mut self, mut of: Node) -> Result<Node, Flaw> {
        loop {
            if self.took(".") {
                let name = self.field()?;
                of = if self.took("(") { self.method(of, &name)? } else { self.node_of_field(of, &name)? };
            } else if self.took("[") {
                let index = self.whole()?;
                let at = of.at.start..self.expect("]")?;
                of = self.node(Expr::Index(Box::new(of), Box::new(index)), at)?;
            } else {
                return Ok(of);
            }
        }
    }

    fn field(&mut self) -> Result<Token<'a>, Flaw> {
        match self.peek() {
            Some(token)
                if token.kind == Kind::Name && !matches!(token.text, "true" | "false" | "null" | "in") =>
            {
                self.take()
            }
            Some(token) if token.is("?") => Err(flaw(
                token.at.clone(),
                "`?` is not expected here",
                "optional fields are asked for with has(x.y)",
            )),
            _ => Err(self.unexpected()),
        }
    }

    fn node_of_field(&mut self, of: Node, name: &Token<'_>) -> Result<Node, Flaw> {
        let at = of.at.start..name.at.end;
        self.node(Expr::Field(Box::new(of), name.text.to_owned()), at)
    }

    fn method(&mut self, of: Node, name: &Token<'a>) -> Result<Node, Flaw> {
        if let Some(how) = Each::of(name.text) {
            return self.each(how, of, name);
        }
        let start = of.at.start;
        let mut parts = vec![of];
        self.list(")", &mut parts)?;
        self.called(name, true, parts, start)
    }

    fn called(
        &mut self,
        name: &Token<'_>,
        method: bool,
        parts: Vec<Node>,
        start: usize,
    ) -> Result<Node, Flaw> {
        match Function::of(name.text, method, parts.len()) {
            Some(function) => self.node(Expr::Call(function, parts), start..self.end()),
            None => Err(unknown(name)),
        }
    }

    /// What stands up to the closing bracket, with commas between.
    fn list(&mut self, close: &str, parts: &mut Vec<Node>) -> Result<(), Flaw> {
        if self.took(close) {
            return Ok(());
        }
        loop {
            parts.push(self.whole()?);
            if self.took(close) {
                return Ok(());
            }
            self.expect(",")?;
            // The last comma of a list is let pass.
            if close == "]" && self.took(close) {
                return Ok(());
            }
        }
    }

    fn each(&mut self, how: Each, list: Node, word: &Token<'a>) -> Result<Node, Flaw> {
        let named = |token: &&Token<'_>| token.kind == Kind::Name && !RESERVED.contains(&token.text);
        let name = self.peek().filter(named).map(|token| token.text);
        let comma = self.tokens.get(self.next + 1).is_some_and(|token| token.is(","));
        let Some(name) = name.filter(|_| comma) else {
            let help = format!("write .{}(one, one.size > 0)", word.text);
            return Err(flaw(word.at.clone(), format!("`{}` names the element first", word.text), &help));
        };
        if self.element.is_some() {
            let message =
                format!("`{}` within `all`, `exists` and their like would take too long", word.text);
            return Err(flaw(word.at.clone(), message, "go over the inner list in a step of its own"));
        }
        self.next += 2;
        self.element = Some(name);
        let body = self.whole();
        self.element = None;
        let body = body?;
        let at = list.at.start..self.expect(")")?;
        self.node(Expr::Each { how, list: Box::new(list), name: name.to_owned(), body: Box::new(body) }, at)
    }

    fn primary(&mut self) -> Result<Node, Flaw> {
        let token = self.take()?;
        let at = token.at.clone();
        let value =
            match token.kind {
                Kind::Name => return self.name(&token),
                Kind::Whole(number) => Value::from(i64::try_from(number).map_err(|_| {
                    flaw(at.clone(), "the number is too large", "write it with a `u` behind it")
                })?),
                Kind::Unsigned(number) => Value::from(number),
                Kind::Float(number) => Value::from(number),
                Kind::Text(text) => Value::from(text),
                Kind::Sign if token.text == "(" => {
                    let inner = self.whole()?;
                    let end = self.expect(")")?;
                    return Ok(Node { at: at.start..end, ..inner });
                }
                Kind::Sign if token.text == "[" => {
                    let mut parts = Vec::new();
                    self.list("]", &mut parts)?;
                    return self.node(Expr::List(parts), at.start..self.end());
                }
                Kind::Sign => {
                    self.next -= 1;
                    return Err(self.unexpected());
                }
            };
        self.node(Expr::Literal(value), at)
    }

    fn name(&mut self, name: &Token<'a>) -> Result<Node, Flaw> {
        let value = match name.text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            "in" => {
                self.next -= 1;
                return Err(self.unexpected());
            }
            word if RESERVED.contains(&word) => {
                return Err(flaw(name.at.clone(), format!("`{word}` cannot be a name"), ""));
            }
            _ if self.took("(") => return self.function(name),
            "steps" if self.element != Some("steps") => return self.step(name),
            _ => return self.node(Expr::Name(name.text.to_owned()), name.at.clone()),
        };
        self.node(Expr::Literal(value), name.at.clone())
    }

    /// `steps['fetch-mails']` and `steps.fetch`: the step of that id.
    fn step(&mut self, steps: &Token<'_>) -> Result<Node, Flaw> {
        let rest: Vec<Token<'_>> = self.tokens[self.next..].iter().take(3).cloned().collect();
        let (id, length) = match rest.as_slice() {
            [dot, id, next @ ..]
                if dot.is(".") && id.kind == Kind::Name && !next.first().is_some_and(|next| next.is("(")) =>
            {
                (id.text, 2)
            }
            [open, Token { kind: Kind::Text(id), .. }, close] if open.is("[") && close.is("]") => {
                (id.as_str(), 3)
            }
            _ => {
                let help = "write steps['fetch-mails'].output";
                return Err(flaw(steps.at.clone(), "`steps` is read by the id of a step", help));
            }
        };
        let expr = Expr::Name(id.to_owned());
        self.next += length;
        self.node(expr, steps.at.start..self.end())
    }

    fn function(&mut self, name: &Token<'a>) -> Result<Node, Flaw> {
        let mut parts = Vec::new();
        self.list(")", &mut parts)?;
        if name.text != "has" {
            return self.called(name, false, parts, name.at.start);
        }
        match (parts.pop(), parts.is_empty()) {
            (Some(Node { expr: Expr::Field(of, field), .. }), true) => {
                self.node(Expr::Has(of, field), name.at.start..self.end())
            }
            _ => Err(flaw(name.at.clone(), "`has` asks for a field", "write has(trigger.data.name)")),
        }
    }
}

fn unknown(name: &Token<'_>) -> Flaw {
    if FUNCTIONS.contains(&name.text) {
        let help = "write size(x), has(x.y), x.contains(y), x.all(one, ..), int(x)";
        return flaw(name.at.clone(), format!("`{}` is called in another way", name.text), help);
    }
    let meant = like(name.text, FUNCTIONS.iter().copied());
    let message = format!("there is no function `{}`{meant}", shortened(name.text, 40));
    flaw(name.at.clone(), message, &format!("there are {}", FUNCTIONS.join(", ")))
}
