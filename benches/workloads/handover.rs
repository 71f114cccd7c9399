//! From a shard to the coordinator and back, once an interval.
//!
//! Both ends run on one thread here: the rings' cache lines do not travel between cores, and what
//! is left is what the two sides execute.

use std::hint::black_box;

use loadr_engine::mailbox::{self, Receiver, Sender};
use loadr_engine::record::{
    EntryIndex, EntryKind, Merger, Recorder, RecorderOptions, ShardFigures, Snapshot,
};

use super::digest::Digest;
use super::response_times::ResponseTimes;
use super::{Measured, Workload};

/// One snapshot into the ring and out of it.
pub(crate) static MAILBOX: Workload = Workload {
    group: "handover",
    name: "mailbox",
    operations: 1_000,
    digest: 0xad63_2382_5fa7_66dc,
    start: || Box::new(Mailbox::new()),
};

/// One interval of one name: 32 exchanges recorded, handed over, absorbed and cleared.
pub(crate) static NAMES_1: Workload = Workload {
    group: "handover",
    name: "names_1",
    operations: 256,
    digest: 0x1e02_f7dd_fc60_6ed2,
    start: || Box::new(HandOver::new(1, 32)),
};

/// One interval of 1 000 names: 4 exchanges of each recorded, handed over, absorbed and cleared.
pub(crate) static NAMES_1000: Workload = Workload {
    group: "handover",
    name: "names_1000",
    operations: 8,
    digest: 0xeecd_827f_764a_d508,
    start: || Box::new(HandOver::new(1_000, 4)),
};

/// Values that the engine's rings hold.
const CAPACITY: usize = 64;

struct Mailbox {
    sender: Sender<Box<Snapshot>>,
    receiver: Receiver<Box<Snapshot>>,
}

impl Mailbox {
    fn new() -> Self {
        let (sender, receiver) = mailbox::channel(CAPACITY);
        sender.try_send(Box::default()).expect("the ring is empty");
        Self { sender, receiver }
    }
}

impl Measured for Mailbox {
    fn run(&mut self, operations: u64) {
        for _ in 0..operations {
            let mut snapshot = self.receiver.try_recv().expect("one is on its way at any time");
            snapshot.sequence += 1;
            self.sender.try_send(black_box(snapshot)).expect("the ring is empty");
        }
    }

    fn digest(self: Box<Self>) -> u64 {
        let received = std::iter::from_fn(|| self.receiver.try_recv());
        received.fold(Digest::new(), |digest, snapshot| digest.number(snapshot.sequence)).finish()
    }
}

struct HandOver {
    recorder: Recorder,
    merger: Merger,
    entries: Vec<EntryIndex>,
    exchanges: usize,
    times: ResponseTimes,
}

impl HandOver {
    fn new(names: usize, exchanges: usize) -> Self {
        let options = RecorderOptions::default();
        let merger = Merger::new(&options);
        let mut recorder = Recorder::new(options);
        let entries = (0..names)
            .map(|name| recorder.entry(EntryKind::Exchange, "GET", &format!("/item/{name}")))
            .collect();
        Self { recorder, merger, entries, exchanges, times: ResponseTimes::new() }
    }
}

impl Measured for HandOver {
    fn run(&mut self, operations: u64) {
        // Each interval is of the same second and the same exchanges: nothing grows with time.
        let figures = ShardFigures { unix_second: 1, users: 64, ..ShardFigures::default() };
        for _ in 0..operations {
            self.times.rewind();
            for _ in 0..self.exchanges {
                for entry in &self.entries {
                    self.recorder.record(*entry, &self.times.next_exchange());
                }
            }
            let handed_over = self.recorder.hand_over(&figures);
            let mut snapshot = handed_over.expect("each one comes back at once");
            self.merger.absorb(black_box(&snapshot));
            snapshot.clear();
            self.recorder.take_back(snapshot);
        }
    }

    fn digest(self: Box<Self>) -> u64 {
        let entries = self.merger.entries().fold(Digest::new(), |digest, entry| {
            digest.bytes(entry.key.name.as_bytes()).counts(&entry.counts)
        });
        entries.counts(&self.merger.total()).finish()
    }
}
