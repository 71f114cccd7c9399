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

pub use datagram::UdpSocket;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};

use bytes::Bytes;
use loadr_protocols::buffer::ReceiveBuffer;
use rustls::pki_types::ServerName;

use crate::runtime::{ReadIo, SocketHandle, Transport, WriteIo, buffer_full};
use crate::timer::{TimerKey, TimerTarget, Timers};
use crate::tls::TlsClient;
use crate::tls::session::{self as tls, Step, TlsSession};

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

/// What a half needs to read through TLS.
struct TlsReader {
    session: tls::Shared,
    /// Where the kernel puts what it receives; empty between reads.
    cipher: ReceiveBuffer,
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
        let mut reader = Box::new(TlsReader { session: Rc::clone(&session), cipher });
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

/// The deadline of a stream that others have; without effect once the stream is gone.
#[derive(Clone)]
pub(crate) struct StreamDeadline(Weak<Guard>);

impl StreamDeadline {
    /// As [`ReadHalf::set_deadline`].
    pub(crate) fn set(&self, deadline_ns: Option<u64>) {
        if let Some(guard) = self.0.upgrade() {
            guard.set_deadline(deadline_ns);
        }
    }

    /// As [`ReadHalf::shut_down`].
    pub(crate) fn shut_down(&self) {
        if let Some(guard) = self.0.upgrade() {
            guard.handle.shut_down();
        }
    }
}

impl TlsReader {
    /// What was decrypted before there was room for it, or the end of the stream.
    fn received_before(&mut self, plain: &mut ReceiveBuffer) -> io::Result<Option<usize>> {
        let mut session = self.session.borrow_mut();
        match session.take_overflow(plain).map_err(buffer_full)? {
            0 => Ok(session.is_at_end().then_some(0)),
            count => Ok(Some(count)),
        }
    }

    /// Decrypts what has been received; `None` where there was nothing in it for the reader.
    fn decrypt(
        &mut self,
        received: usize,
        plain: &mut ReceiveBuffer,
        handle: &SocketHandle,
    ) -> io::Result<Option<usize>> {
        let mut session = self.session.borrow_mut();
        if received == 0 {
            return Err(session.end_of_input().into());
        }
        let before = plain.len();
        if let Err(error) = session.receive(&mut self.cipher, plain) {
            handle.send_now(&session.take_outgoing());
            return Err(error.into());
        }
        match plain.len() - before {
            0 => {
                drop(session);
                self.received_before(plain)
            }
            count => Ok(Some(count)),
        }
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

/// Why the engine cut a stream off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    Deadline,
    RunEnded,
    /// An operation was dropped in its middle: nobody knows which bytes it moved.
    Dropped,
}

impl From<Cut> for io::Error {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Deadline => io::ErrorKind::TimedOut.into(),
            Cut::RunEnded => io::ErrorKind::ConnectionAborted.into(),
            Cut::Dropped => io::ErrorKind::NotConnected.into(),
        }
    }
}

/// A stream's deadline and its way out, shared by its halves and known to the shard's [`Guards`].
struct Guard {
    handle: SocketHandle,
    deadline_ns: Cell<u64>,
    /// When the timer queue will look at this guard; `u64::MAX` while it is not queued.
    look_ns: Cell<u64>,
    key: Cell<Option<TimerKey>>,
    cut: Cell<Option<Cut>>,
    slot: GuardSlot,
    guards: Rc<Guards>,
}

impl Guard {
    #[inline]
    fn set_deadline(&self, deadline_ns: Option<u64>) {
        let deadline_ns = deadline_ns.unwrap_or(u64::MAX);
        self.deadline_ns.set(deadline_ns);
        // A look that is already queued for an earlier moment will find the new deadline there.
        if deadline_ns < self.look_ns.get() {
            self.queue_look(deadline_ns);
        }
    }

    #[cold]
    fn queue_look(&self, at_ns: u64) {
        if let Some(key) = self.key.take() {
            self.guards.timers.remove(key);
        }
        self.look_ns.set(at_ns);
        self.key.set(Some(self.guards.timers.insert(at_ns, TimerTarget::Guard(self.slot))));
    }

    /// What an operation came to, unless the stream was cut off meanwhile.
    #[inline]
    fn uncut<T>(&self, came_to: io::Result<T>) -> io::Result<T> {
        match self.cut.get() {
            None => came_to,
            Some(cut) => Err(cut.into()),
        }
    }

    fn cut_off(&self, cut: Cut) {
        self.cut.set(Some(cut));
        self.handle.shut_down();
    }
}

/// An operation that has begun: dropped before its [`Self::end`], it cuts the stream off.
struct Midway<'g>(&'g Guard);

impl Midway<'_> {
    #[inline]
    fn end(self) {
        std::mem::forget(self);
    }
}

impl Drop for Midway<'_> {
    #[cold]
    fn drop(&mut self) {
        if self.0.cut.get().is_none() {
            self.0.cut_off(Cut::Dropped);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.guards.timers.remove(key);
        }
        self.guards.forget(self.slot);
    }
}

/// Index of a guard among those of its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardSlot(usize);

/// The guards of all open streams of one shard.
pub(crate) struct Guards {
    timers: Rc<Timers>,
    slots: RefCell<Vec<Weak<Guard>>>,
    free: RefCell<Vec<usize>>,
}

impl Guards {
    pub(crate) fn new(timers: Rc<Timers>) -> Rc<Self> {
        Rc::new(Self { timers, slots: RefCell::default(), free: RefCell::default() })
    }

    fn watch(self: &Rc<Self>, handle: SocketHandle) -> Rc<Guard> {
        let mut slots = self.slots.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            slots.push(Weak::new());
            slots.len() - 1
        });
        let guard = Rc::new(Guard {
            handle,
            deadline_ns: Cell::new(u64::MAX),
            look_ns: Cell::new(u64::MAX),
            key: Cell::new(None),
            cut: Cell::new(None),
            slot: GuardSlot(index),
            guards: Rc::clone(self),
        });
        slots[index] = Rc::downgrade(&guard);
        guard
    }

    fn forget(&self, slot: GuardSlot) {
        self.slots.borrow_mut()[slot.0] = Weak::new();
        self.free.borrow_mut().push(slot.0);
    }

    /// Looks at a guard whose queued time has come: cuts the stream off, or looks again at its later deadline.
    pub(crate) fn deadline_due(&self, slot: GuardSlot, now_ns: u64) {
        let Some(guard) = self.slots.borrow()[slot.0].upgrade() else { return };
        guard.key.set(None);
        guard.look_ns.set(u64::MAX);
        let deadline_ns = guard.deadline_ns.get();
        if deadline_ns <= now_ns {
            guard.cut_off(Cut::Deadline);
        } else if deadline_ns != u64::MAX {
            guard.queue_look(deadline_ns);
        }
    }

    /// Cuts off every open stream, because the run is over.
    pub(crate) fn cut_off_all(&self) {
        // Collected first, so that nothing that happens in between can find the slots borrowed.
        let open: Vec<Rc<Guard>> = self.slots.borrow().iter().filter_map(Weak::upgrade).collect();
        for guard in open {
            guard.cut_off(Cut::RunEnded);
        }
    }

    /// Streams that are open.
    pub(crate) fn open(&self) -> usize {
        self.slots.borrow().len() - self.free.borrow().len()
    }
}
