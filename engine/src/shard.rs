//! One shard: a thread with its own runtime, users, connections, timers and recorder.
//!
//! Nothing here is shared with another thread but the two mailboxes to and from the coordinator. The control task polls
//! them, closes report intervals on wall-second boundaries, and ends the shard. Users see the shard through
//! [`crate::user::Context`].

mod control;
pub mod placement;
mod usage;

pub(crate) use control::run;
pub use control::{Command, Notice};

use std::cell::{Cell, RefCell, RefMut};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use crate::budget::Lease;
use crate::client::{connect_failure, connect_timed_out};
use crate::clock::{Clock, nanos};
use crate::outcome::Failure;
use crate::record::{EntryIndex, Exchange, Recorder, RecorderOptions};
use crate::runtime::{Address, Runtime, Transport};
use crate::stream::{Guards, Stream};
use crate::timer::{Sleep, Timers};
use crate::user::{Context, Permit, ShardContext, UserClass, UserState};

/// How long a full backlog is left alone before the next try.
const BACKLOG_WAIT: Duration = Duration::from_millis(1);

/// What a shard is told before it starts.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// Index among the shards of the run.
    pub index: usize,
    /// Shards of the run.
    pub shards: usize,
    /// End of the warm-up, in nanoseconds since the run's origin; 0 without one.
    pub warm_up_end_ns: u64,
    /// The run has a budget of exchanges.
    pub limited: bool,
    /// Bounds of the recorder.
    pub recorder: RecorderOptions,
}

/// The state that a shard's tasks share.
pub(crate) struct Shard {
    options: ShardOptions,
    clock: Clock,
    runtime: Runtime,
    timers: Rc<Timers>,
    guards: Rc<Guards>,
    recorder: RefCell<Recorder>,
    lease: Lease,
    stopping: Cell<bool>,
    in_flight: Cell<u64>,
    users: RefCell<Vec<Rc<UserState>>>,
    users_running: Cell<u64>,
    warm_up: Cell<WarmUpCounts>,
}

/// What happened during the warm-up, which no entry counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmUpCounts {
    /// Exchanges that began in the warm-up and have ended.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

impl Shard {
    fn new(options: ShardOptions, clock: Clock, runtime: Runtime, timers: Rc<Timers>) -> Rc<Self> {
        let guards = Guards::new(Rc::clone(&timers));
        let recorder = RefCell::new(Recorder::new(options.recorder.clone()));
        let lease = if options.limited { Lease::limited() } else { Lease::unlimited() };
        Rc::new(Self {
            options,
            clock,
            runtime,
            timers,
            guards,
            recorder,
            lease,
            stopping: Cell::new(false),
            in_flight: Cell::new(0),
            users: RefCell::default(),
            users_running: Cell::new(0),
            warm_up: Cell::default(),
        })
    }

