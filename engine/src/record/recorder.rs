//! The writing side: one recorder a shard, that nothing else can reach.
//!
//! Counting an exchange is a few additions into the snapshot being filled: no lock, no atomic, no allocation once
//! the entry is warm. At the end of an interval that snapshot goes to the coordinator if a cleared one can take
//! its place; if not, the recorder keeps filling the one it has and counts that. So nothing waits and nothing is
//! lost: a snapshot merely covers two intervals then, with its per-second counts still apart.

use super::entry::{EntryIndex, EntryKey, EntryKind, Exchange};
use super::names::{Interner, hash_of};
use super::snapshot::{ErrorKey, ShardFigures, Snapshot};
use crate::outcome::FailureKind;

/// The name of the entry that takes what is past the bound on names; its method is empty.
pub const OTHER_NAME: &str = "(other)";
/// The text of the error that takes what is past the bound on distinct errors; it belongs to no entry.
pub const OTHER_ERRORS: &str = "(other errors)";

/// Which shard a recorder is on, and the bounds of its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderOptions {
    /// The index of the shard, stamped on its snapshots.
    pub shard: u32,
    /// The most entries that are told apart; the rest share one `(other)` entry for each kind.
    pub names_max: usize,
    /// The most errors that are told apart; the rest are counted as one.
    pub errors_max: usize,
    /// How many snapshots circulate: one is filled, the others are under way or cleared.
    pub buffers: usize,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        RecorderOptions { shard: 0, names_max: 10_000, errors_max: 1_000, buffers: 3 }
    }
}

/// Counts what happens on one shard, and hands it over by the interval.
pub struct Recorder {
    options: RecorderOptions,
    entries: Interner<EntryKey>,
    errors: Interner<ErrorKey>,
    filling: Box<Snapshot>,
    /// Cleared snapshots, ready to be filled.
    #[expect(clippy::vec_box, reason = "they travel in the boxes they stay in")]
    spares: Vec<Box<Snapshot>>,
    sequence_next: u64,
    handovers_missed: u64,
}

impl Recorder {
    /// A recorder in epoch 0, whose first window starts at the run's origin.
    ///
    /// # Panics
    ///
    /// If `buffers` is zero, or a bound is past four thousand million.
    pub fn new(options: RecorderOptions) -> Self {
        assert!(options.buffers > 0, "one snapshot at least is being filled");
        let indices_max = u32::MAX as usize - 3;
        assert!(options.names_max.max(options.errors_max) <= indices_max, "indices have 32 bits");
        let mut filling = Box::<Snapshot>::default();
        filling.shard = options.shard;
        Recorder {
            filling,
            spares: (1..options.buffers).map(|_| Box::default()).collect(),
            options,
            entries: Interner::default(),
            errors: Interner::default(),
            sequence_next: 0,
            handovers_missed: 0,
        }
    }

    /// The index of an entry, new or known; allocates only where it is new.
    ///
    /// Past the bound on names a new one gets the index of its kind's [`OTHER_NAME`] entry.
    pub fn entry(&mut self, kind: EntryKind, method: &str, name: &str) -> EntryIndex {
        let hash = hash_of((kind, method, name));
        if let Some(known) = self.find_entry(hash, kind, method, name) {
            return known;
        }
        if self.entries.len() < self.options.names_max {
            return self.insert_entry(hash, EntryKey::new(kind, method, name));
        }
        let hash = hash_of((kind, "", OTHER_NAME));
        match self.find_entry(hash, kind, "", OTHER_NAME) {
            Some(other) => other,
            None => self.insert_entry(hash, EntryKey::new(kind, "", OTHER_NAME)),
        }
    }

    /// The key of an entry of this recorder.
    ///
    /// # Panics
    ///
    /// If the index comes from another recorder, where it shows.
    pub fn key(&self, entry: EntryIndex) -> &EntryKey {
        &self.entries.values()[entry.as_usize()]
    }

    /// Counts one exchange; allocates nothing once the entry is warm.
    ///
    /// # Panics
    ///
    /// If the index comes from another recorder, where it shows.
    #[inline]
    pub fn record(&mut self, entry: EntryIndex, exchange: &Exchange) {
        self.filling.record(entry, exchange);
    }

    /// Counts one failed exchange and its error, whatever `exchange.failed` says.
    ///
    /// The exchange counts as a request and its time is recorded, as in Locust. Allocates nothing for an error
    /// that is known. `unix_s` is the wall clock in seconds since the Unix epoch.
    pub fn record_failure(
        &mut self,
        entry: EntryIndex,
        exchange: &Exchange,
        kind: FailureKind,
        message: &str,
        unix_s: f64,
    ) {
        self.record(entry, &Exchange { failed: true, ..*exchange });
        self.record_error(entry, kind, message, unix_s);
    }

