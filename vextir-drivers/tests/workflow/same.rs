//! What an instruction says makes its hash, not how it is written.

use vextir_drivers::workflow::Instruction;

fn hash(text: &str) -> String {
    let hash = Instruction::from_yaml("a.yaml", text).unwrap().hash;
    assert!(hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()), "{hash}");
    hash
}

const PLAIN: &str = "
id: a
name: A
plan:
  - id: x
    timeout: 90s
    emit: {type: a.b, data: {one: 1, two: [true, null, \"2\"]}}
  - id: y
    depends_on: [x, z]
    emit: {type: a.c}
  - id: z
    emit: {type: a.d}
";

#[test]
fn the_way_it_is_written_does_not_matter() {
    let otherwise = r#"
# A comment.
type: instruction
plan:
- {id: z, action: emit_event, event: {type: a.d, data: {}}}
- emit_event:
    data: {two: [true, ~, '2'], "one": 0x1}
    type: a.b
  id: x
  timeout: 1m 30s
- {emit: {type: a.c}, depends_on: [z, x, z], id: y, on_error: fail}
name: "A"
id: a
"#;
    assert_eq!(hash(PLAIN), hash(otherwise));
    let wrapped = format!("instruction:\n{}", PLAIN.replace('\n', "\n  "));
    assert_eq!(hash(PLAIN), hash(&wrapped));
    assert_eq!(hash(PLAIN), hash(&PLAIN.replace('\n', "\r\n")));
    assert_eq!(hash(PLAIN), hash(&format!("\u{feff}{PLAIN}")));
    let anchors = PLAIN.replace("[x, z]", "[&x x, z]").replace("id: x", "id: &i x");
    assert_eq!(hash(PLAIN), hash(&anchors));
}

#[test]
fn what_it_says_matters() {
    let changes = [
        ("one: 1", "one: 2"),
        ("one: 1", "one: 1.0"),
        ("\"2\"", "2"),
        ("[x, z]", "[x]"),
        ("90s", "91s"),
        ("a.d", "a.e"),
        ("name: A", "name: B"),
        ("name: A", "name: A\nversion: 2"),
        ("id: y\n", "id: y\n    condition: \"x.output > 1\"\n"),
        ("id: y\n", "id: y\n    retry: 2\n"),
        ("id: y\n", "id: y\n    on_error: continue\n"),
        ("name: A", "name: A\ninputs: [{name: a}]"),
        ("name: A", "name: A\ninputs: [{name: a, default: null}]"),
        ("name: A", "name: A\nlimits: {events: 5}"),
        ("name: A", "name: A\ntrigger: {event: a.b}"),
        ("name: A", "name: A\nflow: {concurrency: 2}"),
        ("name: A", "name: A\nflow: {concurrency: 3}"),
        ("name: A", "name: A\nflow: {concurrency: 3, key: trigger.type}"),
        ("name: A", "name: A\nflow: [{debounce: 5s}, {concurrency: 3}]"),
    ];
    let mut seen = vec![hash(PLAIN)];
    for (from, to) in changes {
        let changed = PLAIN.replacen(from, to, 1);
        assert_ne!(changed, PLAIN, "{from}");
        let hash = hash(&changed);
        assert!(!seen.contains(&hash), "{to}");
        seen.push(hash);
    }
}

#[test]
fn the_canonical_form_is_not_changed_by_accident() {
    // Runs are pinned to it, across versions of this crate.
    assert_eq!(
        hash("name: A\nplan: [emit: {type: a.b}]\n"),
        "f8859831240e0071bce9d001e7ae4b61b2be7da59b6ecf5bfc70963e65067c1e"
    );
}
