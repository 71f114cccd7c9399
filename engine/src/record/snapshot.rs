//! What a shard hands to the coordinator at the end of an interval.
//!
//! A snapshot holds what was counted since the last one, by the shard's own indices, and the keys of the entries
//! and errors that appeared in that time; keys sent before are not repeated. The coordinator keeps the indices'
//! meaning, clears the snapshot (only what was touched) and sends it back to be filled again.

use super::entry::{EntryCounts, EntryIndex, EntryKey, Exchange};
use super::histogram::Histogram;
use crate::outcome::FailureKind;

/// Pages of room that a snapshot keeps ahead for its entries together: one MiB of address space.
const SPARE_PAGES: usize = 2_048;

/// What an error is counted by on its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorKey {
    /// The entry whose exchange failed; `None` for the rest past the bound on distinct errors.
    pub entry: Option<EntryIndex>,
    /// Why it failed.
    pub kind: FailureKind,
    /// The text of the error report.
    pub message: Box<str>,
}

/// How often an error occurred, and when. Seconds are since the Unix epoch; meaningless while `count` is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ErrorCounts {
    /// How often.
    pub count: u64,
    /// When first.
    pub first_seen_unix_s: f64,
    /// When last.
    pub last_seen_unix_s: f64,
}

impl ErrorCounts {
    /// Adds everything that `other` counted.
    pub fn add(&mut self, other: &ErrorCounts) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.count += other.count;
        self.first_seen_unix_s = self.first_seen_unix_s.min(other.first_seen_unix_s);
        self.last_seen_unix_s = self.last_seen_unix_s.max(other.last_seen_unix_s);
    }
}

/// What a shard knows about itself when it closes an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShardFigures {
    /// Now, in nanoseconds since the run's origin: this window's end and the next one's start.
    pub now_ns: u64,
    /// The wall second that exchanges not attributed yet finished in.
    pub unix_second: u64,
    /// Users running now.
    pub users: u64,
    /// The most users that ran at once since the last close.
    pub users_max: u64,
    /// Exchanges begun and not finished.
    pub in_flight: u64,
    /// User CPU time of the shard's thread since it started, in nanoseconds.
    pub cpu_user_ns: u64,
    /// System CPU time of the shard's thread since it started, in nanoseconds.
    pub cpu_system_ns: u64,
}

/// What one shard counted in one or more whole intervals.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The shard that filled it.
    pub shard: u32,
    /// The epoch of the run that all of it belongs to.
    pub epoch: u32,
    /// How many snapshots this shard handed over before.
    pub sequence: u64,
    /// Where its time begins, in nanoseconds since the run's origin.
    pub window_start_ns: u64,
    /// Where its time ends, in nanoseconds since the run's origin.
    pub window_end_ns: u64,
    /// Users running at its end.
    pub users: u64,
    /// The most users that ran at once within it.
    pub users_max: u64,
    /// Exchanges begun and not finished at its end; they are counted in a later snapshot, or cut off.
    pub in_flight: u64,
    /// User CPU time of the shard's thread since it started, in nanoseconds.
    pub cpu_user_ns: u64,
    /// System CPU time of the shard's thread since it started, in nanoseconds.
    pub cpu_system_ns: u64,
    /// How often since it started this shard had no cleared snapshot and kept filling.
    pub handovers_missed: u64,
    /// Whether this is the shard's last.
    pub last: bool,
    /// Keys of the entries that appeared in it; their indices go on from those of earlier snapshots.
    pub new_entries: Vec<EntryKey>,
    /// Keys of the errors that appeared in it; their indices go on from those of earlier snapshots.
    pub new_errors: Vec<ErrorKey>,
    /// By entry index, for every entry that the shard knows.
    entries: Vec<EntryCounts>,
    /// Which of `entries` are not empty, so that nobody walks thousands that are.
    touched: Vec<EntryIndex>,
    /// By error index; few, so they are simply walked.
    errors: Vec<ErrorCounts>,
}

