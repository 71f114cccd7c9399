//! Targets that break the rules: each a counted failure in words, and the user goes on with a fresh connection.

use std::time::Duration;

use loadr_engine::client::websocket::Pushes;
use loadr_engine::outcome::FailureKind;
use loadr_protocols::websocket::{Deflate, DeflateOffer};

use crate::world::{LocalFuture, Seen, User, World, run, text};

/// A request that fails, and another that works.
async fn fail_and_go_on(user: User) {
    user.socket.request("x").send().await.expect_err("it breaks the rules");
    user.socket.request("y").send().await.expect("a fresh connection");
}

fn in_task(user: User) -> LocalFuture {
    Box::pin(fail_and_go_on(user))
}

fn in_background(user: User) -> LocalFuture {
    // What is not a push goes the same way as without any.
    let matcher = loadr_engine::client::websocket::Matcher::Regex(
        regex::bytes::Regex::new("^never$").expect("an expression"),
    );
    user.socket.count_pushes(Pushes { matcher, ..Pushes::default() });
    Box::pin(fail_and_go_on(user))
}

/// Has a target answer the first connection's request with `bytes` and close.
fn check(bytes: &'static [u8], kind: FailureKind, words: &str, close_code: Option<u16>) {
    for task in [in_task as fn(User) -> LocalFuture, in_background] {
        let world = World::with(|options| options.limits.message_bytes_max = 1 << 20);
        let ran = world.run(task, move |mut server| {
            Box::pin(async move {
                server.accept().await;
                if server.connection > 0 {
                    return server.echo().await;
                }
                server.next().await;
                server.raw(bytes);
                if close_code.is_some() {
                    server.drain().await;
                }
            })
        });
        let error = &ran.outcome.errors[0];
        assert_eq!((error.kind, &*error.message, error.count), (kind, words, 1));
        assert_eq!(ran.outcome.errors.len(), 1, "{words}");
        assert_eq!(ran.counts(), [("connect", 2, 0), ("message", 2, 1)], "{words}");
        if close_code.is_some() {
            let complaint = Seen::Close(close_code, String::new());
            assert_eq!(ran.seen[..2], [text("x"), complaint], "{words}");
        }
    }
}

#[test]
fn broken_frames_are_failures_that_say_what_was_wrong() {
    let protocol = |bytes, words| check(bytes, FailureKind::Protocol, words, Some(1002));
    protocol(b"\x81\x81\0\0\0\0a", "a masked text frame from a server");
    protocol(b"\x83\x00", "reserved opcode 0x3");
    protocol(b"\xc1\x01a", "reserved bits 0b100 are set in the header of a text frame");
    protocol(b"\x80\x01a", "a continuation frame without a message to continue");
    protocol(b"\x01\x01a\x81\x01b", "a text frame in the middle of a fragmented message");
    protocol(b"\x88\x02\x03\xee", "close code 1006, which may not be sent");
    let invalid = |bytes, words| check(bytes, FailureKind::Protocol, words, Some(1007));
    invalid(b"\x81\x03a\xc0\xaf", "a text message is not UTF-8");
    invalid(b"\x01\x02\xf4\x90", "a text message is not UTF-8");
    let too_big = |bytes| {
        check(bytes, FailureKind::Protocol, "a message of more than 1048576 bytes", Some(1009));
    };
    // A gibibyte, and as much as can be said.
    too_big(b"\x82\x7f\0\0\0\0\x40\0\0\0");
    too_big(b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
}

#[test]
fn connections_that_end_too_early_are_failures_that_say_where() {
    let closed = |bytes, words| check(bytes, FailureKind::Closed, words, None);
    closed(b"", "connection closed without a close frame");
    closed(b"\x81", "connection closed inside a frame");
    closed(b"\x81\x05Hell", "connection closed inside a frame");
    closed(b"\x01\x05Hello", "connection closed between two fragments of a message");
}

#[test]
fn a_close_in_mid_fragment_is_a_close() {
    let words = "the target closed the WebSocket with code 1001";
    check(b"\x01\x05Hello\x88\x02\x03\xe9", FailureKind::Closed, words, Some(1001));
}

#[test]
fn a_bomb_is_refused_before_it_is_kept() {
    let world = World::with(|options| {
        options.deflate = Some(DeflateOffer::default());
        options.limits.message_bytes_max = 1 << 20;
    });
    let ran = world.run(in_task, |mut server| {
        Box::pin(async move {
            let line = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
            server.accept_with(line, Some(Deflate::default())).await;
            if server.connection == 0 {
                server.next().await;
                server.binary(&vec![0; 64 << 20]);
            }
            server.echo().await;
        })
    });
    let words = "a compressed message inflates to more than 1048576 bytes";
    assert_eq!(ran.failures(), [(words, 1)]);
    assert_eq!(ran.seen[1], Seen::Close(Some(1009), String::new()));
}

#[test]
fn a_target_that_says_nothing_runs_into_the_timeout() {
    for task in [in_task as fn(User) -> LocalFuture, in_background] {
        let ran = run(task, |mut server| {
            Box::pin(async move {
                server.accept().await;
                if server.connection > 0 {
                    return server.echo().await;
                }
                server.drain().await;
            })
        });
        let error = &ran.outcome.errors[0];
        let words = "no such message within 5s";
        assert_eq!((error.kind, &*error.message), (FailureKind::Timeout, words));
        assert_eq!(ran.counts(), [("connect", 2, 0), ("message", 2, 1)]);
        assert_eq!(ran.entry("message").counts.response_time.max_ns(), Some(5_000_000_000));
    }
}

#[test]
fn a_flood_of_pings_is_answered_by_as_few_pongs_as_will_do() {
    for task in [in_task as fn(User) -> LocalFuture, in_background] {
        let ran = run(task, |mut server| {
            Box::pin(async move {
                server.accept().await;
                if server.connection > 0 {
                    return server.echo().await;
                }
                server.next().await;
                let mut flood = Vec::new();
                for number in 0..10_000u32 {
                    flood.extend([&b"\x89\x04"[..], &number.to_be_bytes()].concat());
                }
                server.raw(&flood);
                server.sleep_ms(100).await;
                server.raw(b"\x80\x00");
                server.drain().await;
            })
        });
        let pongs: Vec<_> = ran.seen.iter().filter(|seen| matches!(seen, Seen::Pong(_))).collect();
        assert!(pongs.len() < 100, "{} pongs", pongs.len());
        assert_eq!(pongs.last(), Some(&&Seen::Pong(9_999u32.to_be_bytes().to_vec())));
    }
}

#[test]
fn the_end_of_the_run_is_no_failure_of_the_target() {
    let world = World { run_time: Duration::from_secs(2), ends: false, ..World::default() };
    let ran = world.run(in_task, |mut server| {
        Box::pin(async move {
            server.accept().await;
            server.drain().await;
        })
    });
    assert_eq!((ran.counts(), ran.failures()), (vec![("connect", 1, 0)], vec![]));
    assert_eq!(ran.outcome.cut_off, 1);
}
