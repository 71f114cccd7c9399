//! Every form a report takes, made from one run small enough to check by hand.

use std::fs;
use std::time::{Duration, SystemTime};

use loadr::environment::{Cpus, Environment, GeneratorUsage, Machine, RuntimeUsed};
use loadr::report::csv::{CsvFiles, CsvSnapshot};
use loadr::report::locust::json as locust_json;
use loadr::report::model::{Report, ReportError, ReportFile};
use loadr::report::text;
use loadr::threshold::{Live, Measured};
use loadr::warning::{TargetFacts, Warning};
use loadr_engine::coordinator::{EndedBy, LoadError, RunOutcome, ShardOutcome, WarmUp};
use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{
    EntryCounts, EntryKey, EntryKind, Exchange, MergedEntry, MergedError, Series, SeriesRow,
};
use loadr_engine::runtime::RuntimeKind;
use serde_json::{Value, json};

const STARTED: u64 = 1_795_222_119;
const NS: u64 = 1_000_000_000;
const WARM_UP_NS: u64 = 5 * NS;
const STATUS_500: &str = "status 500, expected 2xx or 3xx";

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
        counted_from: Duration::from_nanos(WARM_UP_NS),
        measured: Duration::from_secs(4),
        warm_up: Some(WarmUp {
            duration: Duration::from_nanos(WARM_UP_NS),
            requests: 12_345,
            failures: 1,
        }),
        series: series(&entries),
        entries,
        errors: vec![error(FailureKind::Status, "GET", "/fail\u{1b}[2J", STATUS_500, 3)],
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

/// A test of two classes with `--task-stats`, whose shape asked for too much in the end.
fn scenario() -> RunOutcome {
    let times = |count: u64, us: u64| (0..count).map(|n| us + n).collect::<Vec<u64>>();
    let entries = vec![
        entry(EntryKind::Connection, "CONNECT", "127.0.0.1:8080", &[61, 64], 0),
        entry(EntryKind::Exchange, "GET", "/products/[id]", &times(120, 2_400), 20),
        entry(EntryKind::Task, "TASK", "browse", &times(60, 7_100), 10),
        entry(EntryKind::Exchange, "ASYNC", "POST /things/ID", &times(9, 1_900_000), 0),
        entry(EntryKind::Task, "TASK", "order", &times(12, 1_000), 2),
        entry(EntryKind::Exchange, "COMMAND", "test_login", &times(3, 800_000), 0),
        entry(EntryKind::Bridge, "BRIDGE", "blocking", &times(7, 30), 3),
        entry(EntryKind::Bridge, "BRIDGE", "tokio", &times(2, 900), 0),
    ];
    let (status, exception) = (FailureKind::Status, FailureKind::Exception);
    let panic = "panicked: index out of bounds (src/shop.rs:12)";
    let users = 1_000_000;
    RunOutcome {
        warm_up: None,
        series: series(&entries),
        entries,
        errors: vec![
            error(exception, "TASK", "Buyer.on_start", "no \"token\"\nin the reply", 1),
            error(status, "GET", "/products/[id]", STATUS_500, 6),
            error(status, "TASK", "browse", STATUS_500, 6),
            error(exception, "TASK", "Shopper.order", "no stock", 6),
            error(exception, "TASK", "order", "no stock", 6),
            error(exception, "TASK", "Shopper.pay\u{1b}[2J", panic, 12_345),
        ],
        cut_off: 0,
        ended_by: EndedBy::Refused,
        refused: Some(LoadError::TooManyUsers { users, users_max: 45_000 }),
        started_at: SystemTime::UNIX_EPOCH + Duration::from_nanos(STARTED * NS + WARM_UP_NS),
        ..outcome()
    }
}

