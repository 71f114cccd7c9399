//! Starts the shards of a run and keeps them and their coordinator together.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use core_affinity::CoreId;

use crate::clock::{Clock, Origin, nanos};
use crate::coordinator::{
    Coordinator, EndedBy, LoadError, Phase, Progress, RunEvent, RunOutcome, RunPlan, ShardLink,
};
use crate::mailbox::{self, Receiver, Sender};
use crate::record::{MergedEntry, MergedError};
use crate::runtime::sim::{SimAlarm, Simulation};
use crate::runtime::{Alarm, Runtime, RuntimeKind, StartError, glommio, monoio};
use crate::shard::{self, Command, Notice, ShardOptions};
use crate::user::{Workload, panic};

/// Messages that a mailbox holds: far more than pass between two looks at it.
const MAILBOX_CAPACITY: usize = 64;

/// Why a run could not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A shard's runtime did not start.
    #[error(transparent)]
    Runtime(#[from] StartError),
    /// A shard's thread did not start.
    #[error("the thread of shard {index} could not be started: {source}")]
    Thread {
        /// Index of the shard.
        index: usize,
        /// What the system said.
        source: std::io::Error,
    },
    /// A shard ended before it was ready.
    #[error("shard {index} ended while it was starting: {reason}")]
    Lost {
        /// Index of the shard.
        index: usize,
        /// Its panic message.
        reason: String,
    },
}

/// A run in progress on threads of this process.
pub struct Run {
    coordinator: Coordinator,
    threads: Vec<Option<JoinHandle<()>>>,
    origin: Origin,
}

/// What a shard's thread is given.
struct Seat {
    options: ShardOptions,
    cpu: Option<usize>,
    runtime: RuntimeKind,
    workload: Arc<dyn Workload>,
    commands: Receiver<Command>,
    notices: Sender<Notice>,
    ready: mpsc::Sender<Result<(), StartError>>,
    start: mpsc::Receiver<Origin>,
}

impl Run {
    /// Starts the shards and, once every runtime is up, the clock and the load.
    ///
    /// # Errors
    /// When a thread or its runtime could not start; those that did end by themselves.
    pub fn launch(plan: RunPlan, workload: Arc<dyn Workload>) -> Result<Self, LaunchError> {
        let mut links = Vec::new();
        let mut threads = Vec::new();
        let mut starters = Vec::new();
        for index in 0..plan.shards.len() {
            let (link, commands, notices) = link();
            let (ready, is_ready) = mpsc::channel();
            let (starter, start) = mpsc::channel();
            let seat = Seat {
                options: shard_options(&plan, index),
                cpu: plan.shards[index],
                runtime: plan.runtime,
                workload: Arc::clone(&workload),
                commands,
                notices,
                ready,
                start,
            };
            threads.push(Some(start_thread(index, seat)?));
            links.push(link);
            starters.push((starter, is_ready));
        }
        for (index, (_, is_ready)) in starters.iter().enumerate() {
            match is_ready.recv() {
                Ok(started) => started?,
                Err(_) => {
                    return Err(LaunchError::Lost { index, reason: join(&mut threads[index]) });
                }
            }
        }
        let origin = Origin::now();
        for (starter, _) in &starters {
            // A shard that is gone by now is noticed at the first step.
            let _ = starter.send(origin);
        }
        let coordinator = Coordinator::new(plan, origin, links, &*workload);
        Ok(Self { coordinator, threads, origin })
    }

    /// Does what is due.
    pub fn step(&mut self) {
        // Who has ended is asked first, so that a last report sent just before is heard below.
        let ended: Vec<usize> =
            (0..self.threads.len()).filter(|&index| self.has_ended(index)).collect();
        self.coordinator.step(self.origin.elapsed_ns());
        for index in ended {
            let reason = join(&mut self.threads[index]);
            self.coordinator.lose_shard(index, reason);
        }
    }

    fn has_ended(&self, index: usize) -> bool {
        self.threads[index].as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// Ends the run gracefully, for the reason given.
    pub fn stop(&mut self, why: EndedBy) {
        self.coordinator.stop(self.origin.elapsed_ns(), why);
    }

    /// Aims at another number of users, at the rate given.
    ///
    /// # Errors
    /// When that load cannot be made; the present one goes on.
    pub fn set_users(&mut self, users: u64, spawn_rate_per_sec: f64) -> Result<(), LoadError> {
        self.coordinator.set_users(self.origin.elapsed_ns(), users, spawn_rate_per_sec)
    }

    /// What has happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<RunEvent> {
        self.coordinator.take_events()
    }

    /// Users of each class that should run now, in the workload's order.
    pub fn users_by_class(&self) -> Vec<u64> {
        self.coordinator.users_by_class()
    }

    /// Where the run stands.
    pub fn phase(&self) -> Phase {
        self.coordinator.phase()
    }

    /// What can be said so far.
    pub fn progress(&self) -> Progress {
        self.coordinator.progress(self.origin.elapsed_ns())
    }

