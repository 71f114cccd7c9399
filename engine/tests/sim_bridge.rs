//! Work off the shard in the simulation: it is done by threads as ever, and takes no time of the simulated clock.

#![cfg(not(loadr_loom))]

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use loadr_engine::coordinator::{RunOutcome, RunPlan};
use loadr_engine::record::EntryKind;
use loadr_engine::run::simulate;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::runtime::sim::{LinkOptions, Simulation};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, Sample, ShardContext, UserClass, UserLife, Workload};

const UNIX_NS: u64 = 1_795_222_119_250_000_000;

/// Each user times an operation that sleeps for 7 ms and is off the shard twice.
struct Measuring;

impl Workload for Measuring {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, _shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        vec![Rc::new(Measuring)]
    }
}

impl UserClass for Measuring {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new(async move {
            let work = async {
                let thread = context.blocking(|| std::thread::current().id()).await;
                context.sleep(Duration::from_millis(7)).await;
                let other = context.tokio(async { std::thread::current().id() }).await;
                assert!(thread != std::thread::current().id() && other != thread);
            };
            let timed = context.timed(work).await;
            context.record_sample(&Sample {
                method: "BOTH",
                name: "ways",
                start_ns: context.now_ns(),
                response_time: timed.took,
                body_bytes: 0,
                failure: None,
            });
        })
    }
}

fn simulated(seed: u64) -> RunOutcome {
    let simulation = Simulation::new(seed, UNIX_NS, LinkOptions::default());
    let plan = RunPlan {
        run_time: Some(Duration::from_secs(20)),
        ..RunPlan::new(6, vec![None, None], RuntimeKind::Sim)
    };
    simulation.run(simulate(&simulation, plan, Arc::new(Measuring)))
}

#[test]
fn threads_take_no_simulated_time() {
    let outcome = simulated(3);
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let entry = |kind, name: &str| {
        let of_name = outcome.entries.iter().find(|e| e.key.kind == kind && *e.key.name == *name);
        let counts = &of_name.unwrap_or_else(|| panic!("{name}: {:?}", outcome.entries)).counts;
        let times = &counts.response_time;
        (counts.requests, counts.failures, times.min_ns(), times.max_ns())
    };
    assert_eq!(entry(EntryKind::Exchange, "ways"), (6, 0, Some(7_000_000), Some(7_000_000)));
    assert_eq!(entry(EntryKind::Bridge, "blocking"), (6, 0, Some(0), Some(0)));
    assert_eq!(entry(EntryKind::Bridge, "tokio"), (6, 0, Some(0), Some(0)));
}
