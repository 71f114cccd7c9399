//! What waits for a thread says so, and what is measured is the work alone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use loadr_engine::user::Context;
use loadr_tests::on_each_runtime;

use super::{Lives, expect_no_errors, plan, run, waits};

on_each_runtime!(
    the_piece_past_the_bound_waits_and_its_time_is_its_own,
    whoever_waits_for_several_pieces_waits_once,
);

/// How long the only threads are held.
const HELD: Duration = Duration::from_millis(80);

/// Two users hold both threads until the last has waited for some time with a piece of its own in the queue.
fn the_piece_past_the_bound_waits_and_its_time_is_its_own(runtime: &str) {
    let (begun, told) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(None)));
    let (gate, opened) = mpsc::channel::<()>();
    let (gate, opened) = (Arc::new(Mutex::new(Some(gate))), Arc::new(Mutex::new(opened)));
    let result = Arc::clone(&told);
    let life = move |context: Context| {
        let (begun, told) = (Arc::clone(&begun), Arc::clone(&told));
        let (gate, opened) = (Arc::clone(&gate), Arc::clone(&opened));
        async move {
            match context.user_index() {
                0 | 1 => {
                    let hold = move || {
                        begun.fetch_add(1, Ordering::Relaxed);
                        while opened.lock().expect("nobody panics with it").recv().is_ok() {}
                    };
                    context.blocking(hold).await;
                }
                _ => {
                    while begun.load(Ordering::Relaxed) < 2 {
                        context.sleep(Duration::from_millis(1)).await;
                    }
                    let open = context.clone();
                    context.background(async move |_| {
                        open.sleep(HELD).await;
                        gate.lock().expect("nobody panics with it").take();
                    });
                    let work = || std::thread::sleep(Duration::from_millis(3));
                    let begun_ns = context.now_ns();
                    let timed = context.timed(context.blocking_timed(work)).await;
                    let elapsed = Duration::from_nanos(context.now_ns() - begun_ns);
                    *told.lock().expect("nobody panics with it") = Some((timed, elapsed));
                    context.stop_test();
                }
            }
        }
    };
    let outcome = run(plan(runtime, 3, 2), Lives::new(life));
    expect_no_errors(&outcome);
    let (timed, elapsed) = result.lock().expect("nobody panics with it").take().expect("it ended");
    let piece = timed.value;
    assert!(piece.queued >= HELD && piece.ran >= Duration::from_millis(3), "{piece:?}");
    assert!(timed.bridge >= piece.queued, "{:?} of {:?}", timed.bridge, piece.queued);
    assert!(timed.took >= piece.ran && timed.took + timed.bridge <= elapsed);
    let waits = &waits(&outcome, "blocking").counts;
    assert_eq!((waits.requests, waits.failures), (3, 0));
    let longest_ns = waits.response_time.max_ns().expect("three waited");
    assert_eq!(Duration::from_nanos(longest_ns), piece.queued);
}

/// Two pieces of one operation queue up behind the only thread at the same time.
fn whoever_waits_for_several_pieces_waits_once(runtime: &str) {
    let told = Arc::new(Mutex::new(None));
    let result = Arc::clone(&told);
    let life = move |context: Context| {
        let told = Arc::clone(&told);
        async move {
            let work = || std::thread::sleep(Duration::from_millis(20));
            let pieces = futures_lite::future::zip(
                context.blocking_timed(work),
                context.blocking_timed(work),
            );
            let begun_ns = context.now_ns();
            let timed = context.timed(pieces).await;
            let elapsed = Duration::from_nanos(context.now_ns() - begun_ns);
            *told.lock().expect("nobody panics with it") = Some((timed, elapsed));
            context.stop_test();
        }
    };
    let outcome = run(plan(runtime, 1, 1), Lives::new(life));
    expect_no_errors(&outcome);
    let (timed, elapsed) = result.lock().expect("nobody panics with it").take().expect("it ended");
    let (first, second) = timed.value;
    assert!(second.queued >= first.ran, "one after the other: {first:?}, {second:?}");
    // The second's wait is the first's time, which is left out; no moment is left out twice.
    assert!(timed.bridge >= second.queued, "{:?} of {second:?}", timed.bridge);
    assert!(timed.took + timed.bridge <= elapsed, "{:?} and {:?}", timed.took, timed.bridge);
}
