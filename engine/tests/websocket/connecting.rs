//! The connection and its upgrade: what is asked for, what is counted, and what happens without one.

use std::time::Duration;

use loadr_engine::client::websocket::Matcher;
use loadr_engine::outcome::FailureKind;
use loadr_protocols::websocket::{Deflate, DeflateOffer};

use crate::world::{Server, World, run, text};

#[test]
fn the_upgrade_says_what_the_options_and_the_user_say() {
    let world = World::with(|options| {
        options.subprotocols = vec!["chat".to_owned(), "mqtt".to_owned()];
        options.headers.push(("Origin".to_owned(), "http://o".to_owned()));
    });
    let ran = world.run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                socket.connect().await.expect("it listens");
                assert!(socket.is_connected());
                socket.connect().await.expect("it is connected");
                socket.disconnect();
                assert!(!socket.is_connected());
                let own = [("Origin".to_owned(), "http://own".to_owned())];
                let upgrade = socket.settings().upgrade_to("/other", &own);
                socket.set_upgrade(Some(upgrade.expect("a good path")));
                socket.connect().await.expect("it listens");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept_with("Sec-WebSocket-Protocol: mqtt\r\n", None).await;
                server.drain().await;
            })
        },
    );
    let start = "GET /ws?a=1 HTTP/1.1\r\nHost: target:80\r\nUpgrade: websocket\r\n";
    assert!(ran.heads[0].starts_with(start), "{}", ran.heads[0]);
    assert!(ran.heads[0].contains("Sec-WebSocket-Protocol: chat, mqtt\r\n"));
    assert!(ran.heads[0].contains("Origin: http://o\r\n"));
    assert!(ran.heads[1].starts_with("GET /other HTTP/1.1\r\n"));
    assert_eq!(ran.heads[1].matches("Origin: ").count(), 1);
    let key =
        |head: &str| head.split("Sec-WebSocket-Key: ").nth(1).map(|rest| rest[..24].to_owned());
    assert_ne!(key(&ran.heads[0]), key(&ran.heads[1]), "each connection has a key of its own");
    // A millisecond to connect, one there, one back.
    assert_eq!(ran.counts(), [("connect", 2, 0)]);
    let connect = &ran.entry("connect").counts;
    assert_eq!(
        (connect.response_time.min_ns(), connect.response_time.max_ns()),
        (Some(3_000_000), Some(3_000_000))
    );
}

/// The failure of a task's first request, which is its connection's.
fn refused(serve: impl Fn(Server) -> crate::world::LocalFuture + 'static) -> (FailureKind, String) {
    let ran = run(
        |user| {
            Box::pin(async move {
                let failed = user.socket.request("hello").send().await.expect_err("no upgrade");
                assert!(!user.socket.is_connected());
                user.context.note_failure(&failed);
            })
        },
        serve,
    );
    assert_eq!(ran.counts(), [("connect", 1, 1)], "a request that could not begin is none");
    let error = &ran.outcome.errors[0];
    (error.kind, error.message.to_string())
}

#[test]
fn a_refused_or_wrong_upgrade_is_a_failed_connection_in_words() {
    let answering = |answer: &'static str| {
        refused(move |mut server| {
            Box::pin(async move {
                server.request().await;
                server.raw(answer.as_bytes());
                server.drain().await;
            })
        })
    };
    for (answer, kind, message) in [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            FailureKind::Status,
            "the server refused the upgrade with status 403",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            FailureKind::Status,
            "the server refused the upgrade with status 200",
        ),
        (
            "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            FailureKind::Protocol,
            "wrong Sec-WebSocket-Accept: it does not answer the key that was sent",
        ),
        (
            "HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n",
            FailureKind::Protocol,
            "the server's 101 response does not say Upgrade: websocket",
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n",
            FailureKind::Protocol,
            "the response begins with \"SSH-2.0-OpenSSH_\", not with an HTTP/1.x status line",
        ),
    ] {
        assert_eq!(answering(answer), (kind, message.to_owned()));
    }
}

