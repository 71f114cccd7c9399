//! The coordinator: directs the shards and merges what they hand over.
//!
//! It is a state machine stepped with `now`: it owns no clock, thread or socket, so that it runs on the simulated clock
//! as it does on the real one, and so that a shard may be a thread, or one day a process or a machine. Each step reads
//! the shards' mailboxes, decides, and writes commands. Percentiles are only ever computed from merged histograms.

mod outcome;
mod ramp;
mod rows;

pub use outcome::{EndedBy, RunOutcome, ShardOutcome, WarmUp};
pub use ramp::{LoadError, LoadPlan};

use ramp::Ramp;
use rows::OpenRows;

use std::time::Duration;

use crate::bridge::BridgeOptions;
use crate::clock::{NANOS_PER_SECOND, Origin, nanos};
use crate::lease::{Budget, LeaseOf};
use crate::mailbox::{Receiver, Sender};
use crate::record::{
    MergedEntry, MergedError, Merger, RecorderOptions, Series, SeriesRow, Snapshot,
};
use crate::runtime::RuntimeKind;
use crate::shard::{Command, ENDING_TIME, Notice, WarmUpCounts};
use crate::spawn::shape::ShapeTick;
use crate::user::{Role, TaskStats, Workload};

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// Users, and how fast they start.
    pub load: LoadPlan,
    /// The most users that may be asked for while the run is on.
    pub users_max: u64,
    /// Length of the measured part; `None` runs until the budget is spent or somebody stops it.
    pub run_time: Option<Duration>,
    /// Time before the measured part, whose exchanges are not reported.
    pub warm_up: Duration,
    /// Exchanges to make in the measured part, over all shards.
    pub requests: Option<u64>,
    /// Tasks to execute, over all shards.
    pub iterations: Option<u64>,
    /// How long tasks, and exchanges in flight, are awaited when users stop.
    pub stop_timeout: Duration,
    /// Forget what was counted while users were being started, once all are.
    pub reset_stats: bool,
    /// How tasks are counted.
    pub task_stats: TaskStats,
    /// Seed of the users' random numbers.
    pub seed: u64,
    /// Which process of the run this is.
    pub role: Role,
    /// CPU of each shard; `None` leaves it unpinned.
    pub shards: Vec<Option<usize>>,
    /// The runtime that shards run on.
    pub runtime: RuntimeKind,
    /// Bounds of each shard's threads for work that blocks.
    pub bridge: BridgeOptions,
    /// Bounds of the shards' recorders.
    pub recorder: RecorderOptions,
}

impl RunPlan {
    /// A plan of `users`, all at once, without an end: one shard for each CPU given.
    pub fn new(users: u64, shards: Vec<Option<usize>>, runtime: RuntimeKind) -> Self {
        Self {
            load: LoadPlan::Users { users, spawn_rate: None },
            users_max: users,
            run_time: None,
            warm_up: Duration::ZERO,
            requests: None,
            iterations: None,
            stop_timeout: Duration::ZERO,
            reset_stats: false,
            task_stats: TaskStats::Off,
            seed: 1,
            role: Role::Local,
            shards,
            runtime,
            bridge: BridgeOptions::default(),
            recorder: RecorderOptions::default(),
        }
    }
}

/// One shard as the coordinator sees it.
pub(crate) struct ShardLink {
    pub(crate) commands: Sender<Command>,
    pub(crate) notices: Receiver<Notice>,
}

struct ShardState {
    link: ShardLink,
    /// Commands that found the mailbox full.
    outbox: Vec<Command>,
    users_told: u64,
    /// It has had a block of each budget, or has been told that none is left.
    granted: bool,
    /// When it was last heard of.
    heard_ns: u64,
    /// End of the last interval that it reported.
    reported_ns: u64,
    users: u64,
    outcome: ShardOutcome,
    warm_up: WarmUpCounts,
    in_flight: u64,
    finished: bool,
}

impl ShardState {
    fn send(&mut self, command: Command) {
        self.outbox.push(command);
        self.flush();
    }

