//! Handlers: `#[on]` and the method under it.

use super::options::{Known, Options, string};
use super::{EFFECTS, flow, method};
use crate::ast::Method;
use crate::attr::Args;
use crate::docs;
use crate::grammar::{check_pattern, shown};
use crate::mistakes::Mistakes;
use crate::model::{Demand, Handler, Input, Parameter, Rule};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Attribute, Ident, LitStr, Signature, Type};

const OPTIONS: &[Known] = &[
    Known { name: "effect", form: "effect = \"reads\"" },
    Known { name: "reserve", form: "reserve(tokens = 1000)" },
    Known { name: "flow", form: "flow(throttle = 10, per = \"1m\", key = \"data.host\")" },
];

/// A method with `#[on]`; `None` if it is so wrong that nothing can be said about it.
pub(super) fn handler(found: &Method, on: &Attribute, mistakes: &mut Mistakes) -> Option<Handler> {
    let args = Args::of(on).map_err(|error| mistakes.note(error)).ok();
    let named = args.as_ref().map(|args| named(args, mistakes));
    let options = args.as_ref().map_or(&[][..], |args| &args.options);
    let mut options = Options::new("#[on]", OPTIONS, options, mistakes);
    let (effect, reserve) = (options.choice("effect", &EFFECTS), options.amounts("reserve"));
    let flow = flow::rules(args.as_ref().map_or(&[][..], |args| &args.options), mistakes);
    method::check(&found.signature, mistakes);
    let (input, parameters) = parameters(&found.signature, mistakes)?;
    let (input, batch) = batch_of(&found.signature.ident, input, &flow, mistakes);
    let input = input_of(&found.signature.ident, input, named?, on, mistakes)?;
    Some(Handler {
        name: found.signature.ident.clone(),
        cfgs: method::cfgs(found),
        docs: docs::description(&found.attrs),
        effect,
        reserve,
        flow,
        batch,
        input,
        parameters,
        returns: method::returns(&found.signature),
    })
}

/// What the attribute names; `None` if it names nothing.
fn named(args: &Args, mistakes: &mut Mistakes) -> Option<Vec<LitStr>> {
    let mut patterns = Vec::new();
    for value in &args.values {
        let Some(text) = string(value) else {
            mistakes.at(value, "the name of an event is a string: write `#[on(\"github.**\")]`");
            continue;
        };
        match check_pattern(&text.value()) {
            Ok(()) => patterns.push(text.clone()),
            Err(why) => {
                let kind = if text.value().contains('*') { "pattern" } else { "event type" };
                mistakes.at(text, format!("bad {kind} {}: {why}", shown(&text.value())));
            }
        }
    }
    (!args.values.is_empty()).then_some(patterns)
}

/// What stands after `&self`: one input, and optionally the context.
fn parameters<'a>(signature: &'a Signature, mistakes: &mut Mistakes) -> Option<(&'a Type, Vec<Parameter>)> {
    let mut input = None;
    let mut parameters = Vec::new();
    for parameter in method::parameters(signature) {
        let kind = if is_context(&parameter.ty, mistakes) { Parameter::Context } else { Parameter::Input };
        if parameters.contains(&kind) {
            let sentence = format!(
                "`{}` has too many parameters: a handler takes `&self`, one payload or `Event`, and optionally `cx: &Ctx`",
                signature.ident
            );
            mistakes.at(parameter, sentence);
            continue;
        }
        parameters.push(kind);
        if kind == Parameter::Input {
            input = Some(&*parameter.ty);
        }
    }
    if input.is_none() {
        let sentence = format!(
            "`{}` takes no event: add its payload after `&self`, as in `ask: GetWeather`, or `event: Event`",
            signature.ident
        );
        mistakes.at(&signature.ident, sentence);
    }
    input.map(|input| (input, parameters))
}

fn is_context(found: &Type, mistakes: &mut Mistakes) -> bool {
    let sentence = "the context is borrowed and shared: write `cx: &Ctx`";
    match method::bare(found) {
        Type::Reference(reference) if is_ctx(&reference.elem) => {
            if let Some(token) = &reference.mutability {
                mistakes.at(token, sentence);
            }
            true
        }
        other if is_ctx(other) => {
            mistakes.at(other, sentence);
            true
        }
        _ => false,
    }
}

fn is_ctx(found: &Type) -> bool {
    method::last_name(found).is_some_and(|name| name == "Ctx")
}

/// What a handler takes of each event, and whether it takes several: a rule of batches and a `Vec` go together.
fn batch_of<'a>(name: &Ident, found: &'a Type, flow: &[Rule], mistakes: &mut Mistakes) -> (&'a Type, bool) {
    let rule = flow.iter().find(|rule| matches!(rule.demand, Demand::Batch(..)));
    match (method::vec_of(found), rule) {
        (Some(one), Some(_)) => return (one, true),
        (Some(_), None) => mistakes.at(
            found,
            format!("`{name}` takes several events: say how many, as in `#[on(flow(batch = 100, within = \"5s\"))]`"),
        ),
        (None, Some(rule)) => mistakes.at_span(
            rule.place,
            format!("`{name}` gets several events at a time: take a `Vec` of its payload, or `Vec<Event>`"),
        ),
        (None, None) => {}
    }
    (found, false)
}

/// Brings together what the attribute names and what the method takes.
fn input_of(
    name: &Ident,
    found: &Type,
    named: Option<Vec<LitStr>>,
    on: &Attribute,
    mistakes: &mut Mistakes,
) -> Option<Input> {
    let found = method::bare(found);
    if let Type::Reference(reference) = found {
        let sentence = format!("`{name}` borrows its event: take it by value, without `&`");
        mistakes.at_span(reference.and_token.span(), sentence);
        return None;
    }
    if method::mentions_impl(found.to_token_stream()) {
        mistakes.at(found, format!("`{name}` is generic: name the payload that it takes"));
        return None;
    }
    let raw = method::last_name(found).is_some_and(|name| name == "Event");
    match (raw, named) {
        (true, None) => {
            let sentence = format!(
                "`{name}` takes the raw `Event`, and nothing says which: write `#[on(\"github.**\")]`, or take a payload"
            );
            mistakes.at(on, sentence);
            None
        }
        (true, Some(patterns)) => Some(Input::Raw(patterns)),
        (false, None) => Some(Input::Payload(Box::new(found.clone()))),
        (false, Some(patterns)) => {
            let sentence = format!(
                "`{name}` takes a payload, whose type names the event: write `#[on]`, or take the raw `Event`"
            );
            match patterns.first() {
                Some(first) => mistakes.at(first, sentence),
                None => mistakes.at(on, sentence),
            }
            None
        }
    }
}
