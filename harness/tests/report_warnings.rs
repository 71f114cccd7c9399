//! Each doubt about a result is raised by its figures, and only by them.

use std::time::{Duration, SystemTime};

use loadr::environment::{Cpus, Environment, GeneratorUsage};
use loadr::warning::{ReportedWarning, TargetFacts, Warning};
use loadr_engine::coordinator::{EndedBy, RunOutcome, ShardOutcome};
use loadr_engine::record::{
    EntryCounts, EntryKey, EntryKind, Exchange, MergedEntry, OTHER_NAME, SecondCount,
};
use loadr_engine::runtime::RuntimeKind;

/// A run with nothing to doubt: enough samples for p99.99, a shard with CPU time to spare.
fn sound() -> (RunOutcome, Environment, GeneratorUsage) {
    let outcome = RunOutcome {
        started_at: SystemTime::UNIX_EPOCH,
        counted_from: Duration::ZERO,
        measured: Duration::from_secs(10),
        warm_up: None,
        entries: vec![entry("/", 100_000, 0)],
        errors: Vec::new(),
        series: Vec::new(),
        shards: vec![shard(0, 5_000), shard(1, 9_400)],
        cut_off: 64,
        users_max: 64,
        ended_by: EndedBy::RunTime,
        refused: None,
    };
    let environment = Environment {
        cpus: Cpus { online: vec![0, 1, 2], allowed: vec![0, 1] },
        clock: Some("tsc".to_owned()),
        build_profile: "release".to_owned(),
        ..Environment::default()
    };
    (outcome, environment, GeneratorUsage { rss_bytes_max: None, cpu_steal_percent: Some(0.3) })
}

fn entry(name: &str, requests: u64, failures: u64) -> MergedEntry {
    let mut counts = EntryCounts::default();
    for n in 0..requests {
        // The last of a run of ten seconds, after one millisecond each.
        let (start_ns, end_ns) = (9_999_000_000, 10_000_000_000);
        let exchange = Exchange { start_ns, end_ns, failed: n < failures, ..Exchange::default() };
        counts.record(&exchange);
    }
    MergedEntry { key: EntryKey::new(EntryKind::Exchange, "GET", name), counts }
}

fn shard(index: usize, busy_ms: u64) -> ShardOutcome {
    ShardOutcome {
        index,
        cpu: Some(index),
        runtime: RuntimeKind::Monoio,
        cpu_user: Duration::from_millis(busy_ms / 4),
        cpu_system: Duration::from_millis(busy_ms - busy_ms / 4),
        users_max: 32,
        handovers_missed: 0,
        panicked: None,
    }
}

fn detect(
    spoil: impl FnOnce(&mut RunOutcome, &mut Environment, &mut GeneratorUsage),
) -> Vec<Warning> {
    let (mut outcome, mut environment, mut usage) = sound();
    spoil(&mut outcome, &mut environment, &mut usage);
    let target = TargetFacts { on_loopback: true, certificates_unchecked: true };
    Warning::detect(&outcome, &environment, usage, target)
}

#[test]
fn a_sound_run_raises_none() {
    assert_eq!(detect(|_, _, _| {}), []);
}

#[test]
fn a_target_that_stalls_before_the_end_is_told() {
    let stalled = |answered_last_ns: u64| {
        detect(|run, _, _| run.entries[0].counts.last_end_ns = Some(answered_last_ns))
    };
    assert_eq!(stalled(8_500_000_000), [Warning::SilentAtEnd { cut_off: 64, silent_s: 1.5 }]);
    assert_eq!(stalled(9_600_000_000), [], "a short silence says nothing");
    let all_answered = detect(|run, _, _| {
        run.entries[0].counts.last_end_ns = Some(8_500_000_000);
        run.cut_off = 0;
    });
    assert_eq!(all_answered, [], "users that wait of their own accord are no silence");
}

#[test]
fn a_silence_is_held_against_the_pauses_that_users_make() {
    let paused = |answered_in: &[u64]| {
        detect(|run, _, _| {
            let counts = &mut run.entries[0].counts;
            counts.last_end_ns = Some(6_500_000_000);
            let row = |second: &u64| SecondCount { unix_second: *second, requests: 1, failures: 0 };
            counts.per_second = answered_in.iter().map(row).collect();
        })
    };
    let told = [Warning::SilentAtEnd { cut_off: 64, silent_s: 3.5 }];
    assert_eq!(paused(&[100, 101, 102, 103, 104, 105, 106]), told);
    assert_eq!(paused(&[100, 101, 103, 104, 106]), told, "pauses of three seconds at most");
    assert_eq!(paused(&[100, 103, 106]), [], "users wait for three seconds between tasks");
}

