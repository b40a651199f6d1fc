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
                if __event.event_type == <#payload as #root::Payload>::TYPE {
                    return __event.decode::<#payload>().map(::core::mem::drop);
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
                &quote!(__event.event_type == <#payload as #root::Payload>::TYPE),
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
        arm(handler, &condition, &raw_call(root, handler))
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
    let call = call(handler, &quote!(__payload));
    quote! {
        let __payload = #root::__private::decode::<#payload>(&__event)?;
        return #root::__private::outputs(#call.await);
    }
}

fn raw_call(root: &Path, handler: &Handler) -> TokenStream {
    let call = call(handler, &quote!(__event));
    quote!(return #root::__private::outputs(#call.await);)
}

fn call(handler: &Handler, input: &TokenStream) -> TokenStream {
    let name = &handler.name;
    let arguments = handler.parameters.iter().map(|parameter| match parameter {
        Parameter::Input => input.clone(),
        Parameter::Context => quote!(__cx),
    });
    quote!(Self::#name(self, #(#arguments),*))
}
