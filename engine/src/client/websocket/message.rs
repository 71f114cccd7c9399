//! Messages: as they lie in the receive buffer, as they are kept, and which of them is the one that is awaited.

use std::cell::OnceCell;

use loadr_protocols::websocket::{MessageKind, PreparedMessage};
use regex::bytes::Regex;
use serde_json::Value;

/// What is to be sent: a message, or one that was encoded before the run.
#[derive(Clone, Copy, Debug)]
pub enum Outgoing<'m> {
    /// UTF-8 text.
    Text(&'m str),
    /// Bytes.
    Binary(&'m [u8]),
    /// Encoded already, and only masked anew. Compressed ones may be sent only where compression was agreed on.
    Prepared(&'m PreparedMessage),
}

impl<'m> From<&'m str> for Outgoing<'m> {
    fn from(text: &'m str) -> Self {
        Outgoing::Text(text)
    }
}

impl<'m> From<&'m String> for Outgoing<'m> {
    fn from(text: &'m String) -> Self {
        Outgoing::Text(text)
    }
}

impl<'m> From<&'m [u8]> for Outgoing<'m> {
    fn from(bytes: &'m [u8]) -> Self {
        Outgoing::Binary(bytes)
    }
}

impl<'m> From<&'m PreparedMessage> for Outgoing<'m> {
    fn from(message: &'m PreparedMessage) -> Self {
        Outgoing::Prepared(message)
    }
}

impl Outgoing<'_> {
    /// The member of it, as JSON, that `pointer` leads to; a prepared message has been encoded and has none.
    pub(super) fn pointer(&self, pointer: &str) -> Option<Value> {
        let bytes = match self {
            Outgoing::Text(text) => text.as_bytes(),
            Outgoing::Binary(bytes) => bytes,
            Outgoing::Prepared(_) => return None,
        };
        serde_json::from_slice::<Value>(bytes).ok()?.pointer(pointer).cloned()
    }
}

/// Bytes on the wire of a message that was read by somebody else than it is counted by: as one frame, not compressed
/// (RFC 6455, 5.2).
pub(super) fn frame_bytes(payload: &[u8]) -> u64 {
    let header = match payload.len() {
        ..=125 => 2,
        126..=65_535 => 4,
        _ => 10,
    };
    header + payload.len() as u64
}

/// A message that was received, still where the codec left it.
#[derive(Debug)]
pub struct View<'b> {
    kind: MessageKind,
    payload: &'b [u8],
    arrived_ns: u64,
    /// The message as JSON, read once however many ask; `None` inside where it is none.
    json: OnceCell<Option<Value>>,
}

impl<'b> View<'b> {
    pub(super) fn new(kind: MessageKind, payload: &'b [u8], arrived_ns: u64) -> Self {
        Self { kind, payload, arrived_ns, json: OnceCell::new() }
    }

    /// Text or bytes.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The payload; that of a text message is UTF-8.
    #[inline]
    pub fn bytes(&self) -> &'b [u8] {
        self.payload
    }

    /// The text of a text message; empty for one of bytes.
    pub fn text(&self) -> &'b str {
        match self.kind {
            MessageKind::Text => std::str::from_utf8(self.payload).unwrap_or_default(),
            MessageKind::Binary => "",
        }
    }

    /// When its last byte was seen, in nanoseconds since the run's origin.
    pub fn arrived_ns(&self) -> u64 {
        self.arrived_ns
    }

    /// The message as JSON, if it is.
    pub fn json(&self) -> Option<&Value> {
        self.json.get_or_init(|| serde_json::from_slice(self.payload).ok()).as_ref()
    }

    /// The member of it, as JSON, that a JSON pointer (RFC 6901) leads to.
    pub fn pointer(&self, pointer: &str) -> Option<&Value> {
        self.json()?.pointer(pointer)
    }

    /// The same, to be kept.
    pub fn to_message(&self) -> Message {
        Message { kind: self.kind, payload: self.payload.into(), arrived_ns: self.arrived_ns }
    }
}

/// A message that was received and is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    kind: MessageKind,
    payload: Box<[u8]>,
    arrived_ns: u64,
}

impl Message {
    /// The message as the codec showed it.
    pub fn view(&self) -> View<'_> {
        View::new(self.kind, &self.payload, self.arrived_ns)
    }

    /// As [`View::kind`].
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// As [`View::bytes`].
    pub fn bytes(&self) -> &[u8] {
        &self.payload
    }

    /// As [`View::text`].
    pub fn text(&self) -> &str {
        self.view().text()
    }

    /// As [`View::arrived_ns`].
    pub fn arrived_ns(&self) -> u64 {
        self.arrived_ns
    }

    /// The message as JSON, if it is.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.payload).ok()
    }
}

