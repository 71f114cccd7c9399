//! Protocols of one's own: a codec that turns bytes into messages, driven over a stream.
//!
//! A [`Codec`] says three things: how a request is written, how long the first message among the bytes received is, and
//! how it reads. [`Framed`] joins it to a [`Stream`] with time-outs, and waits no oftener than it
//! must: a request and its reply cost one wake-up on io_uring, and so do a whole pipeline of requests and the replies that
//! come with the first. A message borrows from the receive buffer, and requests are written into a buffer that is used
//! again, so that nothing is allocated once it is warm.
//!
//! [`Pipeline`] makes the run's exchanges with it, one at a time or several outstanding, and counts each.
//! [`Framed::into_split`] gives halves for protocols whose far end speaks unasked.
//!
//! A complete client of a protocol with a request and a reply on a line each:
//!
//! ```
//! use std::time::Duration;
//!
//! use bytes::BytesMut;
//! use loadr_engine::client::framed::{Codec, Framed, Pipeline};
//! use loadr_engine::outcome::{Failure, FailureKind};
//! use loadr_engine::record::EntryKind;
//! use loadr_engine::user::Context;
//!
//! struct Lines;
//!
//! impl Codec for Lines {
//!     type Request<'r> = &'r str;
//!     type Message<'b> = &'b str;
//!     type Error = std::str::Utf8Error;
//!
//!     fn encode(request: &str, into: &mut BytesMut) -> Result<(), Self::Error> {
//!         into.extend_from_slice(request.as_bytes());
//!         into.extend_from_slice(b"\n");
//!         Ok(())
//!     }
//!
//!     fn frame(&mut self, unread: &[u8]) -> Result<Option<usize>, Self::Error> {
//!         Ok(unread.iter().position(|&byte| byte == b'\n').map(|end| end + 1))
//!     }
//!
//!     fn message<'b>(&mut self, frame: &'b [u8]) -> Result<&'b str, Self::Error> {
//!         std::str::from_utf8(frame).map(str::trim_end)
//!     }
//!
//!     fn failure(message: &&str) -> Option<Failure> {
//!         message.starts_with("ERR").then(|| Failure::new(FailureKind::Status, message.to_string()))
//!     }
//! }
//!
//! async fn converse(context: Context) -> Result<(), Failure> {
//!     let stream = context.tcp("127.0.0.1:7000").await?;
//!     let framed = Framed::new(&context, stream, Lines, Duration::from_secs(5));
//!     let mut line = Pipeline::new(framed);
//!     let entry = context.entry(EntryKind::Exchange, "LINE", "time");
//!     loop {
//!         let reply: &str = line.exchange(entry, "what time is it?").await?;
//!         assert!(!reply.is_empty());
//!     }
//! }
//! ```

mod halves;
mod pipeline;

pub use halves::{FramedReader, FramedWriter};
pub use pipeline::Pipeline;

use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;

use super::sending::{SEND_FIRST_BYTES_MAX, Sender, UNWATCHED_BYTES_MAX};
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::stream::Stream;
use crate::user::{Context, Traffic};

/// A protocol: what its bytes mean.
///
/// Reading takes two steps, so that a message can borrow from the bytes received: [`Self::frame`] finds the end of the
/// first message, and once that is there [`Self::message`] reads it. A codec may keep what the first step found out, also
/// how far it has searched in vain: the bytes that it is shown begin at the same place until a frame has been taken.
pub trait Codec {
    /// What is sent.
    type Request<'r>;
    /// What is received.
    type Message<'b>;
    /// What can be wrong with either, in words.
    type Error: Display;

