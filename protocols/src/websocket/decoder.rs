//! The decoder: frames in, messages out; the state machine of a connection's receiving side.
//!
//! | state     | bytes                                       | end of input                      |
//! |-----------|---------------------------------------------|-----------------------------------|
//! | `Header`  | control or whole message: event, `Header`   | an error saying what was cut off  |
//! |           | close: event, `Closed`                      |                                   |
//! |           | otherwise: `Payload`                        |                                   |
//! | `Payload` | as much as there is; its end: `Header`,     | an error with both figures        |
//! |           | with an event when the message is complete  |                                   |
//! | `Closed`  | left alone                                  | fine                              |
//! | `Failed`  | the same error again                        | the same error again              |
//!
//! A message of one frame that is wholly in the receive buffer is lent from there. Every other is put
//! together in memory of the decoder's as it comes, so that it may be larger than any buffer, its text
//! is checked as it comes, and what was merely declared takes no memory.

use crate::buffer::ReceiveBuffer;

use super::{
    close::Close,
    deflate::{Deflate, Inflater},
    error::RemoteError,
    frame::{self, Expected, Header, Opcode},
    limits::Limits,
    mask::{self, MaskKey},
    message::{Assembly, Event},
    utf8,
};

/// Whose frames are decoded, or sent, on which side of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Receives unmasked frames and masks its own.
    Client,
    /// Receives masked frames and masks none.
    Server,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Header,
    Payload(Payload),
    /// The peer has said that it sends no more.
    Closed,
    Failed(RemoteError),
}

/// A data frame's payload that is being received.
#[derive(Clone, Copy, Debug)]
struct Payload {
    header: Header,
    received: u64,
}

/// What a step came to, before anything is borrowed for the caller.
enum Step {
    Starved,
    Again,
    /// Payload at the front of the buffer, which is an event by itself.
    Whole(Opcode, Option<MaskKey>, usize),
    /// The message that was put together.
    Assembled,
}

/// Decodes the frames of one connection.
///
/// After each read call [`Self::next`] until it gives `None`; when the peer closes do so too, then call
/// [`Self::end_of_input`]. The receive buffer's maximum must be at least
/// [`BUFFER_BYTES_MIN`](super::limits::BUFFER_BYTES_MIN). Allocates only for messages that come in
/// pieces or compressed, and not for those either once it has had one as large.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    state: State,
    /// The message that is being put together: whether it is compressed, and the bytes of its payloads so far.
    message: Option<(bool, u64)>,
    assembly: Assembly,
    deflate: Option<Deflate>,
    inflater: Option<Box<Inflater>>,
}

impl Decoder {
    /// A decoder for what the `role` receives, after the handshake.
    pub fn new(role: Role, limits: Limits, deflate: Option<Deflate>) -> Self {
        Self {
            role,
            limits,
            state: State::Header,
            message: None,
            assembly: Assembly::default(),
            deflate,
            inflater: None,
        }
    }

