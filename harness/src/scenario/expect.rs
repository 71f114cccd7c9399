//! What a response should be, and what is kept of it.

use std::time::Duration;

use regex::Regex;

use super::template::VariableSlot;
use super::value::ValueTemplate;

/// What makes a response a success: all of it has to hold.
#[derive(Clone, Debug, Default)]
pub struct Expect {
    /// Allowed statuses; without them whatever is below 400, as Locust has it.
    pub status: Option<StatusSet>,
    /// Longest response time.
    pub time_max: Option<Duration>,
    /// Everything else.
    pub checks: Box<[Check]>,
}

impl Expect {
    /// Whether it looks at the body.
    pub fn reads_body(&self) -> bool {
        self.checks.iter().any(|check| !matches!(check.subject, Subject::Header(_)))
    }

    /// Whether it looks at header fields.
    pub fn reads_head(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.subject, Subject::Header(_)))
    }
}

/// Statuses, listed or by the hundred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(Box<[(u16, u16)]>);

impl StatusSet {
    /// The statuses in `ranges`, both ends included.
    pub(super) fn new(ranges: Vec<(u16, u16)>) -> Self {
        Self(ranges.into())
    }

    /// Whether `status` is one of them.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&status))
    }

    /// The ranges, both ends included.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }
}

/// One expectation of a part of the response.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is looked at.
    pub subject: Subject,
    /// What it has to be.
    pub test: Test,
    /// Whether it has to be just not that.
    pub negated: bool,
}

/// A part of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The whole body as text.
    Body,
    /// A value of the JSON body.
    Json(Pointer),
    /// A header's value, by its name in lower case.
    Header(Box<str>),
}

/// What a part of a response has to be; `Exists` apart, a part that is missing passes no test.
#[derive(Clone, Debug)]
pub enum Test {
    /// Equal to one of these.
    OneOf(Box<[ValueTemplate]>),
    /// There (or not there).
    Exists(bool),
    /// Text with this in it, or a list with this element.
    Contains(ValueTemplate),
    /// Text in which this is found.
    Matches(Regex),
    /// A number above this.
    Above(f64),
    /// A number below this.
    Below(f64),
}

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: Box<str>,
    tokens: Box<[Box<str>]>,
}

impl Pointer {
    /// The pointer `text`: empty, or parts that each begin with `/`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tokens = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(unescaped).collect::<Result<_, _>>()?,
            None if text.is_empty() => Box::default(),
            None => {
                return Err(format!("\"{text}\" is no JSON pointer; did you mean \"/{text}\"?"));
            }
        };
        Ok(Self { text: text.into(), tokens })
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Keys and indices on the way to the value, escapes undone.
    pub fn tokens(&self) -> &[Box<str>] {
        &self.tokens
    }

    /// The value in `document`, if there is one.
    pub fn find<'a>(&self, document: &'a serde_json::Value) -> Option<&'a serde_json::Value> {
        document.pointer(&self.text)
    }
}

/// RFC 6901, 3: `~1` is `/` and `~0` is `~`.
fn unescaped(token: &str) -> Result<Box<str>, String> {
    let mut rest = token.split('~');
    let mut plain = rest.next().unwrap_or_default().to_owned();
    for part in rest {
        plain.push(match part.as_bytes().first() {
            Some(b'0') => '~',
            Some(b'1') => '/',
            _ => return Err(format!("\"~\" in \"{token}\": write ~0 for ~ and ~1 for /")),
        });
        plain.push_str(&part[1..]);
    }
    Ok(plain.into())
}

/// Something of a response that becomes a variable's value.
#[derive(Clone, Debug)]
pub struct Extract {
    /// The variable.
    pub variable: VariableSlot,
    /// What of the response.
    pub from: ExtractFrom,
    /// The value where the response has nothing of it; without one that is a failure of the request.
    pub default: Option<ValueTemplate>,
}

/// Where in a response a value is.
#[derive(Clone, Debug)]
pub enum ExtractFrom {
    /// A value of the JSON body, with its type.
    Json(Pointer),
    /// The first group of a regular expression in the body, or all that matches if it has no group.
    Regex(Regex),
    /// A header's value, by its name in lower case.
    Header(Box<str>),
    /// The value of a cookie that the response or an earlier one set.
    Cookie(Box<str>),
    /// The body as text.
    Body,
    /// The status, a number.
    Status,
}

impl ExtractFrom {
    /// Whether it looks at the body.
    pub fn reads_body(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Regex(_) | Self::Body)
    }

    /// Whether it looks at header fields; cookies are kept by the client.
    pub fn reads_head(&self) -> bool {
        matches!(self, Self::Header(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_find_what_the_rfc_says() {
        // RFC 6901, 5.
        let document = json!({"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8});
        for (text, tokens, value) in [
            ("/foo/0", vec!["foo", "0"], json!("bar")),
            ("/", vec![""], json!(0)),
            ("/a~1b", vec!["a/b"], json!(1)),
            ("/m~0n", vec!["m~n"], json!(8)),
        ] {
            let pointer = Pointer::parse(text).unwrap();
            let found: Vec<&str> = pointer.tokens().iter().map(|token| &**token).collect();
            assert_eq!(found, tokens);
            assert_eq!(pointer.find(&document), Some(&value));
        }
        assert_eq!(Pointer::parse("").unwrap().find(&document), Some(&document));
        assert!(Pointer::parse("/a~2").is_err());
        assert!(Pointer::parse("/a~").is_err());
        assert_eq!(
            Pointer::parse("id").unwrap_err(),
            "\"id\" is no JSON pointer; did you mean \"/id\"?"
        );
    }

    #[test]
    fn statuses_are_listed_or_by_the_hundred() {
        let set = StatusSet::new(vec![(200, 299), (404, 404)]);
        assert!([200, 204, 299, 404].iter().all(|&status| set.contains(status)));
        assert!(![199, 300, 403, 405].iter().any(|&status| set.contains(status)));
    }
}
