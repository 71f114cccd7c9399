//! One connection: its socket, its dialogue, and what is left over between turns.
//!
//! Readiness is edge-triggered. A connection is read until a read comes back short, which says that
//! the socket is empty without asking it again; while an answer is put off or the client does not
//! read, edges are only noted and nothing is read, which is the backpressure. An idle connection
//! holds no buffer: input is read into the thread's one, and only what is incomplete or has to wait
//! is copied out.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};
use rustls::ServerConfig;

use crate::desk::Desk;
use crate::dialogue::{Dialogue, Need};
use crate::outbox::{Outbox, Sent};
use crate::tail::Tail;
use crate::tls::{RECORD_BYTES_MAX, TlsLayer};

/// Size of the buffer that a thread reads into.
pub(crate) const INPUT_BYTES: usize = 64 * 1024;

/// How many reads one turn may make before other connections have theirs.
const TURN_READS: usize = 16;

/// Buffers of a server thread, used by one connection at a time.
#[derive(Debug)]
pub(crate) struct Scratch {
    input: Box<[u8]>,
    output: Vec<u8>,
    /// What has come and what goes by TLS; empty without it.
    sealed_input: Box<[u8]>,
    sealed_output: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new(has_tls: bool) -> Self {
        let buffer = |bytes| vec![0; bytes].into_boxed_slice();
        Self {
            input: buffer(INPUT_BYTES),
            output: Vec::new(),
            sealed_input: buffer(if has_tls { INPUT_BYTES } else { 0 }),
            sealed_output: Vec::new(),
        }
    }
}

/// What a connection wants of the event loop after its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing before the next event.
    Idle,
    /// Another turn, after the others.
    Again,
    /// To be told when the socket takes more.
    Blocked,
    /// A [timer](Connection::timer) call at this time of the monotonic clock, and meanwhile what
    /// `Blocked` wants if earlier answers are not sent yet.
    Time { at_ns: u64, is_blocked: bool },
    /// A timer call at this time, and another turn.
    Alarm { at_ns: u64 },
    /// Another turn, and a timer call if the client has not closed in a while.
    Linger,
    /// To be dropped.
    Close,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    dialogue: Dialogue,
    outbox: Outbox,
    tls: Option<Box<TlsLayer>>,
    /// Received and not used yet.
    input: Vec<u8>,
    /// `input` holds more than the dialogue has looked at.
    has_unseen_input: bool,
    /// The socket may have bytes to read.
    is_readable: bool,
    /// The client sends nothing after what it has sent: reads go on to the end.
    is_half_closed: bool,
    /// All is answered; reads only wait for the client to close.
    is_lingering: bool,
    /// The event loop tells when the socket takes more.
    pub(crate) watches_output: bool,
    /// Another turn is to come anyway: events are only noted.
    pub(crate) is_queued: bool,
}

/// What a connection found to work on.
enum Input {
    /// So many bytes of the scratch buffer.
    Bytes(usize),
    Nothing,
    /// The client closed, or the connection broke.
    Ended,
}

