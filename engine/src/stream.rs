//! The one stream type of users: bytes both ways, whatever the runtime, with deadlines.
//!
//! A [`Stream`] is a pair of independent halves. A read lends bytes from a growable buffer that the engine owns, so
//! that an idle connection holds little and a completion-based kernel interface can own the memory while it reads. The
//! runtimes are dispatched by a branch, not by a box and not by a generic, so that a task is written once and compiles
//! once. [TLS](crate::tls) is a layer inside, behind the same two halves.
//!
//! **Deadlines.** A read that is merely dropped can lose bytes on io_uring, so a deadline never drops one: when it
//! passes, the socket is shut down, the kernel completes whatever was in flight, and the operation reports the cut.
//! The end of a run uses the same way out, and so does whoever drops an operation in its middle all the same: the
//! stream is cut off and of no more use, but the kernel lets go of what it was lent.

mod datagram;
mod guard;
mod tls_reader;

pub use datagram::UdpSocket;
pub(crate) use guard::{GuardSlot, Guards, StreamDeadline};

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use loadr_protocols::buffer::ReceiveBuffer;
use rustls::pki_types::ServerName;

use crate::runtime::{ReadIo, Transport, WriteIo};
use crate::tls::TlsClient;
use crate::tls::session::{self as tls, Step, TlsSession};
use guard::{Guard, Midway};
use tls_reader::TlsReader;

/// First size of a connection's receive buffer, in bytes; it holds a usual response whole.
const BUFFER_BYTES_INITIAL: usize = 2 * 1024;
/// Largest piece read at once, in bytes; long bodies grow the buffer up to here.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// A connected byte stream.
pub struct Stream {
    read: ReadHalf,
    write: WriteHalf,
}

/// The receiving half of a [`Stream`].
///
/// The guard comes last in both halves: fields drop in order, so it never outlives the socket that it would shut down.
pub struct ReadHalf {
    io: ReadIo,
    buffer: ReceiveBuffer,
    /// Boxed, so that a plain stream is no larger for it.
    tls: Option<Box<TlsReader>>,
    guard: Rc<Guard>,
}

/// The sending half of a [`Stream`].
pub struct WriteHalf {
    io: WriteIo,
    tls: Option<tls::Shared>,
    guard: Rc<Guard>,
    completes_unwatched: bool,
}

impl Stream {
    pub(crate) fn new(
        transport: Transport,
        guards: &Rc<Guards>,
        completes_unwatched: bool,
    ) -> Self {
        let guard = guards.watch(transport.handle);
        let buffer = ReceiveBuffer::with_capacity(BUFFER_BYTES_INITIAL, BUFFER_BYTES_MAX);
        let read = ReadHalf { io: transport.read, buffer, tls: None, guard: Rc::clone(&guard) };
        let write = WriteHalf { io: transport.write, tls: None, guard, completes_unwatched };
        Self { read, write }
    }

    /// Makes the stream an encrypted one: a handshake as `client` towards a target that calls itself `name`. It offers
    /// `protocols` for inside of it (RFC 7301), or else those of the client's settings.
    ///
    /// # Errors
    /// As [`ReadHalf::fill`], a [`TlsError`](crate::tls::TlsError) among them.
    pub async fn secure(
        &mut self,
        client: &TlsClient,
        name: ServerName<'static>,
        protocols: Option<Vec<Vec<u8>>>,
    ) -> io::Result<Handshake> {
        let session = TlsSession::new(client, name, protocols)?;
        let cipher = ReceiveBuffer::with_capacity(BUFFER_BYTES_INITIAL, BUFFER_BYTES_MAX);
        let mut reader = Box::new(TlsReader::new(Rc::clone(&session), cipher));
        loop {
            let received = {
                let (cipher, plain) = (&mut reader.cipher, &mut self.read.buffer);
                session.borrow_mut().receive(cipher, plain)
            };
            let outgoing = session.borrow_mut().take_outgoing();
            if received.is_err() {
                self.read.guard.handle.send_now(&outgoing);
            } else if !outgoing.is_empty() {
                self.write.write_all(outgoing).await?;
            }
            if received? == Step::Ready {
                break;
            }
            let midway = Midway(&self.read.guard);
            let count = self.read.io.read(&mut reader.cipher).await;
            midway.end();
            if self.read.guard.uncut(count)? == 0 {
                return Err(session.borrow().end_of_input().into());
            }
        }
        let handshake = {
            let session = session.borrow();
            Handshake { resumed: session.is_resumed(), alpn: session.alpn().map(<[u8]>::to_vec) }
        };
        self.read.tls = Some(reader);
        self.write.tls = Some(session);
        Ok(handshake)
    }

