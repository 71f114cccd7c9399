//! nginx over TLS, whose access log says of each request how it came.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use loadr_tests::certificates::{Certificates, Pair};
use loadr_tests::on_each_runtime;
use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;
use loadr_tests::server::{Server, free_address};

use super::{expect_failure, handshakes, load, run};

on_each_runtime!(
    requests_equal_the_access_log,
    versions_are_those_that_both_know,
    sessions_are_resumed_unless_told_otherwise,
    closes_in_a_pipeline_are_no_failures,
    names_are_sent_as_asked,
    protocols_are_offered_as_asked,
    client_certificates_are_shown,
    large_bodies_come_and_go_whole,
);

/// Bytes of `/large`.
const LARGE_BYTES: u64 = 5 << 20;
/// Requests that nginx serves on a connection below `/few/`.
const FEW: u64 = 7;

/// How a server of nginx's is set up.
#[derive(Clone, Copy)]
enum Setup {
    Usual,
    Only12,
    Only13,
    ClientCertificate,
}

impl Setup {
    /// Lines of the configuration.
    fn lines(self, authority: &Path) -> String {
        match self {
            Self::Usual => "ssl_protocols TLSv1.2 TLSv1.3;".to_owned(),
            Self::Only12 => "ssl_protocols TLSv1.2;".to_owned(),
            Self::Only13 => "ssl_protocols TLSv1.3;".to_owned(),
            Self::ClientCertificate => {
                format!("ssl_verify_client on;\n ssl_client_certificate {};", authority.display())
            }
        }
    }
}

struct Nginx {
    server: Server,
    certificates: Certificates,
    runtime: String,
}

/// A line of the access log.
#[derive(Debug)]
struct Logged {
    status: String,
    version: String,
    is_reused: bool,
    server_name: String,
    protocol: String,
    client: String,
    connection: String,
    request_bytes: u64,
}

impl Nginx {
    fn start(setup: Setup, runtime: &str) -> Self {
        let certificates = Certificates::new();
        let folder = certificates.folder();
        let address = free_address();
        let files = folder.join("files");
        fs::create_dir_all(files.join("few")).expect("a temporary folder");
        fs::write(files.join("small"), "small\n").expect("a temporary file");
        fs::write(files.join("few/small"), "small\n").expect("a temporary file");
        fs::write(files.join("large"), vec![b'x'; LARGE_BYTES as usize]).expect("a temporary file");
        let config = folder.join("nginx.conf");
        let lines = setup.lines(&certificates.authority());
        let text = configuration(folder, &address.to_string(), &certificates.good(), &lines);
        fs::write(&config, text).expect("a temporary file");
        let mut command = Command::new(program());
        command.arg("-c").arg(&config).arg("-p").arg(folder).arg("-e").arg("error.log");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server::start_listening(command, address);
        Self { server, certificates, runtime: runtime.to_owned() }
    }

    fn load(&self, host: &str, path: &str) -> Invocation {
        let url = format!("https://{host}:{}{path}", self.server.address.port());
        let to = self.server.address.to_string();
        load(&url, &self.certificates.authority()).and([
            "--runtime",
            &self.runtime,
            "--connect-to",
            &to,
        ])
    }

    /// Runs a load of `path` that is to end well.
    #[track_caller]
    fn run(&self, path: &str, line: &str) -> (Finished, Saved) {
        let (finished, saved) = run(self.load("127.0.0.1", path), line);
        finished.expect_code(0);
        assert_eq!(saved.failures(), 0, "{finished}");
        (finished, saved)
    }

