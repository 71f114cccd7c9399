//! What the shop answers, before it is framed.

use std::fmt::Display;

use serde_json::{Map, Value};

/// An answer, to be framed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Header lines of its own, each with its CRLF.
    pub(crate) fields: String,
    pub(crate) content: Content,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nothing,
    Text(&'static str),
    Html(String),
    Json(String),
}

impl Answer {
    fn new(status: u16, content: Content) -> Self {
        Self { status, fields: String::new(), content }
    }

    /// 204, No Content.
    pub(super) fn nothing() -> Self {
        Self::new(204, Content::Nothing)
    }

    pub(super) fn text(status: u16, text: &'static str) -> Self {
        Self::new(status, Content::Text(text))
    }

    pub(super) fn html(html: String) -> Self {
        Self::new(200, Content::Html(html))
    }

    pub(super) fn json(status: u16, json: impl Display) -> Self {
        Self::new(status, Content::Json(format!("{json}\n")))
    }

    /// 200, an object of what a client has sent, and of one member that is not its to say.
    pub(super) fn object(mut members: Map<String, Value>, name: &str, value: Value) -> Self {
        members.insert(name.to_owned(), value);
        Self::json(200, Value::Object(members))
    }

    pub(super) fn with(self, fields: impl Into<String>) -> Self {
        Self { fields: fields.into(), ..self }
    }
}
