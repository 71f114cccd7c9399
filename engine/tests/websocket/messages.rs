//! Messages sent and received in the task itself: replies, matches, pings, echoes, whatever comes between.

use std::time::Duration;

use loadr_engine::client::websocket::{Matcher, Outgoing, SampleName};
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::EntryKind;
use loadr_protocols::websocket::{MessageKind, PreparedMessage};
use serde_json::json;

use crate::world::{MILLISECOND_NS, Seen, Server, World, run, text};

async fn echo(mut server: Server) {
    server.accept().await;
    server.echo().await;
}

#[test]
fn a_request_is_one_sample_with_its_time_and_the_length_of_its_reply() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                let reply = socket.request("hello").send().await.expect("an echo");
                assert_eq!((reply.kind(), reply.text()), (MessageKind::Text, "hello"));
                let bytes: &[u8] = &[0xff; 300];
                let reply = socket.request(bytes).name("bytes").send().await.expect("an echo");
                assert_eq!((reply.kind(), reply.bytes()), (MessageKind::Binary, bytes));
                let prepared = PreparedMessage::new(MessageKind::Text, b"prepared", false);
                let entry = user.context.entry(EntryKind::Exchange, "websockt", "urlweb");
                let length =
                    socket.request(&prepared).name(entry).read(|view| Ok(view.text().len())).await;
                assert_eq!(length, Ok(8));
                let uncounted = socket.request("x").name(SampleName::Uncounted).send().await;
                assert_eq!(uncounted.expect("an echo").text(), "x");
            })
        },
        |server| Box::pin(echo(server)),
    );
    let expected = [("bytes", 1, 0), ("connect", 1, 0), ("message", 1, 0), ("urlweb", 1, 0)];
    assert_eq!(ran.counts(), expected);
    assert_eq!(&*ran.entry("message").key.method, "WS");
    assert_eq!(&*ran.entry("urlweb").key.method, "websockt");
    let message = &ran.entry("message").counts;
    assert_eq!((message.response_time.max_ns(), message.body_bytes), (Some(2_000_000), 5));
    assert_eq!((message.bytes_sent, message.bytes_received), (2 + 4 + 5, 2 + 5));
    assert_eq!(ran.entry("bytes").counts.body_bytes, 300);
    assert_eq!(ran.seen[2], text("prepared"));
}

#[test]
fn a_reply_that_is_found_wrong_fails_the_request_and_not_the_connection() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let wrong = |view: &loadr_engine::client::websocket::View<'_>| -> Result<(), _> {
                    Err(Failure::new(FailureKind::Check, format!("no price in {}", view.text())))
                };
                let failed = user.socket.request("x").read(wrong).await.expect_err("a check");
                assert_eq!(failed.message, "no price in x");
                user.socket.request("y").send().await.expect("an echo");
            })
        },
        |server| Box::pin(echo(server)),
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 2, 1)]);
    assert_eq!((ran.failures(), ran.heads.len()), (vec![("no price in x", 1)], 1));
}

#[test]
fn replies_out_of_order_find_their_requests_and_others_wait_in_the_inbox() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                let by_id =
                    Matcher::Correlation { sent: "/id".to_owned(), received: "/re".to_owned() };
                let reply = socket.request(r#"{"id": 1}"#).matching(&by_id).send().await;
                assert_eq!(reply.expect("the second").text(), r#"{"re": 1}"#);
                // What came before it waits, in its order.
                let b = Matcher::Regex(regex::bytes::Regex::new("^b").expect("an expression"));
                assert_eq!(socket.recv_as("wait", &b).await.expect("it waits").text(), "b1");
                assert_eq!(socket.recv().await.expect("it waits").text(), "a1");
                let pointer =
                    Matcher::Pointer { pointer: "/type".to_owned(), equals: json!("late") };
                let late = socket.recv_as(SampleName::Uncounted, &pointer).await.expect("it comes");
                assert_eq!(late.json(), Some(json!({"type": "late"})));
                assert_eq!(late.arrived_ns(), user.context.now_ns());
                assert_eq!(socket.recv().await.expect("it waits").text(), r#"{"re": 2}"#);
                assert_eq!(socket.recv().await.expect("it waits").text(), "between");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.next().await;
                for message in ["a1", "b1", r#"{"re": 2}"#, r#"{"re": 1}"#] {
                    server.text(message);
                }
                server.sleep_ms(30).await;
                server.text("between");
                server.text(r#"{"type": "late"}"#);
                server.drain().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 1, 0), ("wait", 1, 0)]);
}

