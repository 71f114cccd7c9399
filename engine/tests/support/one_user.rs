//! A run of one user on one shard, until it has told what it found.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use loadr_engine::coordinator::{EndedBy, Phase, RunPlan};
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::user::Workload;

/// What the user of the workload sends, within `timeout`; the run has ended when it is given back.
pub(crate) fn found_by_one_user<T, W: Workload + 'static>(
    runtime: RuntimeKind,
    timeout: Duration,
    workload: impl FnOnce(mpsc::Sender<T>) -> W,
) -> T {
    let (sender, found) = mpsc::channel();
    let plan = RunPlan::new(1, vec![None], runtime);
    let mut run = Run::launch(plan, Arc::new(workload(sender))).expect("it starts");
    let found = loop {
        run.step();
        assert!(run.elapsed() < timeout, "the user came to no end");
        match found.try_recv() {
            Ok(found) => break found,
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    };
    run.stop(EndedBy::Signal);
    while run.phase() != Phase::Ended {
        run.step();
        thread::sleep(Duration::from_millis(1));
    }
    found
}
