//! `ws`: steps on the user's WebSocket, and `[user.websocket]`, which says how that behaves.

mod message;

use std::cell::Cell;

use loadr_protocols::websocket::{UpgradeBuilder, close, handshake};

use super::class::ClassReader;
use super::constant;
use super::control::{Place, all};
use crate::scenario::expect::{Expect, Extract, ExtractFrom};
use crate::scenario::fields::{Fields, Item, Reader};
use crate::scenario::model::LabelKind;
use crate::scenario::step::websocket::{
    Connect, MessageMatch, MessageRule, SocketAction, SocketClass, SocketNames, SocketStep,
    is_whole,
};
use crate::scenario::step::{Pairs, RequestName, Step};
use crate::scenario::template::{FeedSlot, Part, Template};

/// What a step can do.
const VERBS: [&str; 6] = ["connect", "send", "recv", "request", "ping", "close"];

/// What is known of a class's WebSockets while its steps are read.
pub(super) struct SocketReader {
    class: SocketClass,
    /// Where the table stands, if there is one.
    table_at: Option<usize>,
    /// The feeds that it draws from.
    feeds: Box<[FeedSlot]>,
    is_used: Cell<bool>,
    receives: Cell<bool>,
    connects: Cell<bool>,
}

impl Default for SocketReader {
    fn default() -> Self {
        let fallback = Connect {
            url: Template::literal(""),
            query: Pairs::default(),
            headers: Pairs::default(),
            auth: None,
            subprotocols: Box::default(),
        };
        let class = SocketClass {
            kind: "WS".into(),
            names: SocketNames::default(),
            fallback,
            compress: false,
            timeout: None,
            echo: None,
            on_message: Box::default(),
            receives: false,
            connects: false,
        };
        let (is_used, receives, connects) = <(Cell<bool>, Cell<bool>, Cell<bool>)>::default();
        Self { class, table_at: None, feeds: Box::default(), is_used, receives, connects }
    }
}

impl SocketReader {
    /// What the steps have made of it; nothing where there are none.
    pub(super) fn finish(&self, reader: &Reader<'_>) -> Option<Box<SocketClass>> {
        if let (Some(at), false) = (self.table_at, self.is_used.get()) {
            reader.report(
                at,
                "no step of this user uses a WebSocket; { ws = { connect = \"/path\" } } does",
            );
        }
        let (receives, connects) = (self.receives.get(), self.connects.get());
        let class = SocketClass { receives, connects, ..self.class.clone() };
        self.is_used.get().then(|| Box::new(class))
    }
}

impl<'a> ClassReader<'a> {
    /// What the class among `fields` says of its WebSockets.
    pub(super) fn socket_reader(&self, fields: &Fields<'a>) -> SocketReader {
        let mut socket = SocketReader::default();
        let mut headers = self.headers.clone();
        // What requests may have and handshakes cannot is left out.
        headers.retain(|(name, _)| !handshake::is_own_field(name));
        socket.class.timeout = self.timeout;
        if let Some(item) = fields.item("websocket") {
            socket.table_at = Some(item.name_start);
            if let Some(table) = item.table("[user.websocket]") {
                headers = self.socket_headers(&headers, &table);
                self.socket_class(&table, &mut socket.class);
                table.finish();
            }
        }
        socket.class.fallback.headers = headers.into();
        socket.feeds = self.names.take_drawn();
        socket
    }

    fn socket_class(&self, fields: &Fields<'a>, class: &mut SocketClass) {
        if let Some(kind) = fields.item("type").and_then(|item| item.word()) {
            class.kind = kind.into();
        }
        if let Some(item) = fields.item("names") {
            self.socket_names(&item, &mut class.names);
        }
        if let Some(subprotocols) = fields.item("subprotocols").and_then(|item| self.tokens(&item))
        {
            class.fallback.subprotocols = subprotocols;
        }
        class.compress = fields.boolean("compress").unwrap_or(false);
        class.timeout = fields.duration("timeout").or(class.timeout);
        class.echo = fields.item("echo").and_then(|item| self.fixed_match(&item));
        class.on_message =
            fields.list("on_message").iter().filter_map(|item| self.rule(item)).collect();
    }

    fn socket_names(&self, item: &Item<'a>, names: &mut SocketNames) {
        let Some(fields) = item.table("the names of a WebSocket") else { return };
        let read = |key, name: &mut String| {
            if let Some(given) = fields.item(key).and_then(|item| constant(self.reader, &item)) {
                *name = given;
            }
        };
        read("connect", &mut names.connect);
        read("send", &mut names.send);
        read("message", &mut names.message);
        read("ping", &mut names.ping);
        read("push", &mut names.push);
        fields.finish();
    }

    /// The subprotocols in a list: tokens, each once (RFC 6455, 4.1).
    fn tokens(&self, item: &Item<'a>) -> Option<Box<[String]>> {
        let items = item.list()?;
        let tokens: Vec<Option<String>> =
            items.iter().map(|item| constant(self.reader, item)).collect();
        let tokens: Box<[String]> = tokens.into_iter().collect::<Option<_>>()?;
        let handshake = UpgradeBuilder::new("h", "/");
        let handshake = tokens.iter().fold(handshake, UpgradeBuilder::subprotocol);
        match handshake.build() {
            Ok(_) => Some(tokens),
            Err(error) => item.report(error.to_string()),
        }
    }

