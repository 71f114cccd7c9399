//! From the outcome of a run to its report: the only place where the report's figures are computed.

use std::time::{Duration, SystemTime};

use loadr_engine::coordinator::{RunOutcome, ShardOutcome};
use loadr_engine::record::{
    EntryCounts, EntryKind, Histogram, MergedEntry, MergedError, SeriesRow,
};

use super::{
    BridgeReport, ConnectionsReport, EncodedHistogram, EntryReport, ErrorReport, ExceptionReport,
    GeneratorReport, HandshakesReport, Report, SCHEMA, SeriesReport, ShardReport, TimesMs,
    WarmUpReport,
};
use crate::environment::{Environment, GeneratorUsage};
use crate::report::errors::Errors;
use crate::report::locust::AGGREGATED;
use crate::report::units::percent;
use crate::warning::{ReportedWarning, Warning};

impl Report {
    /// Makes the report of a finished run.
    pub fn from_outcome(
        outcome: &RunOutcome,
        plan: serde_json::Value,
        environment: Environment,
        usage: GeneratorUsage,
        warnings: &[Warning],
        exit_code: u8,
    ) -> Self {
        let duration_s = outcome.measured.as_secs_f64();
        let total = sum(of_kind(outcome, EntryKind::Exchange));
        let totals = EntryReport::new("", AGGREGATED, &total, duration_s);
        let errors = Errors::of(&outcome.errors, &outcome.entries);
        Self {
            schema: SCHEMA.to_owned(),
            plan,
            environment,
            started_at: rfc3339(outcome.started_at),
            duration_s,
            ended_by: outcome.ended_by.as_str().to_owned(),
            refused: outcome.refused.as_ref().map(ToString::to_string),
            users_max: outcome.users_max,
            warm_up: outcome.warm_up.as_ref().map(|warm_up| WarmUpReport {
                duration_s: warm_up.duration.as_secs_f64(),
                requests: warm_up.requests,
                failures: warm_up.failures,
            }),
            generator: GeneratorReport::new(outcome, usage, totals.requests),
            totals,
            entries: EntryReport::of_kind(outcome, EntryKind::Exchange),
            tasks: EntryReport::of_kind(outcome, EntryKind::Task),
            errors: errors.failures.into_iter().map(ErrorReport::from).collect(),
            exceptions: errors.exceptions.into_iter().map(ExceptionReport::from).collect(),
            series: outcome.series.iter().map(SeriesReport::from).collect(),
            connections: ConnectionsReport::new(outcome),
            bridge: BridgeReport::new(outcome),
            cut_off: outcome.cut_off,
            warnings: warnings.iter().map(ReportedWarning::from).collect(),
            thresholds: Vec::new(),
            exit_code,
        }
    }
}

impl EntryReport {
    fn of_kind(outcome: &RunOutcome, kind: EntryKind) -> Vec<Self> {
        let duration_s = outcome.measured.as_secs_f64();
        of_kind(outcome, kind)
            .map(|e| Self::new(&e.key.method, &e.key.name, &e.counts, duration_s))
            .collect()
    }

    fn new(method: &str, name: &str, counts: &EntryCounts, duration_s: f64) -> Self {
        Self {
            method: method.to_owned(),
            name: name.to_owned(),
            requests: counts.requests,
            failures: counts.failures,
            requests_per_s: per(counts.requests as f64, duration_s).unwrap_or(0.0),
            failures_per_s: per(counts.failures as f64, duration_s).unwrap_or(0.0),
            bytes_received: counts.bytes_received,
            bytes_sent: counts.bytes_sent,
            body_bytes: counts.body_bytes,
            response_time_ms: TimesMs::from(&counts.response_time),
            histogram: EncodedHistogram::from(&counts.response_time),
        }
    }
}

impl From<&Histogram> for TimesMs {
    fn from(histogram: &Histogram) -> Self {
        let (Some(min_ns), Some(max_ns)) = (histogram.min_ns(), histogram.max_ns()) else {
            return Self::default();
        };
        let hdr = histogram.to_hdr();
        // A bucket's upper edge may lie outside what was seen: p99.99 above the maximum would read as an error.
        let at = |quantile: f64| {
            let ns = hdr.value_at_quantile(quantile).saturating_mul(1_000);
            Some(ns.clamp(min_ns, max_ns) as f64 / 1e6)
        };
        Self {
            min: Some(min_ns as f64 / 1e6),
            mean: Some(histogram.mean_ns() / 1e6),
            max: Some(max_ns as f64 / 1e6),
            p50: at(0.50),
            p75: at(0.75),
            p90: at(0.90),
            p95: at(0.95),
            p99: at(0.99),
            p99_9: at(0.999),
            p99_99: at(0.9999),
        }
    }
}

impl From<&MergedError> for ErrorReport {
    fn from(error: &MergedError) -> Self {
        Self {
            method: error.method.to_string(),
            name: error.name.to_string(),
            kind: error.kind.as_str().to_owned(),
            message: error.message.to_string(),
            count: error.count,
            first_seen_unix_s: error.first_seen_unix_s,
            last_seen_unix_s: error.last_seen_unix_s,
        }
    }
}

