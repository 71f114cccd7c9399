//! A user's handle to its shard.

mod off_shard;

pub use off_shard::Timed;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::event::{RequestEvent, UserError};
use super::{Permit, Role, ShardContext, UserState};
use crate::client::names::Places;
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::random::SplitMix64;
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::runtime::Address;
use crate::shard::Shard;
use crate::stream::{Stream, UdpSocket};

/// A user's handle to its shard; a clone is the same user's.
#[derive(Clone)]
pub struct Context {
    shard: Rc<Shard>,
    user: Rc<UserState>,
    /// Work beside the user's tasks: what fails in it is no failure of the task at hand.
    in_background: bool,
}

/// A measured operation that is no exchange of one of the engine's clients.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    /// What stands in the place of a method, such as `POLL`.
    pub method: &'a str,
    /// Its name.
    pub name: &'a str,
    /// When it began, in nanoseconds since the run's origin.
    pub start_ns: u64,
    /// How long it took.
    pub response_time: Duration,
    /// Bytes of what it brought.
    pub body_bytes: u64,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

impl Context {
    pub(crate) fn new(shard: Rc<Shard>, user: Rc<UserState>) -> Self {
        Self { shard, user, in_background: false }
    }

    /// Index of this user, unique in the run.
    pub fn user_index(&self) -> u64 {
        self.user.index()
    }

    /// Which process of the run this is.
    pub fn role(&self) -> Role {
        self.shard.options().role
    }

