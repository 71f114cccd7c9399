//! The run's exchanges over a framed connection.

use std::collections::VecDeque;
use std::future::pending;

use super::{Codec, Framed};
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, Exchange};
use crate::user::{Context, Permit};

/// Exchanges over one connection, one at a time or several outstanding, whose replies come in the order of the requests.
///
/// Each takes one of the run's budget (`-n`) and is counted once: with the time from its start to its reply, with the
/// bytes of both, and as a failure where [`Codec::failure`] says so. Where the connection fails, all that were outstanding
/// fail with it.
pub struct Pipeline<C> {
    context: Context,
    framed: Framed<C>,
    /// Exchanges that have begun and not ended, oldest first.
    begun: VecDeque<Begun>,
}

struct Begun {
    entry: EntryIndex,
    start_ns: u64,
    request_bytes: usize,
}

impl<C: Codec> Pipeline<C> {
    /// Exchanges over `framed`, on which nothing may be outstanding.
    pub fn new(framed: Framed<C>) -> Self {
        Self { context: framed.context().clone(), framed, begun: VecDeque::new() }
    }

    /// The user's context.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The connection, for what is none of the run's exchanges, such as logging in. What is sent by it must be answered
    /// by it too.
    pub fn framed(&mut self) -> &mut Framed<C> {
        &mut self.framed
    }

    /// Exchanges that have begun and not ended.
    pub fn outstanding(&self) -> usize {
        self.begun.len()
    }

    /// Makes one exchange, behind those that are outstanding: waits until it may begin, sends the request and gives the
    /// reply, once the ones before have been settled.
    ///
    /// As with any client of the engine, it waits for ever, for the engine to drop the task, once the run's budget is
    /// spent or where the end of the run cut it off.
    ///
    /// # Errors
    /// It has been counted. The connection is of no more use after one, unless it is that of a request which cannot be
    /// encoded; a reply that reports an error is none.
    pub async fn exchange(
        &mut self,
        entry: EntryIndex,
        request: C::Request<'_>,
    ) -> Result<C::Message<'_>, Failure> {
        let Some(permit) = self.context.permit_in_task(1).await else { return pending().await };
        self.begin(permit, entry, request)?;
        while self.begun.len() > 1 {
            let length = self.oldest_frame().await?;
            self.settle_oldest(length)?;
        }
        let length = self.oldest_frame().await?;
        self.settle_oldest(length)
    }

    /// Begins an exchange of a permit: its request goes out when a reply is next waited for.
    ///
    /// # Errors
    /// The request cannot be encoded; the exchange has been counted as a failure.
    pub fn begin(
        &mut self,
        permit: Permit,
        entry: EntryIndex,
        request: C::Request<'_>,
    ) -> Result<(), Failure> {
        let start_ns = permit.start_ns;
        match self.framed.queue(request) {
            Ok(()) => {
                let request_bytes = self.framed.request_bytes;
                self.begun.push_back(Begun { entry, start_ns, request_bytes });
                Ok(())
            }
            Err(failure) => {
                Begun { entry, start_ns, request_bytes: 0 }.fail(&self.context, &failure, 0);
                Err(failure)
            }
        }
    }

    /// As [`Self::begin`], with a request that was encoded before.
    #[inline]
    pub fn begin_encoded(&mut self, permit: Permit, entry: EntryIndex, request: &[u8]) {
        self.framed.queue_encoded(request);
        let request_bytes = request.len();
        self.begun.push_back(Begun { entry, start_ns: permit.start_ns, request_bytes });
    }

    /// Sends what has begun, waits for the oldest reply and settles it with all others that have come by then; `see` is
    /// shown each. Gives how many there were, none where nothing is outstanding.
    ///
    /// # Errors
    /// All that was outstanding has been counted as failed, and the connection is of no more use.
    pub async fn settle(&mut self, mut see: impl FnMut(C::Message<'_>)) -> Result<usize, Failure> {
        if self.begun.is_empty() {
            return Ok(0);
        }
        let mut length = self.oldest_frame().await?;
        let mut settled = 0;
        loop {
            see(self.settle_oldest(length)?);
            settled += 1;
            if self.begun.is_empty() {
                return Ok(settled);
            }
            match self.framed.reader.frame() {
                Ok(Some(next)) => length = next,
                Ok(None) => return Ok(settled),
                Err(failure) => return Err(self.fail(failure)),
            }
        }
    }

    /// Sends what has begun and waits for the oldest reply; gives its length.
    async fn oldest_frame(&mut self) -> Result<usize, Failure> {
        let timeout_ns = nanos(self.framed.timeout());
        if let Some(oldest) = self.begun.front() {
            self.framed.set_deadline(Some(oldest.start_ns.saturating_add(timeout_ns)));
        }
        if self.framed.has_unasked_bytes() {
            let message = "bytes received that nothing had asked for";
            return Err(self.fail(Failure::new(FailureKind::Protocol, message)));
        }
        match self.framed.next_frame().await {
            Ok(length) => Ok(length),
            // They stay in flight and are reported as such.
            Err(failure) if failure.kind == FailureKind::Cancelled => pending().await,
            Err(failure) => Err(self.fail(failure)),
        }
    }

    /// Ends the oldest exchange with its reply, of this length.
    #[inline]
    fn settle_oldest(&mut self, length: usize) -> Result<C::Message<'_>, Failure> {
        let Self { context, framed, begun } = self;
        framed.answered();
        let end_ns = framed.reader.received_at_ns();
        if begun.len() == 1 {
            framed.set_deadline(None);
        }
        match framed.reader.take(length) {
            Ok(message) => {
                if let Some(oldest) = begun.pop_front() {
                    oldest.end(context, end_ns, length, C::failure(&message));
                }
                Ok(message)
            }
            Err(failure) => {
                fail_all(context, begun, &failure, length);
                Err(failure)
            }
        }
    }

    /// Ends every outstanding exchange with one failure.
    #[cold]
    fn fail(&mut self, failure: Failure) -> Failure {
        let received = self.framed.reader.unfinished_bytes();
        fail_all(&self.context, &mut self.begun, &failure, received);
        failure
    }
}

/// Counts every exchange of `begun` as failed; `received` bytes came of the reply to the oldest.
#[cold]
fn fail_all(
    context: &Context,
    begun: &mut VecDeque<Begun>,
    failure: &Failure,
    mut received: usize,
) {
    for exchange in begun.drain(..) {
        exchange.fail(context, failure, std::mem::take(&mut received));
    }
}

impl Begun {
    #[inline]
    fn end(self, context: &Context, end_ns: u64, received: usize, failure: Option<Failure>) {
        let exchange = self.exchange(end_ns, received, failure.is_some());
        match failure {
            None => context.record(self.entry, &exchange),
            Some(failure) => context.record_failure(self.entry, &exchange, &failure),
        }
    }

    fn fail(self, context: &Context, failure: &Failure, received: usize) {
        let exchange = self.exchange(context.now_ns(), received, true);
        context.record_failure(self.entry, &exchange, failure);
    }

    #[inline]
    fn exchange(&self, end_ns: u64, received: usize, failed: bool) -> Exchange {
        Exchange {
            start_ns: self.start_ns,
            end_ns,
            body_bytes: received as u64,
            bytes_received: received as u64,
            bytes_sent: self.request_bytes as u64,
            failed,
        }
    }
}
