//! Requests with slots: literal text checked once, values checked and put in as they are rendered.
//!
//! A [`SlottedTemplate`] is one run of literal bytes, cut where something else goes: a slot's value, the
//! length of the body, or the caller's extra header lines. Rendering reserves once, then copies pieces; it
//! allocates only where the buffer has no room. A value cannot break out of its place: in the target what
//! RFC 3986 does not allow there is percent-encoded, in a header field a control character is refused.

mod layout;

use bytes::{BufMut, BytesMut};

use super::{Method, RequestBuilder, RequestError, RequestKind};
use crate::http1::scan::is_text;
use layout::{Cut, Filling, Layout};

/// A piece of a target, a header field value or a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that is sent as it stands.
    Text(Vec<u8>),
    /// The value of the slot with this number, counted from 0.
    Slot(usize),
}

impl Piece {
    /// A piece of literal text.
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Piece::Text(text.as_ref().to_vec())
    }
}

/// A value that cannot be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// Fewer values than the template has slots.
    #[error("the request has {wanted} slots and was given {given} values")]
    Missing {
        /// Slots of the template.
        wanted: usize,
        /// Values given.
        given: usize,
    },
    /// A control character in the value of a slot in a header field (RFC 9110, 5.5).
    #[error("the value for slot {slot}, in a header field, has the control character '{}'", .byte.escape_ascii())]
    HeaderValue {
        /// The slot's number.
        slot: usize,
        /// The first such character.
        byte: u8,
    },
}

/// A request with slots being put together; nothing is checked before [`Self::build`].
#[derive(Clone, Debug)]
pub struct SlottedBuilder {
    method: Method,
    target: Vec<Piece>,
    headers: Vec<(String, Vec<Piece>)>,
    body: Option<Vec<Piece>>,
    close: bool,
}

impl SlottedBuilder {
    /// A request for the path and query that `target` makes, which begins with a literal `/`.
    pub fn new(method: Method, target: Vec<Piece>) -> Self {
        Self { method, target, headers: Vec::new(), body: None, close: false }
    }

    /// Adds a header field behind those added before; Host is required and always sent first.
    pub fn header(mut self, name: impl Into<String>, value: Vec<Piece>) -> Self {
        self.headers.push((name.into(), value));
        self
    }

    /// Sets the body; its Content-Length is computed at each rendering.
    pub fn body(mut self, body: Vec<Piece>) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks the target to close after its response, by `Connection: close`.
    pub fn connection_close(mut self, close: bool) -> Self {
        self.close = close;
        self
    }

    /// Checks what is literal and lays the request out.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn build(self) -> Result<SlottedTemplate, RequestError> {
        // What a slot may make of a request is checked with one harmless character in each.
        let mut probe = RequestBuilder::new(self.method.clone(), probe_text(&self.target)?);
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case("content-length") {
                return Err(RequestError::ComputedLength);
            }
            probe = probe.header(name.as_str(), probe_bytes(value));
        }
        if let Some(body) = &self.body {
            probe = probe.body(probe_bytes(body));
        }
        let says_close = probe.build()?.closes();
        let mut layout = Layout::default();
        let body_begins = layout.head(&self, self.close && !says_close);
        layout.pieces(self.body.as_deref().unwrap_or_default(), Filling::Body);
        Ok(SlottedTemplate {
            slots: layout.slots,
            kind: RequestKind::from(&self.method),
            closes: self.close || says_close,
            method: self.method,
            body_literal_bytes: layout.literal.len() - body_begins,
            literal: layout.literal.into(),
            cuts: layout.cuts.into(),
        })
    }
}

/// The target with its slots filled, which must begin with a literal slash.
fn probe_text(target: &[Piece]) -> Result<String, RequestError> {
    let probe = String::from_utf8_lossy(&probe_bytes(target)).into_owned();
    match target.first() {
        Some(Piece::Text(text)) if text.first() == Some(&b'/') => Ok(probe),
        _ => Err(RequestError::Target { target: probe }),
    }
}

fn probe_bytes(pieces: &[Piece]) -> Vec<u8> {
    let bytes = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.as_slice(),
        Piece::Slot(_) => b"x",
    });
    bytes.collect::<Vec<_>>().concat()
}

