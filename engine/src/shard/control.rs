//! A shard's control task: mailboxes, report intervals, and the end.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::usage::CpuTime;
use super::{Shard, ShardOptions, WarmUpCounts};
use crate::budget::Grant;
use crate::clock::{Clock, NANOS_PER_SECOND, nanos};
use crate::mailbox::{Full, Receiver, Sender};
use crate::record::{ShardFigures, Snapshot};
use crate::runtime::{Alarm, Runtime};
use crate::timer::Timers;
use crate::user::{UserClass, Workload};

/// How often a shard looks into its mailbox.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// How often it looks while users wait for a grant, or while it is ending.
const POLL_INTERVAL_SHORT: Duration = Duration::from_micros(500);
/// How long the kernel is given to complete operations that were cut off.
const SETTLE_TIME: Duration = Duration::from_millis(200);

/// What the coordinator tells a shard.
#[derive(Debug)]
pub enum Command {
    /// Run this many users; more are started, none are taken away.
    Users(u64),
    /// A block of the run's budget of exchanges.
    Grant(Grant),
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
    /// The lease on the budget runs low.
    LeaseLow,
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
    let timers = Timers::new(alarm, clock.clone());
    let shard = Shard::new(options, clock, runtime, Rc::clone(&timers));
    shard.runtime.spawn(Rc::clone(&timers).drive(Rc::clone(&shard.guards)));
    let class = workload.prepare(&shard.context());
    let interval_end_ns = shard.clock.origin().next_second_ns(shard.now_ns());
    let control = Control {
        shard,
        class,
        commands,
        notices,
        outbox: VecDeque::new(),
        interval_end_ns,
        users_max: 0,
        cpu_before: None,
        give_up_ns: None,
    };
    control.run().await;
}

struct Control {
    shard: Rc<Shard>,
    class: Rc<dyn UserClass>,
    commands: Receiver<Command>,
    notices: Sender<Notice>,
    /// Reports that wait for room in the mailbox.
    outbox: VecDeque<Notice>,
    interval_end_ns: u64,
    users_max: u64,
    /// CPU time used before the measured part; `None` until that begins.
    cpu_before: Option<CpuTime>,
    give_up_ns: Option<u64>,
}

impl Control {
    async fn run(mut self) {
        while !self.is_done() {
            self.turn();
            self.shard.sleep_until(self.next_turn_ns()).await;
        }
        self.shard.stop_now();
        self.settle().await;
        self.finish().await;
    }

    /// One look at everything that may have come up.
    fn turn(&mut self) {
        let measuring = self.shard.now_ns() >= self.shard.options.warm_up_end_ns;
        if measuring && self.cpu_before.is_none() {
            self.cpu_before = Some(CpuTime::of_this_thread());
        }
        self.obey();
        self.flush();
        self.users_max = self.users_max.max(self.shard.users_running.get());
        if self.shard.lease.should_ask() {
            self.send(Notice::LeaseLow);
        }
        if self.shard.now_ns() >= self.interval_end_ns {
            self.close_interval();
        }
    }

    fn obey(&mut self) {
        while let Some(command) = self.commands.try_recv() {
            match command {
                Command::Users(wanted) => {
                    if !self.shard.is_stopping() {
                        self.shard.start_users(&self.class, wanted);
                    }
                }
                Command::Grant(grant) => self.shard.lease.add(grant),
                Command::Cleared(snapshot) => self.shard.recorder().take_back(snapshot),
                Command::Stop { give_up_ns } => {
                    self.give_up_ns = Some(give_up_ns);
                    self.shard.stop_gracefully();
                }
            }
        }
    }

    fn is_done(&self) -> bool {
        // With nothing permitted any more and nothing in flight, users that still wait wait for nothing.
        let idle = self.shard.users_running.get() == 0 || self.shard.in_flight.get() == 0;
        let gave_up = self.give_up_ns.is_some_and(|at_ns| self.shard.now_ns() >= at_ns);
        // Without a coordinator there is nobody to work for.
        gave_up || (idle && self.shard.is_over()) || self.commands.is_closed()
    }

    fn next_turn_ns(&self) -> u64 {
        let hurried = self.give_up_ns.is_some() || !self.shard.lease.is_final();
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
            self.users_max = self.shard.users_running.get();
            let warm_up = self.shard.warm_up.get();
            self.send(Notice::Interval(snapshot, warm_up));
        }
    }

    /// What the shard knows of itself, for a window that ends at `end_ns`.
    fn figures(&self, end_ns: u64) -> ShardFigures {
        let cpu =
            self.cpu_before.map_or(CpuTime::default(), |before| CpuTime::of_this_thread() - before);
        ShardFigures {
            now_ns: end_ns,
            unix_second: self.shard.clock.origin().unix_second(end_ns.saturating_sub(1)),
            users: self.shard.users_running.get(),
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
            if self.shard.users_running.get() == 0 && self.shard.guards.open() == 0 {
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
