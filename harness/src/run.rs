//! One run from its plan to its exit code.
//!
//! Files are opened before the load, so that an unwritable path costs nobody a run. The control thread then steps the
//! coordinator, shows progress, refreshes the CSV files, and turns the first interrupt into a graceful end. Whatever
//! happens after the load has begun, what was measured is reported.

mod output;
mod signals;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use loadr_engine::coordinator::{EndedBy, LoadPlan, Phase, RunOutcome};
use loadr_engine::record::EntryKind;
use loadr_engine::run::{LaunchError, Run};
use loadr_engine::runtime::RuntimeKind;

use crate::cli::plan::Plan;
use crate::environment::{Environment, GeneratorUsage, RuntimeUsed, StealSampler};
use crate::live::{LiveDisplay, LiveRow};
use crate::report::Report;
use crate::warning::Warning;

use output::{OutputError, Sinks};
use signals::Interrupt;

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
    let interrupt = Interrupt::catch().map_err(RunError::Signals)?;
    let steal = StealSampler::start();
    let (run, fallback) = launch(&mut plan)?;
    for notice in &plan.notices {
        eprintln!("loadr-bench: {notice}");
    }
    let outcome = drive(run, &plan, &mut sinks, &interrupt);
    let usage = GeneratorUsage::measure(&steal);
    let environment = Environment::gather(runtime_used(&plan, fallback));
    let warnings = Warning::detect(&outcome, &environment, usage, plan.target_is_local);
    let exit_code = exit_code(&outcome);
    let document = std::mem::take(&mut plan.document);
    let report = Report::from_outcome(&outcome, document, environment, usage, &warnings, exit_code);
    log::info!("{}", ending(outcome.ended_by, exit_code));
    sinks.write(&report, &outcome)?;
    Ok(exit_code)
}

/// Starts the shards. Where no runtime was asked for by name and io_uring is refused, epoll takes over, and the reason is
/// returned with the run.
fn launch(plan: &mut Plan) -> Result<(Run, Option<String>), LaunchError> {
    let workload = Arc::new(plan.workload.clone());
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

/// Steps the run to its end.
fn drive(mut run: Run, plan: &Plan, sinks: &mut Sinks, interrupt: &Interrupt) -> RunOutcome {
    log::info!("{}", beginning(plan));
    let mut display = LiveDisplay::on_stderr(plan.outputs.only_summary, plan.run.run_time);
    let dealing = plan.run.requests.is_some() && plan.run.shards.len() > 1;
    let interval = if dealing { STEP_INTERVAL_SHORT } else { STEP_INTERVAL };
    let mut shown = Instant::now();
    while run.phase() != Phase::Ended {
        run.step();
        if interrupt.is_requested() && run.phase() == Phase::Running {
            log::info!("interrupted: ending the run; interrupt again to end at once");
            run.stop(EndedBy::Signal);
        }
        if shown.elapsed() >= DISPLAY_INTERVAL {
            shown = Instant::now();
            display.update(&live_row(&run, plan));
            sinks.refresh(&run);
        }
        thread::sleep(interval);
    }
    display.finish();
    run.finish()
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

fn ending(ended_by: EndedBy, exit_code: u8) -> String {
    let why = match ended_by {
        EndedBy::RunTime => "--run-time limit reached, shutting down",
        EndedBy::Requests => "all requests made, shutting down",
        EndedBy::Iterations => "all iterations made, shutting down",
        EndedBy::Shape => "shape test stopping, shutting down",
        EndedBy::Test => "a task ended the test, shutting down",
        EndedBy::Threshold => "threshold crossed, shutting down",
        EndedBy::Refused => "the load cannot be made, shutting down",
        EndedBy::Signal => "interrupted, shutting down",
        EndedBy::AllShardsLost => "every shard was lost, shutting down",
    };
    format!("{why} (exit code {exit_code})")
}

/// 0 for a clean run; 1 where an exchange failed, a shard was lost, or nothing at all was measured.
fn exit_code(outcome: &RunOutcome) -> u8 {
    let exchanges = || outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange);
    let failures: u64 = exchanges().map(|entry| entry.counts.failures).sum();
    let requests: u64 = exchanges().map(|entry| entry.counts.requests).sum();
    let lost = outcome.shards.iter().any(|shard| shard.panicked.is_some());
    u8::from(failures > 0 || requests == 0 || lost)
}
