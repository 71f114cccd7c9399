//! One WebSocket connection in one task: opened, used for one thing at a time, closed.
//!
//! Nothing runs beside it: pings are answered, and a close is noticed, while somebody waits for a message. That makes an
//! exchange as cheap as one of HTTP: no queue, no other task, nothing allocated once warm.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use loadr_protocols::buffer::ReceiveBuffer;
use loadr_protocols::http1::{self, RequestKind, ResponseDecoder};
use loadr_protocols::websocket::{Agreed, HandshakeKey, Limits, Upgrade, close};

use super::failure::{self, Awaited};
use super::message::{Outgoing, View};
use super::wire::{Bounds, Due, Receiver, Sender, Sink, Step};
use crate::client::endpoint::Endpoint;
use crate::client::sending::UNWATCHED_BYTES_MAX;
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::stream::{ReadHalf, Stream};
use crate::tls::TlsClient;
use crate::user::Context;

/// How a connection is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Time to make the connection.
    pub connect_timeout: Duration,
    /// Time for all of it, the upgrade included.
    pub timeout: Duration,
    /// Bounds on messages.
    pub limits: Limits,
    /// Bounds on the answer to the upgrade.
    pub head_limits: http1::Limits,
}

/// An exchange as far as statistics go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When the last byte of the message that was awaited was seen, in nanoseconds since the run's origin.
    pub end_ns: u64,
    /// Bytes of its payload.
    pub message_bytes: u64,
    /// Bytes received on the wire meanwhile.
    pub bytes_received: u64,
    /// Bytes sent on the wire meanwhile.
    pub bytes_sent: u64,
}

/// A connection that speaks WebSocket. One of which an operation failed, or was dropped in its middle, is of no more use.
pub struct WebSocketConnection {
    pub(super) sender: Box<Sender>,
    pub(super) receiver: Box<Receiver>,
    agreed: Agreed,
}

impl WebSocketConnection {
    /// Connects to `endpoint`, which counts that, as the user of TLS that `client` gives where it is spoken there, and
    /// upgrades the connection.
    ///
    /// # Errors
    /// The connection was not made, the upgrade refused or answered wrongly, or the time ran out.
    pub async fn open(
        context: &Context,
        endpoint: &Endpoint,
        client: impl FnOnce() -> Rc<TlsClient>,
        upgrade: &Upgrade,
        options: &OpenOptions,
    ) -> Result<Self, Failure> {
        let deadline_ns = context.now_ns().saturating_add(nanos(options.timeout));
        let connect_timeout = options.connect_timeout.min(options.timeout);
        let stream = endpoint.connect(context, connect_timeout, client).await?;
        Self::upgrade(context, stream, upgrade, options, deadline_ns).await
    }

    async fn upgrade(
        context: &Context,
        stream: Stream,
        upgrade: &Upgrade,
        options: &OpenOptions,
        deadline_ns: u64,
    ) -> Result<Self, Failure> {
        let (mut read, mut write) = stream.into_split();
        read.set_deadline(Some(deadline_ns));
        let (key, seed) = context.random(|random| (handshake_key(random), random.next_u64()));
        // As with HTTP, what became of the sending is told by what comes back.
        let _ = write.write_all(upgrade.request(key)).await;
        let agreed = answer(&mut read, upgrade, key, options).await?;
        read.set_deadline(None);
        let mut receiver = Box::new(Receiver::new(read, options.limits, &agreed));
        receiver.read_at_ns = context.now_ns();
        let sender = Box::new(Sender::new(write, &agreed, seed));
        Ok(Self { sender, receiver, agreed })
    }

    /// What was agreed on with the target.
    pub fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Whether the target has closed the connection or sent what nobody has received yet, which a look at the idle socket
    /// tells: it costs a system call.
    pub fn is_stale(&self) -> bool {
        self.receiver.read.is_stale()
    }

    /// Sets or clears the moment, in nanoseconds since the run's origin, at which whatever is under way is given up.
    #[inline]
    pub fn set_deadline(&self, deadline_ns: Option<u64>) {
        self.receiver.read.set_deadline(deadline_ns);
    }

