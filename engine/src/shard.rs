//! One shard: a thread with its own runtime, users, connections, timers and recorder.
//!
//! Nothing here is shared with another thread but the two mailboxes to and from the coordinator. The control task polls
//! them, closes report intervals on wall-second boundaries, and ends the shard. Users see the shard through
//! [`crate::user::Context`].

mod control;
pub mod placement;
mod usage;
mod users;

pub use control::{Command, Notice};
pub(crate) use control::{ENDING_TIME, run};

use std::cell::{Cell, OnceCell, RefCell, RefMut};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use crate::bridge::{Bridge, BridgeOptions};
use crate::client::names::Places;
use crate::client::{connect_failure, connect_timed_out};
use crate::clock::{Clock, nanos};
use crate::lease::{Grant, Lease, LeaseOf, RowLease};
use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, EntryKind, Exchange, Recorder, RecorderOptions};
use crate::runtime::{Address, Runtime, Transport};
use crate::stream::{Guards, Stream, UdpSocket};
use crate::timer::{Sleep, Timers};
use crate::user::{Context, Listener, Permit, Role, ShardContext, TaskStats, UserState};

use users::Users;

/// How long a full backlog is left alone before the next try.
const BACKLOG_WAIT: Duration = Duration::from_millis(1);

/// What a shard is told before it starts.
#[derive(Clone, Debug)]
pub struct ShardOptions {
    /// Index among the shards of the run.
    pub index: usize,
    /// Shards of the run.
    pub shards: usize,
    /// Which process of the run it is in.
    pub role: Role,
    /// Seed of the users' random numbers.
    pub seed: u64,
    /// End of the warm-up, in nanoseconds since the run's origin; 0 without one.
    pub warm_up_end_ns: u64,
    /// The run has a budget of exchanges.
    pub requests_are_limited: bool,
    /// The run has a budget of tasks to execute.
    pub iterations_are_limited: bool,
    /// How long a user that is to go may take to finish its task.
    pub stop_timeout: Duration,
    /// How tasks are counted.
    pub task_stats: TaskStats,
    /// Bounds of its threads for work that blocks.
    pub bridge: BridgeOptions,
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
    requests: Lease,
    iterations: Lease,
    feeds: Vec<RowLease>,
    bridge: Bridge,
    places: Places,
    listener: OnceCell<Rc<dyn Listener>>,
    stopping: Cell<bool>,
    /// A user asked for the end of the run.
    wants_stop: Cell<bool>,
    in_flight: Cell<u64>,
    users: Users,
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
    fn new(
        options: ShardOptions,
        clock: Clock,
        runtime: Runtime,
        timers: Rc<Timers>,
        feeds: usize,
    ) -> Rc<Self> {
        let guards = Guards::new(Rc::clone(&timers));
        let recorder = RefCell::new(Recorder::new(options.recorder.clone()));
        let bridge = Bridge::new(options.bridge.clone());
        Rc::new(Self {
            requests: Lease::new(options.requests_are_limited),
            iterations: Lease::new(options.iterations_are_limited),
            feeds: (0..feeds).map(|_| RowLease::default()).collect(),
            options,
            clock,
            runtime,
            timers,
            guards,
            recorder,
            bridge,
            places: Places::default(),
            listener: OnceCell::new(),
            stopping: Cell::new(false),
            wants_stop: Cell::new(false),
            in_flight: Cell::new(0),
            users: Users::default(),
            warm_up: Cell::default(),
        })
    }

    pub(crate) fn options(&self) -> &ShardOptions {
        &self.options
    }

