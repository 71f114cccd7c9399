//! The bundled target over TLS: every front end, and the target's own counts.

use std::fs;
use std::path::PathBuf;

use loadr_target::{RouteKind, TargetHandle, TargetOptions, TargetTls};
use loadr_tests::program::{Invocation, example};
use loadr_tests::{on_each_runtime, start_target_with, workspace_root};
use rustix::process::Signal;
use tempfile::TempDir;

use super::{handshakes, load, run};

on_each_runtime!(
    counts_are_those_of_the_target,
    bodies_come_back_as_they_went,
    a_run_by_time_is_cut_off_cleanly,
    websockets_and_xml_rpc_go_over_tls_too,
);

/// A target with a self-signed certificate, and the file that it is in.
struct Bundled {
    target: TargetHandle,
    certificate: PathBuf,
    _folder: TempDir,
}

fn start() -> Bundled {
    let tls = TargetTls::self_signed().expect("a certificate can be made");
    let folder = tempfile::tempdir().expect("a temporary directory");
    let certificate = folder.path().join("target.pem");
    fs::write(&certificate, tls.certificate_pem()).expect("a temporary file");
    let options = TargetOptions { tls: Some(tls), ..TargetOptions::default() };
    Bundled { target: start_target_with(options), certificate, _folder: folder }
}

impl Bundled {
    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.target.local_addr())
    }

    fn load(&self, path: &str, runtime: &str) -> Invocation {
        load(&self.url(path), &self.certificate).and(["--runtime", runtime])
    }
}

fn counts_are_those_of_the_target(runtime: &str) {
    let bundled = start();
    for (line, requests) in [
        ("-n 5000 -u 16 --shards 2", 5000),
        ("-n 2000 -u 4 --pipeline 8", 2000),
        ("-n 40 -u 2 --no-keepalive", 40),
        ("-n 200 -u 4 --tls-version 1.2 --requests-per-connection 10", 200),
    ] {
        let before = bundled.target.stats();
        let (finished, saved) = run(bundled.load("/", runtime), line);
        finished.expect_code(0);
        let after = bundled.target.stats();
        let root = RouteKind::Root;
        assert_eq!(after.served(root) - before.served(root), requests, "{line}\n{finished}");
        assert_eq!((saved.requests(), saved.failures()), (requests, 0), "{line}\n{finished}");
        let full = after.handshakes_full - before.handshakes_full;
        let resumed = after.handshakes_resumed - before.handshakes_resumed;
        assert_eq!(handshakes(&saved), (full, resumed), "{line}\n{finished}");
        assert_eq!(after.handshakes_failed, 0, "{line}\n{finished}");
    }
}

fn bodies_come_back_as_they_went(runtime: &str) {
    const BYTES: usize = 3_000_001;
    let bundled = start();
    let body = bundled.certificate.with_file_name("body");
    fs::write(&body, vec![b'x'; BYTES]).expect("a temporary file");
    let echo = bundled.load("/echo", runtime).and(["-X", "POST", "--body-file"]).and([body]);
    let (finished, saved) = run(echo, "-n 12 -u 3");
    finished.expect_code(0);
    assert_eq!(saved["totals"]["body_bytes"], 12 * BYTES as u64, "{finished}");
    let (finished, saved) = run(bundled.load("/chunked/1000001", runtime), "-n 12 -u 3");
    finished.expect_code(0);
    assert_eq!(saved["totals"]["body_bytes"], 12 * 1_000_001, "{finished}");
}

fn a_run_by_time_is_cut_off_cleanly(runtime: &str) {
    let bundled = start();
    let (finished, saved) = run(bundled.load("/delay/40", runtime), "-t 1s -u 8");
    finished.expect_code(0);
    assert!(saved.requests() > 0 && saved.failures() == 0, "{finished}");
    let served = bundled.target.stats().served(RouteKind::Delay);
    let all = saved.requests()..=saved.requests() + saved.cut_off();
    assert!(all.contains(&served), "{served}\n{finished}");
}

