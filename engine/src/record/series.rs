//! The run over time, one row an interval, kept small however long the run is.
//!
//! A day of one-second rows would be 86 400 histograms, of which nobody reads the old ones second by second. So
//! rows coarsen with age: the newest ten minutes keep a row a second, the two hours before them a row every ten
//! seconds, and all that is older a row a minute. A day is then about 2 700 rows.
//!
//! Coarsening only ever adds: counts and histograms of the rows that merge are summed, so totals and
//! percentiles of any span are exactly those of the seconds inside it. Nothing is averaged. Merged rows start
//! at round wall seconds, hence the first and last of a tier may be shorter than the rest; `seconds` says what
//! each one holds.

use std::collections::VecDeque;

use super::{EntryCounts, Histogram};

/// How many of the newest rows stay as they were pushed: ten minutes of seconds.
const FINE_ROWS_MAX: usize = 600;
/// How many rows of [`MIDDLE_SECONDS`] follow before they coarsen again: two hours.
const MIDDLE_ROWS_MAX: usize = 720;
/// Length of a middle-aged row, in seconds.
const MIDDLE_SECONDS: u64 = 10;
/// Length of an old row, in seconds.
const OLD_SECONDS: u64 = 60;

/// What the whole run did in one interval, or in several that have been merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesRow {
    /// Wall second at which the row begins, since the Unix epoch.
    pub unix_second: u64,
    /// Seconds of the run that the row holds; gaps between merged rows are not counted.
    pub seconds: u32,
    /// Users running: the most seen in the row.
    pub users: u64,
    /// Exchanges that ended in the row, failed ones among them.
    pub requests: u64,
    /// Exchanges that failed.
    pub failures: u64,
    /// Bytes read from the wire.
    pub bytes_received: u64,
    /// Bytes written to the wire.
    pub bytes_sent: u64,
    /// Response times of the exchanges that ended in the row.
    pub response_time: Histogram,
}

impl SeriesRow {
    /// The row of one closed interval of a second: what [`Merger::take_interval`](super::Merger::take_interval)
    /// gave.
    pub fn of_interval(unix_second: u64, users: u64, interval: EntryCounts) -> Self {
        Self {
            unix_second,
            seconds: 1,
            users,
            requests: interval.requests,
            failures: interval.failures,
            bytes_received: interval.bytes_received,
            bytes_sent: interval.bytes_sent,
            response_time: interval.response_time,
        }
    }

    /// Adds what `other` counted, leaving this row's place and length in time alone.
    fn add_counts(&mut self, other: &SeriesRow) {
        self.users = self.users.max(other.users);
        self.requests += other.requests;
        self.failures += other.failures;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.response_time.add(&other.response_time);
    }

    /// The first second after the row.
    fn end(&self) -> u64 {
        self.unix_second + u64::from(self.seconds)
    }

    /// Takes in a row that begins no later than this one; reaches to the end of the longer.
    fn join(&mut self, other: &SeriesRow) {
        let end = self.end().max(other.end());
        self.seconds = u32::try_from(end - self.unix_second).unwrap_or(u32::MAX);
        self.add_counts(other);
    }

    /// Whether `other` falls into the same round block of `block_seconds`.
    fn shares_block(&self, other: &SeriesRow, block_seconds: u64) -> bool {
        self.unix_second / block_seconds == other.unix_second / block_seconds
    }
}

/// The rows of a run in order of time, coarser the older they are.
#[derive(Clone, Debug, Default)]
pub struct Series {
    old: Vec<SeriesRow>,
    middle: VecDeque<SeriesRow>,
    fine: VecDeque<SeriesRow>,
}

impl Series {
    /// An empty series.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the row of the interval that has just closed.
    ///
    /// A row that begins no later than the newest one (an interval that took longer, a clock set back) joins
    /// the newest, which then lasts as long as either: no count is lost or doubled, and no two rows overlap.
    pub fn push(&mut self, row: SeriesRow) {
        match self.fine.back_mut() {
            Some(newest) if row.unix_second <= newest.unix_second => newest.join(&row),
            _ => self.fine.push_back(row),
        }
        if self.fine.len() > FINE_ROWS_MAX
            && let Some(aged) = self.fine.pop_front()
        {
            self.age_to_middle(aged);
        }
    }

    /// The rows, oldest first.
    pub fn rows(&self) -> impl Iterator<Item = &SeriesRow> {
        self.old.iter().chain(&self.middle).chain(&self.fine)
    }

    /// The rows, oldest first, without a copy: for the end of the run.
    pub fn into_rows(self) -> Vec<SeriesRow> {
        let mut rows = self.old;
        rows.extend(self.middle);
        rows.extend(self.fine);
        rows
    }

