//! One event type, one handler: what can be seen without knowing the types.

use crate::mistakes::Mistakes;
use crate::model::{Handler, Input};
use quote::ToTokens;
use std::collections::HashMap;
use syn::Ident;

/// Notes each event type or pattern that an earlier handler has. Handlers under `#[cfg]` may exclude each
/// other: the compiler compares those.
pub(super) fn check(handlers: &[Handler], mistakes: &mut Mistakes) {
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for handler in handlers.iter().filter(|handler| handler.cfgs.is_empty()) {
        let mut claim = |key: String, shown: &str, place: &dyn ToTokens| {
            if let Some(earlier) = seen.insert(key, &handler.name) {
                mistakes.at(place, format!("{shown} is handled twice: `{earlier}` handles it already"));
            }
        };
        match &handler.input {
            Input::Payload(payload) => {
                let shown = payload.to_token_stream().to_string();
                claim(format!("type {shown}"), &format!("`{shown}`"), payload);
            }
            Input::Raw(patterns) => {
                for pattern in patterns {
                    let shown = format!("{:?}", pattern.value());
                    claim(shown.clone(), &shown, pattern);
                }
            }
        }
    }
}
