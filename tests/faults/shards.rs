//! A shard that panics: the run is invalid, and what the others measured is still reported.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use loadr_engine::coordinator::{EndedBy, Phase, RunPlan};
use loadr_engine::record::{EntryIndex, EntryKind, Exchange, RecorderOptions};
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::spawn::SpawnSchedule;
use loadr_engine::user::{Context, ShardContext, UserClass, UserFuture, Workload};
use loadr_tests::on_each_runtime;

on_each_runtime!(the_others_are_reported, the_run_ends_when_none_is_left);

/// Users that record an exchange a millisecond; those on the shards listed panic instead.
struct Panicking {
    shards: Vec<usize>,
}

struct Class {
    entry: EntryIndex,
    panics: bool,
}

impl Workload for Panicking {
    fn prepare(&self, shard: &ShardContext) -> Rc<dyn UserClass> {
        let entry = shard.entry(EntryKind::Exchange, "GET", "/");
        Rc::new(Class { entry, panics: self.shards.contains(&shard.index()) })
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserFuture {
        Box::pin(async move {
            assert!(!self.panics, "a user that panics, as the test wants it");
            while let Some(permit) = context.permit(1).await {
                context.sleep(Duration::from_millis(1)).await;
                let exchange = Exchange {
                    start_ns: permit.start_ns,
                    end_ns: context.now_ns(),
                    ..Exchange::default()
                };
                context.record(self.entry, &exchange);
            }
        })
    }
}

fn run(runtime: &str, panicking: Vec<usize>) -> loadr_engine::coordinator::RunOutcome {
    let plan = RunPlan {
        spawn: SpawnSchedule { users: 4, spawn_rate_per_sec: None },
        run_time: Some(Duration::from_secs(1)),
        warm_up: Duration::ZERO,
        requests: None,
        stop_timeout: Duration::ZERO,
        shards: vec![None, None],
        runtime: runtime.parse::<RuntimeKind>().expect("a known runtime"),
        recorder: RecorderOptions::default(),
    };
    let mut run = Run::launch(plan, Arc::new(Panicking { shards: panicking })).expect("it starts");
    while run.phase() != Phase::Ended {
        run.step();
        assert!(run.elapsed() < Duration::from_secs(20), "the run does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.finish()
}

fn the_others_are_reported(runtime: &str) {
    let outcome = run(runtime, vec![1]);
    let lost = outcome.shards[1].panicked.as_deref();
    assert_eq!(lost, Some("a user that panics, as the test wants it"));
    assert_eq!(outcome.shards[0].panicked, None);
    assert_eq!(outcome.ended_by, EndedBy::RunTime, "the others go on to the end");
    let requests: u64 = outcome.entries.iter().map(|entry| entry.counts.requests).sum();
    assert!(requests > 10, "{requests} requests of the shard that lives");
}

fn the_run_ends_when_none_is_left(runtime: &str) {
    let outcome = run(runtime, vec![0, 1]);
    assert_eq!(outcome.ended_by, EndedBy::AllShardsLost);
    assert!(outcome.shards.iter().all(|shard| shard.panicked.is_some()));
}
