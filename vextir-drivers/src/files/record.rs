//! What the watch remembers of a file: its checkpoint.

use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::time::{SystemTime, UNIX_EPOCH};
use vextir::{Data, Result, Timestamp};

/// What the file system says about a file without opening it. Times are nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stat {
    pub(super) size: u64,
    pub(super) modified: i64,
    /// When the file's own record changed: content, name, rights. 0 where the system does not tell.
    #[serde(default)]
    pub(super) changed: i64,
    /// Device and inode; `None` where the system has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inode: Option<(u64, u64)>,
}

impl Stat {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().map_or(0, nanoseconds);
        let (changed, inode) = platform::identity(metadata);
        Self { size: metadata.len(), modified, changed, inode }
    }

    /// Whether a file with this record may be the other one under another name.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        // A rename touches `changed`, so that says nothing here.
        self.inode.is_some()
            && self.inode == other.inode
            && self.size == other.size
            && self.modified == other.modified
    }

    /// Whether its content may differ from that of `other`, as far as one can say without reading it.
    pub(super) fn looks_changed(&self, other: &Self) -> bool {
        self.size != other.size || self.modified != other.modified || self.inode != other.inode
    }

    /// Whether it was written so shortly before `now` that another write may leave the same times behind.
    pub(super) fn is_young(&self, now: i64) -> bool {
        const SECOND: i64 = 1_000_000_000;
        let is_coarse = self.modified % SECOND == 0 && self.changed % SECOND == 0;
        let tick = if is_coarse { 2 * SECOND } else { SECOND / 20 };
        now.saturating_sub(self.modified.max(self.changed)) < tick
    }
}

/// Nanoseconds since the epoch.
pub(super) fn nanoseconds(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |span| -span),
    }
}

#[cfg(unix)]
mod platform {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;

    pub(super) fn identity(metadata: &Metadata) -> (i64, Option<(u64, u64)>) {
        let changed = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
        (changed, Some((metadata.dev(), metadata.ino())))
    }
}

#[cfg(not(unix))]
mod platform {
    use std::fs::Metadata;

    pub(super) fn identity(_metadata: &Metadata) -> (i64, Option<(u64, u64)>) {
        (0, None)
    }
}

/// The value of a checkpoint: how a file was when it was last reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// `None` for a folder, and for a file that was never seen.
    #[serde(flatten)]
    pub(super) stat: Option<Stat>,
    /// SHA-256 of the content, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<String>,
    /// The file was being written: its times prove nothing yet, read it again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) young: bool,
    /// Why it could not be read, which was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blocked: Option<String>,
    /// It is blocked, and was reported as a file before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) reported: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Record {
    /// Something that could not be read, and was never reported as a file.
    pub(super) fn blocked(reason: String) -> Self {
        Self { stat: None, hash: None, young: false, blocked: Some(reason), reported: false }
    }

    pub(super) fn size(&self) -> u64 {
        self.stat.map_or(0, |stat| stat.size)
    }

    pub(super) fn modified_at(&self) -> Timestamp {
        let modified = self.stat.map_or(0, |stat| stat.modified);
        Timestamp::from_micros(modified.div_euclid(1_000))
    }

    pub(super) fn to_data(&self) -> Result<Data> {
        Data::new(self)
    }

    /// Reads a checkpoint. One that does not fit, from another version, counts as never written: the file
    /// is reported again rather than forgotten.
    pub(super) fn from_data(data: Option<&Data>) -> Option<Self> {
        data?.decode().ok()
    }

    /// Whether the file has to be looked at, now that it has this `stat`.
    pub(super) fn is_outdated(&self, stat: &Stat, retry_blocked: bool) -> bool {
        (self.blocked.is_some() && retry_blocked) || self.young || self.stat.as_ref() != Some(stat)
    }

    /// Whether its file was reported to exist.
    pub(super) fn is_reported(&self) -> bool {
        self.blocked.is_none() || self.reported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_a_strange_one_counts_as_none() {
        let stat = Stat { size: 5, modified: -7, changed: 8, inode: Some((1, u64::MAX)) };
        let record =
            Record { stat: Some(stat), hash: Some("ab".into()), young: true, blocked: None, reported: false };
        let data = record.to_data().unwrap();
        assert_eq!(Record::from_data(Some(&data)), Some(record));
        assert_eq!(
            data.as_json(),
            r#"{"size":5,"modified":-7,"changed":8,"inode":[1,18446744073709551615],"hash":"ab","young":true}"#
        );

        let folder = Record::blocked("permission denied".into());
        assert_eq!(Record::from_data(Some(&folder.to_data().unwrap())), Some(folder));
        assert_eq!(Record::from_data(Some(&Data::from(serde_json::json!([1])))), None);
    }
}
