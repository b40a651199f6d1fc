//! Collects everything that is wrong, so that the user sees all of it at once.

use proc_macro2::Span;
use quote::ToTokens;
use std::fmt::Display;

/// The mistakes found so far, in the order in which they were found.
#[derive(Default)]
pub(crate) struct Mistakes(Option<syn::Error>);

impl Mistakes {
    /// Notes one sentence at the offending tokens.
    pub(crate) fn at(&mut self, place: impl ToTokens, sentence: impl Display) {
        self.note(syn::Error::new_spanned(place, sentence));
    }

    /// Notes one sentence where there are no tokens: something is missing.
    pub(crate) fn at_span(&mut self, place: Span, sentence: impl Display) {
        self.note(syn::Error::new(place, sentence));
    }

    pub(crate) fn note(&mut self, error: syn::Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// `value`, if there was no mistake.
    pub(crate) fn none_in<T>(self, value: Option<T>) -> Result<T, syn::Error> {
        match (self.0, value) {
            (Some(error), _) => Err(error),
            (None, Some(value)) => Ok(value),
            (None, None) => {
                Err(syn::Error::new(Span::call_site(), "the macro refuses this without a reason"))
            }
        }
    }
}
