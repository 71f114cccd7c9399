//! Calls whose every byte but the slots' is known before the run: what scenario files are made of.
//!
//! Everything that can be done once for a shard is: the request is laid out and checked, its entry interned, its place
//! found. What a user adds (cookies, authentication, header fields of its own) are lines put in before the blank one. A
//! warm call without slots whose response nobody reads allocates nothing.

mod send;
mod view;

pub use send::PreparedReply;
pub use view::View;

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use loadr_protocols::http1::{
    Method, Piece, RequestError, SlotError, SlottedBuilder, SlottedTemplate,
};

use super::SessionSettings;
use super::location::LocationError;
use super::origins::Origin;
use super::settings::Host;
use super::verdict::StatusRule;
use crate::outcome::Failure;
use crate::record::{EntryIndex, EntryKind};
use crate::user::ShardContext;

/// What is read of a response; the rest is dropped as it is received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Its header fields.
    pub head: bool,
    /// Its body.
    pub body: bool,
}

/// What a [`PreparedCall`] is made of.
#[derive(Clone, Debug)]
pub struct PreparedParts {
    /// The method.
    pub method: Method,
    /// Path and query, appended to the host's; nothing for the host's own.
    pub target: Vec<Piece>,
    /// Header fields, beside those of the session's options and before those of the same name.
    pub headers: Vec<(String, Vec<Piece>)>,
    /// The body.
    pub body: Option<Vec<Piece>>,
    /// The name to count under, instead of path and query.
    pub name: Option<String>,
    /// What it is counted as in the place of its method, for a protocol that HTTP carries.
    pub sample_type: Option<String>,
    /// Which statuses are successes.
    pub status_rule: StatusRule,
    /// What is read of the response.
    pub reads: Reads,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Time to the last byte, unless the options' will do.
    pub timeout: Option<Duration>,
    /// Whether the connection is kept.
    pub keep_alive: bool,
}

impl PreparedParts {
    /// A call as [`Session::request`](super::Session::request) would make it.
    pub fn new(method: Method, target: Vec<Piece>) -> Self {
        Self {
            follow_redirects: method != Method::Head,
            method,
            target,
            headers: Vec::new(),
            body: None,
            name: None,
            sample_type: None,
            status_rule: StatusRule::default(),
            reads: Reads::default(),
            timeout: None,
            keep_alive: true,
        }
    }
}

/// A call that cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The host is missing or wrong.
    #[error(transparent)]
    Location(#[from] LocationError),
    /// The host's name does not resolve.
    #[error("{0}")]
    Host(Failure),
    /// The request's literal parts are wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The request cannot be rendered.
    #[error(transparent)]
    Slot(#[from] SlotError),
}

/// A call made ready on one shard, for the sessions of one class there.
pub struct PreparedCall {
    template: SlottedTemplate,
    /// The request itself, where it has no slots.
    fixed: Option<Bytes>,
    origin: Rc<Origin>,
    host: String,
    is_secure: bool,
    /// The path, where it has no slots.
    path: Option<String>,
    naming: Naming,
    sample_type: String,
    /// Header fields that a session's own do not replace.
    names: Vec<String>,
    idempotent: bool,
    status_rule: StatusRule,
    reads: Reads,
    follow: bool,
    timeout: Duration,
}

/// What a prepared call is counted under.
enum Naming {
    /// The name that it was given.
    Given(EntryIndex),
    /// Path and query, always the same, unless the session has a name for its requests.
    Target(EntryIndex),
    /// Path and query, as rendered.
    Rendered,
}

impl PreparedCall {
    /// Makes a call ready for the sessions that have `settings`.
    ///
    /// # Errors
    /// The sessions have no host, or what is literal in `parts` cannot stand in a request.
    pub fn new(
        shard: &ShardContext,
        settings: &SessionSettings,
        parts: PreparedParts,
    ) -> Result<Self, PrepareError> {
        let host = settings.host.as_ref().ok_or(LocationError::NoHost)?;
        let origin = settings.place(0, &host.location).map_err(PrepareError::Host)?;
        let target = appended(host, &parts.target);
        let path = literal_path(&target);
        let builder = builder(settings, host, &parts, target.clone());
        let names = parts.headers.iter().map(|(name, _)| name.clone());
        let names = names.chain(settings.options.headers.iter().map(|(name, _)| name.clone()));
        let template = builder.build()?;
        let fixed = if template.slots() == 0 {
            let mut out = BytesMut::new();
            template.render(&[], b"", &mut out)?;
            Some(out.freeze())
        } else {
            None
        };
        let sample_type = parts.sample_type.as_deref().unwrap_or(parts.method.as_str()).to_owned();
        let entry = |name: &str| shard.entry(EntryKind::Exchange, &sample_type, name);
        let naming = match (&parts.name, literal(&target)) {
            (Some(name), _) => Naming::Given(entry(name)),
            (None, Some(target)) => Naming::Target(entry(&target)),
            (None, None) => Naming::Rendered,
        };
        Ok(Self {
            names: names.collect(),
            idempotent: parts.method.is_idempotent(),
            host: host.location.host(),
            is_secure: host.location.is_secure(),
            template,
            fixed,
            origin,
            path,
            naming,
            sample_type,
            status_rule: parts.status_rule,
            reads: parts.reads,
            follow: parts.follow_redirects,
            timeout: parts.timeout.unwrap_or(settings.options.timeout),
        })
    }

    /// How many values a sending takes.
    pub fn slots(&self) -> usize {
        self.template.slots()
    }

    fn names(&self, name: &str) -> bool {
        self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

fn builder(
    settings: &SessionSettings,
    host: &Host,
    parts: &PreparedParts,
    target: Vec<Piece>,
) -> SlottedBuilder {
    let has = |name: &str| parts.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let mut builder =
        SlottedBuilder::new(parts.method.clone(), target).connection_close(!parts.keep_alive);
    if !has("host") {
        builder = builder.header("Host", vec![Piece::text(host.location.authority())]);
    }
    for (name, value) in settings.options.headers.iter().filter(|(name, _)| !has(name)) {
        builder = builder.header(name.as_str(), vec![Piece::text(value)]);
    }
    for (name, value) in &parts.headers {
        builder = builder.header(name.as_str(), value.clone());
    }
    match &parts.body {
        Some(body) => builder.body(body.clone()),
        None => builder,
    }
}

/// The host's path with `target` behind it, neighbouring texts joined.
fn appended(host: &Host, target: &[Piece]) -> Vec<Piece> {
    let rest = host.text.split_once("://").map_or(host.text.as_str(), |(_, rest)| rest);
    let mut base = rest.find('/').map_or("", |at| &rest[at..]);
    if base.is_empty() && target.is_empty() {
        base = "/";
    }
    let mut joined = vec![Piece::text(base)];
    for piece in target {
        match (joined.last_mut(), piece) {
            (Some(Piece::Text(before)), Piece::Text(text)) => before.extend_from_slice(text),
            (_, piece) => joined.push(piece.clone()),
        }
    }
    joined
}

/// The text of pieces without a slot.
fn literal(pieces: &[Piece]) -> Option<String> {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => Some(String::from_utf8_lossy(text)),
        Piece::Slot(_) => None,
    });
    texts.collect()
}

/// The path, where every slot is behind it.
fn literal_path(target: &[Piece]) -> Option<String> {
    match target.first() {
        Some(Piece::Text(text)) if target.len() == 1 || text.contains(&b'?') => {
            let text = String::from_utf8_lossy(text);
            Some(text.split('?').next().unwrap_or("/").to_owned())
        }
        _ => None,
    }
}
