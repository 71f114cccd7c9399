//! Real programs of others: nginx and Python's `http.server`, whose own logs say what was asked of them, and Locust,
//! whose dispatcher ours is compared with; and Python's `xmlrpc.client`, which reads what ours writes.
//!
//! Each server is a child process on a free port with its files in a temporary folder. One that is not installed makes
//! the tests fail: `tools/test` installs it.

#![forbid(unsafe_code)]

mod dispatch;
mod nginx;
mod python;
mod xmlrpc;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;

/// A server process; it is killed when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it answers.
    fn start(mut command: Command, address: SocketAddr) -> Self {
        let shown = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut server = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !server.answers() {
            let ended = server.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{shown} ended: {ended:?}");
            assert!(Instant::now() < deadline, "{shown} does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// Asks for something that no test asks for, in a connection of its own.
    fn answers(&self) -> bool {
        let answer = TcpStream::connect(self.address).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer.starts_with(b"HTTP/1."))
        });
        match answer {
            Ok(answered) => answered,
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => false,
            Err(_) => false,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago; servers of others must be told one.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

#[track_caller]
fn run(runtime: &str, url: &str, line: &str) -> (Finished, Saved) {
    let invocation = Invocation::new([url, "--runtime", runtime, "--only-summary"]);
    let (finished, saved) = invocation.and(line.split_whitespace()).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    (finished, saved)
}
