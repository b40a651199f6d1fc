//! Code that wants too much.

use crate::{done, failure, with};
use serde_json::json;
use vextir_core::Event;

/// It fails as a handler does, with what is said; the process and the processor go on.
async fn fails_with(code: &str, what: &str) {
    let error = failure(code).await;
    assert!(error.contains(what), "{code}: {error}");
    assert!(error.starts_with("handler \"one\": "), "{code}: {error}");
}

#[tokio::test]
async fn loops_end() {
    fails_with("let x = 0; loop { x += 1; }", "line 1, column ").await;
    fails_with("while true { }", "operations").await;
    fails_with("for x in 0..9000000000 { let y = x; }", "operations").await;
}

#[tokio::test]
async fn recursion_ends() {
    fails_with("fn f(x) { f(x + 1) } f(1);", "overflow").await;
    fails_with("fn f(x) { g(x) } fn g(x) { f(x) } f(1);", "overflow").await;
}

#[tokio::test]
async fn what_grows_without_end_is_stopped() {
    for code in [
        "let s = \"x\"; loop { s += s; }",
        "let s = \"x\"; loop { s = s + s; }",
        "let s = \"x\"; loop { s = `${s}${s}`; }",
        "let s = \"aaaaaaaa\"; loop { s.replace(\"a\", s); }",
        "let s = \"aaaaaaaa\"; loop { s.replace('a', s); }",
        "let s = \"\"; s.pad(1000000000, 'x');",
        "let a = [1]; loop { a += a; }",
        "let a = [1]; loop { a.append(a); }",
        "let a = []; loop { a.push(1); }",
        "let a = []; a.pad(1000000000, \"x\");",
        "let a = [1]; loop { a = [a, a]; }",
        "let a = []; loop { a = [a]; }",
        "let m = #{}; let n = 0; loop { m.fill_with(#{}); m[n.to_string()] = n; n += 1; }",
        "let m = #{}; loop { m = #{ a: m, b: m }; }",
        "let m = #{}; loop { m = #{ a: [[[[m]]]] }; }",
        "let b = blob(1000000000, 1);",
        "let b = blob(100); loop { b.append(b); }",
        "fn f(x) { let s = \"\"; s.pad(100000, 'x'); s } let a = []; a.pad(2000, 1); let b = a.map(Fn(\"f\"));",
    ] {
        fails_with(code, "too large").await;
    }
}

/// The limits of the language do not see what is put into a place.
#[tokio::test]
async fn what_is_put_into_places_is_measured() {
    for code in [
        "let s = \"\"; s.pad(100000, 'x'); let m = #{}; let n = 0; loop { m[n.to_string()] = s + n; n += 1; }",
        "let m = #{}; let n = 0; let s = \"\"; s.pad(1000, 'x'); loop { m[n.to_string()] = s + n; n += 1; }",
        "fn grow() { this.push(0); let n = 0; let s = \"\"; s.pad(100000, 'x'); loop { this[0] = [this[0], s + n]; } }
         let a = []; a.grow();",
        "let a = []; a.pad(2000, 1); for n in 0..2000 { a[n] = a; }",
        "let s = \"\"; s.pad(100000, 'x'); let a = []; a.pad(2000, 1); let b = []; b.pad(2000, 1);
         for n in 0..2000 { a[n] = s + n; b[n] = s + n; }",
    ] {
        fails_with(code, "too large").await;
    }
}

#[tokio::test]
async fn memory_is_bounded_over_all_calls_and_variables() {
    let code = "
        fn fill(depth) {
            let a = []; a.pad(2000, depth);
            let s = \"\"; s.pad(100000, 'x');
            let b = [s, a]; let c = [s, a]; let d = [s, a]; let e = [s, a];
            fill(depth + 1)
        }
        fill(0)";
    fails_with(code, "overflow").await;
    let many: String = (0..40).map(|number| format!("let v{number} = 1;")).collect();
    fails_with(&many, "variables").await;
}

