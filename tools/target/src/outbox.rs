//! Bytes that a connection could not send yet.
//!
//! What the socket takes at once never comes here, so an outbox holds memory only while its client
//! reads slowly; and of a long answer only what was written out of it, never the tail.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::tail::Tail;
use crate::tls::TlsLayer;

/// How much one call sends before other connections have their turn.
const TURN_BYTES: usize = 1 << 20;

/// How much of a tail is sealed at a time.
const SEAL_BYTES: usize = 64 * 1024;

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    All,
    /// There is more, and the socket would take it: come again after the others.
    Part,
    /// There is more, and the socket is full.
    Blocked,
    /// The connection is broken.
    Failed,
}

/// Unsent output: bytes, and then a tail.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    tail: Tail,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.tail.is_nothing()
    }

    /// Sends `output` and then `tail` after what is kept; keeps what does not go at once.
    ///
    /// Nothing can follow a tail, so none may be kept. With `tls`, the output is sealed already and
    /// the tail is not.
    #[inline]
    pub(crate) fn send_new(
        &mut self,
        socket: &OwnedFd,
        tls: Option<&mut TlsLayer>,
        output: &[u8],
        tail: Tail,
    ) -> Sent {
        debug_assert!(self.tail.is_nothing(), "a dialogue waits until its tail is sent");
        self.tail = tail;
        if !self.bytes.is_empty() {
            self.bytes.extend_from_slice(output);
            return self.send_kept(socket, tls);
        }
        let sent = match send_some(socket, output, !self.tail.is_nothing()) {
            Ok(sent) => sent,
            Err(Sent::Blocked) => 0,
            Err(outcome) => return outcome,
        };
        if sent < output.len() {
            self.bytes.extend_from_slice(&output[sent..]);
            return Sent::Blocked;
        }
        if self.tail.is_nothing() { Sent::All } else { self.send(socket, tls) }
    }

    /// Sends what is kept, up to a turn's worth.
    #[inline]
    pub(crate) fn send(&mut self, socket: &OwnedFd, tls: Option<&mut TlsLayer>) -> Sent {
        if self.is_empty() {
            return Sent::All;
        }
        self.send_kept(socket, tls)
    }

    fn send_kept(&mut self, socket: &OwnedFd, mut tls: Option<&mut TlsLayer>) -> Sent {
        let mut turn_bytes = 0;
        while turn_bytes < TURN_BYTES {
            if self.bytes.is_empty() {
                self.fill(tls.as_deref_mut());
            }
            let piece =
                if self.bytes.is_empty() { self.tail.ready() } else { &self.bytes[self.sent..] };
            if piece.is_empty() {
                return Sent::All;
            }
            match send_some(socket, piece, false) {
                Ok(sent) => {
                    turn_bytes += sent;
                    self.forget(sent);
                }
                Err(outcome) => return outcome,
            }
        }
        Sent::Part
    }

    /// Writes out the next bytes of the tail that cannot be sent from where they are.
    fn fill(&mut self, tls: Option<&mut TlsLayer>) {
        let Some(tls) = tls else { return self.tail.write_next(&mut self.bytes) };
        let mut written = Vec::new();
        self.tail.write_next(&mut written);
        if !written.is_empty() {
            return tls.seal(&written, &mut self.bytes);
        }
        let ready = self.tail.ready();
        let piece = &ready[..ready.len().min(SEAL_BYTES)];
        if !piece.is_empty() {
            tls.seal(piece, &mut self.bytes);
            self.tail.advance(piece.len());
        }
    }

    fn forget(&mut self, sent: usize) {
        if self.bytes.is_empty() {
            self.tail.advance(sent);
            return;
        }
        self.sent += sent;
        if self.sent == self.bytes.len() {
            self.sent = 0;
            // A chunked tail writes the same amount again; whoever has nothing more to send gives
            // the memory back.
            if self.tail.is_nothing() { self.bytes = Vec::new() } else { self.bytes.clear() }
        }
    }
}

/// Sends some of `bytes`; `more` tells the kernel that others follow at once.
#[inline]
fn send_some(socket: &OwnedFd, bytes: &[u8], more: bool) -> Result<usize, Sent> {
    let flags = if more { SendFlags::NOSIGNAL | SendFlags::MORE } else { SendFlags::NOSIGNAL };
    loop {
        match send(socket, bytes, flags) {
            Ok(sent) => return Ok(sent),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(Sent::Blocked),
            Err(_) => return Err(Sent::Failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::tail::BODY_PATTERN;

    #[test]
    fn a_tail_follows_the_output_and_costs_no_memory() {
        const BYTES: usize = 5_000_000;
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let socket = OwnedFd::from(ours);
        let mut outbox = Outbox::default();
        let (mut received, mut buffer) = (Vec::new(), vec![0; 65_536]);
        let mut outcome = outbox.send_new(&socket, None, b"head", Tail::content(BYTES as u64));
        while outcome != Sent::All {
            assert!(outbox.bytes.capacity() < 1024);
            assert_ne!(outcome, Sent::Failed);
            while let Ok(count) = theirs.read(&mut buffer) {
                received.extend_from_slice(&buffer[..count]);
            }
            outcome = outbox.send(&socket, None);
        }
        while let Ok(count) = theirs.read(&mut buffer) {
            received.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(received.len(), 4 + BYTES);
        assert!(received[4..].iter().zip(BODY_PATTERN.iter().cycle()).all(|(a, b)| a == b));
    }

    #[test]
    fn a_broken_connection_is_told() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let outcome = Outbox::default().send_new(&OwnedFd::from(ours), None, b"x", Tail::Nothing);
        assert_eq!(outcome, Sent::Failed);
    }
}