fn error(kind: FailureKind, method: &str, name: &str, message: &str, count: u64) -> MergedError {
    MergedError {
        method: method.into(),
        name: name.into(),
        kind,
        message: message.into(),
        count,
        first_seen_unix_s: STARTED as f64 + 0.4,
        last_seen_unix_s: STARTED as f64 + 2.9,
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
    let target = TargetFacts { on_loopback: true, ..TargetFacts::default() };
    let warnings = Warning::detect(outcome, &environment, usage, target);
    let plan = json!({ "targets": ["http://127.0.0.1:8080/"], "users": 64 });
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
fn text_of_a_scenario_with_tasks_and_exceptions() {
    insta::assert_snapshot!(printed(&report_of(&scenario())));
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
    for outcome in [outcome(), scenario()] {
        assert!(!printed(&report_of(&outcome)).contains('\u{1b}'));
    }
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
fn a_report_of_tasks_and_exceptions_reads_back_as_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("run.json");
    let report = report_of(&scenario());
    ReportFile::create(&path).expect("writable").write(&report).expect("written");
    let read_back = Report::load(&path).expect("own report");
    assert_eq!(read_back, report);
    assert_eq!(printed(&read_back), printed(&report));

    let names: Vec<&str> = report.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["browse", "order"]);
    assert_eq!((report.totals.requests, report.totals.failures), (132, 6), "tasks are not in it");
    let errors = report.errors.iter().map(|error| (error.method.as_str(), error.name.as_str()));
    let explained = [("GET", "/products/[id]"), ("TASK", "browse"), ("TASK", "order")];
    assert_eq!(errors.collect::<Vec<_>>(), explained);
    let exceptions = report.exceptions.iter().map(|exception| (&*exception.task, exception.count));
    let expected = [("Buyer.on_start", 1), ("Shopper.order", 6), ("Shopper.pay\u{1b}[2J", 12_345)];
    assert_eq!(exceptions.collect::<Vec<_>>(), expected);
}

#[test]
fn a_report_from_before_tasks_and_exceptions_still_reads() {
    let report = report_of(&outcome());
    let mut document = serde_json::to_value(&report).expect("serialises");
    let keys = document.as_object_mut().expect("it is an object");
    for key in ["refused", "tasks", "exceptions"] {
        assert!(keys.remove(key).is_some(), "{key}");
    }
    let connections = keys["connections"].as_object_mut().expect("it is an object");
    connections.remove("entries").expect("it was there");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("run.json");
    fs::write(&path, document.to_string()).expect("writable");

    let mut read_back = Report::load(&path).expect("an older report");
    read_back.connections.entries = report.connections.entries.clone();
    assert_eq!(read_back, report);
}

#[test]
fn thresholds_see_in_a_report_what_they_saw_in_the_run() {
    let outcome = scenario();
    let report = report_of(&outcome);
    let entries: Vec<&MergedEntry> = outcome.entries.iter().collect();
    let live = Live { entries: &entries, measured: outcome.measured };
    let names = ["browse", "TASK order", "/products/[id]", "CONNECT 127.0.0.1:8080", "COMMAND x"];
    let wanted = names.into_iter().map(Some).chain([None]);
    let both = wanted.map(|name| [report.figures(name), live.figures(name)]);
    let requests: Vec<Option<u64>> = both
        .map(|both| {
            let [report, live] =
                both.map(|f| f.map(|f| (f.requests, f.times.map(|t| t.histogram))));
            assert_eq!(report, live);
            live.map(|(requests, _)| requests)
        })
        .collect();
    assert_eq!(requests, [Some(60), Some(12), Some(120), Some(2), None, Some(132)]);
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
    locust_json::write(&mut out, &outcome).expect("memory takes every write");
    insta::assert_snapshot!(String::from_utf8(out).expect("JSON is text"));
}

#[test]
fn tasks_are_entries_of_locusts_json() {
    let listed = entries_of_json(&scenario());
    let methods: Vec<&str> =
        listed.iter().map(|entry| entry["method"].as_str().expect("it is text")).collect();
    assert_eq!(methods, ["GET", "TASK", "ASYNC", "TASK", "COMMAND"]);
    assert_eq!((&listed[1]["name"], &listed[1]["num_failures"]), (&json!("browse"), &json!(6)));
}

/// Stamps of exchanges count from the run's origin, of which an outcome gives no time; a reset moves its start away.
#[test]
fn times_in_locusts_json_survive_a_reset_of_the_statistics() {
    let stamps = |outcome: &RunOutcome| -> Vec<[f64; 2]> {
        let seconds = |entry: &Value, key: &str| entry[key].as_f64().expect("it is a number");
        let entries = entries_of_json(outcome);
        let both = ["start_time", "last_request_timestamp"];
        entries.iter().map(|entry| both.map(|key| seconds(entry, key))).collect()
    };
    let outcome = RunOutcome { ended_by: EndedBy::Requests, ..outcome() };
    let last_ns = outcome.entries.iter().filter_map(|entry| entry.counts.last_end_ns).max();
    let measured = Duration::from_nanos(last_ns.expect("it measured something") - WARM_UP_NS);
    let whole = RunOutcome { measured, ..outcome };
    let ramp = Duration::from_millis(1_500);
    let reset = RunOutcome {
        started_at: whole.started_at + ramp,
        counted_from: whole.counted_from + ramp,
        measured: whole.measured - ramp,
        ..whole.clone()
    };
    for (whole, reset) in stamps(&whole).into_iter().zip(stamps(&reset)) {
        for (whole, reset) in whole.into_iter().zip(reset) {
            assert!((whole - reset).abs() < 1e-5, "{whole} and {reset}");
        }
    }
}

fn entries_of_json(outcome: &RunOutcome) -> Vec<Value> {
    let mut out = Vec::new();
    locust_json::write(&mut out, outcome).expect("memory takes every write");
    serde_json::from_slice(&out).expect("own JSON")
}

fn write_csv(outcome: &RunOutcome, full_history: bool) -> [String; 4] {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let prefix = directory.path().join("new/folder/run");
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
    let files = write_csv(&outcome(), false);
    assert!(files.iter().all(|file| file.matches('\n').count() == file.matches("\r\n").count()));
    insta::assert_snapshot!(files.join("\n").replace('\r', "").replace('\u{1b}', "<ESC>"));
}

#[test]
fn csv_full_history_has_a_row_for_each_entry() {
    let [_, history, ..] = write_csv(&outcome(), true);
    insta::assert_snapshot!(history.replace('\r', "").replace('\u{1b}', "<ESC>"));
}

#[test]
fn csv_files_of_a_scenario_with_tasks_and_exceptions() {
    let files = write_csv(&scenario(), true);
    insta::assert_snapshot!(files.join("\n").replace('\r', "").replace('\u{1b}', "<ESC>"));
}

#[test]
fn csv_history_forgets_what_a_reset_of_the_statistics_forgot() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let prefix = directory.path().join("run");
    let mut files = CsvFiles::create(&prefix, true).expect("writable");
    let mut write = |second: u64, elapsed_s: u64, times_us: &[u64]| {
        let entry = entry(EntryKind::Exchange, "GET", "/", times_us, 0);
        let snapshot = CsvSnapshot {
            elapsed: Duration::from_secs(elapsed_s),
            unix_second: STARTED + second,
            users: 1,
            entries: &[&entry],
            errors: &[],
        };
        files.write(&snapshot).expect("written");
    };
    write(2, 2, &[1_000; 50]);
    write(6, 6, &[1_000; 80]);
    write(7, 1, &[1_000; 10]); // forgotten a second ago
    write(12, 6, &[vec![1_000; 60], vec![3_000; 40]].concat());
    let history = fs::read_to_string(directory.path().join("run_stats_history.csv"));
    let history = history.expect("was created");
    let last = history.lines().last().expect("it has rows");
    // Less the 50 of the first write, ten seconds ago, the median would be 3 ms.
    assert_eq!(last.split(',').nth(6), Some("1"), "{last}");
}

#[test]
fn csv_files_that_cannot_be_written_are_told_at_once() {
    let error = CsvFiles::create("/proc/nowhere/run".as_ref(), false).expect_err("not writable");
    assert!(
        error.to_string().starts_with("cannot write the CSV files /proc/nowhere/run_*.csv: "),
        "{error}"
    );
}
