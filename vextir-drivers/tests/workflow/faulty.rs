//! Each faulty file beside what is said of it. `BLESS=1` writes that anew.

use std::fs;
use std::path::{Path, PathBuf};
use vextir_drivers::workflow::Instruction;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workflow").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect();
    files.sort();
    files
}

#[test]
fn each_faulty_file_gets_its_message() {
    let files = files("faulty");
    assert!(files.len() >= 60, "{} files", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let said = match Instruction::from_yaml(name, &text) {
            Ok(_) => "nothing is wrong with it\n".to_owned(),
            Err(faults) => format!("{faults}\n"),
        };
        let expected = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &said).unwrap();
        }
        if said == "nothing is wrong with it\n" || fs::read_to_string(&expected).unwrap_or_default() != said {
            wrong.push(format!("{name}:\n{said}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} files differ; look at them, then run with BLESS=1\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
