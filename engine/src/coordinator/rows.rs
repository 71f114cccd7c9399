//! Rows of the series to which some shard has still to add.

use std::collections::BTreeMap;

use crate::clock::Origin;
use crate::record::{EntryCounts, SeriesRow, Snapshot};

/// The seconds that some shard has not reported yet.
pub(super) struct OpenRows {
    origin: Origin,
    shards: usize,
    rows: BTreeMap<u64, OpenRow>,
}

struct OpenRow {
    row: SeriesRow,
    /// The most users of each shard, by index: a shard may report twice in its last second.
    users: Vec<u64>,
    /// Shards that have reported.
    reported: Vec<bool>,
}

impl OpenRows {
    pub(super) fn new(origin: Origin, shards: usize) -> Self {
        Self { origin, shards, rows: BTreeMap::new() }
    }

    /// Adds one shard's interval to the row of the second it ended in. An interval that took longer than a second,
    /// because a snapshot was not back in time, widens its row.
    pub(super) fn add(&mut self, snapshot: &Snapshot, counts: &EntryCounts) {
        let last_ns = snapshot.window_end_ns.saturating_sub(1);
        let unix_second = self.origin.unix_second(last_ns);
        let first_second = self.origin.unix_second(snapshot.window_start_ns);
        let shards = self.shards;
        let open = self.rows.entry(unix_second).or_insert_with(|| OpenRow {
            row: SeriesRow { unix_second, ..SeriesRow::default() },
            users: vec![0; shards],
            reported: vec![false; shards],
        });
        open.reported[snapshot.shard as usize] = true;
        let most = &mut open.users[snapshot.shard as usize];
        *most = (*most).max(snapshot.users_max);
        let row = &mut open.row;
        row.unix_second = row.unix_second.min(first_second);
        row.seconds = (unix_second + 1 - row.unix_second) as u32;
        row.requests += counts.requests;
        row.failures += counts.failures;
        row.bytes_received += counts.bytes_received;
        row.bytes_sent += counts.bytes_sent;
        row.response_time.add(&counts.response_time);
    }

    /// The oldest row if it is done: every shard has reported it or is finished, or it is before the second `before`,
    /// for which nobody waits any longer.
    pub(super) fn close_next(
        &mut self,
        before: u64,
        finished: impl Fn(usize) -> bool,
    ) -> Option<SeriesRow> {
        let entry = self.rows.first_entry()?;
        let mut reported = entry.get().reported.iter().enumerate();
        let complete = reported.all(|(shard, reported)| *reported || finished(shard));
        if *entry.key() >= before && !complete {
            return None;
        }
        let OpenRow { row, users, .. } = entry.remove();
        Some(SeriesRow { users: users.iter().sum(), ..row })
    }
}
