//! `cargo bench --bench instructions`: how many instructions an exchange's parts execute.
//!
//! Counts do not depend on what else the machine does, so they can be held against reviewed
//! baselines, `baselines/instructions.txt`: the table shows count, baseline and difference, and
//! marks differences above 3 %. With `--check` a mark makes it exit 1; with `--accept` the counts
//! become the baselines, to be reviewed and committed with the code that changed them.
//!
//! Counting is callgrind's, driven by gungraun, and takes two programs besides cargo:
//!
//! ```text
//! apt-get install valgrind
//! cargo install --locked --version 0.20.0 gungraun-runner   # as gungraun in Cargo.lock
//! ```
//!
//! gungraun starts this program again for each workload; and where it is asked for an
//! `--output-format`, gungraun's own report is shown in place of the table.

#![forbid(unsafe_code)]

#[path = "instructions/baselines.rs"]
mod baselines;
#[path = "instructions/counted.rs"]
mod counted;
#[path = "instructions/runner.rs"]
mod runner;
#[path = "instructions/summary.rs"]
mod summary;
#[path = "instructions/table.rs"]
mod table;
mod workloads;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use baselines::{Baselines, Count};
use table::Comparison;
use workloads::Workload;

const BASELINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baselines/instructions.txt");

/// Count the instructions of the workloads and compare them with the baselines.
#[derive(Parser)]
#[command(name = "instructions")]
struct Args {
    /// Count only the workloads whose name contains this: encode, decode/same_head, ...
    filter: Option<String>,
    /// Exit 1 where a workload differs by more than 3 % or has no baseline.
    #[arg(long)]
    check: bool,
    /// Make the counts the baselines.
    #[arg(long, conflicts_with = "check")]
    accept: bool,
    /// What `cargo bench` adds for libtest.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Args {
    fn selects(&self, workload: &Workload) -> bool {
        self.filter.as_deref().is_none_or(|filter| workload.to_string().contains(filter))
    }
}

fn main() -> ExitCode {
    if is_for_gungraun() {
        counted::enter();
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    if !args.bench {
        // `cargo test --all-targets` runs benches too, without this flag.
        println!("instructions counts only under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether gungraun's runner has started this program, or it is to start the runner.
fn is_for_gungraun() -> bool {
    std::env::args()
        .skip(1)
        .any(|arg| arg == "--gungraun-run" || arg.starts_with(runner::OUTPUT_FORMAT))
}

/// Whether all is well: always, unless asked to check.
fn run(args: &Args) -> Result<bool, Box<dyn Error>> {
    if !workloads::ALL.iter().any(|workload| args.selects(workload)) {
        let names: Vec<_> = workloads::ALL.iter().map(ToString::to_string).collect();
        return Err(format!("no workload matches; there are {}", names.join(", ")).into());
    }
    let counted_with = runner::inspect()?;
    let path = Path::new(BASELINES);
    let mut baselines = Baselines::parse(&fs::read_to_string(path)?)?;
    let counts = counts(args)?;
    let comparisons: Vec<_> = counts.iter().map(|it| Comparison::new(it, &baselines)).collect();
    println!("counted with {counted_with}");
    print!("{}", table::render(&comparisons));
    if args.accept {
        baselines.accept(counted_with, counts);
        fs::write(path, baselines.to_string())?;
        println!("the baselines in {BASELINES} are now these; review and commit them");
        return Ok(true);
    }
    if baselines.counted_with != counted_with {
        println!("warning: the baselines were counted with {}", baselines.counted_with);
    }
    Ok(!args.check || !comparisons.iter().any(Comparison::is_marked))
}

/// The counts of the selected workloads, in their order.
fn counts(args: &Args) -> Result<Vec<Count>, Box<dyn Error>> {
    let instructions = runner::count(args.filter.as_deref())?;
    let selected = workloads::ALL.iter().filter(|workload| args.selects(workload));
    selected
        .map(|workload| {
            let name = workload.to_string();
            let instructions = instructions
                .iter()
                .find_map(|(counted, instructions)| (*counted == name).then_some(*instructions))
                .ok_or_else(|| format!("gungraun did not count {name}"))?;
            Ok(Count { workload: name, operations: workload.operations, instructions })
        })
        .collect()
}
