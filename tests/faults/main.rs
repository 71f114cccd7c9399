//! What targets and networks do wrong, on every runtime: each a counted failure of its kind, and never a hang.
//!
//! A server written for these tests misbehaves as each says. The saved report must hold the kind and the words of the
//! failure, the exit code must be 1, and the run must end when it should.

#![forbid(unsafe_code)]

mod broken_responses;
mod closed_connections;
mod outages;
mod shards;
mod silence;
mod xmlrpc;

use std::time::Duration;

use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;

/// Runs the words of `line` on `runtime` against a URL, expects failures, and gives the report.
#[track_caller]
fn failing_run(runtime: &str, url: &str, line: &str) -> (Finished, Saved) {
    let invocation = Invocation::new([url, "--runtime", runtime, "--only-summary"]);
    let invocation = invocation.and(line.split_whitespace()).within(Duration::from_secs(30));
    let (finished, saved) = invocation.run_saved();
    finished.expect_code(1);
    assert!(saved.failures() > 0, "{finished}");
    saved.expect_consistent();
    (finished, saved)
}

/// Asserts that a run by time has ended in time: its run time, its stop timeout, and a second.
#[track_caller]
fn expect_in_time(saved: &Saved, run_time_s: f64, stop_timeout_s: f64) {
    let (duration_s, allowed_s) = (saved.duration_s(), run_time_s + stop_timeout_s + 1.0);
    assert!(duration_s <= allowed_s, "the run took {duration_s} s, {allowed_s} s are allowed");
}
