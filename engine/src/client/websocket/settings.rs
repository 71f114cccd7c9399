//! How the WebSockets of a class of users behave, and what they share on one shard.

use std::rc::Rc;
use std::time::Duration;

use loadr_protocols::http1;
use loadr_protocols::websocket::{DeflateOffer, Limits, Upgrade, UpgradeBuilder, UpgradeError};

use super::connection::OpenOptions;
use super::message::Matcher;
use crate::client::endpoint::Endpoint;
use crate::record::{EntryIndex, EntryKind};
use crate::tls::TlsConfig;
use crate::user::ShardContext;

/// How WebSockets behave.
#[derive(Clone, Debug)]
pub struct WebSocketOptions {
    /// Time for each operation, unless it says otherwise: the upgrade, a message being taken, a reply, a pong, a close.
    pub timeout: Duration,
    /// Time to make a connection.
    pub connect_timeout: Duration,
    /// How TLS is spoken where it is: each user by itself.
    pub tls: TlsConfig,
    /// Bounds on messages.
    pub limits: Limits,
    /// Header fields of the upgrade.
    pub headers: Vec<(String, String)>,
    /// Subprotocols offered, the most wanted first.
    pub subprotocols: Vec<String>,
    /// Compression, if it is offered; it takes hundreds of kilobytes a connection.
    pub deflate: Option<DeflateOffer>,
    /// Messages that are sent back as they came, such as a target's keep-alives; nobody else sees them.
    pub echo: Option<Matcher>,
    /// What stands in the place of a method in the statistics.
    pub kind: String,
    /// The name that connecting is counted under: from the first packet to the upgraded connection.
    pub connect_name: String,
    /// The name that pushes are counted under unless they have their own.
    pub push_name: String,
    /// Messages that wait to be received; the oldest beyond are counted as pushes.
    pub inbox_messages_max: usize,
    /// Bytes of them.
    pub inbox_bytes_max: usize,
    /// Seed of the waits after failed connections.
    pub seed: u64,
}

impl Default for WebSocketOptions {
    fn default() -> Self {
        let agent = concat!("loadr-bench/", env!("CARGO_PKG_VERSION"));
        Self {
            timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(60),
            tls: TlsConfig::default(),
            limits: Limits::default(),
            headers: vec![("User-Agent".to_owned(), agent.to_owned())],
            subprotocols: Vec::new(),
            deflate: None,
            echo: None,
            kind: "WS".to_owned(),
            connect_name: "connect".to_owned(),
            push_name: "push".to_owned(),
            inbox_messages_max: 1_000,
            inbox_bytes_max: 1024 * 1024,
            seed: 0,
        }
    }
}

/// What the WebSockets of one class of users share on one shard.
#[derive(Debug)]
pub struct WebSocketSettings {
    /// Where connections lead, with the upgrade's host; nothing where each has a route of its own.
    pub(super) place: Option<Place>,
    pub(super) options: WebSocketOptions,
    pub(super) connect_entry: EntryIndex,
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) endpoint: Endpoint,
    pub(super) upgrade: Upgrade,
    host: String,
}

impl WebSocketSettings {
    /// WebSockets to `endpoint`, whose upgrade asks `host` (with its port, unless that is the scheme's own) for the path
    /// and query `target`.
    ///
    /// # Errors
    /// The upgrade cannot be asked for so.
    pub fn new(
        shard: &ShardContext,
        endpoint: Endpoint,
        host: &str,
        target: &str,
        options: WebSocketOptions,
    ) -> Result<Rc<Self>, UpgradeError> {
        let upgrade = build_upgrade(host, target, &options, &[])?;
        let place = Place { endpoint, upgrade, host: host.to_owned() };
        Ok(Self::of(shard, Some(place), options))
    }

    /// WebSockets of which each is told where to connect by [`WebSocket::set_route`](super::WebSocket::set_route).
    pub fn without_place(shard: &ShardContext, options: WebSocketOptions) -> Rc<Self> {
        Self::of(shard, None, options)
    }

    fn of(shard: &ShardContext, place: Option<Place>, options: WebSocketOptions) -> Rc<Self> {
        let connect_entry = shard.entry(EntryKind::Exchange, &options.kind, &options.connect_name);
        Rc::new(Self { place, options, connect_entry })
    }

    /// An upgrade for another path, with these header fields beside those of the options.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub fn upgrade_to(
        &self,
        target: &str,
        headers: &[(String, String)],
    ) -> Result<Upgrade, UpgradeError> {
        let host = self.place.as_ref().map_or("", |place| &place.host);
        build_upgrade(host, target, &self.options, headers)
    }

    pub(super) fn open_options(&self, timeout: Duration) -> OpenOptions {
        OpenOptions {
            connect_timeout: self.options.connect_timeout,
            timeout,
            limits: self.options.limits,
            head_limits: http1::Limits::default(),
        }
    }
}

fn build_upgrade(
    host: &str,
    target: &str,
    options: &WebSocketOptions,
    headers: &[(String, String)],
) -> Result<Upgrade, UpgradeError> {
    let mut builder = UpgradeBuilder::new(host, target);
    let is_replaced =
        |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    for (name, value) in
        options.headers.iter().filter(|(name, _)| !is_replaced(name)).chain(headers)
    {
        builder = builder.header(name, value);
    }
    for name in &options.subprotocols {
        builder = builder.subprotocol(name);
    }
    if let Some(offer) = options.deflate {
        builder = builder.deflate(offer);
    }
    builder.build()
}
