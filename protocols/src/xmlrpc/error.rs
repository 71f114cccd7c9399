//! What a server can do wrong, each with the place and with the figure or the bytes that show it.
//!
//! Small, `Copy` and comparable, as the errors of the other codecs are: a message can be counted, a test can name it.

use super::element::Element;
use crate::http1::Snippet;

/// What is wrong with what was received, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}, at byte {at}")]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Position of the byte where it was seen, from 0.
    pub at: usize,
}

/// What can be wrong with what was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeErrorKind {
    /// Nothing, or whitespace alone.
    #[error("an empty body instead of XML")]
    Empty,
    /// Something else than XML.
    #[error("no XML: it begins with {found}")]
    NotXml {
        /// How it begins.
        found: Snippet,
    },
    /// An encoding that is not read.
    #[error("the encoding {found} is none of UTF-8, US-ASCII and ISO-8859-1")]
    Encoding {
        /// What it is called.
        found: Snippet,
    },
    /// A byte that cannot be in the encoding that was declared or goes without saying.
    #[error("bytes that are not {encoding}")]
    NotText {
        /// The encoding.
        encoding: &'static str,
    },
    /// A character that XML cannot carry (XML 1.0, 2.2), by itself or as a reference.
    #[error("the character U+{code:04X}, which XML cannot carry")]
    Character {
        /// Its number, which may be of no character at all.
        code: u32,
    },
    /// The end, where something was still open.
    #[error("the XML ends inside {inside}")]
    Truncated {
        /// What was open: an element, a tag, a comment.
        inside: &'static str,
    },
    /// A document type declaration.
    #[error("a document type or entity declaration, which is refused")]
    Doctype,
    /// An entity other than the five that XML has of its own, or an `&` that begins none.
    #[error("unknown entity {found}")]
    Entity {
        /// How it begins.
        found: Snippet,
    },
    /// Not as XML has it.
    #[error("{found} where XML has {awaited}")]
    Syntax {
        /// What stands there.
        found: Snippet,
        /// What should.
        awaited: &'static str,
    },
    /// A root element of something else.
    #[error("the root element is {found}, not {awaited}")]
    Root {
        /// Its name.
        found: Snippet,
        /// What it should be.
        awaited: Element,
    },
    /// An element that is unknown, or that may not stand where it does.
    #[error("element {found} inside {inside}")]
    Element {
        /// Its name.
        found: Snippet,
        /// What it stands in.
        inside: &'static str,
    },
    /// An end tag of another element than the one that is open.
    #[error("end tag {found} inside {inside}")]
    Mismatch {
        /// Its name.
        found: Snippet,
        /// What is open.
        inside: &'static str,
    },
    /// Text where only elements may stand.
    #[error("text {found} inside {inside}, beside elements")]
    Text {
        /// How it begins.
        found: Snippet,
        /// What it stands in.
        inside: &'static str,
    },
    /// An element without one that it must have.
    #[error("no {awaited} inside {inside}")]
    Missing {
        /// What is missing.
        awaited: Element,
        /// Where.
        inside: &'static str,
    },
    /// Not a number as its type has it.
    #[error("{found} is not the number that {inside} has to be")]
    Number {
        /// How it begins.
        found: Snippet,
        /// The type.
        inside: &'static str,
    },
    /// A number that its type cannot hold.
    #[error("{found} is out of range for {inside}")]
    Range {
        /// How it begins.
        found: Snippet,
        /// The type.
        inside: &'static str,
    },
    /// A boolean that is neither `0` nor `1`.
    #[error("{found} is neither the 0 nor the 1 that <boolean> has to be")]
    Boolean {
        /// How it begins.
        found: Snippet,
    },
    /// Not a moment: see [`DateTime`](super::DateTime).
    #[error("{found} is not the moment that <dateTime.iso8601> has to be")]
    DateTime {
        /// How it begins.
        found: Snippet,
    },
    /// Not base64.
    #[error("{found} is not base64")]
    Base64 {
        /// How it begins.
        found: Snippet,
    },
    /// A fault that is no struct with an integer `faultCode` and a string `faultString`.
    #[error("a fault without a faultCode that is a number and a faultString that is text")]
    Fault,
    /// A method's name with other characters than names have.
    #[error("{found} is no name of a method")]
    MethodName {
        /// How it begins.
        found: Snippet,
    },
    /// Something behind the end.
    #[error("{found} behind the end")]
    Trailing {
        /// How it begins.
        found: Snippet,
    },
    /// Longer than the limit.
    #[error("longer than {limit} bytes")]
    Size {
        /// The limit exceeded.
        limit: usize,
    },
    /// More arrays and structs within each other than the limit.
    #[error("more than {limit} arrays and structs within each other")]
    Depth {
        /// The limit exceeded.
        limit: usize,
    },
    /// More values than the limit.
    #[error("more than {limit} values")]
    Values {
        /// The limit exceeded.
        limit: usize,
    },
    /// A name longer than the limit.
    #[error("a name longer than {limit} bytes")]
    Name {
        /// The limit exceeded.
        limit: usize,
    },
}

impl DecodeErrorKind {
    pub(super) fn at(self, at: usize) -> DecodeError {
        DecodeError { kind: self, at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_and_where() {
        let truncated = DecodeErrorKind::Truncated { inside: "<value>" }.at(96);
        assert_eq!(truncated.to_string(), "the XML ends inside <value>, at byte 96");
        let range = DecodeErrorKind::Range { found: Snippet::first(b"2147483648"), inside: "<i4>" };
        assert_eq!(range.at(7).to_string(), r#""2147483648" is out of range for <i4>, at byte 7"#);
        let root = DecodeErrorKind::Root {
            found: Snippet::first(b"html"),
            awaited: Element::MethodResponse,
        };
        assert_eq!(root.to_string(), r#"the root element is "html", not <methodResponse>"#);
    }

    #[test]
    fn errors_stay_small_because_every_result_carries_one() {
        assert!(size_of::<DecodeError>() <= 72, "{} bytes", size_of::<DecodeError>());
    }
}
