//! Interrupts: once for a graceful end with the report, twice for an end at once.

use std::time::Duration;

use loadr_tests::program::{Invocation, Running};
use loadr_tests::saved::Saved;
use loadr_tests::scripted::ScriptedServer;
use loadr_tests::{start_target, url};
use rustix::process::Signal;

/// What is logged once the shards run.
const BEGUN: &str = "Ramping to";

fn await_requests(server: &ScriptedServer, running: &Running) {
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while server.requests() == 0 {
        assert!(std::time::Instant::now() < deadline, "no request came: {running:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn one_signal_reports_what_was_measured() {
    for signal in [Signal::INT, Signal::TERM] {
        let server = ScriptedServer::start(|mut connection| connection.behave());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("run.json");
        let arguments = ["-t", "1h", "-u", "2", "--save", path.to_str().expect("a plain path")];
        let running = Invocation::new(arguments).and([server.url()]).start();
        await_requests(&server, &running);
        running.signal(signal);
        let finished = running.finish();
        finished.expect_code(0);
        assert!(finished.stdout.contains("Aggregated"), "the report is printed\n{finished}");
        let saved = Saved::read(&path).unwrap_or_else(|error| panic!("{error}\n{finished}"));
        assert_eq!(saved["ended_by"], "signal");
        saved.expect_consistent();
        assert!(saved.requests() > 0, "{finished}");
        assert!(finished.took < Duration::from_secs(20), "{finished}");
    }
}

/// With a stop timeout, what is in flight is awaited.
#[test]
fn a_signal_lets_exchanges_finish() {
    let target = start_target();
    let arguments = ["-t", "1h", "-u", "2", "-s", "20s", &url(&target, "/delay/300")];
    let mut running = Invocation::new(arguments).start();
    running.await_stderr(BEGUN);
    while target.stats().connections_accepted < 2 {
        std::thread::sleep(Duration::from_millis(2));
    }
    running.signal(Signal::INT);
    let finished = running.finish();
    assert!(finished.took < Duration::from_secs(10), "{finished}");
    assert!(!finished.stdout.contains("Cut off"), "nothing is cut off\n{finished}");
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = ScriptedServer::start(|mut connection| while connection.request().is_some() {});
    let arguments = ["-t", "1h", "-u", "2", "-s", "1h", "--timeout", "2h", &server.url()];
    let mut running = Invocation::new(arguments).within(Duration::from_secs(20)).start();
    await_requests(&server, &running);
    // As a person would: until it is gone. One that is sent while the one before is still pending is lost.
    while !running.has_ended() {
        running.signal(Signal::INT);
        std::thread::sleep(Duration::from_millis(50));
    }
    running.finish().expect_code(130);
}
