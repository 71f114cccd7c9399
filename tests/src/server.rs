//! Server programs of others, as child processes on a free port.
//!
//! One that is not installed makes the tests fail: `tools/test` installs it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Time that a server has to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A server process; it is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it answers in HTTP.
    ///
    /// # Panics
    /// If it cannot be started, or ends, or does not answer.
    pub fn start(command: Command, address: SocketAddr) -> Self {
        Self::start_until(command, address, answers)
    }

    /// Starts a server and waits until it takes connections.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub fn start_listening(command: Command, address: SocketAddr) -> Self {
        Self::start_until(command, address, |address| TcpStream::connect(address).is_ok())
    }

    fn start_until(
        mut command: Command,
        address: SocketAddr,
        is_ready: fn(SocketAddr) -> bool,
    ) -> Self {
        let shown = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut server = Self { child, address };
        let deadline = Instant::now() + START_LIMIT;
        while !is_ready(address) {
            let ended = server.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{shown} ended: {ended:?}");
            assert!(Instant::now() < deadline, "{shown} does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// The URL of `path` over plain HTTP.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where the process has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for something that no test asks for, in a connection of its own.
fn answers(address: SocketAddr) -> bool {
    let answer = TcpStream::connect(address).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1."))
    });
    answer.unwrap_or(false)
}

/// A port that was free a moment ago; servers of others must be told one.
///
/// # Panics
/// If there is none.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}
