//! The run's exchanges over a framed connection: counts, bytes, budgets, failures.

use std::time::Duration;

use bytes::Bytes;
use loadr_engine::client::framed::Pipeline;
use loadr_engine::outcome::FailureKind;
use loadr_engine::record::EntryKind;
use loadr_engine::runtime::sim::Peer;

use crate::world::{Life, MILLISECOND_NS, World, connect, line};

/// Exchanges one at a time until the engine drops the user.
fn one_at_a_time(context: loadr_engine::user::Context) -> Life {
    Box::pin(async move {
        let entry = context.entry(EntryKind::Exchange, "LINE", "hello");
        let mut pipeline = Pipeline::new(connect(&context).await.expect("it listens"));
        loop {
            assert_eq!(pipeline.exchange(entry, "hello").await.expect("a reply"), "hello");
        }
    })
}

#[test]
fn each_exchange_is_one_of_the_budget() {
    let world = World { requests: Some(1_000), ends: false, ..World::default() };
    let ran = world.run(one_at_a_time);
    let counts = ran.counts(EntryKind::Exchange, "LINE", "hello");
    assert_eq!((counts.requests, counts.failures), (1_000, 0));
    assert_eq!((counts.bytes_sent, counts.bytes_received), (6_000, 6_000));
    assert_eq!(counts.response_time.min_ns(), Some(2 * MILLISECOND_NS), "there and back");
    assert_eq!(ran.0.cut_off, 0);
}

#[test]
fn what_the_end_of_the_run_cuts_off_is_counted_as_that() {
    let world = World {
        serve: |mut peer| Box::pin(async move { while !peer.receive().await.is_empty() {} }),
        run_time: Duration::from_millis(500),
        ends: false,
        ..World::default()
    };
    let ran = world.run(one_at_a_time);
    assert_eq!(ran.counts(EntryKind::Exchange, "LINE", "hello").requests, 0);
    assert_eq!((ran.0.cut_off, ran.failures().len()), (1, 0));
}

#[test]
fn a_full_pipeline_is_settled_in_batches() {
    let world = World { requests: Some(1_000), ends: false, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "LINE", "batch");
            let mut pipeline = Pipeline::new(connect(&context).await.expect("it listens"));
            loop {
                let permit = context.permit_in_task(16).await.expect("the engine drops the user");
                for _ in 0..permit.count {
                    pipeline.begin_encoded(permit, entry, b"ping\n");
                }
                let mut seen = 0;
                while pipeline.outstanding() > 0 {
                    let see = |line: &str| {
                        assert_eq!(line, "ping");
                        seen += 1;
                    };
                    pipeline.settle(see).await.expect("replies");
                }
                assert_eq!(seen, permit.count);
                if permit.count < 16 {
                    std::future::pending::<()>().await;
                }
            }
        })
    });
    let counts = ran.counts(EntryKind::Exchange, "LINE", "batch");
    assert_eq!((counts.requests, counts.failures), (1_000, 0));
    assert_eq!(counts.response_time.min_ns(), Some(2 * MILLISECOND_NS));
}

#[test]
fn a_reply_that_reports_an_error_is_a_failure_and_the_connection_goes_on() {
    let ran = World::default().run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "LINE", "x");
            let mut pipeline = Pipeline::new(connect(&context).await.expect("it listens"));
            assert_eq!(
                pipeline.exchange(entry, "-no such thing").await.expect("a reply").len(),
                14
            );
            assert_eq!(pipeline.exchange(entry, "fine").await.expect("a reply"), "fine");
            let failure = pipeline.exchange(entry, "two\nlines").await.expect_err("no form");
            assert_eq!(failure.kind, FailureKind::Other);
            assert_eq!(pipeline.exchange(entry, "fine").await.expect("a reply"), "fine");
        })
    });
    let counts = ran.counts(EntryKind::Exchange, "LINE", "x");
    assert_eq!((counts.requests, counts.failures), (4, 2));
    let mut failures = ran.failures();
    failures.sort_unstable();
    let expected = [
        (FailureKind::Status, "no such thing", 1),
        (FailureKind::Other, "request cannot be sent: a line of two lines", 1),
    ];
    assert_eq!(failures, expected);
}

