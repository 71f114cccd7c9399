//! glommio, on io_uring.
//!
//! A glommio stream reads and writes through one object, so both halves share it; each borrows it only within a poll.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_lite::io::{AsyncRead, AsyncWrite};
use glommio::net::{TcpStream, UdpSocket, UnixStream};
use glommio::timer::Timer;
use glommio::{GlommioError, LocalExecutorBuilder, Placement};
use loadr_protocols::buffer::ReceiveBuffer;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use super::{
    Address, ReadIo, Runtime, RuntimeKind, SocketHandle, StartError, Transport, WriteIo,
    buffer_full, datagram, refuse_itself, uring,
};
use crate::limits;

/// Registered memory for direct I/O on files, in bytes; sockets use none, so it stays at the least.
const IO_MEMORY_BYTES: usize = 64 * 1024;
/// Entries of each of glommio's three rings.
const RING_DEPTH: usize = 1024;
/// What glommio asks of the locked-memory limit, in bytes (its own figure: 512 KiB an executor).
const LOCKED_BYTES: u64 = 512 * 1024;

/// Runs the future that `main` makes on this thread.
pub(crate) fn run<F: Future>(main: impl FnOnce(Runtime) -> F) -> Result<F::Output, StartError> {
    let refused = |reason| StartError { runtime: RuntimeKind::Glommio, reason };
    // glommio panics where it is refused a ring, so somebody else asks first.
    uring::check(LOCKED_BYTES).map_err(refused)?;
    // The shard has pinned its thread already.
    let built = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
        .make();
    let executor = built.map_err(|error| refused(explain_refusal(&error)))?;
    Ok(executor.run(main(Runtime::Glommio)))
}

fn explain_refusal(error: &GlommioError<()>) -> String {
    let text = error.to_string();
    let out_of_memory =
        matches!(error, GlommioError::IoError(inner) if inner.raw_os_error() == Some(libc::ENOMEM));
    // glommio looks at the limit itself and has no type for what it finds.
    if out_of_memory || text.contains("MemLockLimit") {
        return limits::explain_locked_memory(LOCKED_BYTES);
    }
    text
}

pub(crate) async fn connect(address: &Address) -> io::Result<Transport> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(*address).await.map_err(io::Error::from)?;
            refuse_itself(stream.local_addr().map_err(io::Error::from)?, *address)?;
            stream.set_nodelay(true).map_err(io::Error::from)?;
            let fd = stream.as_raw_fd();
            Ok(transport(Socket::Tcp(stream), fd))
        }
        Address::Unix(path) => {
            // glommio keeps the descriptor of its own connect to itself, and a deadline needs it.
            Ok(own(connect_unix(path)?))
        }
    }
}

/// Takes over a connected socket.
pub(crate) fn adopt(socket: std::os::unix::net::UnixStream) -> io::Result<Transport> {
    socket.set_nonblocking(true)?;
    Ok(own(socket.into()))
}

fn own(socket: OwnedFd) -> Transport {
    let fd = socket.into_raw_fd();
    // SAFETY: the descriptor was just given up by its only owner.
    transport(Socket::Unix(unsafe { UnixStream::from_raw_fd(fd) }), fd)
}

fn transport(socket: Socket, fd: RawFd) -> Transport {
    let shared = SharedSocket(Rc::new(RefCell::new(socket)));
    Transport {
        read: ReadIo::Glommio(shared.clone()),
        write: WriteIo::Glommio(shared),
        handle: SocketHandle::Descriptor(fd),
    }
}

/// Connects without waiting: to a Unix socket that is immediate, or `WouldBlock` where its backlog is full.
fn connect_unix(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

pub(crate) fn connect_datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let fd = datagram::connected(address)?.into_raw_fd();
    // SAFETY: the descriptor was just given up by its only owner.
    Ok(unsafe { UdpSocket::from_raw_fd(fd) })
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn poll_read(&mut self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, into),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, into),
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, from),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, from),
        }
    }
}

/// A connection that both halves hold.
#[derive(Clone)]
pub(crate) struct SharedSocket(Rc<RefCell<Socket>>);

impl SharedSocket {
    pub(crate) async fn read(&self, buffer: &mut ReceiveBuffer) -> io::Result<usize> {
        let spare = buffer.spare(1).map_err(buffer_full)?;
        let count = poll_fn(|context| self.0.borrow_mut().poll_read(context, spare)).await?;
        buffer.advance(count);
        Ok(count)
    }

    pub(crate) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = poll_fn(|context| self.0.borrow_mut().poll_write(context, bytes)).await?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[sent..];
        }
        Ok(())
    }
}

/// An alarm on glommio's timers, re-made whenever an earlier deadline arrives.
#[derive(Default)]
pub(crate) struct TimerAlarm {
    due: Cell<Option<Instant>>,
    changed: Cell<bool>,
    waiter: RefCell<Option<Waker>>,
}

impl TimerAlarm {
    pub(crate) fn arm(&self, delay_ns: u64) {
        self.due.set(Some(Instant::now() + Duration::from_nanos(delay_ns)));
        self.changed.set(true);
        if let Some(waiter) = self.waiter.borrow_mut().take() {
            waiter.wake();
        }
    }

    pub(crate) async fn ring(&self) {
        loop {
            self.changed.set(false);
            let Some(due) = self.due.get() else {
                self.changed().await;
                continue;
            };
            let delay = due.saturating_duration_since(Instant::now());
            if delay.is_zero() {
                self.due.set(None);
                return;
            }
            let timer = async {
                Timer::new(delay).await;
            };
            futures_lite::future::or(timer, self.changed()).await;
        }
    }

    async fn changed(&self) {
        poll_fn(|context| {
            if self.changed.get() {
                return Poll::Ready(());
            }
            *self.waiter.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
