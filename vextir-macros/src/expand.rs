//! Writes the code. Nothing here can fail: what cannot be expanded was refused before.

mod clash;
mod dispatch;
mod manifest;

use crate::ast;
use crate::model::{Driver, Handler, Hook, Payload};
use crate::valid;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Data, DeriveInput, ItemImpl, Path};

/// The user's block, and beside it the driver.
pub(crate) fn driver(driver: &Driver) -> TokenStream {
    let Driver { root, item, start, stop, .. } = driver;
    let manifest = manifest::manifest(driver);
    let check = dispatch::check(driver);
    let handle_event = dispatch::handle_event(driver);
    let start = start.as_ref().map(|hook| start_hook(root, hook));
    let stop = stop.as_ref().map(stop_hook);
    let implementation = implementation(root, item, &quote!(#manifest #check #handle_event #start #stop));
    let clashes = clash::beside(driver);
    quote!(#item #implementation #clashes)
}

/// The user's block as it stands, the errors, and a driver in name, so that no other code fails for want of it.
pub(crate) fn refused_driver(found: &ast::Driver, error: &syn::Error) -> TokenStream {
    let item = &found.item;
    if item.trait_.is_some() {
        let error = error.to_compile_error();
        return quote!(#item #error);
    }
    let root = valid::root(found.args.as_ref().ok());
    let body = quote! {
        fn manifest(&self) -> #root::Manifest {
            #root::Manifest::new("refused")
        }

        async fn handle_event(&self, _: #root::Event, _: &#root::Ctx) -> #root::HandlerResult {
            ::core::result::Result::Ok(::std::vec::Vec::new())
        }
    };
    let implementation = implementation(&root, item, &body);
    let error = error.to_compile_error();
    quote!(#item #implementation #error)
}

fn implementation(root: &Path, item: &ItemImpl, body: &TokenStream) -> TokenStream {
    let (generics, _, where_clause) = item.generics.split_for_impl();
    let driver = &item.self_ty;
    let attrs: Vec<&Attribute> = carried(&item.attrs).collect();
    let given = where_clause.map(|clause| clause.predicates.iter()).into_iter().flatten();
    // Within the block it is taken for granted, so what is missing is said beside it and nowhere else. Of a generic
    // driver that is said where one is registered.
    let is_plain = item.generics.params.is_empty();
    let check = quote!(#(#attrs)* const _: fn() = #root::__private::shareable::<#driver>;);
    let checked = is_plain.then_some(check);
    quote! {
        #(#attrs)*
        #[automatically_derived]
        #[#root::async_trait]
        impl #generics #root::Driver for #driver
        where
            #(#given,)*
            for<'__a> #driver: #root::__private::Shareable<'__a>,
        {
            #body
        }
        #checked
    }
}

/// The attributes of the block that hold for what stands beside it, too.
fn carried(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg") || attr.path().is_ident("allow"))
}

/// What a handler returns.
fn returned(handler: &Handler) -> TokenStream {
    handler.returns.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream)
}

fn start_hook(root: &Path, hook: &Hook) -> TokenStream {
    let Hook { name, cfgs, emitter, returns } = hook;
    let emitter = emitter.then(|| quote!(__emitter));
    let returns = returns.as_ref().map_or_else(|| quote!(()), ToTokens::to_token_stream);
    quote! {
        #(#cfgs)*
        async fn start(&self, __emitter: #root::Emitter) -> #root::Result<()> {
            #root::__private::started::<#returns>(Self::#name(self, #emitter).await)
        }
    }
}

fn stop_hook(hook: &Hook) -> TokenStream {
    let Hook { name, cfgs, .. } = hook;
    quote! {
        #(#cfgs)*
        async fn stop(&self) {
            Self::#name(self).await;
        }
    }
}

/// The payload's one trait.
pub(crate) fn payload(payload: &Payload) -> TokenStream {
    let Payload { root, ident, event_type, category, docs } = payload;
    let category = category
        .as_ref()
        .map(|category| quote!(const CATEGORY: #root::Category = #root::Category::#category;));
    let docs = docs.as_ref().map(|docs| quote!(const DESCRIPTION: &'static str = #docs;));
    quote! {
        #[automatically_derived]
        impl #root::Payload for #ident
        where
            for<'__a> #ident: #root::__private::Portable<'__a>,
        {
            const TYPE: &'static str = #event_type;
            #category
            #docs
        }
        const _: fn() = #root::__private::portable::<#ident>;
    }
}

/// The errors, and a payload in name.
pub(crate) fn refused_payload(found: &DeriveInput, error: &syn::Error) -> TokenStream {
    let ident = &found.ident;
    let error = error.to_compile_error();
    if !found.generics.params.is_empty() || matches!(found.data, Data::Union(_)) {
        return error;
    }
    quote! {
        #error
        #[automatically_derived]
        impl ::vextir::Payload for #ident {
            const TYPE: &'static str = "refused";
        }
    }
}
