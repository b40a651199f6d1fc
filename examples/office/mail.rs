//! A mailbox of mbox files, one for each folder.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{Address, MessageParser};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use vextir::prelude::*;

/// Fetch mails. There is one mailbox, so what `provider` says is not looked at.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.fetch")]
pub(crate) struct FetchMails {
    /// The first day of which mails are wanted.
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    filters: Filters,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Filters {
    /// The same as `since` outside of the filters.
    since: Option<String>,
    /// Which folders; `inbox` if nothing is said.
    folders: Vec<String>,
}

/// The mails, oldest first.
#[derive(Debug, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "email.fetched", category = "output")]
pub(crate) struct MailsFetched {
    pub(crate) emails: Vec<Mail>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Mail {
    /// When it was sent, in seconds since 1970.
    pub(crate) sent: i64,
    pub(crate) folder: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

/// The folder with the mbox files, and the zone in which its owner's days begin.
pub(crate) struct Mailbox {
    pub(crate) folder: PathBuf,
    pub(crate) zone: TimeZone,
}

#[driver("mailbox", kind = "io", effect = "reads")]
impl Mailbox {
    /// Fetch mails.
    #[on]
    async fn fetch(&self, ask: FetchMails) -> Result<MailsFetched, Failure> {
        let since = match ask.filters.since.or(ask.since) {
            Some(day) => first_second(&day, &self.zone).map_err(Failure::permanent)?,
            None => i64::MIN,
        };
        let mut folders = ask.filters.folders;
        if folders.is_empty() {
            folders.push("inbox".into());
        }
        let place = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || read(&place, &folders, since));
        let emails = read.await.map_err(Failure::transient)?.map_err(Failure::permanent)?;
        Ok(MailsFetched { emails })
    }
}

fn first_second(day: &str, zone: &TimeZone) -> Result<i64, String> {
    let date: Date = day.parse().map_err(|error| format!("since: {day:?} is no day: {error}"))?;
    let begins = date.to_zoned(zone.clone()).map_err(|error| format!("since: {error}"))?;
    Ok(begins.timestamp().as_second())
}

fn read(place: &Path, folders: &[String], since: i64) -> Result<Vec<Mail>, String> {
    let mut mails = Vec::new();
    for folder in folders {
        if !folder.chars().all(|sign| sign.is_ascii_alphanumeric()) {
            return Err(format!("folders: {folder:?} is no folder's name"));
        }
        let path = place.join(format!("{folder}.mbox"));
        let failed = |error| format!("{}: {error}", path.display());
        let file = BufReader::new(File::open(&path).map_err(failed)?);
        for stored in MessageIterator::new(file) {
            let stored = stored.map_err(failed)?;
            mails.extend(mail(folder, stored.contents(), stored.internal_date()));
        }
    }
    mails.retain(|mail| mail.sent >= since);
    mails.sort_by_key(|mail| mail.sent);
    Ok(mails)
}

/// A mail without a date of its own has the one under which it was stored.
fn mail(folder: &str, content: &[u8], stored: u64) -> Option<Mail> {
    let message = MessageParser::default().parse(content)?;
    let stored = i64::try_from(stored).unwrap_or_default();
    Some(Mail {
        sent: message.date().map_or(stored, mail_parser::DateTime::to_timestamp),
        folder: folder.to_owned(),
        from: person(message.from()),
        to: person(message.to()),
        subject: message.subject().unwrap_or("(no subject)").to_owned(),
        text: message.body_text(0).unwrap_or_default().trim().to_owned(),
    })
}

fn person(address: Option<&Address<'_>>) -> String {
    let first = address.and_then(Address::first);
    let name = first.and_then(|first| first.name().or(first.address()));
    name.unwrap_or("somebody").to_owned()
}
