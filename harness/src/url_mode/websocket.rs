//! One user of a URL that speaks WebSocket: it sends its message, waits for the next one that comes, and so on.
//!
//! A connection is made, TLS and upgrade included, before the first message, and is counted beside the exchanges, as
//! connections are. Without a message the user listens: what the target pushes is counted, with no time of its own.

use std::cell::OnceCell;
use std::rc::Rc;
use std::time::Duration;

use loadr_engine::client::backoff::Backoff;
use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::client::websocket::{Arrival, OpenOptions, Outgoing, WebSocketConnection};
use loadr_engine::clock::nanos;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::{EntryIndex, EntryKind, Exchange};
use loadr_engine::tls::TlsClient;
use loadr_engine::user::{Context, ShardContext};
use loadr_protocols::websocket::{Limits, PreparedMessage, Upgrade};

use super::{UrlTarget, UrlWorkload, WebSocketExchange};

/// What stands in the place of a method.
const METHOD: &str = "WS";
/// The same where a connection is counted.
const CONNECT_METHOD: &str = "WS connect";
/// How long a target may take to say goodbye in its turn.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A target that speaks WebSocket, with everything that its users share on one shard.
pub(super) struct WebSocketTarget {
    endpoint: Endpoint,
    upgrade: Upgrade,
    message: Option<PreparedMessage>,
    compressed: Option<PreparedMessage>,
    /// Messages with their answers, or those that were listened to.
    entry: EntryIndex,
    /// Connections, from the first packet to the upgraded one.
    connect_entry: EntryIndex,
}

impl WebSocketTarget {
    pub(super) fn new(
        shard: &ShardContext,
        endpoint: Endpoint,
        target: &UrlTarget,
        exchange: &WebSocketExchange,
    ) -> Self {
        Self {
            endpoint,
            upgrade: exchange.upgrade.clone(),
            message: exchange.message.clone(),
            compressed: exchange.compressed.clone(),
            entry: shard.entry(EntryKind::Exchange, METHOD, &target.name),
            connect_entry: shard.entry(EntryKind::Handshake, CONNECT_METHOD, &target.authority),
        }
    }
}

pub(super) struct WebSocketUser {
    target: Rc<WebSocketTarget>,
    workload: Rc<UrlWorkload>,
    context: Context,
    backoff: Backoff,
    tls: OnceCell<Rc<TlsClient>>,
}

/// Why a connection is no longer used.
enum End {
    /// It has carried as many messages as it was to.
    UsedUp,
    /// Something failed, and has been counted.
    Failed,
    /// No exchange will be permitted any more.
    Over,
}

impl WebSocketUser {
    pub(super) fn new(
        target: Rc<WebSocketTarget>,
        workload: Rc<UrlWorkload>,
        context: Context,
    ) -> Self {
        let backoff = Backoff::new(workload.seed ^ context.user_index());
        Self { target, workload, context, backoff, tls: OnceCell::new() }
    }

    pub(super) async fn live(mut self) {
        while !self.context.is_over() {
            let start_ns = self.context.now_ns();
            // Lent, not moved: a connection handed from future to future would be held once in each.
            let end = match &mut self.open(start_ns).await {
                Ok(connection) => self.use_connection(connection).await,
                Err(failure) => self.fail_to_connect(failure, start_ns).await,
            };
            match end {
                End::UsedUp => {}
                End::Failed => self.context.wait(self.backoff.next_wait()).await,
                End::Over => return,
            }
        }
    }

    async fn open(&self, start_ns: u64) -> Result<WebSocketConnection, Failure> {
        let target = &*self.target;
        let options = OpenOptions {
            connect_timeout: self.workload.connect_timeout,
            timeout: self.workload.timeout,
            limits: Limits::default(),
            head_limits: self.workload.limits,
        };
        let (context, client) = (&self.context, || self.tls_client());
        let opened =
            WebSocketConnection::open(context, &target.endpoint, client, &target.upgrade, &options)
                .await;
        let (end_ns, failed) = (context.now_ns(), opened.is_err());
        let exchange = Exchange { start_ns, end_ns, failed, ..Exchange::default() };
        context.record_aside(target.connect_entry, &exchange);
        opened
    }

