//! One run from its plan to its exit code.
//!
//! Files are opened before the load, so that an unwritable path costs nobody a run. The control thread then steps the
//! coordinator, shows progress, refreshes the CSV files, and turns the first interrupt into a graceful end. Whatever
//! happens after the load has begun, what was measured is reported.

mod keys;
mod output;
mod signals;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use loadr_engine::coordinator::{EndedBy, LoadPlan, Phase, RunEvent, RunOutcome};
use loadr_engine::record::EntryKind;
use loadr_engine::run::{LaunchError, Run};
use loadr_engine::runtime::RuntimeKind;

use crate::cli::plan::Plan;
use crate::environment::{Environment, GeneratorUsage, RuntimeUsed, StealSampler};
use crate::exit_code::{Ending, exit_code};
use crate::library::event::Events;
use crate::live::{LiveDisplay, LiveRow};
use crate::report::locust::has_row;
use crate::report::{Errors, Report};
use crate::scenario;
use crate::threshold::{Live, ThresholdReport, Watch};
use crate::warning::{TargetFacts, Warning};

use keys::Keys;
use output::{OutputError, Sinks};
use signals::{EXIT_INTERRUPTED, Interrupt};

/// How often the control thread looks at the shards' mailboxes.
const STEP_INTERVAL: Duration = Duration::from_millis(10);
/// How often it looks while a budget of requests is being dealt out in blocks.
const STEP_INTERVAL_SHORT: Duration = Duration::from_millis(1);
/// How often the live display is brought up to date.
const DISPLAY_INTERVAL: Duration = Duration::from_millis(200);

/// Why a plan could not be run; each is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The engine could not start.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A file could not be created, or results could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Interrupts could not be caught.
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
}

/// Runs the plan and writes its results; gives the exit code.
pub(crate) fn execute(mut plan: Plan) -> Result<u8, RunError> {
    let mut sinks = Sinks::open(&plan.outputs)?;
    let mut interrupt = Interrupt::catch().map_err(RunError::Signals)?;
    let role = plan.run.role;
    Events::fire(&plan.events.init, role);
    let steal = StealSampler::start();
    let (run, fallback) = launch(&mut plan)?;
    for notice in &plan.notices {
        eprintln!("loadr-bench: {notice}");
    }
    let mut watch = Watch::new(plan.checks.abort_on.clone());
    Events::fire(&plan.events.test_start, role);
    let outcome = Drive::new(run, &plan, &mut sinks, &mut interrupt, &mut watch).until_the_end();
    // Those of a shard that was given up have nobody else to end them.
    scenario::end_programs();
    interrupt.arm();
    Events::fire(&plan.events.test_stop, role);
    let usage = GeneratorUsage::measure(&steal);
    let environment = Environment::gather(runtime_used(&plan, fallback));
    let target =
        TargetFacts { on_loopback: plan.target_is_local, certificates_unchecked: plan.is_insecure };
    let warnings = Warning::detect(&outcome, &environment, usage, target);
    let thresholds = held_against(&plan, &watch, &outcome);
    let missed = thresholds.iter().any(|threshold| threshold.missed);
    let document = std::mem::take(&mut plan.document);
    let report = Report::from_outcome(&outcome, document, environment, usage, &warnings, 0);
    let mut report = Report { thresholds, ..report };
    plan.events.fire_report(&report);
    let set_by_test = plan.events.fire_quitting(&report);
    let ending = Ending { set_by_test, ..ending_of(&outcome, missed) };
    report.exit_code = exit_code(&ending, plan.checks.failures_exit_code());
    log::info!("{}", farewell(outcome.ended_by, report.exit_code));
    sinks.write(&report, &outcome)?;
    Events::fire(&plan.events.quit, report.exit_code);
    Ok(report.exit_code)
}

