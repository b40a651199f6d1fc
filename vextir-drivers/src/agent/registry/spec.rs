//! What is known of a model: who serves it, what it can do, what it costs, and how it may be used.

use crate::agent::TokenUsage;
use crate::secret::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;
use vextir::{Error, Name, Result};

/// The capability of answering at all.
pub const CHAT: &str = "chat";
/// The capability of calling tools.
pub const FUNCTION_CALLING: &str = "function_calling";
/// The capability of seeing images.
pub const VISION: &str = "vision";

/// How many nano-dollars a dollar has.
const NANO: f64 = 1e9;
/// The most that 1,000 tokens may cost, in dollars.
pub(super) const DEAREST: f64 = 1_000.0;

/// Who serves a model, and in which form it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Provider {
    /// OpenAI.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini.
    Gemini,
    /// An Ollama server.
    Ollama,
    /// Whatever speaks as OpenAI's chat completions do: vLLM, llama.cpp, LM Studio, a gateway.
    #[serde(rename = "openai_compatible")]
    OpenAiCompatible,
    /// The application's own [`Model`](crate::agent::Model).
    Own,
}

impl Provider {
    /// Those that a file can name.
    pub(super) const NAMED: [Self; 5] =
        [Self::OpenAi, Self::Anthropic, Self::Gemini, Self::Ollama, Self::OpenAiCompatible];

    /// Its name, as files and spans say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Own => "own",
        }
    }

    /// Where it is, if nothing else is said.
    fn endpoint(self) -> &'static str {
        match self {
            Self::OpenAi => "https://api.openai.com/v1",
            Self::Anthropic => "https://api.anthropic.com/v1",
            Self::Gemini => "https://generativelanguage.googleapis.com/v1beta",
            Self::Ollama => "http://localhost:11434",
            Self::OpenAiCompatible | Self::Own => "",
        }
    }

    /// Where its key is, if nothing else is said.
    fn key(self) -> Option<SecretRef> {
        let variable = match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
            Self::Ollama | Self::OpenAiCompatible | Self::Own => return None,
        };
        Some(SecretRef::env(variable))
    }
}

/// What tokens cost, in nano-dollars for 1,000 of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    /// Of the request.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
}

impl Price {
    /// From dollars for 1,000 tokens, as price lists say it. What is no number counts as 0, and what is above 1,000 as that.
    #[must_use]
    pub fn dollars(input: f64, output: f64) -> Self {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in range")]
        let nano = |dollars: f64| (dollars.clamp(0.0, DEAREST) * NANO).round() as u64;
        Self { input: nano(input), output: nano(output) }
    }

    /// What so many tokens cost, in micro-dollars, rounded up. Tokens that the provider had kept count as all others.
    #[must_use]
    pub fn of(self, usage: &TokenUsage) -> u64 {
        let input = usage.input.saturating_mul(self.input);
        input.saturating_add(usage.output.saturating_mul(self.output)).div_ceil(1_000_000)
    }
}

/// A model of a [`ModelRegistry`](crate::agent::ModelRegistry): who serves it and how it is used.
///
/// ```
/// use vextir_drivers::agent::ModelSpec;
///
/// let spec = ModelSpec::openai("gpt-4o-mini").with_price(0.00015, 0.0006).with_fallbacks(["local"]);
/// assert_eq!(spec.key.as_ref().unwrap().to_string(), "env:OPENAI_API_KEY");
/// assert!(spec.can("function_calling"));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ModelSpec {
    /// Who serves it.
    pub provider: Provider,
    /// What the provider calls it; empty if that is its name in the registry.
    pub model: String,
    /// The address before the paths of the provider's interface.
    pub endpoint: String,
    /// Where its key is; none is sent where nothing is said.
    pub key: Option<SecretRef>,
    /// What it can do: `chat`, `function_calling`, `vision`, and words of your own to choose by.
    pub capabilities: BTreeSet<String>,
    /// What it costs. Where it is chosen by its price and none was said, a model of OpenAI's, Anthropic's or Google's counts as
    /// the dearest, and every other one as free.
    pub price: Price,
    /// How many tokens a request and its answer may have together, if that is known. An Ollama server is told.
    pub context_window: Option<u32>,
    /// The most tokens of an answer, if that is limited.
    pub max_output_tokens: Option<u32>,
    /// How long one call may take, up to the last byte of its answer; 5 minutes by default. For half of it, or a minute if that
    /// is more, the service may say nothing.
    pub timeout: Duration,
    /// How many calls run at a time; others wait. 16 by default.
    pub concurrency: usize,
    /// The models that are asked when this one does not answer, in this order.
    pub fallbacks: Vec<Name>,
    /// Whether the answer is asked for as it comes; true by default. Some services cannot do that with tools.
    pub stream: bool,
    /// The most bytes of an answer; 8 MiB by default.
    pub largest_answer: usize,
}

