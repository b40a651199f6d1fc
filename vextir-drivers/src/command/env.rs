//! The environment of commands.

use crate::secret::SecretRef;
use std::fmt;
use vextir::Result;

/// The value of a variable: a text, or where a secret is found. `Debug` does not show a text, for that is a secret often enough.
#[derive(Clone)]
pub struct CommandText(Value);

#[derive(Clone)]
enum Value {
    Plain(String),
    Secret(SecretRef),
}

impl CommandText {
    /// The value, for the command that starts.
    pub(super) async fn resolve(&self) -> Result<String> {
        match &self.0 {
            Value::Plain(text) => Ok(text.clone()),
            Value::Secret(place) => place.resolve().await.map(|secret| secret.expose().to_owned()),
        }
    }
}

impl From<String> for CommandText {
    fn from(text: String) -> Self {
        Self(Value::Plain(text))
    }
}

impl From<&str> for CommandText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<SecretRef> for CommandText {
    fn from(place: SecretRef) -> Self {
        Self(Value::Secret(place))
    }
}

impl fmt::Debug for CommandText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Plain(_) => f.write_str("CommandText(..)"),
            Value::Secret(place) => write!(f, "CommandText({place})"),
        }
    }
}
