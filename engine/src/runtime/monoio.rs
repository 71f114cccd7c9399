//! monoio, on io_uring or on its epoll driver.
//!
//! monoio's own timers tick in whole milliseconds, so its time driver stays off and a `timerfd` serves as the alarm.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use bytes::Bytes;
use loadr_protocols::buffer::ReceiveBuffer;
use monoio::buf::IoBufMut;
use monoio::io::{
    AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt, OwnedReadHalf, OwnedWriteHalf, Splitable,
};
use monoio::net::udp::UdpSocket;
use monoio::net::{TcpStream, UnixStream};
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::{
    Address, ReadIo, Runtime, RuntimeKind, SocketHandle, StartError, Transport, WriteIo,
    buffer_full, datagram, refuse_itself, uring,
};
use crate::clock::NANOS_PER_SECOND;

pub(crate) type TcpRead = OwnedReadHalf<TcpStream>;
pub(crate) type TcpWrite = OwnedWriteHalf<TcpStream>;
pub(crate) type UnixRead = OwnedReadHalf<UnixStream>;
pub(crate) type UnixWrite = OwnedWriteHalf<UnixStream>;

/// Submission entries of a shard's ring; thousands of users submit in one turn of the loop.
const RING_ENTRIES: u32 = 4096;

/// Runs the future that `main` makes on this thread, on io_uring.
pub(crate) fn run_uring<F: Future>(
    main: impl FnOnce(Runtime) -> F,
) -> Result<F::Output, StartError> {
    let mut runtime = build_uring().map_err(|error| StartError {
        runtime: RuntimeKind::Monoio,
        reason: uring::explain_refusal(&error, ring_bytes()),
    })?;
    Ok(runtime.block_on(main(Runtime::Monoio { uring: true })))
}

/// Runs the future that `main` makes on this thread, on epoll.
pub(crate) fn run_epoll<F: Future>(
    main: impl FnOnce(Runtime) -> F,
) -> Result<F::Output, StartError> {
    let built = RuntimeBuilder::<LegacyDriver>::new().build();
    let mut runtime = built.map_err(|error| StartError {
        runtime: RuntimeKind::MonoioEpoll,
        reason: error.to_string(),
    })?;
    Ok(runtime.block_on(main(Runtime::Monoio { uring: false })))
}

fn build_uring() -> io::Result<monoio::Runtime<IoUringDriver>> {
    let mut ring = io_uring::IoUring::builder();
    // One thread owns the ring and reaps completions when it waits for them: no interrupts of the running task.
    ring.setup_single_issuer().setup_defer_taskrun();
    let tuned = RuntimeBuilder::<IoUringDriver>::new()
        .with_entries(RING_ENTRIES)
        .uring_builder(ring)
        .build();
    match tuned {
        // Kernels before 6.1 know neither flag.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            RuntimeBuilder::<IoUringDriver>::new().with_entries(RING_ENTRIES).build()
        }
        built => built,
    }
}

/// The bytes of locked memory that a ring's queues take where the kernel counts them against the limit: entries of both
/// queues (twice as many completions), the submission array, and the queues' heads.
fn ring_bytes() -> u64 {
    const SUBMISSION_BYTES: u64 = 64 + 4;
    const COMPLETION_BYTES: u64 = 16;
    const HEAD_BYTES: u64 = 2 * 4096;
    u64::from(RING_ENTRIES) * (SUBMISSION_BYTES + 2 * COMPLETION_BYTES) + HEAD_BYTES
}

pub(crate) async fn connect(address: &Address) -> io::Result<Transport> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_addr(*address).await?;
            refuse_itself(stream.local_addr()?, *address)?;
            stream.set_nodelay(true)?;
            let handle = SocketHandle::Descriptor(stream.as_raw_fd());
            let (read, write) = stream.into_split();
            Ok(Transport {
                read: ReadIo::MonoioTcp(read),
                write: WriteIo::MonoioTcp(write),
                handle,
            })
        }
        Address::Unix(path) => Ok(unix(UnixStream::connect(path).await?)),
    }
}

/// Takes over a connected socket.
pub(crate) fn adopt(socket: std::os::unix::net::UnixStream, uring: bool) -> io::Result<Transport> {
    // The ring waits by itself, and gives up at once on a socket that is not to block.
    socket.set_nonblocking(!uring)?;
    Ok(unix(UnixStream::from_std(socket)?))
}

fn unix(stream: UnixStream) -> Transport {
    let handle = SocketHandle::Descriptor(stream.as_raw_fd());
    let (read, write) = stream.into_split();
    Transport { read: ReadIo::MonoioUnix(read), write: WriteIo::MonoioUnix(write), handle }
}

pub(crate) fn connect_datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::from_std(datagram::connected(address)?.into())
}

#[inline]
pub(crate) async fn read<T: AsyncReadRent>(
    half: &mut OwnedReadHalf<T>,
    buffer: &mut ReceiveBuffer,
) -> io::Result<usize> {
    let (storage, offset) = buffer.take_storage(1).map_err(buffer_full)?;
    let lent = Lent(buffer);
    let (received, storage) = half.read(storage.slice_mut(offset..)).await;
    let count = *received.as_ref().unwrap_or(&0);
    lent.0.restore_storage(storage.into_inner(), count);
    std::mem::forget(lent);
    received
}

/// A buffer whose memory the driver has. Where the read is dropped in its middle, the memory stays with the driver until
/// the kernel lets go of it, and the buffer is left empty instead of without the bytes that it counts.
struct Lent<'b>(&'b mut ReceiveBuffer);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

#[inline]
pub(crate) async fn write_all<T: AsyncWriteRent>(
    half: &mut OwnedWriteHalf<T>,
    bytes: Bytes,
) -> io::Result<()> {
    half.write_all(bytes).await.0.map(drop)
}

/// An alarm on a `timerfd`, which both drivers can poll.
pub(crate) struct TimerFd {
    timer: OwnedFd,
    /// The same timer as something that monoio can wait for; it never reads or writes through it.
    pollable: TcpStream,
}

impl TimerFd {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let twin = std::net::TcpStream::from(timer.try_clone()?);
        Ok(Self { timer, pollable: TcpStream::from_std(twin)? })
    }

    pub(crate) fn arm(&self, delay_ns: u64) {
        // A zero would disarm it.
        let delay_ns = delay_ns.max(1);
        let it_value = Timespec {
            tv_sec: (delay_ns / NANOS_PER_SECOND).cast_signed(),
            tv_nsec: (delay_ns % NANOS_PER_SECOND).cast_signed(),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(
            &self.timer,
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval, it_value },
        )
        .expect("a timerfd takes any time that is not negative");
    }

    pub(crate) async fn ring(&self) {
        loop {
            // `false`: ask the kernel each time, because nobody tells monoio when the timer is read.
            let ready = self.pollable.readable(false).await;
            let mut expirations = [0u8; 8];
            match rustix::io::read(&self.timer, &mut expirations) {
                Ok(_) => return,
                Err(_) if ready.is_ok() => continue,
                Err(error) => panic!("a shard's timer cannot be waited for: {error}"),
            }
        }
    }
}
