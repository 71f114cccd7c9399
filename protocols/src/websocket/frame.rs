//! Frame headers (RFC 6455, 5.2): read with every rule that a header alone can break, and written.
//!
//! A header is judged byte by byte in the order in which it comes, so that what is wrong with it does
//! not depend on how much of it is there; an incomplete one is simply read again.

use std::fmt;

use bytes::BytesMut;

use super::{error::RemoteError, mask::MaskKey};

/// Bytes of the longest header: two, a length of eight, a mask key.
pub(crate) const HEADER_BYTES_MAX: usize = 14;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// More of the message that is being received.
    Continuation,
    /// A message of UTF-8 text, or its beginning.
    Text,
    /// A message of bytes, or its beginning.
    Binary,
    /// The last that its sender has to say.
    Close,
    /// Asks for a pong with the same payload.
    Ping,
    /// Answers a ping, or says unasked that the sender is alive.
    Pong,
}

impl Opcode {
    fn of(bits: u8) -> Result<Self, RemoteError> {
        Ok(match bits {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xa => Opcode::Pong,
            opcode => return Err(RemoteError::ReservedOpcode { opcode }),
        })
    }

    /// The four bits of it in a header.
    pub(crate) fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0x0,
            Opcode::Text => 0x1,
            Opcode::Binary => 0x2,
            Opcode::Close => 0x8,
            Opcode::Ping => 0x9,
            Opcode::Pong => 0xa,
        }
    }

    /// Close, ping and pong: never fragmented, never compressed, between the fragments of others.
    #[inline]
    pub fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong)
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Opcode::Continuation => "continuation",
            Opcode::Text => "text",
            Opcode::Binary => "binary",
            Opcode::Close => "close",
            Opcode::Ping => "ping",
            Opcode::Pong => "pong",
        })
    }
}

/// A header that has been read, or that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) opcode: Opcode,
    /// The last frame of its message.
    pub(crate) fin: bool,
    /// The message is compressed (RSV1, RFC 7692, 6).
    pub(crate) compressed: bool,
    pub(crate) mask: Option<MaskKey>,
    pub(crate) payload_bytes: u64,
}

/// What a header is held to, beside itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Frames come from a client, and so masked.
    pub(crate) masked: bool,
    /// Compression was agreed on.
    pub(crate) may_compress: bool,
    /// A fragmented message is not complete.
    pub(crate) in_message: bool,
}

/// Reads the header at the front of `unread` and says how long it is; `None` when it is not wholly
/// there and nothing is wrong with it so far.
#[inline]
pub(crate) fn read(
    unread: &[u8],
    expected: Expected,
) -> Result<Option<(Header, usize)>, RemoteError> {
    let Some((&first, rest)) = unread.split_first() else { return Ok(None) };
    let (fin, bits) = (first & 0x80 != 0, first >> 4 & 0b111);
    let opcode = Opcode::of(first & 0xf)?;
    check_first(opcode, fin, bits, expected)?;
    let Some((&second, rest)) = rest.split_first() else { return Ok(None) };
    let masked = second & 0x80 != 0;
    if masked != expected.masked {
        return Err(wrongly_masked(opcode, masked));
    }
    let Some((payload_bytes, length_bytes)) = read_length(opcode, second & 0x7f, rest)? else {
        return Ok(None);
    };
    let mask = match (masked, rest[length_bytes..].first_chunk()) {
        (false, _) => None,
        (true, Some(&key)) => Some(key),
        (true, None) => return Ok(None),
    };
    let header_bytes = 2 + length_bytes + if masked { 4 } else { 0 };
    let header = Header { opcode, fin, compressed: bits != 0, mask, payload_bytes };
    Ok(Some((header, header_bytes)))
}

#[inline]
fn check_first(opcode: Opcode, fin: bool, bits: u8, expected: Expected) -> Result<(), RemoteError> {
    if bits != 0 {
        check_reserved(opcode, bits, expected)?;
    }
    match opcode {
        Opcode::Close | Opcode::Ping | Opcode::Pong if !fin => {
            Err(RemoteError::FragmentedControl { opcode })
        }
        Opcode::Continuation if !expected.in_message => Err(RemoteError::ContinuationWithoutStart),
        Opcode::Text | Opcode::Binary if expected.in_message => {
            Err(RemoteError::InterruptedMessage { opcode })
        }
        _ => Ok(()),
    }
}