    fn age_to_middle(&mut self, aged: SeriesRow) {
        if let Some(row) = merge_or_give_back(self.middle.back_mut(), aged, MIDDLE_SECONDS) {
            self.middle.push_back(row);
        }
        if self.middle.len() > MIDDLE_ROWS_MAX
            && let Some(aged) = self.middle.pop_front()
            && let Some(row) = merge_or_give_back(self.old.last_mut(), aged, OLD_SECONDS)
        {
            self.old.push(row);
        }
    }
}

/// Merges `row` into `last` when both lie in one block; otherwise `row` comes back, to begin the next.
fn merge_or_give_back(
    last: Option<&mut SeriesRow>,
    row: SeriesRow,
    block_seconds: u64,
) -> Option<SeriesRow> {
    match last {
        Some(last) if last.shares_block(&row, block_seconds) => {
            last.seconds += row.seconds;
            last.add_counts(&row);
            None
        }
        _ => Some(row),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Exchange;
    use super::*;
    use proptest::prelude::*;

    fn row(unix_second: u64, requests: u64) -> SeriesRow {
        let mut interval = EntryCounts::default();
        for n in 0..requests {
            let (start_ns, end_ns) = (n, n + 1_000 * (unix_second % 7 + 1));
            let failed = n % 2 == 1;
            interval.record(&Exchange {
                start_ns,
                end_ns,
                bytes_sent: 3,
                failed,
                ..Exchange::default()
            });
        }
        SeriesRow::of_interval(unix_second, unix_second % 5, interval)
    }

    fn seconds_long(series: &Series, tier: u32) -> usize {
        series.rows().filter(|row| row.seconds == tier).count()
    }

    #[test]
    fn ten_minutes_stay_as_they_were() {
        let mut series = Series::new();
        for second in 0..600 {
            series.push(row(second, 1));
        }
        assert_eq!(series.rows().count(), 600);
        assert!(series.rows().all(|row| row.seconds == 1));
    }

    #[test]
    fn a_day_is_under_three_thousand_rows() {
        let mut series = Series::new();
        let start = 1_795_222_119;
        for second in 0..86_400 {
            let empty = SeriesRow { unix_second: start + second, seconds: 1, ..row(0, 0) };
            series.push(empty);
        }
        assert!(series.rows().count() < 3_000, "{} rows", series.rows().count());
        assert_eq!(seconds_long(&series, 1), 600);
        assert!(seconds_long(&series, 10) >= 718);
        assert_eq!(series.rows().map(|row| u64::from(row.seconds)).sum::<u64>(), 86_400);
        assert_eq!(series.rows().last().map(|row| row.unix_second), Some(start + 86_399));
    }

    #[test]
    fn a_row_that_reaches_past_the_newest_lengthens_it() {
        let mut series = Series::new();
        series.push(row(104, 4));
        series.push(SeriesRow { unix_second: 103, seconds: 4, ..row(103, 6) });
        let rows = series.into_rows();
        assert_eq!((rows[0].unix_second, rows[0].seconds, rows[0].requests), (104, 3, 10));
    }

    #[test]
    fn a_late_row_joins_the_newest() {
        let mut series = Series::new();
        series.push(row(100, 4));
        series.push(row(101, 4));
        series.push(row(100, 6));
        let rows = series.into_rows();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[1].unix_second, rows[1].seconds, rows[1].requests), (101, 1, 10));
        assert_eq!(rows[1].response_time.count(), 10);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn coarsening_keeps_totals_order_and_length(
            start in 0_u64..2_000,
            steps in proptest::collection::vec((1_u64..4, 0_u64..4), 0..2_500),
        ) {
            let mut series = Series::new();
            let mut whole = SeriesRow::default();
            let mut second = start;
            for &(step, requests) in &steps {
                second += step;
                let pushed = row(second, requests);
                whole.add_counts(&pushed);
                series.push(pushed);
            }
            let mut merged = SeriesRow::default();
            for row in series.rows() {
                merged.add_counts(row);
            }
            prop_assert_eq!(&merged, &whole);
            let seconds: u64 = series.rows().map(|row| u64::from(row.seconds)).sum();
            prop_assert_eq!(seconds, steps.len() as u64);
            let starts: Vec<u64> = series.rows().map(|row| row.unix_second).collect();
            prop_assert!(starts.is_sorted_by(|earlier, later| earlier < later));
            let newest: Vec<u32> =
                series.rows().map(|row| row.seconds).skip(starts.len().saturating_sub(600)).collect();
            prop_assert!(newest.iter().all(|&seconds| seconds == 1));
            prop_assert!(series.rows().all(|row| row.seconds <= 60));
        }
    }
}
