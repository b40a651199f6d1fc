//! Function lengths.

use proc_macro2::Span;
use syn::visit::{self, Visit};
use syn::{Block, Signature};

use crate::{Tree, source};

/// From the line of `fn` to that of the closing brace. Clippy counts without comments; a reader does not.
const LONGEST: usize = 70;

/// Reports the functions that are too long, outside tests.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.sources() {
        match source::parse(path, text) {
            Ok(file) => Functions { path, found: &mut found }.visit_file(&file),
            Err(error) => found.push(error),
        }
    }
    found
}

struct Functions<'a> {
    path: &'a str,
    found: &'a mut Vec<String>,
}

impl Functions<'_> {
    fn measure(&mut self, signature: &Signature, block: &Block) {
        let line = |span: Span| span.start().line;
        let first = line(signature.fn_token.span);
        let lines = line(block.brace_token.span.close()) + 1 - first;
        if lines > LONGEST {
            let Self { path, found } = self;
            found.push(format!("{path}:{first}: `{}` has {lines} lines, at most {LONGEST}", signature.ident));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.measure(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::Tree;

    #[test]
    fn seventy_lines_pass_and_seventy_one_do_not() {
        let of = |lines: usize| format!("impl X {{\nfn long() {{{}}}\n}}", "\n".repeat(lines - 1));
        let test = format!("#[cfg(test)] mod tests {{ {} }}", of(200));
        for (text, findings) in [(of(70), 0), (of(71), 1), (test, 0)] {
            assert_eq!(check(&Tree::of(&[("src/lib.rs", &text)])).len(), findings);
        }
    }
}