#[tokio::test]
async fn what_is_left_out_is_not_there() {
    for (code, what) in [
        ("eval(\"1\")", "eval"),
        ("import \"x\" as y;", "import"),
        ("let f = |x| x + 1;", "line 1"),
        ("sleep(1)", "sleep"),
        ("print(1)", "print"),
        ("timestamp()", "timestamp"),
        ("let f = Fn(\"x\").curry(1);", "line 1"),
        ("let x = ", "line 1"),
    ] {
        let scripts = vextir_drivers::script::Scripts::new().with_handler("one", "go", code);
        let started = vextir_core::Processor::builder(vextir_core::MemoryBus::new()).driver(scripts);
        let error = match started.start().await {
            Err(error) => error.to_string(),
            Ok(_) => failure(code).await,
        };
        assert!(error.contains(what) && error.contains("line 1"), "{code}: {error}");
    }
    for code in ["Fn(\"eval\").call(\"1\");", "Fn(\"sleep\").call(100);", "Fn(\"curry\").call(1);"] {
        fails_with(code, "line 1").await;
    }
}

#[tokio::test]
async fn expressions_that_are_too_deep_or_too_long_are_refused() {
    let deep = format!("let x = {}1{};", "(".repeat(5_000), ")".repeat(5_000));
    let nested = format!("let x = {}{};", "[".repeat(5_000), "]".repeat(5_000));
    let sum = format!("let x = {}1;", "1+".repeat(5_000));
    let blocks = format!("{}{}", "if true {".repeat(3_000), "}".repeat(3_000));
    let long = "x".repeat(70_000);
    for code in [&deep, &nested, &sum, &blocks, &long] {
        let scripts = vextir_drivers::script::Scripts::new().with_handler("one", "go", code.as_str());
        let bus = vextir_core::MemoryBus::new();
        assert!(vextir_core::Processor::builder(bus).driver(scripts).start().await.is_err());
    }
}

#[tokio::test]
async fn floods_of_effects_are_refused() {
    fails_with("for n in 0..101 { emit(\"x\"); }", "at most 100 events").await;
    fails_with("for n in 0..101 { write(`/${n}`, n); }", "at most 100 documents").await;
    fails_with("let s = \"\"; s.pad(100000, 'x'); for n in 0..12 { emit(\"x\", s); }", "1 MiB").await;
    fails_with("for n in 0..65 { read(`/${n}`); }", "at most 64 documents").await;
    fails_with("emit(\"Not A Type\")", "line 1").await;
    fails_with("let a = []; for n in 0..70 { a = [a]; } emit(\"x\", a);", "nested").await;
    fails_with("emit(\"x\", blob(3))", "no JSON form").await;
    fails_with("emit(\"x\", 0.0 / 0.0)", "no JSON form").await;
}

#[tokio::test]
async fn a_bomb_takes_nobody_with_it() {
    let app = with("let a = []; loop { a = [a]; }").await;
    for _ in 0..8 {
        app.emit(Event::new("go")).await.unwrap();
    }
    app.idle().await;
    assert_eq!(app.bus().status().borrow().open, 0);
}

#[tokio::test]
async fn what_takes_long_and_fits_is_done() {
    let sum = done("let sum = 0; for n in 0..20000 { sum += n; } emit(\"done\", #{ sum: sum });").await;
    assert_eq!(sum, json!({"sum": 199_990_000}));
    let code = "
        fn double(x) { x * 2 }
        let list = []; for n in 0..1000 { list.push(n); }
        let doubled = list.map(Fn(\"double\"));
        let name = \"a-b-c\"; name.replace(\"-\", \"+\");
        emit(\"done\", #{ last: doubled[999], n: event.data.n, list: event.data.list, name: name });";
    let expected = json!({"last": 1998, "n": 3, "list": [1, 2.5, null, true, "x"], "name": "a+b+c"});
    assert_eq!(done(code).await, expected);
}
