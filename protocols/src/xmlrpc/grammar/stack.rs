//! What the value being read stands in, without memory of its own for each level.

use crate::xmlrpc::limits::DEPTH_CAPACITY;

/// What the value being read stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compound {
    Array,
    Struct,
}

/// The arrays and structs that are open, a bit for each.
#[derive(Default)]
pub(super) struct Stack {
    structs: [u64; DEPTH_CAPACITY / 64],
    pub(super) depth: usize,
}

impl Stack {
    pub(super) fn push(&mut self, compound: Compound) {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        match compound {
            Compound::Array => self.structs[word] &= !bit,
            Compound::Struct => self.structs[word] |= bit,
        }
        self.depth += 1;
    }

    pub(super) fn pop(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn top(&self) -> Option<Compound> {
        let at = self.depth.checked_sub(1)?;
        let is_struct = self.structs[at / 64] >> (at % 64) & 1 == 1;
        Some(if is_struct { Compound::Struct } else { Compound::Array })
    }
}
