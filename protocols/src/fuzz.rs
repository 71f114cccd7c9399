//! The fuzz contract, as functions: what must hold of any bytes at all, split anywhere.
//!
//! Public so that the fuzz targets (outside the workspace, on nightly), the smoke form that runs as
//! an ordinary test, and the tests of the decoder all say the same; hidden because it is no part of
//! the interface. Panics are the findings. There is no randomness here: an input decides everything,
//! so a crash reproduces from its bytes.
//!
//! Input: one byte choosing what is awaited and which limits hold, one byte choosing the splits,
//! then what the target sends. HTTP/1.1 is here, what other protocols add in modules of their own.

pub mod websocket;
pub mod xmlrpc;

use crate::{
    buffer::ReceiveBuffer,
    http1::{End, Event, Limits, RemoteError, RequestKind, ResponseDecoder, ResponseHead, Version},
};

/// One event of a transcript, owned; pieces of a body are joined, since where it was split is not
/// part of its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// An interim response.
    Interim(u16),
    /// A head: version, status and raw bytes.
    Head(Version, u16, Vec<u8>),
    /// All of a body; none is recorded for an empty one.
    Body(Vec<u8>),
    /// The end of a response.
    End(End),
    /// The target's fault; always the last.
    Refused(RemoteError),
}

/// Decodes `pieces`, one read each, as responses to `awaited`, and then the close of the
/// connection; stops early at an error or where the connection is of no more use.
///
/// # Panics
/// When the decoder breaks a promise: see [`http1_response`].
pub fn transcript<'p>(
    awaited: &[RequestKind],
    limits: Limits,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Vec<Seen> {
    let mut reader = Reader::new(awaited, limits);
    for piece in pieces {
        if reader.read(piece) {
            return reader.seen;
        }
    }
    reader.close();
    reader.seen
}

/// Any bytes, received at once: no panic, bounded memory, events in order, errors that last.
pub fn http1_response(data: &[u8]) {
    let Some((case, bytes)) = Case::of(data) else { return };
    let seen = transcript(&case.awaited, case.limits, [bytes]);
    check_order(&seen);
}

/// Any bytes, split anywhere: the same events, or the same error, as the whole.
pub fn http1_splits(data: &[u8]) {
    let Some((case, bytes)) = Case::of(data) else { return };
    let whole = transcript(&case.awaited, case.limits, [bytes]);
    let split = transcript(&case.awaited, case.limits, split(case.splits, bytes));
    assert_eq!(whole, split, "split differently: {}", bytes.escape_ascii());
    let each = transcript(&case.awaited, case.limits, bytes.chunks(1));
    assert_eq!(whole, each, "split into bytes: {}", bytes.escape_ascii());
}

/// What the leading bytes of an input choose.
struct Case {
    awaited: Vec<RequestKind>,
    limits: Limits,
    splits: u8,
}

impl Case {
    fn of(data: &[u8]) -> Option<(Self, &[u8])> {
        let (&[choice, splits], bytes) = data.split_first_chunk()?;
        let kind = match choice & 3 {
            0 | 1 => RequestKind::Other,
            2 => RequestKind::Head,
            _ => RequestKind::Connect,
        };
        let mut awaited = vec![RequestKind::Other; usize::from(choice >> 2 & 3)];
        awaited.push(kind);
        let limits = if choice & 0x80 == 0 { Limits::default() } else { small_limits() };
        Some((Self { awaited, limits, splits }, bytes))
    }
}

/// Pieces of 1 to 16 bytes, whose lengths follow from the choice alone.
fn split(choice: u8, mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(choice);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (1 + (state >> 28) as usize).min(bytes.len());
        let (piece, rest) = bytes.split_at(length);
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Limits that short inputs reach.
fn small_limits() -> Limits {
    Limits {
        head_bytes_max: 96,
        headers_max: 3,
        interim_max: 1,
        body_bytes_max: Some(12),
        chunk_line_bytes_max: 8,
        trailer_bytes_max: 24,
    }
}

/// Receives as much of a piece as the buffer has room for; the rest of it. A decoder never leaves the buffer full: its
/// limits are met before that.
fn receive<'p>(buffer: &mut ReceiveBuffer, piece: &'p [u8]) -> &'p [u8] {
    let room = buffer.spare(1).expect("the decoder has left room for a byte");
    let count = room.len().min(piece.len());
    room[..count].copy_from_slice(&piece[..count]);
    buffer.advance(count);
    &piece[count..]
}

