//! One recorder: names and errors within their bounds, seconds, and what rides in which snapshot.

#![cfg(not(loadr_loom))]

use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{
    EntryKey, EntryKind, Exchange, OTHER_ERRORS, OTHER_NAME, Recorder, RecorderOptions,
    SecondCount, ShardFigures, Snapshot,
};

const MS: u64 = 1_000_000;

fn exchange(start_ns: u64, end_ns: u64) -> Exchange {
    Exchange {
        start_ns,
        end_ns,
        body_bytes: 10,
        bytes_received: 160,
        bytes_sent: 40,
        failed: false,
    }
}

fn at(unix_second: u64) -> ShardFigures {
    ShardFigures { now_ns: unix_second * 1_000 * MS, unix_second, ..ShardFigures::default() }
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.new_entries.iter().map(|key| &*key.name).collect()
}

fn messages(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.new_errors.iter().map(|key| &*key.message).collect()
}

#[test]
fn counts_what_it_is_told() {
    let mut recorder = Recorder::new(RecorderOptions { shard: 7, ..RecorderOptions::default() });
    let entry = recorder.entry(EntryKind::Exchange, "GET", "/");
    recorder.record(entry, &exchange(5 * MS, 7 * MS));
    recorder.record(entry, &exchange(3 * MS, 4 * MS));
    recorder.record_failure(entry, &exchange(8 * MS, 9 * MS), FailureKind::Reset, "reset", 1.5);
    recorder.record_failure(entry, &exchange(8 * MS, 9 * MS), FailureKind::Reset, "reset", 2.5);
    let figures = ShardFigures {
        users: 3,
        users_max: 5,
        in_flight: 2,
        cpu_user_ns: 11,
        cpu_system_ns: 12,
        ..at(9)
    };
    let snapshot = recorder.hand_over(&figures).expect("spares are there from the start");

    assert_eq!((snapshot.shard, snapshot.epoch, snapshot.sequence), (7, 0, 0));
    assert_eq!((snapshot.window_start_ns, snapshot.window_end_ns), (0, 9_000 * MS));
    assert_eq!((snapshot.users, snapshot.users_max, snapshot.in_flight), (3, 5, 2));
    assert_eq!((snapshot.cpu_user_ns, snapshot.cpu_system_ns, snapshot.last), (11, 12, false));
    assert_eq!(snapshot.new_entries, [EntryKey::new(EntryKind::Exchange, "GET", "/")]);

    let entries: Vec<_> = snapshot.entries().collect();
    let [(index, counts)] = entries[..] else { panic!("one entry") };
    assert_eq!(index, entry);
    assert_eq!((counts.requests, counts.failures), (4, 2));
    assert_eq!((counts.body_bytes, counts.bytes_received, counts.bytes_sent), (40, 640, 160));
    assert_eq!((counts.first_start_ns, counts.last_end_ns), (Some(3 * MS), Some(9 * MS)));
    assert_eq!(counts.response_time.sum_ns(), 5 * u128::from(MS));
    assert_eq!(counts.per_second, [SecondCount { unix_second: 9, requests: 4, failures: 2 }]);

    let errors: Vec<_> = snapshot.errors().collect();
    let [(0, error)] = errors[..] else { panic!("one error") };
    assert_eq!((error.count, error.first_seen_unix_s, error.last_seen_unix_s), (2, 1.5, 2.5));
    assert_eq!(snapshot.new_errors[0].entry, Some(entry));
}

#[test]
fn an_entry_is_known_by_kind_method_and_name() {
    let mut recorder = Recorder::new(RecorderOptions::default());
    let get = recorder.entry(EntryKind::Exchange, "GET", "/");
    assert_eq!(recorder.entry(EntryKind::Exchange, "GET", "/"), get);
    let others = [
        recorder.entry(EntryKind::Exchange, "POST", "/"),
        recorder.entry(EntryKind::Exchange, "GET", "/a"),
        recorder.entry(EntryKind::Exchange, "GE", "T/"),
        recorder.entry(EntryKind::Connection, "GET", "/"),
    ];
    assert_eq!(others.map(|entry| entry.as_usize()), [1, 2, 3, 4]);
    assert_eq!(recorder.key(others[2]), &EntryKey::new(EntryKind::Exchange, "GE", "T/"));
}

#[test]
fn names_past_the_bound_share_one_entry_of_their_kind() {
    let options = RecorderOptions { names_max: 2, ..RecorderOptions::default() };
    let mut recorder = Recorder::new(options);
    let known = recorder.entry(EntryKind::Exchange, "GET", "/1");
    recorder.entry(EntryKind::Exchange, "GET", "/2");
    let other = recorder.entry(EntryKind::Exchange, "GET", "/3");
    assert_eq!(recorder.key(other), &EntryKey::new(EntryKind::Exchange, "", OTHER_NAME));
    assert_eq!(recorder.entry(EntryKind::Exchange, "POST", "/4"), other);
    assert_eq!(recorder.entry(EntryKind::Exchange, "GET", "/1"), known);
    let connection = recorder.entry(EntryKind::Connection, "CONNECT", "b");
    assert_eq!(recorder.key(connection), &EntryKey::new(EntryKind::Connection, "", OTHER_NAME));

    let snapshot = recorder.hand_over(&at(1)).unwrap();
    assert_eq!(names(&snapshot), ["/1", "/2", OTHER_NAME, OTHER_NAME]);
}

