//! A shard's control task: mailboxes, report intervals, and the end.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::usage::CpuTime;
use super::{Shard, ShardOptions, WarmUpCounts};
use crate::clock::{Clock, NANOS_PER_SECOND, nanos};
use crate::lease::{Grant, LeaseOf};
use crate::mailbox::{Full, Receiver, Sender};
use crate::record::{ShardFigures, Snapshot};
use crate::runtime::{Alarm, Runtime};
use crate::timer::Timers;
use crate::user::Workload;
use crate::user::panic::quieten_users;

/// How often a shard looks into its mailbox.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How often it looks while users wait for a grant, or while it is ending.
const POLL_INTERVAL_SHORT: Duration = Duration::from_micros(500);
/// How long users are given for what they do at their end.
pub(crate) const ENDING_TIME: Duration = Duration::from_secs(5);
/// How long tasks may go on, at least, once the last exchange of the run's budget is over.
const LAST_TASKS_TIME: Duration = Duration::from_millis(500);
/// How long the kernel is given to complete operations that were cut off.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// What the coordinator tells a shard.
#[derive(Debug)]
pub enum Command {
    /// Run this many users of each class.
    Users(Vec<u64>),
    /// A block of something that the run has a limited number of.
    Grant(LeaseOf, Grant),
    /// What is counted from here on belongs to this epoch.
    Epoch(u32),
    /// A snapshot that was merged and cleared, to be filled again.
    Cleared(Box<Snapshot>),
    /// Begin nothing new, and give up on what is in flight at this moment, in nanoseconds since the origin.
    Stop {
        /// When to give up.
        give_up_ns: u64,
    },
}

/// What a shard tells the coordinator.
#[derive(Debug)]
pub enum Notice {
    /// What happened in an interval.
    Interval(Box<Snapshot>, WarmUpCounts),
    /// A lease runs low; so many users wait.
    LeaseLow(LeaseOf, u64),
    /// A user asked for the end of the run.
    StopTest,
}

/// Runs a shard to its end on the runtime of the current thread.
pub(crate) async fn run(
    options: ShardOptions,
    clock: Clock,
    runtime: Runtime,
    alarm: Alarm,
    workload: &dyn Workload,
    commands: Receiver<Command>,
    notices: Sender<Notice>,
) {
    quieten_users();
    let timers = Timers::new(alarm, clock.clone());
    let feeds = workload.feeds().len();
    let shard = Shard::new(options, clock, runtime, Rc::clone(&timers), feeds);
    shard.runtime.spawn(Rc::clone(&timers).drive(Rc::clone(&shard.guards)));
    let names = workload.classes().into_iter().map(|class| class.name).collect();
    shard.users.set_classes(workload.prepare(&shard.context()), names);
    if let Some(listener) = workload.listener(&shard.context()) {
        let _ = shard.listener.set(listener);
    }
    let interval_end_ns = shard.clock.origin().next_second_ns(shard.now_ns());
    let control = Control {
        shard,
        commands,
        notices,
        outbox: VecDeque::new(),
        interval_end_ns,
        users_max: 0,
        cpu_before: None,
        give_up_ns: None,
        told_to_stop: false,
    };
    control.run().await;
}

struct Control {
    shard: Rc<Shard>,
    commands: Receiver<Command>,
    notices: Sender<Notice>,
    /// Reports that wait for room in the mailbox.
    outbox: VecDeque<Notice>,
    interval_end_ns: u64,
    users_max: u64,
    /// CPU time used before the measured part; `None` until that begins.
    cpu_before: Option<CpuTime>,
    give_up_ns: Option<u64>,
    /// The coordinator knows that a user wants the end of the run.
    told_to_stop: bool,
}

impl Control {
    async fn run(mut self) {
        while !self.is_done() {
            self.turn();
            self.shard.sleep_until(self.next_turn_ns()).await;
        }
        self.shard.end_tasks();
        self.let_users_end().await;
        self.shard.stop_now();
        self.settle().await;
        self.finish().await;
    }

