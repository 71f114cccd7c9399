//! One request on one connection: taken from the pool or made, and put back where it can carry another.
//!
//! A connection is out of the pool while an exchange is on it, so that one whose exchange is dropped midway never comes
//! back. One that the target closed while it lay idle is found out by a look before it is used, or else by an exchange of
//! which no byte comes back: such an exchange is done again on a fresh connection where the method lets that be.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use loadr_protocols::http1::{Headers, RequestKind, ResponseHead};

use super::Session;
use super::origins::Origin;
use crate::client::http::{self, HttpConnection, ResponseSink};
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};

/// Connections that a session keeps for later.
const IDLE_MAX: usize = 10;
/// A connection that was idle for longer is looked at before it is used, in nanoseconds.
const LOOK_AFTER_NS: u64 = 50_000_000;
/// How long a target is given to close a connection after it was agreed to be closed, in nanoseconds.
const CLOSE_WAIT_NS: u64 = 100_000_000;

/// A connection that waits for its next exchange. Boxed, because it is moved in and out for each.
pub(super) struct Idle {
    origin: Rc<Origin>,
    http: Box<HttpConnection>,
    since_ns: u64,
}

/// A request as it goes over the wire.
pub(super) struct Wire {
    pub(super) bytes: Bytes,
    pub(super) kind: RequestKind,
    pub(super) idempotent: bool,
    /// Nothing may follow it on its connection.
    pub(super) closes: bool,
}

/// How far a call may go, over all of its requests.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) deadline_ns: u64,
    /// The time that the deadline was made of.
    pub(super) timeout: Duration,
    pub(super) body_bytes_max: Option<u64>,
}

/// What all requests of a call have moved.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    /// A connection that the target is about to close, as was agreed.
    pub(super) closing: Option<Box<HttpConnection>>,
}

/// What a call keeps of a response.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) keep_head: bool,
    pub(super) keep_body: bool,
    /// The head, where it is wanted or has something to do with what is sent next; otherwise empty.
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

impl ResponseSink for Collected {
    fn head(&mut self, head: &ResponseHead<'_>) {
        self.head.clear();
        self.body.clear();
        if self.keep_head || concerns_session(head) {
            self.head.extend_from_slice(head.raw());
        }
    }

    #[inline]
    fn body(&mut self, piece: &[u8]) {
        if self.keep_body {
            self.body.extend_from_slice(piece);
        }
    }
}

/// It may redirect, or sets cookies.
fn concerns_session(head: &ResponseHead<'_>) -> bool {
    (300..400).contains(&head.status()) || set_cookies(head.headers()).next().is_some()
}

/// Values of the Set-Cookie fields.
pub(super) fn set_cookies(headers: Headers<'_>) -> impl Iterator<Item = &[u8]> {
    headers.filter(|(name, _)| name.eq_ignore_ascii_case(b"set-cookie")).map(|(_, value)| value)
}

impl Session {
    /// Sends one request and receives its response, on a connection of the pool or a new one.
    pub(super) async fn hop(
        &self,
        origin: &Rc<Origin>,
        wire: &Wire,
        bounds: &Bounds,
        tally: &mut Tally,
        collected: &mut Collected,
    ) -> Result<http::Response, Failure> {
        let mut repeats = false;
        loop {
            let idle = if repeats { None } else { self.idle_connection(origin, bounds) };
            let reused = idle.is_some();
            let mut http = match idle {
                Some(http) => http,
                None => self.connect(origin, bounds).await?,
            };
            let done = self.exchange(&mut http, wire, bounds, collected).await;
            match &done {
                Err(failure) if reused && may_be_repeated(wire, failure, &mut http) => {
                    repeats = true;
                }
                _ => return self.settle_hop(origin, http, wire, tally, done),
            }
        }
    }

