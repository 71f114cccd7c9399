//! What a task does with a WebSocket, and what that is counted as.

use std::borrow::Cow;
use std::time::Duration;

use super::WebSocket;
use super::connection::{Arrival, NORMAL, TellingSink, WebSocketConnection};
use super::failure::{self, Awaited};
use super::lend::{Hold, Lent};
use super::line::{Line, Wanted, in_own_words};
use super::message::{Matcher, Message, Outgoing, View, frame_bytes};
use super::state::State;
use super::wire::{Bounds, Due, Sink};
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, Exchange};
use crate::user::Context;

use std::rc::Rc;

/// What a sample is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleName<'n> {
    /// A name, looked up each time, beside the kind of the options.
    Text(&'n str),
    /// An entry that was looked up before: [`Context::entry`].
    Entry(EntryIndex),
    /// It is not counted.
    Uncounted,
}

impl<'n> From<&'n str> for SampleName<'n> {
    fn from(name: &'n str) -> Self {
        SampleName::Text(name)
    }
}

impl<'n> From<&'n String> for SampleName<'n> {
    fn from(name: &'n String) -> Self {
        SampleName::Text(name)
    }
}

impl From<EntryIndex> for SampleName<'_> {
    fn from(entry: EntryIndex) -> Self {
        SampleName::Entry(entry)
    }
}

/// The name of a message sent, unless it has its own.
const SEND: &str = "send";
/// The name of a request with its reply, unless it has its own.
const MESSAGE: &str = "message";
/// The name of a ping with its pong.
const PING: &str = "ping";
/// The name under which a close that failed is counted.
const CLOSE: &str = "close";

/// A message and the wait for its reply, being put together.
#[derive(Debug)]
#[must_use = "it is sent by `send` or `read`"]
pub struct Request<'r> {
    socket: &'r WebSocket,
    outgoing: Outgoing<'r>,
    matcher: Cow<'r, Matcher>,
    name: SampleName<'r>,
    timeout: Duration,
}

/// How an operation went, before it is recorded.
struct Ended<R> {
    start_ns: u64,
    arrival: Arrival,
    outcome: Result<R, Failure>,
}

impl WebSocket {
    /// Connects, unless there is a connection.
    ///
    /// # Errors
    /// The connection was not made, or the upgrade refused.
    pub async fn connect(&self) -> Result<(), Failure> {
        give_back(self.hold().await?);
        Ok(())
    }

