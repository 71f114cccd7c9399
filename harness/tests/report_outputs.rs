//! Every form a report takes, made from one run small enough to check by hand.

use std::fs;
use std::time::{Duration, SystemTime};

use loadr::environment::{Cpus, Environment, GeneratorUsage, Machine, RuntimeUsed};
use loadr::report::csv::{CsvFiles, CsvSnapshot};
use loadr::report::locust::json;
use loadr::report::model::{Report, ReportError, ReportFile};
use loadr::report::text;
use loadr::warning::Warning;
use loadr_engine::coordinator::{EndedBy, RunOutcome, ShardOutcome, WarmUp};
use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{
    EntryCounts, EntryKey, EntryKind, Exchange, MergedEntry, MergedError, Series, SeriesRow,
};
use loadr_engine::runtime::RuntimeKind;

const STARTED: u64 = 1_795_222_119;
const WARM_UP_NS: u64 = 5_000_000_000;

/// An exchange every 10 ms, each taking its time from `times_us`; every `failing`th fails, none if that is 0.
fn entry(
    kind: EntryKind,
    method: &str,
    name: &str,
    times_us: &[u64],
    failing: usize,
) -> MergedEntry {
    let mut counts = EntryCounts::default();
    for (index, us) in times_us.iter().enumerate() {
        let start_ns = WARM_UP_NS + index as u64 * 10_000_000;
        counts.record(&Exchange {
            start_ns,
            end_ns: start_ns + us * 1_000,
            body_bytes: 11,
            bytes_received: 160,
            bytes_sent: 60,
            failed: failing > 0 && index % failing == 0,
        });
        counts.close_second(STARTED + (start_ns - WARM_UP_NS) / 1_000_000_000);
    }
    MergedEntry { key: EntryKey::new(kind, method, name), counts }
}

fn series(entries: &[MergedEntry]) -> Vec<SeriesRow> {
    let mut series = Series::new();
    let exchanges = entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange);
    for (second, entry) in exchanges.enumerate() {
        series.push(SeriesRow::of_interval(STARTED + second as u64, 64, entry.counts.clone()));
    }
    series.into_rows()
}

fn outcome() -> RunOutcome {
    let quick: Vec<u64> = (0..400).map(|n| 90 + n).collect();
    let slow: Vec<u64> =
        (0..22).map(|n| if n == 21 { 339_000 } else { 148_700 + 80 * n }).collect();
    let entries = vec![
        entry(EntryKind::Connection, "CONNECT", "127.0.0.1:8080", &[61, 64, 70, 95], 0),
        entry(EntryKind::Exchange, "GET", "/slow", &slow, 0),
        entry(EntryKind::Exchange, "GET", "/", &quick, 0),
        entry(EntryKind::Exchange, "GET", "/fail\u{1b}[2J", &[640, 11_300, 2_100], 1),
    ];
    RunOutcome {
        started_at: SystemTime::UNIX_EPOCH + Duration::from_millis(STARTED * 1_000 + 250),
        measured: Duration::from_secs(4),
        warm_up: Some(WarmUp {
            duration: Duration::from_nanos(WARM_UP_NS),
            requests: 12_345,
            failures: 1,
        }),
        series: series(&entries),
        entries,
        errors: vec![MergedError {
            method: "GET".into(),
            name: "/fail\u{1b}[2J".into(),
            kind: FailureKind::Status,
            message: "status 500, expected 2xx or 3xx".into(),
            count: 3,
            first_seen_unix_s: STARTED as f64 + 0.4,
            last_seen_unix_s: STARTED as f64 + 2.9,
        }],
        shards: vec![ShardOutcome {
            index: 0,
            cpu: Some(0),
            runtime: RuntimeKind::Monoio,
            cpu_user: Duration::from_millis(460),
            cpu_system: Duration::from_millis(3_472),
            users_max: 64,
            handovers_missed: 0,
            panicked: None,
        }],
        cut_off: 3,
        users_max: 64,
        ended_by: EndedBy::RunTime,
        refused: None,
    }
}

fn environment() -> Environment {
    Environment {
        machine: Machine {
            hostname: Some("bench".to_owned()),
            cpu_model: Some("AMD EPYC 9R14".to_owned()),
            memory_bytes: Some(4 << 30),
        },
        kernel: Some("Linux 6.18.44".to_owned()),
        cpus: Cpus { online: vec![0, 1], allowed: vec![0, 1] },
        runtime: RuntimeUsed {
            asked: "auto".to_owned(),
            used: "monoio".to_owned(),
            fallback: None,
        },
        clock: Some("tsc".to_owned()),
        version: "0.1.0".to_owned(),
        build_profile: "release".to_owned(),
    }
}

fn report_of(outcome: &RunOutcome) -> Report {
    let environment = environment();
    let usage = GeneratorUsage { rss_bytes_max: Some(14_890_000), cpu_steal_percent: Some(0.2) };
    let warnings = Warning::detect(outcome, &environment, usage, true);
    let plan = serde_json::json!({ "targets": ["http://127.0.0.1:8080/"], "users": 64 });
    Report::from_outcome(outcome, plan, environment, usage, &warnings, 1)
}

fn printed(report: &Report) -> String {
    let mut out = Vec::new();
    text::write(&mut out, report, None).expect("memory takes every write");
    String::from_utf8(out).expect("a report is text")
}

#[test]
fn text_of_a_run() {
    insta::assert_snapshot!(printed(&report_of(&outcome())));
}

