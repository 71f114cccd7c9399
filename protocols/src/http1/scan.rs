//! A scan of header lines, one byte at a time, that can stop anywhere and go on later.
//!
//! `httparse` reads a head that is wholly there, and fast, but it starts over whenever it is asked,
//! takes a bare LF for a line end and does not say which byte it minds. This scan has the opposite
//! virtues: it looks at each byte once however a head is split, so a target that sends byte by byte
//! costs linear time, and it names the first byte that is wrong, so that the same bytes give the
//! same error whether they came at once or in pieces. Heads take it only when the fast path did not
//! do; trailer sections, which are rare, take it always.
//!
//! The two accept the same heads but for the bare LF; a property test holds that.

use super::error::{RemoteError, Snippet};

/// Fewest bytes of a whole head: `HTTP/1.1 200`, CRLF, CRLF.
pub(crate) const HEAD_BYTES_MIN: usize = 16;

/// Where in a head or trailer section the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In `HTTP/1.x NNN`, at this position.
    Status(u8),
    /// Behind the status code.
    StatusEnd,
    Reason,
    /// At the start of a field line, or of the empty line.
    LineStart,
    Name,
    Value,
    /// Behind the CR of a line.
    LineCr,
    /// Behind the CR of the empty line.
    EndCr,
    Done,
}

/// The scan's position in a section whose bytes stay unread until it is complete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineScan {
    place: Place,
    /// Bytes seen, from the start of the section.
    at: usize,
    line_start: usize,
    /// Position of the current line, from 1.
    line: usize,
    /// Lines that are no fields: 1 for the status line of a head.
    status_lines: usize,
}

impl LineScan {
    /// A scan of a response head.
    pub(crate) const fn head() -> Self {
        Self { place: Place::Status(0), at: 0, line_start: 0, line: 1, status_lines: 1 }
    }

    /// A scan of a trailer section, from behind the last chunk's size line.
    pub(crate) const fn trailers() -> Self {
        Self { place: Place::LineStart, at: 0, line_start: 0, line: 1, status_lines: 0 }
    }

    /// Whether nothing has been seen yet.
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        self.at == 0
    }

    /// Looks at what `section` has more than last time. `Some` is the length of the whole section.
    pub(crate) fn advance(
        &mut self,
        section: &[u8],
        fields_max: usize,
    ) -> Result<Option<usize>, RemoteError> {
        while let Some(&byte) = section.get(self.at) {
            self.place = step(self.place, byte).ok_or_else(|| self.fault(section, byte))?;
            self.at += 1;
            if byte == b'\n' {
                if self.place == Place::Done {
                    return Ok(Some(self.at));
                }
                self.end_line(fields_max)?;
            }
        }
        Ok(None)
    }

    fn end_line(&mut self, fields_max: usize) -> Result<(), RemoteError> {
        if self.line - self.status_lines > fields_max {
            return Err(RemoteError::TooManyHeaders { limit: fields_max });
        }
        self.line += 1;
        self.line_start = self.at;
        Ok(())
    }

    /// Names what is wrong with `byte`, the first that does not belong where it stands.
    #[cold]
    fn fault(&self, section: &[u8], byte: u8) -> RemoteError {
        let line = self.line;
        let found = Snippet::last(&section[self.line_start..=self.at]);
        match (self.place, byte) {
            (Place::LineCr | Place::EndCr, _) => RemoteError::BareCr { line },
            (Place::StatusEnd | Place::Reason | Place::LineStart | Place::Value, b'\n') => {
                RemoteError::BareLf { line }
            }
            (Place::LineStart, b' ' | b'\t') => RemoteError::ObsoleteFold { line },
            (Place::Name, b' ' | b'\t') => RemoteError::SpaceBeforeColon { found },
            (Place::Value, _) => RemoteError::HeaderValue { found },
            (Place::LineStart | Place::Name, _) => RemoteError::HeaderName { found },
            _ => not_a_status_line(section),
        }
    }
}

/// Whether there is enough of a head to judge it: as many bytes as the shortest has, or a whole line, after which a
/// target that speaks another protocol may well wait for us.
#[inline]
pub(crate) fn is_judgeable(section: &[u8]) -> bool {
    section.len() >= HEAD_BYTES_MIN || section.contains(&b'\n')
}

/// The error for a head that begins with something else; as many bytes of it as every split shows: those of the first
/// line, as far as they could be waited for.
#[cold]
pub(crate) fn not_a_status_line(section: &[u8]) -> RemoteError {
    let known = &section[..section.len().min(HEAD_BYTES_MIN)];
    let line_end = memchr::memchr(b'\n', known).map_or(known.len(), |lf| lf + 1);
    RemoteError::StatusLine { found: Snippet::first(&known[..line_end]) }
}

