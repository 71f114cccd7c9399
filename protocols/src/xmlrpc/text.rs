//! Text: its encoding, which characters it may have, and what its references stand for.

use std::borrow::Cow;

use memchr::memmem;

use super::error::{DecodeError, DecodeErrorKind as Kind};
use super::token::Tokens;
use crate::http1::Snippet;

/// Whitespace (XML 1.0, 2.3).
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether XML can carry a character (XML 1.0, 2.2).
pub(super) fn is_character(code: u32) -> bool {
    matches!(code, 0x9 | 0xa | 0xd | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x10000..=0x10_ffff)
}

/// A document as text: behind what says how it is encoded.
pub(super) struct Document<'b> {
    pub(super) text: Cow<'b, str>,
    /// Position in the text behind the declaration.
    pub(super) begins: usize,
    /// Bytes before the text: those of a byte order mark.
    skipped: usize,
    /// Each character was one byte.
    single_bytes: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Ascii,
    Latin1,
}

impl<'b> Document<'b> {
    pub(super) fn read(bytes: &'b [u8], name_bytes_max: usize) -> Result<Self, DecodeError> {
        const MARKS: [(&[u8], &str); 2] =
            [(&[0xfe, 0xff], "UTF-16 (by its mark)"), (&[0xff, 0xfe], "UTF-16 (by its mark)")];
        if let Some((_, name)) = MARKS.iter().find(|(mark, _)| bytes.starts_with(mark)) {
            return Err(Kind::Encoding { found: Snippet::first(name.as_bytes()) }.at(0));
        }
        let content = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if content.iter().all(|&byte| is_blank(byte)) {
            return Err(Kind::Empty.at(0));
        }
        let skipped = bytes.len() - content.len();
        let offset = |error: DecodeError| error.kind.at(error.at + skipped);
        let (encoding, begins) = declaration(content, name_bytes_max).map_err(offset)?;
        let text = encoding.decode(content).map_err(offset)?;
        Ok(Self { text, begins, skipped, single_bytes: encoding == Encoding::Latin1 })
    }

    /// An error in the text, at its place among the bytes.
    pub(super) fn place(&self, error: DecodeError) -> DecodeError {
        let at = match self.single_bytes {
            true => std::str::from_utf8(&self.text.as_bytes()[..error.at])
                .map_or(error.at, |before| before.chars().count()),
            false => error.at,
        };
        error.kind.at(at + self.skipped)
    }
}

impl Encoding {
    fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Some(Self::Utf8),
            "us-ascii" | "ascii" => Some(Self::Ascii),
            "iso-8859-1" | "iso8859-1" | "latin-1" | "latin1" => Some(Self::Latin1),
            _ => None,
        }
    }

    fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
        match self {
            Self::Utf8 => utf8(bytes).map(Cow::Borrowed),
            Self::Ascii => match bytes.iter().position(|byte| !byte.is_ascii()) {
                Some(at) => Err(Kind::NotText { encoding: "US-ASCII" }.at(at)),
                None => utf8(bytes).map(Cow::Borrowed),
            },
            Self::Latin1 => Ok(bytes.iter().map(|&byte| char::from(byte)).collect()),
        }
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|error| match error.error_len() {
        Some(_) => Kind::NotText { encoding: "UTF-8" }.at(error.valid_up_to()),
        None => Kind::Truncated { inside: "a character" }.at(bytes.len()),
    })
}

