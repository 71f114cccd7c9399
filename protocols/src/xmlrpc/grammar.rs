//! Which element may stand where. Values within values are kept track of in a stack of bits, so nothing recurses.

mod message;
mod stack;

use std::borrow::Cow;

use super::element::Element;
use super::error::{DecodeError, DecodeErrorKind as Kind};
use super::limits::Limits;
use super::scalar::{self, Scalar, Type};
use super::sink::Sink;
use super::text::{is_blank, resolve, resolve_cdata};
use super::token::{Token, Tokens};
use crate::http1::Snippet;
pub(super) use message::Answer;
use stack::{Compound, Stack};

/// A document being read into a sink.
pub(super) struct Grammar<'x, S> {
    tokens: Tokens<'x>,
    limits: Limits,
    values: usize,
    stack: Stack,
    pub(super) sink: S,
}

impl<'x, S: Sink> Grammar<'x, S> {
    pub(super) fn new(text: &'x str, begins: usize, limits: Limits, sink: S) -> Self {
        let tokens = Tokens::new(text, begins, limits.name_bytes_max);
        Self { tokens, limits, values: 0, stack: Stack::default(), sink }
    }

    /// Takes the start tag of `element`, which has to come next and to have content.
    fn start(&mut self, element: Element, inside: &'static str) -> Result<(), DecodeError> {
        if self.tokens.take_start(element) {
            return Ok(());
        }
        let at = self.tokens.position;
        match self.start_in(element, inside)? {
            false => Ok(()),
            true => {
                let awaited = match element {
                    Element::Param => Element::Value,
                    Element::Member => Element::Name,
                    other => other,
                };
                Err(Kind::Missing { awaited, inside: element.start() }.at(at))
            }
        }
    }

    /// Takes the start tag of `element`; whether it is one without content.
    fn start_in(&mut self, element: Element, inside: &'static str) -> Result<bool, DecodeError> {
        if self.tokens.take_start(element) {
            return Ok(false);
        }
        match self.markup(inside)? {
            (Token::Start { name, empty }, _) if element.is_called(name) => Ok(empty),
            (Token::Start { name, .. }, at) => {
                Err(Kind::Element { found: first(name), inside }.at(at))
            }
            (_, at) => Err(Kind::Missing { awaited: element, inside }.at(at)),
        }
    }

    /// The start tag of `element`, and whether it has no content; or the end tag of `parent`.
    fn start_or_end(
        &mut self,
        element: Element,
        parent: Element,
    ) -> Result<Option<bool>, DecodeError> {
        if self.tokens.take_start(element) {
            return Ok(Some(false));
        }
        let inside = parent.start();
        match self.markup(inside)? {
            (Token::Start { name, empty }, _) if element.is_called(name) => Ok(Some(empty)),
            (Token::End { name }, _) if parent.is_called(name) => Ok(None),
            (Token::Start { name, .. }, at) => {
                Err(Kind::Element { found: first(name), inside }.at(at))
            }
            (Token::End { name }, at) => Err(Kind::Mismatch { found: first(name), inside }.at(at)),
            _ => unreachable!("only markup is given"),
        }
    }

    /// Takes the end tag of `element`, which has to come next.
    #[inline]
    fn end(&mut self, element: Element) -> Result<(), DecodeError> {
        if self.tokens.take_end(element) {
            return Ok(());
        }
        let inside = element.start();
        match self.markup(inside)? {
            (Token::End { name }, _) if element.is_called(name) => Ok(()),
            (Token::End { name }, at) => Err(Kind::Mismatch { found: first(name), inside }.at(at)),
            (Token::Start { name, .. }, at) => {
                Err(Kind::Element { found: first(name), inside }.at(at))
            }
            _ => unreachable!("only markup is given"),
        }
    }

    /// The next tag, where only elements may stand.
    fn markup(&mut self, inside: &'static str) -> Result<(Token<'x>, usize), DecodeError> {
        loop {
            let (token, at) = self.tokens.next()?;
            match token {
                Token::Start { .. } | Token::End { .. } => return Ok((token, at)),
                Token::Text(text) if blank(text) => {}
                Token::Tail(_) => return Err(self.tokens.truncated(inside)),
                Token::Text(text) | Token::Cdata(text) => {
                    return Err(Kind::Text { found: first(behind_blanks(text)), inside }.at(at));
                }
            }
        }
    }

