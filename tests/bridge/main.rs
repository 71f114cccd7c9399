//! Work off the shard, on every runtime: it holds nobody up, and its own time is told from the bridge's.

#![forbid(unsafe_code)]

mod ends;
mod examples;
mod times;
mod ways;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use loadr_engine::bridge::BridgeOptions;
use loadr_engine::coordinator::{Phase, RunOutcome, RunPlan};
use loadr_engine::record::{EntryKind, MergedEntry};
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

type Life = Pin<Box<dyn Future<Output = ()>>>;

/// Users that each live as the test says, by their contexts.
struct Lives(Arc<dyn Fn(Context) -> Life + Send + Sync>);

impl Lives {
    fn new<F: Future<Output = ()> + 'static>(
        life: impl Fn(Context) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |context| Box::pin(life(context))))
    }
}

struct Class(Arc<dyn Fn(Context) -> Life + Send + Sync>);

impl Workload for Lives {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, _shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        vec![Rc::new(Class(Arc::clone(&self.0)))]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new((self.0)(context))
    }
}

/// A plan of `users` on one shard, with so many threads for what blocks.
fn plan(runtime: &str, users: u64, threads_max: usize) -> RunPlan {
    let runtime = runtime.parse::<RuntimeKind>().expect("a known runtime");
    let bridge = BridgeOptions { threads_max, ..BridgeOptions::default() };
    RunPlan { bridge, ..RunPlan::new(users, vec![None], runtime) }
}

#[track_caller]
fn run(plan: RunPlan, workload: impl Workload + 'static) -> RunOutcome {
    let mut run = Run::launch(plan, Arc::new(workload)).expect("it starts");
    while run.phase() != Phase::Ended {
        run.step();
        assert!(run.elapsed() < PATIENCE, "the run does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.finish()
}

/// What waited for a turn, under this name.
#[track_caller]
fn waits<'o>(outcome: &'o RunOutcome, name: &str) -> &'o MergedEntry {
    let of_bridge = |entry: &&MergedEntry| entry.key.kind == EntryKind::Bridge;
    let found = outcome.entries.iter().filter(of_bridge).find(|entry| *entry.key.name == *name);
    found.unwrap_or_else(|| panic!("no waits of {name}: {:?}", outcome.entries))
}

/// No task failed, which is how an assertion in one shows.
#[track_caller]
fn expect_no_errors(outcome: &RunOutcome) {
    let messages: Vec<_> = outcome.errors.iter().map(|error| &*error.message).collect();
    assert!(messages.is_empty(), "{messages:?}");
}