/// The place after `byte`, or `None` when the grammar has no such byte here.
#[inline]
fn step(place: Place, byte: u8) -> Option<Place> {
    match (place, byte) {
        (Place::Status(at), _) if fits_status(at, byte) => {
            Some(if at == 11 { Place::StatusEnd } else { Place::Status(at + 1) })
        }
        (Place::StatusEnd, b' ') => Some(Place::Reason),
        (Place::StatusEnd | Place::Reason | Place::Value, b'\r') => Some(Place::LineCr),
        (Place::Reason | Place::Value, _) if is_text(byte) => Some(place),
        (Place::LineCr, b'\n') => Some(Place::LineStart),
        (Place::LineStart, b'\r') => Some(Place::EndCr),
        (Place::LineStart | Place::Name, _) if is_token(byte) => Some(Place::Name),
        (Place::Name, b':') => Some(Place::Value),
        (Place::EndCr, b'\n') => Some(Place::Done),
        _ => None,
    }
}

/// RFC 9112, 4: `HTTP-version SP status-code`. RFC 9110, 15: codes begin at 100.
fn fits_status(at: u8, byte: u8) -> bool {
    match at {
        0..7 => byte == b"HTTP/1."[usize::from(at)],
        7 => matches!(byte, b'0' | b'1'),
        8 => byte == b' ',
        9 => matches!(byte, b'1'..=b'9'),
        _ => byte.is_ascii_digit(),
    }
}

/// RFC 9110, 5.5: what a field value or a reason phrase is made of.
#[inline]
pub(crate) fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// RFC 9110, 5.6.2: what a method or a field name is made of.
#[inline]
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(bytes: &[u8]) -> Result<Option<usize>, RemoteError> {
        LineScan::head().advance(bytes, 128)
    }

    #[test]
    fn the_shortest_head_is_complete_at_its_last_byte() {
        let head = b"HTTP/1.1 200\r\n\r\n";
        assert_eq!(head.len(), HEAD_BYTES_MIN);
        assert_eq!(scan(&head[..HEAD_BYTES_MIN - 1]), Ok(None));
        assert_eq!(scan(head), Ok(Some(HEAD_BYTES_MIN)));
    }

    #[test]
    fn a_trailer_section_may_be_empty_and_has_no_status_line() {
        assert_eq!(LineScan::trailers().advance(b"\r\nHTTP", 0), Ok(Some(2)));
        assert_eq!(LineScan::trailers().advance(b"a:1\r\n\r\n", 1), Ok(Some(7)));
        let refused = LineScan::trailers().advance(b"a:1\r\nb:2\r\n\r\n", 1);
        assert_eq!(refused, Err(RemoteError::TooManyHeaders { limit: 1 }));
    }

    #[test]
    fn faults_show_the_line_up_to_the_byte() {
        let fault = scan(b"HTTP/1.1 200 OK\r\nGood: 1\r\nBad\x01: 2\r\n");
        assert_eq!(fault, Err(RemoteError::HeaderName { found: Snippet::first(b"Bad\x01") }));
    }

    /// Pieces of heads, so that most of what is generated gets past the status line.
    fn head_like() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just(&b"\r\n"[..]), 4 => Just(&b"Name: value"[..]), 2 => Just(&b":"[..]),
            1 => Just(&b"\n"[..]), 1 => Just(&b"\r"[..]), 2 => Just(&b" "[..]),
            1 => Just(&b"\t"[..]), 1 => Just(&b"\0"[..]), 1 => Just(&b"\xe9"[..]),
            2 => Just(&b"x"[..]), 1 => Just(&b"\x7f"[..]), 1 => Just(&b"("[..]),
        ];
        let status = prop_oneof![
            8 => Just(&b"HTTP/1.1 200"[..]), 2 => Just(&b"HTTP/1.0 404 "[..]),
            1 => Just(&b"HTTP/1.2 200 "[..]), 1 => Just(&b"HTTP/1.1  200"[..]),
        ];
        (status, prop::collection::vec(piece, 0..12))
            .prop_map(|(status, pieces)| [status, &pieces.concat()].concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// What `httparse` says of a head, an independent reader, is what the scan says, but for
        /// the bare LF that it tolerates.
        #[test]
        fn agrees_with_httparse(mut bytes in head_like(), ended in any::<bool>()) {
            if ended {
                bytes.extend_from_slice(b"\r\n\r\n");
            }
            let mut headers = [httparse::EMPTY_HEADER; 128];
            let theirs = httparse::Response::new(&mut headers).parse(&bytes);
            match scan(&bytes) {
                Ok(Some(length)) => prop_assert_eq!(theirs, Ok(httparse::Status::Complete(length))),
                Ok(None) => prop_assert_eq!(theirs, Ok(httparse::Status::Partial)),
                Err(RemoteError::BareLf { .. }) => {}
                Err(error) => prop_assert!(theirs.is_err(), "{error}, {theirs:?}"),
            }
        }
    }
}
