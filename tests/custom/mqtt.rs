//! Mosquitto, whose log has a line for each packet.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use loadr_tests::on_each_runtime;
use loadr_tests::saved::Saved;
use tempfile::TempDir;

use super::{LIMIT, Server, counts, free_address, invocation, outage, program, run, web_server};

on_each_runtime!(
    counts_equal_the_brokers_log,
    messages_are_acknowledged_where_that_is_asked_for,
    a_budget_of_exchanges_is_kept,
    who_is_not_let_in_is_told_why,
    a_subscription_that_is_refused_is_told,
    a_broker_that_is_killed_costs_failures_and_no_more,
    what_does_not_speak_mqtt_is_told,
);

const TOPIC: &str = "loadr/[user]";

struct Mosquitto {
    /// The process goes before its folder.
    server: Server,
    address: SocketAddr,
    folder: TempDir,
}

impl Mosquitto {
    /// A broker with further lines of configuration.
    fn start(lines: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let address = free_address();
        let server = serve(address, folder.path(), lines);
        Self { server, address, folder }
    }

    fn shown(&self) -> String {
        self.address.to_string()
    }

    /// Lines of the log with both texts in them.
    fn logged(&self, one: &str, other: &str) -> u64 {
        let log = fs::read_to_string(self.folder.path().join("log")).expect("a log");
        log.lines().filter(|line| line.contains(one) && line.contains(other)).count() as u64
    }

    /// As [`Self::logged`], once there are as many as `wanted`: the broker may still be writing.
    fn logged_by_now(&self, one: &str, other: &str, wanted: u64) -> u64 {
        let deadline = Instant::now() + LIMIT;
        while self.logged(one, other) < wanted && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        self.logged(one, other)
    }

    /// What we counted is what the broker logged; nothing failed.
    #[track_caller]
    fn expect_counts(&self, saved: &Saved, subscribe_qos: u8) {
        let logged = |name: &str, one: &str, other: &str| {
            let (count, failures) = counts(saved, name);
            assert_eq!(failures, 0, "{name}");
            assert_eq!(self.logged_by_now(one, other, count), count, "{name}");
            count
        };
        let published = logged(&format!("publish:0:{TOPIC}"), "Received PUBLISH from", "q0")
            + logged(&format!("publish:1:{TOPIC}"), "Received PUBLISH from", "q1");
        logged(&format!("publish:1:{TOPIC}"), "Sending PUBACK to", "");
        logged(&format!("subscribe:{subscribe_qos}:{TOPIC}"), "Sending SUBACK to", "");
        logged("connect", "Sending CONNACK to", "");
        logged("ping", "Received PINGREQ from", "");
        // What is on its way to users that have made all they were to make is not waited for.
        let (received, failures) = counts(saved, &format!("receive:{TOPIC}"));
        assert_eq!(failures, 0);
        assert!(received <= published && received > published / 2, "{received} of {published}");
    }
}

/// Nothing is kept, and everything is logged.
fn serve(address: SocketAddr, folder: &Path, lines: &str) -> Server {
    let log = folder.join("log");
    let configuration = format!(
        "listener {} 127.0.0.1\npersistence false\nlog_dest file {}\nlog_type all\n\
         max_queued_messages 0\nmax_inflight_messages 0\nuser root\n{}\n",
        address.port(),
        log.display(),
        lines
    );
    let path = folder.join("mosquitto.conf");
    fs::write(&path, configuration).expect("a temporary file");
    let mut command = Command::new(program("mosquitto"));
    command.arg("-c").arg(path);
    Server::start(command, address)
}

fn counts_equal_the_brokers_log(runtime: &str) {
    let broker = Mosquitto::start("allow_anonymous true");
    let (finished, saved) = run("mqtt", runtime, &broker.shown(), "-u 10 -i 3000", 0);
    broker.expect_counts(&saved, 0);
    assert_eq!(counts(&saved, "connect"), (20, 0), "two for each user\n{finished}");
    assert_eq!(counts(&saved, &format!("subscribe:0:{TOPIC}")), (10, 0), "{finished}");
    let tasks = counts(&saved, "ping").0
        + counts(&saved, &format!("publish:0:{TOPIC}")).0
        + counts(&saved, &format!("publish:1:{TOPIC}")).0;
    assert_eq!(tasks, 3_000, "{finished}");
}

