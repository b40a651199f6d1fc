//! Hooks: `#[on_start]`, `#[on_stop]` and the methods under them.

use super::method;
use crate::ast::Method;
use crate::mistakes::Mistakes;
use crate::model::Hook;
use syn::{Attribute, Meta, Type};

/// A method with `#[on_start]` or `#[on_stop]`.
pub(super) fn hook(found: &Method, mark: &Attribute, mistakes: &mut Mistakes) -> Hook {
    let signature = &found.signature;
    let name = &signature.ident;
    let starts = mark.path().is_ident("on_start");
    if !matches!(mark.meta, Meta::Path(_)) {
        let which = if starts { "on_start" } else { "on_stop" };
        mistakes.at(mark, format!("`#[{which}]` takes no arguments: write `#[{which}]`"));
    }
    method::check(signature, mistakes);
    let mut emitter = false;
    for parameter in method::parameters(signature) {
        if starts && !emitter && is_emitter(&parameter.ty) {
            emitter = true;
        } else if starts {
            mistakes.at(parameter, format!("`{name}` takes `&self` and optionally `emitter: Emitter`"));
        } else {
            mistakes.at(parameter, format!("`{name}` takes `&self` and nothing else"));
        }
    }
    let returns = method::returns(signature);
    if let (false, Some(returned)) = (starts, &returns) {
        mistakes.at(returned, format!("`{name}` returns nothing: nobody hears of it after the end"));
    }
    Hook { name: name.clone(), cfgs: method::cfgs(found), emitter, returns }
}

fn is_emitter(found: &Type) -> bool {
    method::last_name(found).is_some_and(|name| name == "Emitter")
}
