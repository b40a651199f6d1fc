//! A file of models, in YAML or JSON.

use super::spec::{CHAT, DEAREST, FUNCTION_CALLING, VISION, check_endpoint};
use super::{ModelRegistry, ModelSpec, Price, Provider};
use crate::secret::SecretRef;
use crate::yaml::form::{duration, number, text, truth, whole};
use crate::yaml::{self, Entry, Faults, Form, Found, Kind, Node, Shown, Source, What, word};
use std::path::Path;
use std::time::Duration;
use vextir::Name;

const WHAT: What = What {
    name: "a file of models",
    example: "write a name, and below it `provider:`, as in `gpt-4: {provider: openai}`",
};
const KEYS: [&str; 12] = [
    "provider",
    "model",
    "endpoint",
    "key",
    "capabilities",
    "cost_per_1k_tokens",
    "context_window",
    "max_output_tokens",
    "timeout",
    "concurrency",
    "fallbacks",
    "stream",
];
/// The longest name of a model, in bytes: the units of the ledger hold it.
const LONGEST_NAME: usize = 100;
const SHORTEST_CALL: Duration = Duration::from_secs(1);
const LONGEST_CALL: Duration = Duration::from_secs(60 * 60);
/// The most calls of a model at a time.
const MOST_CALLS: u64 = 1_024;
/// More than the window of any model, in tokens.
const MOST_TOKENS: u64 = u32::MAX as u64 - 1;

impl ModelRegistry {
    /// Reads models from YAML or JSON: a map of names, alone or below `models`. `file_name` is what faults call it.
    ///
    /// | key | meaning |
    /// |---|---|
    /// | `provider` | `openai`, `anthropic`, `gemini`, `ollama` or `openai_compatible` |
    /// | `model` | what the provider calls it; its name here, if it is not said |
    /// | `endpoint` | the address before the provider's paths; the provider's own, if it is not said |
    /// | `key` | where the key is: `env:NAME` or `file:/path`; `none` if there is none |
    /// | `capabilities` | `chat`, `function_calling`, `vision` and words of your own; the first two, if it is not said |
    /// | `cost_per_1k_tokens` | `{input: .., output: ..}` in dollars |
    /// | `context_window`, `max_output_tokens` | in tokens |
    /// | `timeout` | how long a call may take, as in `2m` |
    /// | `concurrency` | how many calls run at a time |
    /// | `fallbacks` | who is asked when it does not answer |
    /// | `stream` | `false` for a service that cannot answer bit by bit |
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn from_yaml(file_name: &str, text: &str) -> Result<Self, Faults> {
        yaml::read(file_name, text, WHAT, registry)
    }

    /// Reads a file, as [`ModelRegistry::from_yaml`] does. It waits for the disk.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place; or why the file cannot be read.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Faults> {
        let path = path.as_ref();
        Self::from_yaml(&path.display().to_string(), &yaml::load(path, WHAT)?)
    }
}

fn registry(root: &Node, _: &Source, found: &mut Found) -> Option<ModelRegistry> {
    // A model may be called `models`; then it says who serves it.
    let is_wrapped = |only: &&Entry| {
        let keys = only.value.entries();
        only.key == "models" && keys.is_some_and(|keys| keys.iter().all(|key| key.key != "provider"))
    };
    let wrapped = root.entries().filter(|all| all.len() == 1).and_then(<[_]>::first).filter(is_wrapped);
    let map = wrapped.map_or(root, |entry| &entry.value);
    let entries = map.entries()?;
    let mut registry = ModelRegistry::new();
    for entry in entries {
        check_name(entry, found);
        if let Some(spec) = model(&entry.value, found) {
            registry = registry.with(entry.key.as_str(), spec);
        }
    }
    let names: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    for entry in entries {
        let listed = entry.value.entries().and_then(|keys| keys.iter().find(|key| key.key == "fallbacks"));
        let Some(Kind::List(nodes)) = listed.map(|listed| &listed.value.kind) else { continue };
        for node in nodes {
            let Some(name) = node.written().filter(|name| !names.contains(name)) else { continue };
            let help = word::instead_of(name, &names, found.is_crowded());
            let help = help.unwrap_or_else(|| format!("there are {}", word::list(&names)));
            found.with_help(node.at.clone(), format!("there is no model {}", Shown(name)), help);
        }
    }
    Some(registry)
}

fn check_name(entry: &Entry, found: &mut Found) {
    let is_fine = |sign: char| sign.is_alphanumeric() || "._-:/@+ ".contains(sign);
    if entry.key.is_empty() || entry.key.len() > LONGEST_NAME || !entry.key.chars().all(is_fine) {
        let message = format!("{} is no name of a model", Shown(&entry.key));
        let help = format!(
            "letters, digits, spaces and `.`, `_`, `-`, `:`, `/`, `@`, `+`; at most {LONGEST_NAME} bytes"
        );
        found.with_help(entry.at.clone(), message, help);
    }
}

