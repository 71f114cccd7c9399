//! nginx, whose access log has a line for each request that it answered.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use loadr_tests::on_each_runtime;
use loadr_tests::server::{Server, free_address};
use tempfile::TempDir;

use super::run;

on_each_runtime!(
    requests_equal_the_access_log,
    requests_by_time_equal_the_access_log_but_for_the_cut_off,
    large_bodies_come_whole,
    chunked_and_compressed_bodies_come_whole,
    closes_after_some_requests_are_no_failures,
    closes_in_a_pipeline_are_no_failures,
    responses_without_content_keep_the_connection,
);

/// Bytes of `/large`.
const LARGE_BYTES: u64 = 5 << 20;
/// Requests that nginx serves on a connection below `/few/`.
const FEW: u64 = 7;

struct Nginx {
    server: Server,
    folder: TempDir,
}

impl Nginx {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let address = free_address();
        let files = folder.path().join("files");
        fs::create_dir_all(files.join("few")).expect("a temporary folder");
        fs::write(files.join("small"), "small\n").expect("a temporary file");
        fs::write(files.join("few/small"), "small\n").expect("a temporary file");
        fs::write(files.join("large"), vec![b'x'; LARGE_BYTES as usize]).expect("a temporary file");
        fs::write(files.join("page.html"), "0123456789".repeat(5_000)).expect("a temporary file");
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(folder.path(), &address.to_string()))
            .expect("a temporary file");
        let mut command = Command::new(program());
        command.arg("-c").arg(&config).arg("-p").arg(folder.path()).arg("-e").arg("error.log");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { server: Server::start(command, address), folder }
    }

    /// Lines of the access log that name `path`, once there are `at_least`: a line is written after the response.
    #[track_caller]
    fn logged(&self, path: &str, at_least: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let count = self.count(path);
            if count >= at_least || Instant::now() > deadline {
                return count;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn count(&self, path: &str) -> u64 {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        log.lines().filter(|line| line.split(' ').nth(1) == Some(path)).count() as u64
    }
}

/// Outside of the search path of users other than root on Debian.
fn program() -> PathBuf {
    let beside = Path::new("/usr/sbin/nginx");
    if beside.is_file() { beside.to_owned() } else { PathBuf::from("nginx") }
}

/// One worker without a master, in the foreground; everything that it writes lies in `folder`.
fn configuration(folder: &Path, address: &str) -> String {
    let folder = folder.display();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n\
           log_format plain '$request_method $uri $status';\n\
           access_log {folder}/access.log plain;\n\
           client_body_temp_path {folder}/body;\n proxy_temp_path {folder}/proxy;\n\
           fastcgi_temp_path {folder}/fastcgi;\n uwsgi_temp_path {folder}/uwsgi;\n scgi_temp_path {folder}/scgi;\n\
           default_type text/html;\n keepalive_requests 1000000;\n\
           gzip on;\n gzip_min_length 1;\n\
           server {{\n\
             listen {address};\n root {folder}/files;\n\
             location /few/ {{ keepalive_requests {FEW}; }}\n\
             location = /none {{ return 204; }}\n\
             location = /ready {{ access_log off; return 200 ready; }}\n\
           }}\n\
         }}\n"
    )
}

fn requests_equal_the_access_log(runtime: &str) {
    let nginx = Nginx::start();
    let url = nginx.server.url("/small");
    let (finished, saved) = run(runtime, &url, "-n 5000 -u 16 --shards 2");
    assert_eq!((saved.requests(), saved.failures()), (5_000, 0), "{finished}");
    assert_eq!(nginx.logged("/small", 5_000), 5_000, "the access log\n{finished}");
    assert_eq!(saved["totals"]["body_bytes"], 5_000 * 6);
}

fn requests_by_time_equal_the_access_log_but_for_the_cut_off(runtime: &str) {
    let nginx = Nginx::start();
    let (finished, saved) = run(runtime, &nginx.server.url("/small"), "-t 1s -u 16");
    let (requests, cut_off) = (saved.requests(), saved.cut_off());
    let logged = nginx.logged("/small", requests);
    assert!(requests > 0 && cut_off <= 16, "{finished}");
    assert!((requests..=requests + cut_off).contains(&logged), "{logged} in the log\n{finished}");
}

fn large_bodies_come_whole(runtime: &str) {
    let nginx = Nginx::start();
    let (finished, saved) = run(runtime, &nginx.server.url("/large"), "-n 20 -u 4");
    assert_eq!(saved["totals"]["body_bytes"], 20 * LARGE_BYTES, "{finished}");
    assert_eq!(nginx.logged("/large", 20), 20);
}

/// nginx sends what it compresses in chunks, for it does not know the length.
fn chunked_and_compressed_bodies_come_whole(runtime: &str) {
    let nginx = Nginx::start();
    let url = nginx.server.url("/page.html");
    let invocation = loadr_tests::program::Invocation::new([&url, "--runtime", runtime]);
    let header = ["--header", "Accept-Encoding: gzip", "-n", "200", "-u", "4", "--pipeline", "2"];
    let (finished, saved) = invocation.and(header).run_saved();
    finished.expect_code(0);
    let (body, wire) = (&saved["totals"]["body_bytes"], &saved["totals"]["bytes_received"]);
    let (body, wire) = (body.as_u64().expect("a count"), wire.as_u64().expect("a count"));
    assert!(body > 0 && body < 200 * 50_000 / 10, "it is compressed: {body}\n{finished}");
    assert_eq!(body % 200, 0, "each body is as long as the next: {body}");
    assert!(wire > body, "heads and chunks come on top\n{finished}");
    assert_eq!(saved.connections(), 4, "chunks keep the connection\n{finished}");
    assert_eq!(nginx.logged("/page.html", 200), 200);
}

fn closes_after_some_requests_are_no_failures(runtime: &str) {
    let nginx = Nginx::start();
    let (finished, saved) = run(runtime, &nginx.server.url("/few/small"), "-n 700 -u 4");
    assert_eq!((saved.requests(), saved.failures()), (700, 0), "{finished}");
    assert!(saved.connections() >= 700 / FEW, "{finished}");
    assert_eq!(nginx.logged("/few/small", 700), 700, "the access log\n{finished}");
}

/// Requests behind the last that nginx answers on a connection are sent again on the next (RFC 9112, 9.3.2).
fn closes_in_a_pipeline_are_no_failures(runtime: &str) {
    let nginx = Nginx::start();
    let line = "-n 700 -u 4 --pipeline 4";
    let (finished, saved) = run(runtime, &nginx.server.url("/few/small"), line);
    assert_eq!((saved.requests(), saved.failures()), (700, 0), "{finished}");
    assert_eq!(nginx.logged("/few/small", 700), 700, "the access log\n{finished}");
}

fn responses_without_content_keep_the_connection(runtime: &str) {
    let nginx = Nginx::start();
    let (finished, saved) = run(runtime, &nginx.server.url("/none"), "-n 500 -u 4 --pipeline 4");
    assert_eq!((saved.requests(), saved.connections()), (500, 4), "{finished}");
    assert_eq!(nginx.logged("/none", 500), 500);
}
