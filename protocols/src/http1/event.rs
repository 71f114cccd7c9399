//! What a caller sees of a response, borrowed from the receive buffer.
//!
//! A final response is always [`Event::Head`], then any number of [`Event::Body`] pieces (never
//! empty), then [`Event::End`]; interim responses come before it as [`Event::Interim`]. Header
//! fields are not collected: [`ResponseHead`] keeps the validated bytes and walks them only when
//! somebody asks, which in a plain load run nobody does.

use memchr::memchr;

/// One step in the reception of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// An interim (1xx) response other than 101; the final one is still to come.
    Interim {
        /// Its status code, 100 to 199.
        status: u16,
    },
    /// The head of a final response.
    Head(ResponseHead<'b>),
    /// A piece of the body, decoded and not empty.
    Body(&'b [u8]),
    /// The response is complete.
    End(End),
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Whether the connection can carry another exchange (RFC 9112, 9.3). False also after 101 and
    /// a successful CONNECT: what follows is another protocol's and stays in the buffer.
    pub keep_alive: bool,
    /// Decoded bytes of the body.
    pub body_bytes: u64,
    /// Bytes received for this response: interim responses, head, framing and body.
    pub wire_bytes: u64,
}

/// The protocol version that a response claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: closes unless it says `keep-alive`.
    Http10,
    /// HTTP/1.1: persists unless it says `close`.
    Http11,
}

/// A validated response head, still in the receive buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead<'b> {
    /// Status line, fields and empty line; every line ends in CRLF.
    pub(crate) raw: &'b [u8],
    pub(crate) status: u16,
    pub(crate) version: Version,
}

/// Bytes of `HTTP/1.x NNN`, where the reason phrase or the line's end follows.
const STATUS_BYTES: usize = 12;

impl<'b> ResponseHead<'b> {
    /// The status code, 100 to 999.
    #[inline]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The version of the status line.
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The reason phrase, often empty and without meaning (RFC 9112, 4).
    pub fn reason(&self) -> &'b [u8] {
        let (line, _) = split_line(&self.raw[STATUS_BYTES..]);
        line.strip_prefix(b" ").unwrap_or(line)
    }

    /// The head as received, from the status line to the empty line.
    #[inline]
    pub fn raw(&self) -> &'b [u8] {
        self.raw
    }

    /// The header fields in the order received.
    pub fn headers(&self) -> Headers<'b> {
        Headers::of_head(self.raw)
    }

    /// The first value of the field `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&'b [u8]> {
        let wanted = name.as_bytes();
        self.headers().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    }
}

/// The header fields of a head: names as received, values without surrounding whitespace.
#[derive(Clone, Debug)]
pub struct Headers<'b> {
    rest: &'b [u8],
}

impl<'b> Headers<'b> {
    /// The fields of a head that was kept as [`ResponseHead::raw`]; of no bytes, none.
    pub fn of_head(raw: &'b [u8]) -> Self {
        Headers { rest: split_line(raw).1 }
    }
}

impl<'b> Iterator for Headers<'b> {
    type Item = (&'b [u8], &'b [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (line, rest) = split_line(self.rest);
        let colon = memchr(b':', line)?;
        self.rest = rest;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    }
}

/// The bytes before the first CRLF, and those after it. A head that passed validation has one at
/// the end of each line; past the last there is an empty line for ever.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'\n', bytes) {
        Some(lf) => (&bytes[..lf.saturating_sub(1)], &bytes[lf + 1..]),
        None => (&[], &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(raw: &[u8]) -> ResponseHead<'_> {
        ResponseHead { raw, status: 200, version: Version::Http11 }
    }

    #[test]
    fn headers_are_walked_in_order_and_trimmed() {
        let head =
            head(b"HTTP/1.1 200 All is well\r\nA: 1\r\nb:\t two: 2 \t\r\nEmpty:\r\na: 3\r\n\r\n");
        let fields: Vec<_> = head.headers().collect();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"A", b"1"), (b"b", b"two: 2"), (b"Empty", b""), (b"a", b"3")];
        assert_eq!(fields, expected);
        assert_eq!(head.header("a"), Some(&b"1"[..]));
        assert_eq!(head.header("EMPTY"), Some(&b""[..]));
        assert_eq!(head.header("absent"), None);
        assert_eq!(head.reason(), b"All is well");
    }

    #[test]
    fn a_reason_phrase_may_be_empty_or_absent() {
        assert_eq!(head(b"HTTP/1.1 200 \r\n\r\n").reason(), b"");
        assert_eq!(head(b"HTTP/1.1 200\r\n\r\n").reason(), b"");
        assert_eq!(head(b"HTTP/1.1 200\r\n\r\n").headers().count(), 0);
    }
}
