//! The part of an answer that is too long to be made at once.
//!
//! A tail gives its bytes piece by piece as the connection takes them, so a gigabyte costs no
//! memory: content comes from one block that all connections share, and only chunked framing is
//! written out, 64 KiB at a time.

use std::io::Write as _;

/// The content of `/bytes/N` and `/chunked/N`: byte k of it is byte `k % 64` of this pattern.
pub const BODY_PATTERN: &[u8; 64] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";

/// The pattern repeated, 256 KiB: as much as one send usually takes.
static BLOCK: [[u8; 64]; 4096] = [*BODY_PATTERN; 4096];

/// Sizes of the chunks of `/chunked/N`, in turn: hexadecimal sizes of every length up to five
/// digits.
const CHUNK_SIZES: [u64; 6] = [1, 15, 16, 255, 4096, 65536];

/// How much chunked framing is written out at a time, give or take a chunk.
const CHUNKED_BYTES_AT_ONCE: usize = 64 * 1024;

/// What is still to be sent of an answer after the bytes already written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Tail {
    #[default]
    Nothing,
    Content(Content),
    Chunked(Chunked),
    /// An echoed body, of which so many bytes are sent.
    Echo {
        body: Vec<u8>,
        sent: usize,
    },
}

impl Tail {
    pub(crate) fn content(bytes: u64) -> Self {
        if bytes == 0 { Self::Nothing } else { Self::Content(Content { position: 0, end: bytes }) }
    }

    pub(crate) fn chunked(bytes: u64) -> Self {
        let content = Content { position: 0, end: bytes };
        Self::Chunked(Chunked { content, index: 0 })
    }

    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }

    /// Bytes to send from where they are; empty if there are none of that kind.
    pub(crate) fn ready(&self) -> &[u8] {
        match self {
            Self::Nothing | Self::Chunked(_) => &[],
            Self::Content(content) => content.ready(),
            Self::Echo { body, sent } => &body[*sent..],
        }
    }

    /// Notes that the first `bytes` of [`ready`](Self::ready) were sent.
    pub(crate) fn advance(&mut self, bytes: usize) {
        let left = match self {
            Self::Nothing | Self::Chunked(_) => return,
            Self::Content(content) => {
                content.position += bytes as u64;
                content.left()
            }
            Self::Echo { body, sent } => {
                *sent += bytes;
                (body.len() - *sent) as u64
            }
        };
        if left == 0 {
            *self = Self::Nothing;
        }
    }

    /// Appends the next bytes that have to be written out, if there are any of that kind.
    pub(crate) fn write_next(&mut self, output: &mut Vec<u8>) {
        if let Self::Chunked(chunked) = self
            && chunked.write_next(output)
        {
            *self = Self::Nothing;
        }
    }
}

/// Part of the pattern, from one position to another.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    position: u64,
    end: u64,
}

impl Content {
    fn left(&self) -> u64 {
        self.end - self.position
    }

    /// The longest piece that the block has from here.
    fn ready(&self) -> &'static [u8] {
        let block = BLOCK.as_flattened();
        let start = (self.position % BODY_PATTERN.len() as u64) as usize;
        let left = usize::try_from(self.left()).unwrap_or(usize::MAX);
        &block[start..block.len().min(start.saturating_add(left))]
    }
}

/// A chunked body (RFC 9112, 7.1): every third chunk has an extension, a body of odd size has a
/// trailer field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    content: Content,
    index: u64,
}

impl Chunked {
    /// Whether a body of this many bytes is followed by a trailer field.
    pub(crate) fn has_trailer(bytes: u64) -> bool {
        bytes % 2 == 1
    }

    /// Writes out some chunks; true when that was the end of the body.
    fn write_next(&mut self, output: &mut Vec<u8>) -> bool {
        let enough = output.len() + CHUNKED_BYTES_AT_ONCE;
        while self.content.left() > 0 {
            if output.len() >= enough {
                return false;
            }
            self.write_chunk(output);
        }
        self.write_end(output);
        true
    }

    fn write_chunk(&mut self, output: &mut Vec<u8>) {
        let size = CHUNK_SIZES[(self.index % CHUNK_SIZES.len() as u64) as usize];
        let size = size.min(self.content.left());
        let _infallible = write!(output, "{size:x}");
        if self.index % 3 == 2 {
            let _infallible = write!(output, ";chunk=\"{}\"", self.index);
        }
        output.extend_from_slice(b"\r\n");
        output.extend_from_slice(&self.content.ready()[..size as usize]);
        output.extend_from_slice(b"\r\n");
        self.content.position += size;
        self.index += 1;
    }

    fn write_end(&self, output: &mut Vec<u8>) {
        output.extend_from_slice(b"0\r\n");
        if Self::has_trailer(self.content.end) {
            let _infallible = write!(output, "X-Body-Bytes: {}\r\n", self.content.end);
        }
        output.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(bytes: u64) -> Vec<u8> {
        BODY_PATTERN.iter().copied().cycle().take(bytes as usize).collect()
    }

    #[test]
    fn content_is_the_pattern_however_it_is_taken() {
        for step in [1, 7, 64, 100_000] {
            let (mut tail, mut taken) = (Tail::content(300_001), Vec::new());
            while !tail.is_nothing() {
                let bytes = tail.ready().len().min(step);
                taken.extend_from_slice(&tail.ready()[..bytes]);
                tail.advance(bytes);
            }
            assert_eq!(taken, pattern(300_001), "steps of {step}");
        }
    }

    #[test]
    fn the_largest_block_piece_is_long() {
        assert_eq!(Tail::content(1 << 30).ready().len(), BLOCK.as_flattened().len());
    }

    #[test]
    fn chunks_follow_the_documented_rule() {
        let mut output = Vec::new();
        let mut tail = Tail::chunked(33);
        tail.write_next(&mut output);
        assert!(tail.is_nothing());
        let content = String::from_utf8(pattern(33)).unwrap();
        let (first, second) = (&content[..1], &content[1..16]);
        let expected = format!(
            "1\r\n{first}\r\nf\r\n{second}\r\n10;chunk=\"2\"\r\n{}\r\n1\r\n{}\r\n\
             0\r\nX-Body-Bytes: 33\r\n\r\n",
            &content[16..32],
            &content[32..]
        );
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }

    #[test]
    fn chunked_bodies_are_written_out_in_bounded_pieces() {
        let (mut tail, mut total) = (Tail::chunked(10_000_000), 0);
        while !tail.is_nothing() {
            let mut output = Vec::new();
            tail.write_next(&mut output);
            assert!(output.len() < 2 * CHUNKED_BYTES_AT_ONCE + 64, "{}", output.len());
            total += output.len();
        }
        assert!(total > 10_000_000);
    }

    #[test]
    fn an_empty_body_is_only_its_end() {
        let mut output = Vec::new();
        Tail::chunked(0).write_next(&mut output);
        assert_eq!(output, b"0\r\n\r\n");
        assert!(Tail::content(0).is_nothing());
    }
}
