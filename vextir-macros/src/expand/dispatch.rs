//! `Driver::check` and `Driver::handle_event`: which handler an event goes to.

use crate::grammar::specificity;
use crate::model::{Driver, Handler, Input, Parameter};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{LitStr, Path};

/// Decodes what the handlers with a payload would get; `None` if there is none.
pub(super) fn check(driver: &Driver) -> Option<TokenStream> {
    let root = &driver.root;
    let arms: Vec<TokenStream> = driver
        .handlers
        .iter()
        .filter_map(|handler| {
            let Input::Payload(payload) = &handler.input else { return None };
            let cfgs = &handler.cfgs;
            Some(quote! {
                #(#cfgs)*
                if #root::__private::input::<#payload>().is_of(__event) {
                    return #root::__private::input::<#payload>().check(__event);
                }
            })
        })
        .collect();
    (!arms.is_empty()).then(|| {
        quote! {
            fn check(&self, __event: &#root::Event) -> #root::Result<()> {
                #(#arms)*
                ::core::result::Result::Ok(())
            }
        }
    })
}

/// Payloads first, then exact names, then patterns, the most specific first.
pub(super) fn handle_event(driver: &Driver) -> TokenStream {
    let root = &driver.root;
    let id = &driver.settings.id;
    let mut payloads = Vec::new();
    let mut names: Vec<(&LitStr, &Handler)> = Vec::new();
    for handler in &driver.handlers {
        match &handler.input {
            Input::Payload(payload) => payloads.push(arm(
                handler,
                &quote!(#root::__private::input::<#payload>().is_of(&__event)),
                &typed_call(root, handler, &quote!(#payload)),
            )),
            Input::Raw(patterns) => names.extend(patterns.iter().map(|pattern| (pattern, handler))),
        }
    }
    names.sort_by_key(|(pattern, _)| {
        let pattern = pattern.value();
        (pattern.contains('*'), specificity(&pattern))
    });
    let names = names.iter().map(|(pattern, handler)| {
        let condition = if pattern.value().contains('*') {
            quote!(#root::__private::matches(#pattern, &__event))
        } else {
            quote!(__event.event_type == #pattern)
        };
        let given = if handler.batch { quote!(__cx.batch().to_vec()) } else { quote!(__event) };
        arm(handler, &condition, &call(root, handler, &given))
    });
    quote! {
        async fn handle_event(&self, __event: #root::Event, __cx: &#root::Ctx) -> #root::HandlerResult {
            #(#payloads)*
            #(#names)*
            #root::__private::unmatched(#id, &__event)
        }
    }
}

fn arm(handler: &Handler, condition: &TokenStream, call: &TokenStream) -> TokenStream {
    let cfgs = &handler.cfgs;
    quote! {
        #(#cfgs)*
        if #condition {
            #call
        }
    }
}

fn typed_call(root: &Path, handler: &Handler, payload: &TokenStream) -> TokenStream {
    let call = call(root, handler, &quote!(__payload));
    if handler.batch {
        return quote! {
            let mut __payload = ::std::vec::Vec::new();
            for __one in __cx.batch() {
                __payload.push(#root::__private::input::<#payload>().decode(__one)?);
            }
            #call
        };
    }
    quote! {
        let __payload = #root::__private::input::<#payload>().decode(&__event)?;
        #call
    }
}

fn call(root: &Path, handler: &Handler, input: &TokenStream) -> TokenStream {
    let name = &handler.name;
    let arguments = handler.parameters.iter().map(|parameter| match parameter {
        Parameter::Input => input.clone(),
        Parameter::Context => quote!(__cx),
    });
    let returned = super::returned(handler);
    quote! {
        return #root::__private::output::<#returned>().events(Self::#name(self, #(#arguments),*).await);
    }
}