    /// Sends a message and waits for the one that `is_reply` says is its reply; whatever else comes is shown to it and
    /// dropped. `timeout` is named in the failure of an exchange that outlasts the deadline.
    ///
    /// Where the kernel sends by itself, the reply is awaited at once: an exchange then costs one wake-up instead of two.
    ///
    /// # Errors
    /// The connection is of no more use after one.
    #[inline]
    pub async fn exchange(
        &mut self,
        context: &Context,
        outgoing: Outgoing<'_>,
        timeout: Duration,
        is_reply: impl FnMut(&View<'_>) -> bool,
    ) -> Result<Arrival, Failure> {
        let bounds = Bounds { awaited: Awaited::Message, timeout };
        self.exchange_with(context, outgoing, bounds, &mut ReplySink::new(is_reply)).await
    }

    /// As [`Self::exchange`], with a sink.
    pub(super) async fn exchange_with(
        &mut self,
        context: &Context,
        outgoing: Outgoing<'_>,
        bounds: Bounds,
        sink: &mut impl TellingSink,
    ) -> Result<Arrival, Failure> {
        let before = self.moved();
        let first = self.send_and_receive(context, outgoing, bounds, sink).await;
        let done = self.settle(context, bounds, sink, first).await;
        self.sender.bytes_answered = self.sender.bytes_sent;
        done.map(|()| self.arrival(before, sink.message_bytes()))
    }

    /// Sends a message and hands it over to the kernel.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn send(&mut self, outgoing: Outgoing<'_>, timeout: Duration) -> Result<(), Failure> {
        let frame = self.sender.frame(outgoing);
        let sent = self.sender.write.write_all(frame).await;
        sent.map_err(|error| failure::of_stream(&error, Awaited::Sending, timeout))
    }

    /// Waits for the next message that `is_it` accepts; whatever else comes is shown to it and dropped.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn receive(
        &mut self,
        context: &Context,
        timeout: Duration,
        is_it: impl FnMut(&View<'_>) -> bool,
    ) -> Result<Arrival, Failure> {
        let bounds = Bounds { awaited: Awaited::Message, timeout };
        self.receive_with(context, bounds, &mut ReplySink::new(is_it)).await
    }

    /// As [`Self::receive`], with a sink.
    pub(super) async fn receive_with(
        &mut self,
        context: &Context,
        bounds: Bounds,
        sink: &mut impl TellingSink,
    ) -> Result<Arrival, Failure> {
        let before = self.moved();
        let first = self.receiver.receive(context, bounds, sink).await;
        self.settle(context, bounds, sink, first).await?;
        Ok(self.arrival(before, sink.message_bytes()))
    }

    /// Says goodbye, waits for the target to do so too, and then for it to close: so that the closed connection's port
    /// waits on its side (TIME_WAIT) and not on ours. What comes before its goodbye is shown to `sink`.
    pub(super) async fn close_with(
        &mut self,
        context: &Context,
        code: Option<u16>,
        reason: &str,
        bounds: Bounds,
        sink: &mut impl Sink,
    ) -> Result<(), Failure> {
        let said = self.sender.close(code, reason).await;
        said.map_err(|error| failure::of_stream(&error, Awaited::Close, bounds.timeout))?;
        loop {
            // Nothing may be sent behind a close frame, so what is due stays so.
            self.receiver.due = Due::default();
            match self.receiver.receive(context, bounds, sink).await? {
                Step::Closed(..) => break,
                Step::Taken | Step::Due => {}
            }
        }
        self.receiver.await_end(context).await;
        Ok(())
    }

