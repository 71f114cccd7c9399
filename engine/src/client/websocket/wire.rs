//! The two directions of a connection: frames sent, events received, and what the one has to do because of the other.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use loadr_protocols::websocket::{
    Agreed, Close, Decoder, Encoder, Event, Limits, MaskKey, MessageKind, Role, close,
};

use super::failure::{self, Awaited};
use super::message::{Message, Outgoing, View};
use crate::outcome::Failure;
use crate::random::SplitMix64;
use crate::stream::{ReadHalf, WriteHalf};
use crate::user::Context;

/// Largest memory, in bytes, that is kept for the frames to come.
const OUT_BYTES_MAX: usize = 64 * 1024;
/// How long a target is given to close a connection after both sides have said so, in nanoseconds.
const CLOSE_WAIT_NS: u64 = 100_000_000;

/// What takes the messages that come.
pub(super) trait Sink {
    /// Sees a message; true when it is the one that is awaited.
    fn message(&mut self, view: View<'_>, due: &mut Due) -> bool;

    /// Sees a pong; true when it is the one that is awaited.
    fn pong(&mut self, _payload: &[u8]) -> bool {
        false
    }
}

/// How reception went on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The sink has what it awaits.
    Taken,
    /// Something has to be sent before more is received.
    Due,
    /// The target has closed, and awaits that we do.
    Closed(Option<u16>, String),
}

/// What has to be sent because of what was received.
#[derive(Debug, Default)]
pub(super) struct Due {
    /// The latest ping: only that must be answered (RFC 6455, 5.5.3), so a flood of them takes no memory.
    ping: Option<Box<ControlPayload>>,
    pinged: bool,
    /// Messages to be sent back as they came; they all came in one receive buffer.
    echoes: Vec<Message>,
}

/// The payload of a control frame.
#[derive(Debug)]
struct ControlPayload {
    bytes: [u8; 125],
    count: usize,
}

impl Due {
    fn note_ping(&mut self, payload: &[u8]) {
        let kept =
            self.ping.get_or_insert_with(|| Box::new(ControlPayload { bytes: [0; 125], count: 0 }));
        kept.count = payload.len();
        kept.bytes[..kept.count].copy_from_slice(payload);
        self.pinged = true;
    }

    pub(super) fn echo(&mut self, view: &View<'_>) {
        self.echoes.push(view.to_message());
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        !self.pinged && self.echoes.is_empty()
    }
}

/// The sending direction.
pub(super) struct Sender {
    pub(super) write: WriteHalf,
    encoder: Encoder,
    /// Mask keys; nothing here is a secret, and a run is repeated from its seed.
    random: SplitMix64,
    out: BytesMut,
    /// Bytes of frames sent.
    pub(super) bytes_sent: u64,
    /// Those sent when the target last showed that it reads.
    pub(super) bytes_answered: u64,
}

impl Sender {
    pub(super) fn new(write: WriteHalf, agreed: &Agreed, seed: u64) -> Self {
        Self {
            write,
            encoder: Encoder::new(Role::Client, agreed.deflate),
            random: SplitMix64::new(seed),
            out: BytesMut::new(),
            bytes_sent: 0,
            bytes_answered: 0,
        }
    }

    #[inline]
    fn key(&mut self) -> MaskKey {
        (self.random.next_u64() as u32).to_ne_bytes()
    }

    /// The frame of a message.
    #[inline]
    pub(super) fn frame(&mut self, outgoing: Outgoing<'_>) -> Bytes {
        let key = self.key();
        let (encoder, out) = (&mut self.encoder, &mut self.out);
        match outgoing {
            Outgoing::Prepared(message) => encoder.prepared(message, key, out),
            Outgoing::Text(text) => {
                encoder.message(MessageKind::Text, text.as_bytes(), Some(key), out);
            }
            Outgoing::Binary(bytes) => encoder.message(MessageKind::Binary, bytes, Some(key), out),
        }
        self.take()
    }

    /// The frames that were encoded.
    #[inline]
    fn take(&mut self) -> Bytes {
        let bytes = self.out.split().freeze();
        self.bytes_sent += bytes.len() as u64;
        if bytes.len() > OUT_BYTES_MAX {
            self.out = BytesMut::new();
        }
        bytes
    }

    /// Bytes sent of which the target has not shown that it has read them.
    pub(super) fn unanswered_bytes(&self) -> u64 {
        self.bytes_sent - self.bytes_answered
    }

