//! The floor: what the bare kernel interface can do, with nothing of loadr in it.
//!
//! One thread, one io_uring, one multishot receive a connection into a ring of provided buffers,
//! fixed files, no tasks, no timers, no parsing: answers are counted by their length, learnt from
//! the first one. Whatever `loadr-bench` reaches is read against this figure, because the rest of
//! the distance to infinity belongs to the kernel's TCP and to the target.
//!
//! Connections are made before the clock starts, and the CPU times cover the measured window only.
//! The answers must all have one length, so a target that varies its answers is refused.

mod answer;
mod buffers;
mod error;
mod load;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use loadr_benches::process::resident_bytes_max;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::json;

use crate::error::FloorError;
use crate::load::{Load, Window};

/// Load one address through bare io_uring and print one line of JSON.
#[derive(Parser)]
struct Args {
    /// Target, an IP address and a port.
    #[arg(long)]
    address: SocketAddr,
    /// Connections held open, each with one batch of requests in flight.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// Length of the measured window.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// CPU to run on.
    #[arg(long, default_value_t = 0)]
    cpu: usize,
    /// Requests sent together on a connection; the next batch leaves when all are answered.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pipeline: u32,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("loadr-floor: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<serde_json::Value, FloorError> {
    if !core_affinity::set_for_current(core_affinity::CoreId { id: args.cpu }) {
        return Err(FloorError::Pin { cpu: args.cpu });
    }
    let mut load = Load::connect(args.address, args.connections, args.pipeline)?;
    let before = usage()?;
    let window = load.run(Duration::from_secs(args.seconds))?;
    Ok(report(&window, &before, &usage()?))
}

fn usage() -> Result<Usage, FloorError> {
    getrusage(UsageWho::RUSAGE_SELF)
        .map_err(|errno| FloorError::System { call: "getrusage", source: errno.into() })
}

fn report(window: &Window, before: &Usage, after: &Usage) -> serde_json::Value {
    json!({
        "requests": window.requests,
        "seconds": window.elapsed.as_secs_f64(),
        "cpu_user_s": seconds(after.user_time()) - seconds(before.user_time()),
        "cpu_system_s": seconds(after.system_time()) - seconds(before.system_time()),
        "rss_max_kib": resident_bytes_max(std::process::id()).map(|bytes| bytes / 1024),
        "p50_us": window.response_time_us.value_at_quantile(0.5),
        "p99_us": window.response_time_us.value_at_quantile(0.99),
    })
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}
