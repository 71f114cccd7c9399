//! Steps on the user's WebSocket, and what its class says of that.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use regex::Regex;

use super::{Pairs, RequestName};
use crate::scenario::expect::{Expect, Extract, Pointer};
use crate::scenario::template::{Part, Template};
use crate::scenario::value::{JsonTemplate, ValueTemplate};

/// One thing done with the WebSocket.
#[derive(Clone, Debug)]
pub struct SocketStep {
    /// What is done.
    pub action: SocketAction,
    /// What stands in the place of a method where it is counted.
    pub kind: Box<str>,
    /// What it is counted under; without one it is counted only if it fails.
    pub name: Option<RequestName>,
    /// Longest time that it may take, the class's if not said.
    pub timeout: Option<Duration>,
    /// What makes the message that came a success.
    pub expect: Expect,
    /// What is kept of that message.
    pub extract: Box<[Extract]>,
}

/// What can be done.
#[derive(Clone, Debug)]
pub enum SocketAction {
    /// Makes a connection, in place of the one that there is.
    Connect(Box<Connect>),
    /// Sends a message.
    Send(Payload),
    /// Waits for a message.
    Recv(MessageMatch),
    /// Sends a message, and waits for its reply.
    Request {
        /// What is sent.
        message: Payload,
        /// Which message is the reply.
        reply: MessageMatch,
    },
    /// Sends a ping, and waits for its pong.
    Ping,
    /// Says goodbye.
    Close {
        /// The code.
        code: u16,
        /// The reason, often empty.
        reason: Template,
    },
}

impl SocketAction {
    /// Its key in files, and the name under which it is counted when it fails and has no other.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Send(_) => "send",
            Self::Recv(_) => "recv",
            Self::Request { .. } => "request",
            Self::Ping => "ping",
            Self::Close { .. } => "close",
        }
    }
}

/// Where a connection leads, and what is asked for there.
#[derive(Clone, Debug)]
pub struct Connect {
    /// `ws://`, `wss://`, or appended to the host.
    pub url: Template,
    /// Query parameters, to be encoded.
    pub query: Pairs,
    /// Header fields, those of the file and the class included.
    pub headers: Pairs,
    /// Credentials.
    pub auth: Option<super::Auth>,
    /// Subprotocols offered, the most wanted first.
    pub subprotocols: Box<[String]>,
}

impl Connect {
    /// Whether its URL names a host of its own, whatever its placeholders come to.
    pub fn is_whole_url(&self) -> bool {
        match self.url.parts().first() {
            Some(Part::Literal(text)) => is_whole(text),
            _ => false,
        }
    }
}

/// Whether a URL begins with a scheme of WebSockets.
pub(in crate::scenario) fn is_whole(url: &str) -> bool {
    ["ws://", "wss://"].iter().any(|scheme| url.starts_with(scheme))
}

/// A message to send.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Text.
    Text(Template),
    /// Text: a JSON document.
    Json(JsonTemplate),
    /// Bytes.
    Binary(Arc<[u8]>),
    /// Bytes, spelled out.
    Encoded(BinaryForm, Template),
}

impl Payload {
    /// Whether it is bytes, and no text.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_) | Self::Encoded(..))
    }
}

/// How bytes are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryForm {
    /// RFC 4648, 4.
    Base64,
    /// Two digits a byte.
    Hex,
}

impl BinaryForm {
    /// The bytes that `text` spells, if it does.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Hex => {
                let pairs = text.as_bytes().chunks(2);
                pairs
                    .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
                    .collect()
            }
        }
    }

    /// As it is called in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// As it is written in files, with placeholders.
impl fmt::Display for Payload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(formatter, "{}", text.text().escape_debug()),
            Self::Json(json) => write!(formatter, "json {}", json.text()),
            Self::Binary(bytes) => write!(formatter, "{} bytes", bytes.len()),
            Self::Encoded(form, text) => write!(formatter, "{} {text}", form.key()),
        }
    }
}

/// Which message is meant.
#[derive(Clone, Debug, Default)]
pub enum MessageMatch {
    /// Whichever comes next.
    #[default]
    Any,
    /// One of JSON with these values in these places.
    Json(Box<[(Pointer, ValueTemplate)]>),
    /// Text in which this is found.
    Matches(Regex),
    /// The reply to the message that is sent.
    Correlation(Correlation),
}

/// Where the id is by which two messages belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlation {
    /// In the message sent.
    pub sent: Pointer,
    /// In the message received.
    pub received: Pointer,
}

impl fmt::Display for MessageMatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("any message"),
            Self::Json(values) => {
                for (index, (pointer, value)) in values.iter().enumerate() {
                    let and = if index == 0 { "a message with " } else { " and " };
                    write!(formatter, "{and}{} = {value}", pointer.text())?;
                }
                Ok(())
            }
            Self::Matches(regex) => write!(formatter, "a message that matches {}", regex.as_str()),
            Self::Correlation(Correlation { sent, received }) => {
                write!(formatter, "a message whose {} is the {} sent", received.text(), sent.text())
            }
        }
    }
}

/// `[user.websocket]`: how the WebSockets of a class behave.
#[derive(Clone, Debug)]
pub struct SocketClass {
    /// What stands in the place of a method in the statistics.
    pub kind: Box<str>,
    /// Names of what has none of its own.
    pub names: SocketNames,
    /// Where a step connects to that finds no connection, if no step has connected before.
    pub fallback: Connect,
    /// Whether compression is offered.
    pub compress: bool,
    /// Longest time that a step may take, the user's if not said.
    pub timeout: Option<Duration>,
    /// Messages that are sent back as they came.
    pub echo: Option<MessageMatch>,
    /// What is done with messages that no step waits for; the first that means one has it.
    pub on_message: Box<[MessageRule]>,
    /// Some step waits for messages that it has not asked for, which therefore wait for it.
    pub receives: bool,
    /// Some step says where to connect to.
    pub connects: bool,
}

/// Names in the statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketNames {
    /// A connection, with its upgrade.
    pub connect: String,
    /// A message that is sent.
    pub send: String,
    /// A message with its reply.
    pub message: String,
    /// A ping with its pong.
    pub ping: String,
    /// A message that no step waits for.
    pub push: String,
}

impl Default for SocketNames {
    fn default() -> Self {
        let [connect, send, message, ping, push] =
            ["connect", "send", "message", "ping", "push"].map(str::to_owned);
        Self { connect, send, message, ping, push }
    }
}

/// What is done with a message that no step waits for.
#[derive(Clone, Debug)]
pub struct MessageRule {
    /// Those that are meant, the same all through the run.
    pub matcher: MessageMatch,
    /// What they are counted under, unless as pushes like all others.
    pub name: Option<String>,
    /// What tells how long they took.
    pub latency: PushLatency,
    /// What is kept of them.
    pub extract: Box<[Extract]>,
    /// What is sent in answer.
    pub answer: Option<Payload>,
}

/// What tells how long a message was on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PushLatency {
    /// Nothing does.
    #[default]
    Unknown,
    /// The message says when it was made.
    SentAt(Pointer),
    /// The message names one that was sent.
    Correlation(Correlation),
}