impl Connection {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            dialogue: Dialogue::new(),
            outbox: Outbox::default(),
            tls: None,
            input: Vec::new(),
            has_unseen_input: false,
            is_readable: false,
            is_half_closed: false,
            is_lingering: false,
            watches_output: false,
            is_queued: false,
        }
    }

    /// A connection that begins with a TLS handshake.
    pub(crate) fn with_tls(socket: OwnedFd, config: &Arc<ServerConfig>) -> Option<Self> {
        let tls = Some(Box::new(TlsLayer::new(config)?));
        Some(Self { tls, ..Self::new(socket) })
    }

    /// A turn because of an event on the socket.
    #[inline]
    pub(crate) fn event(
        &mut self,
        flags: EventFlags,
        desk: &mut Desk,
        scratch: &mut Scratch,
    ) -> Turn {
        if flags.intersects(EventFlags::ERR | EventFlags::HUP) {
            return Turn::Close;
        }
        self.is_readable |= flags.contains(EventFlags::IN);
        self.is_half_closed |= flags.contains(EventFlags::RDHUP);
        if self.is_queued { Turn::Idle } else { self.turn(desk, scratch) }
    }

    /// A turn because the time asked for has come.
    pub(crate) fn timer(&mut self, desk: &mut Desk, scratch: &mut Scratch) -> Turn {
        if self.is_lingering {
            return if self.dialogue.takes_alarm() { Turn::Idle } else { Turn::Close };
        }
        scratch.output.clear();
        let alarm_ns = self.dialogue.resume(!self.outbox.is_empty(), desk, &mut scratch.output);
        let is_sent =
            scratch.output.is_empty() || self.send(scratch, Tail::Nothing) != Sent::Failed;
        match alarm_ns {
            _ if !is_sent => Turn::Close,
            Some(at_ns) => Turn::Alarm { at_ns },
            None => self.turn(desk, scratch),
        }
    }

    /// Sends, reads and answers until something is missing.
    pub(crate) fn turn(&mut self, desk: &mut Desk, scratch: &mut Scratch) -> Turn {
        for _ in 0..TURN_READS {
            match self.outbox.send(&self.socket, self.tls.as_deref_mut()) {
                Sent::All => {}
                Sent::Part => return Turn::Again,
                Sent::Blocked => return Turn::Blocked,
                Sent::Failed => return Turn::Close,
            }
            if self.dialogue.has_ended() {
                return self.end(scratch);
            }
            if self.dialogue.is_waiting() {
                return self.wait();
            }
            match self.read(desk, scratch) {
                Input::Nothing => return Turn::Idle,
                Input::Ended => return self.leave(desk, scratch),
                Input::Bytes(count) => {
                    if let Some(turn) = self.answer(count, desk, scratch) {
                        return turn;
                    }
                }
            }
        }
        Turn::Again
    }

    /// Waits for the time of an answer, unless there is nobody to get it.
    ///
    /// A client that closes while it waits has mostly run into its own timeout. To the server that
    /// looks like one that has only said all it had to say; but to hold on to those would use up
    /// the descriptors in a long stall.
    fn wait(&self) -> Turn {
        if self.is_half_closed { Turn::Close } else { Turn::Idle }
    }

    /// Fills the scratch buffer with what is left over, and behind it with what has come.
    #[inline]
    fn read(&mut self, desk: &Desk, scratch: &mut Scratch) -> Input {
        let kept = self.input.len();
        scratch.input[..kept].copy_from_slice(&self.input);
        if std::mem::take(&mut self.has_unseen_input) {
            return Input::Bytes(kept);
        }
        if !self.is_readable {
            return Input::Nothing;
        }
        if self.tls.is_some() {
            return self.read_sealed(kept, desk, scratch);
        }
        let room = &mut scratch.input[kept..];
        let room_bytes = room.len();
        debug_assert!(room_bytes > 0, "limits on heads and lines keep leftovers small");
        loop {
            match recv(&self.socket, &mut *room, RecvFlags::empty()) {
                Ok((0, _)) => return Input::Ended,
                Ok((count, _)) => {
                    self.is_readable = count == room_bytes || self.is_half_closed;
                    return Input::Bytes(kept + count);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    self.is_readable = false;
                    return Input::Nothing;
                }
                Err(_) => return Input::Ended,
            }
        }
    }

    /// Reads as [`read`](Self::read) does, through TLS, whose own answers are sent on the way.
    fn read_sealed(&mut self, kept: usize, desk: &Desk, scratch: &mut Scratch) -> Input {
        let Some(tls) = &mut self.tls else { return Input::Nothing };
        let plain = &mut scratch.input[kept..];
        let room_bytes = plain.len().saturating_sub(RECORD_BYTES_MAX);
        debug_assert!(room_bytes > 0, "limits on heads and frames keep leftovers small");
        while self.is_readable && !tls.is_closed() {
            let room = &mut scratch.sealed_input[..room_bytes];
            let count = match recv(&self.socket, &mut *room, RecvFlags::empty()) {
                Ok((0, _)) => return Input::Ended,
                Ok((count, _)) => count,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => {
                    self.is_readable = false;
                    break;
                }
                Err(_) => return Input::Ended,
            };
            self.is_readable = count == room_bytes || self.is_half_closed;
            let opened = tls.open(&scratch.sealed_input[..count], plain, desk.counts());
            scratch.sealed_output.clear();
            tls.take_unsent(&mut scratch.sealed_output);
            let output = scratch.sealed_output.as_slice();
            if !output.is_empty()
                && self.outbox.send_new(&self.socket, Some(tls), output, Tail::Nothing)
                    == Sent::Failed
            {
                return Input::Ended;
            }
            match opened {
                Ok(0) => {}
                Ok(bytes) => {
                    // The end that came with it has its turn when this is answered.
                    self.is_readable |= tls.is_closed();
                    return Input::Bytes(kept + bytes);
                }
                Err(_) => {
                    self.dialogue.abandon();
                    return Input::Bytes(kept);
                }
            }
        }
        if tls.is_closed() { Input::Ended } else { Input::Nothing }
    }

    /// Sends the scratch output and then `tail`, sealed if it has to be.
    #[inline]
    fn send(&mut self, scratch: &mut Scratch, tail: Tail) -> Sent {
        let Some(tls) = &mut self.tls else {
            return self.outbox.send_new(&self.socket, None, &scratch.output, tail);
        };
        scratch.sealed_output.clear();
        tls.seal(&scratch.output, &mut scratch.sealed_output);
        self.outbox.send_new(&self.socket, Some(tls), &scratch.sealed_output, tail)
    }

    /// Answers what it can of the first `count` bytes of the scratch buffer and keeps the others.
    #[inline]
    fn answer(&mut self, count: usize, desk: &mut Desk, scratch: &mut Scratch) -> Option<Turn> {
        let input = &scratch.input[..count];
        scratch.output.clear();
        let (used, need) = self.dialogue.advance(input, desk, &mut scratch.output);
        self.keep(&input[used..], need != Need::Input);
        let (tail, at_ns, alarm) = match need {
            Need::Input | Need::Sent => (Tail::Nothing, None, None),
            Need::Tail(tail) => (tail, None, None),
            Need::Time(at_ns) => (Tail::Nothing, Some(at_ns), None),
            Need::Alarm(at_ns) => (Tail::Nothing, None, Some(Turn::Alarm { at_ns })),
        };
        if !scratch.output.is_empty() {
            match self.send(scratch, tail) {
                Sent::Failed => return Some(Turn::Close),
                Sent::Part => return Some(Turn::Again),
                // The next round finds out whether it still is, and says so.
                Sent::Blocked | Sent::All => {}
            }
        }
        let is_blocked = !self.outbox.is_empty();
        at_ns
            .map(|at_ns| match self.wait() {
                Turn::Idle => Turn::Time { at_ns, is_blocked },
                gone => gone,
            })
            .or(alarm)
    }

    #[inline]
    fn keep(&mut self, left: &[u8], is_unseen: bool) {
        if left.is_empty() && self.input.is_empty() {
            return;
        }
        self.has_unseen_input = is_unseen && !left.is_empty();
        if left.is_empty() {
            self.input = Vec::new();
        } else {
            self.input.clear();
            self.input.extend_from_slice(left);
        }
    }

    /// Closes because the client did.
    fn leave(&mut self, desk: &Desk, scratch: &mut Scratch) -> Turn {
        if let Some(tls) = &mut self.tls {
            tls.count_gone(desk.counts());
        }
        self.announce_end(scratch);
        Turn::Close
    }

    /// Tells a client of TLS that nothing more comes, so that it can tell an end from a cut.
    fn announce_end(&mut self, scratch: &mut Scratch) {
        let Some(tls) = &mut self.tls else { return };
        scratch.sealed_output.clear();
        tls.close(&mut scratch.sealed_output);
        let output = scratch.sealed_output.as_slice();
        // Who is gone already is not told.
        let _sent = self.outbox.send_new(&self.socket, Some(tls), output, Tail::Nothing);
    }

    /// Closes after the last answer, at once if the client has nothing on its way.
    ///
    /// Closing a socket with unread input resets the connection, and the reset can overtake the
    /// answer; so if there may be input, only the sending side is closed, and input is dropped
    /// until the client closes too (RFC 9112, 9.6).
    fn end(&mut self, scratch: &mut Scratch) -> Turn {
        if self.is_lingering {
            return self.drop_input(scratch);
        }
        self.announce_end(scratch);
        let is_quiet = self.input.is_empty() && !self.is_readable;
        if is_quiet && !self.dialogue.has_ended_midway() {
            return Turn::Close;
        }
        self.is_lingering = true;
        self.input = Vec::new();
        match shutdown(&self.socket, Shutdown::Write) {
            Ok(()) => Turn::Linger,
            Err(_) => Turn::Close,
        }
    }

    fn drop_input(&mut self, scratch: &mut Scratch) -> Turn {
        for _ in 0..TURN_READS {
            match recv(&self.socket, &mut *scratch.input, RecvFlags::empty()) {
                Ok((0, _)) => return Turn::Close,
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Turn::Idle,
                Err(_) => return Turn::Close,
            }
        }
        Turn::Again
    }
}
