//! The receiving end (RFC 7692, 7.2.2): payload in, pieces of the message out, bounded.

use flate2::{Decompress, FlushDecompress, Status};

use super::TAIL;
use crate::websocket::{error::RemoteError, limits::Limits, message::Assembly};

/// Bytes inflated at once: the decoder's own window, so that what it had made of the data before it
/// found a fault is always handed over first, and an error does not depend on how bytes were split.
const PIECE_BYTES: usize = 32 * 1024;

/// Inflates the messages of one connection.
pub(crate) struct Inflater {
    stream: Decompress,
    piece: Box<[u8]>,
    /// Each message stands by itself.
    forgets: bool,
    /// The stream has taken some of this message, and the tail is to complete it.
    pending: bool,
}

impl Inflater {
    pub(crate) fn new(forgets: bool) -> Self {
        let piece = vec![0; PIECE_BYTES].into_boxed_slice();
        Self { stream: Decompress::new(false), piece, forgets, pending: false }
    }

    /// Inflates more of a message into `message`.
    ///
    /// # Errors
    /// Data that is not DEFLATE; a message too long, told before it is kept; text that is not UTF-8.
    pub(crate) fn push(
        &mut self,
        mut input: &[u8],
        message: &mut Assembly,
        limits: &Limits,
    ) -> Result<(), RemoteError> {
        loop {
            let (taken_before, made_before) = (self.stream.total_in(), self.stream.total_out());
            let result = self.stream.decompress(input, &mut self.piece, FlushDecompress::Sync);
            let taken = (self.stream.total_in() - taken_before) as usize;
            let made = (self.stream.total_out() - made_before) as usize;
            input = &input[taken..];
            self.pending |= taken > 0;
            let room = limits.message_bytes_max - message.len();
            message.push(&self.piece[..made.min(room)])?;
            if made > room {
                return Err(RemoteError::InflatesTooLong { limit: limits.message_bytes_max });
            }
            match result.map_err(|_| RemoteError::Inflate)? {
                Status::StreamEnd => self.start_over(),
                // All that can be made of the input has been: there was room for more.
                _ if input.is_empty() && made < self.piece.len() => return Ok(()),
                _ if taken == 0 && made == 0 => return Err(RemoteError::Inflate),
                _ => {}
            }
        }
    }

    /// Takes note that the message is complete, which flushes what is left of it.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn end(
        &mut self,
        message: &mut Assembly,
        limits: &Limits,
    ) -> Result<(), RemoteError> {
        // Behind a block that called itself the last there is nothing that a tail could complete.
        if self.pending {
            self.push(&TAIL, message, limits)?;
            self.pending = false;
        }
        if self.forgets {
            self.start_over();
        }
        Ok(())
    }

    /// RFC 7692, 7.2.3.5: a block that calls itself the last does not end the connection. What comes
    /// behind it cannot refer to what came before.
    fn start_over(&mut self) {
        self.stream.reset(false);
        self.pending = false;
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("forgets", &self.forgets).finish_non_exhaustive()
    }
}
