//! The coordinator: directs the shards and merges what they hand over.
//!
//! It is a state machine stepped with `now`: it owns no clock, thread or socket, so that it runs on the simulated clock
//! as it does on the real one, and so that a shard may be a thread, or one day a process or a machine. Each step reads
//! the shards' mailboxes, decides, and writes commands. Percentiles are only ever computed from merged histograms.

mod outcome;

pub use outcome::{EndedBy, RunOutcome, ShardOutcome, WarmUp};

use std::collections::BTreeMap;
use std::time::Duration;

use crate::budget::Budget;
use crate::clock::{Origin, nanos};
use crate::mailbox::{Receiver, Sender};
use crate::record::{
    EntryCounts, MergedEntry, MergedError, Merger, RecorderOptions, Series, SeriesRow, Snapshot,
};
use crate::runtime::RuntimeKind;
use crate::shard::{Command, Notice, WarmUpCounts};
use crate::spawn::{SpawnSchedule, users_of_shard};

/// What a run is to do.
#[derive(Clone, Debug)]
pub struct RunPlan {
    /// Users, and how fast they start.
    pub spawn: SpawnSchedule,
    /// Length of the measured part; `None` runs until the budget is spent or somebody stops it.
    pub run_time: Option<Duration>,
    /// Time before the measured part, whose exchanges are not reported.
    pub warm_up: Duration,
    /// Exchanges to make in the measured part, over all shards.
    pub requests: Option<u64>,
    /// How long exchanges in flight are awaited at the end.
    pub stop_timeout: Duration,
    /// CPU of each shard; `None` leaves it unpinned.
    pub shards: Vec<Option<usize>>,
    /// The runtime that shards run on.
    pub runtime: RuntimeKind,
    /// Bounds of the shards' recorders.
    pub recorder: RecorderOptions,
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
    /// It has had a block of the budget, or has been told that none is left.
    granted: bool,
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

/// A row of the series to which shards still add.
#[derive(Default)]
struct OpenRow {
    row: SeriesRow,
    /// The most users of each shard, by index: a shard may report twice in its last second.
    users: Vec<u64>,
    /// Shards that have reported.
    reported: Vec<bool>,
}

impl OpenRow {
    fn close(self) -> SeriesRow {
        SeriesRow { users: self.users.iter().sum(), ..self.row }
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

/// Directs one run.
pub struct Coordinator {
    plan: RunPlan,
    origin: Origin,
    shards: Vec<ShardState>,
    budget: Option<Budget>,
    merger: Merger,
    series: Series,
    /// Rows of seconds that some shard has not reported yet.
    open_rows: BTreeMap<u64, OpenRow>,
    latest: Option<SeriesRow>,
    requests: u64,
    failures: u64,
    phase: Phase,
    ended_by: Option<EndedBy>,
    stopped_ns: Option<u64>,
}

/// How long after the stop timeout a shard may take for its last report.
const STOP_GRACE: Duration = Duration::from_millis(800);

/// Seconds after which a row is closed even if some shard has not reported it.
const ROW_OPEN_SECONDS: u64 = 3;

impl Coordinator {
    pub(crate) fn new(plan: RunPlan, origin: Origin, links: Vec<ShardLink>) -> Self {
        let budget = plan.requests.map(|total| Budget::new(total, links.len()));
        let merger = Merger::new(&plan.recorder);
        let shards = links.into_iter().enumerate().map(|(index, link)| ShardState {
            link,
            outbox: Vec::new(),
            users_told: 0,
            granted: false,
            users: 0,
            outcome: ShardOutcome::new(index, plan.shards[index], plan.runtime),
            warm_up: WarmUpCounts::default(),
            in_flight: 0,
            finished: false,
        });
        Self {
            shards: shards.collect(),
            plan,
            origin,
            budget,
            merger,
            series: Series::default(),
            open_rows: BTreeMap::new(),
            latest: None,
            requests: 0,
            failures: 0,
            phase: Phase::Running,
            ended_by: None,
            stopped_ns: None,
        }
    }

    /// Does what is due at `now_ns`, nanoseconds since the run's origin.
    pub fn step(&mut self, now_ns: u64) {
        for index in 0..self.shards.len() {
            self.shards[index].flush();
            self.hear(index);
        }
        if self.phase == Phase::Running {
            // First, so that nobody is started only to be stopped.
            self.end_if_due(now_ns);
        }
        if self.phase == Phase::Running {
            self.spawn_users(now_ns);
            self.deal_first_grants();
        }
        self.give_up_on_late_shards(now_ns);
        self.close_rows(self.origin.unix_second(now_ns).saturating_sub(ROW_OPEN_SECONDS));
        if self.shards.iter().all(|shard| shard.finished) {
            self.end(now_ns);
        }
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

    /// Length of the warm-up.
    pub fn warm_up(&self) -> Duration {
        self.plan.warm_up
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
            users: self.shards.iter().map(|shard| shard.users).sum(),
            requests: self.requests,
            failures: self.failures,
            warming_up: now_ns < nanos(self.plan.warm_up),
            warm_up_requests: self.shards.iter().map(|shard| shard.warm_up.requests).sum(),
            latest: self.latest.clone(),
        }
    }

    /// Everything measured; meaningful once the run has ended.
    pub fn finish(mut self, now_ns: u64) -> RunOutcome {
        self.end(now_ns);
        self.close_rows(u64::MAX);
        let warm_up_end_ns = nanos(self.plan.warm_up);
        let (entries, errors) = self.merger.into_parts();
        let ended_by = self.ended_by.unwrap_or(EndedBy::AllShardsLost);
        let ended_ns = measured_end(ended_by, self.stopped_ns.unwrap_or(now_ns), &entries);
        let users_max = self.series.rows().map(|row| row.users).max().unwrap_or(0);
        RunOutcome {
            // A run that was stopped in its warm-up measured nothing, beginning there.
            started_at: self.origin.system_time(warm_up_end_ns.min(ended_ns)),
            measured: Duration::from_nanos(ended_ns.saturating_sub(warm_up_end_ns)),
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
        }
    }

    fn spawn_users(&mut self, now_ns: u64) {
        let users = self.plan.spawn.users_at(now_ns);
        let shards = self.shards.len();
        for (index, shard) in self.shards.iter_mut().enumerate() {
            let wanted = users_of_shard(users, index, shards);
            if wanted > shard.users_told {
                shard.users_told = wanted;
                shard.send(Command::Users(wanted));
            }
        }
    }

    /// Shards get their first block with their first users: one that has none yet would sit on it. Those that come too
    /// late are told so, and end.
    fn deal_first_grants(&mut self) {
        let Some(budget) = &mut self.budget else { return };
        for shard in self.shards.iter_mut().filter(|shard| !shard.granted) {
            if shard.users_told > 0 || budget.is_spent() {
                shard.granted = true;
                shard.send(Command::Grant(budget.first_grant()));
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
        let patience_ns = nanos(self.plan.stop_timeout).saturating_add(nanos(STOP_GRACE));
        if now_ns.saturating_sub(stopped_ns) > patience_ns {
            for index in 0..self.shards.len() {
                self.lose_shard(index, "it did not stop in time".to_owned());
            }
        }
    }

    fn end(&mut self, now_ns: u64) {
        if self.phase == Phase::Running {
            let lost = self.shards.iter().all(|shard| shard.outcome.panicked.is_some());
            self.ended_by = Some(if lost { EndedBy::AllShardsLost } else { EndedBy::Requests });
            self.stopped_ns = Some(now_ns);
        }
        self.phase = Phase::Ended;
    }

    fn hear(&mut self, index: usize) {
        while let Some(notice) = self.shards[index].link.notices.try_recv() {
            match notice {
                Notice::Interval(snapshot, warm_up) => self.absorb(index, snapshot, warm_up),
                Notice::LeaseLow => self.grant(index),
            }
        }
    }

    fn grant(&mut self, index: usize) {
        if let Some(budget) = &mut self.budget {
            let grant = budget.grant();
            self.shards[index].send(Command::Grant(grant));
        }
    }

    fn absorb(&mut self, index: usize, mut snapshot: Box<Snapshot>, warm_up: WarmUpCounts) {
        self.merger.absorb(&snapshot);
        self.merger.forget_old_seconds();
        let counts = self.merger.take_interval();
        self.requests += counts.requests;
        self.failures += counts.failures;
        if snapshot.window_end_ns > nanos(self.plan.warm_up) {
            self.add_to_row(&snapshot, counts);
        }
        let shard = &mut self.shards[index];
        shard.users = snapshot.users;
        shard.warm_up = warm_up;
        shard.in_flight = snapshot.in_flight;
        shard.outcome.absorb(&snapshot);
        shard.finished |= snapshot.last;
        snapshot.clear();
        if !shard.finished {
            shard.send(Command::Cleared(snapshot));
        }
    }

    /// Adds one shard's interval to the row of the second it ended in. An interval that took longer than a second,
    /// because a snapshot was not back in time, widens its row.
    fn add_to_row(&mut self, snapshot: &Snapshot, counts: EntryCounts) {
        let shards = self.shards.len();
        let last_ns = snapshot.window_end_ns.saturating_sub(1);
        let unix_second = self.origin.unix_second(last_ns);
        let first_second = self.origin.unix_second(snapshot.window_start_ns);
        let open = self.open_rows.entry(unix_second).or_insert_with(|| OpenRow {
            row: SeriesRow { unix_second, ..SeriesRow::default() },
            users: vec![0; shards],
            reported: vec![false; shards],
        });
        open.reported[snapshot.shard as usize] = true;
        let most = &mut open.users[snapshot.shard as usize];
        *most = (*most).max(snapshot.users_max);
        let row = &mut open.row;
        row.unix_second = row.unix_second.min(first_second);
        row.seconds = (unix_second + 1 - row.unix_second) as u32;
        row.requests += counts.requests;
        row.failures += counts.failures;
        row.bytes_received += counts.bytes_received;
        row.bytes_sent += counts.bytes_sent;
        row.response_time.add(&counts.response_time);
    }

    /// Moves rows to the series, oldest first: those that every shard has reported, and those before the second
    /// `before`, for which nobody waits any longer.
    fn close_rows(&mut self, before: u64) {
        while let Some(entry) = self.open_rows.first_entry() {
            let mut shards = self.shards.iter().zip(&entry.get().reported);
            let complete = shards.all(|(shard, reported)| *reported || shard.finished);
            if *entry.key() >= before && !complete {
                return;
            }
            let row = entry.remove().close();
            self.latest = Some(row.clone());
            self.series.push(row);
        }
    }
}

/// The end of the measured part: when it was stopped, or when the last counted exchange ended if that was later (those
/// that the stop timeout allowed to finish). A run that ends with its budget ends with its last exchange: the
/// coordinator notices a little later.
fn measured_end(ended_by: EndedBy, stopped_ns: u64, entries: &[MergedEntry]) -> u64 {
    let last_ns = entries.iter().filter_map(|entry| entry.counts.last_end_ns).max();
    match (ended_by, last_ns) {
        (EndedBy::Requests, Some(last_ns)) => last_ns,
        (_, Some(last_ns)) => last_ns.max(stopped_ns),
        (_, None) => stopped_ns,
    }
}
