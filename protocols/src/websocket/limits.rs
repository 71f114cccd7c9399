//! How much a peer may send before it is refused.

/// Bytes that the receive buffer's maximum must hold: a control frame with its header and mask.
pub const BUFFER_BYTES_MIN: usize = 131;

/// Bounds on what is received, inclusive: what reaches them passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a message, all its fragments together; a compressed one is held to it before and
    /// after inflation. Refused on the header that exceeds it, before memory is set aside.
    pub message_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_bytes_max: 16 * 1024 * 1024 }
    }
}