impl ModelSpec {
    /// A model of a provider that chats and calls tools, with the provider's address and the place of its key.
    pub fn new(provider: Provider, model: impl Into<String>) -> Self {
        Self {
            provider,
            model: model.into(),
            endpoint: provider.endpoint().to_owned(),
            key: provider.key(),
            capabilities: [CHAT, FUNCTION_CALLING].map(str::to_owned).into(),
            price: Price::default(),
            context_window: None,
            max_output_tokens: None,
            timeout: Duration::from_secs(5 * 60),
            concurrency: 16,
            fallbacks: Vec::new(),
            stream: true,
            largest_answer: 8 << 20,
        }
    }

    /// A model of OpenAI's; its key is in `OPENAI_API_KEY`.
    pub fn openai(model: impl Into<String>) -> Self {
        Self::new(Provider::OpenAi, model)
    }

    /// A model of Anthropic's; its key is in `ANTHROPIC_API_KEY`.
    pub fn anthropic(model: impl Into<String>) -> Self {
        Self::new(Provider::Anthropic, model)
    }

    /// A model of Google's; its key is in `GEMINI_API_KEY`.
    pub fn gemini(model: impl Into<String>) -> Self {
        Self::new(Provider::Gemini, model)
    }

    /// A model of the Ollama server on this machine.
    pub fn ollama(model: impl Into<String>) -> Self {
        Self::new(Provider::Ollama, model)
    }

    /// A model of a service that speaks as OpenAI's does: the address in front of `/chat/completions`. No key is sent unless
    /// [`with_key`](Self::with_key) says where it is.
    pub fn compatible(endpoint: impl Into<String>, model: impl Into<String>) -> Self {
        Self::new(Provider::OpenAiCompatible, model).with_endpoint(endpoint)
    }

    /// A model that the application brings.
    #[must_use]
    pub fn own() -> Self {
        Self::new(Provider::Own, "")
    }

