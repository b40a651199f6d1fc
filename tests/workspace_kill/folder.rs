//! Folders to work on: made at random, copied, and listed with all that counts.

use fastrand::Rng;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// What is in a folder: folders with their permissions, files with their content, links with their targets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listing(BTreeMap<PathBuf, String>);

impl Listing {
    pub(crate) fn paths(&self) -> Vec<&PathBuf> {
        self.0.keys().collect()
    }

    /// Fails with what differs, and only that.
    pub(crate) fn assert_is(&self, expected: &Self, what: &str) {
        let missing: Vec<_> = expected.0.iter().filter(|one| self.0.get(one.0) != Some(one.1)).collect();
        let extra: Vec<_> = self.0.iter().filter(|one| expected.0.get(one.0) != Some(one.1)).collect();
        assert!(self == expected, "{what}\nmissing: {missing:#?}\nthere instead: {extra:#?}");
    }

    /// The contents of all files, wherever they are.
    pub(crate) fn contents(&self) -> Vec<&String> {
        let mut contents: Vec<&String> = self.0.values().filter(|what| what.starts_with("file")).collect();
        contents.sort_unstable();
        contents
    }
}

/// Lists a folder.
pub(crate) fn list(root: &Path) -> Listing {
    let mut listing = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let found = fs::symlink_metadata(&path).unwrap();
            let what = if found.is_dir() {
                folders.push(path.clone());
                format!("folder {:o}", mode(&found))
            } else if found.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().display())
            } else {
                format!("file {:o} {:x}", mode(&found), Sha256::digest(fs::read(&path).unwrap()))
            };
            listing.insert(path.strip_prefix(root).unwrap().to_owned(), what);
        }
    }
    Listing(listing)
}

#[cfg(unix)]
fn mode(found: &fs::Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    found.permissions().mode() & 0o7777
}

#[cfg(not(unix))]
fn mode(_found: &fs::Metadata) -> u32 {
    0
}

/// Copies a folder, with permissions, times and links.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        let found = fs::symlink_metadata(&path).unwrap();
        if found.is_dir() {
            copy(&path, &target);
            fs::set_permissions(&target, found.permissions()).unwrap();
        } else if found.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(fs::read_link(&path).unwrap(), &target).unwrap();
        } else {
            fs::copy(&path, &target).unwrap();
            // A summary tells which files are the newest.
            let file = fs::File::options().write(true).open(&target).unwrap();
            file.set_modified(found.modified().unwrap()).unwrap();
        }
    }
}

/// Fills a folder with files of all classes: nested, doubled, with names that clash and names that are odd.
pub(crate) fn generate(root: &Path, random: &mut Rng) {
    const FOLDERS: [&str; 12] = [
        "",
        "in",
        "in/deep/er",
        "photos/2024",
        "Documents",
        "Documents/old",
        "Images",
        "Duplicates/in",
        "Data",
        "private",
        "my notes",
        ".hidden",
    ];
    const NAMES: [&str; 14] = [
        "a.txt",
        "b.md",
        "c.png",
        "d.rs",
        "e.zip",
        "f.json",
        "g.mp3",
        "h.mp4",
        "i",
        "a (2).txt",
        "j.pdf",
        "k.html",
        "l.tar.gz",
        "m.bin",
    ];
    for _ in 0..random.usize(40..120) {
        let folder = root.join(FOLDERS[random.usize(..FOLDERS.len())]);
        fs::create_dir_all(&folder).unwrap();
        let name = NAMES[random.usize(..NAMES.len())];
        let name = if random.u8(..3) == 0 { format!("{}{name}", random.u8(..9)) } else { name.to_owned() };
        // Few different contents, so that there are many duplicates; some are empty.
        let content = random.u8(..30);
        let text =
            if content == 0 { String::new() } else { format!("# Content {content}\n\ntext\n").repeat(50) };
        fs::write(folder.join(name), text).unwrap();
    }
    for folder in ["empty", "in/empty", "project/src"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("project/Cargo.toml"), "[package]\n").unwrap();
    fs::write(root.join("project/src/main.rs"), "fn main() {}\n").unwrap();
    odd(root);
}

/// What only some systems have.
#[cfg(unix)]
fn odd(root: &Path) {
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let name = OsString::from_vec(b"caf\xe9 \\ menu\n.txt".to_vec());
    fs::write(root.join(name), "not UTF-8").unwrap();
    fs::create_dir_all(root.join("private")).unwrap();
    fs::write(root.join("private/diary.txt"), "dear diary").unwrap();
    fs::set_permissions(root.join("private"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::create_dir_all(root.join("linked")).unwrap();
    symlink("../private/diary.txt", root.join("linked/diary")).unwrap();
    fs::write(root.join("linked/x.txt"), "beside a link").unwrap();
}

#[cfg(not(unix))]
fn odd(root: &Path) {
    let _ = (root, OsString::new());
}