    /// As [`Self::connect`], counted under this entry.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_as(&self, entry: EntryIndex) -> Result<(), Failure> {
        give_back(self.hold_as(entry).await?);
        Ok(())
    }

    /// Sends a message; a sample named `send`: the time until the kernel has taken it.
    ///
    /// # Errors
    /// There was no connection to be had, or the message was not taken in time.
    pub async fn send<'m>(&self, outgoing: impl Into<Outgoing<'m>>) -> Result<(), Failure> {
        self.send_as(SEND, outgoing).await
    }

    /// As [`Self::send`], under this name.
    ///
    /// # Errors
    /// As there.
    pub async fn send_as<'m>(
        &self,
        name: impl Into<SampleName<'m>>,
        outgoing: impl Into<Outgoing<'m>>,
    ) -> Result<(), Failure> {
        let (name, outgoing) = (name.into(), outgoing.into());
        let timeout = self.timeout;
        let hold = self.hold().await?;
        let start_ns = self.begin(name).await;
        self.state.note_sent(&outgoing, start_ns);
        let deadline_ns = start_ns.saturating_add(nanos(timeout));
        let mut sent_bytes = 0;
        let outcome = match hold {
            Hold::Lent(mut lent) => {
                let connection = lent.connection();
                let before = connection.moved();
                connection.set_deadline(Some(deadline_ns));
                let sent = connection.send(outgoing, timeout).await;
                sent_bytes = connection.moved().0 - before.0;
                self.conclude(lent, sent)
            }
            Hold::Line(line) => {
                // Awaits nothing, but is bounded by the deadline.
                let _watch = line.await_for(Wanted::Nothing, deadline_ns);
                send_on(&line, outgoing, timeout).await.map(|bytes| sent_bytes = bytes)
            }
        };
        let end_ns = self.context.now_ns();
        let arrival =
            Arrival { end_ns, message_bytes: 0, bytes_received: 0, bytes_sent: sent_bytes };
        self.finish(name, Ended { start_ns, arrival, outcome }).await
    }

    /// Waits for the next message.
    ///
    /// # Errors
    /// There was no connection to be had, it was lost, or no message came in time.
    pub async fn recv(&self) -> Result<Message, Failure> {
        self.recv_as(SampleName::Uncounted, &Matcher::Any).await
    }

    /// Waits for the next message that `matcher` means; others wait to be received. Under a name, the wait is a sample.
    ///
    /// # Errors
    /// As [`Self::recv`].
    pub async fn recv_as<'n>(
        &self,
        name: impl Into<SampleName<'n>>,
        matcher: &Matcher,
    ) -> Result<Message, Failure> {
        self.recv_with(name, matcher, |view| Ok(view.to_message())).await
    }

    /// As [`Self::recv_as`], and gives what `read` makes of the message where it lies; a failure of that is the wait's.
    ///
    /// # Errors
    /// As there, and those of `read`.
    pub async fn recv_with<'n, R>(
        &self,
        name: impl Into<SampleName<'n>>,
        matcher: &Matcher,
        read: impl FnOnce(&View<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let name = name.into();
        let timeout = self.timeout;
        let hold = self.hold().await?;
        let start_ns = self.begin(name).await;
        let bounds = Bounds { awaited: Awaited::Message, timeout };
        let kept = self.state.inbox.borrow_mut().take(matcher);
        let ended = match (kept, hold) {
            (Some(message), hold) => {
                if let Hold::Lent(lent) = hold {
                    lent.give_back();
                }
                Ended { start_ns, arrival: arrival_of(&message), outcome: read(&message.view()) }
            }
            (None, Hold::Lent(mut lent)) => {
                let mut sink = TaskSink::new(self, matcher, read);
                let connection = lent.connection();
                connection.set_deadline(Some(start_ns.saturating_add(nanos(timeout))));
                let received = connection.receive_with(&self.context, bounds, &mut sink).await;
                let outcome = sink.outcome;
                self.settle(lent, start_ns, received, outcome)
            }
            (None, Hold::Line(line)) => {
                let deadline_ns = start_ns.saturating_add(nanos(timeout));
                let watch = line.await_for(Wanted::Message(matcher.clone()), deadline_ns);
                let outcome = watch.outcome(bounds).await;
                self.message_of(start_ns, outcome, read)
            }
        };
        self.finish(name, ended).await
    }

    /// Sends a message and waits for its reply: one sample, named `message` unless it is named otherwise, whose length is
    /// that of the reply. The reply is the next message, unless [`Request::matching`] says otherwise.
    pub fn request<'r>(&'r self, outgoing: impl Into<Outgoing<'r>>) -> Request<'r> {
        Request {
            socket: self,
            outgoing: outgoing.into(),
            matcher: Cow::Owned(Matcher::Any),
            name: SampleName::Text(MESSAGE),
            timeout: self.timeout,
        }
    }

    /// Sends a ping and waits for its pong: a sample named `ping`. Gives the time that it took.
    ///
    /// # Errors
    /// There was no connection to be had, it was lost, or no pong came in time.
    pub async fn ping(&self) -> Result<Duration, Failure> {
        self.ping_as(PING).await
    }

    /// As [`Self::ping`], under this name.
    ///
    /// # Errors
    /// As there.
    pub async fn ping_as<'n>(&self, name: impl Into<SampleName<'n>>) -> Result<Duration, Failure> {
        let (name, timeout) = (name.into(), self.timeout);
        let hold = self.hold().await?;
        let start_ns = self.begin(name).await;
        let deadline_ns = start_ns.saturating_add(nanos(timeout));
        let bounds = Bounds { awaited: Awaited::Pong, timeout };
        self.state.pings.set(self.state.pings.get() + 1);
        let payload = self.state.pings.get().to_be_bytes();
        let outcome = match hold {
            Hold::Lent(mut lent) => {
                lent.connection().set_deadline(Some(deadline_ns));
                let ponged = self.ping_on(lent.connection(), &payload, bounds).await;
                let end_ns = ponged.as_ref().map(|arrival| arrival.end_ns);
                let end_ns = end_ns.unwrap_or_else(|_| self.context.now_ns());
                self.conclude(lent, ponged.map(|_| end_ns))
            }
            Hold::Line(line) => {
                let watch = line.await_for(Wanted::Pong(payload), deadline_ns);
                let sent = ping_through(&line, &payload, bounds).await;
                match sent {
                    Ok(()) => watch.outcome(bounds).await.map(|_| self.context.now_ns()),
                    Err(failure) => Err(failure),
                }
            }
        };
        let end_ns = *outcome.as_ref().unwrap_or(&self.context.now_ns());
        let took = Duration::from_nanos(end_ns.saturating_sub(start_ns));
        let arrival = Arrival { end_ns, message_bytes: 0, bytes_received: 0, bytes_sent: 0 };
        self.finish(name, Ended { start_ns, arrival, outcome: outcome.map(|_| took) }).await
    }

    async fn ping_on(
        &self,
        connection: &mut WebSocketConnection,
        payload: &[u8],
        bounds: Bounds,
    ) -> Result<Arrival, Failure> {
        let sent = connection.sender.ping(payload).await;
        sent.map_err(|error| failure::of_stream(&error, Awaited::Sending, bounds.timeout))?;
        let mut sink = PongSink { socket: self, payload };
        connection.receive_with(&self.context, bounds, &mut sink).await
    }

    /// Says goodbye with the code 1000 and waits for the target to do so; nothing happens where there is no connection.
    ///
    /// # Errors
    /// As [`Self::close_with`].
    pub async fn close(&self) -> Result<(), Failure> {
        self.close_with(Some(NORMAL), "").await
    }

    /// Says goodbye and waits for the target to do so; nothing happens where there is no connection. It is no sample unless
    /// it fails. A code that may not be sent, or too long a reason, is left out.
    ///
    /// # Errors
    /// The target did not answer in time, or broke the connection.
    pub async fn close_with(&self, code: Option<u16>, reason: &str) -> Result<(), Failure> {
        self.close_as(SampleName::Uncounted, code, reason).await
    }

    /// As [`Self::close_with`]; under a name it is a sample whether or not it fails.
    ///
    /// # Errors
    /// As there.
    pub async fn close_as<'n>(
        &self,
        name: impl Into<SampleName<'n>>,
        code: Option<u16>,
        reason: &str,
    ) -> Result<(), Failure> {
        if !self.is_connected() {
            return Ok(());
        }
        let name = name.into();
        let timeout = self.timeout;
        let start_ns = self.context.now_ns();
        let deadline_ns = start_ns.saturating_add(nanos(timeout));
        let bounds = Bounds { awaited: Awaited::Close, timeout };
        let outcome = match self.hold().await? {
            Hold::Lent(mut lent) => {
                let mut sink = PongSink { socket: self, payload: &[] };
                let connection = lent.connection();
                connection.set_deadline(Some(deadline_ns));
                connection.close_with(&self.context, code, reason, bounds, &mut sink).await
            }
            Hold::Line(line) => {
                let watch = line.await_for(Wanted::Close, deadline_ns);
                match close_through(&line, code, reason, bounds).await {
                    Ok(()) => watch.outcome(bounds).await.map(drop),
                    Err(failure) => Err(failure),
                }
            }
        };
        if let Err(failure) = &outcome {
            self.unless_cancelled(failure).await;
        }
        let entry = match name {
            SampleName::Text(name) => self.state.entry(&self.context, name),
            SampleName::Entry(entry) => entry,
            SampleName::Uncounted if outcome.is_err() => self.state.entry(&self.context, CLOSE),
            SampleName::Uncounted => return outcome,
        };
        let (end_ns, failed) = (self.context.now_ns(), outcome.is_err());
        let exchange = Exchange { start_ns, end_ns, failed, ..Exchange::default() };
        self.context.record_sample_of(entry, &exchange, outcome.as_ref().err());
        outcome
    }

    /// The start of an operation, which is permitted where it is counted.
    async fn begin(&self, name: SampleName<'_>) -> u64 {
        match name {
            SampleName::Uncounted => self.context.now_ns(),
            _ => self.permit().await.start_ns,
        }
    }

    /// Gives the connection back where nothing is wrong with it.
    fn conclude<R>(&self, lent: Lent<'_>, outcome: Result<R, Failure>) -> Result<R, Failure> {
        match &outcome {
            Ok(_) => lent.give_back(),
            Err(_) => drop(lent),
        }
        outcome
    }

    /// What came of awaiting a message on a connection of one's own.
    fn settle<R>(
        &self,
        lent: Lent<'_>,
        start_ns: u64,
        received: Result<Arrival, Failure>,
        outcome: Option<Result<R, Failure>>,
    ) -> Ended<R> {
        match (self.conclude(lent, received), outcome) {
            (Ok(arrival), Some(outcome)) => Ended { start_ns, arrival, outcome },
            (Ok(_), None) => unreachable!("a sink that has taken a message has read it"),
            (Err(failure), _) => self.failed(start_ns, failure),
        }
    }

    /// What came of awaiting a message in the background.
    fn message_of<R>(
        &self,
        start_ns: u64,
        outcome: Result<Option<Message>, Failure>,
        read: impl FnOnce(&View<'_>) -> Result<R, Failure>,
    ) -> Ended<R> {
        match outcome {
            Ok(Some(message)) => {
                let outcome = read(&message.view());
                Ended { start_ns, arrival: arrival_of(&message), outcome }
            }
            Ok(None) => unreachable!("a message is awaited, and not a pong"),
            Err(failure) => self.failed(start_ns, failure),
        }
    }

    fn failed<R>(&self, start_ns: u64, failure: Failure) -> Ended<R> {
        let end_ns = self.context.now_ns();
        let arrival = Arrival { end_ns, message_bytes: 0, bytes_received: 0, bytes_sent: 0 };
        Ended { start_ns, arrival, outcome: Err(failure) }
    }

    /// Records an operation and gives its result.
    async fn finish<R>(&self, name: SampleName<'_>, ended: Ended<R>) -> Result<R, Failure> {
        if let Err(failure) = &ended.outcome {
            self.unless_cancelled(failure).await;
            // What a reader of the reply did not like is no fault of the connection.
            self.state.note_health(&self.context, failure.kind == FailureKind::Check);
        }
        let entry = match name {
            SampleName::Text(name) => self.state.entry(&self.context, name),
            SampleName::Entry(entry) => entry,
            SampleName::Uncounted => {
                if let Err(failure) = &ended.outcome {
                    self.context.note_failure(failure);
                }
                return ended.outcome;
            }
        };
        let exchange = Exchange {
            start_ns: ended.start_ns,
            end_ns: ended.arrival.end_ns.max(ended.start_ns),
            body_bytes: ended.arrival.message_bytes,
            bytes_received: ended.arrival.bytes_received,
            bytes_sent: ended.arrival.bytes_sent,
            failed: ended.outcome.is_err(),
        };
        match &ended.outcome {
            Ok(_) => self.context.record(entry, &exchange),
            Err(failure) => self.context.record_failure(entry, &exchange, failure),
        }
        ended.outcome
    }
}

