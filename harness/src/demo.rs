//! `demo` and `target`: the bundled server, under load or alone.

use std::sync::atomic::AtomicBool;

use loadr_engine::shard::placement::Allowance;
use loadr_target::{Target, TargetError, TargetHandle, TargetOptions};

use crate::cli::plan::{Plan, PlanError};
use crate::cli::{LoadArgs, TargetArgs};
use crate::run::{self, RunError};

/// Why the bundled target could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("signals cannot be caught: {0}")]
    Signals(std::io::Error),
    #[error("demo loads its own target: leave out the URL, or leave out 'demo'")]
    UrlGiven,
}

/// Starts the bundled target on a free port, loads it, and gives the run's exit code.
pub(crate) fn demo(mut args: LoadArgs) -> Result<u8, DemoError> {
    if !args.urls.is_empty() || args.urls_file.is_some() || args.host.is_some() {
        return Err(DemoError::UrlGiven);
    }
    let target = start_target()?;
    args.urls = vec![format!("http://{}/", target.local_addr())];
    let exit_code = run::execute(Plan::of_urls(&args, 2)?)?;
    target.stop()?;
    Ok(exit_code)
}

/// On the last CPU, which shards leave to a local target by default.
fn start_target() -> Result<TargetHandle, TargetError> {
    let cpus = Allowance::of_this_process().cpus;
    let last = if cpus.len() > 1 { cpus.last().copied() } else { None };
    Target::bind(TargetOptions { cpus: last.into_iter().collect(), ..TargetOptions::default() })?
        .spawn()
}

/// Serves the bundled target until interrupted.
pub(crate) fn target(args: TargetArgs) -> Result<u8, DemoError> {
    let cpus = args.cpus.map(|list| list.0).unwrap_or_default();
    let options = TargetOptions {
        address: (args.bind, args.port).into(),
        unix_socket: args.unix_socket,
        threads: cpus.len().max(1),
        cpus,
    };
    let target = Target::bind(options)?;
    let stop = catch_interrupt().map_err(DemoError::Signals)?;
    // A script that starts the target waits for this line to learn the port.
    println!("target listening on http://{}/", target.local_addr());
    let stats = target.run(&stop)?;
    eprintln!("{} requests served", stats.requests());
    Ok(0)
}

fn catch_interrupt() -> std::io::Result<std::sync::Arc<AtomicBool>> {
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, std::sync::Arc::clone(&stop))?;
    }
    Ok(stop)
}
