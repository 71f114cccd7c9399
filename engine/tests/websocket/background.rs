//! A reader in the background: pushes, handlers, and operations beside it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use loadr_engine::client::websocket::{Latency, Matcher, Pushes, SampleName};
use serde_json::json;

use crate::world::{MILLISECOND_NS, Seen, World, run, text};

fn pointer(pointer: &str, equals: serde_json::Value) -> Matcher {
    Matcher::Pointer { pointer: pointer.to_owned(), equals }
}

#[test]
fn pushes_are_counted_when_they_come_with_the_time_that_they_say() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                let tick = Pushes {
                    matcher: pointer("/type", json!("tick")),
                    name: Some("tick".to_owned()),
                    latency: Latency::SentAt("/at".to_owned()),
                };
                socket.count_pushes(tick);
                let others =
                    Pushes { matcher: pointer("/type", json!("news")), ..Pushes::default() };
                socket.count_pushes(others);
                let now = json!({"now": user.context.unix_s(user.context.now_ns())});
                socket.send_as(SampleName::Uncounted, &now.to_string()).await.expect("taken");
                // Longer than all of it: nothing but the reader sees the messages.
                user.context.sleep(Duration::from_millis(500)).await;
                assert_eq!(socket.recv().await.expect("it waits").text(), "for recv");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                let Seen::Text(said) = server.next().await else { panic!("a text") };
                let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
                // The clock of the world, as the user saw it: before the connection, its upgrade and the message itself.
                let mut now_s = said["now"].as_f64().expect("a time") + 0.004;
                for _ in 0..3 {
                    server.sleep_ms(10).await;
                    now_s += 0.010;
                    // Made 40 ms before it is sent.
                    server.text(&json!({"type": "tick", "at": now_s - 0.040}).to_string());
                }
                server.text(r#"{"type": "news"}"#);
                server.text("for recv");
                server.drain().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("push", 1, 0), ("tick", 3, 0)]);
    let tick = &ran.entry("tick").counts;
    assert_eq!(&*ran.entry("tick").key.method, "WS");
    // 40 ms and the way, to the microsecond that a wall clock in seconds leaves.
    let about = |ns: Option<u64>| ns.is_some_and(|ns| ns.abs_diff(41 * MILLISECOND_NS) < 2_000);
    assert!(
        about(tick.response_time.min_ns()) && about(tick.response_time.max_ns()),
        "{:?} {:?}",
        tick.response_time.min_ns(),
        tick.response_time.max_ns()
    );
    assert_eq!(ran.entry("push").counts.response_time.max_ns(), Some(0));
}

#[test]
fn a_push_that_names_what_we_sent_is_timed_from_then() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let latency =
                    Latency::Correlation { sent: "/id".to_owned(), received: "/re".to_owned() };
                user.socket.count_pushes(Pushes { latency, ..Pushes::default() });
                user.socket.send(r#"{"id": "a"}"#).await.expect("taken");
                user.context.sleep(Duration::from_millis(100)).await;
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.next().await;
                server.sleep_ms(20).await;
                server.text(r#"{"re": "a"}"#);
                server.drain().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("push", 1, 0), ("send", 1, 0)]);
    assert_eq!(ran.entry("push").counts.response_time.max_ns(), Some(22 * MILLISECOND_NS));
}

#[test]
fn handlers_see_messages_first_and_leave_what_they_do_not_take() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let heard: Rc<RefCell<Vec<String>>> = Rc::default();
                let ear = Rc::clone(&heard);
                user.socket.on_message(move |view| {
                    ear.borrow_mut().push(view.text().to_owned());
                    view.text() == "mine"
                });
                let reply = user.socket.request("go").send().await.expect("a reply");
                assert_eq!(reply.text(), "reply");
                user.context.sleep(Duration::from_millis(50)).await;
                assert_eq!(user.socket.recv().await.expect("it waits").text(), "yours");
                assert_eq!(*heard.borrow(), ["mine", "yours"]);
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.next().await;
                for message in ["reply", "mine", "yours"] {
                    server.text(message);
                }
                server.drain().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 1, 0)]);
}

