//! A client that is as simple as it can be, and the ways to start a target.

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use loadr_target::{Target, TargetHandle, TargetOptions};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A target with one thread on a free port.
pub(crate) fn start() -> TargetHandle {
    Target::bind(TargetOptions::default()).unwrap().spawn().unwrap()
}

/// The head of a GET without body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n")
}

/// Checks again and again until `condition` holds.
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never came to be");
        std::thread::yield_now();
    }
}

/// An answer, its body unframed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The lines of chunked framing: sizes with extensions, trailers.
    pub(crate) framing: Vec<String>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let named = |line: &'h str| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    };
    head.lines().find_map(named)
}

/// A connection.
pub(crate) struct Client<S: Read = TcpStream> {
    stream: BufReader<S>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.stream.get_ref()
    }
}

impl<S: Read + Write + Debug> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn stream_mut(&mut self) -> &mut S {
        self.stream.get_mut()
    }

    /// Sends a GET and reads the answer.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(get(path));
        self.answer()
    }

    /// Reads the answer to anything but HEAD.
    pub(crate) fn answer(&mut self) -> Answer {
        let (status, head) = self.head();
        let (mut body, mut framing) = (Vec::new(), Vec::new());
        if field(&head, "Transfer-Encoding") == Some("chunked") {
            self.chunks(&mut body, &mut framing);
        } else if let Some(length) = field(&head, "Content-Length") {
            body.resize(length.parse().unwrap(), 0);
            self.stream.read_exact(&mut body).unwrap();
        } else if !matches!(status, 100..=199 | 204 | 304) {
            self.stream.read_to_end(&mut body).unwrap();
        }
        Answer { status, head, body, framing }
    }

    /// Reads a head: the status and all of it.
    pub(crate) fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.stream.read_line(&mut head).unwrap(), 0, "closed in a head: {head:?}");
        }
        let status = head.strip_prefix("HTTP/1.1 ").expect("a status line");
        (status[..3].parse().unwrap(), head)
    }

    fn chunks(&mut self, body: &mut Vec<u8>, framing: &mut Vec<String>) {
        loop {
            let line = self.line();
            let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
            framing.push(line);
            if size == 0 {
                break;
            }
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(&mut body[start..]).unwrap();
            assert_eq!(self.line(), "", "the end of a chunk");
        }
        framing.extend(std::iter::from_fn(|| Some(self.line()).filter(|line| !line.is_empty())));
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.strip_suffix("\r\n").expect("a whole line").to_owned()
    }

    /// Reads exactly this many bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Expects the server to close without sending anything more.
    pub(crate) fn expect_close(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

/// Lets this process have so many descriptors, if it may.
pub(crate) fn raise_descriptor_limit(wanted: u64) {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap();
    }
}

/// The target in a process of its own, killed when dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts it with at most this many descriptors, or with the limit that there is.
    pub(crate) fn start(descriptors_max: Option<u32>) -> Self {
        let limit = descriptors_max.map_or(String::new(), |max| format!("ulimit -n {max};"));
        let mut child = Command::new("sh")
            .args(["-c", &format!("{limit} exec \"$0\""), env!("CARGO_BIN_EXE_loadr-target")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").and_then(|url| url.strip_suffix('/'));
        let address = address.expect("its address, once it serves").parse().unwrap();
        Self { child, address }
    }

    /// The most memory it has had resident so far.
    pub(crate) fn resident_kib_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
