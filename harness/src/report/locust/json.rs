//! Locust's `--json`: an array of entries, each with its buckets and its counts by second.
//!
//! Shape, key order and four-space indent are Locust's; keys of the inner maps are text, as JSON wants them.
//! Entries come in first-seen order, without the aggregated row and without those that have no requests. Unlike
//! Locust, writing it does not drain the statistics that the tables print afterwards.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use loadr_engine::coordinator::RunOutcome;
use loadr_engine::record::{MergedEntry, SecondCount};
use serde::Serialize;

use super::{LocustEntry, has_row};
use crate::report::model::unix_seconds;

#[derive(Serialize)]
struct JsonEntry<'a> {
    name: &'a str,
    method: &'a str,
    last_request_timestamp: f64,
    start_time: f64,
    num_requests: u64,
    num_none_requests: u64,
    num_failures: u64,
    total_response_time: f64,
    max_response_time: f64,
    min_response_time: Option<f64>,
    total_content_length: u64,
    response_times: &'a BTreeMap<u64, u64>,
    num_reqs_per_sec: BTreeMap<u64, u64>,
    num_fail_per_sec: BTreeMap<u64, u64>,
}

/// The file of `--json-file`, opened before the run so that an unwritable path is told before it.
///
/// Locust prints no tables where it writes this file; here the report is printed all the same.
#[derive(Debug)]
pub struct JsonFile {
    path: PathBuf,
    file: File,
}

impl JsonFile {
    /// Creates the file: `path` with `.json` after it, whatever it ends in, as in Locust.
    pub fn create(path: &Path) -> Result<Self, JsonFileError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".json");
        let path = PathBuf::from(name);
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(JsonFileError { path, source }),
        }
    }

    /// Writes the entries of a run.
    pub fn write(self, outcome: &RunOutcome) -> Result<(), JsonFileError> {
        let mut out = BufWriter::new(self.file);
        let written = write(&mut out, outcome).and_then(|()| out.flush());
        written.map_err(|source| JsonFileError { path: self.path, source })
    }
}

/// The file of `--json-file` could not be created or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the JSON file {}: {source}", path.display())]
pub struct JsonFileError {
    path: PathBuf,
    source: io::Error,
}

/// Writes the entries of a run as Locust's JSON, with a line feed at the end.
pub fn write(out: &mut impl Write, outcome: &RunOutcome) -> io::Result<()> {
    let counted =
        outcome.entries.iter().filter(|entry| has_row(entry) && entry.counts.requests > 0);
    let rows: Vec<(LocustEntry, &MergedEntry)> = counted
        .map(|entry| {
            (LocustEntry::of_counts(&entry.key.method, &entry.key.name, &entry.counts), entry)
        })
        .collect();
    // Stamps count from the run's origin, the outcome's start from what is counted.
    let origin_s = unix_seconds(outcome.started_at) - outcome.counted_from.as_secs_f64();
    let list: Vec<JsonEntry<'_>> =
        rows.iter().map(|(row, entry)| json_entry(row, entry, origin_s)).collect();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, indent);
    list.serialize(&mut serializer)?;
    writeln!(out)
}

fn json_entry<'a>(row: &'a LocustEntry, entry: &MergedEntry, origin_s: f64) -> JsonEntry<'a> {
    let stamp = |ns: Option<u64>| origin_s + ns.unwrap_or(0) as f64 / 1e9;
    let counts = &entry.counts;
    JsonEntry {
        name: &row.name,
        method: &row.method,
        last_request_timestamp: stamp(counts.last_end_ns),
        start_time: stamp(counts.first_start_ns),
        num_requests: row.requests,
        num_none_requests: 0, // every exchange has a response time
        num_failures: row.failures,
        total_response_time: row.total_ms,
        max_response_time: row.max_ms.unwrap_or(0.0),
        min_response_time: row.min_ms,
        total_content_length: row.content_bytes,
        response_times: row.buckets.counts(),
        num_reqs_per_sec: by_second(&counts.per_second, |second| second.requests),
        num_fail_per_sec: by_second(&counts.per_second, |second| second.failures),
    }
}

fn by_second(seconds: &[SecondCount], count: impl Fn(&SecondCount) -> u64) -> BTreeMap<u64, u64> {
    seconds
        .iter()
        .filter(|second| count(second) > 0)
        .map(|second| (second.unix_second, count(second)))
        .collect()
}
