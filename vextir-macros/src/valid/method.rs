//! What handlers and hooks have in common: an async method that borrows its driver.

use crate::ast::Method;
use crate::mistakes::Mistakes;
use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, GenericArgument, GenericParam, PatType, Path, PathArguments, ReceiverKind, ReturnType,
    Safety, Signature, Type,
};

/// Checks the signature, except for what the parameters after `&self` are.
pub(super) fn check(signature: &Signature, mistakes: &mut Mistakes) {
    let name = &signature.ident;
    if signature.asyncness.is_none() {
        mistakes.at(signature.fn_token, format!("`{name}` is not async: write `async fn {name}`"));
    }
    if let Safety::Unsafe(token) = &signature.safety {
        mistakes.at(token, format!("`{name}` is called by the processor, which calls nothing unsafe"));
    }
    for parameter in &signature.generics.params {
        if !matches!(parameter, GenericParam::Lifetime(_)) {
            let sentence = format!(
                "`{name}` is generic, and nobody says for which type: move the parameter to the `impl` block"
            );
            mistakes.at(parameter, sentence);
        }
    }
    check_receiver(signature, mistakes);
    if let ReturnType::Type(_, output) = &signature.output
        && mentions_impl(output.to_token_stream())
    {
        let sentence =
            format!("`{name}` hides what it returns: name the type, so that the manifest can show it");
        mistakes.at(output, sentence);
    }
}

fn check_receiver(signature: &Signature, mistakes: &mut Mistakes) {
    let sentence = format!(
        "`{}` takes `&self`, because calls run side by side: keep what changes in an atomic or behind a mutex",
        signature.ident
    );
    match signature.receiver() {
        None => mistakes.at(
            &signature.ident,
            format!("`{}` is no method: begin its parameters with `&self`", signature.ident),
        ),
        Some(receiver) => match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => {}
            ReceiverKind::Typed(_, found) if is_shared_self(found) => {}
            _ => mistakes.at(receiver, sentence),
        },
    }
}

fn is_shared_self(found: &Type) -> bool {
    matches!(found, Type::Reference(reference) if reference.mutability.is_none() && is_self(&reference.elem))
}

fn is_self(found: &Type) -> bool {
    matches!(found, Type::Path(found) if found.path.is_ident("Self"))
}

/// `impl Trait` anywhere in a type.
pub(super) fn mentions_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "impl",
        TokenTree::Group(group) => mentions_impl(group.stream()),
        _ => false,
    })
}

/// The parameters after `&self`.
pub(super) fn parameters(signature: &Signature) -> impl Iterator<Item = &PatType> {
    signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(parameter) => Some(parameter),
        FnArg::Receiver(_) => None,
    })
}

/// What it returns; `None` if nothing is written.
pub(super) fn returns(signature: &Signature) -> Option<Type> {
    match &signature.output {
        ReturnType::Default => None,
        ReturnType::Type(_, output) => Some(bare(output).clone()),
    }
}

/// The `#[cfg]`s of a method: they hold for what calls it, too.
pub(super) fn cfgs(method: &Method) -> Vec<Attribute> {
    method.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect()
}

/// The type without parentheses and without the invisible groups of `macro_rules!`.
pub(super) fn bare(found: &Type) -> &Type {
    match found {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}

/// What a `Vec` is of.
pub(super) fn vec_of(found: &Type) -> Option<&Type> {
    let Type::Path(found) = bare(found) else { return None };
    let last = found.path.segments.last().filter(|last| last.ident == "Vec")?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first()? {
            GenericArgument::Type(one) => Some(one),
            _ => None,
        },
        _ => None,
    }
}

/// The last name of a path without arguments: `Event` of `vextir::Event`.
pub(super) fn last_name(found: &Type) -> Option<&Ident> {
    let Type::Path(found) = bare(found) else { return None };
    let Path { segments, .. } = &found.path;
    segments.last().filter(|last| last.arguments.is_empty()).map(|last| &last.ident)
}
