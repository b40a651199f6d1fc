//! `Driver::manifest`: everything that the declaration says.

use super::clash;
use crate::docs;
use crate::model::{Demand, Driver, Handler, Input, Rule, Settings};
use proc_macro2::TokenStream;
use quote::quote;
use std::time::Duration;
use syn::Path;

pub(super) fn manifest(driver: &Driver) -> TokenStream {
    let root = &driver.root;
    let id = &driver.settings.id;
    let settings = settings(root, &driver.settings);
    let description = docs::description(&driver.item.attrs).map(|docs| quote!(.with_description(#docs)));
    let start = quote!(#root::Manifest::new(#root::Name::literal(#id)) #settings #description);
    let clashes = clash::inside(driver);
    let conditional = driver.handlers.iter().any(|handler| !handler.cfgs.is_empty());
    let body = if conditional {
        let steps = driver.handlers.iter().map(|handler| {
            let (cfgs, can) = (&handler.cfgs, can(root, handler));
            quote!(#(#cfgs)* let __manifest = __manifest #can;)
        });
        quote!(let __manifest = #start; #(#steps)* __manifest)
    } else {
        let can = driver.handlers.iter().map(|handler| can(root, handler));
        quote!(#start #(#can)*)
    };
    quote! {
        fn manifest(&self) -> #root::Manifest {
            #clashes
            #body
        }
    }
}

fn settings(root: &Path, settings: &Settings) -> TokenStream {
    let Settings { kind, version, name, author, timeout, memory, retries, concurrency, .. } = settings;
    let mut calls = Vec::new();
    calls.extend(kind.iter().map(|kind| quote!(.with_kind(#root::DriverKind::#kind))));
    calls.extend(version.iter().map(|version| quote!(.with_version(#version))));
    calls.extend(name.iter().map(|name| quote!(.with_name(#name))));
    calls.extend(author.iter().map(|author| quote!(.with_author(#author))));
    calls.extend(timeout.iter().map(|timeout| {
        let (seconds, nanos) = (timeout.as_secs(), timeout.subsec_nanos());
        quote!(.with_timeout(::core::time::Duration::new(#seconds, #nanos)))
    }));
    calls.extend(memory.iter().map(|bytes| quote!(.with_memory(#bytes))));
    calls.extend(retries.iter().map(|retries| quote!(.with_retries(#retries))));
    calls.extend(concurrency.iter().map(|calls| {
        let calls = proc_macro2::Literal::u32_unsuffixed(*calls);
        quote!(.with_concurrency(#calls))
    }));
    calls.extend(settings.eager.then(|| quote!(.with_eager(true))));
    calls.extend(settings.from_start.then(|| quote!(.with_from_start(true))));
    calls.extend(settings.block_on_dead.then(|| quote!(.with_block_on_dead(true))));
    calls.extend(settings.flow.iter().map(|rule| {
        let rule = flow(root, rule);
        quote!(.with_flow(#rule))
    }));
    quote!(#(#calls)*)
}

/// A rule of flow control.
fn flow(root: &Path, rule: &Rule) -> TokenStream {
    let span = |span: &Duration| {
        let (seconds, nanos) = (span.as_secs(), span.subsec_nanos());
        quote!(::core::time::Duration::new(#seconds, #nanos))
    };
    let start = match &rule.demand {
        Demand::Concurrency(most) => quote!(#root::Flow::concurrency(#most)),
        Demand::RateLimit(most, per) => {
            let per = span(per);
            quote!(#root::Flow::rate_limit(#most, #per))
        }
        Demand::Throttle(most, per) => {
            let per = span(per);
            quote!(#root::Flow::throttle(#most, #per))
        }
        Demand::Debounce(quiet, at_most) => {
            let quiet = span(quiet);
            let at_most = at_most.iter().map(span);
            quote!(#root::Flow::debounce(#quiet) #(.at_most(#at_most))*)
        }
        Demand::Batch(most, within) => {
            let within = span(within);
            quote!(#root::Flow::batch(#most, #within))
        }
        Demand::Singleton(twin) => quote!(#root::Flow::singleton(#root::Twin::#twin)),
        Demand::Priority(path) => quote!(#root::Flow::priority(#path)),
    };
    let key = rule.key.iter();
    let across = rule.across_users.then(|| quote!(.across_users()));
    quote!(#start #(.key(#key))* #across)
}

/// The capabilities of one handler: one for its payload, or one for each of its names.
fn can(root: &Path, handler: &Handler) -> TokenStream {
    let returned = super::returned(handler);
    let effect = handler.effect.iter().map(|effect| quote!(.effect(#root::Effect::#effect)));
    let reserve =
        handler.reserve.iter().map(|(unit, amount)| quote!(.reserves(#root::Name::literal(#unit), #amount)));
    let rules = handler.flow.iter().map(|rule| flow(root, rule));
    let says = quote!(#(#effect)* #(#reserve)* #(.flow(#rules))*);
    let can = |capability: TokenStream| quote!(.can(#root::__private::output::<#returned>().describe(#capability #says)));
    let docs = handler.docs.as_ref();
    match &handler.input {
        Input::Payload(payload) => {
            let docs = docs.iter().map(|docs| quote!(.describe(#docs)));
            can(quote!(#root::__private::input::<#payload>().capability() #(#docs)*))
        }
        Input::Raw(patterns) => {
            let docs: Vec<TokenStream> = docs.iter().map(|docs| quote!(.describe(#docs))).collect();
            let all = patterns
                .iter()
                .map(|pattern| can(quote!(#root::Capability::new(#root::Name::literal(#pattern)) #(#docs)*)));
            quote!(#(#all)*)
        }
    }
}
