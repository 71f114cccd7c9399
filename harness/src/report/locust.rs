//! A run as Locust counts it, for every output its users already read or parse.
//!
//! Locust keeps response times in buckets of whole milliseconds, ever wider above 100 ms, rounds half to even
//! into them, and takes percentiles by its own index rule. The tables, CSV files and JSON here follow those
//! rules to the letter, so that dashboards and scripts carry over; loadr's own finer figures stand beside them
//! in the report. Two things differ by choice: rates are taken over the measured time, not up to the newest
//! answer (a target that dies must not keep its rate), and the last write happens at the end, so that the files
//! agree with the console.

use std::collections::BTreeMap;
use std::time::Duration;

use loadr_engine::record::{EntryCounts, EntryKind, MergedEntry};

use super::model::{EntryReport, Report};

pub mod json;
pub mod recent;
pub mod table;

/// Name of the row over all entries.
pub const AGGREGATED: &str = "Aggregated";

/// The percentiles of Locust's tables and CSV files, with the heading of each.
pub const PERCENTILES: [(&str, f64); 11] = [
    ("50%", 0.50),
    ("66%", 0.66),
    ("75%", 0.75),
    ("80%", 0.80),
    ("90%", 0.90),
    ("95%", 0.95),
    ("98%", 0.98),
    ("99%", 0.99),
    ("99.9%", 0.999),
    ("99.99%", 0.9999),
    ("100%", 1.0),
];

/// The millisecond bucket of a response time given in microseconds.
///
/// Below 100 ms the nearest 1 ms, below 1 s the nearest 10, below 10 s the nearest 100, else the nearest 1000;
/// exact halves go to the even neighbour, as Python rounds.
pub fn bucket_ms(us: u64) -> u64 {
    let step_us = match us {
        0..100_000 => 1_000,
        100_000..1_000_000 => 10_000,
        1_000_000..10_000_000 => 100_000,
        _ => 1_000_000,
    };
    let (below, rest) = (us / step_us, us % step_us);
    let up = 2 * rest > step_us || (2 * rest == step_us && below % 2 == 1);
    (below + u64::from(up)) * (step_us / 1_000)
}

/// Response times counted by bucket, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buckets {
    counts: BTreeMap<u64, u64>,
    samples: u64,
}

impl Buckets {
    /// Buckets from HDR values in microseconds, each the highest its HDR bucket stands for, with their counts.
    pub fn from_recorded(recorded: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut buckets = Self::default();
        for (highest_us, count) in recorded {
            buckets.add(bucket_ms(middle_of_hdr_bucket(highest_us)), count);
        }
        buckets
    }

    /// Adds `count` samples to the bucket `ms`.
    pub fn add(&mut self, ms: u64, count: u64) {
        *self.counts.entry(ms).or_default() += count;
        self.samples += count;
    }

    /// Adds all samples of `other`.
    pub fn merge(&mut self, other: &Buckets) {
        for (&ms, &count) in &other.counts {
            self.add(ms, count);
        }
    }

    /// The samples that came after `earlier`, an older state of the same buckets.
    pub fn since(&self, earlier: &Buckets) -> Buckets {
        let mut newer = Buckets::default();
        for (&ms, &count) in &self.counts {
            let added = count.saturating_sub(earlier.counts.get(&ms).copied().unwrap_or(0));
            if added > 0 {
                newer.add(ms, added);
            }
        }
        newer
    }

    /// The count of each bucket, lowest first.
    pub fn counts(&self) -> &BTreeMap<u64, u64> {
        &self.counts
    }

    /// How many samples the buckets hold.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Locust's percentile: the sample at index `int(samples * share)` of the sorted buckets, or the last; 0 of
    /// none.
    pub fn percentile(&self, share: f64) -> u64 {
        let index = (self.samples as f64 * share) as u64;
        let mut at_or_above = 0;
        for (&ms, &count) in self.counts.iter().rev() {
            at_or_above += count;
            if self.samples - at_or_above <= index {
                return ms;
            }
        }
        0
    }
}

/// The middle of an HDR bucket of 3 digits (2048 sub-buckets), so that rounding to milliseconds leans neither way.
fn middle_of_hdr_bucket(highest_us: u64) -> u64 {
    let width = match highest_us.checked_ilog2() {
        Some(bits @ 11..) => 1_u64 << (bits - 10),
        _ => 1,
    };
    highest_us - (width - 1) / 2
}

/// One row of Locust's tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocustEntry {
    /// Method, empty for the row over all entries.
    pub method: String,
    /// Name of the entry.
    pub name: String,
    /// Requests, failed ones among them.
    pub requests: u64,
    /// Failed requests.
    pub failures: u64,
    /// Sum of all response times, in milliseconds.
    pub total_ms: f64,
    /// Shortest response time, in milliseconds, exact.
    pub min_ms: Option<f64>,
    /// Longest response time, in milliseconds, exact.
    pub max_ms: Option<f64>,
    /// Bytes of decoded bodies.
    pub content_bytes: u64,
    /// Response times by bucket.
    pub buckets: Buckets,
}