/// The encoding that the declaration names, UTF-8 where there is none, and where the declaration ends.
fn declaration(bytes: &[u8], name_bytes_max: usize) -> Result<(Encoding, usize), DecodeError> {
    const INSIDE: &str = "the XML declaration";
    const USUAL: [&[u8]; 2] = [b"<?xml version=\"1.0\"?>", b"<?xml version='1.0'?>"];
    if let Some(usual) = USUAL.into_iter().find(|usual| bytes.starts_with(usual)) {
        return Ok((Encoding::Utf8, usual.len()));
    }
    match bytes.strip_prefix(b"<?xml") {
        Some([first, ..]) if is_blank(*first) => {}
        _ => return Ok((Encoding::Utf8, 0)),
    }
    let end = memmem::find(bytes, b"?>");
    let end = end.ok_or_else(|| Kind::Truncated { inside: INSIDE }.at(bytes.len()))?;
    // What may stand in it is ASCII (XML 1.0, 2.8), so that it ends at the same place however the rest is encoded.
    if let Some(at) = bytes[..=end].iter().position(|byte| !byte.is_ascii()) {
        return Err(Kind::NotText { encoding: "US-ASCII, as an XML declaration is" }.at(at));
    }
    let text = utf8(&bytes[..=end])?;
    let mut tokens = Tokens::new(text, 5, name_bytes_max);
    let (mut encoding, mut version) = (Encoding::Utf8, None);
    loop {
        tokens.skip_blanks();
        let at = tokens.position;
        if tokens.take("?") {
            if tokens.position == text.len() {
                break;
            }
            tokens.position = at;
            return Err(tokens.syntax("the end of the XML declaration"));
        }
        match tokens.attribute(INSIDE)? {
            ("version", value) => version = Some(value),
            ("encoding", name) => {
                let found = Snippet::first(name.as_bytes());
                encoding = Encoding::of(name).ok_or(Kind::Encoding { found }.at(at))?;
            }
            ("standalone", _) => {}
            _ => {
                tokens.position = at;
                return Err(tokens.syntax("version, encoding or standalone"));
            }
        }
    }
    match version {
        Some(version) if version.starts_with("1.") => Ok((encoding, end + 2)),
        _ => {
            tokens.position = 5;
            Err(tokens.syntax("a version 1.x in the declaration"))
        }
    }
}

/// Whether text can be taken as it is; most can.
fn is_plain(raw: &str) -> bool {
    // Without a branch for each byte, so that many are looked at at once.
    raw.bytes().fold(true, |plain, byte| {
        plain & ((byte >= 0x20) | (byte == b'\n')) & (byte != b'&') & (byte != b'>') & (byte < 0x80)
    })
}

/// Checks text whose meaning nobody asks for.
pub(super) fn check(raw: &str, at: usize, name_bytes_max: usize) -> Result<(), DecodeError> {
    resolve(raw, at, name_bytes_max).map(drop)
}

/// What text between markup stands for: references resolved, line ends made one kind (XML 1.0, 2.11).
pub(super) fn resolve(
    raw: &str,
    at: usize,
    name_bytes_max: usize,
) -> Result<Cow<'_, str>, DecodeError> {
    if is_plain(raw) {
        return Ok(Cow::Borrowed(raw));
    }
    check_characters(raw, at)?;
    if let Some(found) = memmem::find(raw.as_bytes(), b"]]>") {
        let (found, at) = (Snippet::first(&raw.as_bytes()[found..]), at + found);
        return Err(Kind::Syntax { found, awaited: "no ]]> in text" }.at(at));
    }
    if !raw.contains(['&', '\r']) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut from = 0;
    while let Some(found) = raw[from..].find('&') {
        let begins = from + found;
        push_lines(&mut out, &raw[from..begins]);
        let (character, length) = reference(&raw[begins..], at + begins, name_bytes_max)?;
        out.push(character);
        from = begins + length;
    }
    push_lines(&mut out, &raw[from..]);
    Ok(Cow::Owned(out))
}

/// What the text of a CDATA section stands for.
pub(super) fn resolve_cdata(raw: &str, at: usize) -> Result<Cow<'_, str>, DecodeError> {
    check_characters(raw, at)?;
    if !raw.contains('\r') {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = String::with_capacity(raw.len());
    push_lines(&mut out, raw);
    Ok(Cow::Owned(out))
}

/// The first character that XML cannot carry.
pub(super) fn check_characters(raw: &str, at: usize) -> Result<(), DecodeError> {
    let wrong = raw.char_indices().find(|(_, character)| !is_character(u32::from(*character)));
    match wrong {
        None => Ok(()),
        Some((index, character)) => {
            Err(Kind::Character { code: u32::from(character) }.at(at + index))
        }
    }
}