/// A request that lacks nothing but the values of its slots.
#[derive(Clone, Debug)]
pub struct SlottedTemplate {
    method: Method,
    kind: RequestKind,
    closes: bool,
    slots: usize,
    /// Bytes of the body that are literal.
    body_literal_bytes: usize,
    literal: Box<[u8]>,
    cuts: Box<[Cut]>,
}

/// Decimal digits of the largest length.
const LENGTH_DIGITS_MAX: usize = 20;

impl SlottedTemplate {
    /// Appends the request to `out`, with `values` in its slots and `extra_lines` before its blank line.
    ///
    /// `extra_lines` are whole header lines that the caller has checked, each with its CRLF. Values of more
    /// slots than there are do no harm.
    ///
    /// # Errors
    /// A value is missing or cannot stand where its slot is; `out` is then as it was.
    pub fn render(
        &self,
        values: &[&[u8]],
        extra_lines: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), SlotError> {
        if values.len() < self.slots {
            return Err(SlotError::Missing { wanted: self.slots, given: values.len() });
        }
        self.check(values)?;
        out.reserve(self.bytes_max(values, extra_lines));
        let mut copied = 0;
        for cut in &self.cuts {
            out.put_slice(&self.literal[copied..cut.at]);
            copied = cut.at;
            match cut.filling {
                Filling::Path(slot) => put_encoded(out, values[slot], is_path),
                Filling::Query(slot) => put_encoded(out, values[slot], is_query),
                Filling::Header(slot) | Filling::Body(slot) => out.put_slice(values[slot]),
                Filling::ExtraLines => out.put_slice(extra_lines),
                Filling::Length => put_decimal(out, self.body_bytes(values)),
            }
        }
        out.put_slice(&self.literal[copied..]);
        Ok(())
    }

    fn check(&self, values: &[&[u8]]) -> Result<(), SlotError> {
        for cut in &self.cuts {
            if let Filling::Header(slot) = cut.filling
                && let Some(&byte) = values[slot].iter().find(|&&byte| !is_text(byte))
            {
                return Err(SlotError::HeaderValue { slot, byte });
            }
        }
        Ok(())
    }

    /// Bytes of the request at most: a byte of the target takes three where it is percent-encoded.
    fn bytes_max(&self, values: &[&[u8]], extra_lines: &[u8]) -> usize {
        let fillings = self.cuts.iter().map(|cut| match cut.filling {
            Filling::Path(slot) | Filling::Query(slot) => 3 * values[slot].len(),
            Filling::Header(slot) | Filling::Body(slot) => values[slot].len(),
            Filling::ExtraLines => extra_lines.len(),
            Filling::Length => LENGTH_DIGITS_MAX,
        });
        self.literal.len() + fillings.sum::<usize>()
    }

    fn body_bytes(&self, values: &[&[u8]]) -> usize {
        let of_slots = self.cuts.iter().map(|cut| match cut.filling {
            Filling::Body(slot) => values[slot].len(),
            _ => 0,
        });
        self.body_literal_bytes + of_slots.sum::<usize>()
    }

    /// How many values a rendering takes.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// What to tell [`ResponseDecoder::expect`](crate::http1::ResponseDecoder::expect).
    #[inline]
    pub fn kind(&self) -> RequestKind {
        self.kind
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Whether the request says `Connection: close`.
    #[inline]
    pub fn closes(&self) -> bool {
        self.closes
    }
}

/// RFC 3986, 3.3: what a path may have; a slash in a value is one of the path.
fn is_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

/// RFC 3986, 3.4.
fn is_query(byte: u8) -> bool {
    is_path(byte) || byte == b'?'
}

/// A percent sign stands where it begins an escape, and is escaped where it does not.
fn put_encoded(out: &mut BytesMut, value: &[u8], allowed: fn(u8) -> bool) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for (index, &byte) in value.iter().enumerate() {
        if allowed(byte) || (byte == b'%' && begins_escape(&value[index..])) {
            out.put_u8(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.put_slice(&[b'%', HEX[high], HEX[low]]);
        }
    }
}

fn begins_escape(value: &[u8]) -> bool {
    matches!(value, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

fn put_decimal(out: &mut BytesMut, mut number: usize) {
    let mut digits = [0; LENGTH_DIGITS_MAX];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[first..]);
}

#[cfg(test)]
mod tests;