    /// Sets or clears the moment, in nanoseconds since the run's origin, at which the stream is cut off.
    pub fn set_deadline(&self, deadline_ns: Option<u64>) {
        self.read.set_deadline(deadline_ns);
    }

    /// The two halves, which can be used at the same time.
    pub fn into_split(self) -> (ReadHalf, WriteHalf) {
        (self.read, self.write)
    }
}

impl ReadHalf {
    /// Receives more bytes into the buffer; returns how many, 0 at the end of the stream.
    ///
    /// # Errors
    /// `TimedOut` when the deadline passed, `ConnectionAborted` when the run ended, `OutOfMemory` when the buffer is at
    /// its bound and nobody consumed, a [`TlsError`](crate::tls::TlsError) where the stream is encrypted, otherwise what
    /// the kernel said.
    pub async fn fill(&mut self) -> io::Result<usize> {
        if let Some(tls) = &mut self.tls
            && let Some(count) = tls.received_before(&mut self.buffer)?
        {
            return Ok(count);
        }
        loop {
            let into = match &mut self.tls {
                None => &mut self.buffer,
                Some(tls) => &mut tls.cipher,
            };
            let midway = Midway(&self.guard);
            let received = self.io.read(into).await;
            midway.end();
            let received = self.guard.uncut(received)?;
            let Some(tls) = &mut self.tls else { return Ok(received) };
            if let Some(count) = tls.decrypt(received, &mut self.buffer, &self.guard.handle)? {
                return Ok(count);
            }
        }
    }

    /// Whether an idle stream has ended or has bytes to read, which a look at the socket tells.
    pub(crate) fn is_stale(&self) -> bool {
        self.guard.cut.get().is_some() || self.guard.handle.is_readable()
    }

    /// The bytes received and not yet consumed.
    pub fn buffer(&mut self) -> &mut ReceiveBuffer {
        &mut self.buffer
    }

    /// Shuts the connection down in both directions; pending operations of either half end.
    pub fn shut_down(&self) {
        self.guard.handle.shut_down();
    }

    /// Sets or clears the moment, in nanoseconds since the run's origin, at which the stream is cut off.
    #[inline]
    pub fn set_deadline(&self, deadline_ns: Option<u64>) {
        self.guard.set_deadline(deadline_ns);
    }

    /// A handle to the deadline, for whoever has not this half; it does not keep the stream.
    pub(crate) fn deadline(&self) -> StreamDeadline {
        StreamDeadline(Rc::downgrade(&self.guard))
    }
}

impl WriteHalf {
    /// Whether [`Self::write_all`] completes in the kernel once it has been polled, so that nobody needs to be woken for
    /// it: true on io_uring, for as long as the socket's buffer has room for all of it.
    pub fn completes_unwatched(&self) -> bool {
        self.completes_unwatched
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// As [`ReadHalf::fill`].
    pub async fn write_all(&mut self, bytes: Bytes) -> io::Result<()> {
        let midway = Midway(&self.guard);
        let sent = match &self.tls {
            None => self.io.write_all(bytes).await,
            Some(session) => {
                let mut sent = Ok(());
                let mut rest = bytes;
                while sent.is_ok() && !rest.is_empty() {
                    let piece = rest.split_to(rest.len().min(tls::PIECE_BYTES));
                    let records = session.borrow_mut().encrypt(&piece);
                    sent = match records {
                        Ok(records) => self.io.write_all(records).await,
                        Err(error) => Err(error.into()),
                    };
                }
                sent
            }
        };
        midway.end();
        self.guard.uncut(sent)
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        // Whoever goes says so, for a target would else not know whether it got everything; nobody waits for it.
        if let Some(session) = &self.tls
            && self.guard.cut.get().is_none()
            && let Some(farewell) = session.borrow_mut().farewell()
        {
            self.guard.handle.send_now(&farewell);
        }
    }
}

/// What a handshake came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// A session of before was resumed, which spares both sides most of the work.
    pub resumed: bool,
    /// The protocol agreed upon (RFC 7301), if any.
    pub alpn: Option<Vec<u8>>,
}
