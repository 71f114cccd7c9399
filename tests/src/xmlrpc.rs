//! The XML-RPC server of Locust's old example, on Python's `xmlrpc.server`: `tests/data/xmlrpc_server.py`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use loadr_protocols::xmlrpc::{Limits, Value, decode_response, encode_call};

use crate::python::python;
use crate::workspace_root;

/// Longest that it may take to answer: far more than it needs.
const LIMIT: Duration = Duration::from_secs(30);

/// The server's process, on a free loopback port; it ends when this is dropped.
#[derive(Debug)]
pub struct XmlRpcServer {
    child: Child,
    url: String,
}

impl XmlRpcServer {
    /// Starts it, with calls that take up to `sleep_s` seconds, and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(sleep_s: f64) -> Self {
        let mut command = Command::new(python());
        command.arg(workspace_root().join("tests/data/xmlrpc_server.py"));
        command.args(["--port", "0", "--sleep", &sleep_s.to_string()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        read.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let url = line.trim_end().strip_prefix("Listening on ").map(str::to_owned);
        let url = url.unwrap_or_else(|| panic!("{command:?} does not listen: {line:?}"));
        Self { child, url }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The calls that it has seen, by method; asking is not counted.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let counts = self.call("counts", &[]).expect("the server answers");
        let Value::Struct(members) = counts else { panic!("{counts:?} is no table of counts") };
        let count = |value: Value| value.as_i64().and_then(|count| u64::try_from(count).ok());
        let members = members.into_iter();
        members.map(|(name, value)| (name, count(value).expect("a count"))).collect()
    }

    /// Calls a method over a connection of its own.
    fn call(&self, method: &str, params: &[Value]) -> std::io::Result<Value> {
        let mut body = Vec::new();
        encode_call(method, params, &mut body).expect("a call that can be sent");
        let address = self.url.trim_start_matches("http://").trim_end_matches('/');
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let fields = format!("Content-Type: text/xml\r\nContent-Length: {}", body.len());
        write!(stream, "POST / HTTP/1.0\r\n{fields}\r\n\r\n")?;
        stream.write_all(&body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let begins = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        let reply = decode_response(&answer[begins..], &Limits::default());
        Ok(reply.expect("an XML-RPC response").expect("no fault"))
    }
}

impl Drop for XmlRpcServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
