//! Base64 (RFC 4648, 4) with whitespace anywhere, as MIME and so Python breaks its lines.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The six bits of each byte; `NONE` for those outside of the alphabet.
const BITS: [u8; 256] = {
    let mut bits = [NONE; 256];
    let mut at = 0;
    while at < 64 {
        bits[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    bits
};
const NONE: u8 = 0xff;

pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digit = |shift: u32| ALPHABET[(bits >> shift & 63) as usize];
        let mut digits = [digit(18), digit(12), digit(6), digit(0)];
        digits[group.len() + 1..].fill(b'=');
        out.extend_from_slice(&digits);
    }
}

/// Decodes `text` into `out`, or only checks it where there is none; `false` for what is no base64.
pub(super) fn decode(text: &[u8], mut out: Option<&mut Vec<u8>>) -> bool {
    let (mut bits, mut digits, mut padding) = (0_u32, 0, 0);
    for &byte in text.iter().filter(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        match (byte, BITS[usize::from(byte)]) {
            (b'=', _) => padding += 1,
            (_, NONE) => return false,
            (_, six) if padding == 0 => {
                bits = bits << 6 | u32::from(six);
                digits += 1;
                if digits == 4 {
                    put(bits, 3, &mut out);
                    (bits, digits) = (0, 0);
                }
            }
            _ => return false,
        }
    }
    match (digits, padding) {
        (0, 0) => {}
        (2, 2) => put(bits << 12, 1, &mut out),
        (3, 1) => put(bits << 6, 2, &mut out),
        _ => return false,
    }
    true
}

/// Puts out the first `count` of the three bytes in `bits`.
fn put(bits: u32, count: usize, out: &mut Option<&mut Vec<u8>>) {
    if let Some(out) = out {
        out.extend_from_slice(&bits.to_be_bytes()[1..=count]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 4648, 10: test vectors.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let good = decode(text.as_bytes(), Some(&mut out));
        assert_eq!(good, decode(text.as_bytes(), None), "checked as it is decoded: {text:?}");
        good.then_some(out)
    }

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        for (plain, coded) in VECTORS {
            let mut out = Vec::new();
            encode(plain.as_bytes(), &mut out);
            assert_eq!(out, coded.as_bytes());
            assert_eq!(decoded(coded).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn whitespace_may_stand_anywhere() {
        assert_eq!(decoded("\n Zm9v\r\nYmF\ty\n").unwrap(), b"foobar");
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for bad in
            ["Z", "Zg", "Zg=", "Zg===", "Z===", "====", "Zm9v=", "Zg==Zg==", "Zm9-", "Zm9\u{e9}"]
        {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(bytes: Vec<u8>) {
            let mut out = Vec::new();
            encode(&bytes, &mut out);
            prop_assert_eq!(decoded(std::str::from_utf8(&out).unwrap()), Some(bytes));
        }
    }
}