impl Snapshot {
    /// The entries that something was counted for, in the order in which that happened first.
    pub fn entries(&self) -> impl Iterator<Item = (EntryIndex, &EntryCounts)> {
        self.touched.iter().map(|entry| (*entry, &self.entries[entry.as_usize()]))
    }

    /// The errors that occurred, each with its index among all the errors of its shard.
    pub fn errors(&self) -> impl Iterator<Item = (usize, &ErrorCounts)> {
        self.errors.iter().enumerate().filter(|(_, error)| error.count > 0)
    }

    /// Whether it carries neither counts nor new keys.
    pub fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.new_entries.is_empty() && self.new_errors.is_empty()
    }

    /// Forgets everything and keeps the memory; costs only the entries that were touched.
    pub fn clear(&mut self) {
        for entry in self.touched.drain(..) {
            self.entries[entry.as_usize()].clear();
        }
        self.errors.fill(ErrorCounts::default());
        self.new_entries.clear();
        self.new_errors.clear();
        *self = Snapshot {
            new_entries: std::mem::take(&mut self.new_entries),
            new_errors: std::mem::take(&mut self.new_errors),
            entries: std::mem::take(&mut self.entries),
            touched: std::mem::take(&mut self.touched),
            errors: std::mem::take(&mut self.errors),
            ..Snapshot::default()
        };
    }

    /// Counts one exchange of an entry that this snapshot has room for.
    #[inline]
    pub(super) fn record(&mut self, entry: EntryIndex, exchange: &Exchange) {
        let counts = &mut self.entries[entry.as_usize()];
        if counts.is_empty() {
            self.touched.push(entry);
        }
        counts.record(exchange);
    }

    /// Counts one occurrence of an error that this snapshot has room for.
    pub(super) fn record_error(&mut self, index: usize, unix_s: f64) {
        self.errors[index].add(&ErrorCounts {
            count: 1,
            first_seen_unix_s: unix_s,
            last_seen_unix_s: unix_s,
        });
    }

    /// Attributes everything that no second has yet to `unix_second`.
    pub(super) fn close_second(&mut self, unix_second: u64) {
        for entry in &self.touched {
            self.entries[entry.as_usize()].close_second(unix_second);
        }
    }

    /// Makes room for the entry after the last, and announces its key.
    pub(super) fn push_entry(&mut self, key: EntryKey) {
        self.new_entries.push(key);
        let mut counts = EntryCounts::default();
        counts.response_time.reserve_pages(spare_pages(self.entries.len() + 1));
        self.entries.push(counts);
        self.touched.reserve(self.entries.len() - self.touched.len());
    }

    /// Makes room for the error after the last, and announces its key.
    pub(super) fn push_error(&mut self, key: ErrorKey) {
        self.new_errors.push(key);
        self.errors.push(ErrorCounts::default());
    }

    /// Makes room for all that `before` has seen and some more, so that recording goes on without allocating.
    pub(super) fn make_room_like(&mut self, before: &Snapshot) {
        self.entries.resize_with(before.entries.len(), EntryCounts::default);
        self.errors.resize(before.errors.len(), ErrorCounts::default());
        self.touched.reserve(self.entries.len());
        let spare = spare_pages(before.touched.len());
        for (entry, counts) in before.entries() {
            let pages = counts.response_time.pages_touched() + spare;
            self.entries[entry.as_usize()].response_time.reserve_pages(pages);
        }
    }

    /// Stamps what the shard knows about itself; the greatest number of users is kept over several stamps.
    pub(super) fn stamp(&mut self, figures: &ShardFigures) {
        self.window_end_ns = figures.now_ns;
        self.users = figures.users;
        self.users_max = self.users_max.max(figures.users_max).max(figures.users);
        self.in_flight = figures.in_flight;
        self.cpu_user_ns = figures.cpu_user_ns;
        self.cpu_system_ns = figures.cpu_system_ns;
    }
}

/// How much room each of `entries` gets ahead: all it could ever need where they are few.
fn spare_pages(entries: usize) -> usize {
    (SPARE_PAGES / entries.max(1)).clamp(2, Histogram::PAGES)
}
