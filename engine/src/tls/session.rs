//! One connection's TLS, without its socket: records in, plaintext out, and the other way round.
//!
//! Both halves of a stream share a session. It holds no borrow while a half waits, and neither half waits for the other:
//!
//! - What is received is decrypted where the kernel put it and copied once, into the reader's own buffer. A record that has
//!   not arrived whole is kept in the session, so that the receiving memory can be lent to the kernel again: rustls wants to
//!   see such a beginning whenever it is asked anything, by the writer too. No more than the rest of that record is copied.
//! - What rustls wants to send by itself after the handshake (an answer to a key update) goes with the next sending, as
//!   RFC 8446, 4.6.3 allows, so that the reader never has to write.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use loadr_protocols::buffer::{BufferFull, ReceiveBuffer};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{Error, HandshakeKind};

use super::words::is_plain_text;
use super::{TlsClient, TlsError, Versions};

/// Bytes before a record's content: type, version, length (RFC 8446, 5.1).
const HEADER_BYTES: usize = 5;
/// Content of a full record, in bytes.
const RECORD_BYTES: usize = 16 * 1024;
/// More than any record adds to its content, in either version, with room for an answer to a key update besides.
const OVERHEAD_BYTES_MAX: usize = 128;
/// Largest message of the handshake that is kept until it is whole, in bytes: certificates are long, and are no longer.
const PARTIAL_BYTES_MAX: usize = 128 * 1024;
/// Content that is encrypted at once; what is longer goes in pieces.
pub(crate) const PIECE_BYTES: usize = 4 * RECORD_BYTES;

/// A session that both halves of a stream hold.
pub(crate) type Shared = Rc<RefCell<TlsSession>>;

/// The state of an encrypted connection.
pub(crate) struct TlsSession {
    /// Records that are not complete, or that belong to a message that is not.
    partial: ReceiveBuffer,
    records: Records,
}

/// rustls, and what it gives.
struct Records {
    connection: UnbufferedClientConnection,
    /// Records to be sent.
    outgoing: BytesMut,
    /// Plaintext that the reader's buffer had no room for.
    overflow: Vec<u8>,
    phase: Phase,
    versions: Versions,
    /// The target has said that it will send nothing more.
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been received that is TLS.
    Silent,
    Handshake,
    Traffic,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The handshake needs more from the target.
    Handshaking,
    /// The handshake is done.
    Ready,
}

impl TlsSession {
    pub(crate) fn new(
        client: &TlsClient,
        name: ServerName<'static>,
        protocols: Option<Vec<Vec<u8>>>,
    ) -> Result<Shared, TlsError> {
        let versions = client.versions();
        let config = Arc::clone(client.config()?);
        let connection = match protocols {
            None => UnbufferedClientConnection::new(config, name),
            Some(protocols) => UnbufferedClientConnection::new_with_alpn(config, name, protocols),
        };
        let connection = connection.map_err(|error| TlsError::Handshake { error, versions })?;
        Ok(Rc::new(RefCell::new(Self {
            partial: ReceiveBuffer::with_capacity(1, PARTIAL_BYTES_MAX),
            records: Records {
                connection,
                outgoing: BytesMut::new(),
                overflow: Vec::new(),
                phase: Phase::Silent,
                versions,
                is_closed: false,
            },
        })))
    }

    /// Goes as far as what has been received allows, and puts what was in it into `plain`; `cipher` is left empty.
    pub(crate) fn receive(
        &mut self,
        cipher: &mut ReceiveBuffer,
        plain: &mut ReceiveBuffer,
    ) -> Result<Step, TlsError> {
        let step = self.complete_partial(cipher, plain)?;
        if !self.partial.is_empty() {
            return Ok(step);
        }
        self.partial.shrink();
        let step = self.records.process(cipher, Some(plain), None)?;
        if !cipher.is_empty() {
            self.keep(cipher.take(cipher.len()))?;
        }
        Ok(step)
    }

