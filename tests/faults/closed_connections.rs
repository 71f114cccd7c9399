//! Connections that end before the response does.

use loadr_tests::on_each_runtime;
use loadr_tests::scripted::{Connection, GOOD, ScriptedServer};

use super::failing_run;

on_each_runtime!(
    a_reset_in_a_body_is_counted_as_one,
    a_reset_before_a_response_is_counted_as_one,
    a_close_before_the_response_is_counted_as_one,
    a_close_in_a_head_says_how_far_it_came,
    a_close_in_a_body_says_how_far_it_came,
    a_close_in_chunks_says_how_far_it_came,
    a_close_between_exchanges_loses_none,
    a_target_that_closes_at_once_is_not_stormed,
);

/// Eight requests of two users, each of which meets `script` and fails as told.
#[track_caller]
fn expect_failure(
    runtime: &str,
    script: impl Fn(Connection) + Send + Sync + 'static,
    kind: &str,
    message: &str,
) {
    let server = ScriptedServer::start(script);
    let (finished, saved) = failing_run(runtime, &server.url(), "-n 8 -u 2");
    saved.expect_only(kind, message);
    assert_eq!((saved.requests(), saved.failures()), (8, 8), "{finished}");
}

fn a_reset_in_a_body_is_counted_as_one(runtime: &str) {
    let script = |mut connection: Connection| {
        if connection.request().is_some() {
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome of it");
            connection.reset();
        }
    };
    expect_failure(runtime, script, "reset", "connection reset by the target");
}

fn a_reset_before_a_response_is_counted_as_one(runtime: &str) {
    let script = |mut connection: Connection| {
        if connection.request().is_some() {
            connection.reset();
        }
    };
    expect_failure(runtime, script, "reset", "connection reset by the target");
}

fn a_close_before_the_response_is_counted_as_one(runtime: &str) {
    let script = |mut connection: Connection| drop(connection.request());
    expect_failure(runtime, script, "closed", "connection closed before a response");
}

/// A script that sends `part` of a response and closes.
fn sending(part: &'static str) -> impl Fn(Connection) + Send + Sync + 'static {
    move |mut connection: Connection| {
        if connection.request().is_some() {
            connection.send(part.as_bytes());
        }
    }
}

fn a_close_in_a_head_says_how_far_it_came(runtime: &str) {
    let message = "connection closed inside a response head, after 20 bytes";
    expect_failure(runtime, sending("HTTP/1.1 200 OK\r\nCon"), "closed", message);
}

fn a_close_in_a_body_says_how_far_it_came(runtime: &str) {
    let part = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome of it";
    let message = "connection closed inside a response body: 10 of 1000 bytes received";
    expect_failure(runtime, sending(part), "closed", message);
}

fn a_close_in_chunks_says_how_far_it_came(runtime: &str) {
    let part = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let message = "connection closed inside a chunked response body, after 5 bytes";
    expect_failure(runtime, sending(part), "closed", message);
}

/// The target closes without saying so after each answer: the next request may be on its way already, and fails.
fn a_close_between_exchanges_loses_none(runtime: &str) {
    let server = ScriptedServer::start(|mut connection| {
        if connection.request().is_some() {
            connection.send(GOOD);
        }
    });
    let (finished, saved) = failing_run(runtime, &server.url(), "-n 20 -u 2");
    assert_eq!(saved.requests(), 20, "{finished}");
    assert!(
        saved.errors().iter().all(|(kind, _, _)| ["closed", "reset"].contains(kind)),
        "{:?}\n{finished}",
        saved.errors()
    );
    let successes = saved.requests() - saved.failures();
    assert!(successes >= 2, "each connection answers once\n{finished}");
    assert_eq!(server.requests(), successes, "the target answered what succeeded\n{finished}");
}

/// A connection made is no success yet: the backoff goes on where the target closes at once.
fn a_target_that_closes_at_once_is_not_stormed(runtime: &str) {
    let server = ScriptedServer::start(drop);
    let (finished, saved) = failing_run(runtime, &server.url(), "-t 1s -u 3");
    super::expect_in_time(&saved, 1.0, 0.0);
    // Waits of at least 0.5, 1, 2, 4... ms: twelve attempts of a user take two seconds.
    assert!(server.connections() <= 3 * 12, "{} connections\n{finished}", server.connections());
    assert!(
        saved.errors().iter().all(|(kind, ..)| ["closed", "reset"].contains(kind)),
        "{finished}"
    );
}
