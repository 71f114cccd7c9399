//! Messages: those that are sent, and which of those that come is meant.

use serde_json::{Map, Value};

use super::ClassReader;
use crate::scenario::expect::Pointer;
use crate::scenario::fields::{Fields, Item};
use crate::scenario::read::control::all;
use crate::scenario::read::response::regex;
use crate::scenario::step::websocket::{
    BinaryForm, Correlation, MessageMatch, Payload, PushLatency,
};
use crate::scenario::value::{JsonTemplate, ValueTemplate};

impl<'a> ClassReader<'a> {
    /// A message to send: text, or a table that says what else.
    pub(super) fn payload(&self, item: &Item<'a>) -> Option<Payload> {
        if item.value().as_table().is_none() {
            return self.template(item).map(Payload::Text);
        }
        let message = format!(
            "\"{}\" is text, or one of {{ json = .. }}, {{ base64 = \"..\" }}, {{ hex = \"..\" }} and {{ file = \"..\" }}",
            item.name
        );
        let kind = &item.table("a message")?.only(&["json", "base64", "hex", "file"], &message)?;
        match kind.name {
            "json" => self.value(kind).map(|value| Payload::Json(JsonTemplate::from(&value))),
            "base64" => self.encoded(kind, BinaryForm::Base64),
            "hex" => self.encoded(kind, BinaryForm::Hex),
            _ => self.file(kind).map(Payload::Binary),
        }
    }

    fn encoded(&self, item: &Item<'a>, form: BinaryForm) -> Option<Payload> {
        let template = self.template(item)?;
        let Some(text) = template.fixed() else {
            return Some(Payload::Encoded(form, template));
        };
        match form.decode(text) {
            Some(bytes) => Some(Payload::Binary(bytes.into())),
            None => item.report(format!("\"{text}\" is no {}", form.key())),
        }
    }

    /// Which message is meant; `is_reply`, if it may be known by the message that was sent.
    pub(super) fn message_match(&self, item: &Item<'a>, is_reply: bool) -> Option<MessageMatch> {
        let kinds: &[&str] = match is_reply {
            true => &["json", "matches", "correlation"],
            false => &["json", "matches"],
        };
        let message = match is_reply {
            true => {
                "a reply is known by one of { json = { \"/pointer\" = value } }, { matches = \"regex\" } and \
                 { correlation = \"/id\" }"
            }
            false => {
                "a message is known by { json = { \"/pointer\" = value } } or { matches = \"regex\" }"
            }
        };
        let kind = &item.table("what tells a message")?.only(kinds, message)?;
        match kind.name {
            "json" => self.json_match(kind),
            "matches" => regex(kind).map(MessageMatch::Matches),
            _ => self.correlation(kind).map(MessageMatch::Correlation),
        }
    }

    fn json_match(&self, item: &Item<'a>) -> Option<MessageMatch> {
        let entries = item.entries()?;
        if entries.is_empty() {
            return item.report("\"json\" names no value that tells the message");
        }
        let values: Vec<Option<(Pointer, ValueTemplate)>> = entries
            .iter()
            .map(|item| {
                let value = self.value(item);
                Some((self.pointer(item)?, value?))
            })
            .collect();
        Some(MessageMatch::Json(values.into_iter().collect::<Option<_>>()?))
    }

    /// As [`Self::message_match`], known before the run.
    pub(super) fn fixed_match(&self, item: &Item<'a>) -> Option<MessageMatch> {
        match self.message_match(item, false)? {
            MessageMatch::Json(values) => {
                let fixed = values.into_iter().map(|(pointer, value)| {
                    Some((pointer, ValueTemplate::Fixed(constant_value(&value)?)))
                });
                match fixed.collect::<Option<_>>() {
                    Some(values) => Some(MessageMatch::Json(values)),
                    None => item.report(format!(
                        "\"{}\" is the same for all users: of placeholders it may have ${{env.NAME}} alone",
                        item.name
                    )),
                }
            }
            other => Some(other),
        }
    }

    /// A pointer into both messages, or one into each.
    fn correlation(&self, item: &Item<'a>) -> Option<Correlation> {
        if item.value().as_table().is_none() {
            let pointer = pointer(item)?;
            return Some(Correlation { sent: pointer.clone(), received: pointer });
        }
        let fields = item.table("a correlation")?;
        let sent = fields.required("sent").and_then(|item| pointer(&item));
        let received = fields.required("received").and_then(|item| pointer(&item));
        fields.finish();
        Some(Correlation { sent: sent?, received: received? })
    }

    /// What tells how long a message was on its way.
    pub(super) fn latency(&self, fields: &Fields<'a>) -> Option<PushLatency> {
        let sent_at = fields.item("sent_at");
        let correlation = fields.item("correlation");
        if let (Some(_), Some(item)) = (sent_at, correlation) {
            return item.report("a message's time is told by \"sent_at\" or by \"correlation\"");
        }
        let sent_at = all(sent_at.map(|item| pointer(&item)))?;
        let correlation = all(correlation.map(|item| self.correlation(&item)))?;
        Some(match (sent_at, correlation) {
            (Some(pointer), _) => PushLatency::SentAt(pointer),
            (None, Some(correlation)) => PushLatency::Correlation(correlation),
            (None, None) => PushLatency::Unknown,
        })
    }
}

fn pointer(item: &Item<'_>) -> Option<Pointer> {
    Pointer::parse(item.word()?).map_or_else(|message| item.report(message), Some)
}

/// What a value always comes to, if it is the same every time.
fn constant_value(value: &ValueTemplate) -> Option<Value> {
    match value {
        ValueTemplate::Fixed(value) => Some(value.clone()),
        ValueTemplate::Text(_) => None,
        ValueTemplate::List(items) => {
            items.iter().map(constant_value).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        ValueTemplate::Object(fields) => {
            let fields =
                fields.iter().map(|(key, value)| Some((key.to_string(), constant_value(value)?)));
            fields.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
    }
}