/// Starts the shards. Where no runtime was asked for by name and io_uring is refused, epoll takes over, and the reason is
/// returned with the run.
fn launch(plan: &mut Plan) -> Result<(Run, Option<String>), LaunchError> {
    let workload = Arc::clone(&plan.workload);
    match Run::launch(plan.run.clone(), workload.clone()) {
        Err(LaunchError::Runtime(refused)) if plan.runtime_is_free => {
            eprintln!("loadr-bench: using epoll, since io_uring is refused: {}", refused.reason);
            plan.run.runtime = RuntimeKind::MonoioEpoll;
            Ok((Run::launch(plan.run.clone(), workload)?, Some(refused.reason)))
        }
        launched => Ok((launched?, None)),
    }
}

fn runtime_used(plan: &Plan, fallback: Option<String>) -> RuntimeUsed {
    let used = plan.run.runtime.to_string();
    let asked = if plan.runtime_is_free { "auto".to_owned() } else { used.clone() };
    RuntimeUsed { asked, used, fallback }
}

/// A run under way, and everybody who takes part in it from the control thread.
struct Drive<'d> {
    run: Run,
    plan: &'d Plan,
    sinks: &'d mut Sinks,
    interrupt: &'d mut Interrupt,
    watch: &'d mut Watch,
    display: LiveDisplay,
    keys: Option<Keys>,
}

impl<'d> Drive<'d> {
    fn new(
        run: Run,
        plan: &'d Plan,
        sinks: &'d mut Sinks,
        interrupt: &'d mut Interrupt,
        watch: &'d mut Watch,
    ) -> Self {
        log::info!("{}", beginning(plan));
        let display = LiveDisplay::on_stderr(plan.outputs.only_summary, plan.run.run_time);
        Self { run, plan, sinks, interrupt, watch, display, keys: Keys::on_stdin() }
    }

    /// Steps the run to its end.
    fn until_the_end(mut self) -> RunOutcome {
        let plan = &self.plan.run;
        let dealing =
            (plan.requests.is_some() || plan.iterations.is_some()) && plan.shards.len() > 1;
        let interval = if dealing { STEP_INTERVAL_SHORT } else { STEP_INTERVAL };
        let mut shown = Instant::now();
        while self.run.phase() != Phase::Ended {
            self.run.step();
            self.hear_interrupts();
            self.tell_events();
            self.watch_thresholds();
            if shown.elapsed() >= DISPLAY_INTERVAL {
                shown = Instant::now();
                self.obey_keys();
                self.display.update(&live_row(&self.run, self.plan));
                self.sinks.refresh(&self.run);
            }
            thread::sleep(interval);
        }
        self.tell_events();
        self.display.finish();
        self.run.finish()
    }

    fn hear_interrupts(&mut self) {
        match self.interrupt.count() {
            0 => {}
            1 if self.run.phase() != Phase::Running => {}
            1 => {
                log::info!("interrupted: ending the run; interrupt again to end at once");
                self.run.stop(EndedBy::Signal);
            }
            _ => {
                // The terminal is put right and programs are ended; nothing is waited for.
                self.keys = None;
                scenario::kill_programs();
                std::process::exit(EXIT_INTERRUPTED);
            }
        }
    }

    fn tell_events(&mut self) {
        for event in self.run.take_events() {
            match event {
                RunEvent::SpawningComplete { users } => {
                    log::info!(
                        "All users spawned: {} ({users} total users)",
                        self.users_by_class()
                    );
                    Events::fire(&self.plan.events.spawning_complete, users);
                }
                RunEvent::StatsReset => log::info!("Resetting stats"),
            }
        }
    }

    /// As Locust writes it: `{"Admin": 1, "Shopper": 6}`.
    fn users_by_class(&self) -> String {
        let names = self.plan.workload.classes().into_iter().map(|class| class.name);
        let users = names.zip(self.run.users_by_class());
        let users: Vec<String> = users.map(|(name, users)| format!("{name:?}: {users}")).collect();
        format!("{{{}}}", users.join(", "))
    }

    fn watch_thresholds(&mut self) {
        let measured = self.run.measured();
        if self.run.phase() != Phase::Running || !self.watch.is_due(measured) {
            return;
        }
        let entries: Vec<_> = self.run.entries().collect();
        if let Some(held) = self.watch.look(measured, &Live { entries: &entries, measured }) {
            log::info!("ending the run, since {} (--abort-on)", held.as_str());
            self.run.stop(EndedBy::Threshold);
        }
    }

