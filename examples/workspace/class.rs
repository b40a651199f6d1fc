//! What sort of file it is: by its name, else by how its content begins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A class of files, and the folder that they go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Class {
    Documents,
    Images,
    Code,
    Archives,
    Data,
    Audio,
    Video,
    Other,
}

impl Class {
    pub(crate) const ALL: [Self; 8] = [
        Self::Documents,
        Self::Images,
        Self::Code,
        Self::Archives,
        Self::Data,
        Self::Audio,
        Self::Video,
        Self::Other,
    ];

    /// Its name, which is also that of its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Documents => "Documents",
            Self::Images => "Images",
            Self::Code => "Code",
            Self::Archives => "Archives",
            Self::Data => "Data",
            Self::Audio => "Audio",
            Self::Video => "Video",
            Self::Other => "Other",
        }
    }
}

/// Classes by extension, where the media type says too little or the wrong thing.
const EXTENSIONS: [(Class, &[&str]); 6] = [
    (
        Class::Documents,
        &[
            "txt", "text", "md", "markdown", "rst", "org", "adoc", "tex", "pdf", "doc", "docx", "odt", "rtf",
            "pages", "epub", "mobi", "xls", "xlsx", "ods", "numbers", "ppt", "pptx", "odp", "key", "htm",
            "html", "xhtml", "eml", "djvu", "ps",
        ],
    ),
    (
        Class::Images,
        &["psd", "ai", "xcf", "cr2", "cr3", "nef", "arw", "dng", "raf", "heic", "heif", "sketch"],
    ),
    (
        Class::Code,
        &[
            "rs", "py", "js", "mjs", "jsx", "ts", "tsx", "java", "kt", "scala", "c", "h", "cc", "cpp", "hpp",
            "cs", "go", "rb", "php", "swift", "m", "sh", "bash", "zsh", "fish", "ps1", "bat", "pl", "lua",
            "r", "jl", "hs", "ml", "ex", "exs", "erl", "clj", "sql", "css", "scss", "less", "vue", "svelte",
            "dart", "nim", "zig", "asm", "ipynb", "wasm",
        ],
    ),
    (
        Class::Archives,
        &[
            "zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar", "jar", "iso", "dmg", "deb", "rpm",
            "apk", "cab",
        ],
    ),
    (
        Class::Data,
        &[
            "csv", "tsv", "json", "jsonl", "ndjson", "xml", "yaml", "yml", "toml", "ini", "cfg", "conf",
            "log", "sqlite", "sqlite3", "db", "parquet", "avro", "npy", "npz", "mat", "h5", "hdf5",
            "geojson", "gpx", "kml", "ics", "vcf", "dat",
        ],
    ),
    (Class::Other, &["exe", "msi", "dll", "so", "ttf", "otf", "woff", "woff2"]),
];

/// How well-known formats begin.
const BEGINNINGS: [(&[u8], Class); 16] = [
    (b"%PDF-", Class::Documents),
    (b"{\\rtf", Class::Documents),
    (b"\x89PNG", Class::Images),
    (b"\xff\xd8\xff", Class::Images),
    (b"GIF8", Class::Images),
    (b"PK\x03\x04", Class::Archives),
    (b"\x1f\x8b", Class::Archives),
    (b"BZh", Class::Archives),
    (b"\xfd7zXZ\0", Class::Archives),
    (b"7z\xbc\xaf", Class::Archives),
    (b"SQLite format 3\0", Class::Data),
    (b"ID3", Class::Audio),
    (b"OggS", Class::Audio),
    (b"fLaC", Class::Audio),
    (b"\x1aE\xdf\xa3", Class::Video),
    (b"#!", Class::Code),
];

/// The lower-case extension of a path.
pub(crate) fn extension(path: &str) -> Option<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty() && !extension.is_empty()).then(|| extension.to_lowercase())
}

/// Whether a new name says something else of what is in a file.
pub(crate) fn has_new_extension(from: &str, to: &str) -> bool {
    extension(from) != extension(to)
}

/// The class, from all that is known.
pub(crate) fn classify(path: &str, media_type: &str, head: &[u8]) -> Class {
    by_name(path, media_type).unwrap_or_else(|| by_content(head))
}

/// The class by extension and media type alone, if they say.
pub(crate) fn by_name(path: &str, media_type: &str) -> Option<Class> {
    let extension = extension(path)?;
    let listed = EXTENSIONS.iter().find(|(_, known)| known.contains(&extension.as_str()));
    let family = media_type.split('/').next().unwrap_or_default();
    listed.map(|(class, _)| *class).or(match family {
        "image" => Some(Class::Images),
        "audio" => Some(Class::Audio),
        "video" => Some(Class::Video),
        "text" => Some(Class::Documents),
        _ => None,
    })
}

fn by_content(head: &[u8]) -> Class {
    if let Some((_, class)) = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)) {
        return *class;
    }
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Class::Images,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Class::Audio,
        [_, _, _, _, b'f', b't', b'y', b'p', b'M', b'4', b'A', ..] => Class::Audio,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Class::Video,
        _ => by_text(head),
    }
}

fn by_text(head: &[u8]) -> Class {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut in two.
        Err(error) if error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Class::Other,
    };
    let text = valid.trim_start_matches('\u{feff}').trim_start();
    let is_odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c');
    if text.is_empty() || text.contains(is_odd) {
        return Class::Other;
    }
    let is_json = text.starts_with(['{', '[']) && text.contains(['"', ']']);
    if is_json || text.starts_with("<?xml") { Class::Data } else { Class::Documents }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_first() {
        for (path, media_type, class) in [
            ("a/b.MD", "text/markdown", Class::Documents),
            ("photo.JPG", "image/jpeg", Class::Images),
            ("icon.svg", "image/svg+xml", Class::Images),
            ("main.rs", "text/x-rust", Class::Code),
            ("app.ts", "text/x-typescript", Class::Code),
            ("backup.tar.gz", "application/gzip", Class::Archives),
            ("table.csv", "text/csv", Class::Data),
            ("song.mp3", "audio/mpeg", Class::Audio),
            ("film.mkv", "video/x-matroska", Class::Video),
            ("letter.vcard", "text/vcard", Class::Documents),
        ] {
            assert_eq!(by_name(path, media_type), Some(class), "{path}");
        }
        assert_eq!(by_name("no extension", "application/octet-stream"), None);
        assert_eq!(by_name(".profile", "application/octet-stream"), None);
    }

    #[test]
    fn content_decides_where_names_say_nothing() {
        for (head, class) in [
            (&b"%PDF-1.7"[..], Class::Documents),
            (b"\x89PNG\r\n", Class::Images),
            (b"RIFF\0\0\0\0WEBPVP8 ", Class::Images),
            (b"RIFF\0\0\0\0WAVEfmt ", Class::Audio),
            (b"\0\0\0\x20ftypisom", Class::Video),
            (b"#!/bin/sh\n", Class::Code),
            (b"{\"a\": 1}", Class::Data),
            (b"Dear Ada,\n", Class::Documents),
            (b"caf\xc3", Class::Documents),
            (b"\x7fELF\x02\x01\x01\0", Class::Other),
            (b"\xfe\xff\xff\xff\xff\xff", Class::Other),
            (b"", Class::Other),
        ] {
            assert_eq!(classify("file", "application/octet-stream", head), class, "{head:?}");
        }
    }
}
