//! The grammar of conditions.
//!
//! ```text
//! any        = all { "or" all }
//! all        = one { "and" one }
//! one        = "not" one | "(" any ")" | value [ operator value ]
//! operator   = == | != | < | <= | > | >= | "contains" | "matches"
//! value      = ${placeholder} | "string" | 'string' | number | "true" | "false" | "null"
//! ```

use regex::Regex;
use serde_json::Value;

use super::{Comparison, Condition};
use crate::scenario::template::Template;
use crate::scenario::template::parse::TemplateError;
use crate::scenario::value::ValueTemplate;

/// Deepest nesting of parentheses and `not`.
const DEPTH_MAX: usize = 32;

/// Compiles `text`; `template` compiles the templates in it, each with its offset.
pub(crate) fn parse(
    text: &str,
    template: &dyn Fn(&str, usize) -> Result<Template, TemplateError>,
) -> Result<Condition, TemplateError> {
    let mut parser = Parser { tokens: tokens(text)?, position: 0, end: text.len(), template };
    let condition = parser.any(0)?;
    match parser.peek() {
        None => Ok(condition),
        Some(Token { text: "=", offset, .. }) => {
            Err(fault(offset, "\"=\" compares nothing; did you mean \"==\"?"))
        }
        Some(token) => Err(fault(
            token.offset,
            format!("\"{}\" where \"and\", \"or\" or the end should be", token.text),
        )),
    }
}

fn fault(offset: usize, message: impl Into<String>) -> TemplateError {
    TemplateError { offset, message: message.into() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TokenKind {
    /// Anything but what follows.
    Word,
    /// The inside of quotes.
    Quoted,
    /// `${..}`, whole.
    Placeholder,
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    kind: TokenKind,
    text: &'a str,
    offset: usize,
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, TemplateError> {
    let mut tokens = Vec::new();
    let mut offset = 0;
    loop {
        offset += text[offset..].len() - text[offset..].trim_start().len();
        let rest = &text[offset..];
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (kind, content, length) = match first {
            '"' | '\'' => {
                let length = rest[1..].find(first).ok_or_else(|| {
                    fault(offset, format!("a string without its closing {first}"))
                })?;
                (TokenKind::Quoted, &rest[1..=length], length + 2)
            }
            '$' => {
                let length = rest.find('}').map_or(rest.len(), |brace| brace + 1);
                (TokenKind::Placeholder, &rest[..length], length)
            }
            _ => {
                let length = word_length(rest);
                (TokenKind::Word, &rest[..length], length)
            }
        };
        let inside = offset + usize::from(kind == TokenKind::Quoted);
        tokens.push(Token { kind, text: content, offset: inside });
        offset += length;
    }
}

/// A parenthesis, an operator of signs, or letters and digits up to one of those or a blank.
fn word_length(rest: &str) -> usize {
    let is_sign = |c: char| "=!<>".contains(c);
    let first = rest.chars().next().unwrap_or(' ');
    let end = match first {
        '(' | ')' => return 1,
        _ if is_sign(first) => rest.find(|c: char| !is_sign(c)),
        _ => rest.find(|c: char| c.is_whitespace() || is_sign(c) || "()\"'$".contains(c)),
    };
    end.unwrap_or(rest.len())
}

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    position: usize,
    end: usize,
    template: &'a dyn Fn(&str, usize) -> Result<Template, TemplateError>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.position).copied()
    }

    /// Takes the next token if it is the word `word`.
    fn take(&mut self, word: &str) -> bool {
        let is_next =
            self.peek().is_some_and(|token| token.kind == TokenKind::Word && token.text == word);
        self.position += usize::from(is_next);
        is_next
    }

    fn any(&mut self, depth: usize) -> Result<Condition, TemplateError> {
        let mut conditions = vec![self.all(depth)?];
        while self.take("or") {
            conditions.push(self.all(depth)?);
        }
        Ok(only_or(conditions, Condition::Or))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, TemplateError> {
        let mut conditions = vec![self.one(depth)?];
        while self.take("and") {
            conditions.push(self.one(depth)?);
        }
        Ok(only_or(conditions, Condition::And))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, TemplateError> {
        if depth > DEPTH_MAX {
            return Err(fault(self.offset(), format!("nested deeper than {DEPTH_MAX}")));
        }
        if self.take("not") {
            return Ok(Condition::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.take("(") {
            let inner = self.any(depth + 1)?;
            return match self.take(")") {
                true => Ok(inner),
                false => Err(fault(self.offset(), "a \"(\" without its \")\"")),
            };
        }
        let left = self.value()?;
        if self.take("matches") {
            return Ok(Condition::Matches { value: left, regex: self.regex()? });
        }
        match Comparison::SIGNS.iter().find(|(sign, _)| self.take(sign)) {
            Some(&(_, comparison)) => {
                Ok(Condition::Compare { left, comparison, right: self.value()? })
            }
            None => Ok(Condition::Truthy(left)),
        }
    }

    fn offset(&self) -> usize {
        self.peek().map_or(self.end, |token| token.offset)
    }

    fn value(&mut self) -> Result<ValueTemplate, TemplateError> {
        let Some(token) = self.peek() else {
            return Err(fault(self.end, "the condition ends where a value should be"));
        };
        self.position += 1;
        match token.kind {
            TokenKind::Quoted | TokenKind::Placeholder => {
                let template = (self.template)(token.text, token.offset)
                    .map_err(|error| fault(token.offset + error.offset, error.message))?;
                Ok(match template.fixed() {
                    Some(text) => ValueTemplate::Fixed(Value::from(text)),
                    None => ValueTemplate::Text(template),
                })
            }
            TokenKind::Word => plain_value(token).map(ValueTemplate::Fixed),
        }
    }

    fn regex(&mut self) -> Result<Regex, TemplateError> {
        let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Quoted) else {
            return Err(fault(self.offset(), "\"matches\" wants a regular expression in quotes"));
        };
        self.position += 1;
        Regex::new(token.text).map_err(|error| {
            fault(token.offset, format!("not a regular expression: {}", regex_cause(&error)))
        })
    }
}

/// The last line of what the regex crate says, which draws the fault over several.
pub(crate) fn regex_cause(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn only_or(mut conditions: Vec<Condition>, join: fn(Box<[Condition]>) -> Condition) -> Condition {
    match conditions.len() {
        1 => conditions.remove(0),
        _ => join(conditions.into()),
    }
}

fn plain_value(token: Token<'_>) -> Result<Value, TemplateError> {
    match token.text {
        "true" => Ok(Value::Bool(true)),
        "false" => Ok(Value::Bool(false)),
        "null" => Ok(Value::Null),
        text => match text.parse::<i64>() {
            Ok(whole) => Ok(whole.into()),
            Err(_) => text
                .parse::<f64>()
                .ok()
                .filter(|_| text.starts_with(|c: char| c.is_ascii_digit() || c == '-'))
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number)
                .ok_or_else(|| {
                    let message = format!(
                        "\"{text}\" is no value: write ${{{text}}} for a variable, '{text}' for text"
                    );
                    fault(token.offset, message)
                }),
        },
    }
}
