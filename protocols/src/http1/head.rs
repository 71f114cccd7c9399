//! Response heads, read at once by `httparse` when they are wholly there, which is nearly always.
//!
//! The array that header fields are parsed into lives on the stack and is never zeroed: only the
//! fields of this head are written. `httparse` tolerates a bare LF for CRLF; since each field says
//! where its name begins, two bytes looked at per line find that out without another pass.
//!
//! Under load a target sends the same head again and again, but for a date once a second. What a
//! head says follows from its bytes alone, and a head ends itself, so when what was received starts
//! with the very bytes of the last head, it says the same again: a comparison of a few vector
//! registers in place of a parse, which is most of the time that a small response takes to decode.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Response, Status};

use super::{
    error::RemoteError,
    event::Version,
    framing::{Announced, FramingFields},
    limits::{HEADERS_CAPACITY, Limits},
    scan::{LineScan, is_judgeable, not_a_status_line},
};

/// A head that is wholly in the buffer, and what it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParsedHead {
    pub(crate) bytes: usize,
    pub(crate) status: u16,
    pub(crate) version: Version,
    pub(crate) keep_alive: bool,
    /// Not yet an error: a response that has no body may say anything here.
    pub(crate) announced: Result<Announced, RemoteError>,
}

/// Longest head that is remembered: what a connection may hold for it.
const REMEMBERED_BYTES_MAX: usize = 512;

/// The last head that was read, for the next to be compared with.
#[derive(Debug, Default)]
pub(crate) struct LastHead {
    raw: Vec<u8>,
    parsed: Option<ParsedHead>,
}

impl LastHead {
    #[inline]
    fn again(&self, unread: &[u8]) -> Option<ParsedHead> {
        if unread.starts_with(&self.raw) { self.parsed } else { None }
    }

    /// Rounds its memory up, so that a longer Content-Length does not allocate once warm.
    fn remember(&mut self, raw: &[u8], parsed: ParsedHead) {
        if raw.len() > REMEMBERED_BYTES_MAX {
            return;
        }
        self.raw.clear();
        self.raw.reserve_exact(raw.len().next_multiple_of(128));
        self.raw.extend_from_slice(raw);
        self.parsed = Some(parsed);
    }
}

/// Reads the head at the front of `unread`; `None` when it is not wholly there. `scan` remembers
/// how far earlier calls for the same head have looked, `last` the head before it.
#[inline]
pub(crate) fn read(
    unread: &[u8],
    scan: &mut LineScan,
    last: &mut LastHead,
    limits: &Limits,
) -> Result<Option<ParsedHead>, RemoteError> {
    // Waiting for that much delays no head, and shows more of garbage than its first byte.
    if !is_judgeable(unread) {
        return Ok(None);
    }
    if scan.is_fresh() {
        if let Some(head) = last.again(unread) {
            return Ok(Some(head));
        }
        let window = &unread[..unread.len().min(limits.head_bytes_max)];
        if let Some(head) = parse(window, limits.fields_max()) {
            last.remember(&window[..head.bytes], head);
            return Ok(Some(head));
        }
    }
    read_slowly(unread, scan, limits)
}

/// Goes on scanning a head that came in pieces, or finds what is wrong with it.
#[cold]
fn read_slowly(
    unread: &[u8],
    scan: &mut LineScan,
    limits: &Limits,
) -> Result<Option<ParsedHead>, RemoteError> {
    let window = &unread[..unread.len().min(limits.head_bytes_max)];
    match scan.advance(window, limits.fields_max())? {
        Some(length) => match parse(&window[..length], limits.fields_max()) {
            Some(head) => Ok(Some(head)),
            // Scan and parser agree by test; should they ever not, the connection is given up.
            None => Err(not_a_status_line(window)),
        },
        None if window.len() == limits.head_bytes_max => {
            Err(RemoteError::HeadTooLong { limit: limits.head_bytes_max })
        }
        None => Ok(None),
    }
}