    pub(crate) fn index(&self) -> usize {
        self.options.index
    }

    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }

    pub(crate) fn unix_s(&self, at_ns: u64) -> f64 {
        self.clock.origin().unix_ns(at_ns) as f64 / 1e9
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.stopping.get() || self.requests.is_drained()
    }

    /// Asks the coordinator to end the run.
    pub(crate) fn ask_to_stop(&self) {
        self.wants_stop.set(true);
    }

    pub(crate) fn recorder(&self) -> RefMut<'_, Recorder> {
        self.recorder.borrow_mut()
    }

    pub(crate) fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.runtime.spawn(task);
    }

    #[inline]
    pub(crate) fn has_listener(&self) -> bool {
        self.listener.get().is_some()
    }

    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Listener)) {
        if let Some(listener) = self.listener.get() {
            what(&**listener);
        }
    }

    #[inline]
    pub(crate) fn try_permit(&self, wanted: u64) -> Option<Permit> {
        let start_ns = self.now_ns();
        // The budget is of measured exchanges: those of the warm-up are free.
        let free = start_ns < self.options.warm_up_end_ns;
        let count = if free { wanted } else { self.requests.take(wanted) };
        (count > 0).then(|| self.begin(count, start_ns))
    }

    pub(crate) async fn permit(&self, wanted: u64) -> Option<Permit> {
        let count = self.requests.take_some(wanted).await;
        (count > 0).then(|| self.begin(count, self.now_ns()))
    }

    /// Notes that `user` waits for what will not come.
    pub(crate) fn starve(&self, user: &UserState) {
        if user.starve() {
            self.users.starve();
        }
    }

    pub(crate) async fn iteration(&self) -> bool {
        // As with requests, those of the warm-up are free.
        self.now_ns() < self.options.warm_up_end_ns || self.iterations.take_some(1).await > 0
    }

    pub(crate) async fn next_row(&self, feed: usize) -> Option<u64> {
        self.feeds[feed].next().await
    }

    fn add_grant(&self, of: LeaseOf, grant: Grant) {
        match of {
            LeaseOf::Requests => self.requests.add(grant),
            LeaseOf::Iterations => self.iterations.add(grant),
            LeaseOf::Rows(feed) => self.feeds[feed].add(grant),
        }
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
            self.count(entry, exchange, Some(failure));
        }
    }

    /// Ends an exchange; false when it is not reported: it began in the warm-up, or tasks alone are counted.
    #[inline]
    fn finish(&self, exchange: &Exchange) -> bool {
        debug_assert!(
            self.in_flight.get() > 0,
            "an exchange is recorded once, and only if it was permitted"
        );
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        self.is_measured(exchange) && self.options.task_stats != TaskStats::Only
    }

    #[inline]
    fn is_measured(&self, exchange: &Exchange) -> bool {
        if exchange.start_ns >= self.options.warm_up_end_ns {
            return true;
        }
        let mut counts = self.warm_up.get();
        counts.requests += 1;
        counts.failures += u64::from(exchange.failed);
        self.warm_up.set(counts);
        false
    }

    /// Counts a sample that is no exchange of a client.
    pub(crate) fn record_sample(
        &self,
        entry: EntryIndex,
        exchange: &Exchange,
        failure: Option<&Failure>,
    ) {
        if self.is_measured(exchange) && self.options.task_stats != TaskStats::Only {
            self.count(entry, exchange, failure);
        }
    }

    /// Counts something that is not one of the run's exchanges, such as a connection, unless it began in the warm-up.
    pub(crate) fn record_aside(
        &self,
        entry: EntryIndex,
        exchange: &Exchange,
        failure: Option<&Failure>,
    ) {
        if exchange.start_ns >= self.options.warm_up_end_ns {
            self.count(entry, exchange, failure);
        }
    }

    fn count(&self, entry: EntryIndex, exchange: &Exchange, failure: Option<&Failure>) {
        let mut recorder = self.recorder.borrow_mut();
        match failure {
            None => recorder.record(entry, exchange),
            Some(failure) => {
                let unix_s = self.unix_s(exchange.end_ns);
                recorder.record_failure(entry, exchange, failure.kind, &failure.message, unix_s);
            }
        }
    }

    /// Counts an error that no exchange had, under the name of the task that it ended.
    pub(crate) fn record_exception(&self, task: &str, message: &str) {
        let now_ns = self.now_ns();
        if now_ns < self.options.warm_up_end_ns {
            return;
        }
        let mut recorder = self.recorder.borrow_mut();
        let entry = recorder.entry(EntryKind::Task, "TASK", task);
        recorder.record_error(entry, FailureKind::Exception, message, self.unix_s(now_ns));
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
        Ok(self.stream(transport))
    }

    /// Takes over a socket that is connected already.
    pub(crate) fn adopt(&self, socket: UnixStream) -> io::Result<Stream> {
        Ok(self.stream(self.runtime.adopt(socket)?))
    }

    fn stream(&self, transport: Transport) -> Stream {
        Stream::new(transport, &self.guards, self.runtime.completes_unwatched())
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

    /// A UDP socket that talks to `address`, for the user of `context`.
    pub(crate) fn connect_datagrams(
        &self,
        address: SocketAddr,
        context: Context,
    ) -> io::Result<UdpSocket> {
        let socket = self.runtime.connect_datagrams(address)?;
        Ok(UdpSocket::new(socket, &self.guards, context))
    }

    pub(crate) fn context(self: &Rc<Self>) -> ShardContext {
        ShardContext { shard: Rc::clone(self) }
    }
}
