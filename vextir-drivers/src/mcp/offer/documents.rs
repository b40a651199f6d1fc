//! Documents of the user as resources, to be read.

use std::collections::VecDeque;
use vextir::context::ItemKind;
use vextir::{Error, ErrorKind, Result, Tenant};

/// The most documents that are listed.
const MOST: usize = 1_000;
/// The most folders that are looked into for them.
const MOST_FOLDERS: usize = 200;
/// What stands before a path.
const SCHEME: &str = "vextir://";

/// The documents in one folder.
#[derive(Debug)]
pub(in crate::mcp) struct Documents {
    folder: String,
}

impl Documents {
    pub(super) fn new(folder: String) -> Self {
        Self { folder: format!("/{}", folder.trim_matches('/')) }
    }

    /// Address and path of each document that the user may see, the first thousand.
    pub(in crate::mcp) async fn list(&self, user: &Tenant) -> Result<Vec<(String, String)>> {
        let (context, mut found) = (user.context(), Vec::new());
        let mut folders = VecDeque::from([self.folder.clone()]);
        for _ in 0..MOST_FOLDERS {
            let Some(folder) = folders.pop_front() else { break };
            for item in context.list_page(&folder, "", MOST - found.len()).await? {
                match item.kind {
                    ItemKind::Folder => folders.push_back(item.path),
                    ItemKind::Document => found.push((address(&item.path), item.path)),
                }
            }
            if found.len() >= MOST {
                break;
            }
        }
        Ok(found)
    }

    /// The text of one.
    pub(in crate::mcp) async fn read(&self, user: &Tenant, address: &str) -> Result<String> {
        let missing = || Error::new(ErrorKind::NotFound, "there is no such document");
        let path = path(address).ok_or_else(missing)?;
        let inside =
            self.folder == "/" || path.strip_prefix(&self.folder).is_some_and(|rest| rest.starts_with('/'));
        // A path that climbs is none; what cannot be seen is not told from what is not there.
        if !inside || path.split('/').any(|part| part == ".." || part == ".") {
            return Err(missing());
        }
        match user.context().read(&path).await {
            Ok(Some(document)) => Ok(document.content.to_text().into_owned()),
            Ok(None) => Err(missing()),
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound) => Err(missing()),
            Err(error) => Err(error),
        }
    }
}

fn address(path: &str) -> String {
    let mut address = SCHEME.to_owned();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                address.push(byte.into())
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

fn path(address: &str) -> Option<String> {
    let mut rest = address.strip_prefix(SCHEME)?.bytes();
    let mut path = Vec::new();
    while let Some(byte) = rest.next() {
        path.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(path).ok()
}

#[cfg(test)]
mod tests {
    use super::{address, path};

    #[test]
    fn a_path_survives_its_address() {
        for text in ["/Notes/a b", "/Ä/100%.md", "/x?y#z"] {
            assert_eq!(path(&address(text)).as_deref(), Some(text));
        }
        assert_eq!(address("/a b"), "vextir:///a%20b");
        for bad in ["http:///a", "vextir:///%4", "vextir:///%zz", "vextir:///%ff"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
