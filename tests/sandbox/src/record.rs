//! Answered AWS requests on disk, for the contract check in `tests/python/contract`: with `MLOPS_JOURNAL_DIR` set, every
//! request and its reply is appended to `<pid>.jsonl` there, once per operation and content apart from ids and times,
//! so that thousands of calls stay a small file; `<pid>.count` holds how many calls there were. It stands apart from
//! the journal, which belongs to one sandbox, while this belongs to the process. It changes nothing that is answered.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, Seek, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use crate::journal::Entry;

/// Headers that say when and by whom, not what; they differ from call to call.
const PASSING: [&str; 6] =
    ["amz-sdk-invocation-id", "content-length", "date", "last-modified", "user-agent", "x-amz-date"];

/// What one process has recorded.
struct Record {
    kept: HashSet<u64>,
    answered: u64,
    pairs: File,
    count: File,
}

/// Appends an answered request, if it is one of AWS, if recording is on, and if its like was not recorded before.
pub(crate) fn keep(entry: &Entry) {
    static RECORD: OnceLock<Option<Mutex<Record>>> = OnceLock::new();
    let record = RECORD.get_or_init(|| {
        let folder = std::env::var_os("MLOPS_JOURNAL_DIR")?;
        let opened = Record::open(Path::new(&folder), std::process::id());
        opened.map_err(|error| complain(&error)).ok().map(Mutex::new)
    });
    if let (Some(record), "aws") = (record, entry.transport) {
        let kept = record.lock().unwrap_or_else(PoisonError::into_inner).keep(entry);
        kept.unwrap_or_else(|error| complain(&error));
    }
}

/// A record that silently lacked pairs would pass the check.
fn complain(error: &io::Error) {
    eprintln!("mlops-sandbox: cannot record requests in MLOPS_JOURNAL_DIR: {error}");
}

impl Record {
    fn open(folder: &Path, process: u32) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let pairs = File::options().create(true).append(true).open(folder.join(format!("{process}.jsonl")))?;
        let count = File::create(folder.join(format!("{process}.count")))?;
        Ok(Self { kept: HashSet::new(), answered: 0, pairs, count })
    }

    fn keep(&mut self, entry: &Entry) -> io::Result<()> {
        self.answered += 1;
        self.count.rewind()?;
        write!(self.count, "{}", self.answered)?;
        if !self.kept.insert(likeness(entry)) {
            return Ok(());
        }
        // One write a line: several threads and a process that is killed leave whole lines.
        self.pairs.write_all(format!("{}\n", pair(entry)).as_bytes())
    }
}

/// The HTTP exchange; what the sandbox made of it stays out.
fn pair(entry: &Entry) -> Value {
    let reply = entry.reply.as_ref();
    json!({
        "service": entry.service,
        "operation": entry.operation,
        "fault": entry.fault,
        "request": {"method": entry.method, "uri": entry.uri, "headers": entry.headers, "body": entry.body},
        "reply": reply.map(|reply| json!({"status": reply.status, "headers": reply.headers, "body": reply.body})),
    })
}

/// The same number for exchanges that differ in nothing but ids and times.
fn likeness(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&entry.service, &entry.operation, &entry.method).hash(&mut hasher);
    hash_masked(&entry.uri, &mut hasher);
    hash_masked(&entry.body, &mut hasher);
    let mut headers: Vec<_> = entry.headers.iter().collect();
    if let Some(reply) = &entry.reply {
        reply.status.hash(&mut hasher);
        hash_masked(&reply.body, &mut hasher);
        headers.extend(&reply.headers);
    }
    for (name, value) in headers.into_iter().filter(|(name, _)| !PASSING.contains(&name.as_str())) {
        name.hash(&mut hasher);
        hash_masked(value, &mut hasher);
    }
    hasher.finish()
}

/// Words with a digit in them are ids, times or numbers: of those only the length counts.
fn hash_masked(text: &str, hasher: &mut impl Hasher) {
    for word in text.split_inclusive(|sign: char| !sign.is_ascii_alphanumeric()) {
        match word.bytes().any(|sign| sign.is_ascii_digit()) {
            true => (word.len(), word.bytes().last().filter(|sign| !sign.is_ascii_alphanumeric())).hash(hasher),
            false => word.hash(hasher),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use http::{Request, Response};
    use jiff::Timestamp;

    use super::*;
    use crate::journal::Reply;

    fn entry(operation: &str, body: &'static str, reply: &'static str) -> Entry {
        let request = Request::builder().header("x-amz-target", operation).body(Bytes::from(body)).unwrap();
        let reply = Reply::of(Timestamp::UNIX_EPOCH, &Response::new(Bytes::from(reply)), Value::Null);
        let asked = Entry::asked("aws", Timestamp::UNIX_EPOCH, &request);
        Entry { operation: operation.to_owned(), reply: Some(reply), ..asked }
    }

    #[test]
    fn exchanges_that_differ_only_in_ids_and_times_are_kept_once() {
        let first = entry("Describe", r#"{"Id":"prod-a1b2c3"}"#, r#"{"At":1767603600,"Name":"ml"}"#);
        let rows = [
            (
                "another id and time",
                entry("Describe", r#"{"Id":"prod-zzzzz9"}"#, r#"{"At":1767603661,"Name":"ml"}"#),
                true,
            ),
            (
                "another operation",
                entry("Delete", r#"{"Id":"prod-a1b2c3"}"#, r#"{"At":1767603600,"Name":"ml"}"#),
                false,
            ),
            (
                "another member",
                entry("Describe", r#"{"Name":"prod-a1b2c3"}"#, r#"{"At":1767603600,"Name":"ml"}"#),
                false,
            ),
            ("a longer id", entry("Describe", r#"{"Id":"prod-a1b2c3d"}"#, r#"{"At":1767603600,"Name":"ml"}"#), false),
            ("another reply", entry("Describe", r#"{"Id":"prod-a1b2c3"}"#, r#"{"At":1767603600,"Name":"ops"}"#), false),
        ];
        for (case, other, alike) in rows {
            assert_eq!(likeness(&first) == likeness(&other), alike, "{case}");
        }
    }

    #[test]
    fn a_record_holds_each_exchange_once_and_counts_all() {
        let folder = std::env::temp_dir().join(format!("mlops-record-{}", std::process::id()));
        let mut record = Record::open(&folder, 7).unwrap();
        for (operation, body) in [("Describe", "1"), ("Describe", "2"), ("Delete", "1")] {
            record.keep(&entry(operation, body, "{}")).unwrap();
        }
        let pairs = std::fs::read_to_string(folder.join("7.jsonl")).unwrap();
        let count = std::fs::read_to_string(folder.join("7.count")).unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let operations: Vec<String> = pairs
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["operation"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(
            (operations.as_slice(), count.as_str()),
            (["Describe".to_owned(), "Delete".to_owned()].as_slice(), "3")
        );
    }
}