    /// Writes a request at the end of `into`.
    ///
    /// # Errors
    /// It has no form in this protocol, such as a name that is too long.
    fn encode(request: Self::Request<'_>, into: &mut BytesMut) -> Result<(), Self::Error>;

    /// The length of the first message in `unread`, which is not empty; `None` while that cannot be told. It may be more
    /// than has been received yet: then it is asked for again when more has come.
    ///
    /// # Errors
    /// These bytes are none of this protocol.
    fn frame(&mut self, unread: &[u8]) -> Result<Option<usize>, Self::Error>;

    /// Reads the message that [`Self::frame`] found.
    ///
    /// # Errors
    /// It breaks the rules of the protocol.
    fn message<'b>(&mut self, frame: &'b [u8]) -> Result<Self::Message<'b>, Self::Error>;

    /// As [`Self::frame`], where the far end has closed: for protocols in which the end of the stream ends a message.
    ///
    /// # Errors
    /// As [`Self::frame`].
    fn end_of_input(&mut self, _unread: &[u8]) -> Result<Option<usize>, Self::Error> {
        Ok(None)
    }

    /// Why the exchange that `message` answers has failed, if it has: for replies that report an error.
    fn failure(_message: &Self::Message<'_>) -> Option<Failure> {
        None
    }

    /// Longest message that is received, in bytes; a connection's buffer grows up to here.
    fn frame_bytes_max(&self) -> usize {
        64 * 1024
    }
}

/// A connection that speaks the protocol of a codec.
pub struct Framed<C> {
    reader: FramedReader<C>,
    writer: FramedWriter<C>,
    /// Bytes sent since everything sent was known to be answered.
    unanswered_bytes: usize,
    /// Requests whose replies have not been received.
    outstanding: usize,
    /// Bytes of the request last queued.
    request_bytes: usize,
}

impl<C: Codec> Framed<C> {
    /// Speaks `codec`'s protocol over `stream`; a reply that is not there `timeout` after its request ends the connection.
    pub fn new(context: &Context, stream: Stream, codec: C, timeout: Duration) -> Self {
        let (read, write) = stream.into_split();
        let reader = FramedReader::new(context, read, codec, timeout);
        let writer = FramedWriter::new(write, timeout);
        Self { reader, writer, unanswered_bytes: 0, outstanding: 0, request_bytes: 0 }
    }

    /// The user's context that the connection was made with.
    pub fn context(&self) -> &Context {
        self.reader.context()
    }

    /// Sends a request that nothing answers, and whatever was queued.
    ///
    /// # Errors
    /// The request cannot be encoded: nothing was sent. After any other the connection is of no more use.
    pub async fn send(&mut self, request: C::Request<'_>) -> Result<(), Failure> {
        self.request_bytes = self.writer.queue(request)?;
        self.unanswered_bytes += self.writer.queued_bytes();
        self.writer.flush().await
    }

