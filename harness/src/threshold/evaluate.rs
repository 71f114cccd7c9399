//! A condition held against what was measured.

use super::figures::{Figures, Measured};
use super::{Metric, Threshold};

/// What became of a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The condition does not hold: all is well.
    Met {
        /// What was measured, in the metric's own unit.
        actual: f64,
    },
    /// The condition holds: the run failed.
    Missed {
        /// What was measured, in the metric's own unit.
        actual: f64,
    },
    /// No entry of that name ever appeared.
    NoSuchEntry,
    /// There was no request to measure.
    NoData,
}

impl Verdict {
    /// Whether a run that is over fails by it: a threshold that nothing could be held against was not met either.
    pub fn fails_the_run(self) -> bool {
        !matches!(self, Self::Met { .. })
    }

    /// Whether a run under way should end for it: what has not appeared yet still may.
    pub fn aborts_the_run(self) -> bool {
        matches!(self, Self::Missed { .. })
    }
}

impl Threshold {
    /// Holds the condition against what was measured.
    pub fn evaluate(&self, measured: &impl Measured) -> Verdict {
        let Some(figures) = measured.figures(self.entry.as_deref()) else {
            return Verdict::NoSuchEntry;
        };
        match actual(self.metric, &figures) {
            None => Verdict::NoData,
            Some(actual) if self.comparison.holds(actual, self.bound) => Verdict::Missed { actual },
            Some(actual) => Verdict::Met { actual },
        }
    }
}

/// The metric in its own unit; `None` where it is one of no requests, or over no time.
fn actual(metric: Metric, figures: &Figures) -> Option<f64> {
    let (requests, failures) = (figures.requests as f64, figures.failures as f64);
    let times = figures.times.as_ref();
    match metric {
        Metric::Percentile(percent) => times.map(|times| times.percentile_ms(percent)),
        Metric::Min => times.map(|times| times.min_ms),
        Metric::Mean => times.map(|times| times.mean_ms),
        Metric::Max => times.map(|times| times.max_ms),
        Metric::Requests => Some(requests),
        Metric::Failures => Some(failures),
        Metric::FailureRatio => (requests > 0.0).then(|| failures / requests),
        Metric::RequestsPerSecond => (figures.seconds > 0.0).then(|| requests / figures.seconds),
        Metric::FailuresPerSecond => (figures.seconds > 0.0).then(|| failures / figures.seconds),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loadr_engine::record::{EntryCounts, EntryKey, EntryKind, Exchange, MergedEntry};

    use super::*;
    use crate::threshold::Live;

    /// An entry of which each pair is a response time in milliseconds and whether it failed.
    fn entry(kind: EntryKind, method: &str, name: &str, times: &[(u64, bool)]) -> MergedEntry {
        let mut counts = EntryCounts::default();
        for &(ms, failed) in times {
            counts.record(&Exchange { end_ns: ms * 1_000_000, failed, ..Exchange::default() });
        }
        MergedEntry { key: EntryKey::new(kind, method, name), counts }
    }

    fn entries() -> Vec<MergedEntry> {
        let hundred: Vec<_> = (1..=100).map(|ms| (ms, ms > 98)).collect();
        vec![
            entry(EntryKind::Exchange, "GET", "/products/[id]", &hundred),
            entry(EntryKind::Exchange, "POST", "/cart", &[(400, false)]),
            entry(EntryKind::Exchange, "GET", "/cart", &[(200, true)]),
            entry(EntryKind::Exchange, "GET", "/idle", &[]),
            entry(EntryKind::Connection, "CONNECT", "h:80", &[(9_000, true)]),
        ]
    }

    fn verdict_of(text: &str, entries: &[MergedEntry]) -> Verdict {
        let entries: Vec<&MergedEntry> = entries.iter().collect();
        let live = Live { entries: &entries, measured: Duration::from_secs(10) };
        Threshold::parse(text).unwrap().evaluate(&live)
    }

    #[track_caller]
    fn expect(text: &str, missed: bool, wanted: f64) {
        let (found, actual) = match verdict_of(text, &entries()) {
            Verdict::Missed { actual } => (true, actual),
            Verdict::Met { actual } => (false, actual),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(found, missed, "{text}: {actual}");
        // Three digits are what the histogram keeps.
        assert!((actual - wanted).abs() <= wanted / 1_000.0, "{text}: {actual} is not {wanted}");
    }

    #[test]
    fn all_requests_are_held_against_a_condition_without_a_name() {
        expect("requests != 102", false, 102.0);
        expect("max > 400ms", false, 400.0);
        expect("max >= 400ms", true, 400.0);
        expect("failures > 2", true, 3.0);
        expect("failure_ratio > 2%", true, 3.0 / 102.0);
        expect("requests_per_s < 10.3", true, 10.2);
        expect("failures_per_s > 1", false, 0.3);
    }

    #[test]
    fn a_name_in_brackets_picks_entries() {
        expect("[/products/[id]] p95 > 50ms", true, 95.0);
        expect("[/products/[id]] p95 > 96ms", false, 95.0);
        expect("[/products/[id]] min < 1ms", false, 1.0);
        expect("[/products/[id]] median > 51ms", false, 50.0);
        expect("[/products/[id]] p99.9 > 1s", false, 100.0);
        expect("[POST /cart] mean > 300ms", true, 400.0);
        expect("[/cart] mean > 299ms", true, 300.0);
        expect("[CONNECT h:80] max > 1s", true, 9_000.0);
    }

    #[test]
    fn what_was_not_measured_is_no_success() {
        assert_eq!(verdict_of("[/nowhere] p99 > 1s", &entries()), Verdict::NoSuchEntry);
        assert_eq!(verdict_of("[/idle] p99 > 1s", &entries()), Verdict::NoData);
        assert_eq!(verdict_of("failure_ratio > 1%", &[]), Verdict::NoData);
        assert_eq!(verdict_of("rps < 1", &[]), Verdict::Missed { actual: 0.0 });
        for verdict in [Verdict::NoSuchEntry, Verdict::NoData] {
            assert!(verdict.fails_the_run() && !verdict.aborts_the_run());
        }
        let missed = Verdict::Missed { actual: 1.0 };
        assert!(missed.fails_the_run() && missed.aborts_the_run());
        let met = Verdict::Met { actual: 1.0 };
        assert!(!met.fails_the_run() && !met.aborts_the_run());
    }

    #[test]
    fn locusts_checks_are_thresholds() {
        let entries = entries();
        let entries: Vec<&MergedEntry> = entries.iter().collect();
        let live = Live { entries: &entries, measured: Duration::from_secs(10) };
        let missed = |threshold: Threshold| threshold.evaluate(&live).fails_the_run();
        assert!(missed(Threshold::requests_per_s_below(10.3)));
        assert!(!missed(Threshold::requests_per_s_below(10.2)));
        assert!(missed(Threshold::failure_ratio_above(0.02)));
        assert!(!missed(Threshold::failure_ratio_above(0.03)));
        assert!(missed(Threshold::mean_ms_above(55.0)));
        assert!(!missed(Threshold::mean_ms_above(56.0)));
        assert_eq!(Threshold::mean_ms_above(55.5).as_str(), "mean > 55.5ms");
    }
}
