//! What is around the values: responses, faults and calls.

use std::borrow::Cow;

use super::{Grammar, behind_blanks, blank, first};
use crate::xmlrpc::element::Element;
use crate::xmlrpc::error::{DecodeError, DecodeErrorKind as Kind};
use crate::xmlrpc::sink::Sink;
use crate::xmlrpc::token::Token;

/// What a response turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::xmlrpc) enum Answer {
    Value,
    Fault,
}

impl<'x, S: Sink> Grammar<'x, S> {
    pub(in crate::xmlrpc) fn response(&mut self) -> Result<Answer, DecodeError> {
        let root = Element::MethodResponse;
        self.root(root)?;
        let answer = if self.tokens.take_start(Element::Params) {
            Answer::Value
        } else {
            self.either(Element::Params, Element::Fault, root)?
        };
        match answer {
            Answer::Value => {
                self.start(Element::Param, Element::Params.start())?;
                self.value(Element::Param)?;
                self.end(Element::Param)?;
                self.end(Element::Params)?;
            }
            Answer::Fault => {
                self.value(Element::Fault)?;
                self.end(Element::Fault)?;
            }
        }
        self.end(root)?;
        self.nothing_more()?;
        Ok(answer)
    }

    /// Reads a call, and gives the method's name.
    pub(in crate::xmlrpc) fn call(&mut self) -> Result<Cow<'x, str>, DecodeError> {
        let root = Element::MethodCall;
        self.root(root)?;
        self.start(Element::MethodName, root.start())?;
        let name =
            self.text(Element::MethodName.start(), |name| Element::MethodName.is_called(name))?;
        match self.start_or_end(Element::Params, root)? {
            None => {}
            Some(true) => self.end(root)?,
            Some(false) => {
                self.params()?;
                self.end(root)?;
            }
        }
        self.nothing_more()?;
        Ok(name)
    }

    /// What is within `<params>`, and its end.
    fn params(&mut self) -> Result<(), DecodeError> {
        while let Some(empty) = self.start_or_end(Element::Param, Element::Params)? {
            if empty {
                let (awaited, inside) = (Element::Value, Element::Param.start());
                return Err(Kind::Missing { awaited, inside }.at(self.tokens.position));
            }
            self.value(Element::Param)?;
            self.end(Element::Param)?;
        }
        Ok(())
    }

    fn root(&mut self, awaited: Element) -> Result<(), DecodeError> {
        if self.tokens.take_start(awaited) {
            return Ok(());
        }
        loop {
            let (token, at) = self.tokens.next()?;
            let kind = match token {
                Token::Start { name, empty: false } if awaited.is_called(name) => return Ok(()),
                Token::Start { name, empty: true } if awaited.is_called(name) => {
                    let missing = match awaited {
                        Element::MethodCall => Element::MethodName,
                        _ => Element::Params,
                    };
                    Kind::Missing { awaited: missing, inside: awaited.start() }
                }
                Token::Start { name, .. } => Kind::Root { found: first(name), awaited },
                Token::End { .. } => return Err(self.syntax_at(at, awaited.start())),
                Token::Text(text) if blank(text) => continue,
                Token::Tail(text) if blank(text) => {
                    return Err(self.tokens.truncated("what comes before the root element"));
                }
                // Whatever is in it, a section is what nobody awaits there.
                Token::Cdata(_) => Kind::NotXml { found: first("<![CDATA[") },
                Token::Text(text) | Token::Tail(text) => {
                    Kind::NotXml { found: first(behind_blanks(text)) }
                }
            };
            return Err(kind.at(at));
        }
    }

    fn syntax_at(&mut self, at: usize, awaited: &'static str) -> DecodeError {
        self.tokens.position = at;
        self.tokens.syntax(awaited)
    }

    /// Which of the two elements that may stand in `parent` begins.
    fn either(
        &mut self,
        value: Element,
        fault: Element,
        parent: Element,
    ) -> Result<Answer, DecodeError> {
        let inside = parent.start();
        let (token, at) = self.markup(inside)?;
        let (name, empty) = match token {
            Token::Start { name, empty } => (name, empty),
            Token::End { name } => return Err(not_closed(name, parent, value, at)),
            _ => unreachable!("only markup is given"),
        };
        let (element, answer) = match name {
            name if value.is_called(name) => (value, Answer::Value),
            name if fault.is_called(name) => (fault, Answer::Fault),
            name => return Err(Kind::Element { found: first(name), inside }.at(at)),
        };
        if empty {
            let awaited = if answer == Answer::Value { Element::Param } else { Element::Value };
            return Err(Kind::Missing { awaited, inside: element.start() }.at(at));
        }
        Ok(answer)
    }

    /// Only comments, processing instructions and whitespace may follow.
    fn nothing_more(&mut self) -> Result<(), DecodeError> {
        loop {
            let (token, at) = self.tokens.next()?;
            let found = match token {
                Token::Tail(text) if blank(text) => return Ok(()),
                Token::Text(text) if blank(text) => continue,
                Token::Tail(text) | Token::Text(text) | Token::Cdata(text) => behind_blanks(text),
                Token::Start { name, .. } | Token::End { name } => name,
            };
            return Err(Kind::Trailing { found: first(found) }.at(at));
        }
    }
}

fn not_closed(name: &str, parent: Element, awaited: Element, at: usize) -> DecodeError {
    let inside = parent.start();
    match parent.is_called(name) {
        true => Kind::Missing { awaited, inside }.at(at),
        false => Kind::Mismatch { found: first(name), inside }.at(at),
    }
}
