//! The language, with what is left out of it and what bounds it.

use super::effects::{Called, Effects};
use super::fault::Fault;
use rhai::packages::{Package, StandardPackage};
use rhai::{
    AST, Array, Dynamic, Engine, EvalAltResult, FnPtr, ImmutableString, Module, NativeCallContext, Position,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most bytes of code.
pub(super) const LONGEST_CODE: usize = 64 << 10;

/// The most bytes in the variables of one call.
const LARGEST_CALL: usize = 8 << 20;
/// Deeper than this is not looked.
const DEEPEST: usize = 4_096;
/// How many variables are looked up between two measurements.
const MEASURED: u64 = 64;

/// What a run may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) operations: u64,
    calls: usize,
    variables: usize,
    text: usize,
    elements: usize,
}

impl Bounds {
    /// Of a run where the event is handled: it ends at once, and fits on any stack.
    pub(super) const QUICK: Self =
        Self { operations: 1_000, calls: 6, variables: 32, text: 16 << 10, elements: 256 };
    /// Of a run on its own thread.
    pub(super) const WHOLE: Self =
        Self { operations: 500_000, calls: 16, variables: 32, text: 128 << 10, elements: 2_048 };
}

/// What the code may call, made once.
#[derive(Clone)]
pub(super) struct Sandbox {
    standard: Arc<Module>,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        Self { standard: StandardPackage::new().as_shared_module() }
    }

    fn engine(&self, bounds: &Bounds) -> Engine {
        let mut engine = Engine::new_raw();
        engine.register_global_module(self.standard.clone());
        for symbol in ["eval", "import", "export", "curry", "print", "debug", "sleep"] {
            engine.disable_symbol(symbol);
        }
        // What a closure or a function holds is counted by no limit.
        engine.set_allow_anonymous_fn(false);
        engine.set_max_operations(bounds.operations);
        engine.set_max_call_levels(bounds.calls);
        engine.set_max_variables(bounds.variables);
        engine.set_max_functions(128);
        engine.set_max_modules(0);
        engine.set_max_expr_depths(48, 24);
        engine.set_max_string_size(bounds.text);
        engine.set_max_array_size(bounds.elements);
        engine.set_max_map_size(bounds.elements);
        // Names are not kept beyond the run.
        engine.set_max_strings_interned(0);
        mend(&mut engine);
        engine
    }

    /// Reads the code.
    pub(super) fn compile(&self, code: &str) -> Result<AST, Fault> {
        if code.len() > LONGEST_CODE {
            let given = code.len();
            return Err(Fault::new(format!("the code has {given} bytes; at most {LONGEST_CODE}")));
        }
        self.engine(&Bounds::WHOLE).compile(code).map_err(|error| Fault::parse(&error))
    }

    /// An engine whose functions note what they are asked for. `stops` is asked with each operation.
    pub(super) fn for_run(
        &self,
        bounds: &Bounds,
        effects: &Arc<Mutex<Effects>>,
        stops: impl Fn(u64) -> bool + Send + Sync + 'static,
    ) -> Engine {
        let mut engine = self.engine(bounds);
        engine.on_progress(move |operations| stops(operations).then_some(Dynamic::UNIT));
        measure(&mut engine);
        let to = effects.clone();
        engine.register_fn("emit", move |event_type: ImmutableString, data: Dynamic| -> Called<()> {
            lock(&to).emit(&event_type, &data)
        });
        let to = effects.clone();
        engine.register_fn("emit", move |event_type: ImmutableString| -> Called<()> {
            lock(&to).emit(&event_type, &Dynamic::UNIT)
        });
        let to = effects.clone();
        engine.register_fn("write", move |path: ImmutableString, value: Dynamic| -> Called<()> {
            lock(&to).write(&path, &value)
        });
        let to = effects.clone();
        engine.register_fn("read", move |path: ImmutableString| -> Called<Dynamic> { lock(&to).read(&path) });
        let to = effects.clone();
        engine.register_fn("log", move |text: ImmutableString| lock(&to).log(&text));
        engine
    }
}

pub(super) fn lock(effects: &Mutex<Effects>) -> MutexGuard<'_, Effects> {
    effects.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts bounded functions in the place of those that look at the limits only when all is made, and of those that wait.
fn mend(engine: &mut Engine) {
    engine.register_fn("sleep", |_: i64| -> Called<()> { Err("a handler does not sleep".into()) });
    engine.register_fn("sleep", |_: f64| -> Called<()> { Err("a handler does not sleep".into()) });
    engine.register_fn("map", map);
    engine.register_fn("replace", replace);
    engine.register_fn(
        "replace",
        |cx: NativeCallContext, text: &mut ImmutableString, from: char, to: &str| {
            replace(cx, text, from.encode_utf8(&mut [0; 4]), to)
        },
    );
}

/// The results of a function, counted one by one.
fn map(cx: NativeCallContext, items: &mut Array, function: FnPtr) -> Called<Array> {
    let mut made = Array::with_capacity(items.len());
    let mut bytes = 0;
    for item in items.iter() {
        let one: Dynamic = function.call_within_context(&cx, (item.clone(),))?;
        bytes += size(&one, 0);
        if bytes > cx.engine().max_string_size().saturating_mul(2) {
            return Err(too_large("Size of array"));
        }
        made.push(one);
    }
    Ok(made)
}

/// What is put into a place of a list or a map is counted by no limit: so all variables of a call are measured now and then.
#[allow(
    deprecated,
    reason = "it is marked so because it may change, and is the one way to see the variables"
)]
fn measure(engine: &mut Engine) {
    let looks = AtomicU64::new(0);
    engine.on_var(move |_, _, cx| {
        if looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(MEASURED) {
            let variables = cx.scope().iter_raw().map(|(_, _, value)| value).chain(cx.this_ptr());
            if variables.map(|value| size(value, 0)).sum::<usize>() > LARGEST_CALL {
                return Err(too_large("Size of all variables"));
            }
        }
        Ok(None)
    });
}

/// About how much a value holds.
fn size(value: &Dynamic, depth: usize) -> usize {
    let own = size_of::<Dynamic>();
    if depth > DEEPEST {
        return own;
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return own + text.len();
    }
    if let Ok(items) = value.as_array_ref() {
        return own + items.iter().map(|item| size(item, depth + 1)).sum::<usize>();
    }
    if let Ok(members) = value.as_map_ref() {
        return own + members.iter().map(|(name, item)| name.len() + size(item, depth + 1)).sum::<usize>();
    }
    if let Ok(bytes) = value.as_blob_ref() {
        return own + bytes.len();
    }
    own
}

#[allow(clippy::needless_pass_by_value, reason = "the language passes it so")]
fn replace(cx: NativeCallContext, text: &mut ImmutableString, from: &str, to: &str) -> Called<()> {
    let found = text.matches(from).count();
    let grown = text.len().saturating_add(found.saturating_mul(to.len().saturating_sub(from.len())));
    if grown > cx.engine().max_string_size() {
        return Err(too_large("Length of string"));
    }
    *text = text.replace(from, to).into();
    Ok(())
}

fn too_large(what: &str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorDataTooLarge(what.to_owned(), Position::NONE).into()
}
