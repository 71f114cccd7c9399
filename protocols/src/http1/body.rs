//! The three ways in which a body ends: by its length, by its last chunk, by the connection's close.
//!
//! Data is never copied: a step says how many bytes at the front of the buffer are body, and the
//! decoder lends them out. Framing (size lines, line ends) is consumed as it arrives, so a chunked
//! body needs no room beyond the data it is lending, and looks at each byte of framing once. Only a
//! trailer section stays in the buffer until it is whole, within its limit.

use crate::buffer::ReceiveBuffer;

use super::{
    error::RemoteError,
    limits::Limits,
    scan::{LineScan, is_text},
};

/// A body being received.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    /// RFC 9112, 6.2. No body at all is a length of 0.
    Length { expected: u64, remaining: u64 },
    /// RFC 9112, 7.1.
    Chunked(Chunked),
    /// RFC 9112, 6.3, rule 8.
    UntilClose,
}

/// What the front of the buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// This many bytes of body, at least 1, not yet consumed.
    Data(usize),
    /// Nothing until more is received.
    Starved,
    /// The end of the body; its framing has been consumed.
    Done,
}

impl Body {
    /// The next step, where `received` bytes of this body came before. A caller told
    /// [`Step::Data`] must consume it.
    #[inline]
    pub(crate) fn next(
        &mut self,
        buffer: &mut ReceiveBuffer,
        received: u64,
        limits: &Limits,
    ) -> Result<Step, RemoteError> {
        match self {
            Body::Length { remaining: 0, .. } => Ok(Step::Done),
            Body::Length { remaining, .. } => Ok(take_up_to(remaining, buffer.len())),
            Body::Chunked(chunked) => chunked.next(buffer, received, limits),
            Body::UntilClose => until_close(buffer.len(), received, limits),
        }
    }
}

/// Takes what is there of `remaining`.
#[inline]
fn take_up_to(remaining: &mut u64, available: usize) -> Step {
    if available == 0 {
        return Step::Starved;
    }
    let count = usize::try_from(*remaining).unwrap_or(usize::MAX).min(available);
    *remaining -= count as u64;
    Step::Data(count)
}

/// Gives out all that the limit allows before it refuses, so that a split makes no difference.
fn until_close(available: usize, received: u64, limits: &Limits) -> Result<Step, RemoteError> {
    let mut allowed = limits.body_bytes_max.map_or(u64::MAX, |limit| limit - received);
    match (limits.body_bytes_max, take_up_to(&mut allowed, available)) {
        (Some(limit), Step::Data(0)) => Err(RemoteError::BodyTooLong { limit }),
        (_, step) => Ok(step),
    }
}

/// Where in a chunked body the next byte stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before the first digit of a size.
    SizeStart,
    Size,
    /// In whitespace that only an extension may follow.
    Padding,
    Extension,
    /// Behind the CR of a size line.
    SizeCr,
    Data,
    /// Behind a chunk's data.
    DataEnd,
    /// Behind the CR after a chunk's data.
    DataCr,
    Trailers(LineScan),
}

/// A chunked body (RFC 9112, 7.1); extensions and trailer fields are checked and ignored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunked {
    place: Place,
    /// In a size line the size so far, in data what remains of it.
    size: u64,
    /// Bytes of the current size line.
    line_bytes: usize,
}

impl Chunked {
    /// A body of which nothing has been received.
    pub(crate) const fn new() -> Self {
        Self { place: Place::SizeStart, size: 0, line_bytes: 0 }
    }

    fn next(
        &mut self,
        buffer: &mut ReceiveBuffer,
        received: u64,
        limits: &Limits,
    ) -> Result<Step, RemoteError> {
        loop {
            match &mut self.place {
                Place::Data if self.size == 0 => self.place = Place::DataEnd,
                Place::Data => return Ok(take_up_to(&mut self.size, buffer.len())),
                Place::Trailers(scan) => return skip_trailers(scan, buffer, limits),
                _ if buffer.is_empty() => return Ok(Step::Starved),
                _ => self.read_framing(buffer, received, limits)?,
            }
        }
    }

