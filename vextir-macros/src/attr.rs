//! The syntax inside `#[driver(..)]`, `#[on(..)]` and `#[payload(..)]`: values, then options, with commas.

use proc_macro2::TokenStream;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Expr, Ident, Lit, Meta, Token, parenthesized, token};

/// The arguments of one attribute.
#[derive(Default)]
pub(crate) struct Args {
    /// Those without a name: the driver's id, the patterns of a handler.
    pub(crate) values: Vec<Expr>,
    /// Those with a name.
    pub(crate) options: Vec<Opt>,
}

/// One named argument.
pub(crate) struct Opt {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

/// What stands behind a name.
pub(crate) enum Value {
    /// Nothing: `eager`.
    Flag,
    /// `timeout = "30s"`.
    Given(Expr),
    /// `reserve(tokens = 1000)`.
    Call(TokenStream),
}

impl Args {
    /// The arguments of an attribute inside the item: `#[on]` has none.
    pub(crate) fn of(attribute: &Attribute) -> syn::Result<Self> {
        match &attribute.meta {
            Meta::Path(_) => Ok(Self::default()),
            Meta::List(list) => list.parse_args(),
            Meta::NameValue(pair) => {
                let name = pair.path.get_ident().map(ToString::to_string).unwrap_or_default();
                Err(syn::Error::new_spanned(
                    &pair.value,
                    format!("`#[{name}]` takes its arguments in parentheses: write `#[{name}(..)]`"),
                ))
            }
        }
    }
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut args = Self::default();
        while !input.is_empty() {
            if input.peek(Ident::peek_any) && !input.peek(Lit) {
                args.options.push(input.parse()?);
            } else {
                args.values.push(input.parse()?);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(args)
    }
}

impl Parse for Opt {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Value::Given(input.parse()?)
        } else if input.peek(token::Paren) {
            let content;
            parenthesized!(content in input);
            Value::Call(content.parse()?)
        } else {
            Value::Flag
        };
        Ok(Self { name, value })
    }
}

/// The expression inside the invisible groups that `macro_rules!` puts around a fragment.
pub(crate) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => bare(&group.expr),
        other => other,
    }
}