/// A decoder with its buffer, and what it has said so far.
struct Reader {
    decoder: ResponseDecoder,
    buffer: ReceiveBuffer,
    awaited: usize,
    seen: Vec<Seen>,
}

impl Reader {
    /// The buffer is small at first, so that inputs of any length compact and grow it, and may
    /// hold no more than the decoder's promise requires.
    fn new(awaited: &[RequestKind], limits: Limits) -> Self {
        let mut decoder = ResponseDecoder::new(limits);
        awaited.iter().for_each(|&kind| decoder.expect(kind));
        let max = limits.head_bytes_max.max(limits.trailer_bytes_max);
        let buffer = ReceiveBuffer::with_capacity(8, max);
        Self { decoder, buffer, awaited: awaited.len(), seen: Vec::new() }
    }

    /// Receives a piece, in as many reads as the buffer has room for; whether that was the last.
    fn read(&mut self, mut piece: &[u8]) -> bool {
        while !piece.is_empty() {
            piece = receive(&mut self.buffer, piece);
            if self.drain() {
                return true;
            }
        }
        false
    }

    fn drain(&mut self) -> bool {
        loop {
            match self.decoder.next(&mut self.buffer) {
                Ok(Some(event)) => note(&mut self.seen, event),
                Ok(None) => return self.is_over(),
                Err(error) => return self.refuse(error),
            }
        }
    }

    /// Whether the last response said that no other follows.
    fn is_over(&self) -> bool {
        let ends = self.seen.iter().filter(|seen| matches!(seen, Seen::End(_))).count();
        assert_eq!(self.decoder.outstanding(), self.awaited - ends);
        matches!(self.seen.last(), Some(Seen::End(End { keep_alive: false, .. })))
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
            Ok(Some(end)) => self.seen.push(Seen::End(end)),
            Ok(None) => assert_eq!(self.decoder.outstanding(), 0),
            Err(error) => {
                self.refuse(error);
            }
        }
    }
}

fn note(seen: &mut Vec<Seen>, event: Event<'_>) {
    match event {
        Event::Interim { status } => seen.push(Seen::Interim(status)),
        Event::Head(head) => {
            check_head(&head);
            seen.push(Seen::Head(head.version(), head.status(), head.raw().to_vec()));
        }
        Event::Body(piece) => {
            assert!(!piece.is_empty(), "no event for nothing");
            match seen.last_mut() {
                Some(Seen::Body(body)) => body.extend_from_slice(piece),
                _ => seen.push(Seen::Body(piece.to_vec())),
            }
        }
        Event::End(end) => seen.push(Seen::End(end)),
    }
}

/// The lazy walk over the fields sees every line of the head.
fn check_head(head: &ResponseHead<'_>) {
    let lines = head.raw().iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!(head.headers().count(), lines - 2, "{}", head.raw().escape_ascii());
    assert!(!head.reason().contains(&b'\r'));
}

/// Head, then at most one joined body of the length stated at the end, then the end; only
/// interim responses and errors stand elsewhere.
fn check_order(seen: &[Seen]) {
    let (mut in_response, mut body_bytes) = (false, 0);
    for (at, event) in seen.iter().enumerate() {
        match event {
            Seen::Interim(status) => assert!(!in_response && (100..200).contains(status)),
            Seen::Head(..) => {
                assert!(!in_response);
                (in_response, body_bytes) = (true, 0);
            }
            Seen::Body(body) => {
                assert!(in_response);
                body_bytes = body.len() as u64;
            }
            Seen::End(end) => {
                assert!(in_response && end.body_bytes == body_bytes);
                assert!(end.wire_bytes >= body_bytes);
                in_response = false;
            }
            Seen::Refused(_) => assert_eq!(at, seen.len() - 1),
        }
    }
}
