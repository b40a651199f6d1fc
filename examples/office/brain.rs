//! The model of an example: a real one that the environment names, or the example's tape.

use std::path::{Path, PathBuf};
use vextir::BoxError;
use vextir::drivers::agent::{ModelRegistry, ModelSpec, Models, Tape};
use vextir::drivers::secret::SecretRef;

/// What an example says when there is no model.
const NO_MODEL: &str = "\
there is no model. Set one of these:
  VEXTIR_MODEL_URL    an OpenAI-compatible service, such as http://127.0.0.1:11434/v1 of an
                      Ollama (https://ollama.com; `ollama pull llama3.2`), with VEXTIR_MODEL
                      for the model's name
  OPENAI_API_KEY      then gpt-4o-mini is asked
  ANTHROPIC_API_KEY   then claude-3-5-haiku-latest is asked
or run it on its tape, without any model: --tape";

/// Where the answers come from.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// From the example's tape.
    pub(crate) tape: bool,
    /// From a model, and they are recorded here.
    pub(crate) record: Option<PathBuf>,
}

/// The model `brain`, and what it is in words.
pub(crate) fn brain(example: &str, choice: &Choice) -> Result<(Models, String), BoxError> {
    if choice.tape {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example).join("recorded.tape");
        let models =
            ModelRegistry::new().with("brain", ModelSpec::compatible("http://127.0.0.1:9/v1", "none"));
        let models = models.on_tape(&Tape::replay(path)?);
        return Ok((Models::new(models), "its tape".to_owned()));
    }
    let (spec, told) = real().ok_or(NO_MODEL)?;
    let models = ModelRegistry::new().with("brain", spec);
    let models = match &choice.record {
        Some(path) => models.on_tape(&Tape::record(path)?),
        None => models,
    };
    Ok((Models::new(models), told))
}

/// The first model that the environment names.
fn real() -> Option<(ModelSpec, String)> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(url) = set("VEXTIR_MODEL_URL") {
        let model = set("VEXTIR_MODEL").unwrap_or_else(|| "default".to_owned());
        let told = format!("{model} at {url}");
        let spec = ModelSpec::compatible(url, model);
        let spec = if set("VEXTIR_MODEL_KEY").is_some() {
            spec.with_key(SecretRef::env("VEXTIR_MODEL_KEY"))
        } else {
            spec
        };
        return Some((spec, told));
    }
    if set("OPENAI_API_KEY").is_some() {
        return Some((ModelSpec::openai("gpt-4o-mini"), "gpt-4o-mini".to_owned()));
    }
    let model = "claude-3-5-haiku-latest";
    set("ANTHROPIC_API_KEY").map(|_| (ModelSpec::anthropic(model), model.to_owned()))
}
