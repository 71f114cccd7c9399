//! Merging: shards that hand over when they can, merged, equal one recorder fed the same exchanges.

#![cfg(not(loadr_loom))]

use std::collections::VecDeque;

use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{
    EntryIndex, EntryKey, EntryKind, Exchange, MergedEntry, MergedError, Merger, OTHER_ERRORS,
    OTHER_NAME, Recorder, RecorderOptions, ShardFigures, Snapshot,
};
use proptest::prelude::*;

const SHARDS: usize = 3;
const KINDS: [FailureKind; 3] =
    [FailureKind::Reset, FailureKind::Status, FailureKind::ConnectRefused];

/// One thing that happens to one shard, or to the clock of all.
#[derive(Clone, Debug)]
enum Step {
    Exchange {
        shard: usize,
        name: u8,
        exchange: Exchange,
    },
    Failure {
        shard: usize,
        name: u8,
        exchange: Exchange,
        kind: usize,
        message: u8,
    },
    HandOver {
        shard: usize,
    },
    HandOverFresh {
        shard: usize,
    },
    /// The coordinator reads the oldest snapshot of a shard and sends it back cleared.
    Absorb {
        shard: usize,
    },
    Second,
}

fn exchange() -> impl Strategy<Value = Exchange> {
    let sizes = (0_u64..1 << 20, 0_u64..1 << 20, 0_u64..1 << 20);
    (0_u64..1 << 40, 0_u64..1 << 43, sizes, any::<bool>()).prop_map(
        |(start_ns, response_ns, (body_bytes, bytes_received, bytes_sent), failed)| Exchange {
            start_ns,
            end_ns: start_ns + response_ns,
            body_bytes,
            bytes_received,
            bytes_sent,
            failed,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let shard = || 0..SHARDS;
    prop_oneof![
        8 => (shard(), 0_u8..6, exchange())
            .prop_map(|(shard, name, exchange)| Step::Exchange { shard, name, exchange }),
        4 => (shard(), 0_u8..6, exchange(), 0..KINDS.len(), 0_u8..3)
            .prop_map(|(shard, name, exchange, kind, message)| {
                Step::Failure { shard, name, exchange, kind, message }
            }),
        4 => shard().prop_map(|shard| Step::HandOver { shard }),
        1 => shard().prop_map(|shard| Step::HandOverFresh { shard }),
        3 => shard().prop_map(|shard| Step::Absorb { shard }),
        2 => Just(Step::Second),
    ]
}

/// Names 4 and 5 are connections, which the Aggregated row leaves out.
fn record(recorder: &mut Recorder, name: u8, with: impl FnOnce(&mut Recorder, EntryIndex)) {
    let kind = if name < 4 { EntryKind::Exchange } else { EntryKind::Connection };
    let entry = recorder.entry(kind, "GET", &format!("/item/{name}"));
    with(recorder, entry);
}

/// A shard with the two queues that stand for its rings.
struct Shard {
    recorder: Recorder,
    up: VecDeque<Box<Snapshot>>,
    down: VecDeque<Box<Snapshot>>,
}

impl Shard {
    fn new(shard: usize) -> Self {
        let options =
            RecorderOptions { shard: shard as u32, buffers: 2, ..RecorderOptions::default() };
        Shard { recorder: Recorder::new(options), up: VecDeque::new(), down: VecDeque::new() }
    }

    fn absorb(&mut self, merger: &mut Merger) {
        if let Some(mut snapshot) = self.up.pop_front() {
            merger.absorb(&snapshot);
            snapshot.clear();
            self.down.push_back(snapshot);
        }
    }
}

fn figures(unix_second: u64) -> ShardFigures {
    ShardFigures { unix_second, ..ShardFigures::default() }
}

/// Plays the steps on several shards and on one recorder, and merges both.
fn play(steps: &[Step]) -> (Merger, Merger) {
    let mut shards: Vec<Shard> = (0..SHARDS).map(Shard::new).collect();
    let mut alone = Recorder::new(RecorderOptions::default());
    let (mut merged, mut expected) = (Merger::default(), Merger::default());
    let mut second = 1_000;
    for (index, step) in steps.iter().enumerate() {
        let unix_s = second as f64 + index as f64 / 1_000.0;
        match step {
            Step::Exchange { shard, name, exchange } => {
                for recorder in [&mut shards[*shard].recorder, &mut alone] {
                    record(recorder, *name, |recorder, entry| recorder.record(entry, exchange));
                }
            }
            Step::Failure { shard, name, exchange, kind, message } => {
                let text = format!("message {message}");
                for recorder in [&mut shards[*shard].recorder, &mut alone] {
                    record(recorder, *name, |recorder, entry| {
                        recorder.record_failure(entry, exchange, KINDS[*kind], &text, unix_s);
                    });
                }
            }
            Step::HandOver { shard } => {
                let shard = &mut shards[*shard];
                let cleared = shard.down.pop_front();
                cleared.into_iter().for_each(|snapshot| shard.recorder.take_back(snapshot));
                shard.up.extend(shard.recorder.hand_over(&figures(second)));
            }
            Step::HandOverFresh { shard } => {
                let shard = &mut shards[*shard];
                shard.up.push_back(shard.recorder.hand_over_fresh(&figures(second), 0));
            }
            Step::Absorb { shard } => shards[*shard].absorb(&mut merged),
            Step::Second => {
                shards.iter_mut().for_each(|shard| shard.recorder.close_second(second));
                alone.close_second(second);
                second += 1;
            }
        }
    }
    for shard in &mut shards {
        shard.up.push_back(shard.recorder.hand_over_fresh(&figures(second), 0));
        while !shard.up.is_empty() {
            shard.absorb(&mut merged);
        }
    }
    expected.absorb(&alone.hand_over_fresh(&figures(second), 0));
    (merged, expected)
}

/// In the order of their keys: shards are absorbed in another order than things happened.
fn sorted(merger: Merger) -> (Vec<MergedEntry>, Vec<MergedError>) {
    let (mut entries, mut errors) = merger.into_parts();
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    let key = |e: &MergedError| (e.method.clone(), e.name.clone(), e.kind, e.message.clone());
    errors.sort_by_key(key);
    (entries, errors)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn merged_shards_equal_one_recorder(steps in prop::collection::vec(step(), 0..120)) {
        let (mut merged, mut expected) = play(&steps);
        prop_assert_eq!(merged.total(), expected.total());
        prop_assert_eq!(merged.take_interval(), merged.total());
        prop_assert_eq!(expected.take_interval(), expected.total());
        prop_assert_eq!(sorted(merged), sorted(expected));
    }
}

fn snapshot_of(recorder: &mut Recorder, names: &[&str]) -> Box<Snapshot> {
    for name in names {
        let entry = recorder.entry(EntryKind::Exchange, "GET", name);
        let exchange = Exchange { end_ns: 1_000, ..Exchange::default() };
        recorder.record_failure(entry, &exchange, FailureKind::Status, "500", 1.0);
    }
    recorder.hand_over_fresh(&figures(1), 0)
}

#[test]
fn a_reset_forgets_counts_and_keeps_names() {
    let mut recorder = Recorder::new(RecorderOptions::default());
    let mut merger = Merger::default();
    merger.absorb(&snapshot_of(&mut recorder, &["/warm", "/both"]));
    merger.reset();
    assert_eq!((merger.entries().count(), merger.errors().count()), (0, 0));
    assert!(merger.total().is_empty() && merger.take_interval().is_empty());

    // "/both" is known already, so its key is not in this snapshot.
    merger.absorb(&snapshot_of(&mut recorder, &["/both"]));
    let (entries, errors) = merger.into_parts();
    let [entry] = &entries[..] else { panic!("one entry") };
    assert_eq!(entry.key, EntryKey::new(EntryKind::Exchange, "GET", "/both"));
    assert_eq!((entry.counts.requests, entry.counts.failures), (1, 1));
    assert_eq!((errors.len(), errors[0].count), (1, 1));
}

#[test]
fn an_interval_is_what_the_total_grew_by() {
    let mut recorder = Recorder::new(RecorderOptions::default());
    let mut merger = Merger::default();
    merger.absorb(&snapshot_of(&mut recorder, &["/", "/"]));
    assert_eq!(merger.take_interval().requests, 2);
    merger.absorb(&snapshot_of(&mut recorder, &["/"]));
    assert_eq!(merger.take_interval().requests, 1);
    assert_eq!(merger.total().requests, 3);
}

#[test]
fn the_bounds_hold_over_all_shards() {
    let options = RecorderOptions { names_max: 2, errors_max: 2, ..RecorderOptions::default() };
    let mut merger = Merger::new(&options);
    for (shard, names) in [["/a", "/b"], ["/b", "/c"], ["/d", "/e"]].iter().enumerate() {
        let options = RecorderOptions { shard: shard as u32, ..options.clone() };
        merger.absorb(&snapshot_of(&mut Recorder::new(options), names));
    }
    let (entries, errors) = merger.into_parts();
    let entries: Vec<_> = entries.iter().map(|e| (&*e.key.name, e.counts.requests)).collect();
    assert_eq!(entries, [("/a", 1), ("/b", 2), (OTHER_NAME, 3)]);
    let errors: Vec<_> = errors.iter().map(|e| (&*e.name, &*e.message, e.count)).collect();
    assert_eq!(errors, [("/a", "500", 1), ("/b", "500", 2), ("", OTHER_ERRORS, 3)]);
}

#[test]
#[should_panic(expected = "each once and in order")]
fn a_missing_snapshot_is_a_bug() {
    let mut recorder = Recorder::new(RecorderOptions::default());
    drop(snapshot_of(&mut recorder, &["/"]));
    Merger::default().absorb(&snapshot_of(&mut recorder, &["/"]));
}
