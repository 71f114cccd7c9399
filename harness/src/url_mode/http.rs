//! One user of a URL that speaks HTTP.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::rc::Rc;

use loadr_engine::client::backoff::Backoff;
use loadr_engine::client::http::{HttpConnection, Response};
use loadr_engine::client::status::status_failure;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::Exchange;
use loadr_engine::tls::TlsClient;
use loadr_engine::user::Context;

use super::{HttpTarget, UrlWorkload};

/// How long a target is given to close a connection after it was agreed to be closed, in nanoseconds.
const CLOSE_WAIT_NS: u64 = 100_000_000;

pub(super) struct UrlUser {
    target: Rc<HttpTarget>,
    workload: Rc<UrlWorkload>,
    context: Context,
    /// Start of each exchange that has begun and not ended, in order.
    starts: VecDeque<u64>,
    backoff: Backoff,
    /// Its side of TLS, made for the first connection that needs it.
    tls: OnceCell<Rc<TlsClient>>,
}

/// A connection and what has happened on it.
struct Line {
    http: HttpConnection,
    /// Requests sent on it.
    sent: u64,
    /// How many of the user's outstanding exchanges have been sent on it; those behind were sent on one that the target
    /// closed before it answered them.
    outstanding: usize,
}

/// A connection that was not made.
struct Unconnected {
    failure: Failure,
    /// When the attempt began.
    start_ns: u64,
}

/// What a connection that failed had done for the exchanges that were outstanding on it.
#[derive(Clone, Copy, Default)]
struct LeftBehind {
    /// Exchanges that had been sent.
    sent: usize,
    /// Bytes received of the response to the oldest.
    received: u64,
}

/// What to do after a round.
enum Next {
    /// Go on with this connection.
    GoOn,
    /// The target closes this connection, as it or we have said: wait for that, then open another.
    AwaitClose,
    /// Open another.
    Reconnect,
    /// Open another, after a wait.
    BackOff,
    /// No exchange will be permitted any more.
    End,
}

impl UrlUser {
    pub(super) fn new(target: Rc<HttpTarget>, workload: Rc<UrlWorkload>, context: Context) -> Self {
        let backoff = Backoff::new(workload.seed ^ context.user_index());
        let (starts, tls) = (VecDeque::new(), OnceCell::new());
        Self { target, workload, context, starts, backoff, tls }
    }

    pub(super) async fn live(mut self) {
        while !self.context.is_over() || !self.starts.is_empty() {
            // Lent, not moved: a connection handed from future to future would be held once in each.
            let next = match &mut self.connect().await {
                Ok(line) => self.use_connection(line).await,
                Err(attempt) => self.fail_to_connect(attempt).await,
            };
            match next {
                Next::End => return,
                Next::BackOff => self.context.wait(self.backoff.next_wait()).await,
                Next::GoOn | Next::Reconnect | Next::AwaitClose => {}
            }
        }
    }

    async fn connect(&self) -> Result<Line, Unconnected> {
        let workload = &*self.workload;
        let start_ns = self.context.now_ns();
        let (endpoint, timeout) = (&self.target.endpoint, workload.connect_timeout);
        match endpoint.connect(&self.context, timeout, || self.tls_client()).await {
            Ok(stream) => {
                let http = HttpConnection::new(stream, workload.limits, workload.timeout);
                Ok(Line { http, sent: 0, outstanding: 0 })
            }
            Err(failure) => Err(Unconnected { failure, start_ns }),
        }
    }

    fn tls_client(&self) -> Rc<TlsClient> {
        let new = || Rc::new(TlsClient::new(self.workload.tls.clone()));
        Rc::clone(self.tls.get_or_init(new))
    }

    /// Counts a failed connection as the failure of the exchange that it was for, the attempt's time as its own.
    async fn fail_to_connect(&mut self, attempt: &Unconnected) -> Next {
        self.fail(&attempt.failure, attempt.start_ns, LeftBehind::default()).await
    }

    /// Ends every outstanding exchange with one failure. Where there is none, as when a target sends what nobody asked
    /// for, it is counted as the failure of the next one, which began at `start_ns`.
    async fn fail(&mut self, failure: &Failure, start_ns: u64, left: LeftBehind) -> Next {
        if self.starts.is_empty() {
            match self.context.permit(1).await {
                Some(permit) => self.starts.push_back(self.context.backdate(permit, start_ns)),
                None => return Next::End,
            }
        }
        self.fail_outstanding(failure, left)
    }

