//! Steps and classes made ready for one shard.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use loadr_engine::client::websocket::{
    Latency, Matcher, Pushes, WebSocketOptions, WebSocketSettings,
};
use loadr_engine::record::{EntryIndex, EntryKind};
use loadr_protocols::websocket::DeflateOffer;
use regex::bytes::Regex;
use serde_json::Value;

use crate::scenario::expect::{Extract, Pointer};
use crate::scenario::run::code::Compiler;
use crate::scenario::step::RequestName;
use crate::scenario::step::websocket::{
    Connect, MessageMatch, MessageRule, Payload, PushLatency, SocketAction, SocketClass, SocketStep,
};
use crate::scenario::template::{Template, Unset, Values};
use crate::scenario::value::ValueTemplate;

/// Most texts of messages that a class keeps for later.
const TEXTS_MAX: usize = 64;
/// Most bytes of each.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// How the WebSockets of a class behave.
pub(in crate::scenario::run) struct SocketClassCode {
    pub(super) settings: Rc<WebSocketSettings>,
    pub(super) kind: Box<str>,
    pub(super) connect_name: String,
    pub(super) send_name: String,
    pub(super) fallback: Connect,
    pub(super) deflate: Option<DeflateOffer>,
    pub(super) timeout: Duration,
    pub(super) rules: Box<[RuleCode]>,
    /// What messages that no step waits for are counted as.
    pub(super) pushes: Vec<Pushes>,
    texts: RefCell<Vec<String>>,
}

impl SocketClassCode {
    /// A text to render a message into, used again.
    pub(super) fn take_text(&self) -> String {
        self.texts.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn put_text(&self, mut text: String) {
        let mut texts = self.texts.borrow_mut();
        if texts.len() < TEXTS_MAX {
            text.clear();
            text.shrink_to(TEXT_BYTES_MAX);
            texts.push(text);
        }
    }
}

/// What is done with a message that no step waits for, apart from counting it.
pub(super) struct RuleCode {
    pub(super) matcher: Matcher,
    pub(super) extract: Box<[Extract]>,
    pub(super) answer: Option<Payload>,
}

/// A step, ready to be done.
pub(in crate::scenario::run) struct SocketCode {
    pub(super) step: SocketStep,
    pub(super) name: SocketName,
    pub(super) timeout: Duration,
    /// Which message it waits for, where that is the same every time.
    matcher: Option<Matcher>,
}

/// What a step is counted under.
pub(super) enum SocketName {
    Entry(String, EntryIndex),
    Rendered(Template),
    /// It is counted only if it fails.
    None,
}

impl SocketCode {
    /// Which message is waited for.
    pub(super) fn matcher(&self, values: &impl Values) -> Result<Matcher, Unset> {
        match (&self.matcher, awaited(&self.step.action)) {
            (Some(matcher), _) => Ok(matcher.clone()),
            (None, Some(MessageMatch::Json(pairs))) => {
                let pairs = pairs.iter();
                let pairs = pairs.map(|(pointer, value)| Ok((pointer, value.evaluate(values)?)));
                Ok(json_matcher(&pairs.collect::<Result<Vec<_>, _>>()?))
            }
            (None, _) => Ok(Matcher::Any),
        }
    }
}

fn awaited(action: &SocketAction) -> Option<&MessageMatch> {
    match action {
        SocketAction::Recv(matcher) | SocketAction::Request { reply: matcher, .. } => Some(matcher),
        _ => None,
    }
}

impl Compiler<'_> {
    /// A step made ready.
    pub(in crate::scenario::run) fn websocket(&self, step: &SocketStep) -> SocketCode {
        let name = match &step.name {
            Some(RequestName::Fixed(entry)) => {
                let label = self.label(*entry);
                let entry = self.shard.entry(EntryKind::Exchange, &label.method, &label.name);
                SocketName::Entry(label.name.clone(), entry)
            }
            Some(RequestName::Rendered(name)) => SocketName::Rendered(name.clone()),
            None => SocketName::None,
        };
        SocketCode {
            name,
            timeout: step.timeout.unwrap_or(self.timeout),
            matcher: awaited(&step.action).and_then(fixed_matcher),
            step: step.clone(),
        }
    }

    /// A class made ready.
    pub(in crate::scenario::run) fn websocket_class(&self, class: &SocketClass) -> SocketClassCode {
        let timeout = class.timeout.unwrap_or(self.timeout);
        let options = WebSocketOptions {
            timeout,
            connect_timeout: self.connect_timeout,
            echo: class.echo.as_ref().and_then(fixed_matcher),
            kind: class.kind.to_string(),
            connect_name: class.names.connect.clone(),
            push_name: class.names.push.clone(),
            seed: self.seed,
            ..WebSocketOptions::default()
        };
        let mut pushes: Vec<Pushes> = class.on_message.iter().map(rule_pushes).collect();
        if !class.receives {
            // Nobody will ever ask for the others.
            pushes.push(Pushes::default());
        }
        let rules = class.on_message.iter().map(|rule| RuleCode {
            matcher: fixed_matcher(&rule.matcher).unwrap_or_default(),
            extract: rule.extract.clone(),
            answer: rule.answer.clone(),
        });
        SocketClassCode {
            settings: WebSocketSettings::without_place(self.shard, options),
            kind: class.kind.clone(),
            connect_name: class.names.connect.clone(),
            send_name: class.names.send.clone(),
            fallback: class.fallback.clone(),
            deflate: class.compress.then(DeflateOffer::default),
            timeout,
            rules: rules.collect(),
            pushes,
            texts: RefCell::default(),
        }
    }
}

fn rule_pushes(rule: &MessageRule) -> Pushes {
    let text = |pointer: &Pointer| pointer.text().to_owned();
    Pushes {
        matcher: fixed_matcher(&rule.matcher).unwrap_or_default(),
        name: rule.name.clone(),
        latency: match &rule.latency {
            PushLatency::Unknown => Latency::Unknown,
            PushLatency::SentAt(pointer) => Latency::SentAt(text(pointer)),
            PushLatency::Correlation(ids) => {
                Latency::Correlation { sent: text(&ids.sent), received: text(&ids.received) }
            }
        },
    }
}

/// The matcher, where nothing of it changes.
fn fixed_matcher(matcher: &MessageMatch) -> Option<Matcher> {
    Some(match matcher {
        MessageMatch::Any => Matcher::Any,
        MessageMatch::Matches(regex) => Matcher::Regex(
            Regex::new(regex.as_str()).expect("it is one for texts, which are bytes"),
        ),
        MessageMatch::Correlation(ids) => Matcher::Correlation {
            sent: ids.sent.text().to_owned(),
            received: ids.received.text().to_owned(),
        },
        MessageMatch::Json(pairs) => {
            let fixed = pairs.iter().map(|(pointer, value)| match value {
                ValueTemplate::Fixed(value) => Some((pointer, value.clone())),
                _ => None,
            });
            json_matcher(&fixed.collect::<Option<Vec<_>>>()?)
        }
    })
}

fn json_matcher(pairs: &[(&Pointer, Value)]) -> Matcher {
    let mut matchers = pairs.iter().map(|(pointer, value)| Matcher::Pointer {
        pointer: pointer.text().to_owned(),
        equals: value.clone(),
    });
    match (matchers.next(), matchers.len()) {
        (Some(only), 0) => only,
        (Some(first), _) => Matcher::All(std::iter::once(first).chain(matchers).collect()),
        (None, _) => Matcher::Any,
    }
}
