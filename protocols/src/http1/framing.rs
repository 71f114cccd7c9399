//! What a head's fields say about the rest of the message: how long the body is, and whether the
//! connection outlives it (RFC 9112, 6.3 and 9.3).
//!
//! One pass over the fields notes the three that matter. The common case, one Content-Length and
//! nothing else, is decided from that; everything unusual goes to the cold functions below, which
//! walk the fields again. Where the RFC lets a recipient choose between guessing and refusing, this
//! refuses.

use httparse::Header;

use super::{
    error::{RemoteError, Snippet},
    event::Version,
};

/// The body that a head announces, before the request's method and the status have their say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Announced {
    Length(u64),
    Chunked,
    /// Neither length nor coding: the body lasts until the connection closes.
    Nothing,
}

/// The fields of one head that say how its message ends.
#[derive(Debug, Default)]
pub(crate) struct FramingFields<'w> {
    /// The last Content-Length, and how many there are.
    length: Option<&'w [u8]>,
    lengths: usize,
    transfer_encodings: usize,
    close: bool,
    keep_alive: bool,
}

impl<'w> FramingFields<'w> {
    /// Notes one field; the length of its name tells most of them apart.
    #[inline]
    pub(crate) fn note(&mut self, field: &Header<'w>) {
        match field.name.len() {
            10 if field.name.eq_ignore_ascii_case("connection") => self.note_options(field.value),
            14 if field.name.eq_ignore_ascii_case("content-length") => {
                self.length = Some(field.value);
                self.lengths += 1;
            }
            17 if field.name.eq_ignore_ascii_case("transfer-encoding") => {
                self.transfer_encodings += 1;
            }
            _ => {}
        }
    }

    /// The usual value is told without splitting a list.
    #[inline]
    fn note_options(&mut self, value: &[u8]) {
        if value == b"keep-alive" {
            self.keep_alive = true;
        } else {
            self.note_listed_options(value);
        }
    }

