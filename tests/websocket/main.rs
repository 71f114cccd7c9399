//! WebSockets of URL mode: against servers that others wrote, and against targets that break the rules.
//!
//! The servers' own counts must be ours. `tools/test` installs what they are made of.

#![forbid(unsafe_code)]

mod faults;
mod servers;
mod target;

use std::time::Duration;

use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;

/// Runs the words of `line` against a URL and gives the report.
fn run(url: &str, line: &str) -> (Finished, Saved) {
    let invocation = Invocation::new([url, "--only-summary"]);
    invocation.and(line.split_whitespace()).within(Duration::from_secs(60)).run_saved()
}
