//! XML-RPC servers that answer with what is none: each a failure in words, and the user goes on.

use std::io::Write;
use std::time::Duration;

use loadr_tests::on_each_runtime;
use loadr_tests::program::Invocation;
use loadr_tests::scripted::ScriptedServer;

on_each_runtime!(whatever_is_no_response_is_said_to_be_none);

const GOOD: &str =
    "<methodResponse><params><param><value><i4>7</i4></value></param></params></methodResponse>";

/// A response, and what is said of it.
fn answers() -> Vec<(String, Option<(&'static str, &'static str)>)> {
    let answer = |status: &str, kind: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let xml = |body: &str| answer("200 OK", "text/xml", body);
    let malformed = |said| Some(("protocol", said));
    let deep = format!("<methodResponse><params><param>{}", "<value><array><data>".repeat(10_000));
    let entities: String = (1..20)
        .map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10)))
        .collect();
    let bomb =
        format!("<!DOCTYPE b [<!ENTITY a0 \"lol\">{entities}]>{}", GOOD.replace('7', "&a19;"));
    let huge = format!("<methodResponse>{}", " ".repeat(17 << 20));
    vec![
        (xml(GOOD), None),
        (
            xml(&GOOD[..60]),
            malformed("malformed XML-RPC response: the XML ends inside a tag, at byte 60"),
        ),
        (
            xml(&deep),
            malformed(
                "malformed XML-RPC response: more than 64 arrays and structs within each other, at byte 1318",
            ),
        ),
        (
            xml(&bomb),
            malformed(
                "malformed XML-RPC response: a document type or entity declaration, which is refused, at byte 0",
            ),
        ),
        (
            xml(&GOOD.replace('7', "2147483648")),
            malformed(
                "malformed XML-RPC response: \"2147483648\" is out of range for <i4>, at byte 42",
            ),
        ),
        (
            xml(&GOOD.replace('7', "&x;")),
            malformed("malformed XML-RPC response: unknown entity \"&x;\", at byte 42"),
        ),
        (xml(&huge), malformed("response body larger than 16777216 bytes")),
        (
            answer("200 OK", "text/html", GOOD),
            malformed("content type \"text/html\" instead of text/xml"),
        ),
        (answer("500 Oops", "text/xml", GOOD), Some(("status", "500 Internal Server Error"))),
        (xml(GOOD), None),
    ]
}

fn whatever_is_no_response_is_said_to_be_none(runtime: &str) {
    let responses: Vec<String> = answers().into_iter().map(|(response, _)| response).collect();
    let count = responses.len();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let server = ScriptedServer::start(move |mut connection| {
        while connection.request().is_some() {
            // The same call each time, so of the same length.
            connection.body(BODY_BYTES);
            let index = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if !connection.send(responses[index % count].as_bytes()) {
                return;
            }
        }
    });
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a temporary file");
    let step = "{ xmlrpc = { method = \"f\" }, expect = { json = { \"\" = 7 } } }";
    let class = "[[user]]\nname = \"A\"\n[[user.task]]\nname = \"t\"";
    writeln!(file, "{class}\nsteps = [{step}]").expect("a temporary file");
    let invocation = Invocation::new(["-f".as_ref(), file.path().as_os_str()]);
    let invocation = invocation.and(["-H", &server.url(), "--runtime", runtime, "--headless"]);
    let iterations = (2 * count).to_string();
    let invocation = invocation.and(["-u", "1", "-i", &iterations, "--only-summary"]);
    let (finished, saved) = invocation.within(Duration::from_secs(60)).run_saved();
    finished.expect_code(1);
    saved.expect_consistent();
    assert_eq!(saved.requests(), 2 * count as u64, "{finished}");
    let mut expected: Vec<(&str, &str, u64)> = answers()
        .into_iter()
        .filter_map(|(_, said)| said.map(|(kind, text)| (kind, text, 2)))
        .collect();
    expected.sort_unstable();
    let mut errors = saved.errors();
    errors.sort_unstable();
    assert_eq!(errors, expected, "{finished}");
    // Only what is too long to be read to its end costs a connection.
    assert_eq!(saved.connections(), 3, "{finished}");
}

/// Bytes of a call of `f` without parameters.
const BODY_BYTES: usize = "<?xml version=\"1.0\"?><methodCall><methodName>f</methodName><params>\
    </params></methodCall>"
    .len();
