//! A server that misbehaves as a test says: each connection runs a script on a thread of its own.
//!
//! It counts connections and requests, so that a test can ask what a target really saw.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};

/// A good response, for scripts that behave at times.
pub const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Longest that a script waits for a byte: far longer than any test runs.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// One accepted connection, as its script sees it.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Number of this connection, from 0.
    pub index: u64,
    requests: Arc<AtomicU64>,
}

impl Connection {
    /// Waits for the head of a request and takes it; `None` once the peer has closed.
    pub fn request(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.unread.split_off(end + 4);
                self.requests.fetch_add(1, Ordering::SeqCst);
                return Some(std::mem::replace(&mut self.unread, rest));
            }
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(count @ 1..) => self.unread.extend_from_slice(&piece[..count]),
                _ => return None,
            }
        }
    }

    /// Sends bytes; a peer that is gone takes none.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Waits for `count` bytes of content and takes them; fewer where the peer closes first.
    pub fn body(&mut self, count: usize) -> Vec<u8> {
        let mut piece = [0; 4096];
        while self.unread.len() < count {
            match self.stream.read(&mut piece) {
                Ok(received @ 1..) => self.unread.extend_from_slice(&piece[..received]),
                _ => break,
            }
        }
        let rest = self.unread.split_off(count.min(self.unread.len()));
        std::mem::replace(&mut self.unread, rest)
    }

    /// Ends the sending side, and goes on receiving.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Waits until the peer closes, answering nothing.
    pub fn await_close(&mut self) {
        let mut piece = [0; 4096];
        while let Ok(1..) = self.stream.read(&mut piece) {}
    }

    /// Sends `bytes` one at a time with `pause` before each, until the peer closes.
    pub fn drip(&mut self, bytes: &[u8], pause: Duration) {
        let _ = self.stream.set_read_timeout(Some(pause));
        for byte in bytes {
            // The pause ends early where the peer closes.
            if matches!(self.stream.read(&mut [0]), Ok(0)) || !self.send(&[*byte]) {
                return;
            }
        }
    }

    /// Reads nothing until the peer or the server has gone.
    pub fn ignore(self) {
        let mut polled = [PollFd::new(&self.stream, PollFlags::RDHUP)];
        // It fails only for a signal, and then the connection ends early.
        let _ = poll(&mut polled, None);
    }

    /// Answers every request with [`GOOD`] until the peer closes.
    pub fn behave(&mut self) {
        while self.request().is_some() && self.send(GOOD) {}
    }

    /// The connection itself, for scripts that speak something else on it.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Closes with a reset instead of an orderly end.
    pub fn reset(self) {
        // Lingering for no time makes the kernel throw away what is queued, and send RST.
        let _ = set_socket_linger(&self.stream, Some(Duration::ZERO));
    }
}

type Script = dyn Fn(Connection) + Send + Sync;

/// A server on a loopback port; it ends, with its connections, when it is dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    /// Second descriptors of the connections, to end scripts that still wait.
    open: Arc<Mutex<HashMap<u64, TcpStream>>>,
    acceptor: Option<JoinHandle<()>>,
}

impl ScriptedServer {
    /// Serves a free port with `script`.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn start(script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), script)
    }

    /// Serves `address` with `script`.
    ///
    /// # Panics
    /// If it cannot listen.
    pub fn start_on(
        address: SocketAddr,
        script: impl Fn(Connection) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("the scripted server listens");
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut server = Self {
            address,
            connections: Arc::default(),
            requests: Arc::default(),
            stop: Arc::default(),
            open: Arc::default(),
            acceptor: None,
        };
        let (connections, requests) =
            (Arc::clone(&server.connections), Arc::clone(&server.requests));
        let (stop, open) = (Arc::clone(&server.stop), Arc::clone(&server.open));
        let script: Arc<Script> = Arc::new(script);
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let index = connections.fetch_add(1, Ordering::SeqCst);
                let Ok(twin) = prepare(&stream) else { continue };
                open.lock().expect("no script holds this lock").insert(index, twin);
                let connection = Connection {
                    stream,
                    unread: Vec::new(),
                    index,
                    requests: Arc::clone(&requests),
                };
                let (script, open) = (Arc::clone(&script), Arc::clone(&open));
                thread::spawn(move || {
                    script(connection);
                    // The connection is closed with its last descriptor.
                    open.lock().expect("no script holds this lock").remove(&index);
                });
            }
        });
        server.acceptor = Some(acceptor);
        server
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its root.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// Requests that scripts have taken so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }
}

fn prepare(stream: &TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(READ_TIMEOUT))?;
    stream.try_clone()
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which looks at the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        for (_, stream) in self.open.lock().expect("no script holds this lock").drain() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// A loopback port on which nobody listens, and which nobody else is given while this lives.
///
/// A server may still be started on it, again and again.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    _bound: OwnedFd,
}

impl ReservedPort {
    /// Reserves a free one.
    ///
    /// # Panics
    /// If no port can be had.
    pub fn new() -> Self {
        let bound = tcp_socket();
        bind(&bound, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        Self { address: address_of(&bound), _bound: bound }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its root.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Default for ReservedPort {
    fn default() -> Self {
        Self::new()
    }
}

/// A listener whose backlog is full, so that the kernel answers no further attempt to connect.
#[derive(Debug)]
pub struct FullBacklog {
    address: SocketAddr,
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl FullBacklog {
    /// Fills one.
    ///
    /// # Panics
    /// If it cannot be filled.
    pub fn new() -> Self {
        const ATTEMPTS: usize = 64;
        let listener = tcp_socket();
        bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        listen(&listener, 0).expect("a bound socket listens");
        let address = address_of(&listener);
        let attempts = (0..ATTEMPTS)
            .map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok());
        let waiting: Vec<TcpStream> = attempts.collect();
        assert!(waiting.len() < ATTEMPTS, "a backlog of none took {ATTEMPTS} connections");
        Self { address, _listener: listener, _waiting: waiting }
    }

    /// The URL of its root.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Default for FullBacklog {
    fn default() -> Self {
        Self::new()
    }
}

fn tcp_socket() -> OwnedFd {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None);
    let socket = socket.expect("a socket");
    set_socket_reuseaddr(&socket, true).expect("an option that every socket has");
    socket
}

fn address_of(socket: &OwnedFd) -> SocketAddr {
    let name = getsockname(socket).expect("a bound socket has a name");
    name.try_into().expect("an internet socket has an internet address")
}
