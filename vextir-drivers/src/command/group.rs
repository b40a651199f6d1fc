//! A process with all that it has started.

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use vextir::Data;

/// A process group; it is killed when this goes.
#[derive(Debug)]
pub(super) struct Group(Option<Pid>);

impl Group {
    /// The group that a process leads.
    pub(super) fn led_by(pid: Option<u32>) -> Self {
        Self(pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Most have nobody left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// When a process began, in the system's own count; with its number it is called by nothing else until the machine starts anew.
/// Nothing where the system does not say.
fn birth(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name may hold anything, and ends with the last parenthesis.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// What is noted about a process before it becomes the command.
pub(super) fn noted(pid: Option<u32>) -> Data {
    json!({"pid": pid, "birth": pid.and_then(birth)}).into()
}

/// Kills the group of a process that is still the one that was noted.
pub(super) fn end_orphan(note: Option<&Data>) {
    let note = note.map(Data::value).unwrap_or_default();
    let pid = note["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    if let (Some(pid), Some(born)) = (pid, note["birth"].as_u64())
        && birth(pid) == Some(born)
    {
        drop(Group::led_by(Some(pid)));
    }
}