    /// Plaintext that waits, up to the room in `plain`; returns how many bytes that were.
    pub(crate) fn take_overflow(&mut self, plain: &mut ReceiveBuffer) -> Result<usize, BufferFull> {
        let overflow = &mut self.records.overflow;
        if overflow.is_empty() {
            return Ok(0);
        }
        let room = plain.spare(1)?;
        let count = room.len().min(overflow.len());
        room[..count].copy_from_slice(&overflow[..count]);
        plain.advance(count);
        overflow.drain(..count);
        if overflow.is_empty() {
            *overflow = Vec::new();
        }
        Ok(count)
    }

    /// Whether the target has ended the stream, and everything of it has been taken.
    pub(crate) fn is_at_end(&self) -> bool {
        self.records.is_closed && self.records.overflow.is_empty()
    }

    /// What the end of the connection means, if it comes now.
    pub(crate) fn end_of_input(&self) -> TlsError {
        match self.records.phase {
            Phase::Traffic => TlsError::Truncated,
            Phase::Silent | Phase::Handshake => TlsError::ClosedInHandshake,
        }
    }

    /// Records with `content` in them, up to [`PIECE_BYTES`], behind those that were to be sent before.
    pub(crate) fn encrypt(&mut self, content: &[u8]) -> Result<Bytes, TlsError> {
        debug_assert!(content.len() <= PIECE_BYTES, "longer content goes in pieces");
        self.records.process(&mut self.partial, None, Some(content))?;
        Ok(self.take_outgoing())
    }

    /// What is to be sent now.
    pub(crate) fn take_outgoing(&mut self) -> Bytes {
        self.records.outgoing.split().freeze()
    }

    /// The last word to the target: that what was sent is complete (RFC 8446, 6.1).
    pub(crate) fn farewell(&mut self) -> Option<Bytes> {
        let records = &mut self.records;
        // rustls must see the beginnings of messages whenever it is asked, and with one there is more to come.
        if records.phase != Phase::Traffic || !self.partial.is_empty() {
            return None;
        }
        let status = records.connection.process_tls_records(&mut []);
        let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state else { return None };
        let begins = grow(&mut records.outgoing, OVERHEAD_BYTES_MAX);
        let written = traffic.queue_close_notify(&mut records.outgoing[begins..]);
        records.outgoing.truncate(begins + written.unwrap_or(0));
        Some(self.take_outgoing())
    }

    /// Whether the handshake resumed a session, once it is done.
    pub(crate) fn is_resumed(&self) -> bool {
        self.records.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The protocol agreed upon (RFC 7301).
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.records.connection.alpn_protocol()
    }

    /// Adds to a record in parts what it lacks, and processes it.
    fn complete_partial(
        &mut self,
        cipher: &mut ReceiveBuffer,
        plain: &mut ReceiveBuffer,
    ) -> Result<Step, TlsError> {
        let mut step = Step::Handshaking;
        while !self.partial.is_empty() && !cipher.is_empty() {
            let lacking = match lacking_bytes(self.partial.unread()) {
                // Whole, and kept because its message goes on in the next one.
                0 => cipher.len(),
                lacking => lacking.min(cipher.len()),
            };
            self.keep(cipher.take(lacking))?;
            step = self.records.process(&mut self.partial, Some(plain), None)?;
        }
        Ok(step)
    }

    fn keep(&mut self, rest: &[u8]) -> Result<(), TlsError> {
        let kept = self.partial.append(rest);
        kept.map_err(|_| self.records.error(Error::PeerSentOversizedRecord))
    }
}

