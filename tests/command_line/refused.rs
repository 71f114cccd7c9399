//! Bad input: exit code 2 and one clear line, told before any connection is made.

use loadr_tests::program::Invocation;
use loadr_tests::scripted::ScriptedServer;

/// Refused with one line that contains each of `parts`.
#[track_caller]
fn expect_refusal<'a>(arguments: impl IntoIterator<Item = &'a str>, parts: &[&str]) {
    let finished = Invocation::new(arguments).run();
    let line = finished.expect_one_line();
    for part in parts {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
}

/// The words of `line` before a URL that would do.
#[track_caller]
fn expect_refusal_of(line: &str, parts: &[&str]) {
    expect_refusal(line.split_whitespace().chain(["http://127.0.0.1:9/"]), parts);
}

#[test]
fn an_unknown_flag_suggests_the_nearest() {
    expect_refusal_of("--runtme monoio", &["--runtme", "--runtime"]);
    expect_refusal_of("--uesrs 5", &["--uesrs", "--users"]);
    expect_refusal_of("--spwan-rate 5", &["--spwan-rate", "--spawn-rate"]);
    expect_refusal_of("--run 5s", &["--run", "--run-time or --runtime"]);
    expect_refusal_of("--head", &["--header or --headless"]);
    expect_refusal_of("--quite-unlike-any", &["--quite-unlike-any"]);
}

#[test]
fn zero_and_negative_numbers_are_refused() {
    for flag in
        ["-u", "-n", "--pipeline", "--requests-per-connection", "--shards", "--max-names", "-r"]
    {
        for value in ["0", "-1", "five"] {
            expect_refusal_of(&format!("{flag} {value}"), &[value]);
        }
    }
    expect_refusal_of("-r nan", &["nan"]);
    expect_refusal_of("--pipeline 100000", &["100000"]);
    expect_refusal_of("--seed -1", &["-1"]);
}

#[test]
fn misspelt_times_are_refused_with_the_right_spelling() {
    for flag in ["-t", "-d", "--run-time", "--duration", "-s", "--warm-up", "--timeout"] {
        for value in ["5x", "ten", "1m1h", "5 s", "1.5s", "s"] {
            expect_refusal([flag, value, "http://127.0.0.1:9/"], &[value]);
        }
    }
    expect_refusal_of("-t 5sec", &["5sec", "30s", "1h30m"]);
    expect_refusal_of("-t 0", &["-t", "0"]);
    expect_refusal_of("--timeout 0", &["--timeout"]);
}

#[test]
fn urls_that_cannot_be_loaded_are_refused() {
    expect_refusal(["ftp://127.0.0.1/"], &["ftp://", "not supported", "https://"]);
    expect_refusal(["ftp://127.0.0.1/"], &["ftp://", "not supported"]);
    expect_refusal(["http://127.0.0.1:99999/"], &["127.0.0.1:99999"]);
    expect_refusal(["http://"], &["http://"]);
    expect_refusal(["http://[::1/"], &["http://[::1/"]);
    expect_refusal(["/path"], &["/path", "--host"]);
    expect_refusal(["http://no-such-host.invalid/"], &["no-such-host.invalid", "does not resolve"]);
    expect_refusal(["http://h/", "--connect-to", "nowhere"], &["nowhere", "HOST:PORT"]);
    expect_refusal(["http://h/", "--connect-to", "no-such-host.invalid:80"], &["does not resolve"]);
}

#[test]
fn no_url_at_all_is_refused() {
    expect_refusal(["-u", "5"], &["URL"]);
}

#[test]
fn what_makes_no_request_is_refused() {
    expect_refusal_of("--header NoColon", &["NoColon", "Name: value"]);
    expect_refusal(["-H", "Bad Name: x", "http://127.0.0.1:9/"], &["Bad Name"]);
    expect_refusal(["-H", "X: a\r\nY: b", "http://127.0.0.1:9/"], &["X"]);
    expect_refusal(["-X", "GE T", "http://127.0.0.1:9/"], &["GE T"]);
    expect_refusal_of("--no-keepalive --pipeline 4", &["--no-keepalive", "--pipeline"]);
    expect_refusal_of("--no-keepalive --requests-per-connection 4", &["--no-keepalive"]);
    expect_refusal_of("--body x --body-file y", &["--body"]);
    expect_refusal_of("--expect-status 20", &["20"]);
    expect_refusal_of("--expect-status ok", &["ok"]);
    expect_refusal_of("--host http://127.0.0.1:8/", &["--host"]);
}

#[test]
fn placement_that_cannot_be_is_refused() {
    expect_refusal_of("--cpus 4095", &["4095"]);
    expect_refusal_of("--cpus 0-x", &["0-x"]);
    expect_refusal_of("--cpus 0 --shards 2", &["2 shards", "1 CPU"]);
    expect_refusal_of("--runtime tokio", &["tokio", "monoio"]);
    expect_refusal_of("-L loud", &["loud"]);
}

#[test]
fn flags_that_do_not_go_together_are_refused() {
    expect_refusal_of("--csv-full-history", &["--csv-full-history", "--csv PREFIX"]);
    expect_refusal_of("--autoquit 5", &["--autoquit", "--autostart"]);
    expect_refusal_of("--exit-code-on-error 256", &["256"]);
    expect_refusal_of("-H http://127.0.0.1:8", &["http://127.0.0.1:8", "host", "header"]);
    expect_refusal_of("--tags=a", &["--tags", "-f"]);
    expect_refusal_of("-i 5", &["--iterations", "-f"]);
}

#[test]
fn locusts_flags_that_are_not_here_are_known() {
    expect_refusal_of("--master", &["--master", "distributed mode is not in this version"]);
    expect_refusal_of("--worker", &["--worker", "distributed mode is not in this version"]);
    expect_refusal_of("--slave", &["--slave", "renamed --worker"]);
    expect_refusal_of("--step-users 5", &["--step-users", "shape"]);
    let server = ScriptedServer::start(|mut connection| connection.behave());
    let line = "-P 8089 --html x.html --web-login --processes -1 -n 1";
    let finished = Invocation::words(line).and([server.url()]).run();
    finished.expect_code(0);
    for notice in ["--web-port, --web-login: the web UI is not", "--html: the HTML report is not"] {
        assert!(finished.stderr.contains(notice), "{finished}");
    }
}

/// A run would be lost with such a path; nothing may have been sent when it is told.
#[test]
fn paths_are_tried_before_any_connection_is_made() {
    let server = ScriptedServer::start(|mut connection| connection.behave());
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("file");
    std::fs::write(&file, "").expect("a temporary file");
    // Not even root can write these.
    let below_a_file = format!("{}/below", file.display());
    let missing = format!("{}/missing", directory.path().display());
    let no_directory = format!("{missing}/run.json");
    let empty = file.display().to_string();
    let url = server.url();
    let cases = [
        (["--save", below_a_file.as_str()], below_a_file.as_str()),
        (["--save", no_directory.as_str()], no_directory.as_str()),
        (["--save", directory.path().to_str().expect("a plain path")], "directory"),
        (["--csv", below_a_file.as_str()], below_a_file.as_str()),
        (["--json-file", below_a_file.as_str()], below_a_file.as_str()),
        (["--logfile", below_a_file.as_str()], below_a_file.as_str()),
        (["--config", missing.as_str()], missing.as_str()),
        (["--urls", missing.as_str()], missing.as_str()),
        (["--urls", empty.as_str()], "holds no URL"),
        (["--body-file", missing.as_str()], missing.as_str()),
    ];
    for (arguments, part) in cases {
        expect_refusal(arguments.into_iter().chain(["-n", "5", url.as_str()]), &[part]);
    }
    assert_eq!(server.connections(), 0, "nothing was sent");
}

/// The canary: the assertion above is worth something only if it can fail.
#[test]
#[should_panic(expected = "exit code")]
fn a_run_is_no_refusal() {
    let server = ScriptedServer::start(|mut connection| connection.behave());
    expect_refusal(["-n", "1", &server.url()], &[]);
}
