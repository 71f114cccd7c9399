//! Targets that refuse the upgrade or break the rules afterwards, on every runtime: each a counted failure with what was
//! wrong, and a user that goes on with a fresh connection.

use std::time::Duration;

use loadr_protocols::websocket::handshake::accept;
use loadr_tests::on_each_runtime;
use loadr_tests::saved::Saved;
use loadr_tests::scripted::{Connection, ScriptedServer};

use super::run;

on_each_runtime!(
    a_refused_upgrade_is_told_with_its_status,
    answers_that_are_no_upgrade_are_refused,
    frames_that_break_the_rules_end_the_connection,
    a_gigabyte_that_is_declared_takes_no_memory,
    ends_without_a_word_are_told_apart,
    a_flood_of_pings_takes_no_memory,
    a_target_that_says_nothing_runs_into_the_timeout,
    a_target_that_never_reads_runs_into_the_timeout,
    a_close_is_answered_and_told_with_its_code,
);

/// Answers the handshake as a server should.
fn upgrade(connection: &mut Connection) -> bool {
    let Some(head) = connection.request() else { return false };
    let head = String::from_utf8(head).expect("our heads are text");
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = accept(key.expect("a key").as_bytes());
    let accept = std::str::from_utf8(&accept).expect("base64");
    connection.send(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .as_bytes(),
    )
}

/// Takes the five bytes of a message, with header and mask.
fn message(connection: &mut Connection) -> bool {
    connection.body(11).len() == 11
}

/// A server whose every connection is upgraded, and answers a message with `bytes`.
fn answering(bytes: &'static [u8]) -> ScriptedServer {
    ScriptedServer::start(move |mut connection| {
        if upgrade(&mut connection) && message(&mut connection) {
            connection.send(bytes);
            connection.await_close();
        }
    })
}

fn url(server: &ScriptedServer) -> String {
    server.url().replace("http://", "ws://")
}

/// Runs four exchanges that all fail.
#[track_caller]
fn failing(runtime: &str, server: &ScriptedServer, flags: &str) -> Saved {
    let line = format!("-n 4 -u 2 --message hello --runtime {runtime} {flags}");
    let (finished, saved) = run(&url(server), &line);
    finished.expect_code(1);
    assert_eq!((saved.requests(), saved.failures()), (4, 4), "{finished}");
    let rss = saved["generator"]["rss_bytes_max"].as_u64().expect("memory is known here");
    assert!(rss < 200 << 20, "{rss} bytes resident\n{finished}");
    saved
}

fn a_refused_upgrade_is_told_with_its_status(runtime: &str) {
    let server = ScriptedServer::start(|mut connection| {
        connection.request();
        connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        connection.await_close();
    });
    let saved = failing(runtime, &server, "");
    saved.expect_only("status", "the server refused the upgrade with status 403");
    assert_eq!(saved["connections"]["handshakes"][0]["failed"], saved.connections());
}

