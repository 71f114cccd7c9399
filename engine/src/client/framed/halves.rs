//! The two halves of a framed connection.

use std::marker::PhantomData;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{Codec, violation};
use crate::client::sending::Sender;
use crate::client::stream_failure;
use crate::outcome::{Failure, FailureKind};
use crate::stream::{ReadHalf, WriteHalf};
use crate::user::Context;

/// The receiving half of a [`Framed`](super::Framed) connection.
pub struct FramedReader<C> {
    context: Context,
    read: ReadHalf,
    codec: C,
    timeout: Duration,
    /// When bytes were last received.
    read_at_ns: u64,
    /// Length of the message last taken.
    taken_bytes: usize,
}

impl<C: Codec> FramedReader<C> {
    pub(super) fn new(context: &Context, mut read: ReadHalf, codec: C, timeout: Duration) -> Self {
        read.buffer().allow(codec.frame_bytes_max());
        Self { context: context.clone(), read, codec, timeout, read_at_ns: 0, taken_bytes: 0 }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Waits for the next message, for as long as it takes unless a deadline is set.
    ///
    /// # Errors
    /// The connection is of no more use after one, nor after this was dropped before its end.
    pub async fn recv(&mut self) -> Result<C::Message<'_>, Failure> {
        let length = self.next_frame().await?;
        self.take(length)
    }

    /// Sets the moment, in nanoseconds since the run's origin, at which the connection is given up.
    #[inline]
    pub fn set_deadline(&self, deadline_ns: Option<u64>) {
        self.read.set_deadline(deadline_ns);
    }

    /// Shuts the connection down in both directions; pending operations of either half end.
    pub fn shut_down(&self) {
        self.read.shut_down();
    }

    /// When the message last taken was there, in nanoseconds since the run's origin.
    pub fn received_at_ns(&self) -> u64 {
        self.read_at_ns
    }

    /// Bytes that the message last taken had on the wire.
    pub fn received_bytes(&self) -> usize {
        self.taken_bytes
    }

    /// Bytes received of messages that were not taken.
    pub(super) fn unfinished_bytes(&mut self) -> usize {
        self.read.buffer().len()
    }

    /// Waits for the end of the next message; gives its length.
    pub(super) async fn next_frame(&mut self) -> Result<usize, Failure> {
        loop {
            if let Some(length) = self.frame()? {
                return Ok(length);
            }
            let received = self.read.fill().await;
            self.read_at_ns = self.context.now_ns();
            match received {
                Ok(0) => return self.end_of_input(),
                Ok(_) => {}
                Err(error) => return Err(stream_failure(&error, self.timeout)),
            }
        }
    }

    /// The length of the next message, if it has been received whole.
    #[inline]
    pub(super) fn frame(&mut self) -> Result<Option<usize>, Failure> {
        let unread = self.read.buffer().unread();
        if unread.is_empty() {
            return Ok(None);
        }
        match self.codec.frame(unread).map_err(violation)? {
            Some(length) if length <= unread.len() => Ok(Some(length)),
            Some(length) if length > self.codec.frame_bytes_max() => {
                let max = self.codec.frame_bytes_max();
                Err(violation(format_args!("message of {length} bytes where {max} are allowed")))
            }
            _ => Ok(None),
        }
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<C::Message<'_>, Failure> {
        self.taken_bytes = length;
        self.codec.message(self.read.buffer().take(length)).map_err(violation)
    }

    #[cold]
    fn end_of_input(&mut self) -> Result<usize, Failure> {
        let unread = self.read.buffer().unread();
        if let Some(length) = self.codec.end_of_input(unread).map_err(violation)? {
            return Ok(length.min(unread.len()));
        }
        let message = match unread.len() {
            0 => "connection closed before a response".into(),
            bytes => format!("connection closed inside a message: {bytes} bytes received").into(),
        };
        Err(Failure { kind: FailureKind::Closed, message })
    }
}

/// The sending half of a [`Framed`](super::Framed) connection.
pub struct FramedWriter<C> {
    pub(super) sender: Sender,
    /// Requests that are to be sent, one behind the other.
    queued: BytesMut,
    timeout: Duration,
    codec: PhantomData<fn() -> C>,
}

impl<C: Codec> FramedWriter<C> {
    pub(super) fn new(write: WriteHalf, timeout: Duration) -> Self {
        let (sender, queued) = (Sender::Idle(write), BytesMut::new());
        Self { sender, queued, timeout, codec: PhantomData }
    }

    /// Sends a request, and whatever was queued before.
    ///
    /// # Errors
    /// The request cannot be encoded: nothing was sent. After any other the connection is of no more use, nor after this
    /// was dropped before its end.
    pub async fn send(&mut self, request: C::Request<'_>) -> Result<(), Failure> {
        self.queue(request)?;
        self.flush().await
    }

    /// Writes a request into the buffer of what is to be sent; gives its length in bytes.
    ///
    /// # Errors
    /// The request cannot be encoded: the buffer is as before.
    pub fn queue(&mut self, request: C::Request<'_>) -> Result<usize, Failure> {
        let before = self.queued.len();
        match C::encode(request, &mut self.queued) {
            Ok(()) => Ok(self.queued.len() - before),
            Err(error) => {
                self.queued.truncate(before);
                let message = format!("request cannot be sent: {error}");
                Err(Failure::new(FailureKind::Other, message))
            }
        }
    }

    /// As [`Self::queue`], of a request that was encoded before.
    pub fn queue_encoded(&mut self, request: &[u8]) {
        self.queued.extend_from_slice(request);
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// The connection is of no more use after one.
    pub async fn flush(&mut self) -> Result<(), Failure> {
        let bytes = self.take_queued();
        let mut write = match std::mem::replace(&mut self.sender, Sender::Taken) {
            Sender::Idle(write) => write,
            Sender::Busy(sending) => sending.await,
            // An earlier one was dropped in its middle, and its stream was cut off with it.
            Sender::Taken => return Err(stream_failure(&not_connected(), self.timeout)),
        };
        let sent = if bytes.is_empty() { Ok(()) } else { write.write_all(bytes).await };
        self.sender = Sender::Idle(write);
        sent.map_err(|error| stream_failure(&error, self.timeout))
    }

    /// Bytes that are queued.
    pub fn queued_bytes(&self) -> usize {
        self.queued.len()
    }

    /// What is queued; its memory comes back to the queue once it has been sent.
    #[inline]
    pub(super) fn take_queued(&mut self) -> Bytes {
        match self.queued.is_empty() {
            true => Bytes::new(),
            false => self.queued.split().freeze(),
        }
    }
}

fn not_connected() -> std::io::Error {
    std::io::ErrorKind::NotConnected.into()
}
