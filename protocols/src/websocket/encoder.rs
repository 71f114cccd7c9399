//! The encoder: messages in, frames out, appended to whatever the caller is about to send.
//!
//! Mask keys are arguments: a client draws an unpredictable one for each frame (RFC 6455, 5.3), a
//! server gives none. Nothing here allocates once the output and, with compression, the scratch memory
//! have grown to the largest message.

use bytes::{Bytes, BytesMut};

use super::{
    close::{CloseError, ClosePayload, check_control},
    decoder::Role,
    deflate::{Compressor, Deflate},
    error::ControlTooLong,
    frame::{HEADER_BYTES_MAX, Header, Opcode},
    mask::{self, MaskKey},
};

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8, which the caller answers for: the peer will refuse anything else.
    Text,
    /// Any bytes.
    Binary,
}

impl From<MessageKind> for Opcode {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Text => Opcode::Text,
            MessageKind::Binary => Opcode::Binary,
        }
    }
}

/// Encodes the messages of one connection.
#[derive(Debug)]
pub struct Encoder {
    /// Says which of the agreed terms is ours.
    role: Role,
    deflate: Option<Deflate>,
    compressor: Option<Box<Compressor>>,
}

impl Encoder {
    /// An encoder for what the `role` sends, after the handshake. With `deflate` every message is
    /// compressed.
    pub fn new(role: Role, deflate: Option<Deflate>) -> Self {
        Self { role, deflate, compressor: None }
    }

    /// Appends a message as one frame; a key is given by clients, and only by them.
    #[inline]
    pub fn message(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        key: Option<MaskKey>,
        out: &mut BytesMut,
    ) {
        let (payload, compressed) =
            compressed(&mut self.compressor, self.role, self.deflate, payload);
        put_frame(kind.into(), true, compressed, payload, key, out);
    }

    /// Appends a message in fragments of at most `fragment_bytes` of payload (at least 1), the key of each
    /// drawn from `key`. Control frames may be put between them by encoding into other memory.
    pub fn fragmented(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fragment_bytes: usize,
        mut key: impl FnMut() -> Option<MaskKey>,
        out: &mut BytesMut,
    ) {
        let (mut rest, mut compressed) =
            compressed(&mut self.compressor, self.role, self.deflate, payload);
        let mut opcode = Opcode::from(kind);
        loop {
            let (fragment, after) = rest.split_at(rest.len().min(fragment_bytes.max(1)));
            put_frame(opcode, after.is_empty(), compressed, fragment, key(), out);
            if after.is_empty() {
                return;
            }
            (rest, opcode, compressed) = (after, Opcode::Continuation, false);
        }
    }

    /// Appends a message that was prepared, as a client, compressed only where this connection has agreed on that.
    #[inline]
    pub fn prepared(&mut self, message: &PreparedMessage, key: MaskKey, out: &mut BytesMut) {
        message.put(key, out);
        // The peer's window now has what ours has not: what comes next may not refer to anything.
        if let Some(compressor) = &mut self.compressor {
            compressor.forget();
        }
    }

    /// Appends a ping.
    ///
    /// # Errors
    /// More than 125 bytes of payload.
    pub fn ping(
        &self,
        payload: &[u8],
        key: Option<MaskKey>,
        out: &mut BytesMut,
    ) -> Result<(), ControlTooLong> {
        put_control(Opcode::Ping, payload, key, out)
    }

    /// Appends a pong, which carries the payload of the ping that it answers.
    ///
    /// # Errors
    /// More than 125 bytes of payload, which no ping has.
    pub fn pong(
        &self,
        payload: &[u8],
        key: Option<MaskKey>,
        out: &mut BytesMut,
    ) -> Result<(), ControlTooLong> {
        put_control(Opcode::Pong, payload, key, out)
    }

    /// Appends a close frame, behind which nothing may be sent; without a code it is empty.
    ///
    /// # Errors
    /// A code that may not be sent, a reason of more than 123 bytes.
    pub fn close(
        &self,
        code: Option<u16>,
        reason: &str,
        key: Option<MaskKey>,
        out: &mut BytesMut,
    ) -> Result<(), CloseError> {
        match code {
            Some(code) => {
                let payload = ClosePayload::new(code, reason)?;
                put_frame(Opcode::Close, true, false, payload.as_bytes(), key, out);
            }
            None => put_frame(Opcode::Close, true, false, b"", key, out),
        }
        Ok(())
    }
}

/// What is sent for a message, and whether that is compressed.
#[inline]
fn compressed<'p>(
    compressor: &'p mut Option<Box<Compressor>>,
    role: Role,
    deflate: Option<Deflate>,
    payload: &'p [u8],
) -> (&'p [u8], bool) {
    let Some(agreed) = deflate else { return (payload, false) };
    let compressor = compressor.get_or_insert_with(|| {
        Box::new(Compressor::new(match role {
            Role::Client => agreed.client_no_context_takeover,
            Role::Server => agreed.server_no_context_takeover,
        }))
    });
    (compressor.compress(payload), true)
}

fn put_control(
    opcode: Opcode,
    payload: &[u8],
    key: Option<MaskKey>,
    out: &mut BytesMut,
) -> Result<(), ControlTooLong> {
    check_control(payload)?;
    put_frame(opcode, true, false, payload, key, out);
    Ok(())
}

/// Appends one frame.
#[inline]
fn put_frame(
    opcode: Opcode,
    fin: bool,
    compressed: bool,
    payload: &[u8],
    mask: Option<MaskKey>,
    out: &mut BytesMut,
) {
    out.reserve(HEADER_BYTES_MAX + payload.len());
    let payload_bytes = payload.len() as u64;
    Header { opcode, fin, compressed, mask, payload_bytes }.write(out);
    let payload_at = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = mask {
        mask::apply(key, &mut out[payload_at..]);
    }
}

/// A message that a client sends over and over: its frame encoded, and compressed, once.
///
/// What is left to do each time is a copy and the mask: [`Encoder::prepared`]. Compressed, it refers to
/// nothing that was sent before it, so it is right on any connection that has agreed on compression.
#[derive(Clone, Debug)]
pub struct PreparedMessage {
    /// The frame with a mask key of zeroes, and so with its payload as it is.
    frame: Bytes,
    /// Where the payload begins.
    payload_at: usize,
    /// Bytes of the message, before compression.
    message_bytes: usize,
}

impl PreparedMessage {
    /// Encodes a message, compressed if `deflate` says so.
    pub fn new(kind: MessageKind, payload: &[u8], deflate: bool) -> Self {
        let mut frame = BytesMut::new();
        let mut encoder = Encoder::new(Role::Client, deflate.then(Deflate::default));
        encoder.message(kind, payload, Some([0; 4]), &mut frame);
        let payload_at = match frame[1] & 0x7f {
            127 => HEADER_BYTES_MAX,
            126 => 8,
            _ => 6,
        };
        Self { frame: frame.freeze(), payload_at, message_bytes: payload.len() }
    }

    #[inline]
    fn put(&self, key: MaskKey, out: &mut BytesMut) {
        let at = out.len();
        out.extend_from_slice(&self.frame);
        let frame = &mut out[at..];
        frame[self.payload_at - 4..self.payload_at].copy_from_slice(&key);
        mask::apply(key, &mut frame[self.payload_at..]);
    }

    /// Bytes on the wire.
    pub fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    /// Bytes of the message, before compression.
    pub fn message_bytes(&self) -> usize {
        self.message_bytes
    }
}
