//! HTTP/1.1 over one connection: requests out, responses in, one at a time or pipelined.
//!
//! Request bytes come ready-made from a template. Heads and bodies of responses are shown to a [`ResponseSink`] piece by
//! piece and then dropped, so that a connection holds no more than its receive buffer whatever it downloads.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use loadr_protocols::http1::{
    End, Event, Limits, RemoteError, RequestKind, ResponseDecoder, ResponseHead,
};

use super::sending::{SEND_FIRST_BYTES_MAX, Sender, UNWATCHED_BYTES_MAX};
use super::stream_failure;
use crate::outcome::{Failure, FailureKind};
use crate::stream::{ReadHalf, Stream};
use crate::user::Context;

/// Where a response goes that somebody wants to see.
///
/// It is dispatched statically: for `()`, which wants nothing, neither call is there.
pub trait ResponseSink {
    /// Takes what it wants of the head; it comes before the body.
    fn head(&mut self, head: &ResponseHead<'_>);
    /// Takes the next piece of the body, never empty.
    fn body(&mut self, piece: &[u8]);
}

impl ResponseSink for () {
    #[inline]
    fn head(&mut self, _: &ResponseHead<'_>) {}

    #[inline]
    fn body(&mut self, _: &[u8]) {}
}

/// A response as far as statistics go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Decoded bytes of the body.
    pub body_bytes: u64,
    /// Bytes on the wire, head and framing included.
    pub bytes_received: u64,
    /// When its last byte was seen, in nanoseconds since the run's origin.
    pub end_ns: u64,
    /// The connection can carry another exchange.
    pub keep_alive: bool,
}

/// A connection that speaks HTTP/1.1.
pub struct HttpConnection {
    sender: Sender,
    receiver: Receiver,
    timeout: Duration,
}

impl HttpConnection {
    /// Speaks HTTP over `stream`; `timeout` is named in the failures of exchanges that outlast their deadline.
    pub fn new(stream: Stream, limits: Limits, timeout: Duration) -> Self {
        let (read, write) = stream.into_split();
        let decoder = ResponseDecoder::new(limits);
        let receiver = Receiver { read, decoder, status: 0, read_at_ns: 0 };
        Self { sender: Sender::Idle(write), receiver, timeout }
    }

    /// Changes what [`Self::new`] was told: the timeout that failures name, and the bytes of a body that are too many.
    pub fn set_bounds(&mut self, timeout: Duration, body_bytes_max: Option<u64>) {
        self.timeout = timeout;
        self.receiver.decoder.limit_body(body_bytes_max);
    }

    /// Whether the target has closed the connection or sent what nobody asked for, which a look at the idle socket
    /// tells: it costs a system call.
    pub fn is_stale(&self) -> bool {
        self.receiver.read.is_stale()
    }

    /// Sends `count` requests of one kind, encoded back to back in `requests`, and waits for the next response.
    ///
    /// Where the kernel sends by itself, the response is awaited at once: an exchange then costs one wake-up instead of
    /// two. A large batch goes on being sent while responses are received, by this call and by [`Self::response`].
    ///
    /// # Errors
    /// The connection is of no more use after one.
    pub async fn exchange(
        &mut self,
        context: &Context,
        requests: Bytes,
        kind: RequestKind,
        count: u64,
        sink: &mut impl ResponseSink,
    ) -> Result<Response, Failure> {
        for _ in 0..count {
            self.receiver.decoder.expect(kind);
        }
        let request_bytes = requests.len() / count.max(1) as usize;
        let unanswered_bytes = request_bytes * self.receiver.decoder.outstanding();
        match &mut self.sender {
            Sender::Idle(write) if unanswered_bytes <= SEND_FIRST_BYTES_MAX => {
                let unwatched =
                    write.completes_unwatched() && unanswered_bytes <= UNWATCHED_BYTES_MAX;
                let timeout = self.timeout;
                let mut sending = pin!(write.write_all(requests));
                let mut nobody = task::Context::from_waker(Waker::noop());
                // What became of the sending is told by what comes back, or by the end of that: a target may answer and
                // close before it has read everything (RFC 9112, 9.6), and then its answer counts.
                match sending.as_mut().poll(&mut nobody) {
                    Poll::Ready(_) => self.receiver.response(context, timeout, sink).await,
                    Poll::Pending if unwatched => {
                        let response = self.receiver.response(context, timeout, sink).await?;
                        // The kernel had room for all of it: this has long completed, and does not wait.
                        let _ = sending.await;
                        Ok(response)
                    }
                    Poll::Pending => {
                        let _ = sending.await;
                        self.receiver.response(context, timeout, sink).await
                    }
                }
            }
            _ => {
                self.sender.begin(requests);
                self.response(context, sink).await
            }
        }
    }