/// Answers two of the lines it is sent and closes.
fn answer_two(mut peer: Peer) -> Life {
    Box::pin(async move {
        let mut unread = Vec::new();
        for _ in 0..2 {
            let line = line(&mut peer, &mut unread).await.expect("a request");
            peer.send(Bytes::from(format!("{line}\n")));
        }
        peer.send(Bytes::from("ha"));
    })
}

#[test]
fn all_that_is_outstanding_fails_with_the_connection() {
    let world = World { serve: answer_two, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "LINE", "x");
            let mut pipeline = Pipeline::new(connect(&context).await.expect("it listens"));
            let permit = context.permit_in_task(5).await.expect("no bound");
            for _ in 0..permit.count {
                pipeline.begin(permit, entry, "hello").expect("a line");
            }
            let failure = loop {
                if let Err(failure) = pipeline.settle(|_| {}).await {
                    break failure;
                }
            };
            assert_eq!(failure.kind, FailureKind::Closed);
            assert_eq!(pipeline.outstanding(), 0);
        })
    });
    let counts = ran.counts(EntryKind::Exchange, "LINE", "x");
    assert_eq!((counts.requests, counts.failures), (5, 3));
    assert_eq!(counts.bytes_received, 2 * 6 + 2, "the half reply too");
    let text = "connection closed inside a message: 2 bytes received";
    assert_eq!(ran.failures(), [(FailureKind::Closed, text, 3)]);
    assert_eq!(ran.0.cut_off, 0);
}

/// Answers each line twice.
fn answer_twice(mut peer: Peer) -> Life {
    Box::pin(async move {
        let mut unread = Vec::new();
        while let Some(line) = line(&mut peer, &mut unread).await {
            peer.send(Bytes::from(format!("{line}\n{line}\n")));
        }
    })
}

#[test]
fn a_reply_that_nothing_asked_for_answers_no_later_request() {
    let world = World { serve: answer_twice, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "LINE", "x");
            let mut pipeline = Pipeline::new(connect(&context).await.expect("it listens"));
            assert_eq!(pipeline.exchange(entry, "one").await.expect("a reply"), "one");
            let failure = pipeline.exchange(entry, "two").await.expect_err("it is not clear whose");
            assert_eq!(failure.message, "bytes received that nothing had asked for");
        })
    });
    assert_eq!(ran.counts(EntryKind::Exchange, "LINE", "x").failures, 1);
}

/// The oldest exchange decides, and it has the whole time-out from its own start.
#[test]
fn each_exchange_has_the_timeout_from_its_start() {
    let slow = |mut peer: Peer| -> Life {
        Box::pin(async move {
            let mut unread = Vec::new();
            while let Some(line) = line(&mut peer, &mut unread).await {
                peer.sleep(600 * MILLISECOND_NS).await;
                peer.send(Bytes::from(format!("{line}\n")));
            }
        })
    };
    let world = World { serve: slow, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "LINE", "x");
            let mut pipeline = Pipeline::new(connect(&context).await.expect("it listens"));
            for _ in 0..3 {
                pipeline.exchange(entry, "one at a time").await.expect("in time");
            }
            let start_ns = context.now_ns();
            let permit = context.permit_in_task(2).await.expect("no bound");
            for _ in 0..2 {
                pipeline.begin(permit, entry, "two at a time").expect("a line");
            }
            assert_eq!(pipeline.settle(|_| {}).await.expect("in time"), 1);
            let failure = pipeline.settle(|_| {}).await.expect_err("too late");
            assert_eq!(failure.kind, FailureKind::Timeout);
            assert_eq!(context.now_ns() - start_ns, 1_000 * MILLISECOND_NS);
        })
    });
    let counts = ran.counts(EntryKind::Exchange, "LINE", "x");
    assert_eq!((counts.requests, counts.failures), (5, 1));
}