/// RFC 7692, 6: RSV1 alone, on the first frame of a message, says that it is compressed.
#[cold]
fn check_reserved(opcode: Opcode, bits: u8, expected: Expected) -> Result<(), RemoteError> {
    match opcode {
        Opcode::Continuation if bits == 0b100 && expected.may_compress => {
            Err(RemoteError::CompressedContinuation)
        }
        Opcode::Text | Opcode::Binary if bits == 0b100 && expected.may_compress => Ok(()),
        _ => Err(RemoteError::ReservedBits { bits, opcode }),
    }
}

#[cold]
fn wrongly_masked(opcode: Opcode, masked: bool) -> RemoteError {
    if masked { RemoteError::Masked { opcode } } else { RemoteError::NotMasked { opcode } }
}

/// The payload's length, and in how many more bytes than the second one it was given.
#[inline]
fn read_length(
    opcode: Opcode,
    short: u8,
    rest: &[u8],
) -> Result<Option<(u64, usize)>, RemoteError> {
    match short {
        0..=125 => Ok(Some((u64::from(short), 0))),
        _ if opcode.is_control() => Err(RemoteError::ControlTooLong { opcode }),
        126 => match rest.first_chunk() {
            Some(&bytes) => check_length(u64::from(u16::from_be_bytes(bytes)), 126, 2).map(Some),
            None => Ok(None),
        },
        _ => match rest.first_chunk() {
            Some(&bytes) => check_length(u64::from_be_bytes(bytes), 1 << 16, 8).map(Some),
            None => Ok(None),
        },
    }
}

/// RFC 6455, 5.2: "the minimal number of bytes MUST be used", "the most significant bit MUST be 0".
#[inline]
fn check_length(length: u64, least: u64, bytes: u8) -> Result<(u64, usize), RemoteError> {
    if length < least {
        return Err(RemoteError::LengthNotMinimal { length, bytes });
    }
    if length >> 63 != 0 {
        return Err(RemoteError::LengthTooLarge { length });
    }
    Ok((length, usize::from(bytes)))
}

impl Header {
    /// Appends the header, in the shortest form there is.
    #[inline]
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let rsv1 = if self.compressed { 0x40 } else { 0 };
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        let mut bytes = [0; HEADER_BYTES_MAX];
        bytes[0] = if self.fin { 0x80 } else { 0 } | rsv1 | self.opcode.bits();
        let mut count = 2;
        match self.payload_bytes {
            length @ 0..126 => bytes[1] = masked | length as u8,
            length @ 126..0x1_0000 => {
                bytes[1] = masked | 126;
                bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                count = 4;
            }
            length => {
                bytes[1] = masked | 127;
                bytes[2..10].copy_from_slice(&length.to_be_bytes());
                count = 10;
            }
        }
        if let Some(key) = self.mask {
            bytes[count..count + 4].copy_from_slice(&key);
            count += 4;
        }
        out.extend_from_slice(&bytes[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_were_written_in_the_fewest_bytes() {
        let lengths =
            [(0, 2), (125, 2), (126, 4), (0xffff, 4), (0x1_0000, 10), (u64::MAX >> 1, 10)];
        for (payload_bytes, unmasked_bytes) in lengths {
            for mask in [None, Some([1, 2, 3, 4])] {
                let opcode = Opcode::Binary;
                let header = Header { opcode, fin: false, compressed: true, mask, payload_bytes };
                let mut out = BytesMut::new();
                header.write(&mut out);
                let masked = mask.is_some();
                let expected = Expected { masked, may_compress: true, in_message: false };
                let length = unmasked_bytes + if masked { 4 } else { 0 };
                assert_eq!(read(&out, expected), Ok(Some((header, length))));
                for missing in 1..=length {
                    assert_eq!(read(&out[..length - missing], expected), Ok(None));
                }
                assert!(length <= HEADER_BYTES_MAX);
            }
        }
    }
}
