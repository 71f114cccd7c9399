//! Counts of what a target has served.
//!
//! Each server thread writes its own counters and nobody else's, so a count is a plain load and
//! store; readers add the threads up. A request is counted when its answer is handed to the
//! connection, before the first byte of it is sent: who has an answer in hand finds it counted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::route::Route;
use crate::shop::Tally;

/// The routes of a target, as its counts tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// `/`
    Root,
    /// `/bytes/N`
    Bytes,
    /// `/delay/MS`
    Delay,
    /// `/status/N`
    Status,
    /// `/chunked/N`
    Chunked,
    /// `/echo`
    Echo,
    /// `/close`
    Close,
    /// `/stall`
    Stall,
    /// `/random-delay`
    RandomDelay,
    /// `/count`
    Count,
    /// `/headers`
    Headers,
    /// `/ws`: handshakes, as for the other WebSockets.
    WebSocket,
    /// `/ws/push`
    WebSocketPush,
    /// `/ws/keepalive`
    WebSocketKeepalive,
    /// `/ws/close`
    WebSocketClose,
    /// `/RPC2` and `/xmlrpc`
    XmlRpc,
    /// Any page of the shop; `/` counts for itself.
    Shop,
    /// Any path that is none of the others, answered with 404.
    NotFound,
    /// Requests refused as they stand: broken heads or bodies, limits exceeded, parameters that
    /// make no sense.
    Refused,
}

impl RouteKind {
    /// Every kind, in the order in which `/count` lists them.
    pub const ALL: [Self; 19] = [
        Self::Root,
        Self::Bytes,
        Self::Delay,
        Self::Status,
        Self::Chunked,
        Self::Echo,
        Self::Close,
        Self::Stall,
        Self::RandomDelay,
        Self::Count,
        Self::Headers,
        Self::WebSocket,
        Self::WebSocketPush,
        Self::WebSocketKeepalive,
        Self::WebSocketClose,
        Self::XmlRpc,
        Self::Shop,
        Self::NotFound,
        Self::Refused,
    ];

    /// The routes that are WebSockets.
    const WEB_SOCKETS: [Self; 4] =
        [Self::WebSocket, Self::WebSocketPush, Self::WebSocketKeepalive, Self::WebSocketClose];

    /// The name that `/count` gives the route: its path without slash, `root` for `/`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Bytes => "bytes",
            Self::Delay => "delay",
            Self::Status => "status",
            Self::Chunked => "chunked",
            Self::Echo => "echo",
            Self::Close => "close",
            Self::Stall => "stall",
            Self::RandomDelay => "random-delay",
            Self::Count => "count",
            Self::Headers => "headers",
            Self::WebSocket => "ws",
            Self::WebSocketPush => "ws-push",
            Self::WebSocketKeepalive => "ws-keepalive",
            Self::WebSocketClose => "ws-close",
            Self::XmlRpc => "xmlrpc",
            Self::Shop => "shop",
            Self::NotFound => "not-found",
            Self::Refused => "refused",
        }
    }
}

impl From<Route> for RouteKind {
    fn from(route: Route) -> Self {
        match route {
            Route::Root => Self::Root,
            Route::Bytes(_) => Self::Bytes,
            Route::Delay { .. } => Self::Delay,
            Route::Status(_) => Self::Status,
            Route::Chunked(_) => Self::Chunked,
            Route::Echo => Self::Echo,
            Route::Close => Self::Close,
            Route::Stall(_) => Self::Stall,
            Route::RandomDelay(_) => Self::RandomDelay,
            Route::Count => Self::Count,
            Route::Headers => Self::Headers,
            Route::WebSocket(plan) => plan.kind(),
            Route::XmlRpc => Self::XmlRpc,
            Route::Shop(_) => Self::Shop,
            Route::NotFound => Self::NotFound,
            Route::BadParameter(_) => Self::Refused,
        }
    }
}

/// What a target has served since it started, over all its threads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetStats {
    /// Connections accepted.
    pub connections_accepted: u64,
    /// Connections accepted and not yet closed by the target.
    pub connections_open: u64,
    /// TLS handshakes that were made whole.
    pub handshakes_full: u64,
    /// TLS handshakes that took up an earlier session.
    pub handshakes_resumed: u64,
    /// TLS connections that failed, in the handshake or after it.
    pub handshakes_failed: u64,
    served: [u64; RouteKind::ALL.len()],
    messages: [u64; RouteKind::ALL.len()],
    pushed: [u64; RouteKind::ALL.len()],
}

impl TargetStats {
    /// Requests answered on one route.
    pub fn served(&self, kind: RouteKind) -> u64 {
        self.served[kind as usize]
    }

    /// WebSocket messages answered on one route: echoes, and keep-alive messages that came back.
    pub fn messages(&self, kind: RouteKind) -> u64 {
        self.messages[kind as usize]
    }

