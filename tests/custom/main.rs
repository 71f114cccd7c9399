//! The examples of protocols of one's own, against the real servers of their protocols: Redis and Mosquitto.
//!
//! What the servers say that they have seen must be what we counted. Each is a child process on a free loopback port with
//! its files in a temporary folder. One that is not installed makes the tests fail: `tools/test` installs it.

#![forbid(unsafe_code)]

mod mqtt;
mod redis;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use loadr_tests::program::{Finished, Invocation, example};
use loadr_tests::saved::Saved;
use serde_json::Value;

/// Time that a server has to answer for the first time: far more than it needs.
const LIMIT: Duration = Duration::from_secs(20);

/// A server process; it is killed when this is dropped.
struct Server {
    child: Child,
}

impl Server {
    /// Starts a server and waits until it listens.
    fn start(mut command: Command, address: SocketAddr) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut server = Self { child };
        let deadline = Instant::now() + LIMIT;
        while TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            assert!(Instant::now() < deadline, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago; servers of others must be told one.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

/// A server that answers whatever it is sent as a web server would.
fn web_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || {
                while let Ok(1..) = stream.read(&mut [0; 4096]) {
                    if stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Outside of the search path of users other than root on Debian.
fn program(name: &str) -> PathBuf {
    let beside = Path::new("/usr/sbin").join(name);
    if beside.is_file() { beside } else { PathBuf::from(name) }
}

/// The example `name` with the words of `line`, against a server on `server`.
fn invocation(name: &str, runtime: &str, server: &str, line: &str) -> Invocation {
    let words = ["--server", server, "--runtime", runtime, "-r", "1000", "--only-summary"];
    Invocation::of(example(name), words).and(line.split_whitespace())
}

/// Runs it to an end with this exit code.
#[track_caller]
fn run(name: &str, runtime: &str, server: &str, line: &str, code: i64) -> (Finished, Saved) {
    let (finished, saved) = invocation(name, runtime, server, line).run_saved();
    finished.expect_code(code);
    saved.expect_consistent();
    (finished, saved)
}

/// Requests and failures that we counted under a name.
#[track_caller]
fn counts(saved: &Saved, name: &str) -> (u64, u64) {
    let entries = saved["entries"].as_array().expect("a list");
    let Some(entry) = entries.iter().find(|entry| entry["name"] == name) else { return (0, 0) };
    let count = |value: &Value| value.as_u64().expect("a count");
    (count(&entry["requests"]), count(&entry["failures"]))
}

/// Kills a server in mid-run and starts it again with `restart`; gives the report of the run, which must go on.
#[track_caller]
fn outage(invocation: Invocation, server: Server, restart: impl FnOnce() -> Server) -> Saved {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let report = folder.path().join("report.json");
    let mut running = invocation.and(["--save".as_ref(), report.as_os_str()]).start();
    running.await_stderr("All users spawned");
    thread::sleep(Duration::from_millis(700));
    drop(server);
    thread::sleep(Duration::from_millis(300));
    let server = restart();
    running.finish().expect_code(1);
    drop(server);
    let saved = Saved::read(&report).unwrap_or_else(|error| panic!("{error}"));
    saved.expect_consistent();
    let kinds = ["closed", "reset", "connect-refused"];
    for (kind, message, _) in saved.errors() {
        assert!(kinds.contains(&kind), "{kind}: {message}");
    }
    assert!(saved.failures() > 0, "{:#}", saved["totals"]);
    // Successes of the seconds before and after: the run lasts four.
    let series = saved["series"].as_array().expect("a list");
    let good = |row: &Value| row["requests"].as_u64() > row["failures"].as_u64();
    assert!(series.iter().filter(|row| good(row)).count() >= 3, "{series:#?}");
    saved
}