/// What there is to say of a head that the closed connection leaves unfinished.
#[cold]
pub(crate) fn cut_off(unread: &[u8], scan: &mut LineScan, limits: &Limits) -> RemoteError {
    let window = &unread[..unread.len().min(limits.head_bytes_max)];
    match scan.advance(window, limits.fields_max()) {
        Ok(_) => RemoteError::ClosedInHead { received: unread.len() },
        Err(error) => error,
    }
}

/// A whole and flawless head, or `None`: the scan knows which of the two it is not.
#[inline]
fn parse(window: &[u8], fields_max: usize) -> Option<ParsedHead> {
    // An empty line before it, which `httparse` skips, is for servers to tolerate (RFC 9112, 2.2);
    // from a target it means that the body before it was longer than declared.
    if window.first() != Some(&b'H') {
        return None;
    }
    let mut fields = [const { MaybeUninit::<Header<'_>>::uninit() }; HEADERS_CAPACITY];
    let mut response = Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        window,
        &mut fields[..fields_max],
    );
    let Ok(Status::Complete(bytes)) = parsed else { return None };
    let version = if response.version? == 0 { Version::Http10 } else { Version::Http11 };
    let status = response.code.filter(|&code| code >= 100)?;
    let noted = note_fields(&window[..bytes], response.headers)?;
    let announced = noted.announced(version, response.headers);
    Some(ParsedHead { bytes, status, version, keep_alive: noted.keep_alive(version), announced })
}

/// Notes the fields that frame the message; `None` when a line ends in a bare LF.
#[inline]
fn note_fields<'w>(head: &'w [u8], fields: &[Header<'w>]) -> Option<FramingFields<'w>> {
    let mut noted = FramingFields::default();
    for field in fields {
        let name_at = field.name.as_ptr().addr() - head.as_ptr().addr();
        if !head[..name_at].ends_with(b"\r\n") {
            return None;
        }
        noted.note(field);
    }
    head.ends_with(b"\r\n\r\n").then_some(noted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_default(head: &[u8]) -> Option<ParsedHead> {
        parse(head, HEADERS_CAPACITY)
    }

    #[test]
    fn the_fast_path_takes_whole_and_flawless_heads() {
        let head =
            b"HTTP/1.0 404 Not Found\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc";
        let parsed = parse_default(head).unwrap();
        assert_eq!((parsed.bytes, parsed.status), (head.len() - 3, 404));
        assert_eq!((parsed.version, parsed.keep_alive), (Version::Http10, true));
        assert_eq!(parsed.announced, Ok(Announced::Length(3)));
    }

    #[test]
    fn a_head_is_recognised_by_all_of_its_bytes() {
        let (limits, mut last) = (Limits::default(), LastHead::default());
        let mut length = |head: &[u8]| {
            let read = read(head, &mut LineScan::head(), &mut last, &limits).unwrap();
            read.map(|head| head.announced.unwrap())
        };
        for _ in 0..2 {
            let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc";
            assert_eq!(length(head), Some(Announced::Length(1)));
            assert_eq!(length(&head[..head.len() - 4]), None);
            let other = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
            assert_eq!(length(other), Some(Announced::Length(2)));
        }
        let long = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(600));
        assert_eq!(length(long.as_bytes()), Some(Announced::Nothing));
        assert!(last.raw.capacity() <= REMEMBERED_BYTES_MAX);
    }

    #[test]
    fn the_fast_path_leaves_everything_else_to_the_scan() {
        for head in [
            &b"HTTP/1.1 200 OK\r\nA: 1\r\n"[..],
            b"HTTP/1.1 200 OK\nA: 1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: 1\nB: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: 1\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: 1\r\n\n",
            b"HTTP/1.1 200 OK\n\r\n",
            b"HTTP/1.1 099 OK\r\n\r\n",
            b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            assert!(parse_default(head).is_none(), "{}", head.escape_ascii());
        }
    }
}
