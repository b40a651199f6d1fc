//! What library code does not do.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::{Tree, source};

/// Types that make a `static` global state. (A lazily computed constant is none.)
const STATEFUL: [&str; 7] = ["Mutex", "RwLock", "OnceLock", "OnceCell", "RefCell", "Cell", "UnsafeCell"];
/// Macros that write where the application did not ask for it. A failure becomes an event or an error instead.
const PRINTING: [&str; 4] = ["print", "println", "eprint", "eprintln"];
/// What belongs to the application: the subscriber, the recorder, the panic hook, the runtime.
const OF_THE_APPLICATION: [&str; 8] = [
    "std::panic::set_hook",
    "std::panic::take_hook",
    "tracing::subscriber::set_global_default",
    "tracing_subscriber",
    "metrics::set_global_recorder",
    "tokio::runtime::Runtime",
    "tokio::runtime::Builder",
    "tokio::main",
];

/// rusqlite's table traits are `unsafe` to implement. This module may do that, and has no unsafe block either.
const TABLES_OF_OURS: &str = "vextir-context/src/sql/table.rs";

/// The simulated process of the testkit is a runtime that is made and dropped again: that is its death.
const SIMULATED_PROCESS: &str = "vextir-core/src/testkit/simulation/";

/// Checks the sources of the published packages.
pub fn check(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.library_sources() {
        match source::parse(path, text) {
            Ok(file) => {
                Code { path, found: &mut found }.visit_file(&file);
                found.extend(taken_from_the_application(path, &file));
            }
            Err(error) => found.push(error),
        }
    }
    found
}

fn taken_from_the_application(path: &str, file: &syn::File) -> Vec<String> {
    source::paths(file)
        .into_iter()
        .filter(|(used, _)| !(path.starts_with(SIMULATED_PROCESS) && used.starts_with("tokio::runtime::")))
        .filter(|(used, _)| OF_THE_APPLICATION.iter().any(|owned| source::below(used, owned)))
        .map(|(used, line)| format!("{path}:{line}: `{used}` belongs to the application, not to a library"))
        .collect()
}

struct Code<'a> {
    path: &'a str,
    found: &'a mut Vec<String>,
}

impl Code<'_> {
    fn report(&mut self, at: &impl Spanned, what: &str) {
        self.found.push(format!("{}:{}: {what}", self.path, at.span().start().line));
    }
}

impl<'ast> Visit<'ast> for Code<'_> {
    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.report(&block.unsafe_token, "an unsafe block");
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        if let Some(token) = block.unsafety.as_ref().filter(|_| self.path != TABLES_OF_OURS) {
            self.report(token, "an unsafe impl");
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if !matches!(signature.safety, syn::Safety::Default) {
            self.report(&signature.ident, "an unsafe function");
        }
        visit::visit_signature(self, signature);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        let mut types = Types(Vec::new());
        types.visit_type(&item.ty);
        let stateful = |name: &String| STATEFUL.contains(&name.as_str()) || name.starts_with("Atomic");
        let mutable = !matches!(item.mutability, syn::StaticMutability::None);
        if mutable || types.0.iter().any(stateful) {
            self.report(&item.ident, "global state: two processors live in one process");
        }
        visit::visit_item_static(self, item);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        if PRINTING.contains(&name.as_str()) {
            self.report(&call.path, "a library prints nothing");
        }
        if name == "thread_local" {
            self.report(&call.path, "global state: two processors live in one process");
        }
        visit::visit_macro(self, call);
    }
}

/// The names of all types inside one.
struct Types(Vec<String>);

impl<'ast> Visit<'ast> for Types {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        self.0.push(segment.ident.to_string());
        visit::visit_path_segment(self, segment);
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLES_OF_OURS, check};
    use crate::Tree;

    fn found(text: &str) -> Vec<String> {
        let manifest = "[workspace]\nmembers = [\".\"]\n[package]\nname = \"vextir\"";
        check(&Tree::of(&[("Cargo.toml", manifest), ("src/lib.rs", text)]))
    }

    #[test]
    fn each_thing_that_a_library_does_not_do_is_found() {
        let breaks = [
            "fn f() { unsafe { g() } }",
            "unsafe impl Send for X {}",
            "unsafe fn f() {}",
            "static COUNT: std::sync::atomic::AtomicU64 = new();",
            "static ALL: Arc<Mutex<u8>> = new();",
            "thread_local! { static X: u8 = 0; }",
            "fn f() { println!(\"x\") }",
            "fn f() { std::panic::set_hook(x) }",
            "use tokio::{runtime::Runtime, sync::Mutex};",
        ];
        for text in breaks {
            assert_eq!(found(text).len(), 1, "{text}");
        }
        let tables = |text| {
            let manifest = "[workspace]\nmembers = [\"vextir-context\"]";
            let package = "[package]\nname = \"vextir-context\"";
            let files =
                [("Cargo.toml", manifest), ("vextir-context/Cargo.toml", package), (TABLES_OF_OURS, text)];
            check(&Tree::of(&files))
        };
        assert_eq!(tables("unsafe impl VTab<'_> for Table {}"), Vec::<String>::new());
        assert_eq!(tables("fn f() { unsafe { g() } }").len(), 1);
        let allowed = [
            "static NAMES: LazyLock<Vec<u8>> = new();",
            "use tokio::runtime::Handle;",
            "#[cfg(test)] mod tests { fn f() { println!(\"x\") } }",
            "fn f() { x.print() }",
        ];
        for text in allowed {
            assert_eq!(found(text), Vec::<String>::new(), "{text}");
        }
    }
}