    fn rule(&self, item: &Item<'a>) -> Option<MessageRule> {
        let fields = item.table("a rule for messages")?;
        let matcher = fields.item("match").map(|item| self.fixed_match(&item));
        let name = fields.item("name").map(|item| constant(self.reader, &item));
        let latency = self.latency(&fields);
        let extract = self.message_extractions(&fields);
        let answer = fields.item("answer").map(|item| self.payload(&item));
        fields.finish();
        Some(MessageRule {
            matcher: all(matcher)?.unwrap_or_default(),
            name: all(name)?,
            latency: latency?,
            extract: extract?,
            answer: all(answer)?,
        })
    }

    /// The step whose key `ws` is `item`: what it does; how it is counted and judged, stands beside that.
    pub(super) fn socket_step(
        &self,
        fields: &Fields<'a>,
        item: &Item<'a>,
        place: &Place<'_>,
    ) -> Option<Step> {
        self.socket.is_used.set(true);
        self.names.draw_again(&self.socket.feeds);
        self.names.draw_again(&self.header_feeds);
        let table = item.table("a WebSocket step")?;
        let verbs = table.present(&VERBS);
        let verb = match verbs.as_slice() {
            [verb] => *verb,
            [] => {
                if table.finish() {
                    item.report::<()>(format!("a WebSocket step has one of {}", VERBS.join(", ")));
                }
                return None;
            }
            [first, second, ..] => {
                return second.report(format!(
                    "a step does one thing: \"{}\" or \"{}\", each in a step of its own",
                    first.name, second.name
                ));
            }
        };
        let action = self.socket_action(fields, &table, &verb);
        table.finish();
        let kind = fields.item("type").map_or(Some(&*self.socket.class.kind), |item| item.word());
        let own_name = fields.item("name").map(|item| self.own_name(&item));
        let timeout = fields.item("timeout").map(|item| item.duration());
        let is_counted = match verb.name {
            "send" | "request" | "ping" => is_counted(fields, own_name.is_some()),
            _ => Some(true),
        };
        let judged = match verb.name {
            "recv" | "request" => self.judged(fields),
            _ => Some((Expect::default(), Box::default())),
        };
        let (action, kind, (expect, extract)) = (action?, kind?, judged?);
        let name = match is_counted? {
            true => self.socket_name(all(own_name)?, kind, &action, place),
            false => None,
        };
        let timeout = all(timeout)?.or(self.socket.class.timeout);
        let step = SocketStep { action, kind: kind.into(), name, timeout, expect, extract };
        Some(Step::WebSocket(Box::new(step)))
    }

    fn socket_action(
        &self,
        fields: &Fields<'a>,
        table: &Fields<'a>,
        verb: &Item<'a>,
    ) -> Option<SocketAction> {
        Some(match verb.name {
            "connect" => {
                self.socket.connects.set(true);
                SocketAction::Connect(Box::new(self.connect(fields, table, verb)?))
            }
            "send" => SocketAction::Send(self.payload(verb)?),
            "recv" => {
                self.socket.receives.set(true);
                match is_bare(verb)? {
                    true => SocketAction::Recv(MessageMatch::Any),
                    false => SocketAction::Recv(self.message_match(verb, false)?),
                }
            }
            "request" => {
                let reply = table.item("reply").map(|item| self.message_match(&item, true));
                let message = self.payload(verb)?;
                SocketAction::Request { message, reply: all(reply)?.unwrap_or_default() }
            }
            "ping" => match is_bare(verb)? {
                true => SocketAction::Ping,
                false => return verb.report("\"ping\" wants true"),
            },
            _ => self.close(verb)?,
        })
    }

    fn connect(&self, fields: &Fields<'a>, table: &Fields<'a>, verb: &Item<'a>) -> Option<Connect> {
        let url = self.socket_url(verb);
        let subprotocols = table.item("subprotocols").map(|item| self.tokens(&item));
        let query = fields.item("query").map(|item| self.pairs(&item));
        let headers = self.socket_headers(&self.socket.class.fallback.headers, fields);
        let auth = fields.item("auth").map(|item| self.auth(&item));
        Some(Connect {
            url: url?,
            query: all(query)?.unwrap_or_default(),
            headers: headers.into(),
            auth: all(auth)?,
            subprotocols: all(subprotocols)?
                .unwrap_or_else(|| self.socket.class.fallback.subprotocols.clone()),
        })
    }

    fn socket_url(&self, item: &Item<'a>) -> Option<Template> {
        item.word()?;
        let url = self.template(item)?;
        let begins_well = match url.parts().first() {
            Some(Part::Literal(text)) => text.starts_with(['/', '?']) || is_whole(text),
            Some(_) => true,
            None => false,
        };
        match begins_well {
            true => Some(url),
            false => item.report(format!(
                "\"{url}\" is no URL of a WebSocket: begin it with / for a path on the host, or with ws:// or wss://"
            )),
        }
    }