    fn flush(&mut self) {
        let mut waiting = std::mem::take(&mut self.outbox).into_iter();
        for command in waiting.by_ref() {
            if let Err(full) = self.link.commands.try_send(command) {
                self.outbox.push(full.0);
                break;
            }
        }
        self.outbox.extend(waiting);
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Users run, or are being started.
    Running,
    /// Nothing new begins; what is in flight may finish.
    Stopping,
    /// Every shard has finished or is lost.
    Ended,
}

/// What can be said while the run goes on.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Where the run stands.
    pub phase: Phase,
    /// Users running at the shards' last reports.
    pub users: u64,
    /// Users that are aimed at.
    pub users_wanted: u64,
    /// Users are being started or stopped.
    pub spawning: bool,
    /// Requests and failures of the measured part so far.
    pub requests: u64,
    /// Failures among them.
    pub failures: u64,
    /// The warm-up is still on.
    pub warming_up: bool,
    /// Requests of the warm-up so far.
    pub warm_up_requests: u64,
    /// The latest second that every shard has reported.
    pub latest: Option<SeriesRow>,
}

/// Something that happened to the run as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEvent {
    /// As many users run as were asked for.
    SpawningComplete {
        /// How many.
        users: u64,
    },
    /// The counts so far were forgotten.
    StatsReset,
}

/// Directs one run.
pub struct Coordinator {
    plan: RunPlan,
    origin: Origin,
    shards: Vec<ShardState>,
    ramp: Ramp,
    budget: Option<Budget>,
    iterations: Option<Budget>,
    feeds: Vec<Budget>,
    merger: Merger,
    series: Series,
    open_rows: OpenRows,
    latest: Option<SeriesRow>,
    epoch: u32,
    /// Start of what is counted: the end of the warm-up, or of the ramp.
    counted_from_ns: u64,
    events: Vec<RunEvent>,
    refused: Option<LoadError>,
    requests: u64,
    failures: u64,
    phase: Phase,
    ended_by: Option<EndedBy>,
    stopped_ns: Option<u64>,
    /// When as many users ran as were asked for.
    spawned_ns: Option<u64>,
}

/// How long a shard that is ending may be silent before it is given up, and may take for its last report.
const STOP_GRACE: Duration = Duration::from_millis(1_200);

/// Seconds after which a row is closed even if some shard has not reported it.
const ROW_OPEN_SECONDS: u64 = 3;

impl Coordinator {
    pub(crate) fn new(
        plan: RunPlan,
        origin: Origin,
        links: Vec<ShardLink>,
        workload: &dyn Workload,
    ) -> Self {
        let budget = |total: Option<u64>| total.map(|total| Budget::new(total, links.len()));
        let feeds = workload.feeds().into_iter();
        let feeds = feeds.map(|rows| Budget::new(rows.unwrap_or(u64::MAX), links.len()));
        let ramp = Ramp::new(&plan.load, workload.classes(), links.len(), plan.users_max);
        Self {
            budget: budget(plan.requests),
            iterations: budget(plan.iterations),
            feeds: feeds.collect(),
            merger: Merger::new(&plan.recorder),
            open_rows: OpenRows::new(origin, links.len()),
            shards: shard_states(&plan, links),
            counted_from_ns: nanos(plan.warm_up),
            ramp,
            plan,
            origin,
            series: Series::default(),
            latest: None,
            epoch: 0,
            events: Vec::new(),
            refused: None,
            requests: 0,
            failures: 0,
            phase: Phase::Running,
            ended_by: None,
            stopped_ns: None,
            spawned_ns: None,
        }
    }

    /// Does what is due at `now_ns`, nanoseconds since the run's origin.
    pub fn step(&mut self, now_ns: u64) {
        for index in 0..self.shards.len() {
            self.shards[index].flush();
            self.hear(index, now_ns);
        }
        if self.phase == Phase::Running {
            // First, so that nobody is started only to be stopped.
            self.end_if_due(now_ns);
        }
        if self.phase == Phase::Running {
            self.spawn_users(now_ns);
            self.deal_first_grants();
            self.end_without_users(now_ns);
        }
        self.give_up_on_late_shards(now_ns);
        self.close_rows(self.origin.unix_second(now_ns).saturating_sub(ROW_OPEN_SECONDS));
        if self.shards.iter().all(|shard| shard.finished) {
            self.end(now_ns);
        }
    }

