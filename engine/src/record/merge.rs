//! The reading side: snapshots of all shards added up by content.
//!
//! Indices mean something on their shard only. The merger keeps, for each shard, which merged entry and error
//! each index stands for, learning the keys that ride in the snapshots; the counts then add. The same bounds
//! hold as on a shard, so that many shards with different names do not add up to a report without end.

use std::collections::HashMap;

use super::entry::{EntryCounts, EntryKey, EntryKind};
use super::names::{Interner, hash_of};
use super::recorder::{OTHER_ERRORS, OTHER_NAME, RecorderOptions};
use super::snapshot::{ErrorCounts, ErrorKey, Snapshot};
use crate::outcome::FailureKind;

/// An entry with the counts of all shards.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedEntry {
    /// What the entry is known by.
    pub key: EntryKey,
    /// The sum over all shards.
    pub counts: EntryCounts,
}

/// An error with the counts of all shards.
#[derive(Clone, Debug, PartialEq)]
pub struct MergedError {
    /// The method of the entry; empty for the rest past the bound on distinct errors.
    pub method: Box<str>,
    /// The name of the entry; empty for the rest past the bound on distinct errors.
    pub name: Box<str>,
    /// Why the exchanges failed.
    pub kind: FailureKind,
    /// The text of the error report.
    pub message: Box<str>,
    /// How often.
    pub count: u64,
    /// When first on any shard, in seconds since the Unix epoch.
    pub first_seen_unix_s: f64,
    /// When last on any shard, in seconds since the Unix epoch.
    pub last_seen_unix_s: f64,
}

/// Rows of counts by the second that all entries keep together: 24 MB.
const SECONDS_MAX: usize = 1_000_000;
/// Rows that an entry keeps in any case: ten minutes.
const SECONDS_MIN: usize = 600;

/// Adds snapshots up by what their entries and errors are, not where they came from.
pub struct Merger {
    names_max: usize,
    errors_max: usize,
    shards: HashMap<u32, Shard>,
    entries: Interner<MergedEntry>,
    errors: Interner<MergedError>,
    interval: EntryCounts,
}

/// What one shard's indices stand for, as positions among the merged.
#[derive(Default)]
struct Shard {
    sequence_next: u64,
    entries: Vec<usize>,
    errors: Vec<usize>,
}

impl Merger {
    /// A merger with the bounds on names and errors that the shards' recorders have.
    pub fn new(options: &RecorderOptions) -> Self {
        Merger {
            names_max: options.names_max,
            errors_max: options.errors_max,
            shards: HashMap::new(),
            entries: Interner::default(),
            errors: Interner::default(),
            interval: EntryCounts::default(),
        }
    }

    /// Adds what one snapshot counted.
    ///
    /// # Panics
    ///
    /// If an earlier snapshot of the same shard is missing: keys may have been in it, and counts would go to the
    /// wrong entries.
    pub fn absorb(&mut self, snapshot: &Snapshot) {
        let shard = self.learn(snapshot);
        for (entry, counts) in snapshot.entries() {
            let merged = &mut self.entries.values_mut()[shard.entries[entry.as_usize()]];
            merged.counts.add(counts);
            if merged.key.kind == EntryKind::Exchange {
                self.interval.add(counts);
            }
        }
        for (error, counts) in snapshot.errors() {
            self.errors.values_mut()[shard.errors[error]].add(counts);
        }
        self.shards.insert(snapshot.shard, shard);
    }

    /// Learns the keys of a snapshot and leaves out what it counted, which belongs to an epoch that is over.
    ///
    /// # Panics
    ///
    /// As [`absorb`](Self::absorb).
    pub fn absorb_keys(&mut self, snapshot: &Snapshot) {
        let shard = self.learn(snapshot);
        self.shards.insert(snapshot.shard, shard);
    }

    /// What the indices of a snapshot's shard stand for, the new ones included.
    fn learn(&mut self, snapshot: &Snapshot) -> Shard {
        let mut shard = self.shards.remove(&snapshot.shard).unwrap_or_default();
        assert_eq!(
            snapshot.sequence, shard.sequence_next,
            "snapshots of shard {} arrive each once and in order",
            snapshot.shard
        );
        shard.sequence_next += 1;
        shard.entries.extend(snapshot.new_entries.iter().map(|key| self.entry(key)));
        for key in &snapshot.new_errors {
            let position = self.error(key, &shard.entries);
            shard.errors.push(position);
        }
        shard
    }

    /// The entries that something was counted for since the last reset, in the order they were first seen.
    pub fn entries(&self) -> impl Iterator<Item = &MergedEntry> {
        self.entries.values().iter().filter(|entry| !entry.counts.is_empty())
    }