    /// Sends what is due, behind what was sent before.
    pub(super) async fn flush(&mut self, due: &mut Due) -> io::Result<()> {
        if std::mem::take(&mut due.pinged)
            && let Some(ping) = &due.ping
        {
            let key = self.key();
            let pong = &ping.bytes[..ping.count];
            self.encoder
                .pong(pong, Some(key), &mut self.out)
                .expect("a ping's payload fits a pong");
        }
        for message in due.echoes.drain(..) {
            let key = self.key();
            self.encoder.message(message.kind(), message.bytes(), Some(key), &mut self.out);
        }
        let bytes = self.take();
        self.write.write_all(bytes).await
    }

    /// Sends a ping.
    pub(super) async fn ping(&mut self, payload: &[u8]) -> io::Result<()> {
        let key = self.key();
        self.encoder.ping(payload, Some(key), &mut self.out).expect("our pings are short");
        let bytes = self.take();
        self.write.write_all(bytes).await
    }

    /// Sends a close frame, behind which nothing may be sent; a code or reason that cannot be sent is left out.
    pub(super) async fn close(&mut self, code: Option<u16>, reason: &str) -> io::Result<()> {
        let key = Some(self.key());
        if self.encoder.close(code, reason, key, &mut self.out).is_err() {
            let ended = self.encoder.close(None, "", key, &mut self.out);
            ended.expect("a close frame may be empty");
        }
        let bytes = self.take();
        self.write.write_all(bytes).await
    }
}

/// The receiving direction.
pub(super) struct Receiver {
    pub(super) read: ReadHalf,
    decoder: Decoder,
    pub(super) due: Due,
    /// When bytes were last received.
    pub(super) read_at_ns: u64,
    /// Bytes received.
    pub(super) bytes_received: u64,
    /// The close code that tells the target what it did wrong.
    pub(super) complaint: Option<u16>,
}

impl Receiver {
    pub(super) fn new(read: ReadHalf, limits: Limits, agreed: &Agreed) -> Self {
        Self {
            read,
            decoder: Decoder::new(Role::Client, limits, agreed.deflate),
            due: Due::default(),
            read_at_ns: 0,
            bytes_received: 0,
            complaint: None,
        }
    }

    /// Receives until the sink has what it awaits or something else has to be done.
    pub(super) async fn receive(
        &mut self,
        context: &Context,
        bounds: Bounds,
        sink: &mut impl Sink,
    ) -> Result<Step, Failure> {
        loop {
            if let Some(step) = self.received(sink)? {
                return Ok(step);
            }
            let filled = self.read.fill().await;
            self.read_at_ns = context.now_ns();
            match filled {
                Ok(0) => return Err(self.end_of_stream()),
                Ok(count) => self.bytes_received += count as u64,
                Err(error) => {
                    return Err(failure::of_stream(&error, bounds.awaited, bounds.timeout));
                }
            }
        }
    }

    /// What there is to say of all that was received; `None` when it takes more.
    #[inline]
    fn received(&mut self, sink: &mut impl Sink) -> Result<Option<Step>, Failure> {
        loop {
            let at_ns = self.read_at_ns;
            let event = match self.decoder.next(self.read.buffer()) {
                Ok(Some(event)) => event,
                Ok(None) if self.due.is_empty() => return Ok(None),
                Ok(None) => return Ok(Some(Step::Due)),
                Err(error) => {
                    self.complaint = error.close_code();
                    return Err(failure::of_frames(&error));
                }
            };
            let taken = match event {
                Event::Text(text) => {
                    let view = View::new(MessageKind::Text, text.as_bytes(), at_ns);
                    sink.message(view, &mut self.due)
                }
                Event::Binary(bytes) => {
                    sink.message(View::new(MessageKind::Binary, bytes, at_ns), &mut self.due)
                }
                Event::Pong(payload) => sink.pong(payload),
                Event::Ping(payload) => {
                    self.due.note_ping(payload);
                    false
                }
                Event::Close(Close { code, reason }) => {
                    return Ok(Some(Step::Closed(code, reason.to_owned())));
                }
            };
            if taken {
                return Ok(Some(Step::Taken));
            }
        }
    }

    /// Waits for the target to close, as was agreed: so that the closed connection's port waits on its side (TIME_WAIT) and
    /// not on ours.
    pub(super) async fn await_end(&mut self, context: &Context) {
        self.read.set_deadline(Some(context.now_ns() + CLOSE_WAIT_NS));
        while let Ok(1..) = self.read.fill().await {
            let stray = self.read.buffer().len();
            self.read.buffer().consume(stray);
        }
    }

    #[cold]
    fn end_of_stream(&mut self) -> Failure {
        match self.decoder.end_of_input(self.read.buffer()) {
            Ok(()) => failure::closed_by_target(Some(close::code::NORMAL), ""),
            Err(error) => failure::of_frames(&error),
        }
    }
}

/// What is waited for, and for how long at most; the deadline itself is the stream's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) awaited: Awaited,
    pub(super) timeout: Duration,
}