#[test]
fn tasks_are_no_samples_of_the_percentiles_but_measured_all_the_same() {
    let task = |requests| {
        let task = entry("browse", requests, requests / 2);
        MergedEntry { key: EntryKey::new(EntryKind::Task, "TASK", "browse"), ..task }
    };
    assert_eq!(detect(|run, _, _| run.entries.push(task(20))), []);
    let alone = detect(|run, _, _| (run.entries, run.cut_off) = (vec![task(20)], 0));
    assert_eq!(alone, [], "tasks that make no exchange, such as commands");
    let connections = detect(|run, _, _| {
        run.entries[0].key.kind = EntryKind::Connection;
        run.cut_off = 0;
    });
    assert_eq!(connections, [Warning::NothingMeasured]);
}

#[test]
fn each_doubt_alone() {
    let raised = [
        detect(|run, _, _| run.shards[1].panicked = Some("index out of bounds".to_owned())),
        detect(|run, _, _| run.entries.clear()),
        detect(|_, environment, _| environment.build_profile = "debug".to_owned()),
        detect(|run, _, _| {
            run.shards = vec![shard(0, 9_830), shard(1, 9_710), shard(2, 100)]
                .into_iter()
                .map(|shard| ShardOutcome { cpu: None, ..shard })
                .collect()
        }),
        detect(|_, environment, _| environment.cpus.online = vec![0, 1]),
        detect(|_, _, usage| usage.cpu_steal_percent = Some(4.25)),
        detect(|_, environment, _| {
            environment.runtime.fallback =
                Some("io_uring_setup: operation not permitted".to_owned());
        }),
        detect(|_, environment, _| environment.clock = Some("hpet".to_owned())),
        detect(|run, _, _| run.entries[0].counts.response_time.record_ns(3_700_000_000_000)),
        detect(|run, _, _| {
            run.entries = vec![entry("/", 99_000, 1_000)]
                .into_iter()
                .chain([entry("/ok", 1_000, 1)])
                .collect()
        }),
        detect(|run, _, _| run.cut_off = 2_000),
        detect(|run, _, _| (run.entries, run.cut_off) = (vec![entry("/", 3_211, 0)], 0)),
        detect(|run, _, _| run.shards[0].handovers_missed = 2),
        detect(|run, _, _| run.entries.push(entry(OTHER_NAME, 1, 0))),
        detect(|run, _, _| {
            let key = EntryKey::new(EntryKind::Handshake, "TLS full", "h:443");
            run.entries.push(MergedEntry { key, ..entry("", 12, 2) });
        }),
    ];
    let mut text = String::new();
    for warnings in &raised {
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let warning = &warnings[0];
        text += &format!("{}: {}\n  {}\n", warning.kind(), warning.message(), warning.advice());
    }
    insta::assert_snapshot!(text);
}

#[test]
fn the_lowest_percentile_in_doubt_is_named() {
    let named = |requests| {
        let warnings = detect(|run, _, _| {
            run.entries = vec![entry("/", requests, 0)];
            run.cut_off = 0;
        });
        match warnings.as_slice() {
            [] => None,
            [Warning::TooFewSamples { percentile, samples_needed, .. }] => {
                Some((*percentile, *samples_needed))
            }
            other => panic!("{requests} requests raise {other:?}"),
        }
    };
    assert_eq!(named(99), Some(("p90", 100)));
    assert_eq!(named(100), Some(("p99", 1_000)));
    assert_eq!(named(1_000), Some(("p99.9", 10_000)));
    assert_eq!(named(10_000), Some(("p99.99", 100_000)));
    assert_eq!(named(100_000), None);
}

#[test]
fn a_remote_target_shares_no_cpu() {
    let (outcome, mut environment, usage) = sound();
    environment.cpus.online = vec![0, 1];
    assert_eq!(Warning::detect(&outcome, &environment, usage, TargetFacts::default()), []);
}

#[test]
fn figures_are_saved_beside_the_text() {
    let warning = Warning::GeneratorSaturated { shards: vec![0, 1], busy_percent_max: 98.3 };
    let saved = serde_json::to_value(ReportedWarning::from(&warning)).expect("serialises");
    assert_eq!(saved["kind"], "generator-saturated");
    assert_eq!(saved["shards"], serde_json::json!([0, 1]));
    assert_eq!(saved["busy_percent_max"], 98.3);
    let read_back: ReportedWarning = serde_json::from_value(saved).expect("own form");
    assert_eq!(read_back, ReportedWarning::from(&warning));
    assert!(ReportedWarning::from(&Warning::DebugBuild).figures.is_empty());
}
