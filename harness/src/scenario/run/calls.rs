//! Requests made ready: laid out before the run where that can be, and else put together each time.
//!
//! Laid out are those to paths on the host whose name is known and whose body is text. A request that brings a host of its
//! own, or whose path is one variable, or that sends files, is put together by the client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use loadr_engine::client::session::{PreparedCall, PreparedParts, Reads, StatusRule};
use loadr_engine::client::xmlrpc;
use loadr_protocols::http1::{Method as Http, Piece};

use super::code::{Compiler, Judgement, RpcJudgement};
use super::pieces::{Slot, Slots};
use crate::scenario::model::{EntryLabel, EntrySlot};
use crate::scenario::step::{Auth, Body, Method, Request, RequestName};
use crate::scenario::template::{Part, Template};

/// A request, ready to be sent.
pub(super) struct CallCode {
    pub(super) route: Route,
    pub(super) judgement: Judgement,
}

/// How a request is sent.
pub(super) enum Route {
    /// Laid out before the run.
    Prepared { call: Box<PreparedCall>, slots: Box<[Slot]> },
    /// Put together each time.
    Built(Box<BuiltCall>),
}

/// A request to be put together.
pub(super) struct BuiltCall {
    pub(super) request: Request,
    pub(super) name: BuiltName,
    pub(super) status_rule: StatusRule,
}

/// What a request that is put together is counted under.
pub(super) enum BuiltName {
    Fixed(String),
    Rendered(Template),
}

impl Compiler<'_> {
    pub(super) fn label(&self, entry: EntrySlot) -> &EntryLabel {
        &self.scenario.entries[entry.0 as usize]
    }

    /// `request`, ready to be sent.
    pub(super) fn call(&self, request: &Request) -> CallCode {
        self.call_reading(request, false)
    }

    /// The same, with the response's header fields read in any case if `reads_head`.
    pub(super) fn call_reading(&self, request: &Request, reads_head: bool) -> CallCode {
        let judgement = Judgement {
            expect: request.expect.clone(),
            extract: request.extract.clone(),
            rpc: request.rpc.as_ref().map(|rpc| RpcJudgement::new(rpc, request)),
        };
        let reads_head = reads_head
            || judgement.rpc.is_some()
            || judgement.expect.reads_head()
            || judgement.extract.iter().any(|one| one.from.reads_head());
        let reads = Reads { head: reads_head, body: request.reads_body };
        let route = match self.prepared(request, reads) {
            Some(route) => route,
            None => Route::Built(Box::new(BuiltCall {
                name: match &request.name {
                    RequestName::Fixed(entry) => BuiltName::Fixed(self.label(*entry).name.clone()),
                    RequestName::Rendered(name) => BuiltName::Rendered(name.clone()),
                },
                status_rule: status_rule(request),
                request: request.clone(),
            })),
        };
        CallCode { route, judgement }
    }

    /// `request` laid out, if it is one of those that can be.
    fn prepared(&self, request: &Request, reads: Reads) -> Option<Route> {
        let RequestName::Fixed(entry) = &request.name else { return None };
        let is_hosts_own = request.rpc.is_some() && request.url.text().is_empty();
        if !is_hosts_own && !is_plain_path(&request.url) {
            return None;
        }
        let mut slots = Slots::default();
        let target = slots.target(&request.url, &request.query);
        let mut headers = headers(request, &mut slots);
        let body = body(&request.body, &mut slots, &mut headers)?;
        let method = http_method(request.method);
        let parts = PreparedParts {
            headers,
            body,
            name: Some(self.label(*entry).name.clone()),
            sample_type: request.rpc.as_ref().map(|rpc| rpc.sample_type.to_string()),
            status_rule: status_rule(request),
            reads,
            follow_redirects: request.redirects.unwrap_or(method != Http::Head),
            timeout: request.timeout,
            keep_alive: request.keep_alive,
            ..PreparedParts::new(method, target)
        };
        // What is wrong with it is counted when it is sent.
        let call = PreparedCall::new(self.shard, self.settings, parts).ok()?;
        Some(Route::Prepared { call: Box::new(call), slots: slots.0.into() })
    }
}

/// A path that begins with a slash, without a fragment, which is not sent.
fn is_plain_path(url: &Template) -> bool {
    let begins = matches!(url.parts().first(), Some(Part::Literal(text)) if text.starts_with('/'));
    let has_fragment =
        |part: &Part| matches!(part, Part::Literal(text) if text.contains(['#', '\\']));
    begins && !url.parts().iter().any(has_fragment)
}

fn headers(request: &Request, slots: &mut Slots) -> Vec<(String, Vec<Piece>)> {
    let mut headers: Vec<(String, Vec<Piece>)> = Vec::new();
    for (name, value) in &request.headers {
        if request.auth.is_none() || !name.eq_ignore_ascii_case("authorization") {
            headers.push((name.to_string(), slots.text(value)));
        }
    }
    let credentials = match &request.auth {
        Some(Auth::Basic { user, password }) => Some(slots.basic(user, password)),
        Some(Auth::Bearer(token)) => {
            let mut pieces = vec![Piece::text("Bearer ")];
            pieces.extend(slots.text(token));
            Some(pieces)
        }
        None => None,
    };
    headers.extend(credentials.map(|pieces| ("Authorization".to_owned(), pieces)));
    headers
}

/// The body, its type added to `headers`; nothing for a body that is no text.
fn body(
    body: &Body,
    slots: &mut Slots,
    headers: &mut Vec<(String, Vec<Piece>)>,
) -> Option<Option<Vec<Piece>>> {
    let (pieces, content_type) = match body {
        Body::Empty => return Some(None),
        Body::Form(pairs) => (slots.form(pairs), Some("application/x-www-form-urlencoded")),
        Body::Json(document) => (slots.json(document), Some("application/json")),
        Body::Text(text) => (slots.text(text), None),
        Body::XmlRpc(call) => (slots.xmlrpc(call), Some(xmlrpc::CONTENT_TYPE)),
        Body::File(_) | Body::Multipart(_) => return None,
    };
    let is_typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if let Some(content_type) = content_type.filter(|_| !is_typed) {
        headers.push(("Content-Type".to_owned(), vec![Piece::text(content_type)]));
    }
    Some(Some(pieces))
}

/// The statuses that do not make a response a failure, as the client takes them.
fn status_rule(request: &Request) -> StatusRule {
    if request.rpc.is_some() {
        return xmlrpc::STATUS.into();
    }
    let listed = request.expect.status.as_ref().map(|set| {
        let statuses = set.ranges().iter().flat_map(|&(first, last)| first..=last);
        StatusRule::OneOf(statuses.collect())
    });
    listed.unwrap_or_default()
}

pub(super) fn http_method(method: Method) -> Http {
    match method {
        Method::Get => Http::Get,
        Method::Post => Http::Post,
        Method::Put => Http::Put,
        Method::Patch => Http::Patch,
        Method::Delete => Http::Delete,
        Method::Head => Http::Head,
        Method::Options => Http::Options,
    }
}

/// RFC 7617.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
}
