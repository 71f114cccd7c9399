//! What thresholds are held against: the counts and times of an entry, or of all requests together.
//!
//! The same figures come from a run under way ([`Live`]) and from a report, fresh or read back from a file. Where
//! several entries go by one name, such as `GET /cart` and `POST /cart`, their counts are added; those of a request
//! and a task of one name are not, since one is part of the other. Tasks and connections count only where they are
//! named.

use std::time::Duration;

use hdrhistogram::Histogram;
use loadr_engine::record::{EntryCounts, EntryKind, MergedEntry};

use crate::report::Report;
use crate::report::model::EntryReport;

/// Something that measured requests.
pub trait Measured {
    /// Figures of the entries that `entry` names, by name or by method and name, or of all requests together; `None` if
    /// there is none of that name.
    fn figures(&self, entry: Option<&str>) -> Option<Figures>;
}

/// Counts and response times.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Requests, failed ones among them.
    pub requests: u64,
    /// Failed requests.
    pub failures: u64,
    /// Seconds measured.
    pub seconds: f64,
    /// `None` where there is no response time.
    pub times: Option<Times>,
}

/// Response times.
#[derive(Clone, Debug)]
pub struct Times {
    /// Shortest, in milliseconds, exact.
    pub min_ms: f64,
    /// Mean in milliseconds.
    pub mean_ms: f64,
    /// Longest, in milliseconds, exact.
    pub max_ms: f64,
    /// All of them, in microseconds.
    pub histogram: Histogram<u64>,
}

impl Times {
    /// The time that `percent` of the requests stayed within, kept between the exact minimum and maximum.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        let ms = self.histogram.value_at_percentile(percent) as f64 / 1_000.0;
        ms.clamp(self.min_ms, self.max_ms)
    }

    /// Both together.
    fn and(mut self, other: &Self) -> Self {
        let (own, others) = (self.histogram.len() as f64, other.histogram.len() as f64);
        self.mean_ms = (self.mean_ms * own + other.mean_ms * others) / (own + others);
        self.min_ms = self.min_ms.min(other.min_ms);
        self.max_ms = self.max_ms.max(other.max_ms);
        // A report from elsewhere may have another layout.
        self.histogram.auto(true);
        self.histogram.add(&other.histogram).expect("a histogram that grows takes every value");
        self
    }
}

impl Figures {
    fn of_counts(counts: &EntryCounts, seconds: f64) -> Self {
        let times = &counts.response_time;
        let times = times.min_ns().zip(times.max_ns()).map(|(min_ns, max_ns)| Times {
            min_ms: min_ns as f64 / 1e6,
            mean_ms: times.mean_ns() / 1e6,
            max_ms: max_ns as f64 / 1e6,
            histogram: times.to_hdr(),
        });
        Self { requests: counts.requests, failures: counts.failures, seconds, times }
    }

    fn of_report(entry: &EntryReport, seconds: f64) -> Self {
        let ms = &entry.response_time_ms;
        let times = match (ms.min, ms.mean, ms.max) {
            (Some(min_ms), Some(mean_ms), Some(max_ms)) => {
                Some(Times { min_ms, mean_ms, max_ms, histogram: entry.histogram.decode() })
            }
            _ => None,
        };
        Self { requests: entry.requests, failures: entry.failures, seconds, times }
    }

    fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            failures: self.failures + other.failures,
            seconds: self.seconds,
            times: match (self.times, other.times) {
                (Some(own), Some(others)) => Some(own.and(&others)),
                (own, others) => own.or(others),
            },
        }
    }
}

/// Whether an entry goes by `wanted`: its name, or its method and name.
fn goes_by(wanted: &str, method: &str, name: &str) -> bool {
    let with_method = || wanted.strip_prefix(method).and_then(|rest| rest.strip_prefix(' '));
    wanted == name || with_method() == Some(name)
}

/// What a name stands for: requests before tasks, tasks before connections, and those before waits for the bridge.
const PRECEDENCE: [EntryKind; 5] = [
    EntryKind::Exchange,
    EntryKind::Task,
    EntryKind::Connection,
    EntryKind::Handshake,
    EntryKind::Bridge,
];

/// A run under way or just over.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    /// Entries with their counts since the start.
    pub entries: &'a [&'a MergedEntry],
    /// Time measured so far.
    pub measured: Duration,
}

