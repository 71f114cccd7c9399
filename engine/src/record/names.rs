//! Values found by a borrowed key: names and error texts become indices without allocating.
//!
//! The standard map cannot be asked for `(kind, &str, &str)` where it holds owned strings, and its hash takes
//! longer than the rest of recording. This is the least that does both: values in order of arrival, and an open
//! table of their indices probed linearly, at most half full. Nothing is ever removed. Names come from the test
//! and texts are bounded in number, so a quick hash without secrets is enough.

use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};

/// Values in the order of their arrival, found by hash and equality of a key that the caller defines.
pub(super) struct Interner<T> {
    values: Vec<T>,
    /// The hash of each value.
    hashes: Vec<u64>,
    /// One more than an index into `values`, or zero; the length is zero or a power of two.
    table: Vec<u32>,
}

impl<T> Interner<T> {
    /// The index of the value that has `hash` and is equal by `is_equal`.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_equal: impl Fn(&T) -> bool) -> Option<u32> {
        let mut position = self.home(hash)?;
        loop {
            let index = self.table[position].checked_sub(1)?;
            if self.hashes[index as usize] == hash && is_equal(&self.values[index as usize]) {
                return Some(index);
            }
            position = (position + 1) & (self.table.len() - 1);
        }
    }

    /// Adds a value that [`find`](Self::find) did not find, and returns its index.
    pub(super) fn insert(&mut self, hash: u64, value: T) -> u32 {
        let index = u32::try_from(self.values.len()).expect("the callers bound how many there are");
        self.values.push(value);
        self.hashes.push(hash);
        if self.values.len() * 2 > self.table.len() {
            self.grow();
        } else {
            self.place(index);
        }
        index
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    pub(super) fn values_mut(&mut self) -> &mut [T] {
        &mut self.values
    }

    pub(super) fn into_values(self) -> Vec<T> {
        self.values
    }

    fn grow(&mut self) {
        let positions = (self.table.len() * 2).max(16);
        self.table.clear();
        self.table.resize(positions, 0);
        (0..self.values.len() as u32).for_each(|index| self.place(index));
    }

    fn place(&mut self, index: u32) {
        let home = self.home(self.hashes[index as usize]);
        let mut position = home.expect("the table has grown before its first value is placed");
        while self.table[position] != 0 {
            position = (position + 1) & (self.table.len() - 1);
        }
        self.table[position] = index + 1;
    }

    /// Where probing for a hash begins; its upper bits are the well mixed ones.
    #[inline]
    fn home(&self, hash: u64) -> Option<usize> {
        let bits = self.table.len().checked_ilog2()?;
        Some((hash >> (u64::BITS - bits)) as usize)
    }
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Interner { values: Vec::new(), hashes: Vec::new(), table: Vec::new() }
    }
}

/// The hash of a key, the same for its owned and its borrowed form.
#[inline]
pub(super) fn hash_of(key: impl Hash) -> u64 {
    BuildHasherDefault::<QuickHasher>::default().hash_one(key)
}

/// Eight bytes a step: rotate, mix in, multiply by a large odd number, as Firefox and rustc do.
#[derive(Default)]
struct QuickHasher(u64);

impl QuickHasher {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(Self::FACTOR);
    }
}

impl Hasher for QuickHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(last));
        }
    }

    #[inline]
    fn write_u8(&mut self, byte: u8) {
        self.mix(u64::from(byte));
    }

    #[inline]
    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    #[inline]
    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        // The last multiplication spreads upwards only; fold the top down and spread once more.
        (self.0 ^ (self.0 >> 32)).wrapping_mul(Self::FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_value_at_its_index_and_no_other() {
        let mut interner = Interner::<String>::default();
        let find = |interner: &Interner<String>, name: &str| {
            interner.find(hash_of(name), |value| value == name)
        };
        for index in 0..5_000 {
            let name = format!("/item/{index}");
            assert_eq!(find(&interner, &name), None);
            assert_eq!(interner.insert(hash_of(name.as_str()), name), index);
        }
        for index in 0..5_000 {
            assert_eq!(find(&interner, &format!("/item/{index}")), Some(index));
        }
        assert_eq!(find(&interner, "/item/5000"), None);
        assert_eq!(interner.len(), 5_000);
    }

    #[test]
    fn equal_hashes_are_told_apart_by_equality() {
        let mut interner = Interner::<u8>::default();
        assert_eq!((interner.insert(7, 1), interner.insert(7, 2)), (0, 1));
        assert_eq!(interner.find(7, |value| *value == 2), Some(1));
        assert_eq!(interner.find(7, |value| *value == 3), None);
    }

    #[test]
    fn probes_stay_short_for_names_that_differ_in_a_digit() {
        let homes = (0..4_096).map(|i| hash_of(("GET", format!("/item/{i}"))) >> (64 - 13));
        let distinct = homes.collect::<std::collections::HashSet<_>>().len();
        // A perfectly random hash would leave about 3,220 of 4,096 alone in 8,192 places.
        assert!(distinct > 3_000, "only {distinct} homes");
    }
}
