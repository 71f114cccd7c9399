//! Close frames (RFC 6455, 5.5.1 and 7.4): a code, a reason, or neither.

use super::error::{ControlTooLong, RemoteError};

/// Bytes of a reason at most: those of a control frame less the code.
pub const REASON_BYTES_MAX: usize = 123;

/// Codes that this crate itself has something to say with (RFC 6455, 7.4.1).
pub mod code {
    /// The purpose is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The peer broke the protocol.
    pub const PROTOCOL_ERROR: u16 = 1002;
    /// The data is not of its declared type, such as text that is not UTF-8.
    pub const INVALID_DATA: u16 = 1007;
    /// A message is larger than can be taken.
    pub const TOO_BIG: u16 = 1009;
}

/// What a peer said when it closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'b> {
    /// The code; none came with an empty frame.
    pub code: Option<u16>,
    /// The reason, often empty.
    pub reason: &'b str,
}

impl<'b> Close<'b> {
    /// Reads a close frame's payload.
    ///
    /// # Errors
    /// A single byte, a code that may not be sent, a reason that is not UTF-8.
    pub(crate) fn parse(payload: &'b [u8]) -> Result<Self, RemoteError> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return match payload {
                [] => Ok(Close { code: None, reason: "" }),
                _ => Err(RemoteError::ClosePayload),
            };
        };
        let code = u16::from_be_bytes(*code);
        if !may_be_sent(code) {
            return Err(RemoteError::CloseCode { code });
        }
        let reason = std::str::from_utf8(reason).map_err(|_| RemoteError::CloseReason)?;
        Ok(Close { code: Some(code), reason })
    }
}

/// Whether a close frame may carry `code`: RFC 6455, 7.4, and 1012 to 1014 as registered with IANA
/// since. 1005, 1006 and 1015 stand for closes without a frame.
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// What is wrong with a close that we were to send: our caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    /// A code that no close frame may carry.
    #[error("{code} is no close code that may be sent: 1000-1003, 1007-1014 and 3000-4999 are")]
    Code {
        /// The code given.
        code: u16,
    },
    /// A reason that is too long.
    #[error("a close reason of {bytes} bytes: at most {REASON_BYTES_MAX} fit")]
    Reason {
        /// Its length.
        bytes: usize,
    },
}

/// The payload of a close frame to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosePayload {
    bytes: [u8; 2 + REASON_BYTES_MAX],
    count: usize,
}

impl ClosePayload {
    pub(crate) fn new(code: u16, reason: &str) -> Result<Self, CloseError> {
        if !may_be_sent(code) {
            return Err(CloseError::Code { code });
        }
        if reason.len() > REASON_BYTES_MAX {
            return Err(CloseError::Reason { bytes: reason.len() });
        }
        let mut bytes = [0; 2 + REASON_BYTES_MAX];
        bytes[..2].copy_from_slice(&code.to_be_bytes());
        bytes[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
        Ok(Self { bytes, count: 2 + reason.len() })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

/// RFC 6455, 5.5: a control frame's payload has at most 125 bytes.
pub(crate) fn check_control(payload: &[u8]) -> Result<(), ControlTooLong> {
    match payload.len() {
        0..=125 => Ok(()),
        bytes => Err(ControlTooLong { bytes }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_reasons_are_read_and_written_alike() {
        for code in 0..=u16::MAX {
            match ClosePayload::new(code, "gone für immer") {
                Ok(payload) => {
                    let close = Close { code: Some(code), reason: "gone für immer" };
                    assert_eq!(Close::parse(payload.as_bytes()), Ok(close));
                }
                Err(error) => {
                    assert_eq!(error, CloseError::Code { code });
                    let payload = code.to_be_bytes();
                    assert_eq!(Close::parse(&payload), Err(RemoteError::CloseCode { code }));
                }
            }
        }
        assert!([1000, 1001, 1011, 3000, 4999].into_iter().all(may_be_sent));
        assert!(![0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000].into_iter().any(may_be_sent));
    }

    #[test]
    fn a_close_says_nothing_or_a_whole_code() {
        assert_eq!(Close::parse(b""), Ok(Close { code: None, reason: "" }));
        assert_eq!(Close::parse(b"\x03"), Err(RemoteError::ClosePayload));
        assert_eq!(Close::parse(b"\x03\xe8\xff"), Err(RemoteError::CloseReason));
    }

    #[test]
    fn reasons_are_bounded() {
        assert!(ClosePayload::new(1000, &"a".repeat(123)).is_ok());
        let refused = ClosePayload::new(1000, &"a".repeat(124));
        assert_eq!(refused.unwrap_err(), CloseError::Reason { bytes: 124 });
    }
}
