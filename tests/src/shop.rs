//! The small real application that journeys load, in two makes that answer alike and count alike.
//!
//! `tests/data/shop.py` is the model: Flask under gunicorn, one process with threads; `tools/test` installs what it
//! needs. The bundled target has the same pages. Each counts the requests that it has seen, by method and route, so that
//! a load generator's figures can be held against them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use loadr_target::TargetHandle;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::python::python;
use crate::{start_target, workspace_root};

/// Time in which it has to answer for the first time, and to end: far more than it needs.
const LIMIT: Duration = Duration::from_secs(30);

/// The application, on a free loopback port; it ends when this is dropped.
#[derive(Debug)]
pub enum Shop {
    /// The model.
    Flask(Flask),
    /// The one in the bundled target.
    Bundled(TargetHandle),
}

/// The model's process.
#[derive(Debug)]
pub struct Flask {
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
    /// Starts the model, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    pub fn flask() -> Self {
        Self::Flask(Flask::start())
    }

    /// Starts the bundled one.
    ///
    /// # Panics
    /// If it does not start.
    pub fn bundled() -> Self {
        Self::Bundled(start_target())
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// What it has seen so far; asking is not counted.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn counts(&self) -> Counts {
        let body = body(self.address(), "/counts").expect("the shop answers");
        let document: Value = serde_json::from_str(&body).expect("the shop's counts are JSON");
        let table = |key: &str| {
            let table = document[key].as_object().expect("a table of counts");
            let count = |value: &Value| value.as_u64().expect("a count");
            table.iter().map(|(key, value)| (key.clone(), count(value))).collect()
        };
        Counts { requests: table("requests"), logins: table("logins") }
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Flask(flask) => flask.address,
            Self::Bundled(target) => target.local_addr(),
        }
    }
}

impl Flask {
    fn start() -> Self {
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
        let mut flask = Self { child, address };
        let deadline = Instant::now() + LIMIT;
        while body(address, "/counts").is_err() {
            let ended = flask.child.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "{command:?} ended: {ended:?}");
            assert!(Instant::now() < deadline, "{command:?} does not answer");
            thread::sleep(Duration::from_millis(10));
        }
        flask
    }
}

/// The body at `path`, over a connection of its own.
fn body(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    body.ok_or(std::io::ErrorKind::UnexpectedEof.into())
}

impl Drop for Flask {
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