impl LocustEntry {
    /// The row of an entry while or after it is counted.
    pub fn of_counts(method: &str, name: &str, counts: &EntryCounts) -> Self {
        let times = &counts.response_time;
        Self {
            method: method.to_owned(),
            name: name.to_owned(),
            requests: counts.requests,
            failures: counts.failures,
            total_ms: times.sum_ns() as f64 / 1e6,
            min_ms: times.min_ns().map(ns_to_ms),
            max_ms: times.max_ns().map(ns_to_ms),
            content_bytes: counts.body_bytes,
            buckets: Buckets::from_recorded(times.recorded()),
        }
    }

    /// The row of an entry of a saved report.
    pub fn of_report(entry: &EntryReport) -> Self {
        let times = &entry.response_time_ms;
        let histogram = entry.histogram.decode();
        let recorded =
            histogram.iter_recorded().map(|at| (at.value_iterated_to(), at.count_at_value()));
        Self {
            method: entry.method.clone(),
            name: entry.name.clone(),
            requests: entry.requests,
            failures: entry.failures,
            total_ms: times.mean.unwrap_or(0.0) * histogram.len() as f64,
            min_ms: times.min,
            max_ms: times.max,
            content_bytes: entry.body_bytes,
            buckets: Buckets::from_recorded(recorded),
        }
    }

    /// The row over all of `entries`.
    pub fn aggregated<'a>(entries: impl IntoIterator<Item = &'a LocustEntry>) -> Self {
        let mut total = Self { name: AGGREGATED.to_owned(), ..Self::default() };
        entries.into_iter().for_each(|entry| total.add(entry));
        total
    }

    /// Adds everything that `other` counted.
    fn add(&mut self, other: &LocustEntry) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.total_ms += other.total_ms;
        self.min_ms = self.min_ms.into_iter().chain(other.min_ms).reduce(f64::min);
        self.max_ms = self.max_ms.into_iter().chain(other.max_ms).reduce(f64::max);
        self.content_bytes += other.content_bytes;
        self.buckets.merge(&other.buckets);
    }

    /// Mean response time in milliseconds, 0 of none.
    pub fn average_ms(&self) -> f64 {
        ratio(self.total_ms, self.buckets.samples() as f64)
    }

    /// Median response time in milliseconds: the 50 % rule, kept within the exact minimum and maximum.
    pub fn median_ms(&self) -> f64 {
        let median = self.buckets.percentile(0.50) as f64;
        match (self.min_ms, self.max_ms) {
            (Some(min), Some(max)) => median.max(min).min(max),
            _ => median,
        }
    }

    /// Mean size of a decoded body in bytes, 0 of none.
    pub fn average_content_bytes(&self) -> f64 {
        ratio(self.content_bytes as f64, self.requests as f64)
    }

    /// Share of the requests that failed, 0 to 1.
    pub fn fail_ratio(&self) -> f64 {
        ratio(self.failures as f64, self.requests as f64)
    }
}

/// All rows of Locust's tables, and the time that their whole-run rates are taken over.
#[derive(Clone, Debug, PartialEq)]
pub struct LocustStats {
    /// One row an entry, in first-seen order; tasks are among them.
    pub entries: Vec<LocustEntry>,
    /// The row over all of them but tasks, which are made of them.
    pub total: LocustEntry,
    /// Seconds measured.
    pub elapsed_s: f64,
}

impl LocustStats {
    /// The rows of a run, under way or over: of the entries that [`has_row`] holds for.
    pub fn of_entries<'a>(
        entries: impl IntoIterator<Item = &'a MergedEntry>,
        elapsed: Duration,
    ) -> Self {
        let mut stats = Self {
            entries: Vec::new(),
            total: LocustEntry::aggregated([]),
            elapsed_s: elapsed.as_secs_f64(),
        };
        for entry in entries.into_iter().filter(|entry| has_row(entry)) {
            let row = LocustEntry::of_counts(&entry.key.method, &entry.key.name, &entry.counts);
            if entry.key.kind == EntryKind::Exchange {
                stats.total.add(&row);
            }
            stats.entries.push(row);
        }
        stats
    }

    /// The rows of a finished or saved report.
    pub fn of_report(report: &Report) -> Self {
        let mut entries: Vec<_> = report.entries.iter().map(LocustEntry::of_report).collect();
        let total = LocustEntry::aggregated(&entries);
        entries.extend(report.tasks.iter().map(LocustEntry::of_report));
        Self { entries, total, elapsed_s: report.duration_s }
    }

    /// The rows in the order of the tables: by name, then by method.
    pub fn sorted(&self) -> Vec<&LocustEntry> {
        let mut rows: Vec<&LocustEntry> = self.entries.iter().collect();
        rows.sort_by_key(|row| (&row.name, &row.method));
        rows
    }

    /// How many of `count` things happened a second, over the whole run.
    pub fn per_second(&self, count: u64) -> f64 {
        ratio(count as f64, self.elapsed_s)
    }
}

