//! Python's `http.server`, in HTTP/1.0, which closes after each response, and in HTTP/1.1, which does not.

use std::fs;
use std::process::{Command, Stdio};

use loadr_tests::on_each_runtime;
use loadr_tests::server::{Server, free_address};
use tempfile::TempDir;

use super::run;

on_each_runtime!(http_1_0_closes_each_time, http_1_1_keeps_the_connection);

/// Serves a folder with one file, and notes each request on standard error, which goes to a file.
fn start(protocol: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::write(folder.path().join("file"), "from python\n").expect("a temporary file");
    let log = fs::File::create(folder.path().join("log")).expect("a temporary file");
    let address = free_address();
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", &address.port().to_string(), "--bind", "127.0.0.1"]);
    command.args(["--protocol", protocol]).arg("--directory").arg(folder.path());
    command.stdout(Stdio::null()).stderr(log);
    (Server::start(command, address), folder)
}

fn logged(folder: &TempDir) -> usize {
    let log = fs::read_to_string(folder.path().join("log")).expect("the log");
    log.lines().filter(|line| line.contains("\"GET /file HTTP/1.1\" 200")).count()
}

fn http_1_0_closes_each_time(runtime: &str) {
    let (server, folder) = start("HTTP/1.0");
    let (finished, saved) = run(runtime, &server.url("/file"), "-n 200 -u 3");
    assert_eq!((saved.requests(), saved.failures()), (200, 0), "{finished}");
    assert_eq!(saved["totals"]["body_bytes"], 200 * 12);
    assert!(saved.connections() >= 200, "{finished}");
    assert_eq!(logged(&folder), 200, "{finished}");
}

fn http_1_1_keeps_the_connection(runtime: &str) {
    let (server, folder) = start("HTTP/1.1");
    let (finished, saved) = run(runtime, &server.url("/file"), "-n 200 -u 3 --pipeline 2");
    assert_eq!((saved.requests(), saved.failures()), (200, 0), "{finished}");
    assert_eq!(saved.connections(), 3, "{finished}");
    assert_eq!(logged(&folder), 200, "{finished}");
}
