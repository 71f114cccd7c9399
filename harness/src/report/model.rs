//! The saved report: one versioned JSON document that loses nothing a later reader needs.
//!
//! Every table, CSV file and comparison can be made again from it, because each entry, each interval and the
//! total carry their histogram ([`EncodedHistogram`]) beside the figures that people and scripts read first.
//! Percentiles are taken from merged histograms and kept within the exact minimum and maximum; those of nothing
//! are `null`, never 0. Other tools read these keys: a change that breaks them changes [`SCHEMA`]; adding one
//! does not.

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::threshold::ThresholdReport;
use crate::warning::ReportedWarning;

mod build;
mod file;
mod histogram;

pub(crate) use build::unix_seconds;
pub use file::{ReportError, ReportFile};
pub use histogram::{BadHistogram, EncodedHistogram};

/// Name and version of the document's layout.
pub const SCHEMA: &str = "loadr-bench/run/1";

/// All that one run measured, and on what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The checked settings of the run, as the command line made them.
    pub plan: serde_json::Value,
    /// Machine, kernel and build it ran on.
    pub environment: Environment,
    /// Start of the measured time, after any warm-up, as RFC 3339 in UTC.
    pub started_at: String,
    /// Length of the measured time in seconds: what every rate here is taken over.
    pub duration_s: f64,
    /// What ended the run, by the names of [`EndedBy`](loadr_engine::coordinator::EndedBy): `run-time`, `signal`, ...
    pub ended_by: String,
    /// Why the load could not go on as it was asked for, if that ended the run.
    #[serde(default)]
    pub refused: Option<String>,
    /// Most users that ran at once.
    pub users_max: u64,
    /// The time before `started_at`, which counts nowhere else.
    pub warm_up: Option<WarmUpReport>,
    /// All entries together; connections and tasks are not requests and are not in it.
    pub totals: EntryReport,
    /// One for each method and name, in first-seen order.
    pub entries: Vec<EntryReport>,
    /// One for each task, in first-seen order, where tasks are counted beside the requests they make.
    #[serde(default)]
    pub tasks: Vec<EntryReport>,
    /// Distinct failures, in first-seen order.
    pub errors: Vec<ErrorReport>,
    /// Distinct exceptions of tasks, in first-seen order.
    #[serde(default)]
    pub exceptions: Vec<ExceptionReport>,
    /// One row an interval, longer ones for the older part of a long run.
    pub series: Vec<SeriesReport>,
    /// What the load cost the machine that made it.
    pub generator: GeneratorReport,
    /// Connections made, and the time they took.
    pub connections: ConnectionsReport,
    /// Work off the shards, and what it waited for its turn; `None` where there was none.
    #[serde(default)]
    pub bridge: Option<BridgeReport>,
    /// Exchanges in flight when the run ended, counted nowhere else.
    pub cut_off: u64,
    /// Doubts about the result.
    pub warnings: Vec<ReportedWarning>,
    /// What the run was held against, in the order given.
    #[serde(default)]
    pub thresholds: Vec<ThresholdReport>,
    /// Exit code of the process.
    pub exit_code: u8,
}

/// What the warm-up did, left out of everything else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarmUpReport {
    /// Its length in seconds.
    pub duration_s: f64,
    /// Exchanges that ended in it.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// Counts and times of one entry, or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryReport {
    /// Method, empty for the total.
    pub method: String,
    /// Name, `Aggregated` for the total.
    pub name: String,
    /// Exchanges, failed ones among them.
    pub requests: u64,
    /// Failed exchanges; their times are in the histogram too.
    pub failures: u64,
    /// Exchanges a second over the measured time.
    pub requests_per_s: f64,
    /// Failures a second over the measured time.
    pub failures_per_s: f64,
    /// Bytes read from the wire.
    pub bytes_received: u64,
    /// Bytes written to the wire.
    pub bytes_sent: u64,
    /// Bytes of bodies after decoding.
    pub body_bytes: u64,
    /// Response times in milliseconds.
    pub response_time_ms: TimesMs,
    /// Response times in microseconds, one count an exchange.
    pub histogram: EncodedHistogram,
}

/// A distribution of times in milliseconds; all `None` when it is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct TimesMs {
    pub min: Option<f64>,
    pub mean: Option<f64>,
    pub max: Option<f64>,
    pub p50: Option<f64>,
    pub p75: Option<f64>,
    pub p90: Option<f64>,
    pub p95: Option<f64>,
    pub p99: Option<f64>,
    pub p99_9: Option<f64>,
    pub p99_99: Option<f64>,
}

