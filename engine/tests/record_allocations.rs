//! Recording allocates nothing once warm: counted by an allocator that counts, on this thread only.

#![cfg(not(loadr_loom))]

#[path = "support/counting.rs"]
mod counting;

use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{EntryKind, Exchange, Recorder, RecorderOptions, ShardFigures};

use counting::allocations;

fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = allocations();
    work();
    allocations() - before
}

/// Response times of every magnitude, so that new pages are touched again and again.
fn exchanges() -> impl Iterator<Item = Exchange> {
    (0..5_000_u64).map(|i| {
        let end_ns = (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24) >> (i % 40);
        Exchange { end_ns, bytes_received: 160, ..Exchange::default() }
    })
}

#[test]
fn recording_allocates_nothing_from_the_first_exchange_on_where_names_are_few() {
    let mut recorder = Recorder::new(RecorderOptions::default());
    let entries: Vec<_> =
        (0..4).map(|i| recorder.entry(EntryKind::Exchange, "GET", &format!("/item/{i}"))).collect();
    let failing = entries[0];
    let failure = Exchange { end_ns: 1_000, ..Exchange::default() };
    recorder.record_failure(failing, &failure, FailureKind::Status, "500", 1.0);

    for unix_second in 1..6 {
        let allocations = allocations_of(|| {
            for (i, exchange) in exchanges().enumerate() {
                recorder.record(entries[i % entries.len()], &exchange);
            }
            recorder.record_failure(failing, &failure, FailureKind::Status, "500", 2.0);
            recorder.entry(EntryKind::Exchange, "GET", "/item/3");
        });
        assert_eq!(allocations, 0, "in second {unix_second}");
        let figures = ShardFigures { unix_second, ..ShardFigures::default() };
        if let Some(mut full) = recorder.hand_over(&figures) {
            full.clear();
            recorder.take_back(full);
        }
    }
}

#[test]
fn the_hand_over_itself_allocates_nothing_once_every_snapshot_went_round() {
    let mut recorder = Recorder::new(RecorderOptions::default());
    let entry = recorder.entry(EntryKind::Exchange, "GET", "/");
    let mut turn = |unix_second| {
        exchanges().for_each(|exchange| recorder.record(entry, &exchange));
        let figures = ShardFigures { unix_second, ..ShardFigures::default() };
        let mut full = recorder.hand_over(&figures).expect("each one comes back at once");
        full.clear();
        recorder.take_back(full);
    };
    (0..4).for_each(&mut turn);
    assert_eq!(allocations_of(|| (4..20).for_each(turn)), 0);
}

#[test]
fn a_name_that_is_known_or_past_the_bound_is_found_without_allocating() {
    let mut recorder =
        Recorder::new(RecorderOptions { names_max: 1, ..RecorderOptions::default() });
    let known = recorder.entry(EntryKind::Exchange, "GET", "/known");
    let other = recorder.entry(EntryKind::Exchange, "GET", "/past");
    let allocations = allocations_of(|| {
        assert_eq!(recorder.entry(EntryKind::Exchange, "GET", "/known"), known);
        assert_eq!(recorder.entry(EntryKind::Exchange, "GET", "/past the bound"), other);
    });
    assert_eq!(allocations, 0);
}
