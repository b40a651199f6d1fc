//! Where an agent's tools may look: the folders that `context.*` tools may name.

use crate::agent::spec::Scopes;
use serde_json::Value;
use vextir::context::{clean_path, is_within};

/// The arguments that name a document or a folder.
const PATHS: [&str; 2] = ["path", "to"];
/// What agents keep no hands in: runs, plans, schedules.
const SYSTEM: &str = "/System";

/// Why a tool may not be called with these arguments; nothing if it may.
pub(in crate::agent) fn out_of_scope(scopes: &Scopes, event_type: &str, arguments: &Value) -> Option<String> {
    if !event_type.starts_with("context.") {
        return None;
    }
    let named: Vec<&str> = PATHS.iter().filter_map(|key| arguments.get(key)?.as_str()).collect();
    if named.is_empty() && event_type == "context.search" && !scopes.folders.is_empty() {
        return Some(format!("say a `path`: it may search {}", places(scopes)));
    }
    named.into_iter().find_map(|path| {
        // What is no path is refused by the tool itself.
        let path = clean_path(path).ok()?;
        let may = if scopes.folders.is_empty() {
            !is_within(&path, SYSTEM)
        } else {
            scopes.folders.iter().any(|folder| is_within(&path, folder))
        };
        (!may).then(|| format!("{path} is out of its scope; it may use {}", places(scopes)))
    })
}

fn places(scopes: &Scopes) -> String {
    match scopes.folders.as_slice() {
        [] => format!("everything but {SYSTEM}"),
        folders => folders.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::out_of_scope;
    use crate::agent::spec::Scopes;
    use serde_json::json;

    #[test]
    fn a_tool_stays_within_its_folders() {
        let scopes = Scopes { folders: vec!["/Research".into()] };
        let refused = |event: &str, arguments| out_of_scope(&scopes, event, &arguments).is_some();
        assert!(!refused("context.read", json!({"path": "/Research/a"})));
        assert!(refused("context.read", json!({"path": "/Private"})));
        assert!(refused("context.read", json!({"path": "/Researchers"})));
        assert!(refused("context.move", json!({"path": "/Research/a", "to": "/Public/a"})));
        assert!(refused("context.search", json!({"text": "x"})));
        assert!(!refused("context.search", json!({"text": "x", "path": "/Research"})));
        assert!(!refused("web.search", json!({"path": "/Private"})));
        let open = Scopes::default();
        assert!(out_of_scope(&open, "context.read", &json!({"path": "/Private"})).is_none());
        assert!(out_of_scope(&open, "context.write", &json!({"path": "/System/Agents/x"})).is_some());
    }
}
