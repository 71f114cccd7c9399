//! Targets that say nothing, or too little at a time.

use std::time::Duration;

use loadr_tests::on_each_runtime;
use loadr_tests::program::Invocation;
use loadr_tests::scripted::{Connection, GOOD, ScriptedServer};

use super::{expect_in_time, failing_run};

on_each_runtime!(
    a_target_that_never_answers_runs_into_the_timeout,
    a_dripping_head_runs_into_the_timeout,
    a_target_that_never_reads_runs_into_the_timeout,
    a_silent_target_does_not_hold_up_the_end,
    a_silent_target_is_awaited_for_the_stop_timeout,
);

fn silent() -> ScriptedServer {
    ScriptedServer::start(|mut connection| connection.await_close())
}

fn a_target_that_never_answers_runs_into_the_timeout(runtime: &str) {
    let server = silent();
    let (finished, saved) = failing_run(runtime, &server.url(), "-n 6 -u 3 --timeout 300ms");
    saved.expect_only("timeout", "no complete response within 300ms");
    assert_eq!((saved.requests(), saved.failures()), (6, 6), "{finished}");
    let times = &saved["totals"]["response_time_ms"];
    let fastest_ms = times["min"].as_f64().expect("a time");
    assert!(fastest_ms >= 300.0, "given up after {fastest_ms} ms\n{finished}");
    assert_eq!(server.connections(), 6, "a connection that timed out is of no more use");
}

fn a_dripping_head_runs_into_the_timeout(runtime: &str) {
    let server = ScriptedServer::start(|mut connection: Connection| {
        if connection.request().is_some() {
            connection.drip(GOOD, Duration::from_millis(50));
        }
    });
    let (finished, saved) = failing_run(runtime, &server.url(), "-n 4 -u 2 --timeout 400ms");
    saved.expect_only("timeout", "no complete response within 400ms");
    assert_eq!((saved.requests(), saved.failures()), (4, 4), "{finished}");
}

/// The request never leaves whole: the deadline must cut a send off as it does a receive.
fn a_target_that_never_reads_runs_into_the_timeout(runtime: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let body = directory.path().join("body");
    std::fs::write(&body, vec![b'x'; 32 << 20]).expect("a temporary file");
    let server = ScriptedServer::start(|connection| connection.ignore());
    let line = format!("-n 2 -u 2 --timeout 400ms -X POST --body-file {}", body.display());
    let (finished, saved) = failing_run(runtime, &server.url(), &line);
    saved.expect_only("timeout", "no complete response within 400ms");
    assert_eq!((saved.requests(), saved.failures()), (2, 2), "{finished}");
}

fn a_silent_target_does_not_hold_up_the_end(runtime: &str) {
    let server = silent();
    let invocation = Invocation::new([&server.url(), "-t", "1s", "-u", "3", "--timeout", "1h"]);
    let invocation = invocation.and(["--runtime", runtime]).within(Duration::from_secs(20));
    let (finished, saved) = invocation.run_saved();
    finished.expect_code(1);
    expect_in_time(&saved, 1.0, 0.0);
    assert_eq!((saved.requests(), saved.cut_off()), (0, 3), "{finished}");
}

fn a_silent_target_is_awaited_for_the_stop_timeout(runtime: &str) {
    let server = silent();
    let invocation = Invocation::new([&server.url(), "-t", "1s", "-s", "500ms", "-u", "3"]);
    let invocation = invocation.and(["--runtime", runtime]).within(Duration::from_secs(20));
    let (finished, saved) = invocation.run_saved();
    finished.expect_code(1);
    expect_in_time(&saved, 1.0, 0.5);
    assert!(finished.took >= Duration::from_millis(1_500), "cut off too early\n{finished}");
    assert_eq!((saved.requests(), saved.cut_off()), (0, 3), "{finished}");
}