    fn note_listed_options(&mut self, value: &[u8]) {
        for option in list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// RFC 9112, 9.3: `close` wins, then HTTP/1.1 persists, then `keep-alive` does.
    #[inline]
    pub(crate) fn keep_alive(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    /// RFC 9112, 6.3, rules 3 to 8.
    #[inline]
    pub(crate) fn announced(
        &self,
        version: Version,
        fields: &[Header<'_>],
    ) -> Result<Announced, RemoteError> {
        match (self.transfer_encodings, self.lengths, self.length) {
            (0, 1, Some(value)) => content_length(value).map(Announced::Length),
            (0, 0, _) => Ok(Announced::Nothing),
            (0, ..) => repeated_length(fields).map(Announced::Length),
            (_, 0, _) => chunked(version, fields),
            _ => Err(RemoteError::LengthAndTransferEncoding),
        }
    }
}

/// The value of one Content-Length field.
#[inline]
fn content_length(value: &[u8]) -> Result<u64, RemoteError> {
    // 19 digits cannot overflow, and no list is that short to read that is worth the trouble here.
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return same_lengths(None, value);
    }
    Ok(value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cold]
fn repeated_length(fields: &[Header<'_>]) -> Result<u64, RemoteError> {
    let mut first = None;
    for field in named(fields, "content-length") {
        first = Some(same_lengths(first, field.value)?);
    }
    Ok(first.unwrap_or(0))
}

/// RFC 9112, 6.3, rule 5: a list passes when all its values are valid and the same.
#[cold]
fn same_lengths(mut first: Option<u64>, value: &[u8]) -> Result<u64, RemoteError> {
    let mut last = 0;
    for element in value.split(|&byte| byte == b',') {
        last = decimal(element.trim_ascii())
            .ok_or(RemoteError::ContentLength { found: Snippet::first(value) })?;
        let first = *first.get_or_insert(last);
        if first != last {
            return Err(RemoteError::ContentLengthConflict { first, second: last });
        }
    }
    Ok(last)
}

/// RFC 9110, 8.6: `1*DIGIT`, so no sign, no space, no underscore; below 2^64.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// RFC 9112, 6.1 and 7: all Transfer-Encoding fields are one list, which must be `chunked` alone.
#[cold]
fn chunked(version: Version, fields: &[Header<'_>]) -> Result<Announced, RemoteError> {
    if version == Version::Http10 {
        return Err(RemoteError::TransferEncodingInHttp10);
    }
    let mut codings = named(fields, "transfer-encoding")
        .flat_map(|field| list(field.value))
        .filter(|coding| !coding.is_empty());
    let first = codings.next().unwrap_or_default();
    if !first.eq_ignore_ascii_case(b"chunked") {
        return Err(RemoteError::TransferCoding { found: Snippet::first(first) });
    }
    match codings.next() {
        Some(second) => Err(RemoteError::TransferCoding { found: Snippet::first(second) }),
        None => Ok(Announced::Chunked),
    }
}

fn named<'h, 'w>(
    fields: &'h [Header<'w>],
    name: &'static str,
) -> impl Iterator<Item = &'h Header<'w>> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name))
}

/// RFC 9110, 5.6.1: the elements of a comma-separated list, whitespace around them removed; a
/// recipient passes over empty ones, which no caller here minds.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: Version, lines: &[(&str, &str)]) -> (Result<Announced, RemoteError>, bool) {
        let fields: Vec<_> =
            lines.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
        let mut noted = FramingFields::default();
        fields.iter().for_each(|field| noted.note(field));
        (noted.announced(version, &fields), noted.keep_alive(version))
    }

    fn announced(lines: &[(&str, &str)]) -> Result<Announced, RemoteError> {
        read(Version::Http11, lines).0
    }

    #[test]
    fn content_lengths_are_decimal_and_below_two_to_the_64th() {
        let max = u64::MAX;
        for (value, length) in
            [("0", 0), ("5", 5), ("007", 7), ("5, 5 ,5", 5), (&max.to_string(), max)]
        {
            assert_eq!(announced(&[("content-length", value)]), Ok(Announced::Length(length)));
        }
        for value in ["", "+5", "-5", "5 5", "0x5", "5_0", "5,", ",5", "18446744073709551616", "5;"]
        {
            let found = Snippet::first(value.as_bytes());
            let error = RemoteError::ContentLength { found };
            assert_eq!(announced(&[("content-length", value)]), Err(error), "{value:?}");
        }
    }

    #[test]
    fn repeated_content_lengths_must_agree() {
        let agree = [("Content-Length", "5"), ("CONTENT-LENGTH", "5")];
        assert_eq!(announced(&agree), Ok(Announced::Length(5)));
        let conflict = Err(RemoteError::ContentLengthConflict { first: 5, second: 6 });
        assert_eq!(announced(&[("Content-Length", "5"), ("Content-Length", "6")]), conflict);
        assert_eq!(announced(&[("Content-Length", "5, 6")]), conflict);
    }

    #[test]
    fn only_chunked_alone_is_a_transfer_encoding() {
        for value in ["chunked", "Chunked", " ,chunked, "] {
            assert_eq!(announced(&[("Transfer-Encoding", value)]), Ok(Announced::Chunked));
        }
        for (value, named) in [
            ("gzip, chunked", "gzip"),
            ("chunked, gzip", "gzip"),
            ("identity", "identity"),
            ("chunked, chunked", "chunked"),
            ("xchunked", "xchunked"),
            ("chunked;q=1", "chunked;q=1"),
            ("", ""),
        ] {
            let error = RemoteError::TransferCoding { found: Snippet::first(named.as_bytes()) };
            assert_eq!(announced(&[("Transfer-Encoding", value)]), Err(error), "{value:?}");
        }
    }

    #[test]
    fn connection_options_come_in_lists_lines_and_any_case() {
        type Lines = &'static [(&'static str, &'static str)];
        let cases: [(Version, Lines, bool); 7] = [
            (Version::Http11, &[], true),
            (Version::Http11, &[("Connection", "Upgrade, CLOSE")], false),
            (Version::Http11, &[("connection", "x"), ("Connection", "close")], false),
            (Version::Http11, &[("Connection", "closed")], true),
            (Version::Http10, &[], false),
            (Version::Http10, &[("Connection", "Keep-Alive")], true),
            (Version::Http10, &[("Connection", "keep-alive, close")], false),
        ];
        for (version, lines, keep_alive) in cases {
            assert_eq!(read(version, lines).1, keep_alive, "{version:?} {lines:?}");
        }
    }
}