#[test]
fn text_of_a_run_that_measured_nothing() {
    let lost = ShardOutcome {
        panicked: Some("index out of bounds".to_owned()),
        ..outcome().shards[0].clone()
    };
    let nothing = RunOutcome {
        measured: Duration::ZERO,
        warm_up: None,
        entries: Vec::new(),
        errors: Vec::new(),
        series: Vec::new(),
        shards: vec![lost],
        ended_by: EndedBy::AllShardsLost,
        refused: None,
        ..outcome()
    };
    insta::assert_snapshot!(printed(&report_of(&nothing)));
}

#[test]
fn nothing_from_outside_drives_the_terminal() {
    assert!(!printed(&report_of(&outcome())).contains('\u{1b}'));
}

#[test]
fn a_saved_report_reads_back_as_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("run.json");
    fs::write(&path, "something longer than the report ".repeat(4_000)).expect("writable");
    let report = report_of(&outcome());
    ReportFile::create(&path).expect("writable").write(&report).expect("written");

    let read_back = Report::load(&path).expect("own report");
    assert_eq!(read_back, report);
    assert_eq!(printed(&read_back), printed(&report));
    for (entry, merged) in read_back.entries.iter().zip(&outcome().entries[1..]) {
        assert_eq!(entry.histogram.decode(), merged.counts.response_time.to_hdr());
    }
    for (row, merged) in read_back.series.iter().zip(outcome().series) {
        assert_eq!(row.histogram.decode(), merged.response_time.to_hdr());
    }
}

#[test]
fn the_saved_keys_are_those_that_other_tools_read() {
    let mut report = report_of(&outcome());
    report.series.truncate(1);
    let text = serde_json::to_string_pretty(&report).expect("serialises");
    // The compressed bytes are the compressor's affair; that they decode is tested above.
    let lines = text.lines().map(|line| match line.split_once("\"histogram\": ") {
        Some((indent, _)) => format!("{indent}\"histogram\": ...\n"),
        None => format!("{line}\n"),
    });
    insta::assert_snapshot!(lines.collect::<String>());
}

#[test]
fn totals_are_merged_and_never_averaged() {
    let outcome = outcome();
    let report = report_of(&outcome);
    let mut merged = EntryCounts::default();
    outcome.entries[1..].iter().for_each(|entry| merged.add(&entry.counts));
    assert_eq!(report.totals.requests, 425);
    assert_eq!(report.totals.histogram.decode(), merged.response_time.to_hdr());
    assert_eq!(report.connections.opened, 4);
    let times = report.totals.response_time_ms;
    assert_eq!((times.min, times.max), (Some(0.09), Some(339.0)));
    assert!(times.p99_99 <= times.max && times.min <= times.p50);
}

#[test]
fn what_is_no_report_is_refused_with_its_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("run.json");
    assert!(matches!(Report::load(&path), Err(ReportError::Read { .. })));
    fs::write(&path, "{").expect("writable");
    assert!(matches!(Report::load(&path), Err(ReportError::Malformed { .. })));
    fs::write(&path, r#"{"schema": "loadr-bench/run/9"}"#).expect("writable");
    let error = Report::load(&path).expect_err("another version").to_string();
    assert!(
        error
            .ends_with(r#"has schema "loadr-bench/run/9", this program reads "loadr-bench/run/1""#),
        "{error}"
    );
    assert!(matches!(
        ReportFile::create(&directory.path().join("missing/run.json")),
        Err(ReportError::Write { .. })
    ));
}

#[test]
fn locusts_json() {
    let mut out = Vec::new();
    let mut outcome = outcome();
    outcome.entries.swap_remove(2); // hundreds of buckets say no more than a few
    json::write(&mut out, &outcome).expect("memory takes every write");
    insta::assert_snapshot!(String::from_utf8(out).expect("JSON is text"));
}

fn write_csv(full_history: bool) -> [String; 4] {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let prefix = directory.path().join("new/folder/run");
    let outcome = outcome();
    let entries: Vec<&MergedEntry> = outcome.entries.iter().collect();
    let errors: Vec<&MergedError> = outcome.errors.iter().collect();
    let mut files = CsvFiles::create(&prefix, full_history).expect("writable");
    let nothing = CsvSnapshot {
        elapsed: Duration::ZERO,
        unix_second: STARTED,
        users: 0,
        entries: &[],
        errors: &[],
    };
    files.write(&nothing).expect("written");
    let elapsed = outcome.measured;
    let end = CsvSnapshot {
        elapsed,
        unix_second: STARTED + 4,
        users: 64,
        entries: &entries,
        errors: &errors,
    };
    files.write(&end).expect("written");
    let folder = directory.path().join("new/folder");
    assert_eq!(fs::read_dir(&folder).expect("exists").count(), 4, "nothing unfinished is left");
    ["stats", "stats_history", "failures", "exceptions"].map(|name| {
        fs::read_to_string(folder.join(format!("run_{name}.csv"))).expect("was created")
    })
}

#[test]
fn csv_files() {
    let files = write_csv(false);
    assert!(files.iter().all(|file| file.matches('\n').count() == file.matches("\r\n").count()));
    insta::assert_snapshot!(files.join("\n").replace('\r', "").replace('\u{1b}', "<ESC>"));
}

#[test]
fn csv_full_history_has_a_row_for_each_entry() {
    let [_, history, ..] = write_csv(true);
    insta::assert_snapshot!(history.replace('\r', "").replace('\u{1b}', "<ESC>"));
}

#[test]
fn csv_files_that_cannot_be_written_are_told_at_once() {
    let error = CsvFiles::create("/proc/nowhere/run".as_ref(), false).expect_err("not writable");
    assert!(
        error.to_string().starts_with("cannot write the CSV files /proc/nowhere/run_*.csv: "),
        "{error}"
    );
}
