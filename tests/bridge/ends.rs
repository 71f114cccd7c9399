//! The end of a run, with work off the shard under way: nobody waits for it, and what has not begun never does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use loadr_engine::coordinator::RunPlan;
use loadr_engine::user::Context;
use loadr_tests::on_each_runtime;

use super::{Lives, PATIENCE, plan, run, waits};

on_each_runtime!(
    a_parked_call_does_not_hold_up_the_end,
    work_whose_user_has_gone_never_begins,
    futures_are_dropped_where_they_await,
);

/// Says when it is dropped.
struct Dropped(mpsc::Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

fn short(plan: RunPlan) -> RunPlan {
    let stop_timeout = Duration::from_millis(100);
    RunPlan { run_time: Some(Duration::from_millis(300)), stop_timeout, ..plan }
}

fn a_parked_call_does_not_hold_up_the_end(runtime: &str) {
    let (gate, opened) = mpsc::channel::<()>();
    let opened = Arc::new(Mutex::new(opened));
    let (told, ended) = mpsc::channel();
    let life = move |context: Context| {
        let (opened, told) = (Arc::clone(&opened), told.clone());
        async move {
            let hold = move || {
                while opened.lock().expect("nobody panics with it").recv().is_ok() {}
                told.send(()).expect("the test listens");
            };
            context.blocking(hold).await;
        }
    };
    let begun = Instant::now();
    let outcome = run(short(plan(runtime, 1, 1)), Lives::new(life));
    assert!(begun.elapsed() < Duration::from_secs(4), "after {:?}", begun.elapsed());
    let counts = &waits(&outcome, "blocking").counts;
    assert_eq!((counts.requests, counts.failures), (1, 0), "it had begun");
    // It goes on unheard, and its thread ends well though the shard is gone.
    drop(gate);
    ended.recv_timeout(PATIENCE).expect("the work ends");
}

/// The second user's piece waits behind the first's until both are gone.
fn work_whose_user_has_gone_never_begins(runtime: &str) {
    let (gate, opened) = mpsc::channel::<()>();
    let opened = Arc::new(Mutex::new(Some(opened)));
    let (begun, dropped) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
    let (seen, guard) = (Arc::clone(&begun), Mutex::new(dropped.0));
    let life = move |context: Context| {
        let (opened, begun) = (Arc::clone(&opened), Arc::clone(&begun));
        let held = Dropped(guard.lock().expect("nobody panics with it").clone());
        async move {
            let first = opened.lock().expect("nobody panics with it").take();
            if let Some(opened) = first {
                return context.blocking(move || while opened.recv().is_ok() {}).await;
            }
            let work = move || {
                begun.store(true, Ordering::Relaxed);
                drop(held);
            };
            context.blocking(work).await;
        }
    };
    let outcome = run(short(plan(runtime, 2, 1)), Lives::new(life));
    let counts = &waits(&outcome, "blocking").counts;
    assert_eq!((counts.requests, counts.failures), (2, 1), "one was given up");
    // What it held is let go of though the thread is still parked.
    dropped.1.recv_timeout(PATIENCE).expect("its work is dropped");
    drop(gate);
    assert!(!seen.load(Ordering::Relaxed), "it began though its user had gone");
}

fn futures_are_dropped_where_they_await(runtime: &str) {
    let (told, dropped) = mpsc::channel();
    let told = Mutex::new(told);
    let life = move |context: Context| {
        let held = Dropped(told.lock().expect("nobody panics with it").clone());
        async move {
            let work = async move {
                let _held = held;
                std::future::pending::<()>().await;
            };
            context.tokio(work).await;
        }
    };
    let outcome = run(short(plan(runtime, 3, 1)), Lives::new(life));
    for _ in 0..3 {
        dropped.recv_timeout(PATIENCE).expect("each future is dropped");
    }
    let counts = &waits(&outcome, "tokio").counts;
    assert_eq!((counts.requests, counts.failures), (3, 0), "they had begun");
}
