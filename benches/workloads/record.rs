//! Recording: what every exchange costs after its last byte is there.
//!
//! The 1 000 entries take turns, so that each one's counters have left the nearest cache by the
//! time they are needed again: the price of many names. They are warmed up with every pairing of an
//! entry and a response time, so that no page of a histogram is touched for the first time while
//! measured.

use std::hint::black_box;

use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{
    EntryIndex, EntryKind, Histogram, Recorder, RecorderOptions, ShardFigures,
};

use super::digest::Digest;
use super::response_times::{PERIOD, ResponseTimes};
use super::{Measured, Workload};

/// One response time into a histogram.
pub(crate) static HISTOGRAM: Workload = Workload {
    group: "record",
    name: "histogram",
    operations: PERIOD as u64,
    digest: 0xee70_b13a_0d02_798c,
    start: || {
        Box::new(HistogramAlone { times: ResponseTimes::new(), histogram: Histogram::default() })
    },
};

/// One exchange of the only entry.
pub(crate) static ENTRIES_1: Workload = Workload {
    group: "record",
    name: "entries_1",
    operations: PERIOD as u64,
    digest: 0x72a5_54c9_e4fd_e294,
    start: || Box::new(Record::new(1)),
};

/// One exchange of the next of 1 000 entries.
pub(crate) static ENTRIES_1000: Workload = Workload {
    group: "record",
    name: "entries_1000",
    // The least common multiple of entries and response times.
    operations: 128_000,
    digest: 0xb773_3b81_72c9_426a,
    start: || Box::new(Record::new(1_000)),
};

/// One failed exchange, with an error that has occurred before.
pub(crate) static KNOWN_FAILURE: Workload = Workload {
    group: "record",
    name: "known_failure",
    operations: PERIOD as u64,
    digest: 0x490c_3846_53f0_7f64,
    start: || Box::new(RecordFailure(Record::new(1))),
};

struct HistogramAlone {
    times: ResponseTimes,
    histogram: Histogram,
}

impl Measured for HistogramAlone {
    fn run(&mut self, operations: u64) {
        for _ in 0..operations {
            self.histogram.record_ns(self.times.next_ns());
        }
        black_box(&mut self.histogram);
    }

    fn digest(self: Box<Self>) -> u64 {
        Digest::new().histogram(&self.histogram).finish()
    }
}

struct Record {
    recorder: Recorder,
    entries: Vec<EntryIndex>,
    turn: usize,
    times: ResponseTimes,
}

impl Record {
    fn new(names: usize) -> Self {
        let mut recorder = Recorder::new(RecorderOptions::default());
        let entries = (0..names)
            .map(|name| recorder.entry(EntryKind::Exchange, "GET", &format!("/item/{name}")))
            .collect();
        Self { recorder, entries, turn: 0, times: ResponseTimes::new() }
    }

    #[inline]
    fn next_entry(&mut self) -> EntryIndex {
        let entry = self.entries[self.turn];
        self.turn += 1;
        if self.turn == self.entries.len() {
            self.turn = 0;
        }
        entry
    }
}

impl Measured for Record {
    fn run(&mut self, operations: u64) {
        for _ in 0..operations {
            let entry = self.next_entry();
            self.recorder.record(entry, &self.times.next_exchange());
        }
        black_box(&mut self.recorder);
    }

    fn digest(mut self: Box<Self>) -> u64 {
        let snapshot = self.recorder.hand_over_fresh(&ShardFigures::default(), 0);
        let entries = snapshot.entries().fold(Digest::new(), |digest, (entry, counts)| {
            digest.number(entry.as_usize() as u64).counts(counts)
        });
        let errors = snapshot.errors();
        errors
            .fold(entries, |digest, (error, counts)| {
                digest.number(error as u64).number(counts.count)
            })
            .finish()
    }
}

struct RecordFailure(Record);

impl Measured for RecordFailure {
    fn run(&mut self, operations: u64) {
        let Record { recorder, entries, times, .. } = &mut self.0;
        for _ in 0..operations {
            let (exchange, kind) = (times.next_exchange(), FailureKind::Status);
            recorder.record_failure(entries[0], &exchange, kind, black_box("HTTP 503"), 1.0);
        }
        black_box(recorder);
    }

    fn digest(self: Box<Self>) -> u64 {
        Box::new(self.0).digest()
    }
}