impl<'r> Request<'r> {
    /// Counts it under this name.
    pub fn name(mut self, name: impl Into<SampleName<'r>>) -> Self {
        self.name = name.into();
        self
    }

    /// Says which message is the reply.
    pub fn matching(mut self, matcher: &'r Matcher) -> Self {
        self.matcher = Cow::Borrowed(matcher);
        self
    }

    /// Bounds the time until the reply is there, in place of the options' time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it, and gives the reply.
    ///
    /// # Errors
    /// There was no connection to be had, it was lost, or no reply came in time.
    pub async fn send(self) -> Result<Message, Failure> {
        self.read(|view| Ok(view.to_message())).await
    }

    /// Sends it, and gives what `read` makes of the reply where it lies; a failure of that is the request's. Nothing is
    /// allocated once the connection is warm, unless there is a reader in the background.
    ///
    /// # Errors
    /// As [`Self::send`], and those of `read`.
    pub async fn read<R>(
        self,
        read: impl FnOnce(&View<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let Self { socket, outgoing, matcher, name, timeout } = self;
        let hold = socket.hold().await?;
        let start_ns = socket.begin(name).await;
        let reply;
        let matcher = if matcher.correlates() {
            let Some(by_id) = matcher.for_reply(&outgoing) else {
                give_back(hold);
                let failure = Failure::new(FailureKind::Other, NO_ID);
                return socket.finish(name, socket.failed(start_ns, failure)).await;
            };
            reply = by_id;
            &reply
        } else {
            &*matcher
        };
        socket.state.note_sent(&outgoing, start_ns);
        let deadline_ns = start_ns.saturating_add(nanos(timeout));
        let bounds = Bounds { awaited: Awaited::Message, timeout };
        let ended = match hold {
            Hold::Lent(mut lent) => {
                let connection = lent.connection();
                connection.set_deadline(Some(deadline_ns));
                let mut sink = TaskSink::new(socket, matcher, read);
                let context = &socket.context;
                let done = connection.exchange_with(context, outgoing, bounds, &mut sink).await;
                let outcome = sink.outcome;
                socket.settle(lent, start_ns, done, outcome)
            }
            Hold::Line(line) => {
                let watch = line.await_for(Wanted::Message(matcher.clone()), deadline_ns);
                let (outcome, bytes_sent) = match send_on(&line, outgoing, timeout).await {
                    Ok(bytes) => (watch.outcome(bounds).await, bytes),
                    Err(failure) => (Err(failure), 0),
                };
                let mut ended = socket.message_of(start_ns, outcome, read);
                ended.arrival.bytes_sent = bytes_sent;
                ended
            }
        };
        socket.finish(name, ended).await
    }
}

const NO_ID: &str = "the message to be sent has no id that its reply could name";

fn give_back(hold: Hold<'_>) {
    if let Hold::Lent(lent) = hold {
        lent.give_back();
    }
}

fn arrival_of(message: &Message) -> Arrival {
    Arrival {
        end_ns: message.arrived_ns(),
        message_bytes: message.bytes().len() as u64,
        bytes_received: frame_bytes(message.bytes()),
        bytes_sent: 0,
    }
}

/// Sends a message beside the reader; gives the bytes of its frame.
async fn send_on(line: &Line, outgoing: Outgoing<'_>, timeout: Duration) -> Result<u64, Failure> {
    let bounds = Bounds { awaited: Awaited::Sending, timeout };
    let lent = line.lend_sender().await;
    let mut lent = lent.map_err(|failure| in_own_words(failure, bounds))?;
    let frame = lent.sender().frame(outgoing);
    let bytes = frame.len() as u64;
    let sent = lent.sender().write.write_all(frame).await;
    sent.map_err(|error| failure::of_stream(&error, Awaited::Sending, timeout))?;
    lent.give_back();
    Ok(bytes)
}

async fn ping_through(line: &Line, payload: &[u8], bounds: Bounds) -> Result<(), Failure> {
    let lent = line.lend_sender().await;
    let mut lent = lent.map_err(|failure| in_own_words(failure, bounds))?;
    let sent = lent.sender().ping(payload).await;
    sent.map_err(|error| failure::of_stream(&error, Awaited::Sending, bounds.timeout))?;
    lent.give_back();
    Ok(())
}

async fn close_through(
    line: &Rc<Line>,
    code: Option<u16>,
    reason: &str,
    bounds: Bounds,
) -> Result<(), Failure> {
    let lent = line.lend_sender().await;
    let mut lent = lent.map_err(|failure| in_own_words(failure, bounds))?;
    line.begin_close();
    let sent = lent.sender().close(code, reason).await;
    sent.map_err(|error| failure::of_stream(&error, Awaited::Close, bounds.timeout))?;
    lent.give_back();
    Ok(())
}

/// Reads the message that a task awaits; others are kept.
struct TaskSink<'s, R, F> {
    state: &'s State,
    context: &'s Context,
    matcher: &'s Matcher,
    read: Option<F>,
    outcome: Option<Result<R, Failure>>,
    message_bytes: u64,
}

