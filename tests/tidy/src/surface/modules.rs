//! The modules of one crate, and what a path in them names.

use std::collections::{BTreeMap, BTreeSet};

use syn::{Item, ItemMod, Type, Visibility};

use crate::Tree;
use crate::manifests::Manifest;
use crate::source::{self, Leaf};

/// How many names a path is followed through: real code needs three or four.
const LONGEST_CHAIN: usize = 16;

/// One crate of ours.
pub(super) struct Crate {
    /// Foreign crates: the name in the code, and the name under which they are published.
    foreign: BTreeMap<String, String>,
    /// All modules; the first is the root.
    pub(super) modules: Vec<Module>,
    /// The simple names of all public types and traits.
    pub(super) public_names: BTreeSet<String>,
}

/// One module.
pub(super) struct Module {
    pub(super) file: String,
    /// Its items but for the modules, which stand for themselves.
    pub(super) items: Vec<Item>,
    /// Whether it or one around it is `#[doc(hidden)]`.
    pub(super) hidden: bool,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    uses: Vec<Leaf>,
    names: BTreeSet<String>,
}

/// What a path names.
pub(super) enum Meaning<'a> {
    /// Something of a foreign crate, given by its published name.
    Foreign(&'a str),
    /// A private alias in a module; it stands for its type.
    Alias(usize, &'a Type),
    /// Something of this crate.
    Local,
    /// A generic parameter, a primitive, the standard library, a sibling.
    Other,
}

impl Crate {
    /// Reads a package's modules, from `src/lib.rs` on.
    pub(super) fn read(tree: &Tree, package: &Manifest) -> Result<Self, String> {
        let foreign = package.dependencies("dependencies");
        let foreign = foreign.iter().filter(|dependency| !dependency.is_sibling());
        let foreign = foreign.map(|each| (each.key.replace('-', "_"), each.package.to_owned())).collect();
        let mut krate = Self { foreign, modules: Vec::new(), public_names: BTreeSet::new() };
        let (file, folder) = (package.within("src/lib.rs"), package.within("src/"));
        let items = source::parse(&file, tree.text(&file).unwrap_or_default())?.items;
        krate.add(tree, &folder, Module::new(file, items, false, None))?;
        Ok(krate)
    }

    /// Adds a module and those inside it, whose files are in `folder`.
    fn add(&mut self, tree: &Tree, folder: &str, mut module: Module) -> Result<usize, String> {
        let index = self.modules.len();
        let (file, hidden) = (module.file.clone(), module.hidden);
        let (inner, items) =
            std::mem::take(&mut module.items).into_iter().partition(|item| matches!(item, Item::Mod(_)));
        module.items = items;
        self.public_names.extend(module.items.iter().filter(|item| is_public_type(item)).filter_map(name_of));
        self.modules.push(module);
        for inner in Vec::into_iter(inner).filter_map(as_module) {
            let name = inner.ident.to_string();
            let hidden = hidden || inner.attrs.iter().any(is_hidden);
            let (file, items) = match inner.content {
                Some((_, items)) => (file.clone(), items),
                None => read(tree, format!("{folder}{name}.rs"))?,
            };
            let child = Module::new(file, items, hidden, Some(index));
            let child = self.add(tree, &format!("{folder}{name}/"), child)?;
            self.modules[index].children.insert(name, child);
        }
        Ok(index)
    }

    /// What `path`, written in a module, names. `absolute` is the leading `::`.
    pub(super) fn meaning(&self, module: usize, path: &[String], absolute: bool) -> Meaning<'_> {
        if absolute { self.foreign(path) } else { self.follow(module, path, LONGEST_CHAIN) }
    }

    fn foreign(&self, path: &[String]) -> Meaning<'_> {
        let published = path.first().and_then(|first| self.foreign.get(first));
        published.map_or(Meaning::Other, |name| Meaning::Foreign(name))
    }

    fn follow(&self, module: usize, path: &[String], left: usize) -> Meaning<'_> {
        let Some((first, rest)) = path.split_first() else { return Meaning::Local };
        let Some(left) = left.checked_sub(1) else { return Meaning::Other };
        let here = &self.modules[module];
        match first.as_str() {
            "crate" => return self.follow(0, rest, left),
            "self" => return self.follow(module, rest, left),
            "super" => return self.follow(here.parent.unwrap_or(0), rest, left),
            _ => {}
        }
        if let Some(child) = here.children.get(first) {
            return self.follow(*child, rest, left);
        }
        if here.names.contains(first) {
            return here.alias(first).map_or(Meaning::Local, |alias| Meaning::Alias(module, alias));
        }
        let imported = here.uses.iter().find(|leaf| leaf.name.as_ref() == Some(first));
        if let Some(leaf) = imported {
            let full: Vec<String> = leaf.path.iter().chain(rest).cloned().collect();
            // `use serde;` and `use tracing::tracing;` begin at the crate, not at themselves.
            return if leaf.path.first() == Some(first) {
                self.foreign(&full)
            } else {
                self.follow(module, &full, left)
            };
        }
        if self.foreign.contains_key(first) {
            return self.foreign(path);
        }
        self.through_globs(module, path, left)
    }

    /// `use super::*` and the like.
    fn through_globs(&self, module: usize, path: &[String], left: usize) -> Meaning<'_> {
        for leaf in self.modules[module].uses.iter().filter(|leaf| leaf.name.is_none()) {
            let Some(target) = self.module_at(module, &leaf.path) else { continue };
            match self.follow(target, path, left) {
                Meaning::Other => {}
                meaning => return meaning,
            }
        }
        Meaning::Other
    }

    fn module_at(&self, from: usize, path: &[String]) -> Option<usize> {
        path.iter().try_fold(from, |at, name| match name.as_str() {
            "crate" => Some(0),
            "self" => Some(at),
            "super" => self.modules[at].parent,
            name => self.modules[at].children.get(name).copied(),
        })
    }
}

impl Module {
    fn new(file: String, items: Vec<Item>, hidden: bool, parent: Option<usize>) -> Self {
        let names = items.iter().filter_map(name_of).collect();
        let imports =
            items.iter().filter_map(|item| if let Item::Use(item) = item { Some(item) } else { None });
        let uses = imports.flat_map(|item| source::leaves(&item.tree)).collect();
        Self { file, items, hidden, parent, children: BTreeMap::new(), uses, names }
    }

    /// The type of a private alias: a public one has its own check.
    fn alias(&self, name: &str) -> Option<&Type> {
        self.items.iter().find_map(|item| match item {
            Item::Type(alias) if alias.ident == name && !is_public(&alias.vis) => Some(&*alias.ty),
            _ => None,
        })
    }
}

fn read(tree: &Tree, file: String) -> Result<(String, Vec<Item>), String> {
    let text = tree.text(&file).ok_or_else(|| format!("{file}: no such file"))?;
    let items = source::parse(&file, text)?.items;
    Ok((file, items))
}

fn as_module(item: Item) -> Option<ItemMod> {
    if let Item::Mod(module) = item { Some(module) } else { None }
}

/// Whether a visibility is `pub` without restriction.
pub(super) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Whether an attribute is `#[doc(hidden)]`.
pub(super) fn is_hidden(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    attribute.path().is_ident("doc") && list.tokens.to_string() == "hidden"
}

fn is_public_type(item: &Item) -> bool {
    match item {
        Item::Struct(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Union(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        _ => false,
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