impl Live<'_> {
    /// Counts of the entries of a kind, all of them or those that go by a name; `None` if there are none.
    fn sum(&self, kind: EntryKind, entry: Option<&str>) -> Option<EntryCounts> {
        let is_meant = |candidate: &MergedEntry| {
            candidate.key.kind == kind
                && entry.is_none_or(|wanted| {
                    goes_by(wanted, &candidate.key.method, &candidate.key.name)
                })
        };
        let chosen = self.entries.iter().filter(|candidate| is_meant(candidate));
        let mut sum = EntryCounts::default();
        let found = chosen.map(|entry| sum.add(&entry.counts)).count();
        (found > 0).then_some(sum)
    }
}

impl Measured for Live<'_> {
    fn figures(&self, entry: Option<&str>) -> Option<Figures> {
        let sum = match entry {
            Some(_) => PRECEDENCE.iter().find_map(|kind| self.sum(*kind, entry))?,
            None => self.sum(EntryKind::Exchange, None).unwrap_or_default(),
        };
        Some(Figures::of_counts(&sum, self.measured.as_secs_f64()))
    }
}

impl Measured for Report {
    fn figures(&self, entry: Option<&str>) -> Option<Figures> {
        let figures = |entry| Figures::of_report(entry, self.duration_s);
        let Some(wanted) = entry else { return Some(figures(&self.totals)) };
        let of_kind = |kind: &EntryKind| {
            let entries = match kind {
                EntryKind::Exchange => &self.entries[..],
                EntryKind::Task => &self.tasks,
                EntryKind::Connection => &self.connections.entries,
                EntryKind::Handshake => &self.connections.handshake_entries,
                EntryKind::Bridge => self.bridge.as_ref().map_or(&[][..], |bridge| &bridge.entries),
            };
            let chosen = entries.iter().filter(|e| goes_by(wanted, &e.method, &e.name));
            chosen.map(figures).reduce(Figures::and)
        };
        PRECEDENCE.iter().find_map(of_kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadr_engine::record::{EntryKey, Exchange};

    fn entry(kind: EntryKind, method: &str, name: &str, times_ms: &[u64]) -> MergedEntry {
        let mut counts = EntryCounts::default();
        for ms in times_ms {
            counts.record(&Exchange { end_ns: ms * 1_000_000, ..Exchange::default() });
        }
        MergedEntry { key: EntryKey::new(kind, method, name), counts }
    }

    #[test]
    fn tasks_and_connections_are_seen_where_they_are_named() {
        let entries = [
            entry(EntryKind::Connection, "CONNECT", "127.0.0.1:80", &[1]),
            entry(EntryKind::Task, "TASK", "browse", &[900, 901]),
            entry(EntryKind::Task, "TASK", "/cart", &[700, 701, 702, 703]),
            entry(EntryKind::Exchange, "GET", "/cart", &[10, 11]),
            entry(EntryKind::Exchange, "POST", "/cart", &[20]),
        ];
        let entries: Vec<&MergedEntry> = entries.iter().collect();
        let live = Live { entries: &entries, measured: Duration::from_secs(1) };
        let requests = |entry| live.figures(entry).map(|figures| figures.requests);
        assert_eq!(requests(None), Some(3));
        assert_eq!(requests(Some("127.0.0.1:80")), Some(1));
        assert_eq!(requests(Some("CONNECT 127.0.0.1:80")), Some(1));
        assert_eq!([requests(Some("browse")), requests(Some("TASK browse"))], [Some(2); 2]);
        assert_eq!(requests(Some("/cart")), Some(3), "a task is not added to its requests");
        assert_eq!(requests(Some("TASK /cart")), Some(4));
        assert_eq!(requests(Some("GET browse")), None);
        let tasks_alone = Live { entries: &entries[..3], ..live };
        assert_eq!(tasks_alone.figures(None).map(|figures| figures.requests), Some(0));
    }

    #[test]
    fn entries_go_by_name_or_by_method_and_name() {
        assert!(goes_by("/a", "GET", "/a"));
        assert!(goes_by("GET /a", "GET", "/a"));
        assert!(goes_by("GET /a", "POST", "GET /a"));
        assert!(!goes_by("POST /a", "GET", "/a"));
        assert!(!goes_by("GET/a", "GET", "/a"));
    }
}
