//! What a target can do wrong, each with the figure or the bytes that show it.
//!
//! Only *remote* errors are here: the target broke RFC 9112 or one of our limits, the exchange is a
//! counted failure and its connection is of no more use. What we ourselves get wrong about a
//! request is a [`RequestError`](super::RequestError) and never reaches the wire.
//!
//! Errors are small, `Copy` and comparable, and they depend on the bytes received alone, never on
//! how these were split into reads: so a message can be counted, and a test can name it exactly.

use std::fmt;

/// Bytes that a [`Snippet`] keeps at most.
pub const SNIPPET_BYTES_MAX: usize = 32;

/// A few of the bytes received, for an error message: bounded, and printed escaped and quoted.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Snippet {
    bytes: [u8; SNIPPET_BYTES_MAX],
    count: u8,
}

impl Snippet {
    /// Keeps the first bytes.
    pub fn first(bytes: &[u8]) -> Self {
        let count = bytes.len().min(SNIPPET_BYTES_MAX);
        let mut kept = [0; SNIPPET_BYTES_MAX];
        kept[..count].copy_from_slice(&bytes[..count]);
        Self { bytes: kept, count: count as u8 }
    }

    /// Keeps the last bytes.
    pub fn last(bytes: &[u8]) -> Self {
        Self::first(&bytes[bytes.len().saturating_sub(SNIPPET_BYTES_MAX)..])
    }

    /// The bytes kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.count)]
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

impl fmt::Debug for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The target's fault: what it sent, or failed to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Not an HTTP/1.0 or HTTP/1.1 status line (RFC 9112, 4): another protocol or version, HTTP/0.9,
    /// or a status code that is not three digits from 100 on.
    #[error(
        "the response begins with {found}, not with an HTTP/1.x status line{}",
        tls_hint(.found)
    )]
    StatusLine {
        /// How the response begins.
        found: Snippet,
    },
    /// A byte that no header field name may have, or a line without a colon (RFC 9112, 5).
    #[error("malformed header field name: {found}")]
    HeaderName {
        /// The end of the line, up to the first byte that is wrong.
        found: Snippet,
    },
    /// Whitespace between a field name and its colon (RFC 9112, 5.1).
    #[error("whitespace between a header field name and its colon: {found}")]
    SpaceBeforeColon {
        /// The end of the line, up to the first byte that is wrong.
        found: Snippet,
    },
    /// A control character in a header field value (RFC 9110, 5.5).
    #[error("control character in a header field value: {found}")]
    HeaderValue {
        /// The end of the line, up to the first byte that is wrong.
        found: Snippet,
    },
    /// A header line that begins with whitespace: obsolete line folding (RFC 9112, 5.2), or
    /// whitespace after the status line (RFC 9112, 2.2).
    #[error("line {line} of the header section begins with whitespace (obsolete line folding)")]
    ObsoleteFold {
        /// Position of the line, from 1; in a head the status line counts.
        line: usize,
    },
    /// A CR without LF in a head or trailer section (RFC 9112, 2.2).
    #[error("CR without LF in line {line} of the header section")]
    BareCr {
        /// Position of the line, from 1; in a head the status line counts.
        line: usize,
    },
    /// A line of a head or trailer section that ends in LF without CR (RFC 9112, 2.2).
    #[error("LF without CR in line {line} of the header section")]
    BareLf {
        /// Position of the line, from 1; in a head the status line counts.
        line: usize,
    },
    /// More header fields, or more trailer fields, than the limit.
    #[error("more than {limit} header fields")]
    TooManyHeaders {
        /// The limit exceeded.
        limit: usize,
    },
    /// A head longer than the limit.
    #[error("the response head is longer than {limit} bytes")]
    HeadTooLong {
        /// The limit exceeded, in bytes.
        limit: usize,
    },
    /// More interim responses (1xx) than the limit, and no final one.
    #[error("more than {limit} interim (1xx) responses to one request")]
    TooManyInterim {
        /// The limit exceeded.
        limit: usize,
    },
    /// A Content-Length that is not a decimal number below 2^64, or an empty list element of one
    /// (RFC 9112, 6.3, rule 5).
    #[error("invalid Content-Length: {found}")]
    ContentLength {
        /// The value, or its beginning.
        found: Snippet,
    },
    /// Content-Length values that contradict each other (RFC 9112, 6.3, rule 5).
    #[error("conflicting Content-Length values: {first} and {second}")]
    ContentLengthConflict {
        /// The first value.
        first: u64,
        /// The first that differs from it.
        second: u64,
    },
    /// Content-Length and Transfer-Encoding together, as in response splitting (RFC 9112, 6.3,
    /// rule 3).
    #[error("both Content-Length and Transfer-Encoding: the length of the response is ambiguous")]
    LengthAndTransferEncoding,
    /// A Transfer-Encoding other than `chunked` alone (RFC 9112, 6.1).
    #[error("unsupported transfer coding: {found}")]
    TransferCoding {
        /// The first coding that is not understood, or the second `chunked`.
        found: Snippet,
    },
    /// A Transfer-Encoding in an HTTP/1.0 response (RFC 9112, 6.1).
    #[error("Transfer-Encoding in an HTTP/1.0 response")]
    TransferEncodingInHttp10,
    /// A body longer than the limit.
    #[error("the response body is longer than {limit} bytes")]
    BodyTooLong {
        /// The limit exceeded, in bytes.
        limit: u64,
    },
    /// A byte that is no part of a chunk size (RFC 9112, 7.1), a missing one included.
    #[error("unexpected byte '{}' in a chunk size", .byte.escape_ascii())]
    ChunkSize {
        /// The byte.
        byte: u8,
    },
    /// A chunk size of 2^64 or more (RFC 9112, 7.1).
    #[error("a chunk size exceeds 64 bits")]
    ChunkSizeOverflow,
    /// A control character in a chunk extension (RFC 9112, 7.1.1).
    #[error("control character '{}' in a chunk extension", .byte.escape_ascii())]
    ChunkExtension {
        /// The byte.
        byte: u8,
    },
    /// A chunk's size line that does not end in CRLF (RFC 9112, 7.1).
    #[error("'{}' where a chunk's size line should end in CRLF", .byte.escape_ascii())]
    ChunkLineEnd {
        /// The byte found: a bare LF, or what followed a CR.
        byte: u8,
    },
    /// A chunk size with its extensions longer than the limit.
    #[error("a chunk's size line is longer than {limit} bytes")]
    ChunkLineTooLong {
        /// The limit exceeded, in bytes.
        limit: usize,
    },
    /// Chunk data not followed by CRLF (RFC 9112, 7.1).
    #[error("'{}' where CRLF should follow the chunk's data", .byte.escape_ascii())]
    ChunkDataEnd {
        /// The byte found.
        byte: u8,
    },
    /// A trailer section longer than the limit.
    #[error("the trailer section is longer than {limit} bytes")]
    TrailersTooLong {
        /// The limit exceeded, in bytes.
        limit: usize,
    },
    /// Bytes came that answer no request: a response more than asked for, a longer body than
    /// declared, or a farewell (408) on an idle connection.
    #[error("received bytes that answer no request")]
    Unsolicited,
    /// The connection was closed with responses still awaited and none of the next one received.
    #[error("connection closed before a response ({outstanding} awaited)")]
    ClosedBeforeResponse {
        /// Responses awaited.
        outstanding: usize,
    },
    /// The connection was closed inside a head (RFC 9112, 8).
    #[error("connection closed inside a response head, after {received} bytes")]
    ClosedInHead {
        /// Bytes of the head received.
        received: usize,
    },
    /// The connection was closed inside a body of known length (RFC 9112, 8).
    #[error("connection closed inside a response body: {received} of {expected} bytes received")]
    ClosedInBody {
        /// Bytes of the body received.
        received: u64,
        /// Bytes declared by Content-Length.
        expected: u64,
    },
    /// The connection was closed before the last chunk and its trailers (RFC 9112, 8).
    #[error("connection closed inside a chunked response body, after {received} bytes")]
    ClosedInChunkedBody {
        /// Decoded bytes of the body received.
        received: u64,
    },
}

