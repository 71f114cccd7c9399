//! Locust's *current* figures: rates and percentiles of about the last ten seconds.
//!
//! Rates come from the counts by second and end two seconds before the newest exchange, whose second is not
//! over and whose predecessor may not be merged yet. Percentiles come from what the buckets gained since their
//! state of ten seconds ago. Both windows are those of Locust; they stand still when traffic stops.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use loadr_engine::record::{EntryKey, MergedEntry};

use super::Buckets;

/// Length of both windows, in seconds.
const WINDOW_SECONDS: u64 = 10;
/// How long before the newest exchange the window of the rates ends, in seconds.
const UNSETTLED_SECONDS: u64 = 2;

/// The wall seconds that current rates are taken over; none before `started`.
pub fn settled_seconds<'a>(
    entries: impl IntoIterator<Item = &'a MergedEntry>,
    started: u64,
) -> Range<u64> {
    let newest = entries.into_iter().filter_map(|entry| entry.counts.per_second.last());
    let newest = newest.map(|second| second.unix_second).max().unwrap_or(0);
    let end = newest.saturating_sub(UNSETTLED_SECONDS);
    started.max(end.saturating_sub(WINDOW_SECONDS))..end
}

/// Requests and failures a second of all `entries` over `seconds`; 0 when there are none yet.
pub fn rates<'a>(
    entries: impl IntoIterator<Item = &'a MergedEntry>,
    seconds: Range<u64>,
) -> (f64, f64) {
    if seconds.is_empty() {
        return (0.0, 0.0);
    }
    let length = (seconds.end - seconds.start) as f64;
    let counts = entries.into_iter().flat_map(|entry| &entry.counts.per_second);
    let within = counts.filter(|count| seconds.contains(&count.unix_second));
    let (requests, failures) =
        within.fold((0, 0), |(r, f), count| (r + count.requests, f + count.failures));
    (requests as f64 / length, failures as f64 / length)
}

/// Recent states of each entry's response times, one a second, as far back as the window reaches.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// By wall second, oldest first.
    states: VecDeque<(u64, BTreeMap<EntryKey, Buckets>)>,
    /// States of this wall second and before lie outside the window.
    begins: u64,
}

impl Window {
    /// Moves the window so that it ends at `unix_second`.
    pub fn advance(&mut self, unix_second: u64) {
        self.begins = unix_second.saturating_sub(WINDOW_SECONDS);
        // The newest state outside is what gains are counted from; those before it are done with.
        while self.states.get(1).is_some_and(|(at, _)| *at <= self.begins) {
            self.states.pop_front();
        }
    }

    /// What an entry, now at `buckets`, gained since the window began; all of it where the run is younger.
    pub fn since(&self, key: &EntryKey, buckets: &Buckets) -> Buckets {
        let outside = self.states.front().filter(|(at, _)| *at <= self.begins);
        match outside.and_then(|(_, then)| then.get(key)) {
            Some(then) => buckets.since(then),
            None => buckets.clone(),
        }
    }

    /// Remembers the state of every entry at `unix_second`.
    pub fn push(
        &mut self,
        unix_second: u64,
        states: impl IntoIterator<Item = (EntryKey, Buckets)>,
    ) {
        self.states.push_back((unix_second, states.into_iter().collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadr_engine::record::{EntryCounts, EntryKind, SecondCount};

    fn entry(seconds: &[(u64, u64, u64)]) -> MergedEntry {
        let per_second = seconds
            .iter()
            .map(|&(unix_second, requests, failures)| SecondCount {
                unix_second,
                requests,
                failures,
            })
            .collect();
        MergedEntry {
            key: EntryKey::new(EntryKind::Exchange, "GET", "/"),
            counts: EntryCounts { per_second, ..EntryCounts::default() },
        }
    }

    #[test]
    fn rates_cover_ten_seconds_and_end_two_before_the_newest() {
        let seconds: Vec<_> = (100..=130).map(|at| (at, at, 1)).collect();
        let entry = entry(&seconds);
        let settled = settled_seconds([&entry], 100);
        assert_eq!(settled, 118..128);
        assert_eq!(rates([&entry], settled), (122.5, 1.0));
    }

    #[test]
    fn a_young_run_has_a_short_window_or_none() {
        let three = entry(&[(100, 6, 0), (101, 8, 2), (102, 8, 0)]);
        assert_eq!(settled_seconds([&three], 100), 100..100);
        assert_eq!(rates([&three], 100..100), (0.0, 0.0));
        let four = entry(&[(100, 6, 0), (101, 8, 2), (103, 8, 0)]);
        assert_eq!(rates([&four], settled_seconds([&four], 100)), (6.0, 0.0));
        assert!(settled_seconds([], 100).is_empty());
    }

    #[test]
    fn the_window_forgets_what_is_older_than_ten_seconds() {
        let key = EntryKey::new(EntryKind::Exchange, "GET", "/");
        let mut window = Window::default();
        let mut buckets = Buckets::default();
        for second in 100..=125 {
            buckets.add(second, 1); // one sample a second, told apart by its bucket
            window.advance(second);
            let recent = window.since(&key, &buckets);
            let oldest = recent.counts().first_key_value().map(|(&ms, _)| ms);
            assert_eq!(oldest, Some((second - 9).max(100)), "at {second}");
            window.push(second, [(key.clone(), buckets.clone())]);
        }
        assert_eq!(window.states.len(), 11);
    }
}