    /// Text up to the end tag whose name `is_end` knows.
    fn text(
        &mut self,
        inside: &'static str,
        is_end: impl Fn(&str) -> bool,
    ) -> Result<Cow<'x, str>, DecodeError> {
        let mut text = Cow::Borrowed("");
        loop {
            let (token, at) = self.tokens.next()?;
            match token {
                Token::Text(raw) => join(&mut text, resolve(raw, at, self.limits.name_bytes_max)?),
                Token::Cdata(raw) => join(&mut text, resolve_cdata(raw, at + "<![CDATA[".len())?),
                Token::End { name } if is_end(name) => return Ok(text),
                Token::End { name } => {
                    return Err(Kind::Mismatch { found: first(name), inside }.at(at));
                }
                Token::Start { name, .. } => {
                    return Err(Kind::Element { found: first(name), inside }.at(at));
                }
                Token::Tail(_) => return Err(self.tokens.truncated(inside)),
            }
        }
    }

    /// Reads a whole `<value>`, and all values in it.
    fn value(&mut self, parent: Element) -> Result<(), DecodeError> {
        let mut next = Some(self.start_in(Element::Value, parent.start())?);
        while let Some(empty) = next {
            self.content(empty)?;
            next = self.next_value()?;
        }
        Ok(())
    }

    /// Finds the next value of the innermost array or struct, and ends all that have no more; nothing behind the last.
    fn next_value(&mut self) -> Result<Option<bool>, DecodeError> {
        while let Some(compound) = self.stack.top() {
            let next = match compound {
                Compound::Array => self.start_or_end(Element::Value, Element::Data)?,
                Compound::Struct => self.next_member()?,
            };
            if next.is_some() {
                return Ok(next);
            }
            if compound == Compound::Array {
                self.end(Element::Array)?;
            }
            self.stack.pop();
            self.sink.close();
            self.end_value()?;
        }
        Ok(None)
    }

    /// The name of a struct's next member and the beginning of its value, or the end of the struct.
    fn next_member(&mut self) -> Result<Option<bool>, DecodeError> {
        let Some(empty) = self.start_or_end(Element::Member, Element::Struct)? else {
            return Ok(None);
        };
        let inside = Element::Member.start();
        if empty {
            return Err(Kind::Missing { awaited: Element::Name, inside }.at(self.tokens.position));
        }
        let name = match self.start_in(Element::Name, inside)? {
            true => Cow::Borrowed(""),
            false => self.text(Element::Name.start(), |name| Element::Name.is_called(name))?,
        };
        if name.len() > self.limits.name_bytes_max {
            let limit = self.limits.name_bytes_max;
            return Err(Kind::Name { limit }.at(self.tokens.position));
        }
        self.sink.name(name);
        self.start_in(Element::Value, inside).map(Some)
    }

    /// Takes the end tag of a value whose content is complete, and of the member that it makes complete.
    fn end_value(&mut self) -> Result<(), DecodeError> {
        self.end(Element::Value)?;
        self.end_member()
    }

    fn end_member(&mut self) -> Result<(), DecodeError> {
        match self.stack.top() {
            Some(Compound::Struct) => self.end(Element::Member),
            _ => Ok(()),
        }
    }

    /// What is behind `<value>`: all of it for a scalar, otherwise the beginning of the array or struct.
    fn content(&mut self, empty: bool) -> Result<(), DecodeError> {
        self.values += 1;
        if self.values > self.limits.values_max {
            let limit = self.limits.values_max;
            return Err(Kind::Values { limit }.at(self.tokens.position));
        }
        let mut text = Cow::Borrowed("");
        loop {
            if empty {
                break;
            }
            let (token, at) = self.tokens.next()?;
            match token {
                Token::Text(raw) => join(&mut text, resolve(raw, at, self.limits.name_bytes_max)?),
                Token::Cdata(raw) => join(&mut text, resolve_cdata(raw, at + "<![CDATA[".len())?),
                Token::Start { name, empty } if blank(&text) => return self.typed(name, empty, at),
                Token::Start { .. } => {
                    let (found, inside) = (first(behind_blanks(&text)), Element::Value.start());
                    return Err(Kind::Text { found, inside }.at(at));
                }
                Token::End { name } if Element::Value.is_called(name) => break,
                Token::End { name } => {
                    let inside = Element::Value.start();
                    return Err(Kind::Mismatch { found: first(name), inside }.at(at));
                }
                Token::Tail(_) => return Err(self.tokens.truncated(Element::Value.start())),
            }
        }
        self.sink.scalar(Scalar::String(text));
        self.end_member()
    }

    /// What is behind the start tag of a type.
    fn typed(&mut self, name: &'x str, empty: bool, at: usize) -> Result<(), DecodeError> {
        let Some(kind) = Type::of(name) else {
            let (found, inside) = (first(name), Element::Value.start());
            return Err(Kind::Element { found, inside }.at(at));
        };
        match kind {
            Type::Array => self.array(empty, at),
            Type::Struct => self.structure(empty, at),
            _ => {
                let begins = self.tokens.position;
                let text = match empty {
                    true => Cow::Borrowed(""),
                    false => self.text(kind.tag(), |end| end == name)?,
                };
                self.sink.scalar(scalar::read(kind, text).map_err(|wrong| wrong.at(begins))?);
                self.end_value()
            }
        }
    }

    fn array(&mut self, empty: bool, at: usize) -> Result<(), DecodeError> {
        let inside = Element::Array.start();
        if empty {
            return Err(Kind::Missing { awaited: Element::Data, inside }.at(at));
        }
        self.sink.open_array();
        if self.start_in(Element::Data, inside)? {
            self.end(Element::Array)?;
            self.sink.close();
            return self.end_value();
        }
        self.push(Compound::Array, at)
    }

    fn structure(&mut self, empty: bool, at: usize) -> Result<(), DecodeError> {
        self.sink.open_struct();
        if empty {
            self.sink.close();
            return self.end_value();
        }
        self.push(Compound::Struct, at)
    }

    fn push(&mut self, compound: Compound, at: usize) -> Result<(), DecodeError> {
        let limit = self.limits.depth();
        if self.stack.depth >= limit {
            return Err(Kind::Depth { limit }.at(at));
        }
        self.stack.push(compound);
        Ok(())
    }
}

fn first(text: &str) -> Snippet {
    Snippet::first(text.as_bytes())
}

fn blank(text: &str) -> bool {
    text.bytes().all(is_blank)
}

/// Text without what XML takes for whitespace in front of it, which is less than others take for it.
fn behind_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// Appends without copying where there was nothing.
fn join<'x>(text: &mut Cow<'x, str>, more: Cow<'x, str>) {
    match text.is_empty() {
        true => *text = more,
        false => text.to_mut().push_str(&more),
    }
}
