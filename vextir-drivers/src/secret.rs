//! Secrets: where one is found is data, and can be written down; the secret itself is read at the call that needs it, and can be
//! neither printed nor written.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use vextir::{Error, ErrorKind, Result};

/// The most bytes that a secret in a file may have.
const LONGEST: u64 = 64 * 1024;

/// Where a secret is found: `env:OPENAI_API_KEY`, `file:/run/secrets/openai`, or what the application says. It is read again at
/// each use, so that a key can be changed while the application runs.
///
/// ```
/// use vextir_drivers::secret::SecretRef;
///
/// let key: SecretRef = "env:OPENAI_API_KEY".parse()?;
/// assert_eq!(key.to_string(), "env:OPENAI_API_KEY");
/// let mistake = "sk-abcdef".parse::<SecretRef>().unwrap_err().to_string();
/// assert!(!mistake.contains("abcdef"));
/// # Ok::<(), vextir_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SecretRef(Place);

#[derive(Clone)]
enum Place {
    Env(String),
    File(PathBuf),
    Application(Arc<dyn Fn() -> Result<String> + Send + Sync>),
}

/// A secret. It has no `Debug`, no `Display` and no `Serialize`, and its memory is wiped when it goes.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "what cannot be printed is not printed by mistake")]
pub struct Secret(SecretString);

impl Secret {
    /// The secret itself, for the call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn new(text: String) -> Self {
        let trimmed = text.trim();
        Self(if trimmed.len() == text.len() { text.into() } else { trimmed.to_owned().into() })
    }
}

impl SecretRef {
    /// In an environment variable.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Place::Env(name.into()))
    }

    /// In a file; white space around it is cut off.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Place::File(path.into()))
    }

    /// What the application answers at each use: from a vault, for example.
    pub fn with(find: impl Fn() -> Result<String> + Send + Sync + 'static) -> Self {
        Self(Place::Application(Arc::new(find)))
    }

    /// The secret.
    ///
    /// # Errors
    /// `NotFound`: it is not there, or empty; the message names the place. What the application answers. A file of more than
    /// 64 KiB is refused.
    pub async fn resolve(&self) -> Result<Secret> {
        let found = match &self.0 {
            Place::Env(name) => std::env::var(name).map_err(|_| self.missing("set the variable"))?,
            Place::File(path) => {
                let path = path.clone();
                match tokio::task::spawn_blocking(move || read(&path)).await {
                    Ok(Ok(text)) => text,
                    Ok(Err(error)) => return Err(self.missing(&error.kind().to_string())),
                    Err(_) => return Err(self.missing("the runtime has ended")),
                }
            }
            Place::Application(find) => find()?,
        };
        let secret = Secret::new(found);
        if secret.expose().is_empty() { Err(self.missing("it is empty")) } else { Ok(secret) }
    }

    fn missing(&self, why: &str) -> Error {
        Error::new(ErrorKind::NotFound, format!("the secret {self} is not there: {why}"))
    }
}

/// What is in a file, if it is not too much: a device says of itself that it is empty, and may have no end.
fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LONGEST { Err(std::io::ErrorKind::FileTooLarge.into()) } else { Ok(text) }
}

impl FromStr for SecretRef {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::env(name)),
            Some(("file", path)) if !path.is_empty() => Ok(Self::file(path)),
            // It may be the secret itself: it is not repeated.
            _ => Err(Error::invalid(
                "a secret is written as where it is found, `env:NAME` or `file:/path`, never as itself",
            )),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Env(name) => write!(f, "env:{name}"),
            Place::File(path) => write!(f, "file:{}", path.display()),
            Place::Application(_) => f.write_str("of the application"),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretRef({self})")
    }
}

impl PartialEq for SecretRef {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Place::Application(one), Place::Application(two)) => Arc::ptr_eq(one, two),
            _ => self.to_string() == other.to_string(),
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Place::Application(_) => {
                Err(serde::ser::Error::custom("a secret that the application finds cannot be written down"))
            }
            _ => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^(env|file):.+"})
    }
}

#[cfg(test)]
mod tests {
    use super::SecretRef;

    #[tokio::test(flavor = "current_thread")]
    async fn a_secret_is_read_where_it_is_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, " s3cret\n").unwrap();
        let place = SecretRef::file(&path);
        assert_eq!(place.resolve().await.unwrap_or_else(|_| unreachable!()).expose(), "s3cret");
        std::fs::write(&path, "\n").unwrap();
        let Err(error) = place.resolve().await else { panic!("an empty secret") };
        assert!(error.to_string().contains("it is empty"), "{error}");
        let Err(error) = SecretRef::env("VEXTIR_NO_SUCH_VARIABLE").resolve().await else { panic!("found") };
        assert!(error.to_string().contains("env:VEXTIR_NO_SUCH_VARIABLE"), "{error}");
        #[cfg(unix)]
        {
            let Err(error) = SecretRef::file("/dev/zero").resolve().await else { panic!("it ends") };
            assert!(error.to_string().contains("file too large"), "{error}");
        }
        let given = SecretRef::with(|| Ok("x".to_owned()));
        assert_eq!(given.resolve().await.unwrap_or_else(|_| unreachable!()).expose(), "x");
        assert!(serde_json::to_string(&given).is_err());
        assert_eq!(format!("{given:?}"), "SecretRef(of the application)");
    }
}
