//! Names of tokens and things: 32 hexadecimal digits that do not repeat.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// 128 bits; two halves, since a `u128` would align (and grow) every decision that holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    high: u64,
    low: u64,
}

impl Identity {
    /// Reads what `Display` writes, and nothing else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return None;
        }
        let half = |digits| u64::from_str_radix(digits, 16).ok();
        Some(Self { high: half(&text[..16])?, low: half(&text[16..])? })
    }

    /// Reads a UUID with its hyphens, in digits of either case.
    pub(super) fn parse_uuid(text: &str) -> Option<Self> {
        let groups: Vec<_> = text.split('-').collect();
        let lengths: Vec<_> = groups.iter().map(|group| group.len()).collect();
        let is_uuid = lengths == [8, 4, 4, 4, 12];
        is_uuid.then(|| Self::parse(&groups.concat().to_ascii_lowercase())).flatten()
    }

    /// The form that [`parse_uuid`](Self::parse_uuid) reads, in lower case.
    pub(super) fn to_uuid(self) -> String {
        let digits = self.to_string();
        let groups =
            [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        groups.join("-")
    }

    /// Bits that spread identities evenly.
    pub(super) fn bits(self) -> u64 {
        self.low
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.high, self.low)
    }
}

/// Gives out identities: a counter under two keyed hashes (SipHash), other ones in every process.
#[derive(Debug, Default)]
pub(super) struct Identities {
    high: RandomState,
    low: RandomState,
    given: AtomicU64,
}

impl Identities {
    pub(super) fn next(&self) -> Identity {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        Identity { high: self.high.hash_one(number), low: self.low.hash_one(number) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn identities_read_as_they_are_written() {
        for identity in [Identity { high: 0, low: 1 }, Identities::default().next()] {
            let text = identity.to_string();
            assert_eq!((text.len(), Identity::parse(&text)), (32, Some(identity)));
        }
    }

    #[test]
    fn uuids_have_hyphens_in_their_places() {
        let uuid = |text: &str| Identity::parse_uuid(text).map(Identity::to_uuid);
        let text = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(uuid(text).as_deref(), Some(text));
        assert_eq!(uuid(&text.to_uppercase()).as_deref(), Some(text));
        let digits = text.replace('-', "");
        for text in ["", "x", &digits, &format!("-{text}"), &format!("g{}", &text[1..])] {
            assert_eq!(uuid(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_identity() {
        let digits = "0123456789abcdef0123456789abcde";
        for text in ["", "1", digits, &format!("{digits}F"), &format!("+{digits}"), &"ä".repeat(16)]
        {
            assert_eq!(Identity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn identities_do_not_repeat() {
        let identities = Identities::default();
        let given: HashSet<_> = (0..10_000).map(|_| identities.next()).collect();
        assert_eq!(given.len(), 10_000);
        assert_ne!(identities.next(), Identities::default().next(), "another process");
    }
}
