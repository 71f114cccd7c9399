//! Messages: filled in to be sent, and looked at as the bodies of responses are.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use loadr_engine::client::websocket::{Outgoing, View};
use loadr_engine::task::{TaskExit, TaskResult};
use loadr_engine::user::Context;
use serde_json::Value;

use super::ScenarioUser;
use crate::scenario::judge::Response;
use crate::scenario::step::websocket::{BinaryForm, Payload};

/// A message to send.
pub(super) enum Filled<'m> {
    Fixed(&'m str),
    Text(String),
    Binary(Cow<'m, [u8]>),
}

impl Filled<'_> {
    pub(super) fn outgoing(&self) -> Outgoing<'_> {
        match self {
            Self::Fixed(text) => Outgoing::Text(text),
            Self::Text(text) => Outgoing::Text(text),
            Self::Binary(bytes) => Outgoing::Binary(bytes),
        }
    }
}

impl ScenarioUser {
    /// A message with its placeholders filled in.
    pub(super) fn message<'m>(&self, payload: &'m Payload) -> Result<Filled<'m>, TaskExit> {
        let fixed = match payload {
            Payload::Text(text) => text.fixed(),
            Payload::Json(json) => json.fixed(),
            Payload::Binary(bytes) => return Ok(Filled::Binary(Cow::Borrowed(bytes))),
            Payload::Encoded(form, text) => {
                let bytes = self.bytes(*form, &self.rendered(text)?)?;
                return Ok(Filled::Binary(Cow::Owned(bytes)));
            }
        };
        if let Some(text) = fixed {
            return Ok(Filled::Fixed(text));
        }
        let mut text = self.socket_class().take_text();
        self.read(|scope| match payload {
            Payload::Json(json) => json.render(scope, &mut text),
            Payload::Text(template) => template.render(scope, &mut text),
            Payload::Binary(_) | Payload::Encoded(..) => unreachable!("these are bytes, see above"),
        })?;
        Ok(Filled::Text(text))
    }

    fn bytes(&self, form: BinaryForm, text: &str) -> Result<Vec<u8>, TaskExit> {
        let wrong = || {
            TaskExit::error(format!("a message is no {}, as which it was to be sent", form.key()))
        };
        form.decode(text).ok_or_else(wrong)
    }

    /// Takes back what a message was filled into.
    pub(super) fn put_message(&self, message: Filled<'_>) {
        if let Filled::Text(text) = message {
            self.socket_class().put_text(text);
        }
    }

    /// Sends a message beside whatever the user does.
    pub(super) fn answer(&self, payload: &Payload) -> TaskResult {
        let (text, bytes) = match self.message(payload)? {
            Filled::Fixed(text) => (Some(text.to_owned()), Vec::new()),
            Filled::Text(text) => (Some(text), Vec::new()),
            Filled::Binary(bytes) => (None, bytes.into_owned()),
        };
        let socket = self.user_socket().clone();
        let name = self.socket_class().send_name.clone();
        self.context.background(async move |context: Context| {
            let client = socket.with_context(&context).client;
            // Where the connection has gone meanwhile, there is nobody to answer.
            if client.is_connected() {
                let outgoing = text.as_deref().map_or(Outgoing::Binary(&bytes), Outgoing::Text);
                let _ = client.send_as(&name, outgoing).await;
            }
        });
        Ok(())
    }
}

/// A message that has come, as the body of a response.
pub(super) struct Arrived<'r, 'v> {
    view: &'r View<'v>,
    took: Duration,
    text: OnceCell<Cow<'v, str>>,
}

impl<'r, 'v> Arrived<'r, 'v> {
    pub(super) fn new(view: &'r View<'v>, took: Duration) -> Self {
        Self { view, took, text: OnceCell::new() }
    }
}

impl Response for Arrived<'_, '_> {
    fn time(&self) -> Duration {
        self.took
    }

    fn body(&self) -> &str {
        self.text.get_or_init(|| String::from_utf8_lossy(self.view.bytes()))
    }

    fn json(&self) -> Option<&Value> {
        self.view.json()
    }
}