    async fn exchange(
        &self,
        http: &mut HttpConnection,
        wire: &Wire,
        bounds: &Bounds,
        collected: &mut Collected,
    ) -> Result<http::Response, Failure> {
        http.set_bounds(bounds.timeout, bounds.body_bytes_max);
        http.set_deadline(bounds.deadline_ns);
        let request = wire.bytes.clone();
        http.exchange(&self.context, request, wire.kind, 1, collected).await
    }

    fn settle_hop(
        &self,
        origin: &Rc<Origin>,
        mut http: Box<HttpConnection>,
        wire: &Wire,
        tally: &mut Tally,
        done: Result<http::Response, Failure>,
    ) -> Result<http::Response, Failure> {
        tally.bytes_sent += wire.bytes.len() as u64;
        match &done {
            Ok(response) => {
                tally.bytes_received += response.bytes_received;
                // Bytes behind a response, such as a body for a HEAD, would be taken for the next one.
                if response.keep_alive && !wire.closes && http.unfinished_bytes() == 0 {
                    self.keep(origin, http, response.end_ns);
                } else {
                    tally.closing = Some(http);
                }
            }
            Err(_) => tally.bytes_received += http.unfinished_bytes(),
        }
        done
    }

    async fn connect(
        &self,
        origin: &Origin,
        bounds: &Bounds,
    ) -> Result<Box<HttpConnection>, Failure> {
        let options = self.session_options();
        let left_ns = bounds.deadline_ns.saturating_sub(self.context.now_ns());
        let left = Duration::from_nanos(left_ns);
        let timeout = options.connect_timeout.min(left);
        let opened = origin.endpoint.connect(&self.context, timeout, || self.tls_client()).await;
        match opened {
            Ok(stream) => Ok(Box::new(HttpConnection::new(stream, options.limits, bounds.timeout))),
            // The call's own time ran out, and not the one that connections have.
            Err(failure)
                if failure.kind == FailureKind::ConnectTimeout
                    && left < options.connect_timeout =>
            {
                let message = format!("connection not made within {:?}", bounds.timeout);
                Err(Failure::new(FailureKind::ConnectTimeout, message))
            }
            Err(failure) => Err(failure),
        }
    }

    /// The connection to `origin` that was used last, if the target has not closed it.
    fn idle_connection(&self, origin: &Rc<Origin>, bounds: &Bounds) -> Option<Box<HttpConnection>> {
        // Near enough to now, without another look at the clock.
        let start_ns = bounds.deadline_ns.saturating_sub(nanos(bounds.timeout));
        loop {
            let mut idle = self.state.idle.borrow_mut();
            let index = idle.iter().rposition(|idle| Rc::ptr_eq(&idle.origin, origin))?;
            let found = idle.remove(index);
            drop(idle);
            let idle_ns = start_ns.saturating_sub(found.since_ns);
            if idle_ns < LOOK_AFTER_NS || !found.http.is_stale() {
                return Some(found.http);
            }
        }
    }

    fn keep(&self, origin: &Rc<Origin>, http: Box<HttpConnection>, since_ns: u64) {
        http.clear_deadline();
        let mut idle = self.state.idle.borrow_mut();
        let oldest = (idle.len() >= IDLE_MAX).then(|| idle.remove(0));
        idle.push(Idle { origin: Rc::clone(origin), http, since_ns });
        drop(idle);
        drop(oldest);
    }

    /// Lets the target close first, so that the closed connection's port waits on its side and not on ours.
    pub(super) async fn await_close(&self, closing: Option<Box<HttpConnection>>) {
        if let Some(mut http) = closing {
            http.set_deadline(self.context.now_ns() + CLOSE_WAIT_NS);
            http.close().await;
        }
    }
}

/// The target closed a kept connection before it answered anything, and asking again does no harm (RFC 9112, 9.3.1).
fn may_be_repeated(wire: &Wire, failure: &Failure, http: &mut HttpConnection) -> bool {
    let closed = matches!(failure.kind, FailureKind::Closed | FailureKind::Reset);
    closed && wire.idempotent && http.unfinished_bytes() == 0
}