    /// Aims at another number of users, at the rate given.
    ///
    /// # Errors
    /// When that load cannot be made; the present one goes on.
    pub fn set_users(
        &mut self,
        now_ns: u64,
        users: u64,
        spawn_rate_per_sec: f64,
    ) -> Result<(), LoadError> {
        self.ramp.aim(now_ns, &ShapeTick::new(users, spawn_rate_per_sec))
    }

    /// What has happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<RunEvent> {
        std::mem::take(&mut self.events)
    }

    /// Ends the run gracefully, for the reason given; a second call changes nothing.
    pub fn stop(&mut self, now_ns: u64, why: EndedBy) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Stopping;
        self.ended_by = Some(why);
        self.stopped_ns = Some(now_ns);
        let give_up_ns = now_ns.saturating_add(nanos(self.plan.stop_timeout));
        for shard in &mut self.shards {
            shard.send(Command::Stop { give_up_ns });
        }
    }

    /// Notes that a shard's thread has ended without its last report, and why.
    pub fn lose_shard(&mut self, index: usize, reason: String) {
        let shard = &mut self.shards[index];
        if !shard.finished {
            shard.finished = true;
            shard.users = 0;
            shard.outcome.panicked = Some(reason);
        }
    }

    /// Where the run stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Start of what is counted, since the run's origin.
    pub fn counted_from(&self) -> Duration {
        Duration::from_nanos(self.counted_from_ns)
    }

    /// Users of each class that should run now, in the workload's order.
    pub fn users_by_class(&self) -> Vec<u64> {
        self.ramp.users_by_class()
    }

    /// Entries counted so far.
    pub fn entries(&self) -> impl Iterator<Item = &MergedEntry> {
        self.merger.entries()
    }

    /// Errors counted so far.
    pub fn errors(&self) -> impl Iterator<Item = &MergedError> {
        self.merger.errors()
    }

    /// What can be said so far.
    pub fn progress(&self, now_ns: u64) -> Progress {
        Progress {
            phase: self.phase,
            users: self.users(),
            users_wanted: self.ramp.target(),
            spawning: self.ramp.is_spawning(),
            requests: self.requests,
            failures: self.failures,
            warming_up: now_ns < nanos(self.plan.warm_up),
            warm_up_requests: self.shards.iter().map(|shard| shard.warm_up.requests).sum(),
            latest: self.latest.clone(),
        }
    }

    /// Users running at the shards' last reports.
    fn users(&self) -> u64 {
        self.shards.iter().map(|shard| shard.users).sum()
    }

    /// Everything measured; meaningful once the run has ended.
    pub fn finish(mut self, now_ns: u64) -> RunOutcome {
        self.end(now_ns);
        self.close_rows(u64::MAX);
        let (warm_up_end_ns, from_ns) = (nanos(self.plan.warm_up), self.counted_from_ns);
        let (entries, errors) = self.merger.into_parts();
        let ended_by = self.ended_by.unwrap_or(EndedBy::AllShardsLost);
        let ended_ns = measured_end(ended_by, self.stopped_ns.unwrap_or(now_ns), &entries);
        let users_max = self.series.rows().map(|row| row.users).max().unwrap_or(0);
        RunOutcome {
            // A run that was stopped in its warm-up measured nothing, beginning there.
            started_at: self.origin.system_time(from_ns.min(ended_ns)),
            counted_from: Duration::from_nanos(from_ns),
            measured: Duration::from_nanos(ended_ns.saturating_sub(from_ns)),
            warm_up: (warm_up_end_ns > 0).then(|| WarmUp {
                duration: self.plan.warm_up,
                requests: self.shards.iter().map(|shard| shard.warm_up.requests).sum(),
                failures: self.shards.iter().map(|shard| shard.warm_up.failures).sum(),
            }),
            entries,
            errors,
            series: self.series.into_rows(),
            cut_off: self.shards.iter().map(|shard| shard.in_flight).sum(),
            shards: self.shards.into_iter().map(|shard| shard.outcome).collect(),
            users_max,
            ended_by,
            refused: self.refused,
        }
    }

    fn spawn_users(&mut self, now_ns: u64) {
        let news = match self.ramp.step(now_ns, self.users()) {
            Ok(news) => news,
            Err(refused) => {
                self.refused = Some(refused);
                return self.stop(now_ns, EndedBy::Refused);
            }
        };
        if news.over {
            return self.stop(now_ns, EndedBy::Shape);
        }
        if news.assigned {
            // To every shard, changed or not, as Locust's master does: a user that ended by itself is replaced.
            for (shard, users) in self.shards.iter_mut().zip(self.ramp.assignment()) {
                shard.users_told = users.iter().sum();
                shard.send(Command::Users(users.clone()));
            }
        }
        if let Some(users) = news.completed {
            self.spawned_ns = Some(now_ns);
            self.events.push(RunEvent::SpawningComplete { users });
            if self.plan.reset_stats {
                self.reset_stats(now_ns);
            }
        }
    }

    /// A budget that nobody is left to spend would keep the run for ever. Without one it goes on, as Locust's does.
    fn end_without_users(&mut self, now_ns: u64) {
        let has_budget = self.budget.is_some() || self.iterations.is_some();
        let (true, Some(spawned_ns), false) =
            (has_budget, self.spawned_ns, self.ramp.is_spawning() || self.ramp.has_shape())
        else {
            return;
        };
        // A shard has heard of its users by the interval after the one in which they were told of.
        let seen_ns = spawned_ns.saturating_add(NANOS_PER_SECOND);
        let is_idle = |shard: &&ShardState| shard.users == 0 && shard.reported_ns > seen_ns;
        let mut open = self.shards.iter().filter(|shard| !shard.finished).peekable();
        if self.ramp.users() > 0 && open.peek().is_some() && open.all(|shard| is_idle(&shard)) {
            self.stop(now_ns, EndedBy::NoUsers);
        }
    }

    /// Forgets what was counted so far.
    pub fn reset_stats(&mut self, now_ns: u64) {
        self.epoch += 1;
        self.merger.reset();
        (self.requests, self.failures) = (0, 0);
        self.counted_from_ns = now_ns.max(nanos(self.plan.warm_up));
        self.events.push(RunEvent::StatsReset);
        for shard in &mut self.shards {
            shard.send(Command::Epoch(self.epoch));
        }
    }

    /// Shards get their first blocks with their first users: one that has none yet would sit on them. Those that come too
    /// late are told so, and end.
    fn deal_first_grants(&mut self) {
        let budgets =
            [(LeaseOf::Requests, &mut self.budget), (LeaseOf::Iterations, &mut self.iterations)];
        let mut budgets: Vec<_> =
            budgets.into_iter().filter_map(|(of, budget)| Some((of, budget.as_mut()?))).collect();
        let spent = budgets.iter().any(|(_, budget)| budget.is_spent());
        for shard in self.shards.iter_mut().filter(|shard| !shard.granted) {
            if shard.users_told > 0 || spent {
                shard.granted = true;
                for (of, budget) in &mut budgets {
                    shard.send(Command::Grant(*of, budget.first_grant()));
                }
            }
        }
    }

    fn end_if_due(&mut self, now_ns: u64) {
        let Some(run_time) = self.plan.run_time else { return };
        let end_ns = nanos(self.plan.warm_up).saturating_add(nanos(run_time));
        if now_ns >= end_ns {
            self.stop(now_ns, EndedBy::RunTime);
        }
    }

    /// A shard that does not come to an end, because something on it never yields, must not hold the others' results.
    fn give_up_on_late_shards(&mut self, now_ns: u64) {
        let (Phase::Stopping, Some(stopped_ns)) = (self.phase, self.stopped_ns) else { return };
        let tasks_end_ns = stopped_ns.saturating_add(nanos(self.plan.stop_timeout));
        let grace_ns = nanos(STOP_GRACE);
        let end_ns = tasks_end_ns.saturating_add(nanos(ENDING_TIME) + grace_ns);
        for index in 0..self.shards.len() {
            // One that lets its users come to their ends still reports every second.
            let silent_ns = self.shards[index].heard_ns.max(tasks_end_ns).saturating_add(grace_ns);
            if now_ns > silent_ns.min(end_ns) {
                self.lose_shard(index, "it did not stop in time".to_owned());
            }
        }
    }

    fn end(&mut self, now_ns: u64) {
        if self.phase == Phase::Running {
            let lost = self.shards.iter().all(|shard| shard.outcome.panicked.is_some());
            let spent = self.budget.as_ref().is_some_and(Budget::is_spent);
            self.ended_by = Some(match (lost, spent) {
                (true, _) => EndedBy::AllShardsLost,
                (false, true) => EndedBy::Requests,
                (false, false) => EndedBy::Iterations,
            });
            self.stopped_ns = Some(now_ns);
        }
        self.phase = Phase::Ended;
    }

    fn hear(&mut self, index: usize, now_ns: u64) {
        while let Some(notice) = self.shards[index].link.notices.try_recv() {
            self.shards[index].heard_ns = now_ns;
            match notice {
                Notice::Interval(snapshot, warm_up) => self.absorb(index, snapshot, warm_up),
                Notice::LeaseLow(of, waiting) => self.grant(index, of, waiting),
                Notice::StopTest => self.stop(now_ns, EndedBy::Test),
            }
        }
    }

    fn grant(&mut self, index: usize, of: LeaseOf, waiting: u64) {
        let grant = match of {
            LeaseOf::Requests => self.budget.as_mut().map(Budget::grant),
            LeaseOf::Iterations => self.iterations.as_mut().map(Budget::grant),
            LeaseOf::Rows(feed) => Some(self.feeds[feed].grant_rows(waiting)),
        };
        if let Some(grant) = grant {
            self.shards[index].send(Command::Grant(of, grant));
        }
    }

    fn absorb(&mut self, index: usize, mut snapshot: Box<Snapshot>, warm_up: WarmUpCounts) {
        if snapshot.epoch == self.epoch {
            self.merger.absorb(&snapshot);
        } else {
            self.merger.absorb_keys(&snapshot);
        }
        self.merger.forget_old_seconds();
        let counts = self.merger.take_interval();
        self.requests += counts.requests;
        self.failures += counts.failures;
        if snapshot.window_end_ns > nanos(self.plan.warm_up) {
            self.open_rows.add(&snapshot, &counts);
        }
        let shard = &mut self.shards[index];
        shard.users = snapshot.users;
        shard.reported_ns = snapshot.window_end_ns;
        shard.warm_up = warm_up;
        shard.in_flight = snapshot.in_flight;
        shard.outcome.absorb(&snapshot);
        shard.finished |= snapshot.last;
        snapshot.clear();
        if !shard.finished {
            shard.send(Command::Cleared(snapshot));
        }
    }

    /// Moves rows to the series, oldest first: those that every shard has reported, and those before the second
    /// `before`, for which nobody waits any longer.
    fn close_rows(&mut self, before: u64) {
        let finished = |shard: usize| self.shards[shard].finished;
        while let Some(row) = self.open_rows.close_next(before, finished) {
            self.latest = Some(row.clone());
            self.series.push(row);
        }
    }
}

fn shard_states(plan: &RunPlan, links: Vec<ShardLink>) -> Vec<ShardState> {
    let states = links.into_iter().enumerate().map(|(index, link)| ShardState {
        link,
        outbox: Vec::new(),
        users_told: 0,
        granted: false,
        heard_ns: 0,
        reported_ns: 0,
        users: 0,
        outcome: ShardOutcome::new(index, plan.shards[index], plan.runtime),
        warm_up: WarmUpCounts::default(),
        in_flight: 0,
        finished: false,
    });
    states.collect()
}

/// The end of the measured part: when it was stopped, or when the last counted exchange ended if that was later (those
/// that the stop timeout allowed to finish). A run that ends with its budget ends with its last exchange: the
/// coordinator notices a little later.
fn measured_end(ended_by: EndedBy, stopped_ns: u64, entries: &[MergedEntry]) -> u64 {
    let last_ns = entries.iter().filter_map(|entry| entry.counts.last_end_ns).max();
    match (ended_by, last_ns) {
        (EndedBy::Requests | EndedBy::Iterations | EndedBy::NoUsers, Some(last_ns)) => last_ns,
        (_, Some(last_ns)) => last_ns.max(stopped_ns),
        (_, None) => stopped_ns,
    }
}
