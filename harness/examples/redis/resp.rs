//! The protocol of Redis, versions 2 and 3 (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).
//!
//! Every value begins with a byte for its type and a line; a string's bytes and the values within an aggregate follow. To
//! find the end of a reply it is enough to count the values that are still to come, whatever their nesting, and to go on
//! where the last look ended. Reading borrows: strings and elements stay where they were received.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use loadr::library::custom::{BytesMut, Codec};
use loadr::prelude::{Failure, FailureKind};

/// Longest reply that is received, in bytes.
const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest line, in bytes: of a number or of a simple string.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Most values in one reply.
const VALUES_MAX: usize = 1_000_000;
/// Longest text of an error that is reported, in bytes.
const ERROR_BYTES_MAX: usize = 200;

/// What a server sent that is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RespError {
    #[error("reply of unknown type, first byte {0:#04x}")]
    Type(u8),
    #[error("line of a reply longer than {LINE_BYTES_MAX} bytes")]
    LineTooLong,
    #[error("line of a reply ends in a bare line feed")]
    BareLineFeed,
    #[error("number expected in a reply")]
    Number,
    #[error("length of {0} in a reply where {REPLY_BYTES_MAX} is the most")]
    Length(i64),
    #[error("bulk string does not end where its length says")]
    Unterminated,
    #[error("reply of more than {VALUES_MAX} values")]
    TooManyValues,
}