/// What to try where the target answers with a TLS record, an alert or a handshake (RFC 8446, 5.1).
fn tls_hint(found: &Snippet) -> &'static str {
    match found.as_bytes() {
        [21 | 22, 3, ..] => ": it seems to speak TLS on this port, so try https://",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snippets_are_bounded_and_printable() {
        let long: Vec<u8> = (0..100).collect();
        assert_eq!(Snippet::first(&long).as_bytes(), &long[..32]);
        assert_eq!(Snippet::last(&long).as_bytes(), &long[68..]);
        assert_eq!(Snippet::first(b"a\"\r\n\0\xff").to_string(), r#""a\"\r\n\x00\xff""#);
    }

    #[test]
    fn messages_name_figure_or_bytes() {
        let cases = [
            (
                RemoteError::StatusLine { found: Snippet::first(b"SSH-2.0") },
                r#"the response begins with "SSH-2.0", not with an HTTP/1.x status line"#,
            ),
            (
                RemoteError::StatusLine { found: Snippet::first(&[21, 3, 3, 0, 2, 2, 50]) },
                r#"the response begins with "\x15\x03\x03\x00\x02\x022", not with an HTTP/1.x status line: it seems to speak TLS on this port, so try https://"#,
            ),
            (RemoteError::ChunkSize { byte: b'\r' }, r"unexpected byte '\r' in a chunk size"),
            (
                RemoteError::ClosedInBody { received: 3, expected: 10 },
                "connection closed inside a response body: 3 of 10 bytes received",
            ),
        ];
        for (error, message) in cases {
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn errors_stay_small_because_every_result_carries_one() {
        assert!(size_of::<RemoteError>() <= 40);
    }
}