    /// Counts one occurrence of an error that belongs to no exchange of its own.
    pub fn record_error(
        &mut self,
        entry: EntryIndex,
        kind: FailureKind,
        message: &str,
        unix_s: f64,
    ) {
        let error = self.error(entry, kind, message);
        self.filling.record_error(error, unix_s);
    }

    /// Attributes every exchange since the last close to `unix_second`, the wall second that has just ended.
    pub fn close_second(&mut self, unix_second: u64) {
        self.filling.close_second(unix_second);
    }

    /// Closes an interval: hands over what was filled if a cleared snapshot can take its place.
    ///
    /// Cleared ones come back by [`take_back`](Self::take_back). With `None` returned the recorder keeps filling the same
    /// snapshot, which loses nothing, and counts a missed hand-over. Either way the second is
    /// closed as by [`close_second`](Self::close_second).
    pub fn hand_over(&mut self, figures: &ShardFigures) -> Option<Box<Snapshot>> {
        match self.spares.pop() {
            Some(next) => Some(self.swap(next, figures, self.filling.epoch)),
            None => {
                self.keep_filling(figures);
                None
            }
        }
    }

    /// Closes an interval without handing over, as where the ring has no room: counts a missed hand-over.
    pub fn keep_filling(&mut self, figures: &ShardFigures) {
        self.handovers_missed += 1;
        self.filling.close_second(figures.unix_second);
        self.filling.stamp(figures);
    }

    /// Hands over what was filled in any case, making a new snapshot where none is ready, and begins `next_epoch`.
    ///
    /// For the end of an epoch, where exchanges of two may not mix, and for the end of the run, where nothing may
    /// stay behind. It allocates, so it is not for every interval.
    pub fn hand_over_fresh(&mut self, figures: &ShardFigures, next_epoch: u32) -> Box<Snapshot> {
        let next = self.spares.pop().unwrap_or_default();
        self.swap(next, figures, next_epoch)
    }

    /// Takes a cleared snapshot that came back, for a later hand-over.
    pub fn take_back(&mut self, cleared: Box<Snapshot>) {
        self.spares.push(cleared);
    }

    fn swap(
        &mut self,
        mut next: Box<Snapshot>,
        figures: &ShardFigures,
        next_epoch: u32,
    ) -> Box<Snapshot> {
        debug_assert!(next.is_empty(), "a snapshot is cleared before it comes back");
        self.filling.close_second(figures.unix_second);
        self.filling.stamp(figures);
        self.filling.sequence = self.sequence_next;
        self.filling.handovers_missed = self.handovers_missed;
        self.sequence_next += 1;
        next.make_room_like(&self.filling);
        next.shard = self.options.shard;
        next.epoch = next_epoch;
        next.window_start_ns = figures.now_ns;
        std::mem::replace(&mut self.filling, next)
    }

    #[inline]
    fn find_entry(
        &self,
        hash: u64,
        kind: EntryKind,
        method: &str,
        name: &str,
    ) -> Option<EntryIndex> {
        let is_equal =
            |key: &EntryKey| key.kind == kind && *key.method == *method && *key.name == *name;
        self.entries.find(hash, is_equal).map(EntryIndex)
    }

    #[cold]
    fn insert_entry(&mut self, hash: u64, key: EntryKey) -> EntryIndex {
        self.filling.push_entry(key.clone());
        EntryIndex(self.entries.insert(hash, key))
    }

    /// The index of an error, new or known; past the bound that of the rest.
    fn error(&mut self, entry: EntryIndex, kind: FailureKind, message: &str) -> usize {
        if let Some(known) = self.find_error(Some(entry), kind, message) {
            return known;
        }
        if self.errors.len() < self.options.errors_max {
            return self.insert_error(Some(entry), kind, message);
        }
        match self.find_error(None, FailureKind::Other, OTHER_ERRORS) {
            Some(other) => other,
            None => self.insert_error(None, FailureKind::Other, OTHER_ERRORS),
        }
    }

    fn find_error(
        &self,
        entry: Option<EntryIndex>,
        kind: FailureKind,
        message: &str,
    ) -> Option<usize> {
        let is_equal =
            |key: &ErrorKey| key.entry == entry && key.kind == kind && *key.message == *message;
        let found = self.errors.find(hash_of((entry, kind, message)), is_equal);
        found.map(|index| index as usize)
    }

    #[cold]
    fn insert_error(
        &mut self,
        entry: Option<EntryIndex>,
        kind: FailureKind,
        message: &str,
    ) -> usize {
        let key = ErrorKey { entry, kind, message: message.into() };
        self.filling.push_error(key.clone());
        self.errors.insert(hash_of((entry, kind, message)), key) as usize
    }
}
