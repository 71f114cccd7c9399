//! URL mode: users that do one thing over and over, as fast as the target answers.
//!
//! Each user has one connection: of HTTP (`http`), with up to `pipeline` requests outstanding on it, or of WebSocket
//! (`websocket`), with a message that is sent again once the next one has come. Everything that can be made before the
//! load is: bytes (for a whole batch), entry indices, addresses. The workload is shared by the shards and each makes a copy
//! of its own, so that not even a reference count travels between CPUs.

mod http;
mod websocket;

use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::client::session::StatusRule;
use loadr_engine::record::{EntryIndex, EntryKind};
use loadr_engine::runtime::Address;
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::tls::TlsConfig;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use loadr_protocols::http1::{Limits, RequestKind, RequestTemplate};
use loadr_protocols::websocket::{PreparedMessage, Upgrade};
use rustls::pki_types::ServerName;

use http::UrlUser;
use websocket::{WebSocketTarget, WebSocketUser};

/// One URL and how to reach it.
#[derive(Clone, Debug)]
pub struct UrlTarget {
    /// Name shown in the report.
    pub name: String,
    /// Where connections go, as `host:port` or a socket's path.
    pub authority: String,
    /// The name that the target has to show a certificate for, where TLS is spoken.
    pub server_name: Option<ServerName<'static>>,
    /// Addresses to try, in order.
    pub addresses: Vec<Address>,
    /// What is done there.
    pub exchange: UrlExchange,
}

/// What is done with a URL.
#[derive(Clone, Debug)]
pub enum UrlExchange {
    /// A request is sent.
    Http(HttpExchange),
    /// A message is sent, and the next one that comes is its answer; without one, users listen.
    WebSocket(WebSocketExchange),
}

/// A request that is sent over and over.
#[derive(Clone, Debug)]
pub struct HttpExchange {
    /// Method shown in the report.
    pub method: String,
    /// The request.
    pub request: RequestTemplate,
    /// The request that also asks the target to close the connection.
    pub request_closing: RequestTemplate,
}

/// A message that is sent over and over.
#[derive(Clone, Debug)]
pub struct WebSocketExchange {
    /// The handshake of each connection.
    pub upgrade: Upgrade,
    /// The message, if there is one.
    pub message: Option<PreparedMessage>,
    /// The same compressed, for connections that have agreed on it.
    pub compressed: Option<PreparedMessage>,
}

/// What every user of a URL-mode run does.
#[derive(Clone, Debug)]
pub struct UrlWorkload {
    /// Targets; users are dealt out to them in turn.
    pub targets: Vec<UrlTarget>,
    /// Requests that a user keeps outstanding on its connection, at least 1.
    pub pipeline: u64,
    /// Requests, or messages, after which a user opens a new connection.
    pub requests_per_connection: Option<u64>,
    /// Time from an exchange's start to the last byte of its response.
    pub timeout: Duration,
    /// Time to open a connection.
    pub connect_timeout: Duration,
    /// Which responses are successes.
    pub expected_status: StatusRule,
    /// Bounds on what a target may send.
    pub limits: Limits,
    /// How TLS is spoken.
    pub tls: TlsConfig,
    /// Seed of the users' random draws.
    pub seed: u64,
}

impl Workload for UrlWorkload {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "Url".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let targets = self.targets.iter().map(|target| self.prepared(shard, target));
        vec![Rc::new(UrlClass { targets: targets.collect(), workload: Rc::new(self.clone()) })]
    }
}

impl UrlWorkload {
    fn prepared(&self, shard: &ShardContext, target: &UrlTarget) -> PreparedTarget {
        let endpoint = Endpoint::new(shard, &target.authority, target.addresses.clone());
        let endpoint = match &target.server_name {
            Some(name) => endpoint.secured(shard, &target.authority, name.clone()),
            None => endpoint,
        };
        match &target.exchange {
            UrlExchange::Http(http) => {
                let batch = usize::try_from(self.pipeline).unwrap_or(1);
                let entry = shard.entry(EntryKind::Exchange, &http.method, &target.name);
                PreparedTarget::Http(Rc::new(HttpTarget::new(endpoint, entry, http, batch)))
            }
            UrlExchange::WebSocket(websocket) => PreparedTarget::WebSocket(Rc::new(
                WebSocketTarget::new(shard, endpoint, target, websocket),
            )),
        }
    }
}

/// The users of one shard.
struct UrlClass {
    targets: Vec<PreparedTarget>,
    workload: Rc<UrlWorkload>,
}

impl UserClass for UrlClass {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        let index = (context.user_index() % self.targets.len() as u64) as usize;
        let workload = Rc::clone(&self.workload);
        match &self.targets[index] {
            PreparedTarget::Http(target) => {
                UserLife::new(UrlUser::new(Rc::clone(target), workload, context).live())
            }
            PreparedTarget::WebSocket(target) => {
                UserLife::new(WebSocketUser::new(Rc::clone(target), workload, context).live())
            }
        }
    }
}

/// A target with everything that its users share on one shard.
enum PreparedTarget {
    Http(Rc<HttpTarget>),
    WebSocket(Rc<WebSocketTarget>),
}

/// A target that speaks HTTP.
struct HttpTarget {
    endpoint: Endpoint,
    entry: EntryIndex,
    kind: RequestKind,
    /// As many requests back to back as a user may have outstanding.
    batch: Bytes,
    request_bytes: usize,
    closing: Bytes,
}

impl HttpTarget {
    fn new(endpoint: Endpoint, entry: EntryIndex, http: &HttpExchange, batch: usize) -> Self {
        Self {
            endpoint,
            entry,
            kind: http.request.kind(),
            // Copies, not clones: the count of a shared one would be written by every shard.
            batch: Bytes::copy_from_slice(&http.request.repeated(batch)),
            request_bytes: http.request.bytes().len(),
            closing: Bytes::copy_from_slice(http.request_closing.bytes()),
        }
    }

    /// The bytes of `count` requests, of which the last asks to close the connection if `closing`.
    fn requests(&self, count: usize, closing: bool) -> Bytes {
        match (count, closing) {
            (_, false) => self.batch.slice(..count * self.request_bytes),
            (1, true) => self.closing.clone(),
            (_, true) => {
                let mut requests = BytesMut::from(&self.batch[..(count - 1) * self.request_bytes]);
                requests.extend_from_slice(&self.closing);
                requests.freeze()
            }
        }
    }
}
