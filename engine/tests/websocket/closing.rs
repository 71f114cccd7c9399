//! The end of connections: by us, by the target, by dropping what is under way.

use std::time::Duration;

use loadr_engine::client::websocket::Pushes;
use loadr_engine::outcome::FailureKind;

use crate::world::{Seen, Server, run, text};

async fn echo(mut server: Server) {
    server.accept().await;
    server.echo().await;
}

#[test]
fn a_close_is_said_and_answered() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                socket.close().await.expect("nothing to close");
                socket.connect().await.expect("it listens");
                socket.close_with(Some(4000), "enough").await.expect("it answers");
                assert!(!socket.is_connected());
                socket.count_pushes(Pushes::default());
                socket.connect().await.expect("it listens");
                socket.close_with(Some(1006), "may not be sent").await.expect("it answers");
                user.context.sleep(Duration::from_millis(200)).await;
                assert!(!socket.is_connected());
            })
        },
        |server| Box::pin(echo(server)),
    );
    let said = [Seen::Close(Some(4000), "enough".to_owned()), Seen::Close(None, String::new())];
    assert_eq!(ran.seen, said);
    assert_eq!(ran.counts(), [("connect", 2, 0)]);
}

#[test]
fn messages_before_the_targets_goodbye_still_count() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                socket.count_pushes(Pushes::default());
                socket.connect().await.expect("it listens");
                socket.close().await.expect("it answers");
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.next().await;
                server.text("last words");
                server.close(Some(1000), "");
            })
        },
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("push", 1, 0)]);
}

#[test]
fn a_goodbye_that_is_not_answered_is_a_failure() {
    for in_background in [false, true] {
        let task: fn(crate::world::User) -> crate::world::LocalFuture = if in_background {
            |user| {
                user.socket.count_pushes(Pushes::default());
                Box::pin(close_unanswered(user))
            }
        } else {
            |user| Box::pin(close_unanswered(user))
        };
        let ran = run(task, |mut server| {
            Box::pin(async move {
                server.accept().await;
                server.drain().await;
            })
        });
        let words = "no answer to the close frame within 5s";
        assert_eq!(ran.failures(), [(words, 1)], "{in_background}");
        assert_eq!(ran.counts(), [("close", 1, 1), ("connect", 1, 0)]);
    }
}

async fn close_unanswered(user: crate::world::User) {
    user.socket.connect().await.expect("it listens");
    let failed = user.socket.close().await.expect_err("no answer");
    assert_eq!(failed.kind, FailureKind::Timeout);
}

#[test]
fn a_target_that_closes_is_answered_and_says_why() {
    for in_background in [false, true] {
        let task: fn(crate::world::User) -> crate::world::LocalFuture = if in_background {
            |user| {
                user.socket.count_pushes(Pushes::default());
                Box::pin(closed_by_target(user))
            }
        } else {
            |user| Box::pin(closed_by_target(user))
        };
        let ran = run(task, |mut server| {
            Box::pin(async move {
                server.accept().await;
                if server.connection == 0 {
                    server.next().await;
                    server.close(Some(1013), "try later");
                    server.drain().await;
                } else {
                    server.echo().await;
                }
            })
        });
        let closed = Seen::Close(Some(1013), String::new());
        assert_eq!(ran.seen[..2], [text("x"), closed], "{in_background}");
        assert_eq!(ran.failures(), [(CLOSED, 1)]);
        assert_eq!(ran.counts(), [("connect", 2, 0), ("message", 2, 1)]);
    }
}

const CLOSED: &str = "the target closed the WebSocket with code 1013: try later";

async fn closed_by_target(user: crate::world::User) {
    let failed = user.socket.request("x").send().await.expect_err("it closes");
    assert_eq!((failed.kind, &*failed.message), (FailureKind::Closed, CLOSED));
    user.socket.request("y").send().await.expect("a fresh connection");
}

#[test]
fn what_is_dropped_midway_takes_its_connection_with_it_and_nothing_else() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let socket = user.socket;
                for (delay_ms, operation) in
                    [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (1, 1), (4, 1), (4, 2)]
                {
                    let work = async {
                        match operation {
                            0 => drop(socket.request("never").send().await),
                            1 => drop(socket.recv().await),
                            _ => drop(socket.ping().await),
                        }
                    };
                    let delay = user.context.sleep(Duration::from_millis(delay_ms));
                    futures_lite::future::or(work, delay).await;
                    let echoed = socket.request("echo").send().await.expect("a fresh connection");
                    assert_eq!(echoed.text(), "echo", "{operation} after {delay_ms} ms");
                    socket.disconnect();
                }
            })
        },
        |mut server| {
            Box::pin(async move {
                server.accept().await;
                loop {
                    match server.next().await {
                        Seen::Text(said) if said == "echo" => server.text(&said),
                        Seen::End => return,
                        _ => {}
                    }
                }
            })
        },
    );
    let messages = &ran.entry("message").counts;
    assert_eq!((messages.requests, messages.failures), (8, 0));
    assert!(ran.outcome.cut_off <= 8, "{}", ran.outcome.cut_off);
}

#[test]
fn two_tasks_of_one_user_take_turns() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let other = user.socket.clone();
                user.context.background(async move |context| {
                    let socket = other.with_context(context);
                    for _ in 0..5 {
                        let reply = socket.request("b").send().await.expect("an echo");
                        assert_eq!(reply.text(), "b");
                    }
                });
                for _ in 0..5 {
                    let reply = user.socket.request("a").send().await.expect("an echo");
                    assert_eq!(reply.text(), "a");
                }
            })
        },
        |server| Box::pin(echo(server)),
    );
    assert_eq!(ran.counts(), [("connect", 1, 0), ("message", 10, 0)]);
}