    /// Nanoseconds since the run's origin.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.shard.now_ns()
    }

    /// A moment, given in nanoseconds since the run's origin, in seconds since the Unix epoch.
    pub fn unix_s(&self, at_ns: u64) -> f64 {
        self.shard.unix_s(at_ns)
    }

    /// Draws from the user's own random numbers, which follow from the run's seed and the user's index.
    pub fn random<T>(&self, draw: impl FnOnce(&mut SplitMix64) -> T) -> T {
        self.user.random(draw)
    }

    /// True once the run is ending or this user is being stopped: finish what is in flight and begin nothing new.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.shard.is_stopping() || self.user.is_stopping()
    }

    /// True when no exchange will be permitted any more, to whomever.
    pub fn is_over(&self) -> bool {
        self.shard.is_over()
    }

    /// Leave to begin up to `wanted` exchanges, waiting while the run's budget is being dealt out; `None` once the run is
    /// ending or its budget is spent.
    ///
    /// Each exchange of a permit must be recorded once.
    pub async fn permit(&self, wanted: u64) -> Option<Permit> {
        if self.is_stopping() {
            return None;
        }
        self.permit_in_task(wanted).await
    }

    /// As [`Self::permit`], without waiting.
    #[inline]
    pub fn try_permit(&self, wanted: u64) -> Option<Permit> {
        if self.is_stopping() {
            return None;
        }
        self.begun(self.shard.try_permit(wanted))
    }

    /// As [`Self::permit`], for an exchange of a task: one that has begun may go on with its exchanges while the run is
    /// ending, within the stop timeout, and so may the ending of a user. `None` once the budget is spent.
    pub async fn permit_in_task(&self, wanted: u64) -> Option<Permit> {
        let permit = match self.shard.try_permit(wanted) {
            Some(permit) => Some(permit),
            None => self.shard.permit(wanted).await,
        };
        if permit.is_none() {
            self.shard.starve(&self.user);
        }
        self.begun(permit)
    }

    #[inline]
    fn begun(&self, permit: Option<Permit>) -> Option<Permit> {
        if let Some(permit) = permit {
            self.user.begin(permit.count);
        }
        permit
    }

    /// A number that changes whenever the user has awaited something.
    pub(crate) fn turn(&self) -> u64 {
        self.user.turn()
    }

    /// True when the user's tasks are over and its ending runs.
    pub fn is_ending(&self) -> bool {
        self.user.has_ended()
    }

    /// Leave to execute one more task; `false` when the run's budget of iterations is spent.
    pub async fn iteration(&self) -> bool {
        self.shard.iteration().await
    }

    /// The number of the next row of a feed, that no other user of the run gets; `None` when there are no more.
    pub async fn next_row(&self, feed: usize) -> Option<u64> {
        self.shard.next_row(feed).await
    }

    /// The start of an exchange that began at `start_ns`, before it was permitted: as given, but not before the measured
    /// part of the run if the permit was of that.
    pub fn backdate(&self, permit: Permit, start_ns: u64) -> u64 {
        self.shard.backdate(permit, start_ns)
    }

    /// The entry that `method` and `name` are counted under; looked up by its text, so keep it where it is used again.
    pub fn entry(&self, kind: EntryKind, method: &str, name: &str) -> EntryIndex {
        self.shard.recorder().entry(kind, method, name)
    }

    /// Counts one finished exchange.
    #[inline]
    pub fn record(&self, entry: EntryIndex, exchange: &Exchange) {
        self.user.finish();
        self.shard.record(entry, exchange);
        if self.shard.has_listener() {
            self.tell_request(entry, exchange, None);
        }
    }

    /// Counts one failed exchange and its reason.
    pub fn record_failure(&self, entry: EntryIndex, exchange: &Exchange, failure: &Failure) {
        self.user.finish();
        self.note_failure(failure);
        self.shard.record_failure(entry, exchange, failure);
        if self.shard.has_listener() {
            self.tell_request(entry, exchange, Some(failure));
        }
    }

    /// Counts something that is not one of the run's exchanges, such as a connection.
    pub fn record_aside(&self, entry: EntryIndex, exchange: &Exchange) {
        self.shard.record_aside(entry, exchange, None);
    }

    /// Counts a task, and why it failed if it did.
    pub(crate) fn record_task(
        &self,
        entry: EntryIndex,
        exchange: &Exchange,
        failure: Option<&Failure>,
    ) {
        self.shard.record_aside(entry, exchange, failure);
    }

    /// Counts any measured operation beside those of the engine's clients.
    pub fn record_sample(&self, sample: &Sample<'_>) {
        let entry = self.entry(EntryKind::Exchange, sample.method, sample.name);
        let exchange = Exchange {
            start_ns: sample.start_ns,
            end_ns: sample.start_ns.saturating_add(nanos(sample.response_time)),
            body_bytes: sample.body_bytes,
            failed: sample.failure.is_some(),
            ..Exchange::default()
        };
        self.record_sample_of(entry, &exchange, sample.failure.as_ref());
    }

    /// As [`Self::record_sample`], where the entry is known; whether it failed is said by `failure`.
    pub(crate) fn record_sample_of(
        &self,
        entry: EntryIndex,
        exchange: &Exchange,
        failure: Option<&Failure>,
    ) {
        if let Some(failure) = failure {
            self.note_failure(failure);
        }
        self.shard.record_sample(entry, exchange, failure);
        if self.shard.has_listener() {
            self.tell_request(entry, exchange, failure);
        }
    }

    /// Marks the task at hand as failed without counting a failed exchange.
    pub fn note_failure(&self, failure: &Failure) {
        if !self.in_background {
            self.user.note_failure(failure);
        }
    }

    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.user.take_failure()
    }

    /// Counts an error that a task did not catch; `task` says where, such as `Shopper.browse`.
    pub fn record_exception(&self, task: &str, message: &str) {
        self.note_failure(&Failure::new(FailureKind::Exception, message.to_owned()));
        self.shard.record_exception(task, message);
        let user_index = self.user_index();
        self.shard.tell(|listener| listener.user_error(&UserError { task, message, user_index }));
    }

    #[cold]
    fn tell_request(&self, entry: EntryIndex, exchange: &Exchange, failure: Option<&Failure>) {
        // Copied, so that the listener may count something itself.
        let key = self.shard.recorder().key(entry).clone();
        let elapsed_ns = exchange.end_ns.saturating_sub(exchange.start_ns);
        let event = RequestEvent {
            method: &key.method,
            name: &key.name,
            response_time: Duration::from_nanos(elapsed_ns),
            body_bytes: exchange.body_bytes,
            start_unix_s: self.unix_s(exchange.start_ns),
            failure,
            user_index: self.user_index(),
        };
        self.shard.tell(|listener| listener.request(&event));
    }

    /// Opens a stream, giving up after `timeout`.
    ///
    /// # Errors
    /// What the kernel or the far end said, or that the time ran out.
    pub async fn connect(&self, address: &Address, timeout: Duration) -> Result<Stream, Failure> {
        self.shard.connect(address, timeout).await
    }

    pub(crate) fn connect_datagrams(&self, address: SocketAddr) -> io::Result<UdpSocket> {
        self.shard.connect_datagrams(address, self.clone())
    }

    pub(crate) fn places(&self) -> &Places {
        self.shard.places()
    }

    pub(crate) fn shard_context(&self) -> ShardContext {
        self.shard.context()
    }

    /// Waits within a task.
    pub async fn sleep(&self, duration: Duration) {
        self.shard.sleep_until(self.now_ns().saturating_add(nanos(duration))).await;
    }

    /// Waits within a task until a moment, in nanoseconds since the run's origin; not at all where it has passed.
    pub async fn sleep_until(&self, deadline_ns: u64) {
        self.shard.sleep_until(deadline_ns).await;
    }

    /// What `work` comes to within `time`; `None`, and `work` dropped, where it takes longer.
    pub async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        let expired = async {
            self.sleep(time).await;
            None
        };
        futures_lite::future::or(async { Some(work.await) }, expired).await
    }

    /// Waits between tasks; a user that is told to stop meanwhile ends there.
    pub async fn wait(&self, duration: Duration) {
        if self.is_stopping() {
            // Whoever merely waits ends now; going on would look as if the time had passed.
            self.user.cancel();
            std::future::pending::<()>().await;
        }
        let _mark = self.user.wait();
        self.sleep(duration).await;
    }

    /// Runs `work` beside the user's tasks. It ends with the user at the latest: when the user or the run is stopped, it
    /// is dropped; when the user ends by itself, it is awaited.
    pub fn background<T: 'static>(&self, work: impl AsyncFnOnce(Context) -> T + 'static) {
        self.begin_beside(work, true);
    }

    /// As [`Self::background`], for what has no end of its own, such as listening to a far end that speaks unasked. It is
    /// never awaited, and dropped once the user's ending is over: whoever says goodbye there shall hear the answer.
    pub fn companion<T: 'static>(&self, work: impl AsyncFnOnce(Context) -> T + 'static) {
        self.begin_beside(work, false);
    }

    fn begin_beside<T: 'static>(
        &self,
        work: impl AsyncFnOnce(Context) -> T + 'static,
        awaited: bool,
    ) {
        let context = Self { in_background: true, ..self.clone() };
        let task = context.clone();
        let work = async move { super::panic::catch(work(context)).await };
        let work = self.user.background(work, awaited);
        self.shard.spawn(async move {
            if let Some(Err(panic)) = work.await {
                task.record_exception("background", &panic);
            }
        });
    }

    /// Ends the run, as Locust's `StopTest` does.
    pub fn stop_test(&self) {
        self.shard.ask_to_stop();
    }
}
