//! On what: connections kept, closed by either side, and not kept.

use loadr_target::{RouteKind, TargetOptions, TargetStats};
use loadr_tests::saved::Saved;
use loadr_tests::{on_each_runtime, start_target, start_target_with, url};

use super::{clean_run, counted};

on_each_runtime!(
    a_target_that_closes_each_time_is_reconnected_to,
    a_target_that_closes_takes_a_pipeline_with_it,
    connections_are_renewed_after_their_requests,
    connections_are_renewed_under_a_pipeline,
    no_keepalive_takes_a_connection_a_request,
    a_unix_socket_is_as_good,
    ipv6_is_as_good,
);

/// Asserts a connection for each request. Users that were still connecting when another took the last request have
/// connected in vain, and a connection that is given up at the end may be known to the target alone.
#[track_caller]
fn expect_connections(requests: u64, users: u64, saved: &Saved, stats: &TargetStats) {
    let (made, accepted) = (saved.connections(), stats.connections_accepted);
    let range = requests..requests + users;
    assert!(range.contains(&made) && range.contains(&accepted), "{made} made, {accepted} accepted");
}

fn a_target_that_closes_each_time_is_reconnected_to(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/close"), "-n 200 -u 4");
    let stats = counted(target);
    assert_eq!((saved.requests(), stats.served(RouteKind::Close)), (200, 200));
    expect_connections(200, 4, &saved, &stats);
}

/// What a closed connection leaves unanswered is sent again on the next one (RFC 9112, 9.3.2).
fn a_target_that_closes_takes_a_pipeline_with_it(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/close"), "-n 100 -u 2 --pipeline 4");
    assert_eq!((saved.requests(), saved.cut_off()), (100, 0));
    assert_eq!(counted(target).served(RouteKind::Close), 100);
}

fn connections_are_renewed_after_their_requests(runtime: &str) {
    let target = start_target();
    let line = "-n 100 -u 1 --requests-per-connection 3";
    let saved = clean_run(runtime, &url(&target, "/"), line);
    let stats = counted(target);
    assert_eq!((saved.requests(), stats.requests()), (100, 100));
    assert_eq!((saved.connections(), stats.connections_accepted), (34, 34), "100 / 3, rounded up");
}

fn connections_are_renewed_under_a_pipeline(runtime: &str) {
    let target = start_target();
    let line = "-n 100 -u 1 --requests-per-connection 10 --pipeline 4";
    let saved = clean_run(runtime, &url(&target, "/"), line);
    let stats = counted(target);
    assert_eq!((saved.requests(), stats.requests()), (100, 100));
    assert_eq!((saved.connections(), stats.connections_accepted), (10, 10));
}

fn no_keepalive_takes_a_connection_a_request(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/"), "-n 150 -u 3 --no-keepalive");
    let stats = counted(target);
    assert_eq!((saved.requests(), stats.requests()), (150, 150));
    expect_connections(150, 3, &saved, &stats);
}

fn a_unix_socket_is_as_good(runtime: &str) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let socket = directory.path().join("target.sock");
    let target = start_target_with(TargetOptions {
        unix_socket: Some(socket.clone()),
        ..TargetOptions::default()
    });
    let line = format!("-n 500 -u 3 --pipeline 2 --unix-socket {}", socket.display());
    let saved = clean_run(runtime, "http://any.name.invalid/bytes/100", &line);
    assert_eq!((saved.requests(), &saved["totals"]["body_bytes"]), (500, &50_000.into()));
    assert_eq!(counted(target).served(RouteKind::Bytes), 500);
}

fn ipv6_is_as_good(runtime: &str) {
    let target = start_target_with(TargetOptions {
        address: (std::net::Ipv6Addr::LOCALHOST, 0).into(),
        ..TargetOptions::default()
    });
    let url = url(&target, "/");
    assert!(url.starts_with("http://[::1]:"), "{url}");
    let saved = clean_run(runtime, &url, "-n 500 -u 3");
    assert_eq!((saved.requests(), counted(target).requests()), (500, 500));
}
