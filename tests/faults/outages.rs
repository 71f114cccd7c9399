//! Targets that are not there, or not always.

use std::thread;
use std::time::{Duration, Instant};

use loadr_tests::on_each_runtime;
use loadr_tests::program::Invocation;
use loadr_tests::scripted::{FullBacklog, ReservedPort, ScriptedServer};

use super::{expect_in_time, failing_run};

on_each_runtime!(
    a_refused_connection_is_counted_and_not_repeated_at_once,
    a_budget_is_spent_on_refusals_too,
    a_thousand_refused_users_end_in_time,
    a_missing_unix_socket_is_a_refusal,
    a_connection_that_is_not_made_times_out,
    a_target_may_die_and_come_back,
);

fn a_refused_connection_is_counted_and_not_repeated_at_once(runtime: &str) {
    let port = ReservedPort::new();
    let (finished, saved) = failing_run(runtime, &port.url(), "-t 1s -u 3");
    expect_in_time(&saved, 1.0, 0.0);
    saved.expect_only("connect-refused", "connection refused");
    let attempts = saved["connections"]["failed"].as_u64().expect("a count");
    assert_eq!((saved.requests(), saved.failures()), (attempts, attempts), "{finished}");
    // Waits of at least 0.5, 1, 2, 4... ms: twelve attempts of a user take two seconds.
    assert!((3..=3 * 12).contains(&attempts), "{attempts} attempts of 3 users\n{finished}");
}

fn a_budget_is_spent_on_refusals_too(runtime: &str) {
    let port = ReservedPort::new();
    let (finished, saved) = failing_run(runtime, &port.url(), "-n 10 -u 4 --shards 2");
    assert_eq!((saved.requests(), saved.failures()), (10, 10), "{finished}");
    saved.expect_only("connect-refused", "connection refused");
}

fn a_thousand_refused_users_end_in_time(runtime: &str) {
    let port = ReservedPort::new();
    let (finished, saved) = failing_run(runtime, &port.url(), "-t 1s -u 1000 -s 1s");
    expect_in_time(&saved, 1.0, 1.0);
    assert!(saved.requests() >= 1_000, "each tried\n{finished}");
}

fn a_missing_unix_socket_is_a_refusal(runtime: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("nobody.sock");
    let line = format!("-n 4 -u 2 --unix-socket {}", socket.display());
    let (_, saved) = failing_run(runtime, "http://h/", &line);
    saved.expect_only("connect-refused", "no such Unix socket");
}

fn a_connection_that_is_not_made_times_out(runtime: &str) {
    let server = FullBacklog::new();
    let (finished, saved) =
        failing_run(runtime, &server.url(), "-n 4 -u 2 --connect-timeout 200ms");
    saved.expect_only("connect-timeout", "connection not made within 200ms");
    let fastest_ms = saved["totals"]["response_time_ms"]["min"].as_f64().expect("a time");
    assert!(fastest_ms >= 200.0, "given up after {fastest_ms} ms\n{finished}");
}

/// The target serves, dies with all its connections, stays away for half a second, and serves again.
fn a_target_may_die_and_come_back(runtime: &str) {
    const OUTAGE: Duration = Duration::from_millis(500);
    let port = ReservedPort::new();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("run.json");
    let first = ScriptedServer::start_on(port.address(), |mut connection| connection.behave());
    let line = format!("-t 4s -u 3 --runtime {runtime} --save {} {}", path.display(), port.url());
    let running = Invocation::words(&line).within(Duration::from_secs(30)).start();
    await_requests(&first, 30);
    drop(first);
    thread::sleep(OUTAGE);
    let second = ScriptedServer::start_on(port.address(), |mut connection| connection.behave());
    await_requests(&second, 30);
    let finished = running.finish();
    finished.expect_code(1);
    let saved =
        loadr_tests::saved::Saved::read(&path).unwrap_or_else(|e| panic!("{e}\n{finished}"));
    expect_in_time(&saved, 4.0, 0.0);
    saved.expect_consistent();
    let kinds: Vec<&str> = saved.errors().iter().map(|(kind, ..)| *kind).collect();
    assert!(kinds.contains(&"connect-refused"), "the outage is in the report\n{finished}");
    assert!(saved.requests() - saved.failures() >= 60, "both lives are in it\n{finished}");
    assert_eq!(second.connections(), 3, "every user came back, once\n{finished}");
}

/// Waits until the server has had that many requests.
#[track_caller]
fn await_requests(server: &ScriptedServer, count: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.requests() < count {
        assert!(Instant::now() < deadline, "{} of {count} requests came", server.requests());
        thread::sleep(Duration::from_millis(2));
    }
}
