//! `#[driver]`: its options, and what its methods are together.

use super::options::{Known, Options, string};
use super::{EFFECTS, handler, hook, twice};
use crate::ast::{self, Method};
use crate::attr::Args;
use crate::grammar::check_type;
use crate::mistakes::Mistakes;
use crate::model::{Driver, Handler, Hook, Settings};
use proc_macro2::Span;
use quote::ToTokens;
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
    Known { name: "effect", form: "effect = \"reads\"" },
    Known { name: "eager", form: "eager" },
    Known { name: "from_start", form: "from_start" },
    Known { name: "block_on_dead", form: "block_on_dead" },
    Known { name: "crate", form: "crate = ::renamed" },
];

const KINDS: [(&str, &str); 4] = [("agent", "Agent"), ("tool", "Tool"), ("io", "Io"), ("ui", "Ui")];

/// The path of the `vextir` crate, as far as the arguments can be trusted with it.
pub(crate) fn root(args: Option<&Args>) -> Path {
    let mut unheard = Mistakes::default();
    args.and_then(|args| Options::new("", OPTIONS, args, &mut unheard).path("crate"))
        .unwrap_or_else(|| parse_quote!(::vextir))
}

/// Checks a driver.
pub(crate) fn driver(found: &ast::Driver) -> syn::Result<Driver> {
    let mut mistakes = Mistakes::default();
    let nothing = Args::default();
    let args = found.args.as_ref().unwrap_or_else(|error| {
        mistakes.note(error.clone());
        &nothing
    });
    if let Some((implemented, _)) = &found.item.trait_ {
        mistakes.at(
            implemented,
            "`#[driver]` stands on an inherent `impl` block, not on that of a trait: write it above `impl Weather { .. }`",
        );
    }
    let id = id(args, found.args.is_ok(), &mut mistakes);
    let mut parts = Parts::default();
    for method in &found.methods {
        parts.add(method, &mut mistakes);
    }
    for mark in &found.misplaced {
        mistakes.at(mark, format!("`{}` stands on a method", mark.to_token_stream()).replace(' ', ""));
    }
    if found.methods.is_empty() && found.item.trait_.is_none() {
        mistakes.at(
            &found.item.self_ty,
            "this driver handles nothing: put `#[on]` above an `async fn` of the block",
        );
    }
    twice::check(&parts.handlers, &mut mistakes);
    let settings = settings(args, id, &mut parts.handlers, &mut mistakes);
    let Parts { handlers, start, stop } = parts;
    let driver = settings.map(|settings| Driver {
        root: root(Some(args)),
        item: found.item.clone(),
        settings,
        handlers,
        start,
        stop,
    });
    mistakes.none_in(driver)
}

/// What the methods of a driver are.
#[derive(Default)]
struct Parts {
    handlers: Vec<Handler>,
    start: Option<Hook>,
    stop: Option<Hook>,
}

impl Parts {
    fn add(&mut self, method: &Method, mistakes: &mut Mistakes) {
        let Some((mark, others)) = method.marks.split_first() else { return };
        for other in others {
            let sentence = if other.path().get_ident() == mark.path().get_ident() {
                "it stands once on a method; several names go into one: `#[on(\"a.b\", \"c.*\")]`"
            } else {
                "a method is a handler or a hook: write a second method"
            };
            mistakes.at(other, sentence);
        }
        if mark.path().is_ident("on") {
            self.handlers.extend(handler::handler(method, mark, mistakes));
            return;
        }
        let hook = hook::hook(method, mark, mistakes);
        let place = if mark.path().is_ident("on_start") { &mut self.start } else { &mut self.stop };
        if let Some(earlier) = place {
            mistakes.at(
                mark,
                format!("`{}` has this attribute already: a driver has one such hook", earlier.name),
            );
        }
        *place = Some(hook);
    }
}

fn id(args: &Args, readable: bool, mistakes: &mut Mistakes) -> Option<LitStr> {
    let Some((first, others)) = args.values.split_first() else {
        if readable {
            let sentence = "the driver has no id: write `#[driver(\"weather_tool\")]`";
            mistakes.at_span(id_place(args), sentence);
        }
        return None;
    };
    for other in others {
        mistakes.at(other, "a driver has one id; everything else has a name, as in `version = \"1.0.0\"`");
    }
    checked_id(first, mistakes)
}

/// `id = ".."` is a likely guess: the sentence then stands there.
fn id_place(args: &Args) -> Span {
    args.options.iter().find(|option| option.name == "id").map_or_else(Span::call_site, |id| id.name.span())
}

fn checked_id(value: &Expr, mistakes: &mut Mistakes) -> Option<LitStr> {
    let Some(id) = string(value) else {
        mistakes.at(value, "the id is a string: write `#[driver(\"weather_tool\")]`");
        return None;
    };
    match check_type(&id.value()) {
        Ok(()) => Some(id.clone()),
        Err(why) => {
            mistakes.at(id, format!("bad driver id {:?}: {why}", id.value()));
            None
        }
    }
}

fn settings(
    args: &Args,
    id: Option<LitStr>,
    handlers: &mut [Handler],
    mistakes: &mut Mistakes,
) -> Option<Settings> {
    let mut options = Options::new("#[driver]", OPTIONS, args, mistakes);
    let effect = options.choice("effect", &EFFECTS);
    for handler in &mut *handlers {
        handler.effect = handler.effect.take().or_else(|| effect.clone());
    }
    check_eager(handlers, &mut options);
    options.path("crate");
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
    };
    id.map(|_| settings)
}

/// An eager driver runs inside the commit of its event, where nothing outside can be undone.
fn check_eager(handlers: &[Handler], options: &mut Options<'_>) {
    let acts = |effect: &Option<Ident>| effect.as_ref().is_none_or(|effect| effect == "ActsOutside");
    if let Some(place) = options.place("eager")
        && let Some(handler) = handlers.iter().find(|handler| acts(&handler.effect))
    {
        let sentence = format!(
            "an eager driver has no outside effects, and `{}` may have: say `effect = \"reads\"` or `effect = \"writes_context\"`",
            handler.name
        );
        options.mistake(place, &sentence);
    }
}
