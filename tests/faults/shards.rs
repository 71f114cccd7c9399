//! A shard that panics: the run is invalid, and what the others measured is still reported.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use loadr_engine::coordinator::{EndedBy, Phase, RunOutcome, RunPlan};
use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{EntryIndex, EntryKind, Exchange};
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use loadr_tests::on_each_runtime;

on_each_runtime!(
    the_others_are_reported,
    the_run_ends_when_none_is_left,
    a_shard_outlives_its_users_panics
);

/// Users that record an exchange a millisecond. The shards listed panic instead: where they start a user, or where a
/// user is at work.
struct Panicking {
    shards: Vec<usize>,
    at_work: bool,
}

struct Class {
    entry: EntryIndex,
    panics: bool,
    at_work: bool,
}

impl Workload for Panicking {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let entry = shard.entry(EntryKind::Exchange, "GET", "/");
        let panics = self.shards.contains(&shard.index());
        vec![Rc::new(Class { entry, panics, at_work: self.at_work })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        assert!(!self.panics || self.at_work, "a class that panics, as the test wants it");
        UserLife::new(async move {
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

fn run(runtime: &str, workload: Panicking) -> RunOutcome {
    let runtime = runtime.parse::<RuntimeKind>().expect("a known runtime");
    let run_time = Some(Duration::from_secs(1));
    let plan = RunPlan { run_time, ..RunPlan::new(4, vec![None, None], runtime) };
    let mut run = Run::launch(plan, Arc::new(workload)).expect("it starts");
    while run.phase() != Phase::Ended {
        run.step();
        assert!(run.elapsed() < Duration::from_secs(20), "the run does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.finish()
}

fn the_others_are_reported(runtime: &str) {
    let outcome = run(runtime, Panicking { shards: vec![1], at_work: false });
    let lost = outcome.shards[1].panicked.as_deref();
    assert_eq!(lost, Some("a class that panics, as the test wants it"));
    assert_eq!(outcome.shards[0].panicked, None);
    assert_eq!(outcome.ended_by, EndedBy::RunTime, "the others go on to the end");
    let requests: u64 = outcome.entries.iter().map(|entry| entry.counts.requests).sum();
    assert!(requests > 10, "{requests} requests of the shard that lives");
}

fn the_run_ends_when_none_is_left(runtime: &str) {
    let outcome = run(runtime, Panicking { shards: vec![0, 1], at_work: false });
    assert_eq!(outcome.ended_by, EndedBy::AllShardsLost);
    assert!(outcome.shards.iter().all(|shard| shard.panicked.is_some()));
}

fn a_shard_outlives_its_users_panics(runtime: &str) {
    let outcome = run(runtime, Panicking { shards: vec![1], at_work: true });
    let lost: Vec<_> = outcome.shards.iter().filter_map(|shard| shard.panicked.as_ref()).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let [exception] = &outcome.errors[..] else { panic!("{:?}", outcome.errors) };
    assert_eq!((exception.kind, exception.count), (FailureKind::Exception, 2));
    assert_eq!((&*exception.method, &*exception.name), ("TASK", "User"));
    assert!(exception.message.starts_with("panicked: a user that panics, as the test wants it"));
    assert!(exception.message.contains("shards.rs:"), "it says where: {}", exception.message);
}
