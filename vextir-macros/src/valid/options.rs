//! Reads the named options of one attribute, each with its type.

use crate::attr::{Opt, Value, bare};
use crate::grammar::parse_memory;
use crate::mistakes::Mistakes;
use proc_macro2::Span;
use std::time::Duration;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit, LitInt, LitStr, Path, Token};

/// An option that an attribute knows.
pub(crate) struct Known {
    pub(crate) name: &'static str,
    /// How it is written.
    pub(crate) form: &'static str,
}

/// The options of one attribute: all are known, and none but `flow` stands twice.
pub(crate) struct Options<'a> {
    known: &'static [Known],
    given: Vec<&'a Opt>,
    mistakes: &'a mut Mistakes,
}

impl<'a> Options<'a> {
    pub(crate) fn new(
        attribute: &str,
        known: &'static [Known],
        options: &'a [Opt],
        mistakes: &'a mut Mistakes,
    ) -> Self {
        let mut given: Vec<&Opt> = Vec::new();
        for option in options {
            if !known.iter().any(|one| option.name == one.name) {
                mistakes.at(&option.name, unknown(attribute, known, &option.name));
            } else if option.name != "flow" && given.iter().any(|earlier| earlier.name == option.name) {
                mistakes.at(&option.name, format!("option `{}` stands twice: remove one", option.name));
            } else {
                given.push(option);
            }
        }
        Self { known, given, mistakes }
    }

    /// A string.
    pub(crate) fn text(&mut self, name: &str) -> Option<LitStr> {
        let given = self.take(name)?;
        if let Value::Given(value) = &given.value
            && let Some(text) = string(value)
        {
            return Some(text.clone());
        }
        self.refuse(given, "takes a string")
    }

    /// A word, present or not.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let Some(given) = self.take(name) else { return false };
        if !matches!(given.value, Value::Flag) {
            self.refuse::<()>(given, "stands alone, without a value");
        }
        true
    }

    /// Where the option stands, if it is given.
    pub(crate) fn place(&self, name: &str) -> Option<Span> {
        self.given.iter().find(|option| option.name == name).map(|option| option.name.span())
    }

    /// A whole number from `least`.
    pub(crate) fn number(&mut self, name: &str, least: u32) -> Option<u32> {
        let given = self.take(name)?;
        let Value::Given(value) = &given.value else { return self.refuse(given, "takes a whole number") };
        let Expr::Lit(ExprLit { lit: Lit::Int(digits), .. }) = bare(value) else {
            return self.refuse(given, "takes a whole number");
        };
        match digits.base10_parse::<u32>() {
            Ok(number) if number >= least => Some(number),
            _ => {
                let most = u32::MAX;
                self.mistakes.at(digits, format!("`{name}` is a number from {least} to {most}"));
                None
            }
        }
    }

    /// A path.
    pub(crate) fn path(&mut self, name: &str) -> Option<Path> {
        let given = self.take(name)?;
        if let Value::Given(value) = &given.value
            && let Expr::Path(path) = bare(value)
            && path.qself.is_none()
        {
            return Some(path.path.clone());
        }
        self.refuse(given, "takes a path, without quotes")
    }

    /// One of a few strings; gives the variant that it stands for.
    pub(crate) fn choice(&mut self, name: &str, choices: &[(&str, &str)]) -> Option<Ident> {
        let text = self.text(name)?;
        let value = text.value();
        if let Some((_, variant)) = choices.iter().find(|(choice, _)| *choice == value) {
            return Some(Ident::new(variant, Span::call_site()));
        }
        let all: Vec<String> = choices.iter().map(|(choice, _)| format!("{choice:?}")).collect();
        self.mistakes.at(&text, format!("there is no {name} {value:?}: it is one of {}", all.join(", ")));
        None
    }

    /// A span of time, longer than nothing.
    pub(crate) fn duration(&mut self, name: &str) -> Option<Duration> {
        let text = self.text(name)?;
        let value = text.value();
        let why = match humantime::parse_duration(&value) {
            Ok(Duration::ZERO) => "it must be longer than nothing".to_owned(),
            Ok(span) => return Some(span),
            Err(error) => error.to_string(),
        };
        self.mistakes
            .at(&text, format!("bad duration {value:?}: {why}; write \"30s\", \"500ms\" or \"1h 30m\""));
        None
    }

    /// A number of bytes, more than none.
    pub(crate) fn memory(&mut self, name: &str) -> Option<u64> {
        let text = self.text(name)?;
        let value = text.value();
        match parse_memory(&value) {
            Some(bytes) if bytes > 0 => Some(bytes),
            _ => {
                let sentence = format!(
                    "bad memory size {value:?}: write a whole number above zero and its unit, as in \"512MB\", \"64MiB\" or \"1GB\""
                );
                self.mistakes.at(&text, sentence);
                None
            }
        }
    }

    /// Amounts by name, each above zero.
    pub(crate) fn amounts(&mut self, name: &str) -> Vec<(String, u64)> {
        let Some(given) = self.take(name) else { return Vec::new() };
        let parse = Punctuated::<Amount, Token![,]>::parse_terminated;
        let parsed = match &given.value {
            Value::Call(arguments) => parse.parse2(arguments.clone()).ok(),
            _ => None,
        };
        let amounts: Vec<(String, u64)> =
            parsed.into_iter().flatten().map(|Amount(unit, amount)| (unit.to_string(), amount)).collect();
        let twice = (1..amounts.len()).any(|at| amounts[..at].iter().any(|(unit, _)| *unit == amounts[at].0));
        if twice || amounts.is_empty() || amounts.iter().any(|(_, amount)| *amount == 0) {
            self.refuse::<()>(given, "takes units, each once, and a whole number above zero for each");
        }
        amounts
    }

    fn take(&mut self, name: &str) -> Option<&'a Opt> {
        self.given.iter().find(|option| option.name == name).copied()
    }

    fn refuse<T>(&mut self, option: &Opt, demand: &str) -> Option<T> {
        let name = &option.name;
        let form = self.known.iter().find(|one| option.name == one.name).map_or("", |one| one.form);
        let place = match &option.value {
            Value::Given(value) => value.span(),
            Value::Call(arguments) if !arguments.is_empty() => arguments.span(),
            Value::Flag | Value::Call(_) => name.span(),
        };
        self.mistakes.at_span(place, format!("`{name}` {demand}: write `{form}`"));
        None
    }
}

/// `tokens = 1000`.
struct Amount(Ident, u64);

impl Parse for Amount {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let unit = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self(unit, input.parse::<LitInt>()?.base10_parse()?))
    }
}

/// The string that an expression is.
pub(crate) fn string(value: &Expr) -> Option<&LitStr> {
    match bare(value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

fn unknown(attribute: &str, known: &[Known], name: &Ident) -> String {
    let all: Vec<String> = known.iter().map(|one| format!("`{}`", one.name)).collect();
    format!("`{attribute}` has no option `{name}`: it knows {}", all.join(", "))
}