/// Appends text with each of its line ends as a line feed.
fn push_lines(out: &mut String, text: &str) {
    let mut lines = text.split('\r');
    out.push_str(lines.next().unwrap_or_default());
    for line in lines {
        if !line.starts_with('\n') {
            out.push('\n');
        }
        out.push_str(line);
    }
}

/// The character that the reference at the beginning of `text` stands for, and the reference's length in bytes.
fn reference(text: &str, at: usize, name_bytes_max: usize) -> Result<(char, usize), DecodeError> {
    let unknown = || Kind::Entity { found: Snippet::first(text.as_bytes()) }.at(at);
    // The longest that is known, with room for leading zeros.
    let bytes_max = name_bytes_max.min(64);
    let end = text.bytes().take(bytes_max + 2).position(|byte| byte == b';').ok_or_else(unknown)?;
    let name = &text[1..end];
    let character = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let code = name.strip_prefix('#').and_then(character_code).ok_or_else(unknown)?;
            let character = char::from_u32(code).filter(|_| is_character(code));
            character.ok_or(Kind::Character { code }.at(at))?
        }
    };
    Ok((character, end + 1))
}

/// The number behind `#`; one too large for any character counts as the largest there is.
fn character_code(digits: &str) -> Option<u32> {
    let (digits, radix) = match digits.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (digits, 10),
    };
    let add = |code: u32, digit: char| {
        let digit = digit.to_digit(radix)?;
        Some(code.saturating_mul(radix).saturating_add(digit))
    };
    let code = digits.chars().try_fold(0, add)?;
    (!digits.is_empty()).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(raw: &str) -> Result<String, String> {
        resolve(raw, 10, 100).map(Cow::into_owned).map_err(|error| error.to_string())
    }

    #[test]
    fn references_stand_for_their_characters() {
        assert_eq!(resolved("a&lt;&gt;&amp;&apos;&quot;b").unwrap(), "a<>&'\"b");
        assert_eq!(resolved("&#65;&#x42;&#x1F600;&#0067;").unwrap(), "AB\u{1f600}C");
        assert_eq!(resolved("&amp;lt;").unwrap(), "&lt;", "once, not twice");
    }

    #[test]
    fn line_ends_become_one_kind_unless_they_are_references() {
        assert_eq!(resolved("a\r\nb\rc\nd\r\r\ne").unwrap(), "a\nb\nc\nd\n\ne");
        assert_eq!(resolved("a&#13;\nb").unwrap(), "a\r\nb");
        assert_eq!(resolve_cdata("\r\n&lt;\r", 0).unwrap(), "\n&lt;\n");
    }

    #[test]
    fn what_stands_for_nothing_is_refused() {
        assert_eq!(resolved("ab&lol9;").unwrap_err(), r#"unknown entity "&lol9;", at byte 12"#);
        assert_eq!(resolved("a & b").unwrap_err(), r#"unknown entity "& b", at byte 12"#);
        for bad in ["&;", "&#;", "&#x;", "&#xg;", "&#-1;", "&LT;", "&lt"] {
            assert!(resolved(bad).unwrap_err().starts_with("unknown entity"), "{bad}");
        }
        let control = "the character U+0008, which XML cannot carry, at byte 11";
        assert_eq!(resolved("a\u{8}").unwrap_err(), control);
        assert_eq!(resolved("a&#8;").unwrap_err(), control);
        assert!(resolved("\u{ffff}").unwrap_err().contains("U+FFFF"));
        assert!(resolved("&#xD800;").unwrap_err().contains("U+D800"));
        assert!(resolved("&#99999999999;").unwrap_err().contains("U+FFFFFFFF"));
        assert!(resolved("a]]>b").unwrap_err().contains("no ]]> in text"));
    }

    #[test]
    fn any_kind_of_text_that_is_not_plain_is_looked_at() {
        assert_eq!(resolved("a\tb").unwrap(), "a\tb");
        assert_eq!(resolved("\u{e9}>").unwrap(), "\u{e9}>");
        assert!(is_plain("4711\n") && !is_plain("\u{e9}") && !is_plain("&") && !is_plain("\0"));
    }
}
