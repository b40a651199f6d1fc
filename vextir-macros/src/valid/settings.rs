//! The options of `#[driver]`.

use super::options::{Known, Options, string};
use super::{EFFECTS, flow};
use crate::attr::{Args, Opt, Value};
use crate::grammar::{check_type, shown};
use crate::mistakes::Mistakes;
use crate::model::{Handler, Settings};
use proc_macro2::Span;
use syn::{Expr, Ident, LitStr, Path, parse_quote};

const OPTIONS: &[Known] = &[
    Known { name: "kind", form: "kind = \"tool\"" },
    Known { name: "version", form: "version = \"1.0.0\"" },
    Known { name: "name", form: "name = \"Weather\"" },
    Known { name: "author", form: "author = \"developer@example.com\"" },
    Known { name: "timeout", form: "timeout = \"30s\"" },
    Known { name: "memory", form: "memory = \"512MB\"" },
    Known { name: "retries", form: "retries = 3" },
    Known { name: "concurrency", form: "concurrency = 8" },
    Known { name: "flow", form: "flow(concurrency = 2, key = \"user_id\")" },
    Known { name: "effect", form: "effect = \"reads\"" },
    Known { name: "eager", form: "eager" },
    Known { name: "from_start", form: "from_start" },
    Known { name: "block_on_dead", form: "block_on_dead" },
    Known { name: "crate", form: "crate = ::renamed" },
];

const KINDS: [(&str, &str); 4] = [("agent", "Agent"), ("tool", "Tool"), ("io", "Io"), ("ui", "Ui")];

/// The arguments of a `#[driver]`, read.
pub(super) struct Arguments {
    /// `None` without an id.
    pub(super) settings: Option<Settings>,
    pub(super) root: Path,
    /// The effect of each handler that does not say its own.
    effect: Option<Ident>,
    /// Where `eager` stands.
    eager: Option<Span>,
}

/// The path of the `vextir` crate.
pub(crate) fn root(args: Option<&Args>) -> Path {
    let mut unheard = Mistakes::default();
    args.and_then(|args| Options::new("#[driver]", OPTIONS, &args.options, &mut unheard).path("crate"))
        .unwrap_or_else(|| parse_quote!(::vextir))
}

/// Reads all that stands in the parentheses.
pub(super) fn arguments(args: &Args, mistakes: &mut Mistakes) -> Arguments {
    let (id, options) = id(args, mistakes);
    let flow = flow::rules(options, mistakes);
    let mut options = Options::new("#[driver]", OPTIONS, options, mistakes);
    let settings = Settings {
        // Without an id nothing is expanded.
        id: id.clone().unwrap_or_else(|| LitStr::new("", Span::call_site())),
        kind: options.choice("kind", &KINDS),
        version: options.text("version"),
        name: options.text("name"),
        author: options.text("author"),
        timeout: options.duration("timeout"),
        memory: options.memory("memory"),
        retries: options.number("retries", 0),
        concurrency: options.number("concurrency", 1),
        eager: options.flag("eager"),
        from_start: options.flag("from_start"),
        block_on_dead: options.flag("block_on_dead"),
        flow,
    };
    Arguments {
        settings: id.map(|_| settings),
        root: options.path("crate").unwrap_or_else(|| parse_quote!(::vextir)),
        effect: options.choice("effect", &EFFECTS),
        eager: options.place("eager"),
    }
}

impl Arguments {
    /// Gives the handlers the driver's effect, and checks that an eager driver has none outside: it runs
    /// inside the commit of its event.
    pub(super) fn settle_effects(&self, handlers: &mut [Handler], mistakes: &mut Mistakes) {
        for handler in &mut *handlers {
            handler.effect = handler.effect.take().or_else(|| self.effect.clone());
        }
        let acts = |effect: &Option<Ident>| effect.as_ref().is_none_or(|effect| effect == "ActsOutside");
        if let Some(place) = self.eager
            && let Some(handler) = handlers.iter().find(|handler| acts(&handler.effect))
        {
            let sentence = format!(
                "an eager driver has no outside effects, and `{}` may have: say `effect = \"reads\"` or `effect = \"writes_context\"`",
                handler.name
            );
            mistakes.at_span(place, sentence);
        }
    }
}

/// The id, and the options without what was meant as one.
fn id<'a>(args: &'a Args, mistakes: &mut Mistakes) -> (Option<LitStr>, &'a [Opt]) {
    let Some((first, others)) = args.values.split_first() else {
        let Some((meant, options)) = args.options.split_first().filter(|(first, _)| is_meant_as_id(first))
        else {
            mistakes.at_span(Span::call_site(), "the driver has no id: write `#[driver(\"weather_tool\")]`");
            return (None, &args.options);
        };
        mistakes.at(
            &meant.name,
            "the id comes first, as a string and without a name: write `#[driver(\"weather_tool\")]`",
        );
        return (None, options);
    };
    for other in others {
        mistakes.at(other, "a driver has one id; everything else has a name, as in `version = \"1.0.0\"`");
    }
    (checked_id(first, mistakes), &args.options)
}

/// `id = ".."`, or the id without quotes.
fn is_meant_as_id(first: &Opt) -> bool {
    let known = OPTIONS.iter().any(|known| first.name == known.name);
    first.name == "id" || (!known && matches!(first.value, Value::Flag))
}

fn checked_id(value: &Expr, mistakes: &mut Mistakes) -> Option<LitStr> {
    let Some(id) = string(value) else {
        mistakes.at(value, "the id is a string: write `#[driver(\"weather_tool\")]`");
        return None;
    };
    match check_type(&id.value()) {
        Ok(()) => Some(id.clone()),
        Err(why) => {
            mistakes.at(id, format!("bad driver id {}: {why}", shown(&id.value())));
            None
        }
    }
}
