//! Flags that are accepted, and what they do to the requests and the run.

use std::sync::{Arc, Mutex};

use loadr_tests::program::Invocation;
use loadr_tests::scripted::{GOOD, ScriptedServer};
use loadr_tests::{start_target, url};

/// Runs one request against a server that notes it, with `line` before the URL; `{}` in `line` is the server's address.
#[track_caller]
fn request_of(arguments: &[&str]) -> String {
    let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let server = ScriptedServer::start(move |mut connection| {
        while let Some(head) = connection.request() {
            noted.lock().expect("no panic holds it").extend(head);
            connection.send(GOOD);
        }
    });
    let address = server.address().to_string();
    let port = server.address().port().to_string();
    let arguments =
        arguments.iter().map(|a| a.replace("{address}", &address).replace("{port}", &port));
    let finished = Invocation::new(arguments).and(["-n", "1"]).run();
    finished.expect_code(0);
    let seen = seen.lock().expect("no panic holds it");
    String::from_utf8(seen.clone()).expect("requests are text here")
}

#[test]
fn a_plain_request_says_who_asks_whom() {
    let request = request_of(&["http://{address}/a/b?q=1&r=%20#top"]);
    assert!(request.starts_with("GET /a/b?q=1&r=%20 HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
    assert!(request.contains("\r\nUser-Agent: loadr-bench/"), "{request}");
}

#[test]
fn a_scheme_may_be_left_out() {
    assert!(request_of(&["{address}"]).starts_with("GET / HTTP/1.1\r\n"));
    assert!(request_of(&["localhost:{port}/x"]).contains("Host: localhost:"));
}

#[test]
fn method_headers_and_body_are_sent() {
    let request = request_of(&[
        "http://{address}/",
        "-X",
        "PUT",
        "-H",
        "X-One: 1",
        "--header",
        "x-two:2",
        "-H",
        "User-Agent: other",
        "--body",
        "hello",
    ]);
    assert!(request.starts_with("PUT / HTTP/1.1\r\n"), "{request}");
    for line in ["X-One: 1", "x-two: 2", "User-Agent: other", "Content-Length: 5"] {
        assert!(request.contains(&format!("\r\n{line}\r\n")), "'{line}' is not in {request}");
    }
    assert!(!request.contains("loadr-bench"), "the given User-Agent takes the place of ours");
}

#[test]
fn userinfo_becomes_basic_authorization() {
    let request = request_of(&["http://Aladdin:open%20sesame@{address}/"]);
    assert!(request.contains("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
    assert!(!request.contains("Aladdin"), "{request}");
}

#[test]
fn connect_to_changes_where_and_not_what() {
    let request = request_of(&["http://shop.invalid:81/x", "--connect-to", "{address}"]);
    assert!(request.contains("\r\nHost: shop.invalid:81\r\n"), "{request}");
}

#[test]
fn a_host_goes_before_paths() {
    let request = request_of(&["/list?page=1", "--host", "http://{address}/api/"]);
    assert!(request.starts_with("GET /api/list?page=1 HTTP/1.1\r\n"), "{request}");
}

#[test]
fn no_keepalive_asks_for_the_close() {
    assert!(request_of(&["http://{address}/", "--no-keepalive"]).contains("Connection: close\r\n"));
}

#[test]
fn urls_come_from_a_file_too() {
    let target = start_target();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("urls");
    let lines = format!("# a comment\n\n  {}  \n{}\n", url(&target, "/a"), url(&target, "/b"));
    std::fs::write(&file, lines).expect("a temporary file");
    let arguments = ["--urls".as_ref(), file.as_os_str(), "-n".as_ref(), "30".as_ref()];
    let expect = ["-u", "3", "--expect-status", "200,404"];
    let (finished, saved) =
        Invocation::new(arguments).and(expect).and([url(&target, "/")]).run_saved();
    finished.expect_code(0);
    assert_eq!(saved.requests(), 30);
    assert_eq!(saved["entries"].as_array().map(Vec::len), Some(3), "{}", saved["entries"]);
}

#[test]
fn locusts_old_spellings_do_what_they_meant() {
    let target = start_target();
    let line = "-c 3 --no-web --hatch-rate=1000 -num-request=100";
    let (finished, saved) = Invocation::words(line).and([url(&target, "/")]).run_saved();
    finished.expect_code(0);
    assert_eq!(saved.requests(), 100, "-num-request=100 means 100 requests\n{finished}");
    assert_eq!(saved["plan"]["users"], 3);
    for notice in [
        "-c is now --users",
        "--no-web is now --headless",
        "--hatch-rate is now --spawn-rate",
        "-num-request is now --requests",
    ] {
        let lines = finished.stderr.lines().filter(|line| line.contains(notice));
        assert_eq!(lines.count(), 1, "'{notice}'\n{finished}");
    }
    for line in ["--clients 2 --num-requests 50", "--clients=2 --num-request=50"] {
        let (finished, saved) = Invocation::words(line).and([url(&target, "/")]).run_saved();
        finished.expect_code(0);
        assert_eq!((saved.requests(), &saved["plan"]["users"]), (50, &2.into()));
    }
}

#[test]
fn every_other_flag_is_taken() {
    let target = start_target();
    let line = "--headless --seed 7 -L WARNING --max-names 5 --timeout 5s --connect-timeout 1s -d 1s \
                --stop-timeout 1s --spawn-rate 100 --users 2 --cpus 0 --shards 1";
    let (finished, saved) = Invocation::words(line).and([url(&target, "/")]).run_saved();
    finished.expect_code(0);
    assert_eq!(saved["plan"]["seed"], 7);
    assert_eq!(saved["plan"]["run_time_s"], 1.0);
    assert!(!finished.stderr.contains("INFO"), "-L WARNING leaves them out\n{finished}");
}

#[test]
fn times_are_spelt_as_in_locust() {
    let target = start_target();
    for (typed, seconds) in [("90", 90.0), ("30s", 30.0), ("1h30m", 5_400.0), ("500ms", 0.5)] {
        let arguments = ["-t", typed, "-n", "1", &url(&target, "/")];
        let (finished, saved) = Invocation::new(arguments).run_saved();
        finished.expect_code(0);
        assert_eq!(saved["plan"]["run_time_s"], seconds, "{typed}");
    }
}