    /// Time since the run began, its warm-up included.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.origin.elapsed_ns())
    }

    /// Time measured so far: since the end of the warm-up, or of the ramp where that was forgotten.
    pub fn measured(&self) -> Duration {
        self.elapsed().saturating_sub(self.coordinator.counted_from())
    }

    /// Entries counted so far.
    pub fn entries(&self) -> impl Iterator<Item = &MergedEntry> {
        self.coordinator.entries()
    }

    /// Errors counted so far.
    pub fn errors(&self) -> impl Iterator<Item = &MergedError> {
        self.coordinator.errors()
    }

    /// Everything measured. A thread that still runs, because its shard was given up, ends with the process.
    pub fn finish(mut self) -> RunOutcome {
        for thread in self
            .threads
            .iter_mut()
            .filter(|thread| thread.as_ref().is_some_and(JoinHandle::is_finished))
        {
            join(thread);
        }
        self.coordinator.finish(self.origin.elapsed_ns())
    }
}

/// Runs the plan in a simulated world, one task per shard, and gives its outcome.
pub async fn simulate(
    simulation: &Simulation,
    plan: RunPlan,
    workload: Arc<dyn Workload>,
) -> RunOutcome {
    const STEP: Duration = Duration::from_millis(5);
    let world = simulation.handle();
    let clock = world.clock();
    let mut links = Vec::new();
    for index in 0..plan.shards.len() {
        let (link, commands, notices) = link();
        links.push(link);
        let options = shard_options(&plan, index);
        let (clock, runtime) = (clock.clone(), world.runtime());
        let alarm = Alarm::Sim(SimAlarm::new(&world));
        let workload = Arc::clone(&workload);
        world.spawn(async move {
            shard::run(options, clock, runtime, alarm, &*workload, commands, notices).await;
        });
    }
    let mut coordinator = Coordinator::new(plan, *clock.origin(), links, &*workload);
    while coordinator.phase() != Phase::Ended {
        coordinator.step(clock.now_ns());
        world.sleep(nanos(STEP)).await;
    }
    coordinator.finish(clock.now_ns())
}

fn link() -> (ShardLink, Receiver<Command>, Sender<Notice>) {
    let (commands, commanded) = mailbox::channel(MAILBOX_CAPACITY);
    let (noticing, notices) = mailbox::channel(MAILBOX_CAPACITY);
    (ShardLink { commands, notices }, commanded, noticing)
}

fn shard_options(plan: &RunPlan, index: usize) -> ShardOptions {
    let mut recorder = plan.recorder.clone();
    recorder.shard = index as u32;
    ShardOptions {
        index,
        shards: plan.shards.len(),
        role: plan.role,
        seed: plan.seed,
        warm_up_end_ns: nanos(plan.warm_up),
        requests_are_limited: plan.requests.is_some(),
        iterations_are_limited: plan.iterations.is_some(),
        stop_timeout: plan.stop_timeout,
        task_stats: plan.task_stats,
        bridge: plan.bridge.clone(),
        recorder,
    }
}

fn start_thread(index: usize, seat: Seat) -> Result<JoinHandle<()>, LaunchError> {
    let builder = Builder::new().name(format!("loadr-shard-{index}"));
    builder.spawn(move || seat.occupy()).map_err(|source| LaunchError::Thread { index, source })
}

impl Seat {
    fn occupy(self) {
        if let Some(id) = self.cpu
            && !core_affinity::set_for_current(CoreId { id })
        {
            log::warn!("shard {} could not be pinned to CPU {id}", self.options.index);
        }
        let ready = self.ready.clone();
        let run = match self.runtime {
            RuntimeKind::Monoio => monoio::run_uring(|runtime| self.run(runtime)),
            RuntimeKind::MonoioEpoll => monoio::run_epoll(|runtime| self.run(runtime)),
            RuntimeKind::Glommio => glommio::run(|runtime| self.run(runtime)),
            RuntimeKind::Sim => {
                panic!("a simulated shard is a task of its simulation, not a thread")
            }
        };
        if let Err(error) = run {
            // Whoever launched the run has given up if nobody listens.
            let _ = ready.send(Err(error));
        }
    }

    async fn run(self, runtime: Runtime) {
        let alarm = match self.runtime {
            RuntimeKind::Glommio => Ok(Alarm::Glommio(glommio::TimerAlarm::default())),
            _ => monoio::TimerFd::new().map(Alarm::Monoio),
        };
        let alarm = alarm.map_err(|error| StartError {
            runtime: self.runtime,
            reason: format!("no timer could be made: {error}"),
        });
        let (alarm, started) = match alarm {
            Ok(alarm) => (Some(alarm), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let told = self.ready.send(started);
        let (Some(alarm), Ok(()), Ok(origin)) = (alarm, told, self.start.recv()) else { return };
        let clock = Clock::System(origin);
        shard::run(
            self.options,
            clock,
            runtime,
            alarm,
            &*self.workload,
            self.commands,
            self.notices,
        )
        .await;
    }
}

/// Waits for a shard's thread; says why it was lost if it was.
fn join(thread: &mut Option<JoinHandle<()>>) -> String {
    match thread.take().map(JoinHandle::join) {
        Some(Err(payload)) => panic::message(payload.as_ref()),
        Some(Ok(())) | None => "it ended before its last report".to_owned(),
    }
}
