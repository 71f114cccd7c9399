//! Connections that end as they should not, and those where one side does not speak TLS at all.

use std::time::Duration;

use loadr_target::{TargetOptions, TargetTls};
use loadr_tests::certificates::Certificates;
use loadr_tests::on_each_runtime;
use loadr_tests::program::Invocation;
use loadr_tests::scripted::{Connection, ScriptedServer};
use loadr_tests::{start_target, start_target_with};

use super::scripted::{Secure, answering};
use super::{expect_failure, load, run};

on_each_runtime!(
    a_cut_in_the_middle_is_told_from_an_end,
    plain_text_behind_https_is_told,
    handshakes_that_come_to_nothing_are_told,
);

/// What a server does after its answer.
type Ending = fn(&mut Secure);
/// What a server does that speaks no TLS, or next to none.
type Script = fn(Connection);

const TRUNCATED: &str =
    "connection closed by the target without TLS's close_notify: what came may be cut short";
/// A body that goes on to the end of the connection.
const UNTIL_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\n\r\npart";
const WITH_LENGTH: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart";
const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\npart";

fn a_cut_in_the_middle_is_told_from_an_end(runtime: &str) {
    let say_nothing: Ending = |_| {};
    let cases: [(&[u8], Ending, Option<&str>); 6] = [
        (UNTIL_CLOSE, say_nothing, Some(TRUNCATED)),
        (UNTIL_CLOSE, Secure::close_notify, None),
        (WITH_LENGTH, say_nothing, Some(TRUNCATED)),
        (
            WITH_LENGTH,
            Secure::close_notify,
            Some("connection closed inside a response body: 4 of 100 bytes received"),
        ),
        (WHOLE, say_nothing, None),
        (WHOLE, Secure::close_notify, None),
    ];
    for (answer, ending, message) in cases {
        let (certificates, server) = answering(answer, ending);
        let url = format!("https://{}/", server.address());
        let load = load(&url, &certificates.authority()).and(["--runtime", runtime]);
        let (finished, saved) = run(load, "-n 3 -u 1");
        match message {
            Some(message) => expect_failure(&finished, &saved, "closed", message),
            None => {
                finished.expect_code(0);
                assert_eq!((saved.requests(), saved.failures()), (3, 0), "{finished}");
                assert_eq!(saved["totals"]["body_bytes"], 3 * 4, "{finished}");
            }
        }
    }
}

fn plain_text_behind_https_is_told(runtime: &str) {
    let target = start_target();
    let url = format!("https://{}/", target.local_addr());
    let load = Invocation::new([&url, "--only-summary", "--insecure", "--runtime", runtime]);
    let (finished, saved) = run(load, "-n 3 -u 1");
    let message = "the target does not speak TLS on this port: what it sent is no TLS record";
    expect_failure(&finished, &saved, "tls", message);
    assert!(!finished.stdout.contains("without a look"), "no handshake was made\n{finished}");
}

#[test]
fn https_behind_http_is_told() {
    let options =
        TargetOptions { tls: Some(TargetTls::self_signed().unwrap()), ..TargetOptions::default() };
    let target = start_target_with(options);
    let url = format!("http://{}/", target.local_addr());
    let (finished, saved) = run(Invocation::new([&url, "--only-summary"]), "-n 3 -u 1");
    finished.expect_code(1);
    saved.expect_only("protocol", "it seems to speak TLS on this port, so try https://");
}

fn handshakes_that_come_to_nothing_are_told(runtime: &str) {
    let cases: [(Script, &str, &str); 4] = [
        (
            |mut connection| connection.finish_sending(),
            "tls",
            "connection closed by the target in the TLS handshake",
        ),
        (
            |mut connection| connection.await_close(),
            "connect-timeout",
            "TLS handshake not done within 300ms",
        ),
        (
            |mut connection| {
                connection.send(b"SSH-2.0-OpenSSH_9.2\r\n");
                connection.await_close();
            },
            "tls",
            "the target does not speak TLS on this port: what it sent is no TLS record",
        ),
        (
            // An alert as a record of its own: fatal, unrecognized_name.
            |mut connection| {
                connection.send(&[21, 3, 3, 0, 2, 2, 112]);
                connection.await_close();
            },
            "tls",
            "TLS handshake failed: the target ended it: it serves no such name (SNI) (alert unrecognised_name)",
        ),
    ];
    for (script, kind, message) in cases {
        let server = ScriptedServer::start(script);
        let url = format!("https://{}/", server.address());
        let load = Invocation::new([&url, "--only-summary", "-k", "--runtime", runtime]);
        let load = load.and(["--connect-timeout", "300ms"]).within(Duration::from_secs(30));
        let (finished, saved) = run(load, "-n 2 -u 1");
        expect_failure(&finished, &saved, kind, message);
    }
}

#[test]
fn what_is_no_record_in_the_middle_is_told() {
    let certificates = Certificates::new();
    let server = super::scripted::start(&certificates.good(), |secure| {
        secure.await_request();
        secure.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        secure.send_bare(b"plain text, and long enough to be taken for a record");
    });
    let url = format!("https://{}/", server.address());
    let (finished, saved) = run(load(&url, &certificates.authority()), "-n 2 -u 1");
    finished.expect_code(1);
    saved.expect_only("tls", "TLS failed: ");
}
