//! The runtimes a shard can run on, behind one handle.
//!
//! `monoio` on io_uring is the default, its epoll driver the fallback, `glommio` the alternative, and `sim` drives the
//! same engine in virtual time for tests. A shard needs little of them: spawn a task, open a connection, move bytes
//! and ring an alarm. Each is dispatched by matching on an enum: a branch that predicts perfectly, where a trait object
//! would allocate a future per operation and a generic would leak into every user's code.

mod datagram;
pub(crate) mod glommio;
pub(crate) mod monoio;
pub mod sim;
mod uring;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::rc::Rc;
use std::str::FromStr;

use bytes::Bytes;
use loadr_protocols::buffer::ReceiveBuffer;
use rustix::net::{RecvFlags, SendFlags};

pub(crate) use datagram::{DatagramIo, Waiter};

/// Which runtime a shard runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuntimeKind {
    /// monoio on io_uring.
    Monoio,
    /// monoio on its epoll driver.
    MonoioEpoll,
    /// glommio, on io_uring.
    Glommio,
    /// The simulation: virtual time and in-memory links.
    Sim,
}

impl RuntimeKind {
    /// The kinds that run on a kernel, in order of preference.
    pub const NATIVE: [Self; 3] = [Self::Monoio, Self::MonoioEpoll, Self::Glommio];

    /// The name used on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Monoio => "monoio",
            Self::MonoioEpoll => "monoio-epoll",
            Self::Glommio => "glommio",
            Self::Sim => "sim",
        }
    }
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RuntimeKind {
    type Err = UnknownRuntime;

    fn from_str(name: &str) -> Result<Self, UnknownRuntime> {
        let known = Self::NATIVE.into_iter().find(|kind| kind.as_str() == name);
        known.ok_or_else(|| UnknownRuntime(name.to_owned()))
    }
}

/// A runtime's name that nobody knows.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown runtime '{0}': use monoio, monoio-epoll or glommio")]
pub struct UnknownRuntime(String);

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A TCP endpoint.
    Tcp(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why a runtime could not start on a shard's thread.
#[derive(Debug, thiserror::Error)]
#[error("{runtime} could not start: {reason}")]
pub struct StartError {
    /// The runtime asked for.
    pub runtime: RuntimeKind,
    /// What the kernel or the runtime said, with figures and what to try where they are known.
    pub reason: String,
}

/// A connection as a runtime hands it over.
pub(crate) struct Transport {
    pub(crate) read: ReadIo,
    pub(crate) write: WriteIo,
    pub(crate) handle: SocketHandle,
}

/// What it takes to shut a connection down from outside the task that uses it.
pub(crate) enum SocketHandle {
    Descriptor(RawFd),
    Sim(sim::SimSocket),
    /// Of a datagram socket, whose waits may simply be dropped: who waits is woken, and the socket lives on.
    Waiter(Rc<Waiter>),
}

impl SocketHandle {
    pub(crate) fn shut_down(&self) {
        match self {
            Self::Descriptor(fd) => {
                // SAFETY: a handle lives in the guard of a stream, whose halves keep the descriptor open and drop the
                // guard last.
                let socket = unsafe { BorrowedFd::borrow_raw(*fd) };
                // An error means that the peer was faster; the pending operation has completed then too.
                let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
            }
            Self::Sim(socket) => socket.shut_down(),
            Self::Waiter(waiter) => waiter.wake(),
        }
    }

    /// Sends what the socket takes at once, for last words whose arrival nobody waits for.
    pub(crate) fn send_now(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Descriptor(fd) => {
                // SAFETY: as in `shut_down`.
                let socket = unsafe { BorrowedFd::borrow_raw(*fd) };
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                // The far end may have gone first.
                let _ = rustix::net::send(socket, bytes, flags);
            }
            Self::Sim(socket) => socket.send_now(bytes),
            // Datagrams have no last words.
            Self::Waiter(_) => {}
        }
    }

    /// Whether a read would return at once: with bytes, with the end of the stream, or with an error.
    pub(crate) fn is_readable(&self) -> bool {
        match self {
            Self::Descriptor(fd) => {
                // SAFETY: as in `shut_down`.
                let socket = unsafe { BorrowedFd::borrow_raw(*fd) };
                let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
                let peeked = rustix::net::recv(socket, &mut [0_u8; 1], flags);
                !matches!(peeked, Err(rustix::io::Errno::AGAIN))
            }
            Self::Sim(socket) => socket.is_readable(),
            // Nobody asks: a datagram socket cannot go stale.
            Self::Waiter(_) => false,
        }
    }
}

/// A handle to the runtime of the current shard.
#[derive(Clone)]
pub(crate) enum Runtime {
    Monoio { uring: bool },
    Glommio,
    Sim(sim::Handle),
}

