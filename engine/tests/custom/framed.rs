//! Messages over a stream: splits, lengths, errors, deadlines, drops.

use std::time::Duration;

use bytes::Bytes;
use futures_lite::future;
use loadr_engine::client::framed::Pipeline;
use loadr_engine::outcome::FailureKind;
use loadr_engine::record::EntryKind;
use loadr_engine::runtime::sim::{LinkOptions, Peer};

use crate::world::{Life, MILLISECOND_NS, NOBODY, TARGET, World, connect, echo, line};

#[test]
fn messages_arrive_whole_however_they_are_split() {
    for seed in 0..20 {
        let links = LinkOptions { piece_bytes: 1..=3, ..LinkOptions::default() };
        World { seed, links, ..World::default() }.run(|context| {
            Box::pin(async move {
                let mut framed = connect(&context).await.expect("it listens");
                for number in 0..20 {
                    let request = format!("request {number}");
                    assert_eq!(framed.request(&request).await.expect("a reply"), request);
                }
                assert_eq!(framed.received().expect("all is well"), None);
            })
        });
    }
}

fn answer_three_together(mut peer: Peer) -> Life {
    Box::pin(async move {
        let (mut unread, mut answer) = (Vec::new(), String::new());
        for _ in 0..3 {
            answer += &line(&mut peer, &mut unread).await.expect("a request");
            answer += "\n";
        }
        peer.send(Bytes::from(answer));
        line(&mut peer, &mut unread).await;
    })
}

#[test]
fn messages_that_come_together_are_taken_one_by_one() {
    World { serve: answer_three_together, ..World::default() }.run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            framed.queue("one").expect("a line");
            framed.queue("two").expect("a line");
            assert_eq!(framed.request("three").await.expect("a reply"), "one");
            assert_eq!(framed.received().expect("all is well"), Some("two"));
            assert_eq!(framed.recv().await.expect("a reply"), "three");
            assert_eq!(framed.received().expect("all is well"), None);
        })
    });
}

#[test]
fn a_batch_larger_than_any_socket_buffer_is_sent_beside_receiving() {
    World::default().run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            let long = "x".repeat(1_000);
            for _ in 0..100 {
                framed.queue(&long).expect("a line");
            }
            for _ in 0..100 {
                assert_eq!(framed.recv().await.expect("a reply"), long);
            }
            assert_eq!(framed.request("after").await.expect("a reply"), "after");
        })
    });
}

#[test]
fn long_messages_have_room_and_longer_ones_are_refused() {
    let ran = World::default().run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            let long = "x".repeat(199_990);
            assert_eq!(framed.request(&long).await.expect("a reply").len(), long.len());
            let longer = "x".repeat(200_000);
            let failure = framed.request(&longer).await.expect_err("it is too long");
            assert_eq!(failure.kind, FailureKind::Protocol);
            let text = "message of 200001 bytes where 200000 are allowed";
            assert!(
                failure.message == text || failure.message.starts_with("response too large"),
                "{failure}"
            );
        })
    });
    assert_eq!(ran.failures(), []);
}

#[test]
fn what_cannot_be_encoded_is_not_sent() {
    World::default().run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            framed.queue("first").expect("a line");
            let failure = framed.request("two\nlines").await.expect_err("it has no form");
            assert_eq!(failure.message, "request cannot be sent: a line of two lines");
            assert_eq!(framed.recv().await.expect("a reply"), "first");
            assert_eq!(framed.request("second").await.expect("a reply"), "second");
        })
    });
}

#[test]
fn a_message_that_breaks_the_rules_is_told_in_the_codecs_words() {
    World::default().run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            let failure = framed.request("what!").await.expect_err("it is forbidden");
            assert_eq!(
                (failure.kind, &*failure.message),
                (FailureKind::Protocol, "a line with a '!'")
            );
        })
    });
}

fn end_as_asked(mut peer: Peer) -> Life {
    Box::pin(async move {
        let mut unread = Vec::new();
        let asked = line(&mut peer, &mut unread).await.unwrap_or_default();
        peer.send(Bytes::from(asked));
    })
}

#[test]
fn the_end_of_the_stream_is_told_by_what_it_cut() {
    let world = World { serve: end_as_asked, ..World::default() };
    world.run(|context| {
        Box::pin(async move {
            let answer = async |request: &'static str| {
                let mut framed = connect(&context).await.expect("it listens");
                let reply = framed.request(request).await;
                reply
                    .map(str::to_owned)
                    .map_err(|failure| (failure.kind, failure.message.into_owned()))
            };
            let closed = |text: &str| Err((FailureKind::Closed, text.to_owned()));
            assert_eq!(answer("").await, closed("connection closed before a response"));
            let inside = "connection closed inside a message: 4 bytes received";
            assert_eq!(answer("half").await, closed(inside));
            assert_eq!(answer(".half").await, Ok(".half".to_owned()), "the codec knows better");
        })
    });
}

