//! The small real application of `tests/data/shop.py`: Flask under gunicorn, one process with threads.
//!
//! It counts the requests that it has seen, by method and route, so that a load generator's figures can be held against
//! them. `tools/test` installs what it needs.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::python::python;
use crate::workspace_root;

/// Time in which it has to answer for the first time, and to end: far more than it needs.
const LIMIT: Duration = Duration::from_secs(30);

/// The application, on a free loopback port; it ends when this is dropped.
#[derive(Debug)]
pub struct Shop {
    child: Child,
    address: SocketAddr,
}

/// What the application says that it has seen.
#[derive(Debug, PartialEq)]
pub struct Counts {
    /// Requests by method and route, such as `GET /products/<int:number>`.
    pub requests: BTreeMap<String, u64>,
    /// Logins by user.
    pub logins: BTreeMap<String, u64>,
}

impl Shop {
    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        // It was free a moment ago: gunicorn must be told one.
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let mut command = Command::new(python());
        command.args(["-m", "gunicorn", "--workers", "1", "--threads", "64"]);
        // A connection that waits for its user's next task is not closed under its hands.
        command.args(["--keep-alive", "120", "--log-level", "warning", "--no-control-socket"]);
        command.args(["--bind", &address.to_string(), "shop:app"]);
        command.current_dir(workspace_root().join("tests/data"));
        // No file of Python's beside the source.
        command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut shop = Self { child, address };
        let deadline = Instant::now() + LIMIT;
        while shop.ask("/counts").is_err() {
            let ended = shop.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            assert!(Instant::now() < deadline, "{command:?} does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        shop
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has seen so far; asking is not counted.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn counts(&self) -> Counts {
        let body = self.ask("/counts").expect("the shop answers");
        let document: Value = serde_json::from_str(&body).expect("the shop's counts are JSON");
        let table = |key: &str| {
            let table = document[key].as_object().expect("a table of counts");
            let count = |value: &Value| value.as_u64().expect("a count");
            table.iter().map(|(key, value)| (key.clone(), count(value))).collect()
        };
        Counts { requests: table("requests"), logins: table("logins") }
    }

    /// The body at `path`, over a connection of its own.
    fn ask(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.ok_or(std::io::ErrorKind::UnexpectedEof.into())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // gunicorn's master ends its worker; killed, it would leave it behind.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let deadline = Instant::now() + LIMIT;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
