//! Responses that are no HTTP, too large, or made to be read in two ways: failures of the target, named.

use loadr_tests::on_each_runtime;
use loadr_tests::scripted::ScriptedServer;

use super::failing_run;

on_each_runtime!(
    garbage_is_a_protocol_failure,
    an_oversized_head_is_a_protocol_failure,
    ambiguous_responses_are_refused,
    a_response_that_nobody_asked_for_is_refused,
    a_broken_response_in_a_pipeline_fails_those_behind_it,
);

/// A server that answers each request on each connection with `response`.
fn answering(response: impl Into<Vec<u8>>) -> ScriptedServer {
    let response = response.into();
    ScriptedServer::start(
        move |mut connection| {
            while connection.request().is_some() && connection.send(&response) {}
        },
    )
}

/// Eight requests of two users, all of which fail as told.
#[track_caller]
fn expect_protocol_failure(runtime: &str, response: impl Into<Vec<u8>>, message: &str) {
    let server = answering(response);
    let (finished, saved) = failing_run(runtime, &server.url(), "-n 8 -u 2");
    saved.expect_only("protocol", message);
    assert_eq!((saved.requests(), saved.failures()), (8, 8), "{finished}");
    assert!(finished.stdout.contains("Error report"), "{finished}");
}

fn garbage_is_a_protocol_failure(runtime: &str) {
    let begins = |with: &str| format!("the response begins with \"{with}");
    expect_protocol_failure(runtime, "SSH-2.0-OpenSSH_9.2p1\r\n", &begins("SSH-2.0"));
    expect_protocol_failure(runtime, [0xff, 0x00, 0x80, 0x0a].repeat(20), &begins("\\xff\\x00"));
    expect_protocol_failure(runtime, "HTTP/2 200\r\n\r\n", &begins("HTTP/2"));
}

fn an_oversized_head_is_a_protocol_failure(runtime: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(70_000));
    expect_protocol_failure(runtime, head, "the response head is longer than 65536 bytes");
    let fields = "X-Many: 1\r\n".repeat(200);
    let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
    expect_protocol_failure(runtime, head, "more than 128 header fields");
}

/// The shapes of response splitting and request smuggling (RFC 9112, sections 6.3 and 11).
fn ambiguous_responses_are_refused(runtime: &str) {
    let shapes = [
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "both Content-Length and Transfer-Encoding",
        ),
        (
            "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "conflicting Content-Length values: 5 and 6",
        ),
        ("Content-Length: 5, 6\r\n\r\nhello", "conflicting Content-Length values: 5 and 6"),
        ("Content-Length: +5\r\n\r\nhello", "invalid Content-Length: \"+5\""),
        ("X-Fold: a\r\n b\r\nContent-Length: 0\r\n\r\n", "obsolete line folding"),
        ("X-Bare: a\rb\r\nContent-Length: 0\r\n\r\n", "CR without LF in line 2"),
        ("X-Bare: a\nContent-Length: 0\r\n\r\n", "LF without CR in line 2"),
        ("Content-Length : 5\r\n\r\nhello", "whitespace between a header field name"),
        ("Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "in a chunk size"),
        (
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
            "where CRLF should follow the chunk's data",
        ),
        ("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "a chunk size exceeds 64 bits"),
        ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "unsupported transfer coding"),
    ];
    for (rest, message) in shapes {
        expect_protocol_failure(runtime, format!("HTTP/1.1 200 OK\r\n{rest}"), message);
    }
}

fn a_response_that_nobody_asked_for_is_refused(runtime: &str) {
    let two = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(2);
    let server = answering(two);
    let (finished, saved) = failing_run(runtime, &server.url(), "-n 20 -u 1");
    assert_eq!(saved.requests(), 20, "{finished}");
    saved.expect_only("protocol", "received bytes that answer no request");
}

fn a_broken_response_in_a_pipeline_fails_those_behind_it(runtime: &str) {
    let server = ScriptedServer::start(|mut connection| {
        for _ in 0..2 {
            if connection.request().is_none() {
                return;
            }
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
        connection.send(b"no HTTP at all\r\n");
        connection.await_close();
    });
    let (finished, saved) = failing_run(runtime, &server.url(), "-n 12 -u 1 --pipeline 4");
    saved.expect_only("protocol", "the response begins with \"no HTTP at all");
    assert_eq!(saved.requests(), 12, "every exchange is counted once\n{finished}");
    assert!(saved.failures() < 12, "those before the broken one succeeded\n{finished}");
}
