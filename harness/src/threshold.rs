//! Thresholds: what must not be true of a run, such as `p99 > 200ms` or `[/products/[id]] failure_ratio > 1%`.
//!
//! A condition states the failure. [`Threshold::parse`] reads it, [`figures`] says what a run measured, so far or in the end, and
//! [`Threshold::evaluate`] holds the one against the other; nothing here does I/O or knows a clock. [`Watch`]
//! does so while a run is on, [`report`] is how the outcome is shown and saved. Without a name in brackets a condition is about all requests together, which is
//! Locust's Aggregated row; tasks and connections are looked at where they are named.

mod evaluate;
pub mod figures;
mod parse;
pub mod report;
mod watch;

pub use evaluate::Verdict;
pub use figures::{Figures, Live, Measured};
pub use parse::ThresholdError;
pub use report::ThresholdReport;
pub use watch::Watch;

/// A condition that a run fails by.
#[derive(Clone, Debug, PartialEq)]
pub struct Threshold {
    /// As written.
    text: String,
    /// The entry it is about: a name, or a method and a name; `None` for all requests together.
    entry: Option<String>,
    metric: Metric,
    comparison: Comparison,
    /// In the metric's own unit.
    bound: f64,
}

impl Threshold {
    /// Locust's `--check-rps`.
    pub fn requests_per_s_below(rate: f64) -> Self {
        Self::legacy("requests_per_s", Metric::RequestsPerSecond, Comparison::Below, rate, "")
    }

    /// Locust's `--check-fail-ratio`.
    pub fn failure_ratio_above(ratio: f64) -> Self {
        Self::legacy("failure_ratio", Metric::FailureRatio, Comparison::Above, ratio, "")
    }

    /// Locust's `--check-avg-response-time`.
    pub fn mean_ms_above(ms: f64) -> Self {
        Self::legacy("mean", Metric::Mean, Comparison::Above, ms, "ms")
    }

    fn legacy(name: &str, metric: Metric, comparison: Comparison, bound: f64, unit: &str) -> Self {
        let text = format!("{name} {} {bound}{unit}", comparison.sign());
        Self { text, entry: None, metric, comparison, bound }
    }

    /// The condition as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    /// Response time that this part of the requests, in per cent, stayed within.
    Percentile(f64),
    Min,
    Mean,
    Max,
    Requests,
    Failures,
    FailureRatio,
    RequestsPerSecond,
    FailuresPerSecond,
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Milliseconds,
    Count,
    Ratio,
    PerSecond,
}

impl Metric {
    fn unit(self) -> Unit {
        match self {
            Self::Percentile(_) | Self::Min | Self::Mean | Self::Max => Unit::Milliseconds,
            Self::Requests | Self::Failures => Unit::Count,
            Self::FailureRatio => Unit::Ratio,
            Self::RequestsPerSecond | Self::FailuresPerSecond => Unit::PerSecond,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Above,
    AtLeast,
    Below,
    AtMost,
    Equal,
    Unequal,
}

impl Comparison {
    /// Longer signs first: `>=` begins with `>`.
    const SIGNS: [(&'static str, Self); 6] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        (">", Self::Above),
        ("<", Self::Below),
    ];

    fn sign(self) -> &'static str {
        let found = Self::SIGNS.iter().find(|(_, comparison)| *comparison == self);
        found.expect("every comparison has its sign").0
    }

    fn holds(self, actual: f64, bound: f64) -> bool {
        match self {
            Self::Above => actual > bound,
            Self::AtLeast => actual >= bound,
            Self::Below => actual < bound,
            Self::AtMost => actual <= bound,
            Self::Equal => actual == bound,
            Self::Unequal => actual != bound,
        }
    }
}