impl<'s, R, F: FnOnce(&View<'_>) -> Result<R, Failure>> TaskSink<'s, R, F> {
    fn new(socket: &'s WebSocket, matcher: &'s Matcher, read: F) -> Self {
        let (state, context) = (&*socket.state, &socket.context);
        Self { state, context, matcher, read: Some(read), outcome: None, message_bytes: 0 }
    }
}

impl<R, F: FnOnce(&View<'_>) -> Result<R, Failure>> Sink for TaskSink<'_, R, F> {
    #[inline]
    fn message(&mut self, view: View<'_>, due: &mut Due) -> bool {
        if self.state.echoes(&view, due) {
            return false;
        }
        if self.matcher.matches(&view)
            && let Some(read) = self.read.take()
        {
            self.message_bytes = view.bytes().len() as u64;
            self.outcome = Some(read(&view));
            return true;
        }
        self.state.keep(self.context, &view);
        false
    }
}

impl<R, F: FnOnce(&View<'_>) -> Result<R, Failure>> TellingSink for TaskSink<'_, R, F> {
    fn message_bytes(&self) -> u64 {
        self.message_bytes
    }
}

/// Awaits a pong, or nothing; messages are kept.
struct PongSink<'s> {
    socket: &'s WebSocket,
    payload: &'s [u8],
}

impl Sink for PongSink<'_> {
    fn message(&mut self, view: View<'_>, due: &mut Due) -> bool {
        if !self.socket.state.echoes(&view, due) {
            self.socket.state.keep(&self.socket.context, &view);
        }
        false
    }

    fn pong(&mut self, payload: &[u8]) -> bool {
        payload == self.payload
    }
}

impl TellingSink for PongSink<'_> {
    fn message_bytes(&self) -> u64 {
        0
    }
}
