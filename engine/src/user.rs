//! Users: what runs on a shard, and the context that it runs in.
//!
//! A [`Workload`] is shared by all shards and makes a [`UserClass`] on each. A class starts users; each is one future,
//! type-erased once, so that classes from different front ends run side by side. A user sees its shard through a
//! [`Context`], a cheap handle: it draws permits, opens streams, sleeps, and records what came of its exchanges.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::clock::nanos;
use crate::outcome::Failure;
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::runtime::Address;
use crate::shard::Shard;
use crate::stream::Stream;

/// One user's whole life.
pub type UserFuture = Pin<Box<dyn Future<Output = ()>>>;

/// What a run does, shared by its shards.
pub trait Workload: Send + Sync {
    /// Makes the class whose users this shard will run; templates and names are prepared here, before the load.
    fn prepare(&self, shard: &ShardContext) -> Rc<dyn UserClass>;
}

/// The code of a kind of user, on one shard.
pub trait UserClass {
    /// Starts a user.
    fn start(self: Rc<Self>, context: Context) -> UserFuture;
}

/// A shard as its classes see it before any user exists.
#[derive(Clone)]
pub struct ShardContext {
    pub(crate) shard: Rc<Shard>,
}

impl ShardContext {
    /// Index of this shard among those of the run.
    pub fn index(&self) -> usize {
        self.shard.index()
    }

    /// The entry that exchanges of `method` and `name` are counted under, on this shard.
    pub fn entry(&self, kind: EntryKind, method: &str, name: &str) -> EntryIndex {
        self.shard.recorder().entry(kind, method, name)
    }
}

/// Leave to begin exchanges, all at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Exchanges that may begin, at least one.
    pub count: u64,
    /// The moment, in nanoseconds since the run's origin, that they count from.
    pub start_ns: u64,
}

/// A user's handle to its shard.
#[derive(Clone)]
pub struct Context {
    shard: Rc<Shard>,
    user: Rc<UserState>,
}

impl Context {
    pub(crate) fn new(shard: Rc<Shard>, user: Rc<UserState>) -> Self {
        Self { shard, user }
    }

    /// Index of this user, unique in the run.
    pub fn user_index(&self) -> u64 {
        self.user.index
    }

    /// Nanoseconds since the run's origin.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.shard.now_ns()
    }

    /// True once the run is ending: finish what is in flight and begin nothing new.
    #[inline]
    pub fn is_stopping(&self) -> bool {
        self.shard.is_stopping()
    }

    /// True when no exchange will be permitted any more, to whomever.
    pub fn is_over(&self) -> bool {
        self.shard.is_over()
    }

    /// Leave to begin up to `wanted` exchanges, waiting while the run's budget is being dealt out; `None` at the end.
    ///
    /// Each exchange of a permit must be recorded once.
    pub async fn permit(&self, wanted: u64) -> Option<Permit> {
        match self.try_permit(wanted) {
            Some(permit) => Some(permit),
            None => self.shard.permit(wanted).await,
        }
    }

    /// As [`Self::permit`], without waiting.
    #[inline]
    pub fn try_permit(&self, wanted: u64) -> Option<Permit> {
        self.shard.try_permit(wanted)
    }

    /// The start of an exchange that began at `start_ns`, before it was permitted: as given, but not before the measured
    /// part of the run if the permit was of that.
    pub fn backdate(&self, permit: Permit, start_ns: u64) -> u64 {
        self.shard.backdate(permit, start_ns)
    }

    /// Counts one finished exchange.
    #[inline]
    pub fn record(&self, entry: EntryIndex, exchange: &Exchange) {
        self.shard.record(entry, exchange);
    }

    /// Counts one failed exchange and its reason.
    pub fn record_failure(&self, entry: EntryIndex, exchange: &Exchange, failure: &Failure) {
        self.shard.record_failure(entry, exchange, failure);
    }

    /// Counts something that is not one of the run's exchanges, such as a connection.
    pub fn record_aside(&self, entry: EntryIndex, exchange: &Exchange) {
        self.shard.record_aside(entry, exchange);
    }

    /// Opens a stream, giving up after `timeout`.
    ///
    /// # Errors
    /// What the kernel or the far end said, or that the time ran out.
    pub async fn connect(&self, address: &Address, timeout: Duration) -> Result<Stream, Failure> {
        self.shard.connect(address, timeout).await
    }

    /// Waits; the end of the run ends the wait, and the user with it.
    pub async fn sleep(&self, duration: Duration) {
        self.user.waiting.set(true);
        if self.is_stopping() {
            // Whoever merely waits ends now; going on would look as if the time had passed.
            self.user.cancel();
            std::future::pending::<()>().await;
        }
        self.shard.sleep_until(self.now_ns().saturating_add(nanos(duration))).await;
        self.user.waiting.set(false);
    }
}

/// What the shard keeps of a user: its index and the way to end it.
pub(crate) struct UserState {
    index: u64,
    /// In a wait that may be cut short.
    waiting: Cell<bool>,
    cancelled: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl UserState {
    pub(crate) fn new(index: u64) -> Rc<Self> {
        let (waiting, cancelled) = (Cell::new(false), Cell::new(false));
        Rc::new(Self { index, waiting, cancelled, waker: RefCell::default() })
    }

    /// Drops the user's future at its next turn.
    pub(crate) fn cancel(&self) {
        self.cancelled.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.get()
    }

    /// Runs the user's `life` until it ends or is cancelled.
    pub(crate) async fn run(self: Rc<Self>, mut life: UserFuture) {
        let mut registered = false;
        std::future::poll_fn(|context| {
            if self.cancelled.get() {
                return Poll::Ready(());
            }
            if !registered {
                // A task is woken by any of its wakers, so the first is good for life.
                *self.waker.borrow_mut() = Some(context.waker().clone());
                registered = true;
            }
            life.as_mut().poll(context)
        })
        .await;
    }
}
