//! `#[driver]`: what its arguments and its methods are together.

use super::{handler, hook, settings, twice};
use crate::ast::{self, Method};
use crate::attr::Args;
use crate::mistakes::Mistakes;
use crate::model::{Driver, Handler, Hook};
use syn::Attribute;

/// Checks a driver.
pub(crate) fn driver(found: &ast::Driver) -> syn::Result<Driver> {
    let mut mistakes = Mistakes::default();
    if let Some((implemented, _)) = &found.item.trait_ {
        mistakes.at(
            implemented,
            "`#[driver]` stands on an inherent `impl` block, not on that of a trait: write it above `impl Weather { .. }`",
        );
    }
    let arguments = match &found.args {
        Ok(args) => settings::arguments(args, &mut mistakes),
        Err(error) => {
            mistakes.note(error.clone());
            settings::arguments(&Args::default(), &mut Mistakes::default())
        }
    };
    let mut parts = Parts::default();
    for method in &found.methods {
        parts.add(method, &mut mistakes);
    }
    for mark in &found.misplaced {
        mistakes.at(mark, format!("`#[{}]` stands on a method", name(mark)));
    }
    if found.methods.is_empty() && found.misplaced.is_empty() && found.item.trait_.is_none() {
        mistakes.at(
            &found.item.self_ty,
            "this driver handles nothing: put `#[on]` above an `async fn` of the block",
        );
    }
    twice::check(&parts.handlers, &mut mistakes);
    if found.args.is_ok() {
        arguments.settle_effects(&mut parts.handlers, &mut mistakes);
    }
    let Parts { handlers, start, stop } = parts;
    let item = found.item.clone();
    let root = arguments.root;
    let driver = arguments.settings.map(|settings| Driver { root, item, settings, handlers, start, stop });
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
            let (name, earlier) = (name(other), name(mark));
            let sentence = match (name == earlier, name.as_str()) {
                (true, "on") => {
                    "`#[on]` stands once on a method: several names go into one, as in `#[on(\"a.b\", \"c.*\")]`".into()
                }
                (true, _) => format!("`#[{name}]` stands twice: remove one"),
                (false, _) => format!("`#[{earlier}]` stands here already: write a method of its own for `#[{name}]`"),
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
            let sentence =
                format!("a driver has one `#[{}]`, and `{}` is it already", name(mark), earlier.name);
            mistakes.at(mark, sentence);
        }
        *place = Some(hook);
    }
}

fn name(mark: &Attribute) -> String {
    mark.path().get_ident().map(ToString::to_string).unwrap_or_default()
}