    async fn use_connection(&mut self, line: &mut Line) -> Next {
        loop {
            match self.round(line).await {
                Ok(Next::GoOn) => {}
                Ok(Next::AwaitClose) => {
                    line.http.set_deadline(self.context.now_ns() + CLOSE_WAIT_NS);
                    line.http.close().await;
                    return Next::Reconnect;
                }
                Ok(next) => return next,
                Err(failure) => {
                    let now_ns = self.context.now_ns();
                    let left = LeftBehind {
                        sent: line.outstanding,
                        received: line.http.unfinished_bytes(),
                    };
                    return self.fail(&failure, now_ns, left).await;
                }
            }
        }
    }

    /// Sends what may be sent, then receives what has come.
    async fn round(&mut self, line: &mut Line) -> Result<Next, Failure> {
        let mut response = match self.begin(line).await {
            0 if line.outstanding > 0 => line.http.response(&self.context, &mut ()).await?,
            0 => return Ok(if self.is_used_up(line) { Next::Reconnect } else { Next::End }),
            count => self.exchange(line, count).await?,
        };
        loop {
            self.settle(line, &response);
            if !response.keep_alive {
                return Ok(Next::AwaitClose);
            }
            match line.http.received_response(&mut ())? {
                Some(next) => response = next,
                None => return Ok(Next::GoOn),
            }
        }
    }

    /// Draws permits for the free places of the pipeline; returns how many requests are to be sent.
    async fn begin(&mut self, line: &Line) -> u64 {
        let workload = &*self.workload;
        let unsent = (self.starts.len() - line.outstanding) as u64;
        let room = workload.pipeline - self.starts.len() as u64;
        let left = workload.requests_per_connection.map_or(u64::MAX, |limit| limit - line.sent);
        let wanted = room.min(left.saturating_sub(unsent));
        let permit = match wanted {
            0 => None,
            // With nothing outstanding there is nothing else to wait for.
            _ if self.starts.is_empty() => self.context.permit(wanted).await,
            _ => self.context.try_permit(wanted),
        };
        let Some(permit) = permit else { return unsent.min(left) };
        self.starts.extend((0..permit.count).map(|_| permit.start_ns));
        (unsent + permit.count).min(left)
    }

    /// Sends `count` requests and waits for the oldest response.
    async fn exchange(&mut self, line: &mut Line, count: u64) -> Result<Response, Failure> {
        let target = &*self.target;
        line.sent += count;
        line.outstanding += count as usize;
        let requests = target.requests(count as usize, self.is_used_up(line));
        self.set_deadline(line);
        line.http.exchange(&self.context, requests, target.kind, count, &mut ()).await
    }

    /// The oldest outstanding exchange decides when the connection is given up.
    #[inline]
    fn set_deadline(&self, line: &Line) {
        if let Some(start_ns) = self.starts.front() {
            let timeout_ns = loadr_engine::clock::nanos(self.workload.timeout);
            line.http.set_deadline(start_ns.saturating_add(timeout_ns));
        }
    }

    fn is_used_up(&self, line: &Line) -> bool {
        self.workload.requests_per_connection.is_some_and(|limit| line.sent >= limit)
    }

    /// Ends the oldest outstanding exchange with its response.
    #[inline]
    fn settle(&mut self, line: &mut Line, response: &Response) {
        line.outstanding -= 1;
        let start_ns =
            self.starts.pop_front().expect("the decoder refuses a response more than awaited");
        let target = &*self.target;
        let accepted = self.workload.expected_status.accepts(response.status);
        let exchange = Exchange {
            start_ns,
            end_ns: response.end_ns,
            body_bytes: response.body_bytes,
            bytes_received: response.bytes_received,
            bytes_sent: target.request_bytes as u64,
            failed: !accepted,
        };
        self.backoff.reset();
        if accepted {
            self.context.record(target.entry, &exchange);
        } else {
            self.context.record_failure(target.entry, &exchange, &status_failure(response.status));
        }
        if line.outstanding > 0 {
            self.set_deadline(line);
        } else {
            line.http.clear_deadline();
        }
    }

    fn fail_outstanding(&mut self, failure: &Failure, mut left: LeftBehind) -> Next {
        if failure.kind == FailureKind::Cancelled {
            // The run's end cut them off: they stay in flight and are reported as such.
            return Next::End;
        }
        let target = &*self.target;
        let end_ns = self.context.now_ns();
        for start_ns in self.starts.drain(..) {
            let sent = left.sent > 0;
            left.sent = left.sent.saturating_sub(1);
            let exchange = Exchange {
                start_ns,
                end_ns,
                // The oldest is the one whose response had begun.
                bytes_received: std::mem::take(&mut left.received),
                bytes_sent: if sent { target.request_bytes as u64 } else { 0 },
                failed: true,
                ..Exchange::default()
            };
            self.context.record_failure(target.entry, &exchange, failure);
        }
        Next::BackOff
    }
}