    /// Gives users time for their endings.
    async fn let_users_end(&mut self) {
        self.give_up_ns = Some(self.shard.now_ns() + nanos(ENDING_TIME));
        loop {
            // A turn of the runtime at least, so that those without an ending are gone.
            self.pause().await;
            let late = self.give_up_ns.is_some_and(|at_ns| self.shard.now_ns() >= at_ns);
            if late || self.shard.users.active() == 0 || self.commands.is_closed() {
                return;
            }
            self.turn();
        }
    }

    /// One look at everything that may have come up.
    fn turn(&mut self) {
        let measuring = self.shard.now_ns() >= self.shard.options.warm_up_end_ns;
        if measuring && self.cpu_before.is_none() {
            self.cpu_before = Some(CpuTime::of_this_thread());
        }
        self.obey();
        self.flush();
        self.users_max = self.users_max.max(self.shard.users.running());
        if self.shard.bridge.needs_looks() {
            self.shard.bridge.look(&self.shard.runtime, POLL_INTERVAL_SHORT);
        }
        self.ask();
        if self.shard.now_ns() >= self.interval_end_ns {
            self.close_interval();
        }
    }

    /// Asks for what the users need of the coordinator.
    fn ask(&mut self) {
        if self.shard.requests.should_ask() {
            self.send(Notice::LeaseLow(LeaseOf::Requests, 0));
        }
        if self.shard.iterations.should_ask() {
            self.send(Notice::LeaseLow(LeaseOf::Iterations, 0));
        }
        for feed in 0..self.shard.feeds.len() {
            if let Some(waiting) = self.shard.feeds[feed].should_ask() {
                self.send(Notice::LeaseLow(LeaseOf::Rows(feed), waiting));
            }
        }
        if self.shard.wants_stop.get() && !self.told_to_stop {
            self.told_to_stop = true;
            self.send(Notice::StopTest);
        }
    }

    fn obey(&mut self) {
        while let Some(command) = self.commands.try_recv() {
            match command {
                Command::Users(wanted) => {
                    if !self.shard.is_stopping() {
                        self.shard.set_users(&wanted);
                    }
                }
                Command::Grant(of, grant) => self.shard.add_grant(of, grant),
                Command::Epoch(epoch) => self.begin_epoch(epoch),
                Command::Cleared(snapshot) => self.shard.recorder().take_back(snapshot),
                Command::Stop { give_up_ns } => {
                    self.give_up_ns = Some(give_up_ns);
                    self.shard.stop_gracefully();
                }
            }
        }
    }

    fn is_done(&mut self) -> bool {
        let now_ns = self.shard.now_ns();
        let gave_up = self.give_up_ns.is_some_and(|at_ns| now_ns >= at_ns);
        // Without a coordinator there is nobody to work for.
        if gave_up || self.commands.is_closed() {
            return true;
        }
        let spent = self.shard.requests.is_drained() && self.shard.in_flight.get() == 0;
        if spent && !self.shard.is_stopping() {
            // Tasks may come to their end, but whoever wants another exchange waits for nothing.
            self.shard.stop_gracefully();
            self.wait_for_last_tasks(now_ns);
        }
        let over = self.shard.is_over() || self.shard.iterations.is_drained();
        if !over || self.shard.users.active() > 0 {
            return false;
        }
        if self.shard.users.running() == 0 || self.shard.in_flight.get() == 0 {
            return true;
        }
        // Whoever was refused an exchange may still have another in the background.
        self.wait_for_last_tasks(now_ns);
        false
    }

    /// Gives up some time from now, unless that is to happen sooner.
    fn wait_for_last_tasks(&mut self, now_ns: u64) {
        let patience = LAST_TASKS_TIME.max(self.shard.options.stop_timeout);
        let at_ns = now_ns.saturating_add(nanos(patience));
        self.give_up_ns = Some(self.give_up_ns.map_or(at_ns, |sooner_ns| sooner_ns.min(at_ns)));
    }

