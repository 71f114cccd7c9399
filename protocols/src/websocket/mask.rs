//! Masking (RFC 6455, 5.3): each byte of a client's payload is combined with one of four key bytes.
//!
//! It is its own inverse, and done in words of eight bytes, which the compiler turns into vectors.

/// The four bytes that a frame is masked with. A client draws new ones for each frame, which this
/// crate cannot do: they are arguments.
pub type MaskKey = [u8; 4];

/// Masks or unmasks `payload` where it is, from the first byte of a frame's payload on.
#[inline]
pub fn apply(key: MaskKey, payload: &mut [u8]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        // The chunks are of eight bytes, so neither conversion can fail or is even there once compiled.
        if let Ok(bytes) = <[u8; 8]>::try_from(&*word) {
            word.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ wide).to_ne_bytes());
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}

/// The key for the rest of a payload of which `done` bytes are through.
#[inline]
pub fn rotate(mut key: MaskKey, done: usize) -> MaskKey {
    key.rotate_left(done % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_mask_as_the_rfc_masks_bytes(
            key in any::<MaskKey>(),
            payload in prop::collection::vec(any::<u8>(), 0..100),
            cut in any::<prop::sample::Index>(),
        ) {
            // RFC 6455, 5.3: "transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4)".
            let expected: Vec<u8> =
                payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
            let mut whole = payload.clone();
            apply(key, &mut whole);
            prop_assert_eq!(&whole, &expected);

            let mut pieces = payload.clone();
            let (front, back) = pieces.split_at_mut(cut.index(payload.len() + 1));
            apply(key, front);
            apply(rotate(key, front.len()), back);
            prop_assert_eq!(&pieces, &expected);

            apply(key, &mut whole);
            prop_assert_eq!(whole, payload);
        }
    }
}