    /// Waits for the next message, for as long as it takes unless a deadline is set.
    ///
    /// # Errors
    /// The connection is of no more use after one.
    pub async fn recv(&mut self) -> Result<C::Message<'_>, Failure> {
        let length = self.next_frame().await?;
        self.answered();
        self.reader.take(length)
    }

    /// Sends a request and waits for its reply, or for the oldest that is outstanding.
    ///
    /// # Errors
    /// The request cannot be encoded: nothing was sent. After any other the connection is of no more use.
    pub async fn request(&mut self, request: C::Request<'_>) -> Result<C::Message<'_>, Failure> {
        self.queue(request)?;
        let now_ns = self.context().now_ns();
        self.set_deadline(Some(now_ns.saturating_add(nanos(self.timeout()))));
        let length = self.next_frame().await?;
        self.answered();
        if self.outstanding == 0 {
            self.set_deadline(None);
        }
        self.reader.take(length)
    }

    /// Writes a request into the buffer of what is to be sent; it goes out when a message is next waited for.
    ///
    /// # Errors
    /// The request cannot be encoded: the buffer is as before.
    pub fn queue(&mut self, request: C::Request<'_>) -> Result<(), Failure> {
        self.request_bytes = self.writer.queue(request)?;
        self.outstanding += 1;
        Ok(())
    }

    /// As [`Self::queue`], of a request that was encoded before.
    pub fn queue_encoded(&mut self, request: &[u8]) {
        self.writer.queue_encoded(request);
        self.request_bytes = request.len();
        self.outstanding += 1;
    }

    /// The next message if it has been received whole already.
    ///
    /// # Errors
    /// The connection is of no more use after one.
    pub fn received(&mut self) -> Result<Option<C::Message<'_>>, Failure> {
        match self.reader.frame()? {
            Some(length) => {
                self.answered();
                self.reader.take(length).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Sets the moment, in nanoseconds since the run's origin, at which the connection is given up.
    #[inline]
    pub fn set_deadline(&self, deadline_ns: Option<u64>) {
        self.reader.set_deadline(deadline_ns);
    }

    /// What the request last queued and the message last received were on the wire, for
    /// [`Context::exchange`](crate::user::Context::exchange).
    pub fn traffic(&self) -> Traffic {
        let received = self.reader.received_bytes() as u64;
        Traffic {
            body_bytes: received,
            bytes_received: received,
            bytes_sent: self.request_bytes as u64,
        }
    }

    /// When the message last received was there, in nanoseconds since the run's origin.
    pub fn received_at_ns(&self) -> u64 {
        self.reader.received_at_ns()
    }

    /// How long a reply may take.
    pub fn timeout(&self) -> Duration {
        self.reader.timeout()
    }

    /// The two halves, for a far end that speaks unasked: each can be used in a task of its own.
    pub fn into_split(self) -> (FramedReader<C>, FramedWriter<C>) {
        (self.reader, self.writer)
    }

    /// Bytes have been received while nothing was outstanding but what is still queued.
    #[inline]
    fn has_unasked_bytes(&mut self) -> bool {
        self.unanswered_bytes == 0 && self.reader.unfinished_bytes() > 0
    }

    /// One of the requests that were queued has its reply.
    #[inline]
    fn answered(&mut self) {
        self.outstanding = self.outstanding.saturating_sub(1);
        if self.outstanding == 0 {
            self.unanswered_bytes = 0;
        }
    }

    /// Sends what is queued and waits for the end of the next message; gives its length.
    ///
    /// Where the kernel sends by itself, the message is awaited at once: an exchange then costs one wake-up instead of
    /// two. A large batch goes on being sent while messages are received. What became of the sending is told by what
    /// comes back, or by the end of that.
    async fn next_frame(&mut self) -> Result<usize, Failure> {
        let Self { reader, writer, unanswered_bytes, .. } = self;
        let bytes = writer.take_queued();
        *unanswered_bytes += bytes.len();
        match &mut writer.sender {
            Sender::Idle(_) if bytes.is_empty() => reader.next_frame().await,
            Sender::Idle(write) if *unanswered_bytes <= SEND_FIRST_BYTES_MAX => {
                let unwatched =
                    write.completes_unwatched() && *unanswered_bytes <= UNWATCHED_BYTES_MAX;
                let mut sending = pin!(write.write_all(bytes));
                let mut nobody = task::Context::from_waker(Waker::noop());
                match sending.as_mut().poll(&mut nobody) {
                    Poll::Ready(_) => reader.next_frame().await,
                    Poll::Pending if unwatched => {
                        let length = reader.next_frame().await?;
                        // The kernel had room for all of it: this has long completed, and does not wait.
                        let _ = sending.await;
                        Ok(length)
                    }
                    Poll::Pending => {
                        let _ = sending.await;
                        reader.next_frame().await
                    }
                }
            }
            sender => {
                if !bytes.is_empty() {
                    sender.begin(bytes);
                }
                let mut receiving = pin!(reader.next_frame());
                poll_fn(|task| {
                    sender.poll(task);
                    receiving.as_mut().poll(task)
                })
                .await
            }
        }
    }
}

/// Puts what a codec finds wrong with the far end into words.
#[cold]
fn violation(error: impl Display) -> Failure {
    Failure::new(FailureKind::Protocol, error.to_string())
}
