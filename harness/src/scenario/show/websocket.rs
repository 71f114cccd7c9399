//! What is done with WebSockets, as text.

use super::{Listing, seconds};
use crate::scenario::step::websocket::{
    Connect, MessageMatch, MessageRule, PushLatency, SocketAction, SocketClass, SocketStep,
};
use crate::scenario::step::{Auth, RequestName};

impl Listing<'_> {
    /// What the class says of all of its WebSockets, if that is not what each does anyway.
    pub(super) fn websocket_class(&mut self, class: &SocketClass) {
        if class.compress {
            self.line("offers compression of WebSockets");
        }
        if let Some(echo) = &class.echo {
            self.line(format!("sends back {echo}"));
        }
        for rule in &class.on_message {
            self.rule(rule, class);
        }
    }

    fn rule(&mut self, rule: &MessageRule, class: &SocketClass) {
        let name = rule.name.as_ref().unwrap_or(&class.names.push);
        let time = match &rule.latency {
            PushLatency::Unknown => String::new(),
            PushLatency::SentAt(pointer) => format!(", sent at its {}", pointer.text()),
            PushLatency::Correlation(ids) => {
                format!(
                    ", since a message was sent whose {} is its {}",
                    ids.sent.text(),
                    ids.received.text()
                )
            }
        };
        self.line(format!("counts {} as {} {name}{time}", rule.matcher, class.kind));
        if let Some(answer) = &rule.answer {
            self.inside(|listing| listing.line(format!("answers {answer}")));
        }
    }

    pub(super) fn websocket(&mut self, step: &SocketStep) {
        let timeout = step.timeout.map(|timeout| format!(", for up to {}", seconds(timeout)));
        let timeout = timeout.unwrap_or_default();
        let line = match &step.action {
            SocketAction::Connect(connect) => format!("connect {}", url(connect)),
            SocketAction::Send(message) => format!("send {message}"),
            SocketAction::Recv(matcher) => format!("receive {matcher}"),
            SocketAction::Request { message, reply: MessageMatch::Any } => {
                format!("send {message}, and receive the next message")
            }
            SocketAction::Request { message, reply } => {
                format!("send {message}, and receive {reply}")
            }
            SocketAction::Ping => "ping".to_owned(),
            SocketAction::Close { code, reason } => {
                let reason = reason.text();
                let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
                format!("close with {code}{reason}")
            }
        };
        let name = match &step.name {
            Some(RequestName::Fixed(entry)) => {
                format!(", as {}", self.scenario.entries[entry.0 as usize].name)
            }
            Some(RequestName::Rendered(template)) => format!(", as {}", template.text()),
            None => String::new(),
        };
        self.line(format!("{} {line}{timeout}{name}", step.kind));
        if let SocketAction::Connect(connect) = &step.action {
            self.inside(|listing| listing.handshake(connect));
        }
    }

    fn handshake(&mut self, connect: &Connect) {
        for (name, value) in &connect.headers {
            self.line(format!("{name}: {value}"));
        }
        match &connect.auth {
            Some(Auth::Basic { user, .. }) => self.line(format!("basic auth as {user}")),
            Some(Auth::Bearer(token)) => self.line(format!("bearer {token}")),
            None => {}
        }
        if let [_, ..] = &*connect.subprotocols {
            self.line(format!("subprotocols {}", connect.subprotocols.join(", ")));
        }
    }
}

fn url(connect: &Connect) -> String {
    let mut url = connect.url.text().to_owned();
    for (index, (name, value)) in connect.query.iter().enumerate() {
        let separator = if index == 0 && !url.contains('?') { '?' } else { '&' };
        url.push_str(&format!("{separator}{name}={value}"));
    }
    url
}
