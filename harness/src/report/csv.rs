//! The four CSV files that Locust writes under `--csv PREFIX`, column for column.
//!
//! `_stats`, `_failures` and `_exceptions` are replaced whole at each write, by a rename, so a reader never
//! meets half a file; `_stats_history` is appended to. Lines end in CRLF, fields are quoted where they must be,
//! floats keep every digit. The caller writes once a second and once at the end; Locust forgoes the latter, and
//! its files lack the last second.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loadr_engine::record::{EntryKind, MergedEntry, MergedError};

use super::errors::Errors;
use super::locust::recent::{self, Window};
use super::locust::{Buckets, LocustEntry, LocustStats, PERCENTILES, has_row};

type Row = Vec<String>;

/// What Locust calls a process that runs alone.
const LOCAL_NODE: &str = "local";
/// The measured time is shorter than at the last write by more than this where the counts were forgotten meanwhile; a
/// run that ends with its last exchange may end a little before it is noticed.
const FORGOTTEN_MIN: Duration = Duration::from_millis(500);

/// What a run has counted so far, as one write of the files needs it.
#[derive(Clone, Copy, Debug)]
pub struct CsvSnapshot<'a> {
    /// Time measured so far.
    pub elapsed: Duration,
    /// Wall second of the write, since the Unix epoch.
    pub unix_second: u64,
    /// Users running.
    pub users: u64,
    /// Entries with their counts since the start.
    pub entries: &'a [&'a MergedEntry],
    /// Failures and exceptions since the start.
    pub errors: &'a [&'a MergedError],
}

/// The four files of a run.
#[derive(Debug)]
pub struct CsvFiles {
    prefix: PathBuf,
    history: csv::Writer<File>,
    /// With `--csv-full-history`: recent response times of every entry.
    window: Option<Window>,
    /// Time measured at the last write.
    elapsed: Duration,
}

impl CsvFiles {
    /// Creates the files with their headings and the directories they lie in, so that a path that cannot be
    /// written is told before the run.
    ///
    /// With `full_history` the history has a row for each entry and percentiles of the last ten seconds, without it
    /// the aggregated row alone and percentiles since the start.
    pub fn create(prefix: &Path, full_history: bool) -> Result<Self, CsvError> {
        let wrap = |source| CsvError { prefix: prefix.to_owned(), source };
        if let Some(directory) = prefix.parent().filter(|path| !path.as_os_str().is_empty()) {
            fs::create_dir_all(directory).map_err(wrap)?;
        }
        let create = || -> io::Result<csv::Writer<File>> {
            replace(prefix, "stats", &[stats_heading()])?;
            replace(prefix, "failures", &[failures_heading()])?;
            replace(prefix, "exceptions", &[exceptions_heading()])?;
            let mut history = writer(File::create(path(prefix, "stats_history"))?);
            history.write_record(history_heading())?;
            history.flush()?;
            Ok(history)
        };
        let history = create().map_err(wrap)?;
        let window = full_history.then(Window::default);
        Ok(Self { prefix: prefix.to_owned(), history, window, elapsed: Duration::ZERO })
    }

    /// Replaces the totals and appends one second to the history.
    pub fn write(&mut self, snapshot: &CsvSnapshot<'_>) -> Result<(), CsvError> {
        let stats = LocustStats::of_entries(snapshot.entries.iter().copied(), snapshot.elapsed);
        self.try_write(snapshot, &stats)
            .map_err(|source| CsvError { prefix: self.prefix.clone(), source })
    }

    fn try_write(&mut self, snapshot: &CsvSnapshot<'_>, stats: &LocustStats) -> io::Result<()> {
        replace(&self.prefix, "stats", &stats_rows(stats))?;
        let errors = snapshot.errors.iter().copied();
        let errors = Errors::of(errors, snapshot.entries.iter().copied());
        replace(&self.prefix, "failures", &failure_rows(&errors.failures))?;
        replace(&self.prefix, "exceptions", &exception_rows(&errors.exceptions))?;
        self.forget_if_reset(snapshot.elapsed);
        for row in self.history_rows(snapshot, stats) {
            self.history.write_record(row)?;
        }
        self.history.flush()
    }

    /// Recent response times are told from older ones by what was counted then, which a reset forgets.
    fn forget_if_reset(&mut self, elapsed: Duration) {
        if elapsed + FORGOTTEN_MIN < self.elapsed
            && let Some(window) = &mut self.window
        {
            *window = Window::default();
        }
        self.elapsed = elapsed;
    }

    fn history_rows(&mut self, snapshot: &CsvSnapshot<'_>, stats: &LocustStats) -> Vec<Row> {
        let started = snapshot.unix_second.saturating_sub(snapshot.elapsed.as_secs());
        let settled = recent::settled_seconds(exchanges(snapshot), started);
        let total_rates = recent::rates(exchanges(snapshot), settled.clone());
        let Some(window) = &mut self.window else {
            return vec![history_row(snapshot, &stats.total, total_rates, &stats.total.buckets)];
        };
        window.advance(snapshot.unix_second);
        let mut total_times = Buckets::default();
        let mut rows = Vec::new();
        let states = || snapshot.entries.iter().filter(|entry| has_row(entry)).zip(&stats.entries);
        for (entry, row) in states() {
            let times = window.since(&entry.key, &row.buckets);
            let rates = recent::rates([*entry], settled.clone());
            rows.push(history_row(snapshot, row, rates, &times));
            if entry.key.kind == EntryKind::Exchange {
                total_times.merge(&times);
            }
        }
        rows.push(history_row(snapshot, &stats.total, total_rates, &total_times));
        window.push(
            snapshot.unix_second,
            states().map(|(entry, row)| (entry.key.clone(), row.buckets.clone())),
        );
        rows
    }
}