impl From<&MergedError> for ExceptionReport {
    fn from(error: &MergedError) -> Self {
        Self {
            task: error.name.to_string(),
            message: error.message.to_string(),
            count: error.count,
            first_seen_unix_s: error.first_seen_unix_s,
            last_seen_unix_s: error.last_seen_unix_s,
        }
    }
}

impl From<&SeriesRow> for SeriesReport {
    fn from(row: &SeriesRow) -> Self {
        Self {
            unix_second: row.unix_second,
            seconds: row.seconds,
            users: row.users,
            requests: row.requests,
            failures: row.failures,
            bytes_received: row.bytes_received,
            bytes_sent: row.bytes_sent,
            response_time_ms: TimesMs::from(&row.response_time),
            histogram: EncodedHistogram::from(&row.response_time),
        }
    }
}

impl GeneratorReport {
    fn new(outcome: &RunOutcome, usage: GeneratorUsage, requests: u64) -> Self {
        let user: Duration = outcome.shards.iter().map(|shard| shard.cpu_user).sum();
        let system: Duration = outcome.shards.iter().map(|shard| shard.cpu_system).sum();
        Self {
            cpu_user_s: user.as_secs_f64(),
            cpu_system_s: system.as_secs_f64(),
            cpu_us_per_request: per((user + system).as_secs_f64() * 1e6, requests as f64),
            rss_bytes_max: usage.rss_bytes_max,
            cpu_steal_percent: usage.cpu_steal_percent,
            shards: outcome
                .shards
                .iter()
                .map(|shard| ShardReport::new(shard, outcome.measured))
                .collect(),
        }
    }
}

impl ShardReport {
    fn new(shard: &ShardOutcome, measured: Duration) -> Self {
        let busy = shard.cpu_user + shard.cpu_system;
        Self {
            index: shard.index,
            cpu: shard.cpu,
            runtime: shard.runtime.as_str().to_owned(),
            cpu_user_s: shard.cpu_user.as_secs_f64(),
            cpu_system_s: shard.cpu_system.as_secs_f64(),
            busy_percent: percent(busy.as_secs_f64(), measured.as_secs_f64()).min(100.0),
            users_max: shard.users_max,
            handovers_missed: shard.handovers_missed,
            panicked: shard.panicked.clone(),
        }
    }
}

impl ConnectionsReport {
    fn new(outcome: &RunOutcome) -> Self {
        let counts = sum(of_kind(outcome, EntryKind::Connection));
        Self {
            opened: counts.requests.saturating_sub(counts.failures),
            failed: counts.failures,
            connect_time_ms: TimesMs::from(&counts.response_time),
            histogram: EncodedHistogram::from(&counts.response_time),
            entries: EntryReport::of_kind(outcome, EntryKind::Connection),
            handshakes: HandshakesReport::of_all(outcome),
            handshake_entries: EntryReport::of_kind(outcome, EntryKind::Handshake),
        }
    }
}

impl HandshakesReport {
    /// Those that there were.
    fn of_all(outcome: &RunOutcome) -> Vec<Self> {
        let mut methods: Vec<&str> = Vec::new();
        for entry in of_kind(outcome, EntryKind::Handshake) {
            if entry.counts.requests > 0 && !methods.contains(&&*entry.key.method) {
                methods.push(&entry.key.method);
            }
        }
        methods.sort_unstable();
        methods.into_iter().map(|method| Self::new(outcome, method)).collect()
    }

    fn new(outcome: &RunOutcome, method: &str) -> Self {
        let entries = of_kind(outcome, EntryKind::Handshake);
        let counts = sum(entries.filter(|entry| &*entry.key.method == method));
        Self {
            method: method.to_owned(),
            made: counts.requests.saturating_sub(counts.failures),
            failed: counts.failures,
            time_ms: TimesMs::from(&counts.response_time),
        }
    }
}

impl BridgeReport {
    fn new(outcome: &RunOutcome) -> Option<Self> {
        let counts = sum(of_kind(outcome, EntryKind::Bridge));
        (counts.requests > 0).then(|| Self {
            begun: counts.requests.saturating_sub(counts.failures),
            given_up: counts.failures,
            wait_ms: TimesMs::from(&counts.response_time),
            histogram: EncodedHistogram::from(&counts.response_time),
            entries: EntryReport::of_kind(outcome, EntryKind::Bridge),
        })
    }
}

/// Seconds since the Unix epoch; a clock set before it counts as the epoch itself.
pub(crate) fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// To the millisecond, which is finer than clocks of different machines agree.
fn rfc3339(time: SystemTime) -> String {
    let timestamp = jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{timestamp:.3}")
}

fn of_kind(outcome: &RunOutcome, kind: EntryKind) -> impl Iterator<Item = &MergedEntry> {
    outcome.entries.iter().filter(move |entry| entry.key.kind == kind)
}

/// Counts and histograms of several entries together.
fn sum<'a>(entries: impl Iterator<Item = &'a MergedEntry>) -> EntryCounts {
    let mut total = EntryCounts::default();
    entries.for_each(|entry| total.add(&entry.counts));
    total
}

fn per(amount: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| amount / whole)
}
