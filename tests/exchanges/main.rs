//! Exchanges over real loopback sockets, on every runtime, counted by both ends.
//!
//! Each test runs the program against the bundled target in this process, and compares what the program reports with
//! what the target counted. Together they are the proof that the three runtimes behave alike.

#![forbid(unsafe_code)]

mod bodies;
mod connections;
mod counts;
mod ends;
mod origins;

use loadr_target::{TargetHandle, TargetStats};
use loadr_tests::program::Invocation;
use loadr_tests::saved::Saved;

/// Runs the words of `line` on `runtime` against a URL, expects a clean end, and gives the report.
#[track_caller]
fn clean_run(runtime: &str, url: &str, line: &str) -> Saved {
    let invocation = Invocation::new([url, "--runtime", runtime, "--only-summary"]);
    let (finished, saved) = invocation.and(line.split_whitespace()).run_saved();
    finished.expect_code(0);
    assert_eq!(saved.failures(), 0, "{finished}");
    assert_eq!(saved["environment"]["runtime"]["used"], runtime, "{finished}");
    saved.expect_consistent();
    saved
}

/// What the target counted, once it has closed and counted everything.
fn counted(target: TargetHandle) -> TargetStats {
    target.stop().expect("the target served to its end")
}