#[test]
fn a_target_that_answers_nothing_or_closes_is_told_apart() {
    let silent = refused(|mut server| {
        Box::pin(async move {
            {
                server.request().await;
                server.drain().await
            }
        })
    });
    assert_eq!(silent, (FailureKind::Timeout, "no answer to the upgrade within 5s".to_owned()));
    let closes = refused(|mut server| {
        Box::pin(async move {
            server.request().await;
        })
    });
    let words = "connection closed before the upgrade was answered";
    assert_eq!(closes, (FailureKind::Closed, words.to_owned()));
}

#[test]
fn a_target_that_does_not_listen_is_tried_again_after_longer_and_longer_waits() {
    let world = World { listens: false, ..World::default() };
    let ran = world.run(
        |user| {
            Box::pin(async move {
                let start_ns = user.context.now_ns();
                for _ in 0..12 {
                    let failed = user.socket.send("x").await.expect_err("nobody listens");
                    assert_eq!(failed.kind, FailureKind::ConnectRefused);
                }
                let took_ms = (user.context.now_ns() - start_ns) / 1_000_000;
                // 1 + 2 + ... + 1024 ms, drawn from half of each to all of it.
                assert!((1_000..3_100).contains(&took_ms), "{took_ms} ms");
            })
        },
        |_| Box::pin(async {}),
    );
    assert_eq!(ran.counts(), [("connect", 12, 12)]);
    assert_eq!(ran.failures(), [("connection refused", 12)]);
}

#[test]
fn after_a_failure_the_next_operation_connects_anew() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                let failed = socket.request("one").send().await.expect_err("it closes");
                assert_eq!(failed.message, "connection closed without a close frame");
                let reply = socket.request("two").send().await.expect("it echoes");
                assert_eq!(reply.text(), "two");
                socket.close().await.expect("it answers");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                if server.connection == 0 {
                    server.next().await;
                } else {
                    server.echo().await;
                }
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 2, 0), ("message", 2, 1)]);
}

#[test]
fn compression_is_used_as_agreed_on_and_only_then() {
    let terms = Deflate { client_no_context_takeover: true, ..Deflate::default() };
    for agrees in [true, false] {
        let world = World::with(|options| options.deflate = Some(DeflateOffer::default()));
        let ran = world.run(
            |user| {
                Box::pin(async move {
                    let long = "again and ".repeat(1_000);
                    for _ in 0..2 {
                        let reply = user.socket.request(&long).send().await.expect("an echo");
                        assert_eq!(reply.text(), long);
                    }
                })
            },
            move |mut server| {
                Box::pin(async move {
                    let line = "Sec-WebSocket-Extensions: permessage-deflate; \
                                client_no_context_takeover\r\n";
                    if agrees {
                        server.accept_with(line, Some(terms)).await;
                    } else {
                        server.accept().await;
                    }
                    server.echo().await;
                })
            },
        );
        assert!(ran.heads[0].contains("Sec-WebSocket-Extensions: permessage-deflate\r\n"));
        let message = ran.entry("message");
        assert_eq!(message.counts.requests, 2);
        assert_eq!(message.counts.body_bytes, 20_000, "the length is the message's");
        let on_the_wire = message.counts.bytes_sent;
        assert_eq!(on_the_wire < 1_000, agrees, "{on_the_wire} bytes sent");
    }
}

#[test]
fn the_budget_counts_each_operation_and_then_nobody_returns() {
    let world = World { requests: Some(4), ends: false, ..World::default() };
    let ran = world.run(
        |user| {
            Box::pin(async move {
                loop {
                    user.socket.request("x").send().await.expect("an echo");
                }
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.echo().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 3, 0)]);
    assert_eq!(ran.seen[..3], [text("x"), text("x"), text("x")]);
}

#[test]
fn a_message_without_the_id_that_its_reply_names_is_not_sent() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let by_id =
                    Matcher::Correlation { sent: "/id".to_owned(), received: "/id".to_owned() };
                let failed = user.socket.request("{}").matching(&by_id).send().await;
                let failed = failed.expect_err("no id");
                let words = "the message to be sent has no id that its reply could name";
                assert_eq!(failed.message, words);
                user.socket.request(r#"{"id": 1}"#).matching(&by_id).send().await.expect("an echo");
                user.context.sleep(Duration::from_millis(1)).await;
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.echo().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 2, 1)]);
    assert_eq!(ran.heads.len(), 1, "the connection is not to blame");
}
