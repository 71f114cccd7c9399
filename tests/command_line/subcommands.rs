//! `demo`, `target`, `--help`, `--version`.

use std::io::{Read, Write};
use std::net::TcpStream;

use loadr_tests::program::Invocation;
use rustix::process::Signal;

#[test]
fn the_demo_loads_its_own_target() {
    let (finished, saved) = Invocation::words("demo -t 1s -u 8").run_saved();
    finished.expect_code(0);
    assert!(finished.stdout.contains("Aggregated"), "{finished}");
    assert!(saved.requests() > 100 && saved.failures() == 0, "{finished}");
}

#[test]
fn the_demo_takes_no_url() {
    let finished = Invocation::words("demo http://127.0.0.1:9/").run();
    assert!(finished.expect_one_line().contains("demo"), "{finished}");
}

#[test]
fn the_target_tells_its_port_and_stops_on_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut running = Invocation::words("target --port 0").start();
        let line = running.await_line();
        let (_, address) = line.split_once("http://").expect("the line names a URL");
        let mut client = TcpStream::connect(address.trim_end_matches('/')).expect("it listens");
        client.write_all(b"GET /close HTTP/1.1\r\nHost: h\r\n\r\n").expect("it takes a request");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        running.signal(signal);
        running.finish().expect_code(0);
    }
}

#[test]
fn a_port_in_use_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let finished = Invocation::new(["target", "--port", &port]).run();
    let line = finished.expect_one_line();
    assert!(line.contains(&port) && line.contains("in use"), "{line}");
}

#[test]
fn the_help_is_as_reviewed() {
    let finished = Invocation::words("--help").under("env", ["COLUMNS=100"]).run();
    finished.expect_code(0);
    insta::assert_snapshot!(finished.stdout);
}

#[test]
fn the_version_is_the_packages() {
    let finished = Invocation::words("--version").run();
    finished.expect_code(0);
    assert_eq!(finished.stdout, concat!("loadr-bench ", env!("CARGO_PKG_VERSION"), "\n"));
}
