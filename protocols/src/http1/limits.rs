//! How much of anything a target may send before it is refused.

/// Header fields that one response can have at most, whatever [`Limits`] say: the size of the array
/// on the stack that they are parsed into.
pub const HEADERS_CAPACITY: usize = 128;

/// Bounds on a response. Each is inclusive: what reaches it passes, what exceeds it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a status line and its header fields, the empty line included. The receive buffer's
    /// maximum should be at least this.
    pub head_bytes_max: usize,
    /// Header fields of a response, and apart from them trailer fields; above
    /// [`HEADERS_CAPACITY`] it counts as that.
    pub headers_max: usize,
    /// Interim (1xx) responses before a final one.
    pub interim_max: usize,
    /// Decoded bytes of a body, if bounded.
    pub body_bytes_max: Option<u64>,
    /// Bytes of a chunk's size and extensions, its line end excluded.
    pub chunk_line_bytes_max: usize,
    /// Bytes of the trailer section of a chunked body, the empty line included. The receive
    /// buffer's maximum should be at least this.
    pub trailer_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 64 * 1024,
            headers_max: HEADERS_CAPACITY,
            interim_max: 64,
            body_bytes_max: None,
            chunk_line_bytes_max: 4 * 1024,
            trailer_bytes_max: 16 * 1024,
        }
    }
}

impl Limits {
    /// Fields that fit both this limit and the array they are parsed into.
    #[inline]
    pub(crate) fn fields_max(&self) -> usize {
        self.headers_max.min(HEADERS_CAPACITY)
    }

    /// Whether a body of `bytes` is more than is allowed, and the allowance.
    #[inline]
    pub(crate) fn body_limit_below(&self, bytes: u64) -> Option<u64> {
        self.body_bytes_max.filter(|&limit| bytes > limit)
    }
}