    /// The lines of the access log, once there are `at_least`: a line is written after the response.
    fn log(&self, at_least: u64) -> Vec<Logged> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let log = fs::read_to_string(self.certificates.folder().join("access.log"));
            let lines: Vec<_> = log.unwrap_or_default().lines().map(Logged::read).collect();
            if lines.len() as u64 >= at_least || Instant::now() > deadline {
                return lines;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Full handshakes and resumed ones that requests came by, once there are `at_least` requests.
    fn handshakes(&self, at_least: u64) -> (u64, u64) {
        let log = self.log(at_least);
        let lines = log.iter().map(|line| (line.connection.as_str(), line.is_reused));
        let connections: BTreeMap<_, _> = lines.collect();
        let resumed = connections.values().filter(|&&is_reused| is_reused).count();
        ((connections.len() - resumed) as u64, resumed as u64)
    }
}

impl Logged {
    fn read(line: &str) -> Self {
        let fields: Vec<_> = line.split('|').map(str::to_owned).collect();
        let [status, version, reused, server_name, protocol, client, connection, request_bytes] =
            fields.try_into().expect("a line has the fields of the format");
        let is_reused = reused == "r";
        let request_bytes = request_bytes.parse().expect("a number");
        Self {
            status,
            version,
            is_reused,
            server_name,
            protocol,
            client,
            connection,
            request_bytes,
        }
    }
}

/// Outside of the search path of users other than root on Debian.
fn program() -> PathBuf {
    let beside = Path::new("/usr/sbin/nginx");
    if beside.is_file() { beside.to_owned() } else { PathBuf::from("nginx") }
}

/// One worker without a master, in the foreground; everything that it writes lies in `folder`.
fn configuration(folder: &Path, address: &str, pair: &Pair, lines: &str) -> String {
    let (folder, certificate) = (folder.display(), pair.certificate.display());
    let key = pair.key.display();
    format!(
        "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n\
           log_format spoken '$status|$ssl_protocol|$ssl_session_reused|$ssl_server_name|\
             $ssl_alpn_protocol|$ssl_client_s_dn|$connection|$request_length';\n\
           access_log {folder}/access.log spoken;\n\
           client_body_temp_path {folder}/body;\n proxy_temp_path {folder}/proxy;\n\
           fastcgi_temp_path {folder}/fastcgi;\n uwsgi_temp_path {folder}/uwsgi;\n scgi_temp_path {folder}/scgi;\n\
           default_type text/plain;\n keepalive_requests 1000000;\n client_max_body_size 0;\n\
           server {{\n\
             listen {address} ssl;\n root {folder}/files;\n\
             ssl_certificate {certificate};\n ssl_certificate_key {key};\n {lines}\n\
             location /few/ {{ keepalive_requests {FEW}; }}\n\
             location = /taken {{\n\
               proxy_pass http://unix:{folder}/sink:/;\n proxy_pass_request_body off;\n\
               proxy_set_header Content-Length '';\n\
             }}\n\
           }}\n\
           server {{ listen unix:{folder}/sink;\n access_log off;\n location / {{ return 204; }} }}\n\
         }}\n"
    )
}

fn requests_equal_the_access_log(runtime: &str) {
    let nginx = Nginx::start(Setup::Usual, runtime);
    let (finished, saved) = nginx.run("/small", "-n 3000 -u 8 --shards 2 --pipeline 2");
    let log = nginx.log(3000);
    assert_eq!((saved.requests(), log.len()), (3000, 3000), "{finished}");
    assert_eq!(saved["totals"]["body_bytes"], 3000 * 6);
    assert_eq!((saved.connections(), handshakes(&saved)), (8, (8, 0)), "{finished}");
    let is_usual = |line: &Logged| {
        line.status == "200"
            && line.version == "TLSv1.3"
            && line.protocol == "http/1.1"
            // An address is no name to send (RFC 6066, section 3).
            && line.server_name == "-"
            && line.client == "-"
    };
    assert!(log.iter().all(is_usual), "{:?}", log.iter().find(|line| !is_usual(line)));
}

fn versions_are_those_that_both_know(runtime: &str) {
    let prefix = "TLS handshake failed: the target and this program have no TLS version in common";
    for (setup, flags, version) in [
        (Setup::Only12, "", "TLSv1.2"),
        (Setup::Only13, "", "TLSv1.3"),
        (Setup::Usual, "--tls-version 1.2", "TLSv1.2"),
        (Setup::Usual, "--tls-version 1.3", "TLSv1.3"),
    ] {
        let nginx = Nginx::start(setup, runtime);
        nginx.run("/small", &format!("-n 20 -u 2 {flags}"));
        let log = nginx.log(20);
        assert!(log.len() == 20 && log.iter().all(|line| line.version == version), "{log:?}");
    }
    for (setup, version) in [(Setup::Only12, "1.3"), (Setup::Only13, "1.2")] {
        let nginx = Nginx::start(setup, runtime);
        let line = format!("-n 3 -u 1 --tls-version {version}");
        let (finished, saved) = run(nginx.load("127.0.0.1", "/small"), &line);
        let message = format!("{prefix}: only {version} was offered");
        expect_failure(&finished, &saved, "tls", &message);
        assert_eq!(handshakes(&saved), (0, 0), "{finished}");
        assert!(nginx.log(0).is_empty());
    }
}

fn sessions_are_resumed_unless_told_otherwise(runtime: &str) {
    for version in ["1.2", "1.3"] {
        // The last connection is used as well, so that the log knows of all.
        let connections = 10;
        let flags = format!("-n {} -u 1 --tls-version {version}", connections * FEW - 1);
        for (more, expected) in
            [("", (1, connections - 1)), ("--no-tls-resumption", (connections, 0))]
        {
            let nginx = Nginx::start(Setup::Usual, runtime);
            let (finished, saved) = nginx.run("/few/small", &format!("{flags} {more}"));
            assert_eq!(nginx.handshakes(connections * FEW - 1), expected, "{version}\n{finished}");
            assert_eq!(handshakes(&saved), expected, "{version}\n{finished}");
            assert_eq!(saved.connections(), connections, "{finished}");
        }
        // Each user has sessions of its own, and begins with none.
        let nginx = Nginx::start(Setup::Usual, runtime);
        let flags = format!("-n 700 -u 5 --shards 2 --tls-version {version}");
        let (finished, saved) = nginx.run("/few/small", &flags);
        assert_eq!((nginx.handshakes(700).0, handshakes(&saved).0), (5, 5), "{finished}");
    }
}

/// As without TLS: requests behind the last that nginx answers on a connection are sent again on the next.
fn closes_in_a_pipeline_are_no_failures(runtime: &str) {
    let nginx = Nginx::start(Setup::Usual, runtime);
    let (finished, saved) = nginx.run("/few/small", "-n 700 -u 4 --pipeline 4");
    assert_eq!((saved.requests(), nginx.log(700).len()), (700, 700), "{finished}");
}

fn names_are_sent_as_asked(runtime: &str) {
    for (host, flags, name) in [
        ("localhost", "", "localhost"),
        ("LocalHost", "", "localhost"),
        ("localhost", "--sni named.test", "named.test"),
        ("127.0.0.1", "--sni named.test", "named.test"),
        ("localhost", "--sni off", "-"),
    ] {
        let nginx = Nginx::start(Setup::Usual, runtime);
        let (finished, _) = run(nginx.load(host, "/small"), &format!("-n 10 -u 2 {flags}"));
        finished.expect_code(0);
        let log = nginx.log(10);
        assert!(log.iter().all(|line| line.server_name == name), "{host} {flags}: {log:?}");
    }
}

fn protocols_are_offered_as_asked(runtime: &str) {
    for (flags, protocol) in
        [("", "http/1.1"), ("--alpn off", "-"), ("--alpn nonsense,http/1.1", "http/1.1")]
    {
        let nginx = Nginx::start(Setup::Usual, runtime);
        nginx.run("/small", &format!("-n 10 -u 2 {flags}"));
        let log = nginx.log(10);
        assert!(log.iter().all(|line| line.protocol == protocol), "{flags}: {log:?}");
    }
    let nginx = Nginx::start(Setup::Usual, runtime);
    let (finished, saved) = run(nginx.load("127.0.0.1", "/small"), "-n 2 -u 1 --alpn nonsense");
    let message = "TLS handshake failed: the target ended it: it speaks none of the protocols offered (ALPN) \
                   (alert no_application_protocol)";
    expect_failure(&finished, &saved, "tls", message);
}

fn client_certificates_are_shown(runtime: &str) {
    let nginx = Nginx::start(Setup::ClientCertificate, runtime);
    let client = nginx.certificates.client();
    let identity = |pair: &Pair| {
        let (certificate, key) = (pair.certificate.as_os_str(), pair.key.as_os_str());
        nginx.load("127.0.0.1", "/small").and([
            "--cert".as_ref(),
            certificate,
            "--key".as_ref(),
            key,
        ])
    };
    let (finished, _) = run(identity(&client), "-n 20 -u 2");
    finished.expect_code(0);
    let log = nginx.log(20);
    let is_shown = |line: &Logged| line.client == "CN=a client" && line.status == "200";
    assert!(log.len() == 20 && log.iter().all(is_shown), "{log:?}");
    // nginx takes the handshake, and tells what it misses by a status.
    let (finished, saved) = run(nginx.load("127.0.0.1", "/small"), "-n 5 -u 1");
    finished.expect_code(1);
    saved.expect_only("status", "400");
    assert_eq!(saved.failures(), 5, "{finished}");
    let (finished, saved) = run(identity(&nginx.certificates.of_unknown_authority()), "-n 5 -u 1");
    finished.expect_code(1);
    saved.expect_only("status", "400");
}

fn large_bodies_come_and_go_whole(runtime: &str) {
    let nginx = Nginx::start(Setup::Usual, runtime);
    let (finished, saved) = nginx.run("/large", "-n 12 -u 3");
    assert_eq!(saved["totals"]["body_bytes"], 12 * LARGE_BYTES, "{finished}");
    let body = nginx.certificates.folder().join("files/large");
    let load = nginx.load("127.0.0.1", "/taken").and(["-X", "POST", "--body-file"]).and([body]);
    let (finished, saved) = run(load, "-n 12 -u 3");
    finished.expect_code(0);
    assert_eq!((saved.requests(), saved.failures()), (12, 0), "{finished}");
    let log = nginx.log(24);
    let taken = |line: &&Logged| line.status == "204" && line.request_bytes > LARGE_BYTES;
    assert_eq!(log.iter().filter(taken).count(), 12, "{log:?}");
}