    /// Closes with this code and reason; `timeout` as in [`Self::exchange`].
    ///
    /// # Errors
    /// As [`Self::exchange`]; either way the connection is of no more use.
    pub async fn close(
        &mut self,
        context: &Context,
        code: Option<u16>,
        reason: &str,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let bounds = Bounds { awaited: Awaited::Close, timeout };
        self.close_with(context, code, reason, bounds, &mut ReplySink::new(|_: &View<'_>| false))
            .await
    }

    /// Sends the frame while the reply is awaited.
    async fn send_and_receive(
        &mut self,
        context: &Context,
        outgoing: Outgoing<'_>,
        bounds: Bounds,
        sink: &mut impl Sink,
    ) -> Result<Step, Failure> {
        let frame = self.sender.frame(outgoing);
        let unwatched = self.sender.write.completes_unwatched()
            && self.sender.unanswered_bytes() <= UNWATCHED_BYTES_MAX as u64;
        let mut sending = pin!(self.sender.write.write_all(frame));
        let mut nobody = task::Context::from_waker(Waker::noop());
        // What became of the sending is told by what comes back, or by the end of that: a target may say why it closes
        // before it has read everything.
        if sending.as_mut().poll(&mut nobody).is_ready() {
            return self.receiver.receive(context, bounds, sink).await;
        }
        let mut sent = false;
        let mut receiving = pin!(self.receiver.receive(context, bounds, sink));
        let step = poll_fn(|task| {
            if !unwatched && !sent {
                sent = sending.as_mut().poll(task).is_ready();
            }
            match receiving.as_mut().poll(task) {
                Poll::Ready(step) => Poll::Ready(step),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if !sent {
            // Unwatched, the kernel had room for all of it: this has long completed, and does not wait.
            let _ = sending.await;
        }
        step
    }

    /// Does what is due until the sink has what it awaits.
    #[inline]
    async fn settle(
        &mut self,
        context: &Context,
        bounds: Bounds,
        sink: &mut impl Sink,
        mut step: Result<Step, Failure>,
    ) -> Result<(), Failure> {
        loop {
            match step {
                Ok(Step::Taken) if self.receiver.due.is_empty() => return Ok(()),
                Ok(Step::Taken) => return self.flush(bounds).await,
                Ok(Step::Due) => self.flush(bounds).await?,
                Ok(Step::Closed(code, reason)) => {
                    return Err(self.answer_close(code, &reason).await);
                }
                Err(failure) => return Err(self.complain(failure).await),
            }
            step = self.receiver.receive(context, bounds, sink).await;
        }
    }

    #[cold]
    async fn flush(&mut self, bounds: Bounds) -> Result<(), Failure> {
        let sent = self.sender.flush(&mut self.receiver.due).await;
        sent.map_err(|error| failure::of_stream(&error, Awaited::Sending, bounds.timeout))
    }

    /// RFC 6455, 5.5.1: "an endpoint MUST send a Close frame in response", with the code received.
    #[cold]
    async fn answer_close(&mut self, code: Option<u16>, reason: &str) -> Failure {
        let _ = self.sender.close(code, "").await;
        failure::closed_by_target(code, reason)
    }

    /// Tells the target what it did wrong, if it is still there.
    #[cold]
    async fn complain(&mut self, failure: Failure) -> Failure {
        if let Some(code) = self.receiver.complaint.take() {
            let _ = self.sender.close(Some(code), "").await;
        }
        failure
    }

    /// Bytes sent and received so far.
    pub(super) fn moved(&self) -> (u64, u64) {
        (self.sender.bytes_sent, self.receiver.bytes_received)
    }

    pub(super) fn arrival(&self, before: (u64, u64), message_bytes: u64) -> Arrival {
        let (sent, received) = self.moved();
        Arrival {
            end_ns: self.receiver.read_at_ns,
            message_bytes,
            bytes_received: received - before.1,
            bytes_sent: sent - before.0,
        }
    }
}

/// A sink that knows the size of the message it took.
pub(super) trait TellingSink: Sink {
    /// Bytes of the payload of the message taken.
    fn message_bytes(&self) -> u64;
}

/// Takes the message that a function accepts.
struct ReplySink<F> {
    is_it: F,
    message_bytes: u64,
}

impl<F: FnMut(&View<'_>) -> bool> ReplySink<F> {
    fn new(is_it: F) -> Self {
        Self { is_it, message_bytes: 0 }
    }
}

impl<F: FnMut(&View<'_>) -> bool> Sink for ReplySink<F> {
    #[inline]
    fn message(&mut self, view: View<'_>, _: &mut Due) -> bool {
        self.message_bytes = view.bytes().len() as u64;
        (self.is_it)(&view)
    }
}

impl<F: FnMut(&View<'_>) -> bool> TellingSink for ReplySink<F> {
    fn message_bytes(&self) -> u64 {
        self.message_bytes
    }
}

fn handshake_key(random: &mut crate::random::SplitMix64) -> HandshakeKey {
    let mut key = HandshakeKey::default();
    key[..8].copy_from_slice(&random.next_u64().to_ne_bytes());
    key[8..].copy_from_slice(&random.next_u64().to_ne_bytes());
    key
}

/// Receives and judges the answer to the upgrade; frames behind it stay in the buffer.
async fn answer(
    read: &mut ReadHalf,
    upgrade: &Upgrade,
    key: HandshakeKey,
    options: &OpenOptions,
) -> Result<Agreed, Failure> {
    let mut decoder = ResponseDecoder::new(options.head_limits);
    decoder.expect(RequestKind::Other);
    loop {
        if let Some(agreed) = judge(&mut decoder, read.buffer(), upgrade, key)? {
            return Ok(agreed);
        }
        match read.fill().await {
            Ok(0) => {
                let ended = decoder.end_of_input(read.buffer()).err();
                let error =
                    ended.unwrap_or(http1::RemoteError::ClosedBeforeResponse { outstanding: 1 });
                return Err(failure::of_response(&error));
            }
            Ok(_) => {}
            Err(error) => {
                return Err(failure::of_stream(&error, Awaited::Upgrade, options.timeout));
            }
        }
    }
}

fn judge(
    decoder: &mut ResponseDecoder,
    buffer: &mut ReceiveBuffer,
    upgrade: &Upgrade,
    key: HandshakeKey,
) -> Result<Option<Agreed>, Failure> {
    loop {
        match decoder.next(buffer) {
            Ok(Some(http1::Event::Head(head))) => {
                let agreed = upgrade.check(key, &head);
                return agreed.map(Some).map_err(|error| failure::of_handshake(&error));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(failure::of_response(&error)),
        }
    }
}

/// The user went away before it could say so itself, or the run is over: whoever is told so has nothing to record.
pub(super) fn is_cancelled(failure: &Failure) -> bool {
    failure.kind == FailureKind::Cancelled
}

/// The code of a close that nothing is wrong with.
pub(super) const NORMAL: u16 = close::code::NORMAL;
