//! The macros of Vextir: `#[derive(Payload)]` and `#[driver]`.
//!
//! The `vextir` crate re-exports both; they emit its paths, and this crate knows nothing of it.

mod ast;
mod attr;
mod docs;
mod expand;
mod grammar;
mod mistakes;
mod model;
mod valid;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, parse_macro_input};

#[doc = include_str!("../docs/payload.md")]
#[proc_macro_derive(Payload, attributes(payload))]
pub fn derive_payload(input: TokenStream) -> TokenStream {
    let found = parse_macro_input!(input as DeriveInput);
    match valid::payload(&found) {
        Ok(payload) => expand::payload(&payload).into(),
        Err(error) => expand::refused_payload(&found, &error).into(),
    }
}

#[doc = include_str!("../docs/driver.md")]
#[proc_macro_attribute]
pub fn driver(args: TokenStream, item: TokenStream) -> TokenStream {
    match ast::Driver::parse(args.into(), item.clone().into()) {
        Ok(found) => match valid::driver(&found) {
            Ok(driver) => expand::driver(&driver).into(),
            Err(error) => expand::refused_driver(&found, &error).into(),
        },
        Err(error) => {
            let (error, item) = (error.to_compile_error(), proc_macro2::TokenStream::from(item));
            quote!(#item #error).into()
        }
    }
}