fn messages_are_acknowledged_where_that_is_asked_for(runtime: &str) {
    let broker = Mosquitto::start("allow_anonymous true");
    let line = "-u 5 -i 1000 --subscribe-qos 1 --shards 2 --payload-size 5000 --topic loadr/[user]";
    let (finished, saved) = run("mqtt", runtime, &broker.shown(), line, 0);
    broker.expect_counts(&saved, 1);
    // A message that was published at most once is delivered so.
    let acknowledged = broker.logged("Received PUBACK from", "");
    let delivered = broker.logged("Sending PUBLISH to", "q1");
    assert!(acknowledged > delivered / 2 && acknowledged <= delivered, "{finished}");
}

/// Exchanges count, and deliveries beside them do not.
fn a_budget_of_exchanges_is_kept(runtime: &str) {
    let broker = Mosquitto::start("allow_anonymous true");
    let (finished, saved) = run("mqtt", runtime, &broker.shown(), "-u 4 -n 1000", 0);
    let received = counts(&saved, &format!("receive:{TOPIC}")).0;
    assert_eq!(saved.requests() - received, 1_000, "{finished}");
    broker.expect_counts(&saved, 0);
}

fn who_is_not_let_in_is_told_why(runtime: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let passwords = folder.path().join("passwords");
    let mut command = Command::new("mosquitto_passwd");
    let made = command.args(["-b", "-c"]).arg(&passwords).args(["ada", "secret"]).output();
    let made = made.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(made.status.success(), "{made:?}");
    let lines = format!("allow_anonymous false\npassword_file {}", passwords.display());
    let broker = Mosquitto::start(&lines);
    let server = broker.shown();
    let (_, saved) = run("mqtt", runtime, &server, "-u 2 -n 8", 1);
    saved.expect_only("status", "connection refused: not authorized");
    let (_, saved) = run("mqtt", runtime, &server, "-u 2 -n 8 --login ada:wrong", 1);
    saved.expect_only("status", "connection refused: not authorized");
    assert_eq!((counts(&saved, "connect"), saved.requests()), ((8, 8), 8));
    let (_, saved) = run("mqtt", runtime, &server, "-u 2 -i 50 --login ada:secret", 0);
    assert_eq!(counts(&saved, "connect"), (4, 0));
}

fn a_subscription_that_is_refused_is_told(runtime: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let access = r#"{"defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true,
        "subscribe": false, "unsubscribe": true}, "clients": [], "groups": [], "roles": []}"#;
    let path = folder.path().join("access.json");
    fs::write(&path, access).expect("a temporary file");
    let (plugin, path) = (access_plugin(), path.display());
    let lines = format!("allow_anonymous true\nplugin {plugin}\nplugin_opt_config_file {path}");
    let broker = Mosquitto::start(&lines);
    let (finished, saved) = run("mqtt", runtime, &broker.shown(), "-u 2 -t 1s --pause 0.01", 1);
    saved.expect_only("status", "subscription refused");
    let (refused, failures) = counts(&saved, &format!("subscribe:0:{TOPIC}"));
    // Ten waits to reach a second, for each.
    assert!((10..=30).contains(&refused) && refused == failures, "{finished}");
    assert_eq!(counts(&saved, &format!("receive:{TOPIC}")), (0, 0), "{finished}");
}

/// The part of Mosquitto that says who may do what, which comes with it.
fn access_plugin() -> String {
    let folders = fs::read_dir("/usr/lib").expect("a folder of libraries");
    let mut paths = folders.filter_map(|folder| {
        let path = folder.ok()?.path().join("mosquitto_dynamic_security.so");
        path.is_file().then(|| path.display().to_string())
    });
    paths
        .next()
        .expect("Mosquitto comes with mosquitto_dynamic_security.so: tools/test installs it")
}

fn a_broker_that_is_killed_costs_failures_and_no_more(runtime: &str) {
    let lines = "allow_anonymous true";
    let Mosquitto { server, address, folder } = Mosquitto::start(lines);
    let line = "-u 4 -t 4s --pause 0.002";
    let invocation = invocation("mqtt", runtime, &address.to_string(), line);
    let saved = outage(invocation, server, || serve(address, folder.path(), lines));
    let (subscribed, failures) = counts(&saved, &format!("subscribe:0:{TOPIC}"));
    assert!(subscribed - failures >= 8, "everyone has subscribed again: {subscribed}");
    let (_, lost) = counts(&saved, &format!("receive:{TOPIC}"));
    assert_eq!(lost, 4, "each has noticed that it lost its subscription");
}

fn what_does_not_speak_mqtt_is_told(runtime: &str) {
    let server = web_server().to_string();
    let (finished, saved) = run("mqtt", runtime, &server, "-u 2 -n 6", 1);
    let words = "packet that no server sends to this client, first byte 0x48";
    saved.expect_only("protocol", words);
    assert_eq!(counts(&saved, "connect"), (6, 6), "{finished}");
}
