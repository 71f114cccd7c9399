//! Python's `websockets` and npm's `ws`, each with compression and without.

use std::path::Path;

use loadr_tests::node::node_modules;
use loadr_tests::program::{Finished, Invocation, Running};
use loadr_tests::python::python;
use loadr_tests::saved::Saved;
use loadr_tests::workspace_root;
use rustix::process::Signal;
use serde_json::Value;

use super::run;

/// A server of somebody else's.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Websockets,
    Ws,
}

struct Server {
    process: Running,
    port: String,
}

impl Server {
    fn start(kind: Kind, compression: &str) -> Self {
        let data = workspace_root().join("tests/data");
        let mut process = match kind {
            Kind::Websockets => {
                let script = data.join("websocket_server.py");
                Invocation::of(python(), [script.as_os_str(), compression.as_ref()])
            }
            Kind::Ws => {
                let (script, modules) = (data.join("websocket_server.mjs"), node_modules());
                let arguments = [script.as_os_str(), modules.as_os_str(), compression.as_ref()];
                Invocation::of("node", arguments)
            }
        }
        .start();
        let port = process.await_line();
        Self { process, port }
    }

    fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.port)
    }

    /// Ends it; what it has seen.
    fn counts(self) -> Counts {
        self.process.signal(Signal::TERM);
        let finished = self.process.finish();
        let last = finished.stdout.lines().last().unwrap_or_default();
        let counts = serde_json::from_str(last);
        Counts(counts.unwrap_or_else(|error| panic!("{error}\n{finished}")))
    }
}

struct Counts(Value);

impl Counts {
    fn of(&self, what: &str) -> u64 {
        self.0[what].as_u64().unwrap_or(0)
    }
}

/// A message of so many bytes, as text or not.
fn message(folder: &Path, bytes: usize, binary: bool) -> String {
    let path = folder.join(format!("message-{bytes}-{binary}"));
    let byte = |index: usize| match binary {
        true => (index * 7 % 256) as u8,
        false => b'a' + (index % 26) as u8,
    };
    std::fs::write(&path, (0..bytes).map(byte).collect::<Vec<u8>>()).expect("a temporary file");
    let binary = if binary { " --binary" } else { "" };
    format!("--message-file {}{binary}", path.display())
}

/// The saved entry of the exchanges.
fn entry(saved: &Saved) -> &Value {
    let entries = saved["entries"].as_array().expect("a list");
    entries.iter().find(|entry| entry["method"] == "WS").expect("an entry of WebSocket")
}

fn expect_all_came_back(finished: &Finished, saved: &Saved, messages: u64, bytes: u64) {
    finished.expect_code(0);
    saved.expect_consistent();
    assert_eq!((saved.requests(), saved.failures()), (messages, 0), "{finished}");
    assert_eq!(entry(saved)["body_bytes"], messages * bytes, "{finished}");
}

/// Every length that is encoded in another way, and one of many reads.
const LENGTHS: [(usize, u64); 8] = [
    (0, 50),
    (1, 50),
    (125, 50),
    (126, 50),
    (65_535, 20),
    (65_536, 20),
    (200_000, 10),
    (3_000_000, 4),
];

fn echo(kind: Kind, compression: &str, flags: &str) {
    let server = Server::start(kind, compression);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (mut messages, mut bytes) = (0, 0);
    for path in ["/", "/fragments"] {
        for (length, count) in
            LENGTHS.into_iter().filter(|(length, _)| *length <= 70_000 || path == "/")
        {
            for binary in [false, true] {
                let message = message(folder.path(), length, binary);
                let line = format!("-n {count} -u 2 --shards 1 {message} {flags}");
                let (finished, saved) = run(&server.url(path), &line);
                expect_all_came_back(&finished, &saved, count, length as u64);
                messages += count;
                bytes += count * length as u64;
            }
        }
    }
    let counts = server.counts();
    assert_eq!((counts.of("messages"), counts.of("bytes")), (messages, bytes));
    assert!(counts.of("pongs") > 0, "pings came between fragments, and were answered");
    assert_eq!(counts.of("errors"), 0);
    let agreed = if compression == "deflate" && flags.contains("--compress") { 1 } else { 0 };
    assert_eq!(counts.of("compressed"), agreed * counts.of("connections"));
}

#[test]
fn websockets_gets_every_message_and_gives_it_back() {
    echo(Kind::Websockets, "plain", "");
}

#[test]
fn websockets_agrees_on_compression() {
    echo(Kind::Websockets, "deflate", "--compress");
}

#[test]
fn websockets_declines_compression() {
    echo(Kind::Websockets, "plain", "--compress --runtime monoio-epoll");
}

#[test]
fn ws_gets_every_message_and_gives_it_back() {
    echo(Kind::Ws, "plain", "--runtime glommio");
}

#[test]
fn ws_agrees_on_compression() {
    echo(Kind::Ws, "deflate", "--compress");
}

#[test]
fn connections_are_upgraded_once_each_and_closed_with_a_word() {
    for kind in [Kind::Websockets, Kind::Ws] {
        let server = Server::start(kind, "plain");
        let line = "-n 60 -u 3 --message x --requests-per-connection 10 --subprotocol chat";
        let (finished, saved) = run(&server.url("/"), line);
        expect_all_came_back(&finished, &saved, 60, 1);
        let upgrades = &saved["connections"]["handshakes"][0];
        assert_eq!(upgrades["method"], "WS connect");
        let made = upgrades["made"].as_u64().expect("a count");
        assert_eq!(saved.connections(), made);
        // Whether a user opens another connection before it learns that all is sent depends on who is first.
        assert!((6..=9).contains(&made), "{finished}");
        let counts = server.counts();
        assert_eq!(counts.of("connections"), made, "{kind:?}");
        assert!(counts.of("closed 1000") >= 3, "{kind:?}: {}", counts.0);
    }
}

#[test]
fn a_user_without_a_message_counts_what_is_pushed() {
    for kind in [Kind::Websockets, Kind::Ws] {
        let server = Server::start(kind, "plain");
        let (finished, saved) = run(&server.url("/push"), "-u 5 -t 2s");
        finished.expect_code(0);
        saved.expect_consistent();
        let counts = server.counts();
        let (counted, pushed) = (saved.requests(), counts.of("pushes"));
        // Those under way at the end are counted by nobody here.
        assert!(counted <= pushed && counted + 50 >= pushed, "{counted} of {pushed}\n{finished}");
        assert!(counted > 100, "{finished}");
    }
}
