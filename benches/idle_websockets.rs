//! `cargo bench --bench idle_websockets`: what WebSocket connections cost on which nothing happens.
//!
//! `loadr-bench ws://` without a message opens a connection for each user and listens; the bundled target sends nothing
//! by itself. Resident memory of the generator is taken near the end of a run with many users and of one with few, and
//! their difference is shared among the additional users: what a process costs anyway is in both. It is memory of the
//! process, so buffers of sockets, which are the kernel's, are not in it, nor is anything of the target.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use clap::Parser;
use loadr_benches::build::Binaries;
use loadr_benches::machine::raise_descriptor_limit;
use loadr_benches::process::resident_bytes;
use loadr_benches::servers::{Place, Server, ServerKind};
use loadr_benches::statistics::Estimate;
use loadr_benches::summary::mib;
use serde_json::Value;

/// What is wanted.
const BYTES_MAX: f64 = 6.0 * 1024.0;

/// How long before the end of a run its memory is looked at.
const BEFORE_END: Duration = Duration::from_secs(1);

/// Descriptors that generator or target need besides their connections.
const DESCRIPTORS_SPARE: u64 = 64;

/// What WebSocket connections cost on which nothing happens.
#[derive(Parser)]
struct Args {
    /// Connections of the larger run.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1_000..=25_000))]
    users: u64,
    /// Connections of the smaller run.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=500))]
    few: u64,
    /// Pairs of runs.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Seconds of each run.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(3..=600))]
    seconds: u64,
    /// Runtime: monoio, monoio-epoll or glommio.
    #[arg(long, default_value = "monoio")]
    runtime: String,
    /// Measure the binaries in this directory instead of building them.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// What `cargo bench` adds for libtest.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        // `cargo test --all-targets` runs benches too, without this flag: speed is not a test.
        println!("idle_websockets measures only under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("idle_websockets: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let (found, needed) = (raise_descriptor_limit(), args.users + DESCRIPTORS_SPARE);
    if found < needed {
        return Err(
            format!("{needed} descriptors are needed, and the hard limit is {found}").into()
        );
    }
    let mut cpus: Vec<_> =
        core_affinity::get_core_ids().unwrap_or_default().iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    let (Some(&first), Some(&last)) = (cpus.first(), cpus.last()) else {
        return Err("no CPU may be used here".into());
    };
    let binaries = match &args.binaries {
        Some(directory) => Binaries::in_directory(directory),
        None => Binaries::build()?,
    };
    let files = tempfile::tempdir()?;
    let place = Place { binaries: &binaries, files: files.path(), cpu: last };
    let server = Server::start(ServerKind::Target, false, &place)?;
    let load = Load {
        args,
        program: &binaries.loadr_bench,
        cpu: first,
        server: &server,
        files: files.path(),
    };
    let mut each = Vec::new();
    for round in 1..=args.rounds {
        let (many, few) = (load.resident(args.users)?, load.resident(args.few)?);
        let bytes = many.saturating_sub(few) as f64 / (args.users - args.few) as f64;
        println!(
            "round {round}/{}: {:.1} MiB with {} connections, {:.1} MiB with {}: {bytes:.0} bytes each",
            args.rounds,
            mib(many),
            args.users,
            mib(few),
            args.few
        );
        each.push(bytes);
    }
    let median = Estimate::of(&each).ok_or("no round was measured")?.median;
    let verdict = if median <= BYTES_MAX { "reached" } else { "NOT REACHED" };
    println!("{median:.0} bytes an idle connection (wanted: {BYTES_MAX:.0}): {verdict}");
    Ok(())
}

/// What both runs of a round have in common.
struct Load<'a> {
    args: &'a Args,
    program: &'a Path,
    cpu: usize,
    server: &'a Server,
    files: &'a Path,
}

impl Load<'_> {
    /// Memory of a generator that holds `users` connections; an error where it could not open them all, or lost one.
    fn resident(&self, users: u64) -> Result<u64, Box<dyn Error>> {
        let saved = self.files.join("run.json");
        let (length, mut child) =
            (Duration::from_secs(self.args.seconds), self.start(users, &saved)?);
        thread::sleep(length - BEFORE_END);
        let resident = resident_bytes(child.id());
        let status = child.wait()?;
        let report: Value = match fs::read_to_string(&saved) {
            Ok(text) => serde_json::from_str(&text)?,
            Err(_) => {
                return Err(format!("the generator ended with {status}, without a report").into());
            }
        };
        // Without TLS the only handshakes are those of WebSocket.
        let handshakes = report["connections"]["handshakes"].as_array();
        let upgraded = |all: &Vec<Value>| all.iter().filter_map(|it| it["made"].as_u64()).sum();
        let (upgraded, failures) =
            (handshakes.map_or(0, upgraded), report["totals"]["failures"].as_u64());
        if (upgraded, failures) != (users, Some(0)) {
            let words =
                format!("of {users} connections {upgraded} were made; failures: {failures:?}");
            return Err(words.into());
        }
        resident.ok_or_else(|| "the generator ended before its time".into())
    }

    fn start(&self, users: u64, saved: &Path) -> std::io::Result<Child> {
        Command::new(self.program)
            .arg(format!("ws://{}/ws", self.server.address))
            .args(["--shards", "1", "--cpus", &self.cpu.to_string()])
            .args([
                "--headless",
                "--only-summary",
                "--loglevel",
                "ERROR",
                "--runtime",
                &self.args.runtime,
            ])
            .args(["-u", &users.to_string(), "-t", &format!("{}s", self.args.seconds)])
            .arg("--save")
            .arg(saved)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
    }
}
