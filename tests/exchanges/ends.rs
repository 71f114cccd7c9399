//! When: what becomes of the exchanges in flight at the end of a run.

use loadr_target::RouteKind;
use loadr_tests::program::Invocation;
use loadr_tests::{on_each_runtime, start_target, url};

use super::{clean_run, counted};

on_each_runtime!(
    the_stop_timeout_lets_exchanges_finish,
    without_a_stop_timeout_exchanges_are_cut_off,
    a_stop_timeout_that_is_too_short_cuts_off_too,
);

fn the_stop_timeout_lets_exchanges_finish(runtime: &str) {
    let target = start_target();
    // The fourth exchange of each user is in flight at 1 s and ends at 1.2 s.
    let saved = clean_run(runtime, &url(&target, "/delay/300"), "-t 1s -u 3 -s 5s");
    assert_eq!((saved.requests(), saved.cut_off()), (12, 0));
    assert!(saved.duration_s() < 3.0, "nothing more began: {} s", saved.duration_s());
    assert_eq!(counted(target).served(RouteKind::Delay), 12);
}

fn without_a_stop_timeout_exchanges_are_cut_off(runtime: &str) {
    let target = start_target();
    let saved = clean_run(runtime, &url(&target, "/delay/300"), "-t 1s -u 3 -s 0");
    assert_eq!(saved.cut_off(), 3);
    assert!((6..=9).contains(&saved.requests()), "{} requests", saved.requests());
    assert_eq!(counted(target).served(RouteKind::Delay), saved.requests());
}

/// A run that measured nothing is no clean run.
fn a_stop_timeout_that_is_too_short_cuts_off_too(runtime: &str) {
    let target = start_target();
    let line = "-t 1s -u 3 -s 100ms --timeout 60s --runtime";
    let invocation = Invocation::words(line).and([runtime, &url(&target, "/delay/30000")]);
    let (finished, saved) = invocation.run_saved();
    finished.expect_code(1);
    assert_eq!((saved.requests(), saved.failures(), saved.cut_off()), (0, 0, 3), "{finished}");
    assert!(saved.duration_s() < 2.1, "{finished}");
}