/// Which message is meant.
#[derive(Clone, Debug, Default)]
pub enum Matcher {
    /// Whichever comes next.
    #[default]
    Any,
    /// One of JSON in which a pointer (RFC 6901) leads to this value; a string stands also for a number of these digits.
    Pointer {
        /// The pointer, such as `/type`.
        pointer: String,
        /// The value.
        equals: Value,
    },
    /// One in which the expression is found.
    Regex(Regex),
    /// The reply that names the request: what `received` leads to in it is what `sent` leads to in the message sent.
    /// Without such a message, or such a member in it, none is meant.
    Correlation {
        /// Pointer into the message sent, such as `/id`.
        sent: String,
        /// Pointer into the message received.
        received: String,
    },
    /// One that all of these mean.
    All(Vec<Matcher>),
}

impl Matcher {
    /// The matcher for the reply to `outgoing`; `None` where that has no id.
    pub(super) fn for_reply(&self, outgoing: &Outgoing<'_>) -> Option<Matcher> {
        let Matcher::Correlation { sent, received } = self else { return Some(self.clone()) };
        let equals = outgoing.pointer(sent)?;
        Some(Matcher::Pointer { pointer: received.clone(), equals })
    }

    /// Whether it names the message that is sent.
    pub(super) fn correlates(&self) -> bool {
        matches!(self, Matcher::Correlation { .. })
    }

    /// Whether `view` is meant.
    #[inline]
    pub fn matches(&self, view: &View<'_>) -> bool {
        match self {
            Matcher::Any => true,
            Matcher::Pointer { pointer, equals } => {
                view.pointer(pointer).is_some_and(|found| is_same(found, equals))
            }
            Matcher::Regex(regex) => regex.is_match(view.bytes()),
            Matcher::Correlation { .. } => false,
            Matcher::All(all) => all.iter().all(|matcher| matcher.matches(view)),
        }
    }
}

/// Whether two values are the same, a number as good as a string that spells it.
fn is_same(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Number(number), Value::String(text))
        | (Value::String(text), Value::Number(number)) => number.to_string() == *text,
        _ => found == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn matches(matcher: &Matcher, text: &str) -> bool {
        matcher.matches(&View::new(MessageKind::Text, text.as_bytes(), 0))
    }

    #[test]
    fn a_matcher_means_what_it_says() {
        let pointer = |equals| Matcher::Pointer { pointer: "/a/0".to_owned(), equals };
        assert!(matches(&pointer(json!(7)), r#"{"a": [7]}"#));
        assert!(matches(&pointer(json!("7")), r#"{"a": [7]}"#));
        assert!(matches(&pointer(json!(7)), r#"{"a": ["7"]}"#));
        assert!(!matches(&pointer(json!(7)), r#"{"a": [8]}"#));
        assert!(!matches(&pointer(json!(null)), r#"{"a": []}"#));
        assert!(!matches(&pointer(json!(7)), "no JSON"));
        assert!(matches(&Matcher::Regex(Regex::new("^a.c$").unwrap()), "abc"));
        assert!(!matches(&Matcher::Regex(Regex::new("^a.c$").unwrap()), "abcd"));
        assert!(matches(&Matcher::Any, ""));
        let all = |second| Matcher::All(vec![pointer(json!(7)), Matcher::Regex(second)]);
        assert!(matches(&all(Regex::new("b").unwrap()), r#"{"a": [7], "b": 1}"#));
        assert!(!matches(&all(Regex::new("c").unwrap()), r#"{"a": [7], "b": 1}"#));
    }

    #[test]
    fn a_reply_is_known_by_the_id_of_its_request() {
        let by_id = Matcher::Correlation { sent: "/id".to_owned(), received: "/re/id".to_owned() };
        let reply = by_id.for_reply(&Outgoing::Text(r#"{"id": "x1"}"#)).unwrap();
        assert!(matches(&reply, r#"{"re": {"id": "x1"}}"#));
        assert!(!matches(&reply, r#"{"re": {"id": "x2"}}"#));
        assert!(by_id.for_reply(&Outgoing::Text("no id")).is_none());
        assert!(!matches(&by_id, r#"{"id": "x1"}"#));
    }
}
