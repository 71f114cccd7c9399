//! The servers of a scenario: alive through all its rounds, pinned to one CPU, one of them loaded at a time.

use std::fmt::{self, Display};
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thiserror::Error;

use crate::build::Binaries;
use crate::machine::first_line;
use crate::peers::Peer;
use crate::process::{POLL, cpu_time};

/// How long a server may take to accept its first connection.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// Keys that Redis is filled with, those that both its generators ask for.
pub const REDIS_KEYS: u64 = 1_000;
/// Bytes of the value of each.
pub const REDIS_VALUE_BYTES: usize = 3;

/// Kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// The bundled target.
    Target,
    /// nginx, in one process.
    Nginx,
    /// Redis, keeping nothing on disk.
    Redis,
}

/// Why there is nobody to put load on.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A server that others have made is not on this machine.
    #[error("{program} is missing: apt-get install {package}")]
    Missing {
        /// Name of the program.
        program: &'static str,
        /// Debian's package.
        package: &'static str,
    },
    /// The program is not executable.
    #[error("cannot start {kind}: {source}")]
    Start {
        /// Which server.
        kind: ServerKind,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before it served; what it had to say is on standard error.
    #[error("{kind} ended at once with {status}")]
    Ended {
        /// Which server.
        kind: ServerKind,
        /// How it ended.
        status: ExitStatus,
    },
    /// It never accepted.
    #[error("{kind} does not accept connections on {address} after {START_TIMEOUT:?}")]
    Silent {
        /// Which server.
        kind: ServerKind,
        /// Where it was told to listen.
        address: SocketAddr,
    },
    /// Redis took a key with other words than those for success.
    #[error("redis-server answered {answer:?} when it was filled")]
    Filling {
        /// The line that came.
        answer: String,
    },
    /// The certificate could not be made.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The system refused something that ought to work.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// What servers are started with.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The programs of this project.
    pub binaries: &'a Binaries,
    /// The folder that [`write_certificate`] has written to.
    pub files: &'a Path,
    /// Their CPU.
    pub cpu: usize,
}

/// A running server; killed when dropped, on a panic too.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    speaks_tls: bool,
    /// Its files, and its working folder.
    _folder: TempDir,
}

/// The servers of one scenario: the same kind without TLS and with it, as its generators need.
#[derive(Debug)]
pub struct Servers(Vec<Server>);

impl ServerKind {
    /// What it says of its version, where others have made it.
    pub fn version(self) -> Option<String> {
        match self {
            Self::Target => None,
            Self::Nginx => first_line(nginx_program().ok()?, "-v"),
            Self::Redis => first_line("redis-server", "--version"),
        }
    }
}

impl Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Target => "the target",
            Self::Nginx => "nginx",
            Self::Redis => "redis-server",
        })
    }
}

impl Servers {
    /// Starts what `peers` put load on.
    pub fn start(kind: ServerKind, peers: &[Peer], place: &Place<'_>) -> Result<Self, ServerError> {
        let wanted = |tls: &bool| peers.iter().any(|peer| peer.speaks_tls() == *tls);
        let servers = [false, true].into_iter().filter(wanted);
        servers.map(|tls| Server::start(kind, tls, place)).collect::<Result<_, _>>().map(Self)
    }

    /// The one that `peer` puts load on.
    pub fn of(&self, peer: Peer) -> &Server {
        let found = self.0.iter().find(|server| server.speaks_tls == peer.speaks_tls());
        found.expect("they were started for all generators of the scenario")
    }
}

impl Server {
    /// Starts a server on a free loopback port and waits until it accepts.
    pub fn start(
        kind: ServerKind,
        speaks_tls: bool,
        place: &Place<'_>,
    ) -> Result<Self, ServerError> {
        let (address, folder) = (free_address()?, tempfile::tempdir()?);
        let mut command = match kind {
            ServerKind::Target => target(address, speaks_tls, place),
            ServerKind::Nginx => nginx(address, speaks_tls, folder.path(), place)?,
            ServerKind::Redis => redis(address, folder.path(), place)?,
        };
        let started = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let child = started.map_err(|source| ServerError::Start { kind, source })?;
        let mut server = Self { child, address, speaks_tls, _folder: folder };
        server.await_start(kind)?;
        if kind == ServerKind::Redis {
            fill_redis(address)?;
        }
        Ok(server)
    }

