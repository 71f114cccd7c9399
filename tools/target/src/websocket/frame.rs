//! Frames of RFC 6455: headers read and written, and payloads unmasked.
//!
//! A payload is unmasked while it is copied to where it is wanted, which for an echo is the output:
//! nothing is allocated and no byte is moved twice.

/// The longest payload of a control frame (5.5).
pub(super) const CONTROL_BYTES_MAX: usize = 125;

/// Close codes that the target gives by itself (7.4.1).
pub(super) const PROTOCOL_ERROR: u16 = 1002;
pub(super) const NOT_UTF8: u16 = 1007;
pub(super) const TOO_BIG: u16 = 1009;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub(super) fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// Why a client's frame ends the connection: the code and the words of the close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: u16,
    pub(super) reason: &'static str,
}

impl Violation {
    pub(super) const fn protocol(reason: &'static str) -> Self {
        Self { code: PROTOCOL_ERROR, reason }
    }
}

/// The header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    /// It is the last frame of its message.
    pub(super) is_last: bool,
    pub(super) mask: [u8; 4],
    /// Bytes of the payload.
    pub(super) payload_len: u64,
    /// Bytes of the header itself.
    pub(super) len: usize,
}

impl Header {
    /// Reads the header that `input` begins with; `None` while it is not complete.
    #[inline]
    pub(super) fn read(input: &[u8]) -> Result<Option<Self>, Violation> {
        let &[first, second, ..] = input else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(Violation::protocol("reserved bits are set"));
        }
        let opcode = Opcode::of(first & 0x0f).ok_or(Violation::protocol("reserved opcode"))?;
        if second & 0x80 == 0 {
            return Err(Violation::protocol("frames of clients are masked"));
        }
        let is_last = first & 0x80 != 0;
        if opcode.is_control() && !(is_last && usize::from(second & 0x7f) <= CONTROL_BYTES_MAX) {
            return Err(Violation::protocol("control frames are whole and have up to 125 bytes"));
        }
        let Some((payload_len, start)) = payload_len(second & 0x7f, input)? else {
            return Ok(None);
        };
        let Some(mask) = input[start..].first_chunk() else { return Ok(None) };
        Ok(Some(Self { opcode, is_last, mask: *mask, payload_len, len: start + 4 }))
    }
}

/// The length that a header gives, and where the mask begins (5.2).
#[inline]
fn payload_len(short: u8, input: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let (len, start, least) = match short {
        126 => match input[2..].first_chunk() {
            Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 4, 126),
            None => return Ok(None),
        },
        127 => match input[2..].first_chunk() {
            Some(bytes) => (u64::from_be_bytes(*bytes), 10, 1 << 16),
            None => return Ok(None),
        },
        _ => (u64::from(short), 2, 0),
    };
    if len < least || len > i64::MAX as u64 {
        return Err(Violation::protocol("a length is written in the fewest bytes, below 2^63"));
    }
    Ok(Some((len, start)))
}

/// Appends the header of an unmasked frame that is a whole message.
#[inline]
pub(super) fn write_header(opcode: Opcode, payload_len: usize, out: &mut Vec<u8>) {
    let first = 0x80 | opcode as u8;
    match payload_len {
        0..=125 => out.extend_from_slice(&[first, payload_len as u8]),
        126..=0xffff => {
            out.extend_from_slice(&[first, 126]);
            out.extend_from_slice(&(payload_len as u16).to_be_bytes());
        }
        _ => {
            out.extend_from_slice(&[first, 127]);
            out.extend_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}

/// Appends a whole unmasked frame.
pub(super) fn write(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    write_header(opcode, payload.len(), out);
    out.extend_from_slice(payload);
}

/// Appends a close frame with a code and its words.
pub(super) fn write_close(code: u16, reason: &str, out: &mut Vec<u8>) {
    write_header(Opcode::Close, 2 + reason.len(), out);
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(reason.as_bytes());
}

/// Appends `payload`, which begins `offset` bytes into its frame, unmasked.
#[inline]
pub(super) fn unmask(payload: &[u8], mask: [u8; 4], offset: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(payload);
    let mut mask = mask;
    mask.rotate_left(offset % 4);
    let mut words = out[start..].chunks_exact_mut(8);
    let wide = u64::from(u32::from_ne_bytes(mask)) * 0x1_0000_0001;
    for word in &mut words {
        let bytes: &mut [u8; 8] = word.try_into().expect("chunks of eight");
        *bytes = (u64::from_ne_bytes(*bytes) ^ wide).to_ne_bytes();
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= key;
    }
}

/// Whether a close frame may carry this code (7.4).
pub(super) fn is_sendable(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_every_length_read_whole_and_are_incomplete_before() {
        for (bytes, payload_len) in [
            (vec![0x81, 0x80 | 5, 1, 2, 3, 4], 5),
            (vec![0x81, 0x80 | 126, 0x01, 0x00, 1, 2, 3, 4], 256),
            (vec![0x81, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65_536),
        ] {
            for end in 0..bytes.len() {
                assert_eq!(Header::read(&bytes[..end]), Ok(None), "{end}");
            }
            let header = Header::read(&[&bytes, b"more".as_slice()].concat()).unwrap().unwrap();
            let mask = [1, 2, 3, 4];
            let len = bytes.len();
            let (opcode, is_last) = (Opcode::Text, true);
            assert_eq!(header, Header { opcode, is_last, mask, payload_len, len });
        }
    }

    #[test]
    fn frames_against_the_rules_are_told() {
        for bytes in [
            [0xc1, 0x80].as_slice(),
            &[0x83, 0x80],
            &[0x8b, 0x80],
            &[0x81, 0x05],
            &[0x09, 0x80],
            &[0x89, 0x80 | 126],
            &[0x81, 0x80 | 126, 0, 125],
            &[0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(Header::read(bytes).unwrap_err().code, PROTOCOL_ERROR, "{bytes:x?}");
        }
    }

    #[test]
    fn payloads_unmask_alike_at_every_split() {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let masked = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        let mut hello = Vec::new();
        unmask(&masked, mask, 0, &mut hello);
        assert_eq!(hello, b"Hello", "the example of RFC 6455, 5.7");
        let plain: Vec<u8> = (0..100).collect();
        let masked: Vec<u8> = plain.iter().zip(mask.iter().cycle()).map(|(a, b)| a ^ b).collect();
        for split in 0..plain.len() {
            let mut out = b"before".to_vec();
            unmask(&masked[..split], mask, 0, &mut out);
            unmask(&masked[split..], mask, split, &mut out);
            assert_eq!(&out[6..], plain, "split at {split}");
        }
    }

    #[test]
    fn headers_are_written_in_the_fewest_bytes() {
        for (len, header_len) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let mut out = Vec::new();
            write_header(Opcode::Binary, len, &mut out);
            assert_eq!((out.len(), out[0]), (header_len, 0x82), "{len}");
        }
    }
}