fn answers_that_are_no_upgrade_are_refused(runtime: &str) {
    const CASES: [(&str, &str); 4] = [
        (
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            "wrong Sec-WebSocket-Accept",
        ),
        (
            "HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
            "does not say Upgrade: websocket",
        ),
        (
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "has no Sec-WebSocket-Accept",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", ""),
    ];
    for (answer, told) in CASES {
        let server = ScriptedServer::start(move |mut connection| {
            connection.request();
            connection.send(answer.as_bytes());
            connection.await_close();
        });
        failing(runtime, &server, "").expect_only("protocol", told);
    }
}

fn frames_that_break_the_rules_end_the_connection(runtime: &str) {
    const CASES: [(&[u8], &str); 8] = [
        (b"\x81\x85\x01\x02\x03\x04hello", "a masked text frame from a server"),
        (b"\x83\x00", "reserved opcode 0x3"),
        (b"\xa1\x00", "reserved bits 0b010"),
        (b"\x81\x02\xc3\x28", "a text message is not UTF-8"),
        (b"\x80\x00", "a continuation frame without a message to continue"),
        (b"\x01\x01a\x81\x01b", "a text frame in the middle of a fragmented message"),
        (b"\x09\x01a", "a fragmented ping frame"),
        (b"\x81\x7e\x00\x01a", "payload length 1 is encoded in 2 bytes"),
    ];
    for (frame, told) in CASES {
        let server = answering(frame);
        failing(runtime, &server, "").expect_only("protocol", told);
        // A user may open one more before it learns that all is done.
        assert!(server.connections() >= 4, "each exchange has a fresh connection");
    }
}

fn a_gigabyte_that_is_declared_takes_no_memory(runtime: &str) {
    for header in
        [b"\x82\x7f\x00\x00\x00\x00\x40\x00\x00\x00", b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"]
    {
        let server = answering(header);
        failing(runtime, &server, "")
            .expect_only("protocol", "a message of more than 16777216 bytes");
    }
}

fn ends_without_a_word_are_told_apart(runtime: &str) {
    const CASES: [(&[u8], &str); 4] = [
        (b"", "connection closed without a close frame"),
        (b"\x81", "connection closed inside a frame"),
        (b"\x81\x05he", "connection closed inside a frame"),
        (b"\x01\x02he", "connection closed between two fragments of a message"),
    ];
    for (bytes, told) in CASES {
        let server = ScriptedServer::start(move |mut connection| {
            if upgrade(&mut connection) && message(&mut connection) {
                connection.send(bytes);
            }
        });
        failing(runtime, &server, "").expect_only("closed", told);
    }
}

/// Nobody answers all of them, and the message behind them comes through.
fn a_flood_of_pings_takes_no_memory(runtime: &str) {
    let server = ScriptedServer::start(|mut connection| {
        let pings: Vec<u8> = b"\x89\x04ping".repeat(1_000);
        // One user may be quick enough to make both exchanges.
        let upgraded = upgrade(&mut connection);
        while upgraded && message(&mut connection) {
            // Half a million of them, and nobody here reads the answers meanwhile.
            for _ in 0..500 {
                if !connection.send(&pings) {
                    return;
                }
            }
            connection.send(b"\x81\x05hello");
        }
    });
    let line = format!("-n 2 -u 2 --message hello --runtime {runtime} --timeout 30s");
    let (finished, saved) = run(&url(&server), &line);
    finished.expect_code(0);
    assert_eq!((saved.requests(), saved.failures()), (2, 0), "{finished}");
    let rss = saved["generator"]["rss_bytes_max"].as_u64().expect("memory is known here");
    assert!(rss < 200 << 20, "{rss} bytes resident\n{finished}");
}

fn a_target_that_says_nothing_runs_into_the_timeout(runtime: &str) {
    let silent = ScriptedServer::start(|mut connection| connection.await_close());
    let saved = failing(runtime, &silent, "--timeout 300ms");
    saved.expect_only("timeout", "no answer to the upgrade within 300ms");
    let upgraded = answering(b"");
    let saved = failing(runtime, &upgraded, "--timeout 300ms");
    saved.expect_only("timeout", "within 300ms");
}

fn a_target_that_never_reads_runs_into_the_timeout(runtime: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("message");
    std::fs::write(&path, vec![b'x'; 32 << 20]).expect("a temporary file");
    let server = ScriptedServer::start(|mut connection| {
        if upgrade(&mut connection) {
            connection.ignore();
        }
    });
    let line =
        format!("-n 2 -u 2 --timeout 400ms --runtime {runtime} --message-file {}", path.display());
    let (finished, saved) = run(&url(&server), &line);
    finished.expect_code(1);
    saved.expect_only("timeout", "within 400ms");
    assert_eq!((saved.requests(), saved.failures()), (2, 2), "{finished}");
}

fn a_close_is_answered_and_told_with_its_code(runtime: &str) {
    let server = ScriptedServer::start(|mut connection: Connection| {
        if upgrade(&mut connection) && message(&mut connection) {
            connection.send(b"\x88\x09\x03\xf5going a");
            // The close frame comes back, masked, with the code in it.
            let answer = connection.body(8);
            assert_eq!(answer.first(), Some(&0x88), "{answer:?}");
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    let saved = failing(runtime, &server, "");
    saved.expect_only("closed", "the target closed the WebSocket with code 1013: going a");
}
