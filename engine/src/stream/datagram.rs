//! Datagrams both ways with one far end, with deadlines.
//!
//! Unlike a stream, a socket outlives its deadlines and whatever is dropped in its middle: a datagram that never comes is
//! no fault of the socket. An answer that comes after its deadline is still there for the next receive; who cannot tell
//! answers apart opens another socket, whose port the late one does not reach.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::guard::{Cut, Guard, Guards};
use crate::client::{cut_off, timed_out};
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::runtime::{DatagramIo, SocketHandle, Waiter};
use crate::user::Context;

/// Longest datagram that is received whole unless told otherwise, in bytes: more than any usual path carries in one
/// packet.
const DATAGRAM_BYTES_MAX: usize = 2 * 1024;

/// How often a wait looks for a refusal where the runtime would not tell.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A UDP socket that talks to one address; see [`Context::udp`].
///
/// An operation may be dropped at any await: the socket stays good. A datagram is then either not received yet, or was
/// sent whole or not at all.
pub struct UdpSocket {
    io: DatagramIo,
    context: Context,
    buffer: Box<[u8]>,
    /// The last look found a datagram, and nothing was sent since: there may be more.
    expects_more: bool,
    waiter: Rc<Waiter>,
    guard: Rc<Guard>,
}

impl UdpSocket {
    pub(crate) fn new(io: DatagramIo, guards: &Rc<Guards>, context: Context) -> Self {
        let waiter = Rc::<Waiter>::default();
        let guard = guards.watch(SocketHandle::Waiter(Rc::clone(&waiter)));
        let buffer = vec![0; DATAGRAM_BYTES_MAX].into();
        Self { io, context, buffer, expects_more: false, waiter, guard }
    }

    /// Receives datagrams of up to `bytes` whole; a longer one is a failure.
    pub fn with_datagram_bytes_max(mut self, bytes: usize) -> Self {
        self.buffer = vec![0; bytes.max(1)].into();
        self
    }

    /// Sends one datagram.
    ///
    /// # Errors
    /// It is too long for one, the network is down, or the far machine has said that nobody listens, of an earlier one.
    pub async fn send(&mut self, datagram: &[u8]) -> Result<(), Failure> {
        self.begin(None);
        self.expects_more = false;
        match self.io.try_send(datagram) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(failure(&error)),
            Ok(()) => return Ok(()),
        }
        match self.unless_cut(self.io.send_later(datagram)).await {
            Ok(sent) => sent.map_err(|error| failure(&error)),
            Err(cut) => Err(self.cut_failure(cut, Duration::ZERO)),
        }
    }

    /// Waits for the next datagram, for as long as the run goes on.
    ///
    /// # Errors
    /// The far machine says that nobody listens there, the datagram is longer than there is room for, or the run ended.
    pub async fn recv(&mut self) -> Result<&[u8], Failure> {
        self.begin(None);
        let length = self.next(Duration::ZERO).await?;
        Ok(&self.buffer[..length])
    }

    /// As [`Self::recv`], giving up after `timeout`.
    ///
    /// # Errors
    /// As [`Self::recv`], or nothing came in time.
    pub async fn recv_within(&mut self, timeout: Duration) -> Result<&[u8], Failure> {
        let deadline_ns = self.context.now_ns().saturating_add(nanos(timeout));
        self.begin(Some(deadline_ns));
        let length = self.next(timeout).await?;
        Ok(&self.buffer[..length])
    }

    /// Sets the deadline of an operation, and forgets that of an earlier one which may have passed unnoticed.
    fn begin(&self, deadline_ns: Option<u64>) {
        self.guard.set_deadline(deadline_ns);
        if self.guard.cut.get() == Some(Cut::Deadline) {
            self.guard.cut.set(None);
        }
    }

    async fn next(&mut self, timeout: Duration) -> Result<usize, Failure> {
        // An answer is hardly there when the question has just been sent: do not ask in vain.
        let mut look = self.expects_more;
        let mut cut = None;
        loop {
            if !look {
                match self.unless_cut(self.readable()).await {
                    Ok(waited) => waited.map_err(|error| failure(&error))?,
                    Err(why) => cut = Some(why),
                }
            }
            // Where the time is up something may have come all the same.
            match (self.io.try_recv(&mut self.buffer), cut) {
                (Err(error), None) if error.kind() == io::ErrorKind::WouldBlock => look = false,
                (Err(error), Some(cut)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(self.cut_failure(cut, timeout));
                }
                (Err(error), _) => return Err(failure(&error)),
                (Ok(length), _) => {
                    self.expects_more = true;
                    return self.whole(length);
                }
            }
        }
    }

    /// Waits until a look may be worth it.
    async fn readable(&self) -> io::Result<()> {
        if !self.io.misses_errors() {
            return self.io.readable().await;
        }
        let interval = async {
            self.context.sleep(LOOK_INTERVAL).await;
            Ok(())
        };
        futures_lite::future::or(self.io.readable(), interval).await
    }

    fn whole(&self, length: usize) -> Result<usize, Failure> {
        match self.buffer.len() {
            room if length > room => {
                let message = format!("datagram of {length} bytes where {room} have room");
                Err(Failure::new(FailureKind::Protocol, message))
            }
            _ => Ok(length),
        }
    }

    /// Waits for `operation`, which may be dropped, until the deadline or the end of the run.
    async fn unless_cut<T>(&self, operation: impl Future<Output = T>) -> Result<T, Cut> {
        let mut operation = pin!(operation);
        poll_fn(|task| {
            if let Some(cut) = self.guard.cut.get() {
                return Poll::Ready(Err(cut));
            }
            self.waiter.wait(task);
            operation.as_mut().poll(task).map(Ok)
        })
        .await
    }

    #[cold]
    fn cut_failure(&self, cut: Cut, timeout: Duration) -> Failure {
        match cut {
            Cut::Deadline => timed_out(timeout),
            Cut::RunEnded | Cut::Dropped => cut_off(),
        }
    }
}

/// Puts an error of a datagram socket into words.
#[cold]
fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            let message = "nobody listens: datagram refused by the target's machine";
            Failure::new(FailureKind::ConnectRefused, message)
        }
        _ if error.raw_os_error() == Some(libc::EMSGSIZE) => {
            Failure::new(FailureKind::Other, "request too long for one datagram")
        }
        _ => Failure::new(FailureKind::Other, format!("datagram failed: {error}")),
    }
}
