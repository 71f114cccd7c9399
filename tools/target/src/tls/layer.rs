//! One connection's TLS: sealed bytes in and out of rustls, which never sees the socket.
//!
//! All that comes is opened at once into the thread's input buffer and all that goes is sealed at
//! once into its output buffer, so an idle connection holds keys and no bytes.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::{HandshakeKind, ServerConfig, ServerConnection};

use crate::stats::{Handshake, ThreadCounts};

/// More than the longest record has (RFC 8446, 5.2): what may have come before of a record that is
/// now complete.
pub(crate) const RECORD_BYTES_MAX: usize = 18 * 1024;

/// The connection is broken; an alert for the client may be [unsent](TlsLayer::take_unsent).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// TLS of one connection.
#[derive(Debug)]
pub(crate) struct TlsLayer {
    connection: ServerConnection,
    /// The handshake has been counted, whatever came of it.
    is_counted: bool,
    /// The client has said that it sends nothing more.
    is_closed: bool,
}

impl TlsLayer {
    /// `None` if rustls refuses, which it has no reason to.
    pub(crate) fn new(config: &Arc<ServerConfig>) -> Option<Self> {
        let mut connection = ServerConnection::new(Arc::clone(config)).ok()?;
        // What is handed over is taken out again at once.
        connection.set_buffer_limit(None);
        Some(Self { connection, is_counted: false, is_closed: false })
    }

    /// The client has said that it sends nothing more.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Opens `sealed` into `plain`, which has room for that and a [record](RECORD_BYTES_MAX) more:
    /// how many bytes that made.
    pub(crate) fn open(
        &mut self,
        mut sealed: &[u8],
        plain: &mut [u8],
        counts: &ThreadCounts,
    ) -> Result<usize, Broken> {
        let mut opened = 0;
        while !sealed.is_empty() && !self.is_closed {
            match self.open_some(&mut sealed, &mut plain[opened..]) {
                Ok(bytes) => opened += bytes,
                Err(Broken) => {
                    self.count_failed(counts);
                    return Err(Broken);
                }
            }
        }
        self.count_handshake(counts);
        Ok(opened)
    }

    fn open_some(&mut self, sealed: &mut &[u8], plain: &mut [u8]) -> Result<usize, Broken> {
        let taken = self.connection.read_tls(sealed).map_err(|_| Broken)?;
        let state = self.connection.process_new_packets().map_err(|_| Broken)?;
        let bytes = state.plaintext_bytes_to_read();
        self.is_closed = state.peer_has_closed();
        let plain = plain.get_mut(..bytes).ok_or(Broken)?;
        self.connection.reader().read_exact(plain).map_err(|_| Broken)?;
        // rustls takes some as long as it has not told of an end or an error.
        if taken == 0 && !self.is_closed { Err(Broken) } else { Ok(bytes) }
    }

    fn count_handshake(&mut self, counts: &ThreadCounts) {
        if self.is_counted || self.connection.is_handshaking() {
            return;
        }
        self.is_counted = true;
        counts.count_handshake(match self.connection.handshake_kind() {
            Some(HandshakeKind::Resumed) => Handshake::Resumed,
            _ => Handshake::Full,
        });
    }

    fn count_failed(&mut self, counts: &ThreadCounts) {
        self.is_counted = true;
        counts.count_handshake(Handshake::Failed);
    }

    /// Notes that the connection is gone, which is a failure in the middle of the handshake.
    pub(crate) fn count_gone(&mut self, counts: &ThreadCounts) {
        if !self.is_counted {
            self.count_failed(counts);
        }
    }

    /// Appends `plain` sealed to `sealed`, behind what was unsent.
    pub(crate) fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        let taken = self.connection.writer().write(plain);
        debug_assert_eq!(taken.ok(), Some(plain.len()), "without a limit all is taken");
        self.take_unsent(sealed);
    }

    /// Appends what rustls itself wants to send.
    pub(crate) fn take_unsent(&mut self, sealed: &mut Vec<u8>) {
        while self.connection.wants_write() {
            let _infallible = self.connection.write_tls(sealed);
        }
    }

    /// Appends the announcement that nothing more comes.
    pub(crate) fn close(&mut self, sealed: &mut Vec<u8>) {
        self.connection.send_close_notify();
        self.take_unsent(sealed);
    }
}
