//! The sending half of a connection, which may go on sending while responses are received.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::stream::WriteHalf;

/// Most unanswered bytes of requests with which a batch is sent before anything is read. Any socket's send buffer holds
/// them, so that target and generator cannot end up each waiting for the other to read.
pub(super) const SEND_FIRST_BYTES_MAX: usize = 16 * 1024;

/// Most unanswered bytes of requests with which nobody watches the sending. They fit the least send buffer that Linux
/// gives a socket (`net.ipv4.tcp_wmem`, first figure), so the kernel cannot stop halfway.
pub(super) const UNWATCHED_BYTES_MAX: usize = 4 * 1024;

/// The sending side of a connection.
pub(super) enum Sender {
    Idle(WriteHalf),
    /// A large batch is on its way, while responses to the first of it may come already.
    Busy(Sending),
    /// Between the two, within one call.
    Taken,
}

/// Boxed, because every user would otherwise hold room for it, used or not; beside the copying of a large batch, one
/// allocation is nothing.
type Sending = Pin<Box<dyn Future<Output = WriteHalf>>>;

impl Sender {
    /// Sends `bytes` beside whatever else the connection does, after what is being sent already.
    ///
    /// What became of it is told by what comes back, or by the end of that.
    pub(super) fn begin(&mut self, bytes: Bytes) {
        let before = std::mem::replace(self, Self::Taken);
        *self = Self::Busy(Box::pin(async move {
            let mut write = match before {
                Self::Idle(write) => write,
                Self::Busy(sending) => sending.await,
                Self::Taken => unreachable!("a sender is put back by the call that took it"),
            };
            let _ = write.write_all(bytes).await;
            write
        }));
    }

    /// Goes on with what is being sent.
    pub(super) fn poll(&mut self, task: &mut Context<'_>) {
        if let Self::Busy(sending) = self
            && let Poll::Ready(write) = sending.as_mut().poll(task)
        {
            *self = Self::Idle(write);
        }
    }
}
