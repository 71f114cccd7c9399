//! The fuzz contract of the WebSocket codec.
//!
//! Input: one byte choosing role, compression and limits, one byte choosing the splits, then frames.
//! For the handshake: all of it is the response.

use bytes::BytesMut;

use crate::{
    buffer::ReceiveBuffer,
    http1::{self, RequestKind, ResponseDecoder},
    websocket::{
        Decoder, Deflate, DeflateOffer, Encoder, Event, Limits, MessageKind, RemoteError, Role,
        UpgradeBuilder, limits::BUFFER_BYTES_MIN,
    },
};

use super::{receive, split};

/// One event of a transcript, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A message of text.
    Text(String),
    /// A message of bytes.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame.
    Close(Option<u16>, String),
    /// The peer's fault; always the last.
    Refused(RemoteError),
}

/// How a connection is read.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Who receives.
    pub role: Role,
    /// The bounds.
    pub limits: Limits,
    /// Whether compression was agreed on, and how.
    pub deflate: Option<Deflate>,
}

impl Terms {
    /// A client's, without compression and with the usual limits.
    pub fn client() -> Self {
        Self { role: Role::Client, limits: Limits::default(), deflate: None }
    }

    /// A server's, likewise.
    pub fn server() -> Self {
        Self { role: Role::Server, ..Self::client() }
    }

    /// The same with compression.
    pub fn deflated(self, deflate: Deflate) -> Self {
        Self { deflate: Some(deflate), ..self }
    }

    /// What the leading bytes of an input choose, and the choice of splits.
    fn of(data: &[u8]) -> Option<(Self, u8, &[u8])> {
        let (&[choice, splits], bytes) = data.split_first_chunk()?;
        let role = if choice & 1 == 0 { Role::Client } else { Role::Server };
        let terms = Deflate {
            server_no_context_takeover: choice & 4 != 0,
            client_no_context_takeover: choice & 8 != 0,
        };
        let small = Limits { message_bytes_max: 40 };
        let limits = if choice & 0x80 == 0 { Limits::default() } else { small };
        Some((Self { role, limits, deflate: (choice & 2 != 0).then_some(terms) }, splits, bytes))
    }
}

/// Decodes `pieces`, one read each, and then the close of the connection; stops early at an error.
///
/// # Panics
/// When the decoder breaks a promise: see [`websocket_frames`].
pub fn transcript<'p>(terms: Terms, pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<Seen> {
    let mut reader = Reader::new(terms);
    for piece in pieces {
        if reader.read(piece) {
            return reader.seen;
        }
    }
    reader.close();
    reader.seen
}

/// Any bytes, received at once: no panic, bounded memory, errors that last, nothing behind a close; and what was
/// understood is understood again when it is encoded.
pub fn websocket_frames(data: &[u8]) {
    let Some((terms, splits, bytes)) = Terms::of(data) else { return };
    let seen = transcript(terms, [bytes]);
    check_round_trip(terms, splits, &seen);
}

/// Any bytes, split anywhere: the same events, or the same error, as the whole.
pub fn websocket_splits(data: &[u8]) {
    let Some((terms, splits, bytes)) = Terms::of(data) else { return };
    let whole = transcript(terms, [bytes]);
    let pieces = transcript(terms, split(splits, bytes));
    assert_eq!(whole, pieces, "split differently: {}", bytes.escape_ascii());
    let each = transcript(terms, bytes.chunks(1));
    assert_eq!(whole, each, "split into bytes: {}", bytes.escape_ascii());
}

/// Any bytes as the answer to a handshake: judged without a panic, in few words, and never accepted without the one
/// value that answers the key.
pub fn websocket_handshake(data: &[u8]) {
    let upgrade = UpgradeBuilder::new("h", "/")
        .subprotocol("chat")
        .deflate(DeflateOffer { server_max_window_bits: Some(12), ..DeflateOffer::default() })
        .build()
        .expect("nothing is wrong with this request");
    let mut buffer = ReceiveBuffer::with_capacity(data.len(), data.len());
    let room = buffer.spare(data.len()).expect("the buffer was made for this");
    room[..data.len()].copy_from_slice(data);
    buffer.advance(data.len());
    let mut decoder = ResponseDecoder::default();
    decoder.expect(RequestKind::Other);
    while let Ok(Some(event)) = decoder.next(&mut buffer) {
        let http1::Event::Head(head) = event else { continue };
        match upgrade.check(*b"the sample nonce", &head) {
            Ok(_) => {
                let accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
                assert!(head.raw().windows(accept.len()).any(|window| window == accept));
                assert_eq!(head.status(), 101);
            }
            Err(error) => assert!(error.to_string().len() < 256, "a message is bounded: {error}"),
        }
    }
}

