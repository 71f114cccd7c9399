//! What makes a run a failed one: thresholds, and the exit codes that go with them.

use clap::Args as ClapArgs;

use super::values::{amount, ratio};
use crate::threshold::Threshold;

const FAIL_IF: &str = "Exit with 3 if this holds at the end, such as 'p99 > 200ms', 'failure_ratio > 1%', \
    'requests_per_s < 1000' or '[/products/[id]] p95 > 50ms'; repeatable";

/// Thresholds and exit codes.
#[derive(Clone, Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// Conditions that the run fails by; brackets in the help would be links here.
    #[arg(long, value_name = "CONDITION", value_parser = Threshold::parse, help = FAIL_IF, help_heading = "Checks")]
    pub(crate) fail_if: Vec<Threshold>,

    /// End the run as soon as this holds over all of it so far, and exit with 3; looked at once a second; repeatable
    #[arg(long, value_name = "CONDITION", value_parser = Threshold::parse, help_heading = "Checks")]
    pub(crate) abort_on: Vec<Threshold>,

    /// Exit with 3 if there were fewer requests a second
    #[arg(long, value_name = "RATE", value_parser = amount, help_heading = "Checks")]
    pub(crate) check_rps: Option<f64>,

    /// Exit with 3 if a greater part of the requests failed, 0 to 1; failures below it are no error then
    #[arg(long, value_name = "RATIO", value_parser = ratio, help_heading = "Checks")]
    pub(crate) check_fail_ratio: Option<f64>,

    /// Exit with 3 if the mean response time was longer, in milliseconds
    #[arg(long, value_name = "MS", value_parser = amount, help_heading = "Checks")]
    pub(crate) check_avg_response_time: Option<f64>,

    /// Exit code of a run in which something failed
    #[arg(long, value_name = "CODE", default_value_t = 1, help_heading = "Checks")]
    pub(crate) exit_code_on_error: u8,
}

impl CheckArgs {
    /// Everything that the end of the run is held against, in the order of the report.
    pub(crate) fn thresholds(&self) -> Vec<Threshold> {
        let legacy = [
            self.check_rps.map(Threshold::requests_per_s_below),
            self.check_fail_ratio.map(Threshold::failure_ratio_above),
            self.check_avg_response_time.map(Threshold::mean_ms_above),
        ];
        self.fail_if.iter().cloned().chain(legacy.into_iter().flatten()).collect()
    }

    /// Exit code of failures: `--check-fail-ratio` says which are too many, so the others are none, as the plugin has it.
    pub(crate) fn failures_exit_code(&self) -> u8 {
        if self.check_fail_ratio.is_some() { 0 } else { self.exit_code_on_error }
    }
}