impl Records {
    /// Has rustls look at `incoming` until it wants something else; encrypts `content` when it may.
    fn process(
        &mut self,
        incoming: &mut ReceiveBuffer,
        mut plain: Option<&mut ReceiveBuffer>,
        content: Option<&[u8]>,
    ) -> Result<Step, TlsError> {
        loop {
            let UnbufferedStatus { mut discard, state, .. } =
                self.connection.process_tls_records(incoming.unread_mut());
            let mut step = None;
            match state {
                Err(error) => {
                    incoming.consume(discard);
                    self.prepare_alert(incoming);
                    return Err(self.error(error));
                }
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(TlsError::Traffic)?;
                        discard += record.discard;
                        put(record.payload, plain.as_deref_mut(), &mut self.overflow);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    encode(&mut self.outgoing, |out| data.encode(out));
                }
                // It lies in `outgoing`, and goes before anything that is encrypted after it.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    self.phase = Phase::Traffic;
                    if let Some(content) = content {
                        let records = content.len().div_ceil(RECORD_BYTES) + 1;
                        let room = content.len() + records * OVERHEAD_BYTES_MAX;
                        let begins = grow(&mut self.outgoing, room);
                        let written = traffic.encrypt(content, &mut self.outgoing[begins..]);
                        self.outgoing.truncate(begins + *written.as_ref().unwrap_or(&0));
                        written.map_err(exhausted)?;
                    }
                    step = Some(Step::Ready);
                }
                Ok(ConnectionState::PeerClosed) => self.is_closed = true,
                Ok(ConnectionState::Closed) => step = Some(Step::Ready),
                // The handshake waits; early data is a server's affair.
                Ok(_) => step = Some(Step::Handshaking),
            }
            incoming.consume(discard);
            if discard > 0 && self.phase == Phase::Silent {
                self.phase = Phase::Handshake;
            }
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// What rustls has to say to the target about an error is made ready to be sent.
    #[cold]
    fn prepare_alert(&mut self, incoming: &mut ReceiveBuffer) {
        let status = self.connection.process_tls_records(incoming.unread_mut());
        if let Ok(ConnectionState::EncodeTlsData(mut alert)) = status.state {
            encode(&mut self.outgoing, |out| alert.encode(out));
        }
    }

    /// An error of rustls, by when it came.
    #[cold]
    fn error(&self, error: Error) -> TlsError {
        match self.phase {
            Phase::Silent if is_plain_text(&error) => TlsError::PlainText,
            Phase::Silent | Phase::Handshake => {
                TlsError::Handshake { error, versions: self.versions }
            }
            Phase::Traffic => TlsError::Traffic(error),
        }
    }
}

/// Bytes that are missing of the first record; 0 where it is whole.
fn lacking_bytes(record: &[u8]) -> usize {
    match record {
        [_, _, _, high, low, content @ ..] => {
            let bytes = usize::from(u16::from_be_bytes([*high, *low]));
            bytes.saturating_sub(content.len())
        }
        short => HEADER_BYTES - short.len(),
    }
}

/// Puts plaintext where the reader looks for it; what waits there already goes first.
fn put(payload: &[u8], plain: Option<&mut ReceiveBuffer>, overflow: &mut Vec<u8>) {
    let has_room = overflow.is_empty() && plain.is_some_and(|plain| plain.append(payload).is_ok());
    if !has_room {
        overflow.extend_from_slice(payload);
    }
}

/// Lengthens `out` by `bytes`; returns where they begin.
fn grow(out: &mut BytesMut, bytes: usize) -> usize {
    let begins = out.len();
    out.resize(begins + bytes, 0);
    begins
}

/// Appends a record of the handshake, whose length rustls tells when it is asked.
fn encode(out: &mut BytesMut, mut write: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    let mut room = 2 * 1024;
    loop {
        let begins = grow(out, room);
        let written = write(&mut out[begins..]);
        out.truncate(begins + *written.as_ref().unwrap_or(&0));
        match written {
            Err(EncodeError::InsufficientSize(needed)) => room = needed.required_size,
            _ => return,
        }
    }
}

#[cold]
fn exhausted(error: EncryptError) -> TlsError {
    TlsError::Traffic(Error::General(error.to_string()))
}
