//! A condition, read: only what is allowed can be said in it.

use serde_json::Value;
use std::ops::Range;

/// A part of a condition, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) expr: Expr,
    /// In bytes.
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Literal(Value),
    List(Vec<Node>),
    /// A name of the run's, or that of the element at hand.
    Name(String),
    /// `x.field`, and `x.length`.
    Field(Box<Node>, String),
    /// `x[0]`, `x['key']`.
    Index(Box<Node>, Box<Node>),
    /// `has(x.field)`.
    Has(Box<Node>, String),
    Not(Box<Node>),
    Negative(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    /// `x ? y : z`.
    Either(Box<Node>, Box<Node>, Box<Node>),
    Compare(Order, Box<Node>, Box<Node>),
    Compute(Sum, Box<Node>, Box<Node>),
    /// `x in y`.
    In(Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    /// `list.all(name, body)` and its like.
    Each {
        how: Each,
        list: Box<Node>,
        name: String,
        body: Box<Node>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    Int,
    Double,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Function {
    /// What is called like this with so many arguments, the value that it is called on included.
    pub(super) fn of(name: &str, method: bool, arguments: usize) -> Option<Self> {
        match (name, method, arguments) {
            ("size", _, 1) => Some(Self::Size),
            ("contains", true, 2) => Some(Self::Contains),
            ("startsWith", true, 2) => Some(Self::StartsWith),
            ("endsWith", true, 2) => Some(Self::EndsWith),
            ("int", false, 1) => Some(Self::Int),
            ("double", false, 1) => Some(Self::Double),
            ("string", false, 1) => Some(Self::Text),
            _ => None,
        }
    }
}

impl Each {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "exists" => Some(Self::Exists),
            "exists_one" => Some(Self::ExistsOne),
            "filter" => Some(Self::Filter),
            "map" => Some(Self::Map),
            _ => None,
        }
    }
}

impl Node {
    /// What it is made of.
    pub(super) fn parts(&self) -> Vec<&Node> {
        match &self.expr {
            Expr::Literal(_) | Expr::Name(_) => Vec::new(),
            Expr::List(parts) | Expr::And(parts) | Expr::Or(parts) | Expr::Call(_, parts) => {
                parts.iter().collect()
            }
            Expr::Field(of, _) | Expr::Has(of, _) | Expr::Not(of) | Expr::Negative(of) => vec![of],
            Expr::Index(left, right)
            | Expr::Compare(_, left, right)
            | Expr::Compute(_, left, right)
            | Expr::In(left, right) => vec![left, right],
            Expr::Either(first, second, third) => vec![first, second, third],
            Expr::Each { list, body, .. } => vec![list, body],
        }
    }
}
