//! What a run hands to its report.

use std::time::{Duration, SystemTime};

use super::ramp::LoadError;
use crate::record::{MergedEntry, MergedError, SeriesRow, Snapshot};
use crate::runtime::RuntimeKind;

/// Everything that a run measured.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// Start of the measured part, after the warm-up.
    pub started_at: SystemTime,
    /// The same, since the run's origin.
    pub counted_from: Duration,
    /// Length of the measured part.
    pub measured: Duration,
    /// The warm-up, which nothing else here includes.
    pub warm_up: Option<WarmUp>,
    /// Entries in the order they were first seen, those of connections included.
    pub entries: Vec<MergedEntry>,
    /// Errors in the order they were first seen.
    pub errors: Vec<MergedError>,
    /// The run over time, ascending.
    pub series: Vec<SeriesRow>,
    /// The shards, by index.
    pub shards: Vec<ShardOutcome>,
    /// Exchanges in flight when the run ended; they are counted nowhere else.
    pub cut_off: u64,
    /// The most users that ran within a second.
    pub users_max: u64,
    /// What ended the run.
    pub ended_by: EndedBy,
    /// Why the load could not go on as it was asked for, if it could not.
    pub refused: Option<LoadError>,
}

/// What happened before the measured part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUp {
    /// Its length.
    pub duration: Duration,
    /// Exchanges that began in it.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// How a shard fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardOutcome {
    /// Index among the shards of the run.
    pub index: usize,
    /// The CPU that it was pinned to.
    pub cpu: Option<usize>,
    /// The runtime that it ran on.
    pub runtime: RuntimeKind,
    /// User CPU time of its thread.
    pub cpu_user: Duration,
    /// System CPU time of its thread.
    pub cpu_system: Duration,
    /// The most users that it ran at once.
    pub users_max: u64,
    /// Intervals at whose end no cleared snapshot had come back, so that it kept filling.
    pub handovers_missed: u64,
    /// Why it was lost, if it was: its last interval is missing and the run is not valid.
    pub panicked: Option<String>,
}

impl ShardOutcome {
    pub(crate) fn new(index: usize, cpu: Option<usize>, runtime: RuntimeKind) -> Self {
        Self {
            index,
            cpu,
            runtime,
            cpu_user: Duration::ZERO,
            cpu_system: Duration::ZERO,
            users_max: 0,
            handovers_missed: 0,
            panicked: None,
        }
    }

    pub(crate) fn absorb(&mut self, snapshot: &Snapshot) {
        self.cpu_user = Duration::from_nanos(snapshot.cpu_user_ns);
        self.cpu_system = Duration::from_nanos(snapshot.cpu_system_ns);
        self.users_max = self.users_max.max(snapshot.users_max);
        self.handovers_missed = snapshot.handovers_missed;
    }
}

/// What ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Its run time was over.
    RunTime,
    /// Its budget of exchanges was spent.
    Requests,
    /// Its budget of tasks was spent.
    Iterations,
    /// Its shape was over.
    Shape,
    /// A task asked for the end.
    Test,
    /// Every user had ended by itself, with some of the budget left that nobody will spend.
    NoUsers,
    /// A threshold was crossed that the run was not to go on with.
    Threshold,
    /// The load that was asked for could not be made.
    Refused,
    /// Somebody asked for the end.
    Signal,
    /// No shard was left.
    AllShardsLost,
}

impl EndedBy {
    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunTime => "run-time",
            Self::Requests => "requests",
            Self::Iterations => "iterations",
            Self::Shape => "shape",
            Self::Test => "test",
            Self::NoUsers => "no-users",
            Self::Threshold => "threshold",
            Self::Refused => "refused",
            Self::Signal => "signal",
            Self::AllShardsLost => "all-shards-lost",
        }
    }
}