    /// Another address.
    #[must_use]
    pub fn with_endpoint(self, endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ..self }
    }

    /// Where the key is.
    #[must_use]
    pub fn with_key(self, key: SecretRef) -> Self {
        Self { key: Some(key), ..self }
    }

    /// What it can do, instead of what was said before.
    #[must_use]
    pub fn with_capabilities<S: Into<String>>(self, capabilities: impl IntoIterator<Item = S>) -> Self {
        Self { capabilities: capabilities.into_iter().map(Into::into).collect(), ..self }
    }

    /// What it costs, in dollars for 1,000 tokens.
    #[must_use]
    pub fn with_price(self, input: f64, output: f64) -> Self {
        Self { price: Price::dollars(input, output), ..self }
    }

    /// How many tokens a request and its answer may have together.
    #[must_use]
    pub fn with_context_window(self, tokens: u32) -> Self {
        Self { context_window: Some(tokens), ..self }
    }

    /// The most tokens of an answer.
    #[must_use]
    pub fn with_max_output_tokens(self, tokens: u32) -> Self {
        Self { max_output_tokens: Some(tokens), ..self }
    }

    /// How long one call may take.
    #[must_use]
    pub fn with_timeout(self, limit: Duration) -> Self {
        Self { timeout: limit, ..self }
    }

    /// How many calls run at a time; at least one.
    #[must_use]
    pub fn with_concurrency(self, calls: usize) -> Self {
        Self { concurrency: calls.max(1), ..self }
    }

    /// The models that are asked when this one does not answer, in this order.
    #[must_use]
    pub fn with_fallbacks<N: Into<Name>>(self, names: impl IntoIterator<Item = N>) -> Self {
        Self { fallbacks: names.into_iter().map(Into::into).collect(), ..self }
    }

    /// Whether the answer is asked for as it comes.
    #[must_use]
    pub fn with_stream(self, stream: bool) -> Self {
        Self { stream, ..self }
    }

    /// The most bytes of an answer.
    #[must_use]
    pub fn with_largest_answer(self, bytes: usize) -> Self {
        Self { largest_answer: bytes, ..self }
    }

    /// Whether it can do this.
    #[must_use]
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }

    /// What models are compared by: the price of 1,000 tokens in and 1,000 out, in nano-dollars. Of a provider that wants money
    /// it is beyond all others where nobody has said it.
    pub(super) fn rank(&self) -> u64 {
        self.known_price().map_or(u64::MAX, |price| price.input.saturating_add(price.output))
    }

    /// The dearer of the two prices, in nano-dollars.
    pub(super) fn dearer(&self) -> u64 {
        self.known_price().map_or(u64::MAX, |price| price.input.max(price.output))
    }

    fn known_price(&self) -> Option<Price> {
        let is_paid = matches!(self.provider, Provider::OpenAi | Provider::Anthropic | Provider::Gemini);
        Some(self.price).filter(|price| !is_paid || *price != Price::default())
    }

    /// The most tokens of an answer to a request that asks for so many.
    pub(crate) fn answer_tokens(&self, asked: Option<u32>) -> Option<u32> {
        match (asked, self.max_output_tokens) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }
}

/// Checks an address. One that may hold a secret is not repeated.
///
/// # Errors
/// `Invalid`: why it is none.
pub(crate) fn check_endpoint(endpoint: &str) -> Result<reqwest::Url> {
    let wrong = |why: &str| Error::invalid(format!("the endpoint {why}, as in https://api.openai.com/v1"));
    let url = reqwest::Url::parse(endpoint.trim()).map_err(|error| wrong(&format!("is no URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user or password; the key is said as `key: env:NAME`"));
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(wrong("begins with http:// or https:// and a host"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("ends with its path, without `?` and `#`"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::{ModelSpec, Price, Provider, check_endpoint};
    use crate::agent::TokenUsage;

    #[test]
    fn tokens_cost_what_the_list_says() {
        let usage = |input, output| TokenUsage { input, output, ..TokenUsage::default() };
        assert_eq!(Price::dollars(0.03, 0.06).of(&usage(1_000, 1_000)), 90_000);
        assert_eq!(Price::dollars(0.000_15, 0.0006).of(&usage(1, 0)), 1, "rounded up");
        assert_eq!(Price::dollars(0.0, 0.0).of(&usage(u64::MAX, u64::MAX)), 0);
        assert_eq!(Price::dollars(f64::NAN, -1.0), Price::default());
        assert!(Price::dollars(1e300, 1.0).of(&usage(u64::MAX, 1)) > 0, "it saturates");
    }

    #[test]
    fn providers_are_written_as_they_are_called() {
        for provider in Provider::NAMED {
            let written = serde_json::to_value(provider).unwrap();
            assert_eq!(written, provider.as_str());
        }
        assert_eq!(ModelSpec::ollama("x").key, None);
        assert_eq!(ModelSpec::openai("x").with_max_output_tokens(5).answer_tokens(Some(9)), Some(5));
    }

    #[test]
    fn an_address_that_cannot_be_is_refused_and_its_secret_is_not_repeated() {
        for endpoint in [
            "",
            "x",
            "ftp://x.test",
            "https://me:secret@x.test",
            "https://x/v1?key=secret",
            "https://x/#secret",
        ] {
            let error = check_endpoint(endpoint).unwrap_err().to_string();
            assert!(error.starts_with("the endpoint ") && !error.contains("secret"), "{endpoint}: {error}");
        }
        check_endpoint(" http://127.0.0.1:1/v1 ").unwrap();
    }
}
