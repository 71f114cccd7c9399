//! One connection: its socket, its dialogue, and what is left over between turns.
//!
//! Readiness is edge-triggered. A connection is read until a read comes back short, which says that
//! the socket is empty without asking it again; while an answer is put off or the client does not
//! read, edges are only noted and nothing is read, which is the backpressure. An idle connection
//! holds no buffer: input is read into the thread's one, and only what is incomplete or has to wait
//! is copied out.

use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};

use crate::desk::Desk;
use crate::dialogue::{Dialogue, Need};
use crate::outbox::{Outbox, Sent};
use crate::tail::Tail;

/// Size of the buffer that a thread reads into.
pub(crate) const INPUT_BYTES: usize = 64 * 1024;

/// How many reads one turn may make before other connections have theirs.
const TURN_READS: usize = 16;

/// Buffers of a server thread, used by one connection at a time.
#[derive(Debug)]
pub(crate) struct Scratch {
    input: Box<[u8]>,
    output: Vec<u8>,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { input: vec![0; INPUT_BYTES].into_boxed_slice(), output: Vec::new() }
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
            input: Vec::new(),
            has_unseen_input: false,
            is_readable: false,
            is_half_closed: false,
            is_lingering: false,
            watches_output: false,
            is_queued: false,
        }
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
            return Turn::Close;
        }
        scratch.output.clear();
        self.dialogue.resume(desk, &mut scratch.output);
        match self.outbox.send_new(&self.socket, &scratch.output, Tail::Nothing) {
            Sent::Failed => Turn::Close,
            _ => self.turn(desk, scratch),
        }
    }

    /// Sends, reads and answers until something is missing.
    pub(crate) fn turn(&mut self, desk: &mut Desk, scratch: &mut Scratch) -> Turn {
        for _ in 0..TURN_READS {
            match self.outbox.send(&self.socket) {
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
            match self.read(scratch) {
                Input::Nothing => return Turn::Idle,
                Input::Ended => return Turn::Close,
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
    fn read(&mut self, scratch: &mut Scratch) -> Input {
        let kept = self.input.len();
        scratch.input[..kept].copy_from_slice(&self.input);
        if std::mem::take(&mut self.has_unseen_input) {
            return Input::Bytes(kept);
        }
        if !self.is_readable {
            return Input::Nothing;
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

    /// Answers what it can of the first `count` bytes of the scratch buffer and keeps the others.
    #[inline]
    fn answer(&mut self, count: usize, desk: &mut Desk, scratch: &mut Scratch) -> Option<Turn> {
        let input = &scratch.input[..count];
        scratch.output.clear();
        let (used, need) = self.dialogue.advance(input, desk, &mut scratch.output);
        self.keep(&input[used..], need != Need::Input);
        let (tail, at_ns) = match need {
            Need::Input | Need::Sent => (Tail::Nothing, None),
            Need::Tail(tail) => (tail, None),
            Need::Time(at_ns) => (Tail::Nothing, Some(at_ns)),
        };
        if !scratch.output.is_empty() {
            match self.outbox.send_new(&self.socket, &scratch.output, tail) {
                Sent::Failed => return Some(Turn::Close),
                Sent::Part => return Some(Turn::Again),
                // The next round finds out whether it still is, and says so.
                Sent::Blocked | Sent::All => {}
            }
        }
        let is_blocked = !self.outbox.is_empty();
        at_ns.map(|at_ns| match self.wait() {
            Turn::Idle => Turn::Time { at_ns, is_blocked },
            gone => gone,
        })
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

    /// Closes after the last answer, at once if the client has nothing on its way.
    ///
    /// Closing a socket with unread input resets the connection, and the reset can overtake the
    /// answer; so if there may be input, only the sending side is closed, and input is dropped
    /// until the client closes too (RFC 9112, 9.6).
    fn end(&mut self, scratch: &mut Scratch) -> Turn {
        if self.is_lingering {
            return self.drop_input(scratch);
        }
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
