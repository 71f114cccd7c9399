//! Real programs of others: nginx and Python's `http.server`, whose own logs say what was asked of them, and Locust,
//! whose dispatcher ours is compared with; and Python's `xmlrpc.client`, which reads what ours writes.
//!
//! Each server is a child process on a free port with its files in a temporary folder. One that is not installed makes
//! the tests fail: `tools/test` installs it.

#![forbid(unsafe_code)]

mod dispatch;
mod nginx;
mod python;
mod xmlrpc;

use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;

#[track_caller]
fn run(runtime: &str, url: &str, line: &str) -> (Finished, Saved) {
    let invocation = Invocation::new([url, "--runtime", runtime, "--only-summary"]);
    let (finished, saved) = invocation.and(line.split_whitespace()).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    (finished, saved)
}