    fn tls_client(&self) -> Rc<TlsClient> {
        let new = || Rc::new(TlsClient::new(self.workload.tls.clone()));
        Rc::clone(self.tls.get_or_init(new))
    }

    /// Counts a failed connection as the failure of the exchange that it was for, the attempt's time as its own.
    async fn fail_to_connect(&self, failure: &Failure, start_ns: u64) -> End {
        if failure.kind == FailureKind::Cancelled {
            return End::Over;
        }
        let Some(permit) = self.context.permit(1).await else { return End::Over };
        let start_ns = self.context.backdate(permit, start_ns);
        self.record_failure(failure, start_ns);
        End::Failed
    }

    async fn use_connection(&mut self, connection: &mut WebSocketConnection) -> End {
        let target = Rc::clone(&self.target);
        let message = match (&target.compressed, connection.agreed().deflate) {
            (Some(compressed), Some(_)) => Some(compressed),
            _ => target.message.as_ref(),
        };
        let end = match message {
            Some(message) => self.exchange_all(connection, message).await,
            None => self.listen(connection).await,
        };
        if let End::UsedUp = end {
            connection.set_deadline(Some(self.context.now_ns() + nanos(CLOSE_TIMEOUT)));
            // Nobody counts a goodbye that is not answered: the connection is gone either way.
            let _ = connection.close(&self.context, Some(1000), "", CLOSE_TIMEOUT).await;
        }
        end
    }

    /// Sends the message and awaits its answer, as often as this connection is to.
    async fn exchange_all(
        &mut self,
        connection: &mut WebSocketConnection,
        message: &PreparedMessage,
    ) -> End {
        let timeout = self.workload.timeout;
        let count = self.workload.requests_per_connection.unwrap_or(u64::MAX);
        for _ in 0..count {
            let Some(permit) = self.context.permit(1).await else { return End::Over };
            connection.set_deadline(Some(permit.start_ns.saturating_add(nanos(timeout))));
            let outgoing = Outgoing::Prepared(message);
            match connection.exchange(&self.context, outgoing, timeout, |_| true).await {
                Ok(arrival) => self.record(&arrival, permit.start_ns),
                Err(failure) if failure.kind == FailureKind::Cancelled => return End::Over,
                Err(failure) => {
                    self.record_failure(&failure, permit.start_ns);
                    return End::Failed;
                }
            }
        }
        End::UsedUp
    }

    fn record(&mut self, arrival: &Arrival, start_ns: u64) {
        self.backoff.reset();
        let exchange = Exchange {
            start_ns,
            end_ns: arrival.end_ns,
            body_bytes: arrival.message_bytes,
            bytes_received: arrival.bytes_received,
            bytes_sent: arrival.bytes_sent,
            failed: false,
        };
        self.context.record(self.target.entry, &exchange);
    }

    fn record_failure(&self, failure: &Failure, start_ns: u64) {
        let end_ns = self.context.now_ns();
        let exchange = Exchange { start_ns, end_ns, failed: true, ..Exchange::default() };
        self.context.record_failure(self.target.entry, &exchange, failure);
    }

    /// Counts what comes, until the connection ends: that end is a failure, since nobody asked for it.
    async fn listen(&mut self, connection: &mut WebSocketConnection) -> End {
        connection.set_deadline(None);
        loop {
            let received = connection.receive(&self.context, Duration::MAX, |_| true).await;
            let Some(permit) = self.context.try_permit(1) else { return End::Over };
            match received {
                Ok(arrival) => {
                    let start_ns = self.context.backdate(permit, arrival.end_ns);
                    self.record(&arrival, start_ns);
                }
                Err(failure) => {
                    self.record_failure(&failure, permit.start_ns);
                    return End::Failed;
                }
            }
        }
    }
}
