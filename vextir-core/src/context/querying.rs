//! A query on its way: parameters, then `.await`.

use super::Context;
use crate::Result;
use serde_json::Value;
use std::future::{Future, IntoFuture};
use std::pin::Pin;

/// A query that runs when it is awaited; made by [`Context::query`].
#[derive(Debug)]
#[must_use = "nothing is read before it is awaited"]
pub struct Query {
    context: Context,
    sql: String,
    parameters: Vec<Value>,
}

impl Query {
    pub(super) fn new(context: &Context, sql: String) -> Self {
        Self { context: context.clone(), sql, parameters: Vec::new() }
    }

    /// The values of the parameters `?1`, `?2` and so on, instead of text that is pasted into the query. Arrays and
    /// objects come as JSON text.
    pub fn params(mut self, values: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        self.parameters = values.into_iter().map(Into::into).collect();
        self
    }
}

impl IntoFuture for Query {
    type Output = Result<Vec<Value>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.context.ask(&self.sql, &self.parameters).await })
    }
}