/// A decoder with its buffer, and what it has said so far.
struct Reader {
    terms: Terms,
    decoder: Decoder,
    buffer: ReceiveBuffer,
    seen: Vec<Seen>,
}

impl Reader {
    /// The buffer is small at first, so that inputs of any length compact and grow it, and may hold no more than the
    /// decoder's promise requires.
    fn new(terms: Terms) -> Self {
        let decoder = Decoder::new(terms.role, terms.limits, terms.deflate);
        let buffer = ReceiveBuffer::with_capacity(8, BUFFER_BYTES_MIN);
        Self { terms, decoder, buffer, seen: Vec::new() }
    }

    /// Receives a piece, in as many reads as the buffer has room for; whether there was an error.
    fn read(&mut self, mut piece: &[u8]) -> bool {
        while !piece.is_empty() && !self.decoder.is_closed() {
            piece = receive(&mut self.buffer, piece);
            if self.drain() {
                return true;
            }
        }
        false
    }

    fn drain(&mut self) -> bool {
        loop {
            let closed = self.decoder.is_closed();
            match self.decoder.next(&mut self.buffer) {
                Ok(Some(event)) => {
                    assert!(!closed, "nothing comes behind a close");
                    self.seen.push(owned(event));
                }
                Ok(None) => break,
                Err(error) => return self.refuse(error),
            }
        }
        // A vector that grows holds twice what is in it at most, and some is always kept.
        let bound = 2 * (2 * self.terms.limits.message_bytes_max.max(64 * 1024));
        assert!(self.decoder.held_bytes() <= bound, "{} bytes held", self.decoder.held_bytes());
        false
    }

    fn refuse(&mut self, error: RemoteError) -> bool {
        assert_eq!(self.decoder.next(&mut self.buffer), Err(error), "an error lasts");
        assert_eq!(self.decoder.end_of_input(&self.buffer), Err(error), "an error lasts");
        assert!(error.to_string().len() < 256, "a message is bounded: {error}");
        self.seen.push(Seen::Refused(error));
        true
    }

    fn close(&mut self) {
        match self.decoder.end_of_input(&self.buffer) {
            Ok(()) => assert!(matches!(self.seen.last(), Some(Seen::Close(..)))),
            Err(error) => {
                assert!(!self.decoder.is_closed());
                self.refuse(error);
            }
        }
    }
}

fn owned(event: Event<'_>) -> Seen {
    match event {
        Event::Text(text) => Seen::Text(text.to_owned()),
        Event::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        Event::Ping(payload) => Seen::Ping(payload.to_vec()),
        Event::Pong(payload) => Seen::Pong(payload.to_vec()),
        Event::Close(close) => Seen::Close(close.code, close.reason.to_owned()),
    }
}

/// Encodes events as the other side would, messages whole or in fragments of a size that `choice` gives.
pub fn encode(terms: Terms, choice: u8, events: &[Seen]) -> Vec<u8> {
    let sender = match terms.role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let key = (sender == Role::Client).then_some([choice, 0x5a, !choice, 0x01]);
    let mut encoder = Encoder::new(sender, terms.deflate);
    let mut out = BytesMut::new();
    for event in events {
        encode_one(&mut encoder, key, choice, event, &mut out);
    }
    out.to_vec()
}

fn encode_one(
    encoder: &mut Encoder,
    key: Option<[u8; 4]>,
    choice: u8,
    event: &Seen,
    out: &mut BytesMut,
) {
    let (kind, payload) = match event {
        Seen::Text(text) => (MessageKind::Text, text.as_bytes()),
        Seen::Binary(bytes) => (MessageKind::Binary, bytes.as_slice()),
        Seen::Ping(payload) => return encoder.ping(payload, key, out).expect("a ping fits"),
        Seen::Pong(payload) => return encoder.pong(payload, key, out).expect("a pong fits"),
        Seen::Close(code, reason) => {
            return encoder.close(*code, reason, key, out).expect("what was received may be sent");
        }
        Seen::Refused(_) => return,
    };
    match choice & 7 {
        0 => encoder.message(kind, payload, key, out),
        size => encoder.fragmented(kind, payload, usize::from(size), || key, out),
    }
}

/// What was understood is understood again, whoever sends it. Compression may add to a message of the largest size,
/// so there the limit is left out.
fn check_round_trip(terms: Terms, choice: u8, seen: &[Seen]) {
    let understood: Vec<Seen> =
        seen.iter().filter(|seen| !matches!(seen, Seen::Refused(_))).cloned().collect();
    let terms = Terms { limits: Limits::default(), ..terms };
    let mut again = transcript(terms, [encode(terms, choice, &understood).as_slice()]);
    if let Some(Seen::Refused(error)) = again.last() {
        assert_eq!(*error, RemoteError::ClosedWithoutClose);
        again.pop();
    }
    assert_eq!(again, understood);
}
