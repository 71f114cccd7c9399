//! Request bodies: where they end, and their content if a route wants it.
//!
//! Content is used as it comes; of chunked framing, only a line that is not complete waits for more
//! input. Chunk extensions and trailer fields are read over (RFC 9112, 7.1.1 and 7.1.2).

use crate::request::{BodyFraming, Refusal};

/// The largest body that is collected for its answer, as `/echo` does: 16 MiB. Bodies of other
/// routes are read over and may have any size.
pub(crate) const COLLECTED_BYTES_MAX: usize = 16 << 20;

/// The longest chunk-size or trailer line taken.
const LINE_BYTES_MAX: usize = 4096;

/// The most bytes of trailer fields taken.
const TRAILER_BYTES_MAX: usize = 16 * 1024;

const TOO_LARGE: Refusal =
    Refusal { status: 413, reason: "a body that is used may have 16777216 bytes" };

/// Reads one body.
#[derive(Debug)]
pub(crate) struct BodyReader {
    state: State,
    /// The content so far; `None` if nobody wants it.
    collected: Option<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of a body with Content-Length are to come.
    Length(u64),
    ChunkSize,
    /// So many bytes of the chunk are to come.
    ChunkData(u64),
    /// The CRLF after the content of a chunk.
    ChunkEnd,
    /// Trailer lines, of which so many bytes have come.
    Trailer(usize),
    Done,
}

impl BodyReader {
    /// A reader that keeps the content only if `collect` is set; refuses what is too large to keep.
    pub(crate) fn new(framing: BodyFraming, collect: bool) -> Result<Self, Refusal> {
        let state = match framing {
            BodyFraming::None => State::Done,
            BodyFraming::Length(bytes) if collect && bytes > COLLECTED_BYTES_MAX as u64 => {
                return Err(TOO_LARGE);
            }
            BodyFraming::Length(bytes) => State::Length(bytes),
            BodyFraming::Chunked => State::ChunkSize,
        };
        Ok(Self { state, collected: collect.then(Vec::new) })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The content, of a reader that collected it.
    pub(crate) fn into_content(self) -> Vec<u8> {
        self.collected.unwrap_or_default()
    }

    /// Takes what `input` has of the body and tells how many bytes that was.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let mut used = 0;
        while let Some(taken) = self.step(&input[used..])? {
            used += taken;
        }
        Ok(used)
    }

    /// One step of the state machine; `None` when it needs more input or is done.
    fn step(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        match self.state {
            State::Done => Ok(None),
            State::Length(left) | State::ChunkData(left) => self.content(left, input),
            State::ChunkSize => self.chunk_size(input),
            State::ChunkEnd => self.chunk_end(input),
            State::Trailer(so_far) => self.trailer(so_far, input),
        }
    }

    fn content(&mut self, left: u64, input: &[u8]) -> Result<Option<usize>, Refusal> {
        if input.is_empty() {
            return Ok(None);
        }
        let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        self.collect(&input[..taken])?;
        let left = left - taken as u64;
        self.state = match self.state {
            State::Length(_) if left == 0 => State::Done,
            State::Length(_) => State::Length(left),
            _ if left == 0 => State::ChunkEnd,
            _ => State::ChunkData(left),
        };
        Ok(Some(taken))
    }

    fn collect(&mut self, content: &[u8]) -> Result<(), Refusal> {
        let Some(collected) = &mut self.collected else { return Ok(()) };
        if collected.len() + content.len() > COLLECTED_BYTES_MAX {
            return Err(TOO_LARGE);
        }
        collected.extend_from_slice(content);
        Ok(())
    }

    fn chunk_size(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        let Some(line) = line(input)? else { return Ok(None) };
        let size = line.split(|&byte| byte == b';').next().unwrap_or(line).trim_ascii_end();
        self.state = match hexadecimal(size).ok_or(Refusal::bad("invalid chunk size"))? {
            0 => State::Trailer(0),
            size => State::ChunkData(size),
        };
        Ok(Some(line.len() + 2))
    }