    /// Consumes framing up to the next chunk's data, the trailers, or the end of what is there.
    fn read_framing(
        &mut self,
        buffer: &mut ReceiveBuffer,
        received: u64,
        limits: &Limits,
    ) -> Result<(), RemoteError> {
        let mut used = 0;
        for &byte in buffer.unread() {
            used += 1;
            self.step(byte, limits)?;
            if matches!(self.place, Place::Data | Place::Trailers(_)) {
                break;
            }
        }
        buffer.consume(used);
        match limits.body_limit_below(received.saturating_add(self.size)) {
            Some(limit) if matches!(self.place, Place::Data) => {
                Err(RemoteError::BodyTooLong { limit })
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, byte: u8, limits: &Limits) -> Result<(), RemoteError> {
        self.place = match (self.place, byte) {
            (Place::DataEnd, b'\r') => Place::DataCr,
            (Place::DataCr, b'\n') => Place::SizeStart,
            (Place::DataEnd | Place::DataCr, _) => return Err(RemoteError::ChunkDataEnd { byte }),
            (Place::SizeCr, b'\n') => self.end_size_line(),
            (Place::SizeCr, _) => return Err(RemoteError::ChunkLineEnd { byte }),
            (Place::Size | Place::Padding | Place::Extension, b'\n') => {
                return Err(RemoteError::ChunkLineEnd { byte });
            }
            _ => self.step_in_size_line(byte, limits)?,
        };
        Ok(())
    }

    /// RFC 9112, 7.1 and 7.1.1: `1*HEXDIG *( BWS ";" ... )`. Padding without an extension, which
    /// some old servers send, is outside that grammar and refused.
    fn step_in_size_line(&mut self, byte: u8, limits: &Limits) -> Result<Place, RemoteError> {
        match (self.place, byte) {
            (Place::Size | Place::Extension, b'\r') => return Ok(Place::SizeCr),
            _ => self.count_line_byte(limits)?,
        }
        match (self.place, byte) {
            (Place::SizeStart | Place::Size, _) if byte.is_ascii_hexdigit() => self.add_digit(byte),
            (Place::Size | Place::Padding, b';') => Ok(Place::Extension),
            (Place::Size | Place::Padding, b' ' | b'\t') => Ok(Place::Padding),
            (Place::Extension, _) if is_text(byte) => Ok(Place::Extension),
            (Place::Extension, _) => Err(RemoteError::ChunkExtension { byte }),
            _ => Err(RemoteError::ChunkSize { byte }),
        }
    }

    fn count_line_byte(&mut self, limits: &Limits) -> Result<(), RemoteError> {
        self.line_bytes += 1;
        if self.line_bytes > limits.chunk_line_bytes_max {
            return Err(RemoteError::ChunkLineTooLong { limit: limits.chunk_line_bytes_max });
        }
        Ok(())
    }

    /// RFC 9112, 7.1: "recipients MUST anticipate potentially large hexadecimal numerals".
    fn add_digit(&mut self, byte: u8) -> Result<Place, RemoteError> {
        let digit = char::from(byte).to_digit(16).ok_or(RemoteError::ChunkSize { byte })?;
        let shifted = self.size.checked_mul(16).ok_or(RemoteError::ChunkSizeOverflow)?;
        self.size = shifted | u64::from(digit);
        Ok(Place::Size)
    }

    /// A size of 0 is the last chunk, which has no data; trailers follow.
    fn end_size_line(&mut self) -> Place {
        self.line_bytes = 0;
        if self.size == 0 { Place::Trailers(LineScan::trailers()) } else { Place::Data }
    }
}

/// RFC 9112, 7.1.2: a recipient may discard trailer fields; they still have to be fields.
fn skip_trailers(
    scan: &mut LineScan,
    buffer: &mut ReceiveBuffer,
    limits: &Limits,
) -> Result<Step, RemoteError> {
    let window = &buffer.unread()[..buffer.len().min(limits.trailer_bytes_max)];
    match scan.advance(window, limits.fields_max())? {
        Some(length) => {
            buffer.consume(length);
            Ok(Step::Done)
        }
        None if window.len() == limits.trailer_bytes_max => {
            Err(RemoteError::TrailersTooLong { limit: limits.trailer_bytes_max })
        }
        None => Ok(Step::Starved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(buffer: &mut ReceiveBuffer, bytes: &[u8]) {
        buffer.spare(bytes.len()).unwrap()[..bytes.len()].copy_from_slice(bytes);
        buffer.advance(bytes.len());
    }

    /// Decodes `bytes`, received at once, into data.
    fn decode(
        mut body: Body,
        bytes: &[u8],
        limits: &Limits,
    ) -> (Vec<u8>, Result<Step, RemoteError>) {
        let mut buffer = ReceiveBuffer::default();
        receive(&mut buffer, bytes);
        let mut data = Vec::new();
        loop {
            match body.next(&mut buffer, data.len() as u64, limits) {
                Ok(Step::Data(count)) => data.extend_from_slice(buffer.take(count)),
                other => return (data, other),
            }
        }
    }

    fn chunked(bytes: &[u8]) -> (Vec<u8>, Result<Step, RemoteError>) {
        decode(Body::Chunked(Chunked::new()), bytes, &Limits::default())
    }

    #[test]
    fn chunks_are_joined_and_framing_is_dropped() {
        let coded = b"5\r\nhello\r\n0A;name=\"v;\"\r\n, chunked!\r\n000\r\nTrailer: x\r\n\r\n";
        assert_eq!(chunked(coded), (b"hello, chunked!".to_vec(), Ok(Step::Done)));
        assert_eq!(chunked(b"1 ;x\r\na\r\n0\r\n\r\n"), (b"a".to_vec(), Ok(Step::Done)));
    }

    #[test]
    fn the_largest_size_is_taken_and_one_more_is_refused() {
        assert_eq!(chunked(b"ffffffffffffffff\r\n"), (vec![], Ok(Step::Starved)));
        assert_eq!(chunked(b"00ffffffffffffffff\r\n"), (vec![], Ok(Step::Starved)));
        assert_eq!(chunked(b"10000000000000000\r\n").1, Err(RemoteError::ChunkSizeOverflow));
    }

    #[test]
    fn an_until_close_body_gives_out_its_allowance_before_it_is_refused() {
        let limits = Limits { body_bytes_max: Some(4), ..Limits::default() };
        let refused = Err(RemoteError::BodyTooLong { limit: 4 });
        assert_eq!(decode(Body::UntilClose, b"12345", &limits), (b"1234".to_vec(), refused));
        let passed = (b"1234".to_vec(), Ok(Step::Starved));
        assert_eq!(decode(Body::UntilClose, b"1234", &limits), passed);
    }

    #[test]
    fn a_length_leaves_what_follows_it_alone() {
        let body = Body::Length { expected: 3, remaining: 3 };
        assert_eq!(decode(body, b"abcdef", &Limits::default()), (b"abc".to_vec(), Ok(Step::Done)));
    }
}
