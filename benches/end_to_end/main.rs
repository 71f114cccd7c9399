//! `cargo bench --bench end_to_end`: see the library beside this file for what is compared and how.

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use loadr_benches::build::Binaries;
use loadr_benches::comparison::{Comparison, Settings};
use loadr_benches::machine::Machine;
use loadr_benches::raw_data::RawData;
use loadr_benches::scenario::SCENARIOS;
use loadr_benches::summary::Summary;
use loadr_benches::{goals, summary};

/// Compare loadr-bench with wrk, with a bare io_uring loop and with the generators of other protocols.
#[derive(Parser)]
#[command(name = "end_to_end")]
struct Args {
    /// Run only the scenarios whose name contains this: u64, u512, pipeline16, u10000, churn, scenario-get,
    /// scenario-journey, tls64, tls64-nginx, handshakes, ws64, xmlrpc64, redis, redis-pipeline16.
    filter: Option<String>,
    /// Interleaved rounds; an interval needs at least 6.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Measured seconds of each run.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// One round of one second: shows that everything runs, measures nothing.
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Keep the raw data and the tables in benches/runs/<date>-<machine>/.
    #[arg(long)]
    record: bool,
    /// Measure the binaries in this directory instead of building them.
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    /// What `cargo bench` adds for libtest.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    fn settings(&self) -> Settings {
        let (rounds, seconds) = if self.quick { (1, 1) } else { (self.rounds, self.seconds) };
        Settings { rounds, window: Duration::from_secs(seconds) }
    }

    fn selects(&self, name: &str) -> bool {
        self.filter.as_deref().is_none_or(|filter| name.contains(filter))
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        // `cargo test --all-targets` runs benches too, without this flag: speed is not a test.
        println!("end_to_end measures only under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("end_to_end: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let scenarios: Vec<_> = SCENARIOS.iter().filter(|it| args.selects(it.name)).collect();
    if scenarios.is_empty() {
        let names: Vec<_> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
        return Err(format!("no scenario matches; there are {}", names.join(", ")).into());
    }
    let machine = Machine::inspect()?;
    let binaries = match &args.binaries {
        Some(directory) => Binaries::in_directory(directory),
        None => Binaries::build()?,
    };
    let settings = args.settings();
    let mut raw_data = RawData::new(&machine, &settings, args.record)?;
    raw_data.say(&machine.to_string());
    raw_data.say(&settings.to_string());
    for warning in machine.warnings() {
        raw_data.say(&format!("warning: {warning}"));
    }

    let mut comparison = Comparison::new(&machine, &binaries, &settings)?;
    let mut summaries: Vec<Summary> = Vec::new();
    for scenario in scenarios {
        let measurements = comparison.run(scenario, &mut raw_data)?;
        let summary = Summary::new(scenario, &measurements);
        raw_data.say(&summary::render(&summary));
        summaries.push(summary);
    }
    raw_data.say(&goals::render(&summaries));
    if let Some(directory) = raw_data.finish()? {
        eprintln!("raw data and tables are in {}", directory.display());
    }
    Ok(())
}