    /// Waits for the next response.
    ///
    /// # Errors
    /// The connection is of no more use after one.
    pub async fn response(
        &mut self,
        context: &Context,
        sink: &mut impl ResponseSink,
    ) -> Result<Response, Failure> {
        let (sender, receiver) = (&mut self.sender, &mut self.receiver);
        if matches!(sender, Sender::Idle(_)) {
            return receiver.response(context, self.timeout, sink).await;
        }
        let mut receiving = pin!(receiver.response(context, self.timeout, sink));
        poll_fn(|task| {
            sender.poll(task);
            receiving.as_mut().poll(task)
        })
        .await
    }

    /// The next response if it has been received whole already.
    ///
    /// # Errors
    /// The connection is of no more use after one.
    pub fn received_response(
        &mut self,
        sink: &mut impl ResponseSink,
    ) -> Result<Option<Response>, Failure> {
        self.receiver.received_response(sink)
    }

    /// Bytes received of the response that is not complete.
    pub fn unfinished_bytes(&mut self) -> u64 {
        self.receiver.decoder.wire_bytes() + self.receiver.read.buffer().len() as u64
    }

    /// Sets the moment, in nanoseconds since the run's origin, at which everything outstanding is given up.
    #[inline]
    pub fn set_deadline(&self, deadline_ns: u64) {
        self.receiver.read.set_deadline(Some(deadline_ns));
    }

    /// Nothing is outstanding: the connection may be idle for as long as it likes.
    #[inline]
    pub fn clear_deadline(&self) {
        self.receiver.read.set_deadline(None);
    }

    /// Waits for the target to close, as was agreed, so that the closed connection's port waits on its side (TIME_WAIT)
    /// and not on ours; the deadline bounds the wait.
    pub async fn close(&mut self) {
        while let Ok(1..) = self.receiver.read.fill().await {
            let stray = self.receiver.read.buffer().len();
            self.receiver.read.buffer().consume(stray);
        }
    }
}

/// The receiving side: a decoder over a read half.
struct Receiver {
    read: ReadHalf,
    decoder: ResponseDecoder,
    status: u16,
    /// When bytes were last received.
    read_at_ns: u64,
}

impl Receiver {
    async fn response(
        &mut self,
        context: &Context,
        timeout: Duration,
        sink: &mut impl ResponseSink,
    ) -> Result<Response, Failure> {
        loop {
            if let Some(response) = self.received_response(sink)? {
                return Ok(response);
            }
            let received = self.read.fill().await;
            self.read_at_ns = context.now_ns();
            match received {
                Ok(0) => return self.end_of_stream(),
                Ok(_) => {}
                Err(error) => return Err(stream_failure(&error, timeout)),
            }
        }
    }

    #[inline]
    fn received_response(
        &mut self,
        sink: &mut impl ResponseSink,
    ) -> Result<Option<Response>, Failure> {
        loop {
            match self.decoder.next(self.read.buffer()) {
                Ok(Some(Event::Head(head))) => {
                    self.status = head.status();
                    sink.head(&head);
                }
                Ok(Some(Event::Body(piece))) => sink.body(piece),
                Ok(Some(Event::Interim { .. })) => {}
                Ok(Some(Event::End(end))) => return Ok(Some(self.finish(end))),
                Ok(None) => return Ok(None),
                Err(error) => return Err(remote_failure(&error)),
            }
        }
    }

    fn end_of_stream(&mut self) -> Result<Response, Failure> {
        match self.decoder.end_of_input(self.read.buffer()) {
            Ok(Some(end)) => Ok(self.finish(end)),
            Ok(None) => Err(remote_failure(&RemoteError::ClosedBeforeResponse { outstanding: 0 })),
            Err(error) => Err(remote_failure(&error)),
        }
    }

    #[inline]
    fn finish(&self, end: End) -> Response {
        Response {
            status: self.status,
            body_bytes: end.body_bytes,
            bytes_received: end.wire_bytes,
            end_ns: self.read_at_ns,
            keep_alive: end.keep_alive,
        }
    }
}

#[cold]
fn remote_failure(error: &RemoteError) -> Failure {
    match error {
        // How many were awaited differs from user to user; the failure is one and the same.
        RemoteError::ClosedBeforeResponse { .. } => {
            Failure::new(FailureKind::Closed, "connection closed before a response")
        }
        RemoteError::ClosedInHead { .. }
        | RemoteError::ClosedInBody { .. }
        | RemoteError::ClosedInChunkedBody { .. } => {
            Failure::new(FailureKind::Closed, error.to_string())
        }
        RemoteError::BodyTooLong { limit } => {
            let message = format!("response body larger than {limit} bytes");
            Failure::new(FailureKind::Protocol, message)
        }
        _ => Failure::new(FailureKind::Protocol, error.to_string()),
    }
}
