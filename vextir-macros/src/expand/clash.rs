//! One event type, one handler: what only the compiler can see, because types have to be known.

use super::carried;
use crate::model::{Driver, Handler, Input};
use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, GenericParam, LitStr, Path, Type};

/// A comparison of two names at compile time.
struct Clash<'a> {
    cfgs: Vec<&'a Attribute>,
    assertion: TokenStream,
}

/// Comparisons inside `manifest`, where the type parameters of the block are known.
pub(super) fn inside(driver: &Driver) -> Option<TokenStream> {
    let clashes = if needs_inside(driver) { clashes(driver) } else { Vec::new() };
    (!clashes.is_empty()).then(|| {
        let steps = clashes.iter().map(|Clash { cfgs, assertion }| quote!(#(#cfgs)* #assertion;));
        quote!(const { #(#steps)* })
    })
}

/// Comparisons beside the block: the compiler makes them even if nothing calls `manifest`.
pub(super) fn beside(driver: &Driver) -> TokenStream {
    let clashes = if needs_inside(driver) { Vec::new() } else { clashes(driver) };
    let items = clashes.iter().map(|Clash { cfgs, assertion }| {
        let attrs = carried(&driver.item.attrs);
        quote!(#(#attrs)* #(#cfgs)* const _: () = #assertion;)
    });
    quote!(#(#items)*)
}

/// Whether the payloads can be named inside the block only.
fn needs_inside(driver: &Driver) -> bool {
    let generic = |parameter: &GenericParam| !matches!(parameter, GenericParam::Lifetime(_));
    let own = |handler: &Handler| match &handler.input {
        Input::Payload(payload) => mentions_self(payload.to_token_stream()),
        Input::Raw(_) => false,
    };
    driver.item.generics.params.iter().any(generic) || driver.handlers.iter().any(own)
}

fn mentions_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "Self",
        TokenTree::Group(group) => mentions_self(group.stream()),
        _ => false,
    })
}

/// What a handler is called by: a type, whose name the compiler knows, or the name itself.
enum Key<'a> {
    Type(&'a Type),
    Name(&'a LitStr),
}

impl Key<'_> {
    fn text(&self, root: &Path) -> TokenStream {
        match self {
            Self::Type(payload) => quote!(#root::__private::input::<#payload>().event_type()),
            Self::Name(name) => quote!(#name),
        }
    }

    /// Whether both could be one name, as far as can be seen here. What certainly is, was refused before,
    /// unless a `#[cfg]` parts them.
    fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Type(_), Self::Type(_)) => true,
            (Self::Name(name), Self::Name(other)) => name.value() == other.value(),
            (Self::Type(_), Self::Name(name)) | (Self::Name(name), Self::Type(_)) => {
                !name.value().contains('*')
            }
        }
    }
}

fn clashes(driver: &Driver) -> Vec<Clash<'_>> {
    let keys: Vec<(&Handler, Key<'_>)> = driver.handlers.iter().flat_map(keys).collect();
    let mut clashes = Vec::new();
    for (index, (second, key)) in keys.iter().enumerate() {
        for (first, earlier) in &keys[..index] {
            if key.may_equal(earlier) {
                clashes.push(clash(&driver.root, (first, earlier), (second, key)));
            }
        }
    }
    clashes
}

fn keys(handler: &Handler) -> Vec<(&Handler, Key<'_>)> {
    match &handler.input {
        Input::Payload(payload) => vec![(handler, Key::Type(payload))],
        Input::Raw(patterns) => patterns.iter().map(|pattern| (handler, Key::Name(pattern))).collect(),
    }
}

fn clash<'a>(root: &Path, first: (&'a Handler, &Key<'a>), second: (&'a Handler, &Key<'a>)) -> Clash<'a> {
    let (one, other) = (first.1.text(root), second.1.text(root));
    let place = match second.1 {
        Key::Type(payload) => payload.span(),
        Key::Name(name) => name.span(),
    };
    let sentence = format!(
        "`{}` and `{}` handle one event type: a driver has one handler for each",
        first.0.name, second.0.name
    );
    let assertion = quote_spanned! {place=>
        ::core::assert!(!#root::__private::same(#one, #other), #sentence)
    };
    Clash { cfgs: first.0.cfgs.iter().chain(&second.0.cfgs).collect(), assertion }
}
