//! What a caller sees, and messages that have to be put together before anybody can.

use super::{close::Close, error::RemoteError, frame::Opcode, utf8::PartialText};

/// Something that a peer sent, borrowed from the receive buffer or from the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A message of text.
    Text(&'b str),
    /// A message of bytes.
    Binary(&'b [u8]),
    /// A ping, to be answered by a pong with the same payload, at most 125 bytes. Of several
    /// that are not answered yet only the latest needs to be (RFC 6455, 5.5.3).
    Ping(&'b [u8]),
    /// A pong, at most 125 bytes.
    Pong(&'b [u8]),
    /// The last event: the peer sends no more.
    Close(Close<'b>),
}

/// Memory that stays for the next message whatever this one's size, in bytes.
const KEPT_BYTES: usize = 64 * 1024;

/// A message that came in more than one piece, or compressed.
///
/// Its memory grows with what is received, never with what is declared. It stays for the messages to
/// come, unless the last one used less than a quarter of a lot: then a single large message is not
/// paid for to the end of the connection.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    text: PartialText,
    binary: Vec<u8>,
    is_text: bool,
}

impl Assembly {
    pub(crate) fn begin(&mut self, opcode: Opcode) {
        self.text.clear(kept_bytes(self.text.len()));
        let keep_bytes = kept_bytes(self.binary.len());
        self.binary.clear();
        self.binary.shrink_to(keep_bytes);
        self.is_text = opcode == Opcode::Text;
    }

    /// Bytes of the message so far.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        if self.is_text { self.text.len() } else { self.binary.len() }
    }

    /// Adds bytes to the message.
    ///
    /// # Errors
    /// Text that is not UTF-8.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), RemoteError> {
        if self.is_text {
            return self.text.push(piece);
        }
        self.binary.extend_from_slice(piece);
        Ok(())
    }

    /// Takes note that the message is complete.
    ///
    /// # Errors
    /// Text that ends inside a character.
    pub(crate) fn end(&self) -> Result<(), RemoteError> {
        if self.is_text { self.text.end() } else { Ok(()) }
    }

    /// The message, once complete.
    pub(crate) fn event(&self) -> Event<'_> {
        if self.is_text { Event::Text(self.text.as_str()) } else { Event::Binary(&self.binary) }
    }

    /// Bytes of memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity() + self.binary.capacity()
    }
}

/// What to keep after a message of `used_bytes`.
fn kept_bytes(used_bytes: usize) -> usize {
    used_bytes.saturating_mul(4).max(KEPT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_messages_need() {
        let mut assembly = Assembly::default();
        for opcode in [Opcode::Text, Opcode::Binary] {
            assembly.begin(opcode);
            assembly.push(&[b'a'; 1 << 20]).unwrap();
            assembly.end().unwrap();
            assert_eq!(assembly.len(), 1 << 20);
            // Not yet: this one was large.
            assembly.begin(opcode);
            assert!(assembly.capacity() >= 1 << 20);
            assembly.push(b"small").unwrap();
            assembly.begin(opcode);
            assert!(assembly.capacity() <= 2 * KEPT_BYTES, "{}", assembly.capacity());
        }
    }
}
