//! Doc comments, which become descriptions.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The doc comment as an expression of type `&'static str`; `None` if there is none.
pub(crate) fn description(attrs: &[Attribute]) -> Option<TokenStream> {
    let lines: Vec<&Expr> = attrs.iter().filter_map(line).collect();
    if let Some(texts) = lines.iter().map(|line| literal(line)).collect::<Option<Vec<String>>>() {
        let text = texts.join("\n");
        let text = text.trim();
        return (!text.is_empty()).then(|| text.to_token_stream());
    }
    // `#[doc = include_str!(..)]` is put together by the compiler.
    let pieces = lines.iter().map(|line| literal(line).map_or_else(|| quote!(#line), |text| quote!(#text)));
    Some(quote!(::core::concat!(#(#pieces, "\n"),*)))
}

fn line(attr: &Attribute) -> Option<&Expr> {
    match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => Some(&pair.value),
        _ => None,
    }
}

fn literal(line: &Expr) -> Option<String> {
    let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = crate::attr::bare(line) else { return None };
    let lines: Vec<String> = text
        .value()
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end().to_owned())
        .collect();
    Some(lines.join("\n"))
}