/// Whether an entry is a row of Locust's tables: requests and tasks are, connections and waits for the bridge are not.
pub fn has_row(entry: &MergedEntry) -> bool {
    matches!(entry.key.kind, EntryKind::Exchange | EntryKind::Task)
}

fn ns_to_ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(counts: &[(u64, u64)]) -> Buckets {
        let mut buckets = Buckets::default();
        for &(ms, count) in counts {
            buckets.add(ms, count);
        }
        buckets
    }

    #[test]
    fn buckets_round_half_to_even() {
        let cases_ms = [
            (0.5, 0),
            (1.5, 2),
            (2.5, 2),
            (99.5, 100),
            (145.0, 140),
            (147.0, 150),
            (155.0, 160),
            (155.4, 160),
            (995.0, 1_000),
            (1_050.0, 1_000),
            (1_150.0, 1_200),
            (3_432.0, 3_400),
            (10_500.0, 10_000),
            (11_500.0, 12_000),
            (58_760.0, 59_000),
        ];
        for (ms, bucket) in cases_ms {
            assert_eq!(bucket_ms((ms * 1_000.0) as u64), bucket, "{ms} ms");
        }
    }

    #[test]
    fn percentiles_follow_the_index_rule() {
        let four = buckets(&[(1, 1), (2, 1), (3, 1), (4, 1)]);
        assert_eq!([0.50, 0.75, 0.99].map(|share| four.percentile(share)), [3, 4, 4]);
        let hundred = buckets(&[(10, 50), (20, 30), (30, 20)]);
        assert_eq!(
            [0.50, 0.66, 0.80, 1.0].map(|share| hundred.percentile(share)),
            [20, 20, 30, 30]
        );
        assert_eq!(Buckets::default().percentile(0.5), 0);
    }

    #[test]
    fn percentile_is_the_element_at_the_index() {
        let counts = buckets(&[(1, 3), (7, 1), (9, 5), (100, 2)]);
        let sorted: Vec<u64> = counts
            .counts()
            .iter()
            .flat_map(|(&ms, &n)| std::iter::repeat_n(ms, n as usize))
            .collect();
        for (_, share) in PERCENTILES {
            let index = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
            assert_eq!(counts.percentile(share), sorted[index], "{share}");
        }
    }

    #[test]
    fn median_stays_within_what_was_seen() {
        let mut entry = LocustEntry { buckets: buckets(&[(160, 1)]), ..LocustEntry::default() };
        (entry.min_ms, entry.max_ms) = (Some(155.4), Some(155.4));
        assert_eq!(entry.median_ms(), 155.4);
        entry.buckets = buckets(&[(1, 1), (2, 1), (3, 1), (4, 1)]);
        (entry.min_ms, entry.max_ms) = (Some(1.0), Some(4.0));
        assert_eq!(entry.median_ms(), 3.0);
        assert_eq!(LocustEntry::default().median_ms(), 0.0);
    }

    #[test]
    fn fail_ratio_and_averages_of_nothing_are_zero() {
        let nothing = LocustEntry::default();
        assert_eq!(nothing.fail_ratio(), 0.0);
        assert_eq!(nothing.average_ms(), 0.0);
        assert_eq!(nothing.average_content_bytes(), 0.0);
    }

    #[test]
    fn hdr_buckets_are_read_at_their_middle() {
        assert_eq!(middle_of_hdr_bucket(0), 0);
        assert_eq!(middle_of_hdr_bucket(2_047), 2_047);
        assert_eq!(middle_of_hdr_bucket(2_049), 2_049); // 2048..=2049
        assert_eq!(middle_of_hdr_bucket(4_099), 4_098); // 4096..=4099
        let histogram = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3)
            .expect("bounds are valid");
        for us in [3_000_u64, 5_001, 150_300, 3_432_000, 58_760_000] {
            let highest = histogram.highest_equivalent(us);
            let middle = (histogram.lowest_equivalent(us) + highest) / 2;
            assert!(middle_of_hdr_bucket(highest).abs_diff(middle) <= 1, "{us} us");
        }
    }

    #[test]
    fn since_keeps_only_what_was_added() {
        let earlier = buckets(&[(1, 3), (7, 1)]);
        let later = buckets(&[(1, 3), (7, 4), (9, 2)]);
        assert_eq!(later.since(&earlier), buckets(&[(7, 3), (9, 2)]));
    }
}