#[test]
fn errors_past_the_bound_are_counted_as_one() {
    let mut recorder =
        Recorder::new(RecorderOptions { errors_max: 2, ..RecorderOptions::default() });
    let entry = recorder.entry(EntryKind::Exchange, "GET", "/");
    for message in ["a", "b", "c", "d", "a"] {
        recorder.record_failure(entry, &exchange(0, MS), FailureKind::Protocol, message, 1.0);
    }
    let snapshot = recorder.hand_over(&at(1)).unwrap();
    assert_eq!(messages(&snapshot), ["a", "b", OTHER_ERRORS]);
    assert_eq!(snapshot.new_errors[2].entry, None);
    let counts: Vec<_> = snapshot.errors().map(|(_, error)| error.count).collect();
    assert_eq!(counts, [2, 1, 2]);
}

#[test]
fn keeps_filling_until_a_cleared_snapshot_comes_back() {
    let mut recorder = Recorder::new(RecorderOptions { buffers: 2, ..RecorderOptions::default() });
    let entry = recorder.entry(EntryKind::Exchange, "GET", "/");
    recorder.record(entry, &exchange(0, MS));
    let mut first = recorder.hand_over(&at(1)).unwrap();

    recorder.record(entry, &exchange(1_100 * MS, 1_200 * MS));
    let late = recorder.entry(EntryKind::Exchange, "GET", "/late");
    let crowded = ShardFigures { users: 1, users_max: 9, ..at(2) };
    assert!(recorder.hand_over(&crowded).is_none());
    recorder.record(entry, &exchange(2_100 * MS, 2_200 * MS));
    recorder.record(late, &exchange(2_100 * MS, 2_200 * MS));

    first.clear();
    assert!(first.is_empty());
    recorder.take_back(first);
    let second = recorder.hand_over(&at(3)).unwrap();
    assert_eq!((second.sequence, second.handovers_missed, second.users_max), (1, 1, 9));
    assert_eq!((second.window_start_ns, second.window_end_ns), (1_000 * MS, 3_000 * MS));
    assert_eq!(names(&second), ["/late"], "keys are announced once");
    let (_, counts) = second.entries().next().unwrap();
    let seconds: Vec<_> =
        counts.per_second.iter().map(|row| (row.unix_second, row.requests)).collect();
    assert_eq!(seconds, [(2, 1), (3, 1)], "the seconds stay apart");
}

#[test]
fn a_snapshot_that_comes_back_carries_nothing_over() {
    let mut recorder = Recorder::new(RecorderOptions { buffers: 2, ..RecorderOptions::default() });
    let entry = recorder.entry(EntryKind::Exchange, "GET", "/");
    recorder.record_failure(entry, &exchange(0, MS), FailureKind::Closed, "closed", 1.0);
    let mut first = recorder.hand_over(&at(1)).unwrap();
    first.clear();
    recorder.take_back(first);
    recorder.hand_over(&at(2)).unwrap();

    let third = recorder.hand_over_fresh(&at(3), 0);
    assert!(third.is_empty());
    assert_eq!((third.entries().count(), third.errors().count()), (0, 0));
    assert_eq!((third.sequence, third.window_start_ns), (2, 2_000 * MS));
}

#[test]
fn an_epoch_ends_with_all_of_its_exchanges() {
    let mut recorder = Recorder::new(RecorderOptions { buffers: 1, ..RecorderOptions::default() });
    let entry = recorder.entry(EntryKind::Exchange, "GET", "/");
    recorder.record(entry, &exchange(0, MS));
    assert!(recorder.hand_over(&at(1)).is_none());
    recorder.record(entry, &exchange(0, MS));
    let warm_up = recorder.hand_over_fresh(&at(2), 1);
    recorder.record(entry, &exchange(0, MS));
    let measured = recorder.hand_over_fresh(&at(2), 1);

    assert_eq!((warm_up.epoch, measured.epoch), (0, 1));
    let rows = |snapshot: &Snapshot| {
        let (_, counts) = snapshot.entries().next().unwrap();
        let rows = counts.per_second.iter().map(|row| (row.unix_second, row.requests));
        rows.collect::<Vec<_>>()
    };
    assert_eq!(rows(&warm_up), [(1, 1), (2, 1)]);
    assert_eq!(rows(&measured), [(2, 1)], "a second cut by the epoch has a row in each");
}
