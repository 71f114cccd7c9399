//! What a peer can do wrong with frames, each with the figure that shows it, and with the close code
//! that tells the peer so.
//!
//! Only *remote* errors are in [`RemoteError`]: the peer broke RFC 6455 or RFC 7692, or one of our
//! limits. Its connection is of no more use but for a close frame. Like those of HTTP they are
//! small, `Copy` and comparable, and depend on the bytes received alone, never on how these were
//! split. A handshake's faults are a [`HandshakeError`](super::HandshakeError).

use super::close::code;
use super::frame::Opcode;

/// A control frame that we were to send has too long a payload: our caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a control frame of {bytes} bytes: at most 125 are allowed")]
pub struct ControlTooLong {
    /// The length of the payload.
    pub bytes: usize,
}

/// The peer's fault: what it sent, or failed to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// A reserved bit for which no extension was agreed on, or a compressed control frame
    /// (RFC 6455, 5.2; RFC 7692, 6.1).
    #[error("reserved bits {bits:#05b} are set in the header of a {opcode} frame")]
    ReservedBits {
        /// RSV1, RSV2 and RSV3, from the highest bit down.
        bits: u8,
        /// The frame's kind.
        opcode: Opcode,
    },
    /// A continuation frame that says it is compressed: only a message's first frame may
    /// (RFC 7692, 6.1).
    #[error("a continuation frame has the bit set that says its message is compressed (RSV1)")]
    CompressedContinuation,
    /// An opcode without meaning (RFC 6455, 5.2).
    #[error("reserved opcode {opcode:#x}")]
    ReservedOpcode {
        /// 3 to 7 or 11 to 15.
        opcode: u8,
    },
    /// A control frame that is not the only one of its message (RFC 6455, 5.5).
    #[error("a fragmented {opcode} frame")]
    FragmentedControl {
        /// Its kind.
        opcode: Opcode,
    },
    /// A control frame of more than 125 bytes (RFC 6455, 5.5).
    #[error("a {opcode} frame of more than 125 bytes")]
    ControlTooLong {
        /// Its kind.
        opcode: Opcode,
    },
    /// A server masked a frame (RFC 6455, 5.1).
    #[error("a masked {opcode} frame from a server")]
    Masked {
        /// The frame's kind.
        opcode: Opcode,
    },
    /// A client did not mask a frame (RFC 6455, 5.1).
    #[error("a {opcode} frame from a client is not masked")]
    NotMasked {
        /// The frame's kind.
        opcode: Opcode,
    },
    /// A length in more bytes than it takes (RFC 6455, 5.2).
    #[error("payload length {length} is encoded in {bytes} bytes, which is not the shortest way")]
    LengthNotMinimal {
        /// The length.
        length: u64,
        /// The bytes it was given in, 2 or 8.
        bytes: u8,
    },
    /// A length of 2^63 or more (RFC 6455, 5.2).
    #[error("payload length {length:#x} has its highest bit set")]
    LengthTooLarge {
        /// The length.
        length: u64,
    },
    /// A continuation frame with nothing to continue (RFC 6455, 5.4).
    #[error("a continuation frame without a message to continue")]
    ContinuationWithoutStart,
    /// A new message before the one before it is complete (RFC 6455, 5.4).
    #[error("a {opcode} frame in the middle of a fragmented message")]
    InterruptedMessage {
        /// The frame's kind.
        opcode: Opcode,
    },
    /// A message larger than the limit, by its headers.
    #[error("a message of at least {declared} bytes, where {limit} are allowed")]
    MessageTooLong {
        /// Bytes declared by the message's headers so far.
        declared: u64,
        /// The limit exceeded.
        limit: usize,
    },
    /// A compressed message that inflates past the limit.
    #[error("a compressed message inflates to more than {limit} bytes")]
    InflatesTooLong {
        /// The limit exceeded.
        limit: usize,
    },
    /// A compressed message that is not DEFLATE data (RFC 7692, 7.2.2).
    #[error("a compressed message cannot be inflated")]
    Inflate,
    /// Bytes in a text message that are not UTF-8 (RFC 6455, 8.1).
    #[error("a text message is not UTF-8 from byte {at} on")]
    Utf8 {
        /// Offset in the message, after inflation.
        at: usize,
    },
    /// A text message that ends inside a character (RFC 6455, 8.1).
    #[error("a text message ends inside the character at byte {at}")]
    Utf8CutOff {
        /// Offset of the character in the message, after inflation.
        at: usize,
    },
    /// A close frame of one byte (RFC 6455, 5.5.1).
    #[error("a close frame of a single byte, which is no code")]
    ClosePayload,
    /// A close code that may not be sent (RFC 6455, 7.4).
    #[error("close code {code}, which may not be sent")]
    CloseCode {
        /// The code.
        code: u16,
    },
    /// A close reason that is not UTF-8 (RFC 6455, 5.5.1).
    #[error("a close reason that is not UTF-8")]
    CloseReason,
    /// The connection ended inside the header of a frame.
    #[error("connection closed inside the header of a frame, after {received} bytes")]
    ClosedInHeader {
        /// Bytes of the header received.
        received: usize,
    },
    /// The connection ended inside the payload of a frame.
    #[error("connection closed inside a frame: {received} of {expected} bytes received")]
    ClosedInFrame {
        /// Bytes of the payload received.
        received: u64,
        /// Bytes declared.
        expected: u64,
    },
    /// The connection ended between two fragments of a message.
    #[error("connection closed between two fragments of a message, after {received} bytes of it")]
    ClosedInMessage {
        /// Bytes of the message's payloads received.
        received: u64,
    },
    /// The connection ended between messages, but without the close frame that should precede it
    /// (RFC 6455, 7.1.5).
    #[error("connection closed without a close frame")]
    ClosedWithoutClose,
}

impl RemoteError {
    /// The code of the close frame that should answer (RFC 6455, 7.4.1); where the connection has
    /// ended already there is nobody to answer, so `None`.
    pub fn close_code(&self) -> Option<u16> {
        use RemoteError as E;
        match self {
            E::MessageTooLong { .. } | E::InflatesTooLong { .. } => Some(code::TOO_BIG),
            E::Inflate | E::Utf8 { .. } | E::Utf8CutOff { .. } | E::CloseReason => {
                Some(code::INVALID_DATA)
            }
            E::ClosedInHeader { .. }
            | E::ClosedInFrame { .. }
            | E::ClosedInMessage { .. }
            | E::ClosedWithoutClose => None,
            _ => Some(code::PROTOCOL_ERROR),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_the_figure_and_codes_the_fault() {
        let cases = [
            (
                RemoteError::ReservedBits { bits: 0b010, opcode: Opcode::Text },
                "reserved bits 0b010 are set in the header of a text frame",
                Some(1002),
            ),
            (
                RemoteError::MessageTooLong { declared: 1 << 30, limit: 1 << 24 },
                "a message of at least 1073741824 bytes, where 16777216 are allowed",
                Some(1009),
            ),
            (RemoteError::Utf8 { at: 3 }, "a text message is not UTF-8 from byte 3 on", Some(1007)),
            (RemoteError::ClosedWithoutClose, "connection closed without a close frame", None),
        ];
        for (error, message, code) in cases {
            assert_eq!((error.to_string().as_str(), error.close_code()), (message, code));
        }
    }

    #[test]
    fn errors_stay_small_because_every_result_carries_one() {
        assert!(size_of::<RemoteError>() <= 24);
    }
}