fn websockets_and_xml_rpc_go_over_tls_too(runtime: &str) {
    let bundled = start();
    let wss = bundled.url("/ws").replace("https://", "wss://");
    let load = load(&wss, &bundled.certificate).and(["--runtime", runtime, "--message", "hello"]);
    let (finished, saved) = run(load, "-n 500 -u 5");
    finished.expect_code(0);
    let echoed = bundled.target.stats().messages(RouteKind::WebSocket);
    assert_eq!((saved.requests(), saved.failures(), echoed), (500, 0, 500), "{finished}");

    let chat = workspace_root().join("harness/examples/websocket.toml");
    let file = bundled.certificate.with_file_name("rpc.toml");
    fs::write(&file, RPC).expect("a temporary file");
    for (file, flags) in [(chat, "-u 6 -r 100 -i 12"), (file, "-u 5 -r 100 -i 50")] {
        let program = Invocation::new(["-f".as_ref(), file.as_os_str(), "--cacert".as_ref()]);
        let program = program.and([&bundled.certificate]);
        let host = bundled.url("");
        let program = program.and(["-H", &host, "--only-summary", "--runtime", runtime]);
        let (finished, saved) = run(program, flags);
        finished.expect_code(0);
        assert_eq!((saved.failures(), saved.cut_off()), (0, 0), "{finished}");
        assert!(handshakes(&saved).0 > 0, "{finished}");
    }
    assert_eq!(bundled.target.stats().served(RouteKind::XmlRpc), 50);
}

const RPC: &str = r#"
[[user]]
name = "Caller"
[[user.task]]
name = "call"
steps = [{ xmlrpc = { method = "get_random_number", params = [0, 100] }, url = "/RPC2", expect = { json = { "" = { below = 101 } } } }]
"#;

/// Runs a program of many requests against the shop; both must have counted the same.
#[track_caller]
fn travel(program: Invocation) {
    let bundled = start();
    let host = bundled.url("");
    let program = program.and(["--cacert".as_ref(), bundled.certificate.as_os_str()]);
    let program = program.and(["-H", &host, "--only-summary"]);
    let (finished, saved) = run(program, "-u 20 -r 100 -i 20");
    finished.expect_code(0);
    assert_eq!((saved.failures(), saved.cut_off()), (0, 0), "{finished}");
    let served = bundled.target.stats().requests();
    assert!(served > 0 && saved.requests() == served, "{served} served\n{finished}");
    assert_eq!(handshakes(&saved).0, bundled.target.stats().handshakes_full, "{finished}");
}

#[test]
fn a_scenario_file_runs_over_tls() {
    let path = workspace_root().join("harness/examples/login_token.toml");
    travel(Invocation::new(["-f".as_ref(), path.as_os_str()]));
}

#[test]
fn a_test_in_rust_runs_over_tls() {
    travel(Invocation::of(example("login_token"), [""; 0]));
}

#[test]
fn the_target_on_the_command_line_serves_tls_and_says_how_to_load_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let certificate = folder.path().join("target.pem");
    let mut target =
        Invocation::words("target --port 0 --tls --tls-write-cert").and([&certificate]).start();
    let line = target.await_line();
    let url = line.strip_prefix("target listening on ").expect("it names its URL");
    assert!(url.starts_with("https://127.0.0.1:"), "{line}");
    let (finished, saved) = run(load(url, &certificate), "-n 100 -u 2");
    finished.expect_code(0);
    assert_eq!(saved.failures(), 0, "{finished}");
    target.signal(Signal::TERM);
    let ended = target.finish();
    ended.expect_code(0);
    let hint = format!("--cacert {} or with --insecure", certificate.display());
    assert!(ended.stderr.contains(&hint), "{ended}");
    for flags in ["--tls-cert missing.pem", "--tls-cert missing.pem --tls-key missing.pem"] {
        let refused = Invocation::words("target --port 0").and(flags.split_whitespace()).run();
        assert!(
            refused.expect_one_line().contains("--tls-key") || flags.contains("key"),
            "{refused}"
        );
    }
}