    fn await_start(&mut self, kind: ServerKind) -> Result<(), ServerError> {
        let (address, deadline) = (self.address, Instant::now() + START_TIMEOUT);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(ServerError::Ended { kind, status });
            }
            if Instant::now() > deadline {
                return Err(ServerError::Silent { kind, address });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// CPU time that it has used so far.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        cpu_time(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only where the server is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a self-signed certificate (ECDSA on P-256) and its key, for all servers that speak TLS.
pub fn write_certificate(directory: &Path) -> Result<(), ServerError> {
    let names = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
    let made = rcgen::generate_simple_self_signed(names)?;
    fs::write(certificate_file(directory), made.cert.pem())?;
    Ok(fs::write(key_file(directory), made.signing_key.serialize_pem())?)
}

fn certificate_file(directory: &Path) -> PathBuf {
    directory.join("certificate.pem")
}

fn key_file(directory: &Path) -> PathBuf {
    directory.join("key.pem")
}

fn target(address: SocketAddr, speaks_tls: bool, place: &Place<'_>) -> Command {
    let mut command = Command::new(&place.binaries.target);
    command.args(["--port", &address.port().to_string()]);
    command.args(["--cpu", &place.cpu.to_string(), "--threads", "1"]);
    if speaks_tls {
        command.arg("--tls-cert").arg(certificate_file(place.files));
        command.arg("--tls-key").arg(key_file(place.files));
    }
    command
}

fn nginx(
    address: SocketAddr,
    speaks_tls: bool,
    folder: &Path,
    place: &Place<'_>,
) -> Result<Command, ServerError> {
    let file = folder.join("nginx.conf");
    fs::write(&file, nginx_settings(address, speaks_tls.then_some(place.files)))?;
    let mut command = pinned(&nginx_program()?, place.cpu);
    command.arg("-p").arg(folder).arg("-c").arg(file).args(["-e", "stderr"]);
    Ok(command)
}

/// One process, so that its CPU time is the worker's and that killing it leaves none behind.
fn nginx_settings(address: SocketAddr, certificates: Option<&Path>) -> String {
    let (tls, lines) = match certificates {
        Some(directory) => (
            " ssl",
            format!(
                "ssl_protocols TLSv1.3; ssl_certificate {}; ssl_certificate_key {};",
                certificate_file(directory).display(),
                key_file(directory).display()
            ),
        ),
        None => ("", String::new()),
    };
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi; default_type text/plain;
    server {{
        listen {address}{tls}; {lines}
        location / {{ return 200 \"Hello, World!\"; }}
    }}
}}
"
    )
}

/// nginx lies outside of the search path of most users.
fn nginx_program() -> Result<PathBuf, ServerError> {
    find_program("nginx").ok_or(ServerError::Missing { program: "nginx", package: "nginx-light" })
}

fn redis(address: SocketAddr, folder: &Path, place: &Place<'_>) -> Result<Command, ServerError> {
    let missing = ServerError::Missing { program: "redis-server", package: "redis" };
    let mut command = pinned(&find_program("redis-server").ok_or(missing)?, place.cpu);
    command.args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
    Ok(command)
}

/// Sets every key, in the form in which a person could type it.
fn fill_redis(address: SocketAddr) -> Result<(), ServerError> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START_TIMEOUT))?;
    let value = "x".repeat(REDIS_VALUE_BYTES);
    let commands: String =
        (0..REDIS_KEYS).map(|number| format!("SET key:{number:012} {value}\r\n")).collect();
    stream.write_all(commands.as_bytes())?;
    let mut answers = BufReader::new(stream).lines();
    for _ in 0..REDIS_KEYS {
        let answer = answers.next().transpose()?.unwrap_or_default();
        if answer != "+OK" {
            return Err(ServerError::Filling { answer });
        }
    }
    Ok(())
}

fn pinned(program: &Path, cpu: usize) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &cpu.to_string()]).arg(program);
    command
}

/// A program in the search path, or where programs of administrators are.
fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut folders = std::env::split_paths(&path).chain(administrators);
    folders.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}

/// Free when asked for; nobody else is expected to take it in between.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_the_search_path() {
        assert!(find_program("sh").unwrap().ends_with("sh"));
        assert_eq!(find_program("no-such-program"), None);
    }

    #[test]
    fn nginx_speaks_tls_where_it_has_a_certificate() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8443));
        let settings = nginx_settings(address, Some(Path::new("/c")));
        assert!(settings.contains("listen 127.0.0.1:8443 ssl; ssl_protocols TLSv1.3;"));
        assert!(settings.contains("ssl_certificate_key /c/key.pem;"), "{settings}");
        assert!(!nginx_settings(address, None).contains("ssl"));
    }
}