    fn obey_keys(&mut self) {
        let change = self.keys.as_ref().map_or(0, Keys::pressed);
        if change == 0 || self.run.phase() != Phase::Running {
            return;
        }
        let progress = self.run.progress();
        if progress.spawning {
            return log::warn!("users are still being started: the key is ignored");
        }
        let users = progress.users_wanted.saturating_add_signed(change);
        match self.run.set_users(users, keys::SPAWN_RATE) {
            Ok(()) => log::info!(
                "Ramping to {users} users at a rate of {:.2} per second",
                keys::SPAWN_RATE
            ),
            Err(error) => log::warn!("{error}"),
        }
    }
}

fn live_row(run: &Run, plan: &Plan) -> LiveRow {
    let progress = run.progress();
    let elapsed = run.elapsed();
    let whole = plan.run.run_time.map(|time| time + plan.run.warm_up);
    let by_time = whole.map(|whole| elapsed.as_secs_f64() / whole.as_secs_f64());
    let by_requests = plan.run.requests.map(|total| progress.requests as f64 / total as f64);
    LiveRow {
        remaining: whole.map(|whole| whole.saturating_sub(elapsed)),
        // Whichever comes first ends the run.
        fraction_done: by_time
            .into_iter()
            .chain(by_requests)
            .reduce(f64::max)
            .map(|part| part.min(1.0)),
        ..LiveRow::of_progress(&progress, elapsed)
    }
}

fn beginning(plan: &Plan) -> String {
    match &plan.run.load {
        LoadPlan::Users { users, spawn_rate: Some(rate) } => {
            format!("Ramping to {users} users at a rate of {:.2} per second", rate.users_per_sec())
        }
        LoadPlan::Users { users, spawn_rate: None } => format!("Ramping to {users} users at once"),
        LoadPlan::Shape(_) => "Shape test starting".to_owned(),
    }
}

fn farewell(ended_by: EndedBy, exit_code: u8) -> String {
    let why = match ended_by {
        EndedBy::RunTime => "--run-time limit reached, shutting down",
        EndedBy::Requests => "all requests made, shutting down",
        EndedBy::Iterations => "all iterations made, shutting down",
        EndedBy::Shape => "shape test stopping, shutting down",
        EndedBy::Test => "a task ended the test, shutting down",
        EndedBy::NoUsers => "no user is left, shutting down",
        EndedBy::Threshold => "threshold crossed, shutting down",
        EndedBy::Refused => "the load cannot be made, shutting down",
        EndedBy::Signal => "interrupted, shutting down",
        EndedBy::AllShardsLost => "every shard was lost, shutting down",
    };
    format!("{why} (exit code {exit_code})")
}

/// Every threshold of the run, with what became of it.
fn held_against(plan: &Plan, watch: &Watch, outcome: &RunOutcome) -> Vec<ThresholdReport> {
    let entries: Vec<_> = outcome.entries.iter().collect();
    let measured = Live { entries: &entries, measured: outcome.measured };
    let mut all = ThresholdReport::of_all(&plan.checks.thresholds(), &measured);
    all.extend(watch.reports(&measured));
    all
}

fn ending_of(outcome: &RunOutcome, threshold_missed: bool) -> Ending {
    let exchanges = outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange);
    let exceptions = Errors::of(&outcome.errors, &outcome.entries).exceptions;
    Ending {
        threshold_missed,
        failures: exchanges.map(|entry| entry.counts.failures).sum(),
        exceptions: exceptions.iter().map(|exception| exception.count).sum(),
        shard_lost: outcome.shards.iter().any(|shard| shard.panicked.is_some()),
        load_refused: outcome.refused.is_some(),
        // Tasks that make no exchange are measured where they have entries.
        nothing_measured: !outcome.entries.iter().any(has_row),
        ..Ending::default()
    }
}
