//! Measured operations: which of them are the run's exchanges, and how each is counted.

use std::cell::Cell;
use std::time::Duration;

use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::EntryKind;
use loadr_engine::task::TaskExit;
use loadr_engine::user::Context;

use crate::world::{NOBODY, World};

#[test]
fn exchanges_take_of_the_budget_and_measured_blocks_do_not() {
    let world = World { requests: Some(10), ends: false, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "MINE", "x");
            loop {
                let block = context.measure("BLOCK", "x", async {
                    context
                        .exchange(entry, async |traffic| {
                            traffic.bytes_sent = 2;
                            traffic.bytes_received = 3;
                            context.sleep(Duration::from_millis(5)).await;
                            Ok(())
                        })
                        .await?;
                    Ok(())
                });
                block.await.expect("all is well");
            }
        })
    });
    let mine = ran.counts(EntryKind::Exchange, "MINE", "x");
    assert_eq!((mine.requests, mine.bytes_sent, mine.bytes_received), (10, 20, 30));
    assert_eq!(mine.response_time.min_ns(), Some(5_000_000));
    assert_eq!(ran.counts(EntryKind::Exchange, "BLOCK", "x").requests, 10);
    assert_eq!(ran.0.cut_off, 0);
}

#[test]
fn failures_are_counted_and_given_back() {
    let ran = World::default().run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "MINE", "x");
            let refused = context.exchange(entry, async |_| context.tcp(NOBODY).await.map(drop));
            let failure: Failure = refused.await.expect_err("nobody listens");
            assert_eq!(failure.kind, FailureKind::ConnectRefused);
            let failed = context
                .measure("BLOCK", "x", async { Err::<(), _>(TaskExit::error("it went wrong")) });
            assert!(matches!(failed.await, Err(TaskExit::Error(_))));
            let stopped = context.measure("BLOCK", "x", async { Err::<(), _>(TaskExit::StopUser) });
            assert!(matches!(stopped.await, Err(TaskExit::StopUser)));
        })
    });
    let block = ran.counts(EntryKind::Exchange, "BLOCK", "x");
    assert_eq!((block.requests, block.failures), (2, 1), "ending early is no failure");
    let mut failures = ran.failures();
    failures.sort_unstable();
    let expected = [
        (FailureKind::ConnectRefused, "connection refused", 1),
        (FailureKind::Check, "it went wrong", 1),
    ];
    assert_eq!(failures, expected);
}

#[test]
fn an_exchange_that_the_end_of_the_run_cuts_off_is_no_failure() {
    let world = World { run_time: Duration::from_secs(1), ends: false, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "MINE", "x");
            let work = async |_: &mut _| {
                let mut socket = context.udp(NOBODY).await?;
                socket.recv().await.map(drop)
            };
            let _ = context.exchange(entry, work).await;
        })
    });
    assert_eq!((ran.0.cut_off, ran.failures().len()), (1, 0));
}

/// A user that is refused an exchange is not over while it makes another.
#[test]
fn the_last_exchange_of_the_budget_may_be_in_the_background() {
    let world = World { requests: Some(2), ends: false, ..World::default() };
    let ran = world.run(|context| {
        Box::pin(async move {
            let entry = context.entry(EntryKind::Exchange, "MINE", "x");
            context.companion(async move |context: Context| {
                let slow = context.exchange(entry, async |_| {
                    context.sleep(Duration::from_millis(100)).await;
                    Ok(())
                });
                slow.await.expect("it is not cut off");
            });
            context.sleep(Duration::from_millis(1)).await;
            loop {
                context.exchange(entry, async |_| Ok(())).await.expect("all is well");
            }
        })
    });
    assert_eq!(ran.counts(EntryKind::Exchange, "MINE", "x").requests, 2);
    assert_eq!(ran.0.cut_off, 0);
}

thread_local! {
    static GONE_NS: Cell<u64> = const { Cell::new(u64::MAX) };
}

struct Gone(Context);

impl Drop for Gone {
    fn drop(&mut self) {
        GONE_NS.set(self.0.now_ns());
    }
}

/// What listens for ever is no reason for a user to live on, as other work in the background is.
#[test]
fn a_companion_is_dropped_when_its_user_ends_by_itself() {
    World::default().run(|context| {
        Box::pin(async move {
            context.companion(async |context: Context| {
                let _gone = Gone(context);
                std::future::pending::<()>().await;
            });
            context.background(async |context: Context| {
                context.sleep(Duration::from_secs(3)).await;
            });
            context.sleep(Duration::from_secs(1)).await;
        })
    });
    let gone_ns = GONE_NS.get();
    assert!((3_000_000_000..4_000_000_000).contains(&gone_ns), "{gone_ns} ns");
}
