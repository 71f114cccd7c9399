//! `redis-server`, which counts the calls of each command.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use loadr_tests::on_each_runtime;
use tempfile::TempDir;

use super::{LIMIT, Server, counts, free_address, invocation, outage, program, run, web_server};

on_each_runtime!(
    counts_equal_the_servers_own,
    pipelines_count_each_command,
    a_unix_socket_serves_as_well,
    long_values_come_whole,
    an_error_reply_is_a_failure_in_the_servers_words,
    a_password_is_asked_for_and_taken,
    a_server_that_is_killed_costs_failures_and_no_more,
    what_does_not_speak_redis_is_told,
);

struct Redis {
    /// The process goes before its folder.
    server: Server,
    address: SocketAddr,
    folder: TempDir,
}

impl Redis {
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let address = free_address();
        let server = serve(address, &folder, options);
        Self { server, address, folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    fn shown(&self) -> String {
        self.address.to_string()
    }

    /// What the server answers to these lines.
    fn ask(&self, lines: &str) -> String {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream.write_all(format!("{lines}\r\nQUIT\r\n").as_bytes()).expect("it takes it");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers and closes");
        answer
    }

    /// Calls of a command since the server started.
    fn calls(&self, command: &str) -> u64 {
        let stats = self.ask("INFO commandstats");
        let line = stats.lines().find_map(|line| {
            line.strip_prefix("cmdstat_")?.strip_prefix(command)?.strip_prefix(":calls=")
        });
        let calls = line.and_then(|line| line.split(',').next());
        calls.map_or(0, |calls| calls.parse().expect("a count"))
    }

    /// What we counted is what the server counted; nothing failed.
    #[track_caller]
    fn expect_counts(&self, runtime: &str, line: &str) -> u64 {
        let (finished, saved) = run("redis", runtime, &self.shown(), line, 0);
        let (gets, sets) = (counts(&saved, "GET"), counts(&saved, "SET"));
        assert_eq!(gets, (self.calls("get"), 0), "{finished}");
        assert_eq!(sets, (self.calls("set"), 0), "{finished}");
        assert!(gets.0 > 0 && sets.0 > 0, "{finished}");
        assert_eq!(saved.cut_off(), 0, "{finished}");
        saved.requests()
    }
}

fn serve(address: SocketAddr, folder: &TempDir, options: &[&str]) -> Server {
    let mut command = Command::new(program("redis-server"));
    command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
    command.arg("--unixsocket").arg(folder.path().join("redis.sock")).args(options);
    Server::start(command, address)
}

fn counts_equal_the_servers_own(runtime: &str) {
    let redis = Redis::start(&[]);
    let requests = redis.expect_counts(runtime, "-u 10 -n 20000 --set-percent 30");
    assert_eq!(requests, 20_000);
}

fn pipelines_count_each_command(runtime: &str) {
    let redis = Redis::start(&[]);
    let line = "-u 7 -n 50000 --pipeline-depth 100 --shards 2 --resp3 --set-percent 50";
    assert_eq!(redis.expect_counts(runtime, line), 50_000);
    assert_eq!(redis.calls("hello"), 7);
}

fn a_unix_socket_serves_as_well(runtime: &str) {
    let redis = Redis::start(&[]);
    let socket = redis.socket().display().to_string();
    let (finished, saved) = run("redis", runtime, &socket, "-u 3 -n 3000", 0);
    assert_eq!(saved.requests(), redis.calls("get") + redis.calls("set"), "{finished}");
    assert_eq!((saved.requests(), saved.connections()), (3_000, 3), "{finished}");
}

/// Longer than the buffer that a connection begins with, and than the pieces in which it reads.
fn long_values_come_whole(runtime: &str) {
    let redis = Redis::start(&[]);
    let line = "-u 4 -n 400 --keys 1 --data-size 300000 --set-percent 50 --pipeline-depth 8";
    assert_eq!(redis.expect_counts(runtime, line), 400);
    let value = redis.ask("STRLEN key:000000000000");
    assert!(value.starts_with(":300000\r\n"), "{value}");
}

fn an_error_reply_is_a_failure_in_the_servers_words(runtime: &str) {
    let redis = Redis::start(&[]);
    redis.ask("LPUSH key:000000000000 x");
    let line = "-u 5 -n 500 --keys 1 --set-percent 0 --pipeline-depth 4";
    let (finished, saved) = run("redis", runtime, &redis.shown(), line, 1);
    let words = "WRONGTYPE Operation against a key holding the wrong kind of value";
    saved.expect_only("status", words);
    assert_eq!(counts(&saved, "GET"), (500, 500), "{finished}");
    assert_eq!(saved.connections(), 5, "an error ends no connection\n{finished}");
}

fn a_password_is_asked_for_and_taken(runtime: &str) {
    let redis = Redis::start(&["--requirepass", "secret"]);
    let server = redis.shown();
    let (_, saved) = run("redis", runtime, &server, "-u 2 -n 20", 1);
    saved.expect_only("status", "NOAUTH Authentication required.");
    let (_, saved) = run("redis", runtime, &server, "-u 2 -n 4 --password wrong", 1);
    saved.expect_only("status", "WRONGPASS");
    let (_, saved) = run("redis", runtime, &server, "-u 2 -n 20 --password secret", 0);
    assert_eq!(saved.requests(), 20);
}

fn a_server_that_is_killed_costs_failures_and_no_more(runtime: &str) {
    let Redis { server, address, folder } = Redis::start(&[]);
    let line = "-u 4 -t 4s --pipeline-depth 4";
    let invocation = invocation("redis", runtime, &address.to_string(), line);
    outage(invocation, server, || serve(address, &folder, &[]));
}

fn what_does_not_speak_redis_is_told(runtime: &str) {
    let server = web_server().to_string();
    let (finished, saved) = run("redis", runtime, &server, "-u 2 -n 6 --pipeline-depth 3", 1);
    saved.expect_only("protocol", "reply of unknown type, first byte 0x48");
    assert_eq!((saved.requests(), saved.failures()), (6, 6), "{finished}");
}
