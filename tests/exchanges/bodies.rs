//! What: methods, framings and sizes of requests and responses.

use loadr_target::RouteKind;
use loadr_tests::program::Invocation;
use loadr_tests::scripted::ScriptedServer;
use loadr_tests::{on_each_runtime, start_target, url};

use super::{clean_run, counted};

on_each_runtime!(
    head_has_no_body,
    a_large_body_is_sent_while_the_answer_is_received,
    pipelined_bodies_are_sent_while_answers_are_received,
    a_body_from_a_file_is_sent_byte_for_byte,
    chunks_are_decoded,
    a_large_body_is_counted_whole,
    a_body_may_end_with_its_connection,
    statuses_without_content_have_none,
    interim_responses_are_passed_over,
    an_early_answer_to_a_large_body_counts,
);

fn head_has_no_body(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/bytes/1000"), "-X HEAD -n 100 -u 3");
    assert_eq!((saved.requests(), &saved["totals"]["body_bytes"]), (100, &0.into()));
    assert_eq!(saved["entries"][0]["method"], "HEAD");
    assert_eq!(saved.connections(), 3, "connections are kept");
    assert_eq!(counted(target).served(RouteKind::Bytes), 100);
}

/// A body of `bytes` in a file that lives as long as the directory.
fn body_file(bytes: usize) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("body");
    let body: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    std::fs::write(&path, body).expect("a temporary file");
    let path = path.to_str().expect("a plain path").to_owned();
    (directory, path)
}

fn a_large_body_is_sent_while_the_answer_is_received(runtime: &str) {
    let target = start_target();
    let (_directory, file) = body_file(1 << 20);
    let line = format!("-X POST --body-file {file} -n 20 -u 2");
    let saved = clean_run(runtime, &url(&target, "/echo"), &line);
    assert_eq!((saved.requests(), saved.connections()), (20, 2));
    assert_eq!(saved["totals"]["body_bytes"], 20 * (1 << 20));
    assert!(saved["totals"]["bytes_sent"].as_u64() > Some(20 << 20));
    assert_eq!(counted(target).served(RouteKind::Echo), 20);
}

fn pipelined_bodies_are_sent_while_answers_are_received(runtime: &str) {
    let target = start_target();
    let (_directory, file) = body_file(64 << 10);
    let line = format!("-X POST --body-file {file} --pipeline 8 -n 100 -u 2");
    let saved = clean_run(runtime, &url(&target, "/echo"), &line);
    assert_eq!((saved.requests(), saved.connections()), (100, 2));
    assert_eq!(saved["totals"]["body_bytes"], 100 * (64 << 10));
    assert_eq!(counted(target).served(RouteKind::Echo), 100);
}

fn a_body_from_a_file_is_sent_byte_for_byte(runtime: &str) {
    let server = ScriptedServer::start(|mut connection| {
        let Some(head) = connection.request() else { return };
        let head = String::from_utf8_lossy(&head).into_owned();
        let bytes = connection.body(300);
        let intact = bytes.iter().enumerate().all(|(at, &byte)| byte == (at % 251) as u8);
        let good = intact && head.contains("\r\nContent-Length: 300\r\n");
        let answer = if good { "200 OK" } else { "400 Not what was sent" };
        connection.send(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes());
        connection.await_close();
    });
    let (_directory, file) = body_file(300);
    let line = format!("-X PUT --body-file {file} -n 1");
    assert_eq!(clean_run(runtime, &server.url(), &line).requests(), 1);
}

fn chunks_are_decoded(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/chunked/150001"), "-n 60 -u 3 --pipeline 2");
    assert_eq!(saved["totals"]["body_bytes"], 60 * 150_001_u64);
    assert!(saved["totals"]["bytes_received"].as_u64() > Some(60 * 150_001), "framing counts too");
    assert_eq!(counted(target).served(RouteKind::Chunked), 60);
}

fn a_large_body_is_counted_whole(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/bytes/20000000"), "-n 5 -u 2");
    assert_eq!(saved["totals"]["body_bytes"], 100_000_000);
    assert_eq!(counted(target).served(RouteKind::Bytes), 5);
}

fn a_body_may_end_with_its_connection(runtime: &str) {
    let server = ScriptedServer::start(|mut connection| {
        if connection.request().is_some() {
            connection.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
        }
    });
    let saved = clean_run(runtime, &server.url(), "-n 30 -u 3");
    assert_eq!(saved["totals"]["body_bytes"], 30 * 13);
    assert_eq!((saved.requests(), server.requests()), (30, 30));
}

fn statuses_without_content_have_none(runtime: &str) {
    let target = start_target();
    for status in [204, 304] {
        let saved = clean_run(runtime, &url(&target, &format!("/status/{status}")), "-n 50 -u 2");
        assert_eq!(saved["totals"]["body_bytes"], 0);
        assert_eq!(saved.connections(), 2, "{status} needs no close to end");
    }
    assert_eq!(counted(target).served(RouteKind::Status), 100);
}

fn interim_responses_are_passed_over(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/status/103"), "-n 50 -u 2");
    assert_eq!((saved.requests(), saved.connections()), (50, 2));
    assert_eq!(counted(target).requests(), 50);
}

/// RFC 9112, 9.6: a server may answer before it has read a request, and close.
fn an_early_answer_to_a_large_body_counts(runtime: &str) {
    let server = ScriptedServer::start(|mut connection| {
        if connection.request().is_some() {
            connection.send(
                b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            );
            connection.finish_sending();
            connection.await_close();
        }
    });
    let (_directory, file) = body_file(4 << 20);
    let invocation = Invocation::new(["--runtime", runtime, "-n", "4", "-u", "2", "-X", "POST"]);
    let (finished, saved) = invocation.and(["--body-file", &file]).and([server.url()]).run_saved();
    finished.expect_code(1);
    assert_eq!((saved.requests(), server.requests()), (4, 4), "{finished}");
    saved.expect_only("status", "413 Content Too Large");
}
