//! `#[derive(Payload)]` and `#[payload(..)]`.

use super::options::{Known, Options};
use crate::attr::Args;
use crate::docs;
use crate::grammar::{check_type, shown};
use crate::mistakes::Mistakes;
use crate::model::Payload;
use syn::{Data, DeriveInput, GenericParam, LitStr, parse_quote};

const OPTIONS: &[Known] = &[
    Known { name: "type", form: "type = \"weather.get\"" },
    Known { name: "category", form: "category = \"output\"" },
    Known { name: "crate", form: "crate = ::renamed" },
];

const CATEGORIES: [(&str, &str); 3] = [("input", "Input"), ("internal", "Internal"), ("output", "Output")];

/// Checks a payload.
pub(crate) fn payload(found: &DeriveInput) -> syn::Result<Payload> {
    let mut mistakes = Mistakes::default();
    check_shape(found, &mut mistakes);
    let (args, readable) = arguments(found, &mut mistakes);
    let mut options = Options::new("#[payload]", OPTIONS, &args.options, &mut mistakes);
    let root = options.path("crate").unwrap_or_else(|| parse_quote!(::vextir));
    let category = options.choice("category", &CATEGORIES);
    let given = options.place("type").is_some();
    let event_type = options.text("type");
    for value in &args.values {
        mistakes.at(value, "a value without a name: write `type = \"weather.get\"`");
    }
    if readable && args.values.is_empty() && !given {
        let sentence =
            format!("`{}` names no event: add `#[payload(type = \"weather.get\")]` to it", found.ident);
        mistakes.at(&found.ident, sentence);
    }
    let event_type = event_type.and_then(|event_type| checked(event_type, &mut mistakes));
    let ident = found.ident.clone();
    let docs = docs::description(&found.attrs);
    mistakes.none_in(event_type.map(|event_type| Payload { root, ident, event_type, category, docs }))
}

fn check_shape(found: &DeriveInput, mistakes: &mut Mistakes) {
    if let Data::Union(data) = &found.data {
        mistakes.at(data.union_token, "a union has no JSON form: a payload is a struct or an enum");
    }
    for parameter in &found.generics.params {
        let sentence = match parameter {
            GenericParam::Lifetime(_) => "a payload owns its data: remove the lifetime".to_owned(),
            _ => format!(
                "an event type has one payload, and `{}` would be many: remove the parameter",
                found.ident
            ),
        };
        mistakes.at(parameter, sentence);
    }
}

/// The arguments of all `#[payload(..)]`, and whether each could be read.
fn arguments(found: &DeriveInput, mistakes: &mut Mistakes) -> (Args, bool) {
    let mut all = Args::default();
    let mut readable = true;
    for attr in found.attrs.iter().filter(|attr| attr.path().is_ident("payload")) {
        match Args::of(attr) {
            Ok(mut args) => {
                all.values.append(&mut args.values);
                all.options.append(&mut args.options);
            }
            Err(error) => {
                readable = false;
                mistakes.note(error);
            }
        }
    }
    (all, readable)
}

fn checked(event_type: LitStr, mistakes: &mut Mistakes) -> Option<LitStr> {
    match check_type(&event_type.value()) {
        Ok(()) => Some(event_type),
        Err(why) => {
            mistakes.at(&event_type, format!("bad event type {}: {why}", shown(&event_type.value())));
            None
        }
    }
}