#[test]
fn a_reset_is_a_failure_in_words() {
    let mut resets = 0;
    for seed in 0..20 {
        let links = LinkOptions { reset_per_million: 500_000, ..LinkOptions::default() };
        let ran = World { seed, links, ..World::default() }.run(|context| {
            Box::pin(async move {
                let entry = context.entry(EntryKind::Exchange, "LINE", "x");
                let mut pipeline = Pipeline::new(connect(&context).await.expect("it listens"));
                while pipeline.exchange(entry, "x").await.is_ok() {}
            })
        });
        // Where the target lost what was sent, it closed.
        let failures = ran.failures();
        let reset = (FailureKind::Reset, "connection reset by the target", 1);
        let closed = (FailureKind::Closed, "connection closed before a response", 1);
        assert!(failures == [reset] || failures == [closed], "seed {seed}: {failures:?}");
        resets += u32::from(failures == [reset]);
    }
    assert!(resets > 3, "{resets} resets of 20");
}

fn say_nothing(mut peer: Peer) -> Life {
    Box::pin(async move { while !peer.receive().await.is_empty() {} })
}

#[test]
fn a_reply_that_is_late_ends_the_connection() {
    let world = World { serve: say_nothing, ..World::default() };
    world.run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            let start_ns = context.now_ns();
            let failure = framed.request("x").await.expect_err("nothing comes");
            assert_eq!(context.now_ns() - start_ns, 1_000 * MILLISECOND_NS);
            let late = (FailureKind::Timeout, "no complete response within 1s");
            assert_eq!((failure.kind, &*failure.message), late);
            assert!(framed.request("x").await.is_err(), "it is of no more use");
        })
    });
}

#[test]
fn an_idle_connection_has_no_deadline() {
    World::default().run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            for _ in 0..3 {
                assert_eq!(framed.request("x").await.expect("a reply"), "x");
                context.sleep(Duration::from_secs(5)).await;
            }
        })
    });
}

#[test]
fn an_exchange_dropped_in_its_middle_takes_the_connection_along() {
    let world = World { serve: say_nothing, ..World::default() };
    world.run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            let patience = context.sleep(Duration::from_millis(10));
            future::or(async { drop(framed.request("x").await) }, patience).await;
            let failure = framed.request("y").await.expect_err("it is cut off");
            assert_eq!(failure.message, "connection used after an exchange on it was given up");
        })
    });
}

#[test]
fn the_halves_work_at_the_same_time() {
    World::default().run(|context| {
        Box::pin(async move {
            let framed = connect(&context).await.expect("it listens");
            let (mut reader, mut writer) = framed.into_split();
            let reading = async {
                let mut heard = Vec::new();
                while heard.len() < 3 {
                    heard.push(reader.recv().await.expect("a message").to_owned());
                }
                assert_eq!(heard, ["0", "1", "2"]);
            };
            let writing = async {
                for number in 0..3 {
                    context.sleep(Duration::from_millis(10)).await;
                    writer.send(&number.to_string()).await.expect("it is open");
                }
            };
            future::zip(reading, writing).await;
        })
    });
}

#[test]
fn connections_are_counted_by_the_name_given_and_failures_told() {
    let ran = World::default().run(|context| {
        Box::pin(async move {
            connect(&context).await.expect("it listens");
            connect(&context).await.expect("it listens");
            context.unix("/run/target").await.map(drop).expect("it listens");
            let refused = context.tcp(NOBODY).await.map(drop).expect_err("nobody listens");
            assert_eq!(refused.kind, FailureKind::ConnectRefused);
            let unclear = context.tcp("target").await.map(drop).expect_err("no address");
            assert_eq!(unclear.message, "'target' has no port: an address is host:port");
        })
    });
    let connections = |name| {
        let counts = ran.counts(EntryKind::Connection, "CONNECT", name);
        (counts.requests, counts.failures)
    };
    assert_eq!(connections(TARGET), (2, 0));
    assert_eq!(connections("unix:/run/target"), (1, 0));
    assert_eq!(connections(NOBODY), (1, 1));
}

/// The end of the run ends what waits without a deadline.
#[test]
fn who_waits_for_ever_is_cut_off_by_the_end_of_the_run() {
    let world =
        World { serve: echo, run_time: Duration::from_secs(2), ends: false, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let mut framed = connect(&context).await.expect("it listens");
            let _ = framed.recv().await;
        })
    });
    assert_eq!(ran.failures(), []);
}
