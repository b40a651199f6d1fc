//! What the user wrote: parsed, with our attributes taken out, nothing judged yet.

use crate::attr::Args;
use proc_macro2::{Span, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Signature, Token, Visibility};

/// `#[driver(..)] impl X { .. }`.
pub(crate) struct Driver {
    pub(crate) args: syn::Result<Args>,
    /// The block as it stands, without our attributes.
    pub(crate) item: ItemImpl,
    pub(crate) methods: Vec<Method>,
    /// Our attributes on what is no method.
    pub(crate) misplaced: Vec<Attribute>,
}

/// A method with at least one of our attributes.
pub(crate) struct Method {
    pub(crate) marks: Vec<Attribute>,
    /// The attributes that stay.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) signature: Signature,
}

/// `on`, `on_start`, `on_stop`.
pub(crate) const MARKS: [&str; 3] = ["on", "on_start", "on_stop"];

impl Driver {
    pub(crate) fn parse(args: TokenStream, item: TokenStream) -> syn::Result<Self> {
        let mut item = block.parse2(item)?;
        let mut methods = Vec::new();
        let mut misplaced = Vec::new();
        for part in &mut item.items {
            match part {
                ImplItem::Fn(method) => methods.extend(Method::take(method)),
                ImplItem::Const(other) => misplaced.append(&mut take_marks(&mut other.attrs)),
                ImplItem::Type(other) => misplaced.append(&mut take_marks(&mut other.attrs)),
                ImplItem::Macro(other) => misplaced.append(&mut take_marks(&mut other.attrs)),
                _ => {}
            }
        }
        Ok(Self { args: syn::parse2(args), item, methods, misplaced })
    }
}

impl Method {
    fn take(method: &mut ImplItemFn) -> Option<Self> {
        let marks = take_marks(&mut method.attrs);
        if marks.is_empty() {
            return None;
        }
        Some(Self { marks, attrs: method.attrs.clone(), signature: method.sig.clone() })
    }
}

fn take_marks(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    attrs.extract_if(.., |attr| MARKS.iter().any(|mark| attr.path().is_ident(mark))).collect()
}

/// Parses an `impl` block, and says so when it is something else.
fn block(input: ParseStream<'_>) -> syn::Result<ItemImpl> {
    let ahead = input.fork();
    ahead.call(Attribute::parse_outer)?;
    ahead.parse::<Visibility>()?;
    let found: Span = ahead.span();
    if ahead.peek(Token![impl]) || ahead.peek(Token![unsafe]) || ahead.peek(Token![default]) {
        return input.parse();
    }
    Err(syn::Error::new(
        found,
        "`#[driver]` stands on an inherent `impl` block: write it above `impl Weather { .. }`",
    ))
}