#[test]
fn a_rule_that_comes_later_has_the_connection_read_from_then_on() {
    let ran = run(
        |user| {
            Box::pin(async move {
                user.socket.request("first").send().await.expect("an echo");
                user.socket.count_pushes(Pushes::default());
                user.context.sleep(Duration::from_millis(50)).await;
                user.socket.request("second").send().await.expect("an echo");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                let Seen::Text(first) = server.next().await else { panic!("a text") };
                server.text(&first);
                server.sleep_ms(10).await;
                server.text("push");
                server.echo().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 2, 0), ("push", 1, 0)]);
}

#[test]
fn pings_and_keep_alives_are_answered_between_steps() {
    let world = World::with(|options| options.echo = Some(pointer("/type", json!("keepalive"))));
    let ran = world.run(
        |user| {
            Box::pin(async move {
                user.socket.count_pushes(Pushes::default());
                user.socket.connect().await.expect("it listens");
                user.context.sleep(Duration::from_millis(300)).await;
                assert!(user.socket.is_connected());
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                for _ in 0..3 {
                    server.ping(b"there?");
                    assert_eq!(server.next().await, Seen::Pong(b"there?".to_vec()));
                    server.text(r#"{"type":"keepalive"}"#);
                    assert_eq!(server.next().await, text(r#"{"type":"keepalive"}"#));
                    server.sleep_ms(20).await;
                }
                server.drain().await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0)]);
    assert_eq!(ran.seen.len(), 6);
}

#[test]
fn operations_beside_the_reader_find_their_replies_and_pongs() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                socket.count_pushes(Pushes {
                    matcher: pointer("/type", json!("push")),
                    ..Pushes::default()
                });
                let by_id =
                    Matcher::Correlation { sent: "/id".to_owned(), received: "/id".to_owned() };
                let other = socket.clone();
                let ids = by_id.clone();
                let done = Rc::new(Cell::new(false));
                let told = Rc::clone(&done);
                user.context.background(async move |context| {
                    let socket = other.with_context(context);
                    let reply = socket.request(r#"{"id": 2}"#).matching(&ids).send().await;
                    assert_eq!(reply.expect("its own").text(), r#"{"id":2}"#);
                    told.set(true);
                });
                let reply = socket.request(r#"{"id": 1}"#).matching(&by_id).send().await;
                assert_eq!(reply.expect("its own").text(), r#"{"id":1}"#);
                assert_eq!(socket.ping().await, Ok(Duration::from_millis(2)));
                user.context.sleep(Duration::from_millis(50)).await;
                assert!(done.get());
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.next().await;
                server.next().await;
                for message in [r#"{"id":2}"#, r#"{"type":"push"}"#, r#"{"id":1}"#] {
                    server.text(message);
                }
                server.echo().await;
            })
        },
    );
    let expected = [("connect", 1, 0), ("message", 2, 0), ("ping", 1, 0), ("push", 1, 0)];
    assert_eq!(ran.counts(), expected);
}

#[test]
fn a_loss_between_steps_is_counted_and_a_farewell_is_not() {
    let ran = run(
        |user| {
            Box::pin(async move {
                user.socket.count_pushes(Pushes::default());
                for _ in 0..3 {
                    user.socket.connect().await.expect("it listens");
                    user.context.sleep(Duration::from_millis(300)).await;
                    assert!(!user.socket.is_connected());
                }
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                match server.connection {
                    0 => {}
                    1 => server.raw(b"\x83\x00"),
                    _ => server.close(Some(1001), "bye"),
                }
                server.sleep_ms(10).await;
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 3, 0), ("push", 2, 2)]);
    let words = [("connection closed without a close frame", 1), ("reserved opcode 0x3", 1)];
    assert_eq!(ran.failures(), words);
}