/// Failures of one entry that share kind and message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Method of the entry.
    pub method: String,
    /// Name of the entry.
    pub name: String,
    /// Kind of failure, such as `connect-refused`.
    pub kind: String,
    /// What went wrong, in a sentence.
    pub message: String,
    /// How often.
    pub count: u64,
    /// First time, in seconds since the Unix epoch.
    pub first_seen_unix_s: f64,
    /// Last time, in seconds since the Unix epoch.
    pub last_seen_unix_s: f64,
}

/// Errors that one task did not catch, and that share a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExceptionReport {
    /// Class and task, such as `Shopper.browse`.
    pub task: String,
    /// What the error says.
    pub message: String,
    /// How often.
    pub count: u64,
    /// First time, in seconds since the Unix epoch.
    pub first_seen_unix_s: f64,
    /// Last time, in seconds since the Unix epoch.
    pub last_seen_unix_s: f64,
}

/// The whole run in one interval or a few.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesReport {
    /// Wall second at which the row begins, since the Unix epoch.
    pub unix_second: u64,
    /// Seconds of the run in the row.
    pub seconds: u32,
    /// Most users that ran at once.
    pub users: u64,
    /// Exchanges that ended in it.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Bytes read from the wire.
    pub bytes_received: u64,
    /// Bytes written to the wire.
    pub bytes_sent: u64,
    /// Response times in milliseconds.
    pub response_time_ms: TimesMs,
    /// Response times in microseconds, one count an exchange.
    pub histogram: EncodedHistogram,
}

/// What generating the load took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratorReport {
    /// CPU time of all shards in user space, in seconds.
    pub cpu_user_s: f64,
    /// CPU time of all shards in the kernel, in seconds.
    pub cpu_system_s: f64,
    /// CPU time an exchange, user and system, in microseconds; `None` when there was no exchange.
    pub cpu_us_per_request: Option<f64>,
    /// Most memory resident at once, in bytes.
    pub rss_bytes_max: Option<u64>,
    /// CPU time of the machine that its hypervisor gave to others, in per cent.
    pub cpu_steal_percent: Option<f64>,
    /// Each shard by itself.
    pub shards: Vec<ShardReport>,
}

/// One pinned thread of the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardReport {
    /// Its number, from 0.
    pub index: usize,
    /// The CPU it was pinned to.
    pub cpu: Option<usize>,
    /// Its runtime.
    pub runtime: String,
    /// CPU time in user space, in seconds.
    pub cpu_user_s: f64,
    /// CPU time in the kernel, in seconds.
    pub cpu_system_s: f64,
    /// CPU time as a part of the measured time, in per cent.
    pub busy_percent: f64,
    /// Most users it ran at once.
    pub users_max: u64,
    /// Intervals in which it kept filling because no cleared snapshot had come back.
    pub handovers_missed: u64,
    /// Why it was lost, if it was.
    pub panicked: Option<String>,
}

/// Connections over all targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionsReport {
    /// Connections established.
    pub opened: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Time of the attempts, in milliseconds.
    pub connect_time_ms: TimesMs,
    /// Time of the attempts, in microseconds.
    pub histogram: EncodedHistogram,
    /// One for each target, in first-seen order.
    #[serde(default)]
    pub entries: Vec<EntryReport>,
    /// TLS handshakes over all targets, full ones and those that resumed a session apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handshakes: Vec<HandshakesReport>,
    /// The same for each target, in first-seen order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handshake_entries: Vec<EntryReport>,
}

/// TLS handshakes of one kind over all targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandshakesReport {
    /// `TLS full` or `TLS resumed`; one that failed counts as full.
    pub method: String,
    /// Handshakes done.
    pub made: u64,
    /// Those that failed.
    pub failed: u64,
    /// Their time, that of the connection before them left out, in milliseconds.
    pub time_ms: TimesMs,
}

/// Work off the shards: what blocks, on threads, and what runs on tokio.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BridgeReport {
    /// Pieces of work that began.
    pub begun: u64,
    /// Pieces that nobody waited for any more before they began.
    pub given_up: u64,
    /// From the submission of each to its beginning, or to its being given up, in milliseconds.
    pub wait_ms: TimesMs,
    /// The same in microseconds.
    pub histogram: EncodedHistogram,
    /// One for `blocking` and one for `tokio`, where they were used.
    pub entries: Vec<EntryReport>,
}
