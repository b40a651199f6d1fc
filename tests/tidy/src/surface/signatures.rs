//! Collects the foreign crates that public items name.

use syn::visit::{self, Visit};
use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, ItemTrait, Meta, TraitItem, Type};

use super::Named;
use super::modules::{Crate, Meaning, is_hidden, is_public};
use crate::source;

/// Derives of these crates implement traits of the standard library only.
const DERIVES_OF_STD_TRAITS: [&str; 2] = ["thiserror", "derive_more"];

/// The foreign crates in the public signatures of one crate.
pub(super) fn named(krate: &Crate) -> Named {
    let mut named = Named::new();
    for (module, inside) in krate.modules.iter().enumerate().filter(|(_, inside)| !inside.hidden) {
        let mut collector = Collector { krate, module, file: &inside.file, named: &mut named };
        for item in inside.items.iter().filter(|item| !source::attributes(item).iter().any(is_hidden)) {
            collector.item(item);
        }
    }
    named
}

struct Collector<'a> {
    krate: &'a Crate,
    module: usize,
    file: &'a str,
    named: &'a mut Named,
}

impl Collector<'_> {
    fn item(&mut self, item: &Item) {
        match item {
            Item::Fn(item) if is_public(&item.vis) => self.visit_signature(&item.sig),
            Item::Struct(item) if is_public(&item.vis) => {
                self.derives(&item.attrs);
                self.visit_generics(&item.generics);
                self.fields(&item.fields, false);
            }
            Item::Enum(item) if is_public(&item.vis) => {
                self.derives(&item.attrs);
                self.visit_generics(&item.generics);
                let shown = item.variants.iter().filter(|variant| !variant.attrs.iter().any(is_hidden));
                shown.for_each(|variant| self.fields(&variant.fields, true));
            }
            Item::Trait(item) if is_public(&item.vis) => self.contract(item),
            Item::Type(item) if is_public(&item.vis) => {
                self.visit_generics(&item.generics);
                self.visit_type(&item.ty);
            }
            Item::Const(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Static(item) if is_public(&item.vis) => self.visit_type(&item.ty),
            Item::Use(item) if is_public(&item.vis) => {
                let absolute = item.leading_colon.is_some();
                let line = item.use_token.span.start().line;
                for leaf in source::leaves(&item.tree) {
                    self.path(&leaf.path, absolute, line);
                }
            }
            Item::Impl(item) => self.implementation(item),
            _ => {}
        }
    }

    /// The names in a `pub` trait: its bounds and the signatures of its items.
    fn contract(&mut self, item: &ItemTrait) {
        self.visit_generics(&item.generics);
        item.supertraits.iter().for_each(|bound| self.visit_type_param_bound(bound));
        for inner in &item.items {
            match inner {
                TraitItem::Fn(function) if !function.attrs.iter().any(is_hidden) => {
                    self.visit_signature(&function.sig)
                }
                TraitItem::Type(inner) => visit::visit_trait_item_type(self, inner),
                TraitItem::Const(inner) => self.visit_type(&inner.ty),
                _ => {}
            }
        }
    }

    fn implementation(&mut self, item: &ItemImpl) {
        let is_private = |path: &syn::Path| self.is_private(path);
        let private_self = matches!(&*item.self_ty, Type::Path(own) if is_private(&own.path));
        let private_trait = item.trait_.as_ref().is_some_and(|(path, _)| is_private(path));
        if private_self || private_trait || item.attrs.iter().any(is_hidden) {
            return;
        }
        if let Some((path, _)) = &item.trait_ {
            self.visit_generics(&item.generics);
            self.visit_path(path);
            self.visit_type(&item.self_ty);
            for inner in &item.items {
                if let ImplItem::Type(inner) = inner {
                    self.visit_type(&inner.ty);
                }
            }
            return;
        }
        let mut shown = false;
        for inner in &item.items {
            match inner {
                ImplItem::Fn(function)
                    if is_public(&function.vis) && !function.attrs.iter().any(is_hidden) =>
                {
                    shown = true;
                    self.visit_signature(&function.sig);
                }
                ImplItem::Const(inner) if is_public(&inner.vis) => self.visit_type(&inner.ty),
                _ => {}
            }
        }
        if shown {
            self.visit_generics(&item.generics);
        }
    }

    /// Whether a path names a type or trait of this crate that is not public.
    fn is_private(&self, path: &syn::Path) -> bool {
        let names = names(path);
        let local =
            matches!(self.krate.meaning(self.module, &names, path.leading_colon.is_some()), Meaning::Local);
        local && names.last().is_some_and(|last| last != "Self" && !self.krate.public_names.contains(last))
    }

    fn fields(&mut self, fields: &Fields, all: bool) {
        for field in fields.iter().filter(|field| all || is_public(&field.vis)) {
            if !field.attrs.iter().any(is_hidden) {
                self.visit_type(&field.ty);
            }
        }
    }

    fn derives(&mut self, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
            let Meta::List(list) = &attribute.meta else { continue };
            let parser = syn::punctuated::Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
            let Ok(derived) = list.parse_args_with(parser) else { continue };
            for path in &derived {
                let meaning = self.krate.meaning(self.module, &names(path), path.leading_colon.is_some());
                if !matches!(meaning, Meaning::Foreign(name) if DERIVES_OF_STD_TRAITS.contains(&name)) {
                    self.visit_path(path);
                }
            }
        }
    }

    fn path(&mut self, names: &[String], absolute: bool, line: usize) {
        match self.krate.meaning(self.module, names, absolute) {
            Meaning::Foreign(name) => {
                self.named.entry(name.to_owned()).or_default().insert(format!("{}:{line}", self.file));
            }
            Meaning::Alias(module, alias) => {
                let mut inside =
                    Collector { krate: self.krate, module, file: self.file, named: &mut *self.named };
                inside.visit_type(alias);
            }
            Meaning::Local | Meaning::Other => {}
        }
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        self.path(&names(path), path.leading_colon.is_some(), line);
        visit::visit_path(self, path);
    }

    // The attributes of a parameter and the value of a constant are no part of a signature.
    fn visit_attribute(&mut self, _: &'ast Attribute) {}
    fn visit_expr(&mut self, _: &'ast syn::Expr) {}
}

fn names(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}