    /// WebSocket messages pushed on one route.
    pub fn pushes(&self, kind: RouteKind) -> u64 {
        self.pushed[kind as usize]
    }

    /// Requests answered on all routes, refusals included.
    pub fn requests(&self) -> u64 {
        self.served.iter().sum()
    }
}

/// The body of `/count`: a line `name count` for each route, lines `name-messages count` and
/// `name-pushes count` for WebSockets, `tls-full`, `tls-resumed` and `tls-failed`, and at the end
/// `total count`, the sum over the routes.
impl fmt::Display for TargetStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for kind in RouteKind::ALL {
            writeln!(f, "{} {}", kind.as_str(), self.served(kind))?;
        }
        for kind in RouteKind::WEB_SOCKETS {
            writeln!(f, "{}-messages {}", kind.as_str(), self.messages(kind))?;
            writeln!(f, "{}-pushes {}", kind.as_str(), self.pushes(kind))?;
        }
        writeln!(f, "tls-full {}", self.handshakes_full)?;
        writeln!(f, "tls-resumed {}", self.handshakes_resumed)?;
        writeln!(f, "tls-failed {}", self.handshakes_failed)?;
        writeln!(f, "total {}", self.requests())
    }
}

/// How a TLS handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    Full,
    Resumed,
    Failed,
}

/// The counters of one server thread, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ThreadCounts {
    accepted: AtomicU64,
    closed: AtomicU64,
    served: [AtomicU64; RouteKind::ALL.len()],
    messages: [AtomicU64; RouteKind::ALL.len()],
    pushed: [AtomicU64; RouteKind::ALL.len()],
    handshakes: [AtomicU64; 3],
    pub(crate) shop: Tally,
}

impl ThreadCounts {
    #[inline]
    pub(crate) fn count_served(&self, kind: RouteKind, requests: u64) {
        add(&self.served[kind as usize], requests);
    }

    #[inline]
    pub(crate) fn count_messages(&self, kind: RouteKind, messages: u64) {
        if messages > 0 {
            add(&self.messages[kind as usize], messages);
        }
    }

    pub(crate) fn count_pushed(&self, kind: RouteKind) {
        add(&self.pushed[kind as usize], 1);
    }

    pub(crate) fn count_handshake(&self, handshake: Handshake) {
        add(&self.handshakes[handshake as usize], 1);
    }

    pub(crate) fn count_accepted(&self) {
        add(&self.accepted, 1);
    }

    pub(crate) fn count_closed(&self) {
        add(&self.closed, 1);
    }

    /// Adds this thread's counts to `total`.
    pub(crate) fn add_to(&self, total: &mut TargetStats) {
        // Closed before accepted: a connection that comes and goes in between must not count as
        // minus one.
        let closed = self.closed.load(Ordering::Acquire);
        let accepted = self.accepted.load(Ordering::Acquire);
        total.connections_accepted += accepted;
        total.connections_open += accepted - closed;
        let handshake = |kind| self.handshakes[kind as usize].load(Ordering::Acquire);
        total.handshakes_full += handshake(Handshake::Full);
        total.handshakes_resumed += handshake(Handshake::Resumed);
        total.handshakes_failed += handshake(Handshake::Failed);
        for (sums, counts) in [
            (&mut total.served, &self.served),
            (&mut total.messages, &self.messages),
            (&mut total.pushed, &self.pushed),
        ] {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count.load(Ordering::Acquire);
            }
        }
    }
}

/// Adds to a counter that only the calling thread writes.
#[inline]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed) + amount, Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_index_their_own_count() {
        for (index, kind) in RouteKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }

    #[test]
    fn threads_add_up() {
        let threads = [ThreadCounts::default(), ThreadCounts::default()];
        threads[0].count_accepted();
        threads[1].count_accepted();
        threads[1].count_closed();
        threads[0].count_served(RouteKind::Root, 5);
        threads[1].count_served(RouteKind::Root, 2);
        threads[1].count_served(RouteKind::Refused, 1);
        threads[0].count_messages(RouteKind::WebSocket, 3);
        threads[1].count_messages(RouteKind::WebSocket, 4);
        threads[1].count_pushed(RouteKind::WebSocketPush);
        threads[1].count_handshake(Handshake::Resumed);
        let mut total = TargetStats::default();
        threads.iter().for_each(|thread| thread.add_to(&mut total));
        assert_eq!((total.connections_accepted, total.connections_open), (2, 1));
        assert_eq!((total.served(RouteKind::Root), total.requests()), (7, 8));
        assert_eq!(total.messages(RouteKind::WebSocket), 7);
        assert_eq!(total.pushes(RouteKind::WebSocketPush), 1);
        assert_eq!((total.handshakes_full, total.handshakes_resumed), (0, 1));
        assert!(total.to_string().starts_with("root 7\nbytes 0\n"));
        assert!(total.to_string().ends_with("tls-failed 0\ntotal 8\n"));
    }
}
