//! What a file of models may say, and which models a choice comes down to.

use super::{ModelChoice, ModelRegistry, ModelSpec, ModelWanted, Needs, Prefer, Provider};
use std::time::Duration;

/// As the specification prints it.
const PRINTED: &str = r#"{
    "gpt-4": {
        "provider": "openai",
        "endpoint": "https://api.openai.com/v1",
        "capabilities": ["chat", "function_calling"],
        "cost_per_1k_tokens": {"input": 0.03, "output": 0.06}
    },
    "claude-3": {
        "provider": "anthropic",
        "endpoint": "https://api.anthropic.com/v1",
        "capabilities": ["chat", "vision"],
        "cost_per_1k_tokens": {"input": 0.015, "output": 0.075}
    }
}"#;

const TOOLS: Needs = Needs { tools: true, vision: false, cheap: false };
const CHEAP: Needs = Needs { tools: false, vision: false, cheap: true };

fn names(models: &ModelRegistry, choice: impl Into<ModelChoice>, needs: Needs) -> Vec<String> {
    let chain = models.chain(&choice.into(), needs);
    chain.unwrap().iter().map(|entry| entry.name.to_string()).collect()
}

fn refusal(models: &ModelRegistry, choice: impl Into<ModelChoice>, needs: Needs) -> String {
    match models.chain(&choice.into(), needs) {
        Ok(_) => panic!("it is not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_printed_form_is_read_alone_and_wrapped() {
    for text in [PRINTED.to_owned(), format!("{{\"models\": {PRINTED}}}")] {
        let models = ModelRegistry::from_yaml("models.json", &text).unwrap();
        let gpt = models.spec("gpt-4").unwrap();
        assert_eq!(
            (gpt.provider, gpt.price.input, gpt.price.output),
            (Provider::OpenAi, 30_000_000, 60_000_000)
        );
        assert_eq!(gpt.key.as_ref().unwrap().to_string(), "env:OPENAI_API_KEY");
        let claude = models.spec("claude-3").unwrap();
        assert!(claude.can("vision") && !claude.can("function_calling"));
    }
}

#[test]
fn a_file_says_everything_that_can_be_said() {
    let text = "models:
  big: {provider: gemini, model: gemini-2.5-pro, key: file:/run/key, context_window: 1000000, fallbacks: [local]}
  local:
    provider: openai_compatible
    endpoint: http://127.0.0.1:8080/v1
    key: none
    capabilities: [chat, legal]
    max_output_tokens: 512
    timeout: 2m
    concurrency: 2
    stream: false
";
    let models = ModelRegistry::from_yaml("models.yaml", text).unwrap();
    let big = models.spec("big").unwrap();
    assert_eq!((big.model.as_str(), big.context_window), ("gemini-2.5-pro", Some(1_000_000)));
    assert_eq!(big.key.as_ref().unwrap().to_string(), "file:/run/key");
    let local = models.spec("local").unwrap();
    assert_eq!((local.timeout, local.concurrency, local.stream), (Duration::from_secs(120), 2, false));
    assert_eq!((local.key.clone(), local.max_output_tokens), (None, Some(512)));
    assert!(local.can("legal"));
    assert_eq!(names(&models, "big", Needs::default()), ["big", "local"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_was_meant() {
    let text = "gpt-4: {provider: open_ai, key: sk-very-secret}
gpt-5: {provider: openai, key: sk-very-secret, capabilities: [function_caling], fallbacks: [gpt4]}
local: {provider: openai_compatible, cost_per_1k_tokens: {input: -1}}
far: {provider: ollama, endpoint: 'https://me:very-secret@x', time_out: 5m}
";
    let faults = ModelRegistry::from_yaml("m.yaml", text).unwrap_err();
    let told: Vec<String> = faults
        .iter()
        .map(|fault| format!("{fault} [{}]", fault.help.as_deref().unwrap_or_default()))
        .collect();
    let expected = [
        "1:19: there is no provider \"open_ai\" [did you mean `openai`?]",
        "2:32: a secret is written as where it is found, `env:NAME` or `file:/path`, never as itself []",
        "2:63: \"function_caling\" is not known to mean anything [did you mean `function_calling`?]",
        "2:93: there is no model \"gpt4\" [did you mean `gpt-4`?]",
        "3:8: a model of an `openai_compatible` service needs `endpoint`",
        "3:58: a price needs `output` []",
        "3:66: `input`, in dollars, is a number, 0 to 1000",
        "4:35: the endpoint holds a user or password",
        "4:63: a model has no key \"time_out\" [did you mean `timeout`?]",
    ];
    assert!(!faults.to_string().contains("very-secret"), "{faults}");
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told} instead of {expected}");
    }
}

#[test]
fn a_model_without_function_calling_is_refused_for_tools_or_replaced() {
    let models = ModelRegistry::from_yaml("models.json", PRINTED).unwrap();
    assert_eq!(names(&models, "claude-3", Needs::default()), ["claude-3"]);
    let refused = refusal(&models, "claude-3", TOOLS);
    assert!(refused.contains("`claude-3` cannot do what the request needs: `function_calling`"), "{refused}");
    assert!(refused.contains("those that can: `gpt-4`"), "{refused}");
    let both = ModelChoice::OneOf(vec!["claude-3".into(), "gpt-4".into()]);
    assert_eq!(names(&models, both, TOOLS), ["gpt-4"]);
}

#[test]
fn a_chain_has_each_model_once_and_an_end() {
    let spec = |fallbacks: &[&'static str]| ModelSpec::own().with_fallbacks(fallbacks.iter().copied());
    let models = ModelRegistry::new()
        .with("a", spec(&["b", "c"]))
        .with("b", spec(&["d", "a"]))
        .with("c", spec(&["b"]))
        .with("d", spec(&["a"]));
    assert_eq!(names(&models, "a", Needs::default()), ["a", "b", "d", "c"]);
    let listed = ModelChoice::OneOf(vec!["c".into(), "b".into(), "c".into()]);
    assert_eq!(names(&models, listed, Needs::default()), ["c", "b", "d", "a"]);
    let broken = ModelRegistry::new().with("a", spec(&["aa"]));
    assert!(refusal(&broken, "a", Needs::default()).contains("there is no model `aa`; did you mean `a`?"));
    let mut long = ModelRegistry::new();
    for number in 0..20 {
        let next = format!("m{}", (number + 1) % 20);
        long = long.with(format!("m{number}"), ModelSpec::own().with_fallbacks([next]));
    }
    assert_eq!(names(&long, "m0", Needs::default()).len(), super::LONGEST_CHAIN);
}

#[test]
fn models_are_chosen_by_what_they_can_do_and_cost() {
    let models = ModelRegistry::new()
        .with("dear", ModelSpec::own().with_price(0.03, 0.06))
        .with("seeing", ModelSpec::own().with_price(0.01, 0.02).with_capabilities(["chat", "vision"]))
        .with("cheap", ModelSpec::own().with_price(0.001, 0.002))
        .with("mute", ModelSpec::own().with_capabilities(["chat"]))
        .with("unpriced", ModelSpec::openai("x").with_capabilities(["chat", "legal"]))
        .with("deaf", ModelSpec::own().with_capabilities(["embed"]));
    let wanted = |capabilities: &[&str], most, prefer| {
        let capabilities = capabilities.iter().map(ToString::to_string).collect();
        ModelChoice::Wanted(ModelWanted { capabilities, max_cost_per_1k: most, prefer })
    };
    let choose = |choice| names(&models, choice, Needs::default());
    assert_eq!(choose(wanted(&["vision"], None, Prefer::Order)), ["seeing"]);
    assert_eq!(choose(wanted(&["function_calling"], None, Prefer::Price)), ["cheap", "dear"]);
    assert_eq!(choose(wanted(&["function_calling"], Some(0.01), Prefer::Order)), ["cheap"]);
    let none = refusal(&models, wanted(&["flying"], None, Prefer::Order), Needs::default());
    assert!(none.contains("no model can do what is wanted"), "{none}");
    assert_eq!(choose(wanted(&["legal"], None, Prefer::Price)), ["unpriced"]);
    let nothing = refusal(&models, wanted(&["legal"], Some(1.0), Prefer::Price), Needs::default());
    assert!(nothing.contains("no model can do"), "what it costs is not known: {nothing}");
    assert_eq!(names(&models, wanted(&["legal"], None, Prefer::Order), CHEAP), ["unpriced"]);
    assert_eq!(names(&models, "dear", CHEAP), ["mute"], "the cheapest that can do it");
    assert_eq!(names(&models, "dear", Needs { tools: true, ..CHEAP }), ["cheap"]);
    assert_eq!(names(&models, "dear", Needs { vision: true, ..CHEAP }), ["seeing"]);
}