    fn next_turn_ns(&self) -> u64 {
        let shard = &self.shard;
        let dealing = !(shard.requests.is_final() && shard.iterations.is_final());
        let hurried = self.give_up_ns.is_some() || dealing || shard.bridge.needs_looks();
        let interval = if hurried { POLL_INTERVAL_SHORT } else { POLL_INTERVAL };
        let look_ns = self.shard.now_ns() + nanos(interval);
        let give_up_ns = self.give_up_ns.unwrap_or(u64::MAX);
        look_ns.min(self.interval_end_ns).min(give_up_ns)
    }

    /// Closes the interval that has ended: hands the snapshot over, or keeps filling it where none has come back.
    fn close_interval(&mut self) {
        // The boundary, not the moment a little later at which this task runs: windows meet at wall seconds.
        let next_end_ns = self.shard.clock.origin().next_second_ns(self.shard.now_ns());
        let figures = self.figures(next_end_ns - NANOS_PER_SECOND);
        self.interval_end_ns = next_end_ns;
        if !self.flush() {
            // Handed over, a snapshot would only wait here instead of being filled.
            return self.shard.recorder().keep_filling(&figures);
        }
        let full = self.shard.recorder().hand_over(&figures);
        if let Some(snapshot) = full {
            self.users_max = self.shard.users.running();
            let warm_up = self.shard.warm_up.get();
            self.send(Notice::Interval(snapshot, warm_up));
        }
    }

    /// Hands over all that belongs to the epoch before.
    fn begin_epoch(&mut self, epoch: u32) {
        let figures = self.figures(self.shard.now_ns());
        let snapshot = self.shard.recorder().hand_over_fresh(&figures, epoch);
        self.send(Notice::Interval(snapshot, self.shard.warm_up.get()));
    }

    /// What the shard knows of itself, for a window that ends at `end_ns`.
    fn figures(&self, end_ns: u64) -> ShardFigures {
        let cpu =
            self.cpu_before.map_or(CpuTime::default(), |before| CpuTime::of_this_thread() - before);
        ShardFigures {
            now_ns: end_ns,
            unix_second: self.shard.clock.origin().unix_second(end_ns.saturating_sub(1)),
            users: self.shard.users.running(),
            users_max: self.users_max,
            in_flight: self.shard.in_flight.get(),
            cpu_user_ns: nanos(cpu.user),
            cpu_system_ns: nanos(cpu.system),
        }
    }

    fn send(&mut self, notice: Notice) {
        self.outbox.push_back(notice);
        self.flush();
    }

    /// Sends what waits; true when nothing waits any more.
    fn flush(&mut self) -> bool {
        while let Some(notice) = self.outbox.pop_front() {
            if let Err(Full(notice)) = self.notices.try_send(notice) {
                self.outbox.push_front(notice);
                return false;
            }
        }
        true
    }

    /// Waits until the kernel has let go of everything, so that no buffer is freed under a running operation.
    async fn settle(&mut self) {
        let deadline_ns = self.shard.now_ns() + nanos(SETTLE_TIME);
        while self.shard.now_ns() < deadline_ns {
            self.pause().await;
            if self.shard.users.running() == 0 && self.shard.guards.open() == 0 {
                // One more turn of the loop for the completions of what was cancelled.
                return self.pause().await;
            }
        }
    }

    /// Hands over what is left, however long the mailbox takes.
    async fn finish(&mut self) {
        let figures = self.figures(self.shard.now_ns());
        let mut snapshot = self.shard.recorder().hand_over_fresh(&figures, 0);
        snapshot.last = true;
        self.send(Notice::Interval(snapshot, self.shard.warm_up.get()));
        while !self.flush() && !self.notices.is_closed() {
            self.pause().await;
        }
    }

    async fn pause(&self) {
        self.shard.sleep_until(self.shard.now_ns() + nanos(POLL_INTERVAL_SHORT)).await;
    }
}
