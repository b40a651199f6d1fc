//! Rust files as the rules see them: parsed, without their tests.

use proc_macro2::TokenTree;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, Meta, UseTree};

/// Parses a file and drops what is compiled for tests only.
pub(crate) fn parse(path: &str, text: &str) -> Result<syn::File, String> {
    let mut file = syn::parse_file(text)
        .map_err(|error| format!("{path}:{}: does not parse: {error}", error.span().start().line))?;
    if file.attrs.iter().any(tests_only) {
        file.items.clear();
    }
    drop_tests(&mut file.items);
    Ok(file)
}

fn drop_tests(items: &mut Vec<Item>) {
    items.retain(|item| !attributes(item).iter().any(tests_only));
    for item in items {
        match item {
            Item::Mod(module) => {
                if let Some((_, inner)) = &mut module.content {
                    drop_tests(inner);
                }
            }
            Item::Impl(block) => block.items.retain(|item| match item {
                ImplItem::Fn(function) => !function.attrs.iter().any(tests_only),
                _ => true,
            }),
            _ => {}
        }
    }
}

/// The attributes of an item.
pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an attribute is `#[test]`, `#[tokio::test]` or a `#[cfg(..)]` that asks for `test`.
fn tests_only(attribute: &Attribute) -> bool {
    let path = attribute.path();
    if path.segments.last().is_some_and(|last| last.ident == "test") {
        return true;
    }
    let Meta::List(list) = &attribute.meta else { return false };
    let names: Vec<String> = list
        .tokens
        .clone()
        .into_iter()
        .flat_map(|token| match token {
            TokenTree::Group(group) => group.stream().into_iter().collect(),
            other => vec![other],
        })
        .filter_map(|token| if let TokenTree::Ident(name) = token { Some(name.to_string()) } else { None })
        .collect();
    path.is_ident("cfg") && names.iter().any(|name| name == "test") && !names.iter().any(|name| name == "not")
}

/// Every path that a file names, `use` trees written out, with its line.
pub(crate) fn paths(file: &syn::File) -> Vec<(String, usize)> {
    let mut paths = Paths(Vec::new());
    paths.visit_file(file);
    paths.0
}

struct Paths(Vec<(String, usize)>);

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let line = path.segments.first().map_or(0, |first| first.ident.span().start().line);
        self.0.push((names.join("::"), line));
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let line = item.use_token.span.start().line;
        let leaves = leaves(&item.tree);
        self.0.extend(leaves.into_iter().map(|leaf| (leaf.path.join("::"), line)));
    }
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// The path as written; for a glob, the path of the module.
    pub(crate) path: Vec<String>,
    /// The name it gets here; `None` for a glob.
    pub(crate) name: Option<String>,
}

/// Writes a `use` tree out.
pub(crate) fn leaves(tree: &UseTree) -> Vec<Leaf> {
    fn walk(tree: &UseTree, mut path: Vec<String>, out: &mut Vec<Leaf>) {
        match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                walk(&inner.tree, path, out);
            }
            UseTree::Name(leaf) => {
                let name = leaf.ident.to_string();
                if name == "self" {
                    let name = path.last().cloned();
                    out.push(Leaf { path, name });
                } else {
                    path.push(name.clone());
                    out.push(Leaf { path, name: Some(name) });
                }
            }
            UseTree::Rename(leaf) => {
                if leaf.ident != "self" {
                    path.push(leaf.ident.to_string());
                }
                out.push(Leaf { path, name: Some(leaf.rename.to_string()) });
            }
            UseTree::Glob(_) => out.push(Leaf { path, name: None }),
            UseTree::Group(group) => {
                for inner in &group.items {
                    walk(inner, path.clone(), out);
                }
            }
        }
    }
    let mut out = Vec::new();
    walk(tree, Vec::new(), &mut out);
    out
}

/// Whether `path` is `prefix` or lies below it.
pub(crate) fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::{parse, paths};

    #[test]
    fn use_trees_are_written_out_and_tests_are_left_out() -> Result<(), String> {
        let text = "
            use std::{fs, io::{self, Read as _}};
            fn f() { let _ = ::tokio::net::lookup_host(1); }
            #[cfg(feature = \"test\")] use a::kept;
            #[cfg(not(test))] use b::kept;
            #[cfg(test)] use c::dropped;
            #[cfg(all(test, unix))] mod tests { use d::dropped; }
            #[tokio::test] async fn t() { e::dropped(); }
        ";
        let all: Vec<String> = paths(&parse("x.rs", text)?).into_iter().map(|(path, _)| path).collect();
        for expected in
            ["std::fs", "std::io", "std::io::Read", "tokio::net::lookup_host", "a::kept", "b::kept"]
        {
            assert!(all.iter().any(|path| path == expected), "{expected} in {all:?}");
        }
        assert!(!all.iter().any(|path| path.contains("dropped")), "{all:?}");
        Ok(())
    }
}
