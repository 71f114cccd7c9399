//! XML in as much as XML-RPC needs it (XML 1.0): tags, text, CDATA; comments and processing instructions are passed over.
//!
//! Attributes are read for their form and forgotten; that one stands twice goes unnoticed. There is no document type.

use memchr::{memchr, memmem};

use super::element::Element;
use super::error::{DecodeError, DecodeErrorKind as Kind};
use super::text;
use crate::http1::Snippet;

/// One piece of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'x> {
    /// A start tag, or an element without content: `<name/>`.
    Start { name: &'x str, empty: bool },
    /// An end tag.
    End { name: &'x str },
    /// Text with markup behind it, its references unresolved.
    Text(&'x str),
    /// Text of a CDATA section.
    Cdata(&'x str),
    /// What is left behind the last markup, nothing for the most part.
    Tail(&'x str),
}

/// A document being read, and how far that has come.
pub(super) struct Tokens<'x> {
    text: &'x str,
    /// Position of the next byte to look at.
    pub(super) position: usize,
    name_bytes_max: usize,
}

impl<'x> Tokens<'x> {
    pub(super) fn new(text: &'x str, position: usize, name_bytes_max: usize) -> Self {
        Self { text, position, name_bytes_max }
    }

    fn rest(&self) -> &'x str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    /// Takes `expected` if it is what comes next.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let taken = self.rest().as_bytes().starts_with(expected.as_bytes());
        if taken {
            self.position += expected.len();
        }
        taken
    }

    pub(super) fn skip_blanks(&mut self) {
        let bytes = self.text.as_bytes();
        while bytes.get(self.position).is_some_and(|&byte| text::is_blank(byte)) {
            self.position += 1;
        }
    }

    /// Takes the tag of an element as it stands nearly always, without attributes, behind whitespace or at once.
    #[inline]
    pub(super) fn take_start(&mut self, element: Element) -> bool {
        self.skip_blanks();
        self.take(element.start())
    }

    /// As [`Self::take_start`], for the end tag.
    #[inline]
    pub(super) fn take_end(&mut self, element: Element) -> bool {
        self.skip_blanks();
        self.take(element.end())
    }

    /// The next piece, and where it begins.
    pub(super) fn next(&mut self) -> Result<(Token<'x>, usize), DecodeError> {
        loop {
            let at = self.position;
            let rest = self.rest();
            match memchr(b'<', rest.as_bytes()) {
                None => {
                    self.position = self.text.len();
                    return Ok((Token::Tail(rest), at));
                }
                Some(0) => {
                    if let Some(token) = self.markup()? {
                        return Ok((token, at));
                    }
                }
                Some(length) => {
                    self.position += length;
                    return Ok((Token::Text(&rest[..length]), at));
                }
            }
        }
    }

    /// What begins with `<`; nothing for what is passed over.
    fn markup(&mut self) -> Result<Option<Token<'x>>, DecodeError> {
        match self.text.as_bytes().get(self.position + 1) {
            None => Err(self.truncated("a tag")),
            Some(b'/') => self.end_tag().map(Some),
            Some(b'?') => self.instruction().map(|()| None),
            Some(b'!') => self.declaration(),
            Some(_) => self.start_tag().map(Some),
        }
    }

    fn start_tag(&mut self) -> Result<Token<'x>, DecodeError> {
        self.position += 1;
        let name = self.name("a tag", "the name of an element")?;
        loop {
            let before = self.position;
            self.skip_blanks();
            match self.peek() {
                None => return Err(self.truncated("a tag")),
                Some(b'>') => {
                    self.position += 1;
                    return Ok(Token::Start { name, empty: false });
                }
                Some(b'/') => {
                    self.position += 1;
                    self.expect(b'>', "a tag", "the end of a tag")?;
                    return Ok(Token::Start { name, empty: true });
                }
                Some(_) if self.position == before => {
                    return Err(self.syntax("whitespace or the end of a tag"));
                }
                Some(_) => {
                    self.attribute("a tag")?;
                }
            }
        }
    }

    fn end_tag(&mut self) -> Result<Token<'x>, DecodeError> {
        self.position += 2;
        let name = self.name("a tag", "the name of an element")?;
        self.skip_blanks();
        self.expect(b'>', "a tag", "the end of a tag")?;
        Ok(Token::End { name })
    }

    /// Name and value, the latter checked and left as it is.
    pub(super) fn attribute(
        &mut self,
        inside: &'static str,
    ) -> Result<(&'x str, &'x str), DecodeError> {
        let name = self.name(inside, "the name of an attribute")?;
        self.skip_blanks();
        self.expect(b'=', inside, "the = of an attribute")?;
        self.skip_blanks();
        let quote = match self.peek() {
            Some(quote @ (b'"' | b'\'')) => quote,
            None => return Err(self.truncated(inside)),
            Some(_) => return Err(self.syntax("the quoted value of an attribute")),
        };
        self.position += 1;
        let rest = self.rest();
        let length = memchr(quote, rest.as_bytes()).ok_or_else(|| self.truncated(inside))?;
        let value = &rest[..length];
        if let Some(at) = memchr(b'<', value.as_bytes()) {
            self.position += at;
            return Err(self.syntax("the value of an attribute"));
        }
        text::check(value, self.position, self.name_bytes_max)?;
        self.position += length + 1;
        Ok((name, value))
    }

    /// A name (XML 1.0, 2.3), as far as ASCII decides it.
    fn name(
        &mut self,
        inside: &'static str,
        awaited: &'static str,
    ) -> Result<&'x str, DecodeError> {
        let rest = self.rest();
        let length = rest.bytes().position(|byte| !is_name(byte));
        let length = length.ok_or_else(|| self.truncated(inside))?;
        if rest.bytes().next().is_none_or(|first| !is_name_start(first)) {
            return Err(self.syntax(awaited));
        }
        if length > self.name_bytes_max {
            return Err(Kind::Name { limit: self.name_bytes_max }.at(self.position));
        }
        self.position += length;
        Ok(&rest[..length])
    }

    /// `<?target ...?>`.
    fn instruction(&mut self) -> Result<(), DecodeError> {
        const INSIDE: &str = "a processing instruction";
        let (at, rest) = (self.position, self.rest());
        let end = memmem::find(rest.as_bytes(), b"?>").ok_or_else(|| self.truncated(INSIDE))?;
        self.position += 2;
        let target = self.name(INSIDE, "the target of a processing instruction")?;
        if target.eq_ignore_ascii_case("xml") {
            self.position = at;
            return Err(self.syntax("a declaration only at the very beginning"));
        }
        if !matches!(self.peek(), Some(b'?' | b' ' | b'\t' | b'\r' | b'\n')) {
            return Err(self.syntax("whitespace behind the target"));
        }
        text::check_characters(&rest[..end], at)?;
        self.position = at + end + 2;
        Ok(())
    }

    /// `<!`: a comment, a CDATA section or what is refused.
    fn declaration(&mut self) -> Result<Option<Token<'x>>, DecodeError> {
        const COMMENT: &str = "<!--";
        const CDATA: &str = "<![CDATA[";
        let rest = self.rest();
        if rest.starts_with(COMMENT) {
            self.comment().map(|()| None)
        } else if rest.starts_with(CDATA) {
            self.position += CDATA.len();
            self.cdata().map(Some)
        } else if COMMENT.starts_with(rest) || CDATA.starts_with(rest) {
            Err(self.truncated("a tag"))
        } else {
            Err(Kind::Doctype.at(self.position))
        }
    }

    /// There is no `--` within one (XML 1.0, 2.5).
    fn comment(&mut self) -> Result<(), DecodeError> {
        self.position += 4;
        let rest = self.rest();
        let length = memmem::find(rest.as_bytes(), b"--");
        let length = length.ok_or_else(|| self.truncated("a comment"))?;
        text::check_characters(&rest[..length], self.position)?;
        self.position += length + 2;
        self.expect(b'>', "a comment", "the end of a comment")
    }

    fn cdata(&mut self) -> Result<Token<'x>, DecodeError> {
        let rest = self.rest();
        let length = memmem::find(rest.as_bytes(), b"]]>");
        let length = length.ok_or_else(|| self.truncated("a CDATA section"))?;
        self.position += length + 3;
        Ok(Token::Cdata(&rest[..length]))
    }

    fn expect(
        &mut self,
        expected: u8,
        inside: &'static str,
        awaited: &'static str,
    ) -> Result<(), DecodeError> {
        match self.peek() {
            Some(byte) if byte == expected => {
                self.position += 1;
                Ok(())
            }
            Some(_) => Err(self.syntax(awaited)),
            None => Err(self.truncated(inside)),
        }
    }

    pub(super) fn truncated(&self, inside: &'static str) -> DecodeError {
        Kind::Truncated { inside }.at(self.text.len())
    }

    pub(super) fn syntax(&self, awaited: &'static str) -> DecodeError {
        let found = Snippet::first(self.rest().as_bytes());
        Kind::Syntax { found, awaited }.at(self.position)
    }
}

fn is_name_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':') || byte >= 0x80
}

fn is_name(byte: u8) -> bool {
    is_name_start(byte) || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
}
