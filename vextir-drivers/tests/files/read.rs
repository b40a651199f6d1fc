//! Files are read within what is granted, and nowhere else.

use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use vextir::{Event, MemoryBus, Processor, Result};
use vextir_drivers::files::{FileContent, FileItems, FileList, FileRead, FileReader};

async fn app(reader: FileReader) -> Processor {
    Processor::builder(MemoryBus::new()).driver(reader).start().await.unwrap()
}

async fn read(folder: &Path, path: &str) -> Result<FileContent> {
    let ask = FileRead { path: path.into(), ..FileRead::default() };
    app(FileReader::new().grant(folder)).await.as_user("ann").request(ask).await
}

#[tokio::test]
async fn a_file_is_read_in_parts_and_is_untrusted() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{e9}".repeat(100);
    fs::write(folder.path().join("a.txt"), &text).unwrap();
    let app = app(FileReader::new().grant(folder.path())).await;
    let mut contents = app.subscribe("files.content").await.unwrap();
    let (mut offset, mut said) = (Some(0), String::new());
    while let Some(from) = offset {
        // Each part would end within a character.
        let ask = json!({"path": "a.txt", "offset": from, "max_bytes": 33});
        app.emit(Event::new("files.read").with_data(ask)).await.unwrap();
        let event = contents.next().await.unwrap().unwrap();
        assert!(event.labels.iter().any(|label| *label == "untrusted"));
        let part: FileContent = event.decode().unwrap();
        assert_eq!((part.size, part.offset, part.binary), (200, from, false));
        said.push_str(&part.text);
        offset = part.next_offset;
    }
    assert_eq!(said, text);
    let whole = folder.path().join("a.txt");
    assert_eq!(read(folder.path(), whole.to_str().unwrap()).await.unwrap().text, text);
    fs::write(folder.path().join("b"), b"\x89PNG\0\x01").unwrap();
    let binary = read(folder.path(), "b").await.unwrap();
    assert!(binary.binary && binary.text.is_empty());
    fs::write(folder.path().join("c"), vec![b'x'; 2 << 20]).unwrap();
    let large = json!({"path": "c", "max_bytes": u64::MAX});
    let large: FileContent =
        app.as_user("ann").request(Event::new("files.read").with_data(large)).await.unwrap();
    assert_eq!((large.text.len(), large.next_offset), (512 << 10, Some(512 << 10)));
    let beyond = json!({"path": "c", "offset": u64::from(u32::MAX)});
    let beyond: FileContent =
        app.as_user("ann").request(Event::new("files.read").with_data(beyond)).await.unwrap();
    assert_eq!((beyond.text.as_str(), beyond.next_offset), ("", None));
}

#[tokio::test]
async fn nothing_outside_is_read() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s3cr3t").unwrap();
    let world = tempfile::tempdir().unwrap();
    let folder = world.path().join("granted");
    fs::create_dir_all(folder.join("below")).unwrap();
    fs::write(world.path().join("beside"), "s3cr3t").unwrap();
    fs::create_dir(world.path().join("granted-too")).unwrap();
    fs::write(world.path().join("granted-too/x"), "s3cr3t").unwrap();
    symlink(outside.path().join("secret"), folder.join("link")).unwrap();
    symlink(outside.path(), folder.join("below/out")).unwrap();
    symlink("/dev/zero", folder.join("zero")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    let alike = world.path().join("granted-too/x");
    for path in [
        "link",
        "below/out/secret",
        "../beside",
        "below/../../beside",
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
        "zero",
        "loop",
        "",
        ".",
        "below",
        "gone",
        "a\0b",
        alike.to_str().unwrap(),
        "/no/such/file",
        "\\x2e\\x2e/beside",
    ] {
        let error = read(&folder, path).await.unwrap_err().to_string();
        assert!(!error.contains("s3cr3t"), "{path}: {error}");
    }
    let there = read(&folder, "/etc/passwd").await.unwrap_err().to_string();
    let gone = read(&folder, "/etc/no-such-file").await.unwrap_err().to_string();
    assert_eq!(there.replace("passwd", ""), gone.replace("no-such-file", ""), "what is outside is not told");
    let none = app(FileReader::new()).await.as_user("ann").request::<FileContent>(FileRead::default()).await;
    assert!(none.is_err());
    // A link that stays inside is no way out.
    fs::write(folder.join("below/file"), "fine").unwrap();
    symlink("below/file", folder.join("inner")).unwrap();
    assert_eq!(read(&folder, "inner").await.unwrap().text, "fine");
}

#[tokio::test]
async fn a_pipe_holds_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let error = read(folder.path(), "pipe").await.unwrap_err().to_string();
    assert!(error.contains("is no file"), "{error}");
}

/// Whatever a link shows to at which moment, what is read is inside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_turns_leads_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "s3cr3t").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    fs::write(folder.path().join("real/file"), "fine").unwrap();
    let (turning, away) = (folder.path().join("dir"), folder.path().join("dir2"));
    let out = outside.path().to_owned();
    fs::rename(folder.path().join("real"), &turning).unwrap();
    let turner = std::thread::spawn(move || {
        for _ in 0..3_000 {
            fs::rename(&turning, &away).unwrap();
            symlink(&out, &turning).unwrap();
            fs::remove_file(&turning).unwrap();
            fs::rename(&away, &turning).unwrap();
        }
    });
    let app = app(FileReader::new().grant(folder.path())).await;
    let ann = app.as_user("ann");
    while !turner.is_finished() {
        let ask = FileRead { path: "dir/file".into(), ..FileRead::default() };
        if let Ok(content) = ann.request::<FileContent>(ask).await {
            assert_eq!(content.text, "fine");
        }
    }
    turner.join().unwrap();
}

#[tokio::test]
async fn a_folder_is_listed_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b", "a", "c"] {
        fs::write(folder.path().join(name), "text").unwrap();
    }
    fs::create_dir(folder.path().join("d")).unwrap();
    symlink("/etc", folder.path().join("e")).unwrap();
    let app = app(FileReader::new().grant(folder.path())).await;
    let list = async |ask: FileList| app.as_user("ann").request::<FileItems>(ask).await;
    let all = list(FileList::default()).await.unwrap();
    let kinds: Vec<_> = all.items.iter().map(|item| format!("{} {}", item.name, item.kind)).collect();
    assert_eq!(kinds, ["a file", "b file", "c file", "d folder", "e link"]);
    assert_eq!((all.items[0].size, all.more), (Some(4), false));
    let some = list(FileList { after: "a".into(), limit: Some(2), ..FileList::default() }).await.unwrap();
    assert_eq!((some.items.len(), some.items[0].name.as_str(), some.more), (2, "b", true));
    for path in ["e", "..", "/etc", "a", "gone"] {
        assert!(list(FileList { path: path.into(), ..FileList::default() }).await.is_err(), "{path}");
    }
}