    /// Consumes and returns the next event; `None` when it takes more bytes, or none will come any more.
    ///
    /// # Errors
    /// The peer's fault; every later call returns the same.
    #[inline]
    pub fn next<'b>(
        &'b mut self,
        buffer: &'b mut ReceiveBuffer,
    ) -> Result<Option<Event<'b>>, RemoteError> {
        match self.advance(buffer) {
            Ok(Step::Whole(opcode, mask, count)) => {
                let payload = buffer.take_mut(count);
                if let Some(key) = mask {
                    mask::apply(key, payload);
                }
                let event = event(opcode, payload);
                self.after(event)
            }
            Ok(Step::Assembled) => Ok(Some(self.assembly.event())),
            Ok(Step::Starved | Step::Again) => Ok(None),
            Err(error) => self.after(Err(error)),
        }
    }

    /// Takes note that the peer closed the connection, once [`Self::next`] has given `None` for all that came.
    ///
    /// # Errors
    /// What the close cut off, if only the close frame; every later call returns the same.
    pub fn end_of_input(&mut self, buffer: &ReceiveBuffer) -> Result<(), RemoteError> {
        let error = match self.state {
            State::Closed => return Ok(()),
            State::Failed(error) => error,
            State::Payload(Payload { header, received }) => {
                RemoteError::ClosedInFrame { received, expected: header.payload_bytes }
            }
            State::Header => self.cut_off(buffer.unread()),
        };
        self.state = State::Failed(error);
        Err(error)
    }

    /// Whether a close frame has come: nothing else will.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Bytes of memory held for messages that have to be put together, the receive buffer apart.
    pub fn held_bytes(&self) -> usize {
        self.assembly.capacity()
    }

    /// Notes what an event, or an error, does to the connection.
    #[inline]
    fn after<'b>(
        &mut self,
        event: Result<Event<'b>, RemoteError>,
    ) -> Result<Option<Event<'b>>, RemoteError> {
        match event {
            Ok(Event::Close(_)) => self.state = State::Closed,
            Ok(_) => {}
            Err(error) => self.state = State::Failed(error),
        }
        event.map(Some)
    }

    #[inline]
    fn advance(&mut self, buffer: &mut ReceiveBuffer) -> Result<Step, RemoteError> {
        loop {
            let step = match &mut self.state {
                State::Header => self.begin_frame(buffer)?,
                State::Payload(_) => self.receive_payload(buffer)?,
                State::Closed => Step::Starved,
                State::Failed(error) => return Err(*error),
            };
            if !matches!(step, Step::Again) {
                return Ok(step);
            }
        }
    }

    #[inline]
    fn expected(&self) -> Expected {
        Expected {
            masked: self.role == Role::Server,
            may_compress: self.deflate.is_some(),
            in_message: self.message.is_some(),
        }
    }

    #[inline]
    fn begin_frame(&mut self, buffer: &mut ReceiveBuffer) -> Result<Step, RemoteError> {
        let unread = buffer.unread();
        let Some((header, header_bytes)) = frame::read(unread, self.expected())? else {
            return Ok(Step::Starved);
        };
        let is_here = (unread.len() - header_bytes) as u64 >= header.payload_bytes;
        let is_control = header.opcode.is_control();
        if is_control && !is_here {
            return Ok(Step::Starved);
        }
        if !is_control {
            self.check_size(&header)?;
        }
        buffer.consume(header_bytes);
        if is_control || is_here && is_alone(&header) {
            return Ok(Step::Whole(header.opcode, header.mask, header.payload_bytes as usize));
        }
        self.begin_payload(header);
        Ok(Step::Again)
    }

    /// The limit holds for what the headers of a message declare together.
    #[inline]
    fn check_size(&self, header: &Header) -> Result<(), RemoteError> {
        let so_far = self.message.map_or(0, |(_, bytes)| bytes);
        let declared = so_far.saturating_add(header.payload_bytes);
        let limit = self.limits.message_bytes_max;
        if declared > limit as u64 {
            return Err(RemoteError::MessageTooLong { declared, limit });
        }
        Ok(())
    }

    fn begin_payload(&mut self, header: Header) {
        if header.opcode != Opcode::Continuation {
            self.assembly.begin(header.opcode);
            self.message = Some((header.compressed, 0));
        }
        self.state = State::Payload(Payload { header, received: 0 });
    }

    fn receive_payload(&mut self, buffer: &mut ReceiveBuffer) -> Result<Step, RemoteError> {
        let State::Payload(payload) = &mut self.state else { return Ok(Step::Again) };
        let missing = payload.header.payload_bytes - payload.received;
        let count = missing.min(buffer.len() as u64) as usize;
        let piece = buffer.take_mut(count);
        if let Some(key) = payload.header.mask {
            mask::apply(mask::rotate(key, (payload.received % 4) as usize), piece);
        }
        payload.received += count as u64;
        let (is_whole, fin) = (count as u64 == missing, payload.header.fin);
        let compressed = self.note_received(count);
        if compressed {
            let inflater = inflater(&mut self.inflater, self.role, self.deflate);
            inflater.push(piece, &mut self.assembly, &self.limits)?;
        } else {
            self.assembly.push(piece)?;
        }
        match (is_whole, fin) {
            (false, _) => Ok(Step::Starved),
            (true, false) => {
                self.state = State::Header;
                Ok(Step::Again)
            }
            (true, true) => self.end_message(compressed),
        }
    }

    /// Counts bytes of the message; whether it is compressed.
    fn note_received(&mut self, count: usize) -> bool {
        let (compressed, bytes) = self.message.unwrap_or_default();
        self.message = Some((compressed, bytes + count as u64));
        compressed
    }

    fn end_message(&mut self, compressed: bool) -> Result<Step, RemoteError> {
        if compressed {
            let inflater = inflater(&mut self.inflater, self.role, self.deflate);
            inflater.end(&mut self.assembly, &self.limits)?;
        }
        self.assembly.end()?;
        self.message = None;
        self.state = State::Header;
        Ok(Step::Assembled)
    }

    /// What the end of the connection leaves unfinished, when it is no data frame's payload.
    #[cold]
    fn cut_off(&self, unread: &[u8]) -> RemoteError {
        match frame::read(unread, self.expected()) {
            Err(error) => error,
            Ok(Some((header, header_bytes))) => RemoteError::ClosedInFrame {
                received: (unread.len() - header_bytes) as u64,
                expected: header.payload_bytes,
            },
            Ok(None) if !unread.is_empty() => {
                RemoteError::ClosedInHeader { received: unread.len() }
            }
            Ok(None) => match self.message {
                Some((_, received)) => RemoteError::ClosedInMessage { received },
                None => RemoteError::ClosedWithoutClose,
            },
        }
    }
}

/// Whether the frame is a message by itself, and as it is.
#[inline]
fn is_alone(header: &Header) -> bool {
    header.fin && !header.compressed && header.opcode != Opcode::Continuation
}

/// The inflater, made for the first compressed message.
fn inflater(
    inflater: &mut Option<Box<Inflater>>,
    role: Role,
    deflate: Option<Deflate>,
) -> &mut Inflater {
    inflater.get_or_insert_with(|| {
        let agreed = deflate.unwrap_or_default();
        Box::new(Inflater::new(match role {
            Role::Client => agreed.server_no_context_takeover,
            Role::Server => agreed.client_no_context_takeover,
        }))
    })
}

/// The event that a frame is by itself.
#[inline]
fn event(opcode: Opcode, payload: &[u8]) -> Result<Event<'_>, RemoteError> {
    Ok(match opcode {
        Opcode::Text => Event::Text(utf8::whole(payload)?),
        Opcode::Binary | Opcode::Continuation => Event::Binary(payload),
        Opcode::Ping => Event::Ping(payload),
        Opcode::Pong => Event::Pong(payload),
        Opcode::Close => Event::Close(Close::parse(payload)?),
    })
}
