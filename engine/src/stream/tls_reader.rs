//! The receiving half of a stream that is encrypted.

use std::io;

use loadr_protocols::buffer::ReceiveBuffer;

use crate::runtime::{SocketHandle, buffer_full};
use crate::tls::session::Shared;

/// What a half needs to read through TLS.
pub(super) struct TlsReader {
    session: Shared,
    /// Where the kernel puts what it receives; empty between reads.
    pub(super) cipher: ReceiveBuffer,
}

impl TlsReader {
    pub(super) fn new(session: Shared, cipher: ReceiveBuffer) -> Self {
        Self { session, cipher }
    }

    /// What was decrypted before there was room for it, or the end of the stream.
    pub(super) fn received_before(
        &mut self,
        plain: &mut ReceiveBuffer,
    ) -> io::Result<Option<usize>> {
        let mut session = self.session.borrow_mut();
        match session.take_overflow(plain).map_err(buffer_full)? {
            0 => Ok(session.is_at_end().then_some(0)),
            count => Ok(Some(count)),
        }
    }

    /// Decrypts what has been received; `None` where there was nothing in it for the reader.
    pub(super) fn decrypt(
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