#[test]
fn messages_come_whole_however_they_are_cut() {
    for piece_bytes in [1, 3, 65_536] {
        let world = World { piece_bytes, ..World::default() };
        let ran = world.run(
            |user| {
                Box::pin(async move {
                    let reply = user.socket.request("go").send().await.expect("fragments");
                    assert_eq!(reply.text(), "h\u{20ac}llo");
                    let next = user.socket.recv().await.expect("a long one");
                    assert_eq!(next.bytes(), vec![7; 3_000]);
                })
            },
            |mut server| {
                Box::pin(async move {
                    server.accept().await;
                    server.next().await;
                    // "h€llo" in three fragments, cut inside the character, with a ping and a pong between them.
                    server.raw(b"\x01\x03h\xe2\x82\x89\x04ping\x00\x00\x8a\x00\x80\x04\xacllo");
                    server.binary(&[7; 3_000]);
                    server.drain().await;
                })
            },
        );
        assert_eq!(ran.seen, [text("go"), Seen::Pong(b"ping".to_vec())]);
        assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 1, 0)]);
    }
}

#[test]
fn a_message_larger_than_the_receive_buffer_comes_whole() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let large: Vec<u8> = (0..1_000_000u32).map(|at| (at % 251) as u8).collect();
                let reply = user.socket.request(&large[..]).send().await.expect("an echo");
                assert!(reply.bytes() == large, "all of it");
            })
        },
        |server| Box::pin(echo(server)),
    );
    assert_eq!(ran.entry("message").counts.body_bytes, 1_000_000);
}

#[test]
fn a_ping_is_timed_to_its_own_pong() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let took = user.socket.ping().await.expect("a pong");
                assert_eq!(took, Duration::from_millis(12));
                // What came meanwhile waits.
                assert_eq!(user.socket.recv().await.expect("a message").text(), "hi");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                let Seen::Ping(payload) = server.next().await else { panic!("a ping") };
                server.pong(b"another");
                server.text("hi");
                server.sleep_ms(10).await;
                server.pong(&payload);
                server.drain().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("ping", 1, 0)]);
    assert_eq!(ran.entry("ping").counts.response_time.max_ns(), Some(12 * MILLISECOND_NS));
}

#[test]
fn sending_is_a_sample_and_receiving_one_only_by_name() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                socket.send("a").await.expect("taken");
                socket.send_as("tell", Outgoing::Binary(b"b")).await.expect("taken");
                socket.send_as(SampleName::Uncounted, "c").await.expect("taken");
                for expected in [&b"a"[..], b"b", b"c"] {
                    assert_eq!(socket.recv().await.expect("an echo").bytes(), expected);
                }
            })
        },
        |server| Box::pin(echo(server)),
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("send", 1, 0), ("tell", 1, 0)]);
    assert_eq!(ran.seen, [text("a"), Seen::Binary(b"b".to_vec()), text("c")]);
}

#[test]
fn keep_alives_are_echoed_and_nobody_sees_them() {
    let world = World::with(|options| {
        let pointer = "/type".to_owned();
        options.echo = Some(Matcher::Pointer { pointer, equals: json!("keepalive") });
    });
    let ran = world.run(
        |user| {
            Box::pin(async move {
                let reply = user.socket.request("data").send().await.expect("a reply");
                assert_eq!(reply.text(), "ok");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.next().await;
                server.text(r#"{"type":"keepalive","n":1}"#);
                server.text(r#"{"type":"keepalive","n":2}"#);
                server.next().await;
                server.next().await;
                server.text("ok");
                server.drain().await;
            })
        },
    );
    let echo = |n: u32| text(&format!(r#"{{"type":"keepalive","n":{n}}}"#));
    assert_eq!(ran.seen, [text("data"), echo(1), echo(2)]);
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 1, 0)]);
}

#[test]
fn a_full_inbox_makes_room_and_counts_what_nobody_asked_for() {
    let world = World::with(|options| options.inbox_messages_max = 2);
    let ran = world.run(
        |user| {
            Box::pin(async move {
                user.socket.ping().await.expect("a pong");
                assert_eq!(user.socket.recv().await.expect("it waits").text(), "3");
                assert_eq!(user.socket.recv().await.expect("it waits").text(), "4");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                let Seen::Ping(payload) = server.next().await else { panic!("a ping") };
                for number in 1..=4 {
                    server.text(&number.to_string());
                }
                server.pong(&payload);
                server.drain().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("ping", 1, 0), ("push", 2, 0)]);
}