fn exchanges<'a>(snapshot: &CsvSnapshot<'a>) -> impl Iterator<Item = &'a MergedEntry> {
    let entries = snapshot.entries.iter().copied();
    entries.filter(|entry| entry.key.kind == EntryKind::Exchange)
}

/// One of the CSV files could not be created or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the CSV files {}_*.csv: {source}", prefix.display())]
pub struct CsvError {
    prefix: PathBuf,
    source: io::Error,
}

fn path(prefix: &Path, name: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(format!("_{name}.csv"));
    path.into()
}

fn writer<W: io::Write>(out: W) -> csv::Writer<W> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out)
}

/// Writes a file beside the one meant and renames it into place.
fn replace(prefix: &Path, name: &str, rows: &[Row]) -> io::Result<()> {
    let final_path = path(prefix, name);
    let mut unfinished = final_path.clone().into_os_string();
    unfinished.push(".tmp");
    let mut out = writer(File::create(&unfinished)?);
    for row in rows {
        out.write_record(row)?;
    }
    out.flush()?;
    fs::rename(&unfinished, final_path)
}

fn row<const N: usize>(fields: [&str; N]) -> Row {
    fields.map(str::to_owned).to_vec()
}

fn percentile_headings() -> impl Iterator<Item = String> {
    PERCENTILES.iter().map(|(heading, _)| (*heading).to_owned())
}

fn stats_heading() -> Row {
    let mut heading = row([
        "Type",
        "Name",
        "Request Count",
        "Failure Count",
        "Median Response Time",
        "Average Response Time",
        "Min Response Time",
        "Max Response Time",
        "Average Content Size",
        "Requests/s",
        "Failures/s",
    ]);
    heading.extend(percentile_headings());
    heading
}

fn history_heading() -> Row {
    let mut heading = row(["Timestamp", "User Count", "Type", "Name", "Requests/s", "Failures/s"]);
    heading.extend(percentile_headings());
    heading.extend(row([
        "Total Request Count",
        "Total Failure Count",
        "Total Median Response Time",
        "Total Average Response Time",
        "Total Min Response Time",
        "Total Max Response Time",
        "Total Average Content Size",
    ]));
    heading
}

fn failures_heading() -> Row {
    row(["Method", "Name", "Error", "Occurrences", "First Seen", "Last Seen"])
}

fn exceptions_heading() -> Row {
    row(["Count", "Message", "Traceback", "Nodes"])
}

fn stats_rows(stats: &LocustStats) -> Vec<Row> {
    let mut rows = vec![stats_heading()];
    for entry in stats.sorted().into_iter().chain([&stats.total]) {
        let mut row = vec![entry.method.clone(), entry.name.clone()];
        row.extend(totals(entry));
        row.push(float(stats.per_second(entry.requests)));
        row.push(float(stats.per_second(entry.failures)));
        row.extend(percentiles(entry, &entry.buckets));
        rows.push(row);
    }
    rows
}

fn history_row(
    snapshot: &CsvSnapshot<'_>,
    entry: &LocustEntry,
    (requests_per_s, failures_per_s): (f64, f64),
    recent: &Buckets,
) -> Row {
    let mut row = vec![
        snapshot.unix_second.to_string(),
        snapshot.users.to_string(),
        entry.method.clone(),
        entry.name.clone(),
        format!("{requests_per_s:.6}"),
        format!("{failures_per_s:.6}"),
    ];
    row.extend(percentiles(entry, recent));
    row.extend(totals(entry));
    row
}

/// The seven columns that both statistics files share, from the request count to the content size.
fn totals(entry: &LocustEntry) -> [String; 7] {
    [
        entry.requests.to_string(),
        entry.failures.to_string(),
        whole_or_float(entry.median_ms()),
        float(entry.average_ms()),
        entry.min_ms.map_or_else(|| "0".to_owned(), float),
        entry.max_ms.map_or_else(|| "0".to_owned(), float),
        if entry.requests == 0 { "0".to_owned() } else { float(entry.average_content_bytes()) },
    ]
}

fn percentiles(entry: &LocustEntry, buckets: &Buckets) -> impl Iterator<Item = String> {
    PERCENTILES.iter().map(|(_, share)| match entry.requests {
        0 => "N/A".to_owned(),
        _ => buckets.percentile(*share).to_string(),
    })
}

fn failure_rows(errors: &[&MergedError]) -> Vec<Row> {
    let mut rows = vec![failures_heading()];
    rows.extend(errors.iter().map(|error| {
        vec![
            error.method.to_string(),
            error.name.to_string(),
            error.message.to_string(),
            error.count.to_string(),
            utc(error.first_seen_unix_s),
            utc(error.last_seen_unix_s),
        ]
    }));
    rows
}

fn exception_rows(exceptions: &[&MergedError]) -> Vec<Row> {
    let mut rows = vec![exceptions_heading()];
    rows.extend(exceptions.iter().map(|exception| {
        vec![
            exception.count.to_string(),
            exception.message.to_string(),
            format!("Traceback: in {}: {}", exception.name, exception.message),
            LOCAL_NODE.to_owned(),
        ]
    }));
    rows
}

/// A float as Python prints it: the shortest digits that read back as the same number, and always a point.
fn float(value: f64) -> String {
    format!("{value:?}")
}

/// A bucket as the whole number it is, or an exact time that the median was clamped to.
fn whole_or_float(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { float(value) }
}

/// Whole seconds in UTC: `2026-11-21T00:48:39Z`.
fn utc(unix_s: f64) -> String {
    jiff::Timestamp::from_second(unix_s as i64).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
