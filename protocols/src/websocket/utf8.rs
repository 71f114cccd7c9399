//! Text that comes in pieces, checked to be UTF-8 as it comes (RFC 6455, 8.1).
//!
//! A piece may end inside a character; those bytes, three at most, wait apart until the rest of the
//! character is there. So text that has been taken is valid, is never looked at again, and a byte
//! that no character can have is told as soon as it is received.

use super::error::RemoteError;

/// Text as far as it has been received.
#[derive(Debug, Default)]
pub(crate) struct PartialText {
    text: String,
    /// The beginning of a character.
    tail: [u8; 4],
    tail_bytes: usize,
}

impl PartialText {
    /// Forgets the text, and its memory where it is more than `keep_bytes`.
    pub(crate) fn clear(&mut self, keep_bytes: usize) {
        self.text.clear();
        self.text.shrink_to(keep_bytes);
        self.tail_bytes = 0;
    }

    /// Bytes received.
    pub(crate) fn len(&self) -> usize {
        self.text.len() + self.tail_bytes
    }

    /// Bytes of memory held.
    pub(crate) fn capacity(&self) -> usize {
        self.text.capacity()
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// Where the text stops being UTF-8.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Result<(), RemoteError> {
        while self.tail_bytes > 0 {
            let Some((&byte, rest)) = piece.split_first() else { return Ok(()) };
            piece = rest;
            self.complete_character(byte)?;
        }
        match std::str::from_utf8(piece) {
            Ok(text) => self.text.push_str(text),
            Err(error) => {
                let (valid, rest) = piece.split_at(error.valid_up_to());
                self.text.push_str(std::str::from_utf8(valid).unwrap_or_default());
                if error.error_len().is_some() {
                    return Err(RemoteError::Utf8 { at: self.text.len() });
                }
                self.tail[..rest.len()].copy_from_slice(rest);
                self.tail_bytes = rest.len();
            }
        }
        Ok(())
    }

    /// Adds one byte to the character that was cut off.
    fn complete_character(&mut self, byte: u8) -> Result<(), RemoteError> {
        self.tail[self.tail_bytes] = byte;
        self.tail_bytes += 1;
        match std::str::from_utf8(&self.tail[..self.tail_bytes]) {
            Ok(character) => {
                self.text.push_str(character);
                self.tail_bytes = 0;
                Ok(())
            }
            Err(error) if error.error_len().is_none() => Ok(()),
            Err(_) => Err(RemoteError::Utf8 { at: self.text.len() }),
        }
    }

    /// Takes note that no more comes.
    ///
    /// # Errors
    /// A character is incomplete.
    pub(crate) fn end(&self) -> Result<(), RemoteError> {
        match self.tail_bytes {
            0 => Ok(()),
            _ => Err(RemoteError::Utf8CutOff { at: self.text.len() }),
        }
    }

    /// The whole characters received.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// Text that is there as a whole.
///
/// # Errors
/// As [`PartialText`] gives them for the same bytes.
#[inline]
pub(crate) fn whole(bytes: &[u8]) -> Result<&str, RemoteError> {
    std::str::from_utf8(bytes).map_err(|error| match error.error_len() {
        Some(_) => RemoteError::Utf8 { at: error.valid_up_to() },
        None => RemoteError::Utf8CutOff { at: error.valid_up_to() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_pieces<'p>(pieces: impl Iterator<Item = &'p [u8]>) -> Result<String, RemoteError> {
        let mut text = PartialText::default();
        for piece in pieces {
            text.push(piece)?;
        }
        text.end()?;
        Ok(text.as_str().to_owned())
    }

    #[test]
    fn a_byte_that_fits_no_character_is_told_at_once() {
        // Overlong, a surrogate, past the last code point, a lone continuation, never in UTF-8.
        for (bytes, told_after) in [
            (&b"\xc0\xaf"[..], 1),
            (b"\xe0\x80", 2),
            (b"\xed\xa0", 2),
            (b"\xf4\x90", 2),
            (b"\x80", 1),
            (b"\xff", 1),
        ] {
            let mut text = PartialText::default();
            text.push("κόσμε".as_bytes()).unwrap();
            let mut results = bytes.iter().map(|&byte| text.push(&[byte]));
            assert_eq!(results.by_ref().take(told_after - 1).filter(|r| r.is_err()).count(), 0);
            assert_eq!(results.next(), Some(Err(RemoteError::Utf8 { at: 10 })));
        }
    }

    proptest! {
        #[test]
        fn pieces_are_judged_as_the_whole(
            pieces in prop::collection::vec(
                prop_oneof![
                    3 => "\\PC{0,4}".prop_map(String::into_bytes),
                    1 => prop::collection::vec(any::<u8>(), 0..3),
                ],
                0..6,
            ),
            size in 1..6usize,
        ) {
            let bytes = pieces.concat();
            let expected = whole(&bytes).map(str::to_owned);
            prop_assert_eq!(&in_pieces(bytes.chunks(size)), &expected);
            prop_assert_eq!(&in_pieces(pieces.iter().map(Vec::as_slice)), &expected);
            let standard = std::str::from_utf8(&bytes).map(str::to_owned);
            prop_assert_eq!(expected.ok(), standard.ok());
        }
    }
}