    /// The errors that occurred since the last reset, in the order they were first seen.
    pub fn errors(&self) -> impl Iterator<Item = &MergedError> {
        self.errors.values().iter().filter(|error| error.count > 0)
    }

    /// The Aggregated row: the sum over all entries of exchanges, connections left out.
    pub fn total(&self) -> EntryCounts {
        let mut total = EntryCounts::default();
        let exchanges = self.entries().filter(|entry| entry.key.kind == EntryKind::Exchange);
        exchanges.for_each(|entry| total.add(&entry.counts));
        total
    }

    /// Bounds the memory for counts by the second, however long the run and however many its names: an entry keeps an
    /// equal part of a million rows, and ten minutes in any case.
    pub fn forget_old_seconds(&mut self) {
        let rows = (SECONDS_MAX / self.entries.len().max(1)).max(SECONDS_MIN);
        for entry in self.entries.values_mut() {
            // Seldom, and then many: each call moves the rest to the front.
            if entry.counts.per_second.len() > rows + rows / 4 {
                entry.counts.keep_seconds(rows);
            }
        }
    }

    /// What [`total`](Self::total) grew by since this was last asked: one row of the run's series.
    pub fn take_interval(&mut self) -> EntryCounts {
        std::mem::take(&mut self.interval)
    }

    /// Forgets every count and keeps the names, as at the end of the warm-up.
    pub fn reset(&mut self) {
        self.entries.values_mut().iter_mut().for_each(|entry| entry.counts.clear());
        self.errors.values_mut().iter_mut().for_each(|error| error.count = 0);
        self.interval.clear();
    }

    /// The entries and the errors for the report, as [`entries`](Self::entries) and [`errors`](Self::errors).
    pub fn into_parts(self) -> (Vec<MergedEntry>, Vec<MergedError>) {
        let (mut entries, mut errors) = (self.entries.into_values(), self.errors.into_values());
        entries.retain(|entry| !entry.counts.is_empty());
        errors.retain(|error| error.count > 0);
        (entries, errors)
    }

    /// The position of the merged entry that a key stands for; past the bound that of its kind's rest.
    fn entry(&mut self, key: &EntryKey) -> usize {
        let hash = hash_of(key);
        if let Some(known) = self.entries.find(hash, |merged| merged.key == *key) {
            return known as usize;
        }
        if self.entries.len() >= self.names_max
            && !(key.method.is_empty() && *key.name == *OTHER_NAME)
        {
            return self.entry(&EntryKey::new(key.kind, "", OTHER_NAME));
        }
        let merged = MergedEntry { key: key.clone(), counts: EntryCounts::default() };
        self.entries.insert(hash, merged) as usize
    }

    /// The position of the merged error that a shard's key stands for; past the bound that of the rest.
    fn error(&mut self, key: &ErrorKey, shard_entries: &[usize]) -> usize {
        let Some(entry) = key.entry else {
            return self.named_error("", "", key.kind, &key.message);
        };
        let EntryKey { method, name, .. } =
            self.entries.values()[shard_entries[entry.as_usize()]].key.clone();
        self.named_error(&method, &name, key.kind, &key.message)
    }

    fn named_error(&mut self, method: &str, name: &str, kind: FailureKind, message: &str) -> usize {
        let hash = hash_of((method, name, kind, message));
        let is_equal = |merged: &MergedError| {
            merged.kind == kind
                && *merged.method == *method
                && *merged.name == *name
                && *merged.message == *message
        };
        if let Some(known) = self.errors.find(hash, is_equal) {
            return known as usize;
        }
        let is_rest = method.is_empty() && name.is_empty() && message == OTHER_ERRORS;
        if self.errors.len() >= self.errors_max && !is_rest {
            return self.named_error("", "", FailureKind::Other, OTHER_ERRORS);
        }
        let merged = MergedError {
            method: method.into(),
            name: name.into(),
            kind,
            message: message.into(),
            count: 0,
            first_seen_unix_s: 0.0,
            last_seen_unix_s: 0.0,
        };
        self.errors.insert(hash, merged) as usize
    }
}

impl Default for Merger {
    fn default() -> Self {
        Merger::new(&RecorderOptions::default())
    }
}

impl MergedError {
    fn add(&mut self, counts: &ErrorCounts) {
        let mut sum = ErrorCounts {
            count: self.count,
            first_seen_unix_s: self.first_seen_unix_s,
            last_seen_unix_s: self.last_seen_unix_s,
        };
        sum.add(counts);
        self.count = sum.count;
        self.first_seen_unix_s = sum.first_seen_unix_s;
        self.last_seen_unix_s = sum.last_seen_unix_s;
    }
}