    /// Those of `base` with the headers among `fields` put over them.
    fn socket_headers(
        &self,
        base: &[(Box<str>, Template)],
        fields: &Fields<'a>,
    ) -> Vec<(Box<str>, Template)> {
        let own = fields.entries("headers");
        for item in own.iter().filter(|item| handshake::is_own_field(item.name)) {
            let message = format!("\"{}\" is for the handshake to say; leave it out", item.name);
            self.reader.report(item.name_start, message);
        }
        self.headers_over(base, own.into_iter())
    }

    fn close(&self, item: &Item<'a>) -> Option<SocketAction> {
        let normal = (close::code::NORMAL, Template::literal(""));
        let (code, reason) = match item.value().as_table() {
            None if is_bare(item)? => normal,
            None => {
                return item.report("\"close\" wants true, or { code = 1000, reason = \"..\" }");
            }
            Some(_) => {
                let fields = item.table("a close")?;
                let code = fields.item("code").map(|item| close_code(&item));
                let reason = fields.item("reason").map(|item| self.close_reason(&item));
                fields.finish();
                (all(code)?.unwrap_or(normal.0), all(reason)?.unwrap_or(normal.1))
            }
        };
        Some(SocketAction::Close { code, reason })
    }

    fn close_reason(&self, item: &Item<'a>) -> Option<Template> {
        let reason = self.template(item)?;
        match reason.fixed().map_or(0, str::len) {
            0..=close::REASON_BYTES_MAX => Some(reason),
            bytes => item.report(format!(
                "\"reason\" has {bytes} bytes, a close frame has room for {}",
                close::REASON_BYTES_MAX
            )),
        }
    }

    /// What is expected of a message and kept of it.
    fn judged(&self, fields: &Fields<'a>) -> Option<(Expect, Box<[Extract]>)> {
        let expect = fields.item("expect").map(|item| {
            let expect = self.expect(&item)?;
            match expect.status.is_some() || expect.reads_head() {
                true => item.report("a message has no status and no headers to expect"),
                false => Some(expect),
            }
        });
        let extract = self.message_extractions(fields);
        Some((all(expect)?.unwrap_or_default(), extract?))
    }

    fn message_extractions(&self, fields: &Fields<'a>) -> Option<Box<[Extract]>> {
        let extract = self.extractions(fields)?;
        let is_there = |from: &ExtractFrom| {
            matches!(from, ExtractFrom::Json(_) | ExtractFrom::Regex(_) | ExtractFrom::Body)
        };
        match extract.iter().all(|one| is_there(&one.from)) {
            true => Some(extract),
            false => fields
                .item("extract")?
                .report("of a message there is json:/POINTER, regex:PATTERN or body to extract"),
        }
    }

    /// Its own name, else that of its group, else the class's for what it does; a message that is received and a close are
    /// counted only under a name of their own.
    fn socket_name(
        &self,
        own: Option<Template>,
        kind: &str,
        action: &SocketAction,
        place: &Place<'_>,
    ) -> Option<RequestName> {
        let names = &self.socket.class.names;
        let default = match action {
            SocketAction::Connect(_) => Some(&names.connect),
            SocketAction::Send(_) => Some(&names.send),
            SocketAction::Request { .. } => Some(&names.message),
            SocketAction::Ping => Some(&names.ping),
            SocketAction::Recv(_) | SocketAction::Close { .. } => None,
        };
        let name = match own {
            Some(name) if name.fixed().is_none() => return Some(RequestName::Rendered(name)),
            Some(name) => name.fixed().unwrap_or_default().to_owned(),
            None => default.map(|name| place.group.unwrap_or(name).to_owned())?,
        };
        Some(RequestName::Fixed(self.shared.entry(LabelKind::WebSocket, kind, &name)))
    }
}

/// Whether a step is counted that would be if nothing was said.
fn is_counted(fields: &Fields<'_>, has_name: bool) -> Option<bool> {
    let Some(item) = fields.item("count") else { return Some(true) };
    match item.boolean()? {
        true => item.report("\"count\" = true says nothing; leave it out"),
        false if has_name => item.report("\"count\" = false beside a \"name\" to count under"),
        false => Some(false),
    }
}

/// Whether `item` is true and says nothing more.
fn is_bare(item: &Item<'_>) -> Option<bool> {
    match item.value().as_bool() {
        Some(false) => item.report(format!("\"{}\" = false does nothing; leave it out", item.name)),
        truth => Some(truth.is_some()),
    }
}

fn close_code(item: &Item<'_>) -> Option<u16> {
    let code = item.count_within(1000, 4999)? as u16;
    match close::may_be_sent(code) {
        true => Some(code),
        false => item.report(format!(
            "\"code\" is {code}, which no close frame may carry: 1000-1003, 1007-1014 and 3000-4999 can be sent"
        )),
    }
}
