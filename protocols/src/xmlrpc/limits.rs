//! How much of anything a response may have before it is refused.

/// Arrays and structs that one value can have within each other at most, whatever [`Limits`] say: a value is dropped by
/// recursion, which the stack has to bear.
pub const DEPTH_CAPACITY: usize = 512;

/// Bounds on what is decoded. Each is inclusive: what reaches it passes, what exceeds it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all of it.
    pub bytes_max: usize,
    /// Arrays and structs within each other; above [`DEPTH_CAPACITY`] it counts as that.
    pub depth_max: usize,
    /// Values, those within others included.
    pub values_max: usize,
    /// Bytes of a name: of an element, an attribute, an entity, a struct's member, a method.
    pub name_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 16 * 1024 * 1024,
            depth_max: 64,
            values_max: 1_000_000,
            name_bytes_max: 1024,
        }
    }
}

impl Limits {
    pub(super) fn depth(&self) -> usize {
        self.depth_max.min(DEPTH_CAPACITY)
    }
}