fn model(node: &Node, found: &mut Found) -> Option<ModelSpec> {
    veil(node, found);
    let form = Form::read(node, "a model", &KEYS, found)?;
    let provider = form.need("provider", "a model", found).and_then(|node| provider(node, found))?;
    let mut spec = ModelSpec::new(provider, form.text("model", found).unwrap_or_default());
    spec = endpoint(spec, &form, found);
    if let Some(node) = form.get("key", found) {
        spec.key = key(node, found);
    }
    if let Some(node) = form.get("capabilities", found) {
        spec.capabilities = capabilities(node, found).into_iter().collect();
    }
    if let Some(node) = form.get("cost_per_1k_tokens", found) {
        spec.price = price(node, found);
    }
    spec.context_window = tokens(&form, "context_window", found);
    spec.max_output_tokens = tokens(&form, "max_output_tokens", found);
    if let Some(node) = form.get("timeout", found) {
        let span = duration(node, "`timeout`", SHORTEST_CALL, LONGEST_CALL, found);
        spec.timeout = span.unwrap_or(spec.timeout);
    }
    if let Some(node) = form.get("concurrency", found) {
        let calls = whole(node, "`concurrency`", (1, MOST_CALLS), found);
        spec = spec.with_concurrency(calls.and_then(|calls| usize::try_from(calls).ok()).unwrap_or(1));
    }
    if let Some(node) = form.get("fallbacks", found) {
        spec.fallbacks = words(node, "`fallbacks`", found).into_iter().map(Name::from).collect();
    }
    if let Some(node) = form.get("stream", found) {
        spec.stream = truth(node, "`stream`", found).unwrap_or(true);
    }
    Some(spec)
}

/// What may be a key, because it stands where one belongs or at a word that nobody knows, is shown by no fault of its line.
fn veil(node: &Node, found: &mut Found) {
    for entry in node.entries().unwrap_or_default() {
        let is_known = KEYS.contains(&entry.key.as_str()) && entry.key != "key";
        let is_place = |text: &str| text == "none" || text.parse::<SecretRef>().is_ok();
        if !is_known && entry.value.written().is_some_and(|text| !is_place(text)) {
            found.veil(entry.value.at.clone());
        }
    }
}

fn provider(node: &Node, found: &mut Found) -> Option<Provider> {
    let written = text(node, "`provider`", found)?;
    let known = Provider::NAMED.map(Provider::as_str);
    let provider = Provider::NAMED.into_iter().find(|provider| provider.as_str() == written);
    if provider.is_none() {
        let help = word::instead_of(written, &known, found.is_crowded());
        let any = format!("there are {}; most others speak as `openai_compatible`", word::list(&known));
        found.with_help(
            node.at.clone(),
            format!("there is no provider {}", Shown(written)),
            help.unwrap_or(any),
        );
    }
    provider
}

fn endpoint(spec: ModelSpec, form: &Form<'_>, found: &mut Found) -> ModelSpec {
    if spec.provider == Provider::OpenAiCompatible && form.lacks("endpoint") {
        let help =
            "write the address in front of `/chat/completions`, as in `endpoint: http://localhost:8080/v1`";
        found.with_help(form.at.clone(), "a model of an `openai_compatible` service needs `endpoint`", help);
    }
    let Some(node) = form.get("endpoint", found) else { return spec };
    let Some(written) = text(node, "`endpoint`", found) else { return spec };
    if let Err(error) = check_endpoint(written) {
        found.veil(node.at.clone());
        found.add(node.at.clone(), error.message().to_owned());
    }
    spec.with_endpoint(written)
}

fn key(node: &Node, found: &mut Found) -> Option<SecretRef> {
    let written = node.written().unwrap_or_default();
    if written == "none" {
        return None;
    }
    match written.parse() {
        Ok(key) => Some(key),
        Err(error) => {
            found.add(node.at.clone(), error.message().to_owned());
            None
        }
    }
}

fn capabilities(node: &Node, found: &mut Found) -> Vec<String> {
    const KNOWN: [&str; 3] = [CHAT, FUNCTION_CALLING, VISION];
    let Kind::List(nodes) = &node.kind else { return words(node, "`capabilities`", found) };
    for node in nodes {
        let Some(written) = node.written().filter(|written| !KNOWN.contains(written)) else { continue };
        if let Some(help) = word::instead_of(written, &KNOWN, found.is_crowded()) {
            found.with_help(
                node.at.clone(),
                format!("{} is not known to mean anything", Shown(written)),
                help,
            );
        }
    }
    words(node, "`capabilities`", found)
}

/// A list of words.
fn words(node: &Node, what: &str, found: &mut Found) -> Vec<String> {
    let Kind::List(nodes) = &node.kind else {
        found.with_help(node.at.clone(), format!("{what} is a list, but this is {node}"), "write `[a, b]`");
        return Vec::new();
    };
    let word = |node: &Node| text(node, "a word of the list", found).map(str::to_owned);
    nodes.iter().filter_map(word).collect()
}

fn price(node: &Node, found: &mut Found) -> Price {
    let Some(form) = Form::read(node, "a price", &["input", "output"], found) else {
        return Price::default();
    };
    let mut dollars = |key: &str| {
        let node = form.need(key, "a price", found)?;
        number(node, &format!("`{key}`, in dollars,"), (0.0, DEAREST), found)
    };
    let (input, output) = (dollars("input"), dollars("output"));
    Price::dollars(input.unwrap_or_default(), output.unwrap_or_default())
}

fn tokens(form: &Form<'_>, key: &str, found: &mut Found) -> Option<u32> {
    let node = form.get(key, found)?;
    let tokens = whole(node, &format!("`{key}`"), (1, MOST_TOKENS), found)?;
    u32::try_from(tokens).ok()
}