    pub(crate) fn index(&self) -> usize {
        self.options.index
    }

    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stopping.get() || self.lease.is_drained()
    }

    pub(crate) fn recorder(&self) -> RefMut<'_, Recorder> {
        self.recorder.borrow_mut()
    }

    #[inline]
    pub(crate) fn try_permit(&self, wanted: u64) -> Option<Permit> {
        if self.stopping.get() {
            return None;
        }
        let start_ns = self.now_ns();
        // The budget is of measured exchanges: those of the warm-up are free.
        let free = start_ns < self.options.warm_up_end_ns;
        let count = if free { wanted } else { self.lease.take(wanted) };
        (count > 0).then(|| self.begin(count, start_ns))
    }

    pub(crate) async fn permit(&self, wanted: u64) -> Option<Permit> {
        if self.stopping.get() {
            return None;
        }
        let count = self.lease.take_some(wanted).await;
        (count > 0 && !self.stopping.get()).then(|| self.begin(count, self.now_ns()))
    }

    #[inline]
    fn begin(&self, count: u64, start_ns: u64) -> Permit {
        self.in_flight.set(self.in_flight.get() + count);
        Permit { count, start_ns }
    }

    pub(crate) fn backdate(&self, permit: Permit, start_ns: u64) -> u64 {
        let measured_ns = self.options.warm_up_end_ns;
        let earliest_ns = if permit.start_ns >= measured_ns { measured_ns } else { 0 };
        start_ns.clamp(earliest_ns, permit.start_ns)
    }

    #[inline]
    pub(crate) fn record(&self, entry: EntryIndex, exchange: &Exchange) {
        if self.finish(exchange) {
            self.recorder.borrow_mut().record(entry, exchange);
        }
    }

    pub(crate) fn record_failure(&self, entry: EntryIndex, exchange: &Exchange, failure: &Failure) {
        if self.finish(exchange) {
            let unix_s = self.clock.origin().unix_ns(exchange.end_ns) as f64 / 1e9;
            let mut recorder = self.recorder.borrow_mut();
            recorder.record_failure(entry, exchange, failure.kind, &failure.message, unix_s);
        }
    }

    /// Ends an exchange; false when it began in the warm-up and so is not reported.
    #[inline]
    fn finish(&self, exchange: &Exchange) -> bool {
        debug_assert!(
            self.in_flight.get() > 0,
            "an exchange is recorded once, and only if it was permitted"
        );
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        if exchange.start_ns >= self.options.warm_up_end_ns {
            return true;
        }
        let mut counts = self.warm_up.get();
        counts.requests += 1;
        counts.failures += u64::from(exchange.failed);
        self.warm_up.set(counts);
        false
    }

    /// Counts something that is not one of the run's exchanges, such as a connection, unless it began in the warm-up.
    pub(crate) fn record_aside(&self, entry: EntryIndex, exchange: &Exchange) {
        if exchange.start_ns >= self.options.warm_up_end_ns {
            self.recorder.borrow_mut().record(entry, exchange);
        }
    }

    pub(crate) fn sleep_until(&self, deadline_ns: u64) -> Sleep {
        self.timers.sleep_until(deadline_ns)
    }

    pub(crate) async fn connect(
        &self,
        address: &Address,
        timeout: Duration,
    ) -> Result<Stream, Failure> {
        let deadline_ns = self.now_ns().saturating_add(nanos(timeout));
        let opened = async { self.open(address).await.map_err(|error| connect_failure(&error)) };
        let expired = async {
            self.sleep_until(deadline_ns).await;
            Err(connect_timed_out(timeout))
        };
        let transport = futures_lite::future::or(opened, expired).await?;
        Ok(Stream::new(transport, &self.guards, self.runtime.completes_unwatched()))
    }

    async fn open(&self, address: &Address) -> io::Result<Transport> {
        loop {
            match self.runtime.connect(address).await {
                // A Unix socket whose backlog is full cannot be waited for, only tried again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.sleep_until(self.now_ns() + nanos(BACKLOG_WAIT)).await;
                }
                opened => return opened,
            }
        }
    }

    fn start_users(self: &Rc<Self>, class: &Rc<dyn UserClass>, wanted: u64) {
        while (self.users.borrow().len() as u64) < wanted {
            let ordinal = self.users.borrow().len() as u64;
            let index = ordinal * self.options.shards as u64 + self.options.index as u64;
            let user = UserState::new(index);
            self.users.borrow_mut().push(Rc::clone(&user));
            let life = Rc::clone(class).start(Context::new(Rc::clone(self), Rc::clone(&user)));
            let shard = Rc::clone(self);
            self.users_running.set(self.users_running.get() + 1);
            self.runtime.spawn(async move {
                user.run(life).await;
                shard.users_running.set(shard.users_running.get() - 1);
            });
        }
    }

    /// Lets users finish what is in flight: nothing new begins, and those who merely wait end at once.
    fn stop_gracefully(&self) {
        self.stopping.set(true);
        self.lease.close();
        for user in self.users.borrow().iter().filter(|user| user.is_waiting()) {
            user.cancel();
        }
    }

    /// Ends whatever still runs: streams are cut off, so that the kernel lets go of their buffers, and users dropped.
    fn stop_now(&self) {
        self.stop_gracefully();
        self.guards.cut_off_all();
        for user in self.users.borrow().iter() {
            user.cancel();
        }
    }

    fn context(self: &Rc<Self>) -> ShardContext {
        ShardContext { shard: Rc::clone(self) }
    }
}