    fn chunk_end(&mut self, input: &[u8]) -> Result<Option<usize>, Refusal> {
        match input {
            [b'\r', b'\n', ..] => {
                self.state = State::ChunkSize;
                Ok(Some(2))
            }
            [] | [b'\r'] => Ok(None),
            _ => Err(Refusal::bad("a chunk is longer than its size")),
        }
    }

    fn trailer(&mut self, so_far: usize, input: &[u8]) -> Result<Option<usize>, Refusal> {
        let Some(line) = line(input)? else { return Ok(None) };
        let so_far = so_far + line.len() + 2;
        if so_far > TRAILER_BYTES_MAX {
            return Err(Refusal { status: 431, reason: "trailers may have 16384 bytes" });
        }
        self.state = if line.is_empty() { State::Done } else { State::Trailer(so_far) };
        Ok(Some(line.len() + 2))
    }
}

/// The line that `input` begins with, without its CRLF; `None` while it is not complete.
fn line(input: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    match memchr::memchr(b'\n', &input[..input.len().min(LINE_BYTES_MAX)]) {
        None if input.len() >= LINE_BYTES_MAX => {
            Err(Refusal::bad("a chunk-size or trailer line exceeds 4096 bytes"))
        }
        None => Ok(None),
        Some(end) => match input[..end].strip_suffix(b"\r") {
            Some(line) => Ok(Some(line)),
            None => Err(Refusal::bad("LF without CR")),
        },
    }
}

/// Reads 1 to 16 hexadecimal digits.
fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |value: u64, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(value << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `input` in pieces of `piece` bytes, as a connection does: what is not used comes again
    /// with more.
    fn read_in_pieces(input: &[u8], piece: usize) -> Result<(Vec<u8>, usize), Refusal> {
        let mut reader = BodyReader::new(BodyFraming::Chunked, true)?;
        let (mut used, mut end) = (0, 0);
        while !reader.is_done() {
            assert!(end < input.len(), "the body does not end");
            end = input.len().min(end + piece);
            used += reader.read(&input[used..end])?;
        }
        Ok((reader.into_content(), used))
    }

    #[test]
    fn chunked_bodies_read_alike_at_every_split() {
        let body = b"5\r\nhello\r\nA;name=\"v\"\r\n, chunked!\r\n00\r\nTrailer: x\r\n\r\n";
        let with_more = [body.as_slice(), b"GET / "].concat();
        for piece in 1..=with_more.len() {
            let (content, used) = read_in_pieces(&with_more, piece).unwrap();
            assert_eq!(content, b"hello, chunked!", "pieces of {piece}");
            assert_eq!(used, body.len());
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        for body in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "0x5\r\n",
            "11112222333344445\r\n",
            "5\nhello",
            "2\r\nabc\r\n",
            "0\r\nTrailer\n",
        ] {
            let refused = read_in_pieces(body.as_bytes(), body.len());
            assert_eq!(refused.unwrap_err().status, 400, "{body:?}");
        }
        assert!(read_in_pieces(&[b'1'; LINE_BYTES_MAX], LINE_BYTES_MAX).is_err());
        let trailers = format!("0\r\n{}", "Name: value\r\n".repeat(2000));
        assert_eq!(read_in_pieces(trailers.as_bytes(), 1000).unwrap_err().status, 431);
    }

    #[test]
    fn lengths_end_where_they_say_and_may_be_read_over() {
        let mut reader = BodyReader::new(BodyFraming::Length(5), false).unwrap();
        assert_eq!(reader.read(b"abc"), Ok(3));
        assert!(!reader.is_done());
        assert_eq!(reader.read(b"deGET"), Ok(2));
        assert!(reader.is_done());
        assert!(reader.into_content().is_empty());
    }

    #[test]
    fn only_collected_bodies_are_limited() {
        let length = BodyFraming::Length(COLLECTED_BYTES_MAX as u64 + 1);
        assert_eq!(BodyReader::new(length, true).unwrap_err().status, 413);
        assert!(BodyReader::new(length, false).is_ok());
        let mut reader = BodyReader::new(BodyFraming::Chunked, true).unwrap();
        let chunk = [b"1000001\r\n".as_slice(), &vec![b'x'; COLLECTED_BYTES_MAX + 1]].concat();
        assert_eq!(reader.read(&chunk), Err(TOO_LARGE));
    }
}