impl Runtime {
    /// Runs `task` on this shard, beside the others, to its end.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        match self {
            Self::Monoio { .. } => drop(::monoio::spawn(task)),
            Self::Glommio => drop(::glommio::spawn_local(task).detach()),
            Self::Sim(handle) => handle.spawn(task),
        }
    }

    /// An operation goes on in the kernel once it has been polled, whether or not anybody polls it again.
    pub(crate) fn completes_unwatched(&self) -> bool {
        matches!(self, Self::Monoio { uring: true })
    }

    pub(crate) async fn connect(&self, address: &Address) -> io::Result<Transport> {
        match self {
            Self::Monoio { .. } => monoio::connect(address).await,
            Self::Glommio => glommio::connect(address).await,
            Self::Sim(handle) => handle.connect(address).await,
        }
    }

    /// Takes over a connected socket of this process; a simulated world has none.
    pub(crate) fn adopt(&self, socket: UnixStream) -> io::Result<Transport> {
        match self {
            Self::Monoio { uring } => monoio::adopt(socket, *uring),
            Self::Glommio => glommio::adopt(socket),
            Self::Sim(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// A UDP socket that talks to `address` alone; nothing is sent yet.
    pub(crate) fn connect_datagrams(&self, address: SocketAddr) -> io::Result<DatagramIo> {
        match self {
            Self::Monoio { uring } => {
                let socket = monoio::connect_datagrams(address)?;
                Ok(DatagramIo::Monoio { socket, uring: *uring })
            }
            Self::Glommio => glommio::connect_datagrams(address).map(DatagramIo::Glommio),
            Self::Sim(handle) => Ok(DatagramIo::Sim(handle.connect_datagrams(address))),
        }
    }
}

/// The receiving side of a runtime's connection.
pub(crate) enum ReadIo {
    MonoioTcp(monoio::TcpRead),
    MonoioUnix(monoio::UnixRead),
    Glommio(glommio::SharedSocket),
    Sim(sim::SimSocket),
}

impl ReadIo {
    pub(crate) async fn read(&mut self, buffer: &mut ReceiveBuffer) -> io::Result<usize> {
        match self {
            Self::MonoioTcp(half) => monoio::read(half, buffer).await,
            Self::MonoioUnix(half) => monoio::read(half, buffer).await,
            Self::Glommio(socket) => socket.read(buffer).await,
            Self::Sim(socket) => socket.read(buffer).await,
        }
    }
}

/// The sending side of a runtime's connection.
pub(crate) enum WriteIo {
    MonoioTcp(monoio::TcpWrite),
    MonoioUnix(monoio::UnixWrite),
    Glommio(glommio::SharedSocket),
    Sim(sim::SimSocket),
}

impl WriteIo {
    pub(crate) async fn write_all(&mut self, bytes: Bytes) -> io::Result<()> {
        match self {
            Self::MonoioTcp(half) => monoio::write_all(half, bytes).await,
            Self::MonoioUnix(half) => monoio::write_all(half, bytes).await,
            Self::Glommio(socket) => socket.write_all(&bytes).await,
            Self::Sim(socket) => socket.write_all(bytes).await,
        }
    }
}

/// Wakes a shard's timer task at a moment with the clock's full resolution.
pub(crate) enum Alarm {
    Monoio(monoio::TimerFd),
    Glommio(glommio::TimerAlarm),
    Sim(sim::SimAlarm),
}

impl Alarm {
    /// Rings at `deadline_ns`, instead of whenever it was to ring before.
    pub(crate) fn arm(&self, deadline_ns: u64, now_ns: u64) {
        match self {
            Self::Monoio(alarm) => alarm.arm(deadline_ns.saturating_sub(now_ns)),
            Self::Glommio(alarm) => alarm.arm(deadline_ns.saturating_sub(now_ns)),
            Self::Sim(alarm) => alarm.arm(deadline_ns),
        }
    }

    /// Waits for the alarm.
    pub(crate) async fn ring(&self) {
        match self {
            Self::Monoio(alarm) => alarm.ring().await,
            Self::Glommio(alarm) => alarm.ring().await,
            Self::Sim(alarm) => alarm.ring().await,
        }
    }
}

/// Refuses a connection from an address to itself.
///
/// Linux can make one where nobody listens on a port of the ephemeral range: it may draw the very port it connects to
/// (simultaneous open, RFC 9293, 3.5). A user would then receive its own requests.
pub(crate) fn refuse_itself(local: SocketAddr, remote: SocketAddr) -> io::Result<()> {
    if local == remote { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(()) }
}

/// Turns an error of the buffer's bound into the I/O error that a read reports.
pub(crate) fn buffer_full(full: loadr_protocols::buffer::BufferFull) -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, full)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn an_idle_socket_is_readable_once_the_far_end_has_spoken_or_gone() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let handle = SocketHandle::Descriptor(here.as_raw_fd());
        assert!(!handle.is_readable());
        there.write_all(b"x").unwrap();
        assert!(handle.is_readable() && handle.is_readable(), "a look takes nothing");
        here.read_exact(&mut [0]).unwrap();
        assert!(!handle.is_readable());
        drop(there);
        assert!(handle.is_readable());
    }

    #[test]
    fn names_of_runtimes_read_back() {
        for kind in RuntimeKind::NATIVE {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("tokio".parse::<RuntimeKind>(), Err(UnknownRuntime("tokio".into())));
        assert!("sim".parse::<RuntimeKind>().is_err(), "the simulation is for tests");
    }
}
