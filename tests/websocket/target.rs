//! The bundled target, whose own counters are asked, and what the command line says.

use loadr_target::RouteKind;
use loadr_tests::program::Invocation;
use loadr_tests::{on_each_runtime, start_target};

use super::run;

on_each_runtime!(counts_are_the_targets_own, a_run_by_time_is_cut_off_and_says_so,);

fn counts_are_the_targets_own(runtime: &str) {
    let target = start_target();
    let url = format!("ws://{}/ws", target.local_addr());
    let line = format!("-n 2000 -u 20 --message hello --runtime {runtime}");
    let (finished, saved) = run(&url, &line);
    finished.expect_code(0);
    saved.expect_consistent();
    assert_eq!((saved.requests(), saved.failures(), saved.cut_off()), (2_000, 0, 0), "{finished}");
    assert_eq!(saved["connections"]["handshakes"][0]["made"], saved.connections());
    let stats = target.stop().expect("it served");
    assert_eq!(stats.served(RouteKind::WebSocket), saved.connections(), "upgrades");
    assert_eq!(stats.messages(RouteKind::WebSocket), 2_000);
}

fn a_run_by_time_is_cut_off_and_says_so(runtime: &str) {
    let target = start_target();
    let url = format!("ws://{}/ws", target.local_addr());
    let line = format!("-t 500ms -u 10 --message hello --runtime {runtime}");
    let (finished, saved) = run(&url, &line);
    finished.expect_code(0);
    let stats = target.stop().expect("it served");
    let echoed = stats.messages(RouteKind::WebSocket);
    assert!(
        saved.requests() <= echoed && echoed <= saved.requests() + saved.cut_off(),
        "{finished}"
    );
    assert_eq!(saved.failures(), 0);
}

/// What is wrong is told in one line before the load.
#[test]
fn flags_that_mean_nothing_are_refused() {
    let cases = [
        ("http://127.0.0.1:1/ --message x", "--message is for ws:// and wss:// URLs"),
        (
            "ws://127.0.0.1:1/ --message x --pipeline 2",
            "--pipeline is for http:// and https:// URLs",
        ),
        ("ws://127.0.0.1:1/ --message x -X POST", "--method is for http:// and https:// URLs"),
        ("ws://127.0.0.1:1/ --binary", "--binary without --message"),
        ("ws://127.0.0.1:1/ --message-file /nowhere/at/all", "cannot read /nowhere/at/all"),
        ("ws://127.0.0.1:1/ --message x --subprotocol a,b", "subprotocol"),
    ];
    for (line, told) in cases {
        let finished = Invocation::words(line).run();
        let line = finished.expect_one_line();
        assert!(line.contains(told), "{line}");
    }
}