/// A reply, or a value within one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply<'b> {
    /// A short text, such as `OK`.
    Simple(&'b [u8]),
    /// An error in the server's words.
    Error(&'b [u8]),
    Integer(i64),
    /// A string of any bytes; for a verbatim one, with the three letters of its format and a colon in front.
    Bulk(&'b [u8]),
    Null,
    Boolean(bool),
    /// A floating-point or a big number, as it was written.
    Number(&'b [u8]),
    /// An array, a set or a push.
    Array(Elements<'b>),
    /// Keys and values in turn.
    Map(Elements<'b>),
}

/// The values within an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Elements<'b> {
    bytes: &'b [u8],
    count: usize,
}

impl<'b> Iterator for Elements<'b> {
    type Item = Reply<'b>;

    fn next(&mut self) -> Option<Reply<'b>> {
        self.count = self.count.checked_sub(1)?;
        // The whole reply was looked through when its end was found, and so were its parts.
        let end = Search::default().end(self.bytes).ok()??;
        let (value, rest) = self.bytes.split_at(end);
        self.bytes = rest;
        read(value).ok()
    }
}

/// The first line of a value, and what it announces.
struct Head<'b> {
    kind: u8,
    line: &'b [u8],
    /// Bytes of the line, with its type and its end.
    length: usize,
}

impl<'b> Head<'b> {
    /// `None` while the line has no end yet.
    fn of(bytes: &'b [u8]) -> Result<Option<Self>, RespError> {
        let Some(&kind) = bytes.first() else { return Ok(None) };
        if !b"+-:$*_#,(!=%~>|".contains(&kind) {
            return Err(RespError::Type(kind));
        }
        let searched = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
        match searched.iter().position(|&byte| byte == b'\n') {
            None if bytes.len() >= LINE_BYTES_MAX => Err(RespError::LineTooLong),
            None => Ok(None),
            Some(end) if bytes[end - 1] != b'\r' || end == 1 => Err(RespError::BareLineFeed),
            Some(end) => Ok(Some(Self { kind, line: &bytes[1..end - 1], length: end + 1 })),
        }
    }

    fn number(&self) -> Result<i64, RespError> {
        let text = std::str::from_utf8(self.line).map_err(|_| RespError::Number)?;
        text.parse().map_err(|_| RespError::Number)
    }

    /// The length that it announces; `None` for a null of version 2.
    fn announced(&self) -> Result<Option<usize>, RespError> {
        match self.number()? {
            -1 => Ok(None),
            length @ 0.. if length <= REPLY_BYTES_MAX as i64 => Ok(Some(length as usize)),
            length => Err(RespError::Length(length)),
        }
    }

    /// Bytes of a string behind the line, its end included.
    fn string_bytes(&self) -> Result<usize, RespError> {
        match self.kind {
            b'$' | b'!' | b'=' => Ok(self.announced()?.map_or(0, |length| length + 2)),
            _ => Ok(0),
        }
    }

    /// Values that follow the line and belong to it.
    fn values(&self) -> Result<usize, RespError> {
        match self.kind {
            b'*' | b'~' | b'>' => Ok(self.announced()?.unwrap_or(0)),
            b'%' => Ok(2 * self.announced()?.unwrap_or(0)),
            // Attributes come before the value that they are of.
            b'|' => Ok(2 * self.announced()?.unwrap_or(0) + 1),
            _ => Ok(0),
        }
    }
}

/// The search for the end of a reply, which goes on where it stopped.
#[derive(Debug)]
struct Search {
    /// Bytes of whole values seen so far.
    position: usize,
    /// Values still to come.
    awaited: usize,
    seen: usize,
}

impl Default for Search {
    fn default() -> Self {
        Self { position: 0, awaited: 1, seen: 0 }
    }
}

impl Search {
    /// Where the value at the beginning of `bytes` ends.
    fn end(&mut self, bytes: &[u8]) -> Result<Option<usize>, RespError> {
        while self.awaited > 0 {
            let rest = &bytes[self.position..];
            let Some(head) = Head::of(rest)? else { return Ok(None) };
            let end = head.length + head.string_bytes()?;
            if rest.len() < end {
                return Ok(None);
            }
            if end > head.length && !rest[..end].ends_with(b"\r\n") {
                return Err(RespError::Unterminated);
            }
            self.awaited += head.values()?;
            self.awaited -= 1;
            self.seen += 1;
            if self.seen + self.awaited > VALUES_MAX {
                return Err(RespError::TooManyValues);
            }
            self.position += end;
        }
        Ok(Some(self.position))
    }
}

/// Reads a whole value.
fn read(mut bytes: &[u8]) -> Result<Reply<'_>, RespError> {
    loop {
        let Some(head) = Head::of(bytes)? else { return Err(RespError::Unterminated) };
        let rest = &bytes[head.length..];
        if head.kind != b'|' {
            return read_value(&head, rest);
        }
        // Attributes, which nobody asked for, come before the value that they are of.
        let mut attributes = Search { awaited: head.values()? - 1, ..Search::default() };
        let end = attributes.end(rest)?.ok_or(RespError::Unterminated)?;
        bytes = &rest[end..];
    }
}

/// Reads a value whose line is `head`, and which goes on with `rest`.
fn read_value<'b>(head: &Head<'b>, rest: &'b [u8]) -> Result<Reply<'b>, RespError> {
    // A null of version 2 has nothing behind its line, and all others at least an end.
    let string = rest.len().checked_sub(2).map(|length| &rest[..length]);
    Ok(match head.kind {
        b'+' => Reply::Simple(head.line),
        b'-' => Reply::Error(head.line),
        b':' => Reply::Integer(head.number()?),
        b'_' => Reply::Null,
        b'#' => Reply::Boolean(head.line == b"t"),
        b',' | b'(' => Reply::Number(head.line),
        b'!' => string.map_or(Reply::Null, Reply::Error),
        b'$' | b'=' => string.map_or(Reply::Null, Reply::Bulk),
        kind => match head.announced()? {
            None => Reply::Null,
            Some(_) => {
                let elements = Elements { bytes: rest, count: head.values()? };
                if kind == b'%' { Reply::Map(elements) } else { Reply::Array(elements) }
            }
        },
    })
}

/// The codec of Redis's clients.
#[derive(Debug, Default)]
pub(crate) struct Resp {
    search: Search,
}

impl Codec for Resp {
    /// A command and its arguments.
    type Request<'r> = &'r [&'r str];
    type Message<'b> = Reply<'b>;
    type Error = RespError;

    fn encode(words: &[&str], into: &mut BytesMut) -> Result<(), RespError> {
        put_line(into, b'*', words.len());
        for word in words {
            put_line(into, b'$', word.len());
            into.extend_from_slice(word.as_bytes());
            into.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    fn frame(&mut self, unread: &[u8]) -> Result<Option<usize>, RespError> {
        let end = self.search.end(unread)?;
        if end.is_some() {
            self.search = Search::default();
        }
        Ok(end)
    }

    fn message<'b>(&mut self, frame: &'b [u8]) -> Result<Reply<'b>, RespError> {
        read(frame)
    }

    fn failure(reply: &Reply<'_>) -> Option<Failure> {
        let Reply::Error(text) = reply else { return None };
        let text = &text[..text.len().min(ERROR_BYTES_MAX)];
        let text: Cow<'_, str> = String::from_utf8_lossy(text);
        Some(Failure::new(FailureKind::Status, text.into_owned()))
    }

    fn frame_bytes_max(&self) -> usize {
        REPLY_BYTES_MAX
    }
}

/// The bytes of a command, for those that are sent again and again.
pub(crate) fn command(words: &[&str]) -> Box<[u8]> {
    let mut bytes = BytesMut::new();
    Resp::encode(words, &mut bytes).expect("any words are a command");
    bytes.to_vec().into()
}

fn put_line(into: &mut BytesMut, kind: u8, number: usize) {
    into.extend_from_slice(&[kind]);
    into.extend_from_slice(number.to_string().as_bytes());
    into.extend_from_slice(b"\r\n");
}
