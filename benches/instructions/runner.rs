//! gungraun's runner and valgrind: whether they are there, and how they are made to count.

use std::io;
use std::process::{Command, Stdio};

use thiserror::Error;

use crate::summary::{self, SummaryError};

/// gungraun and its runner have to be of one version.
const VERSION: &str = "0.20.0";
/// Where gungraun looks for its runner.
const RUNNER: &str = match option_env!("GUNGRAUN_RUNNER") {
    Some(path) => path,
    None => "gungraun-runner",
};
/// The argument that chooses gungraun's own output.
pub(crate) const OUTPUT_FORMAT: &str = "--output-format";

/// Why nothing can be counted here.
#[derive(Debug, Error)]
pub(crate) enum RunnerError {
    /// valgrind cannot be started.
    #[error("valgrind is missing, and it does the counting: apt-get install valgrind")]
    ValgrindMissing,
    /// The runner cannot be started.
    #[error(
        "{RUNNER} is missing, and it drives valgrind: \
         cargo install --locked --version {VERSION} gungraun-runner"
    )]
    RunnerMissing,
    /// The runner is of another version than the library.
    #[error(
        "found {found}, and gungraun has version {VERSION}: \
         cargo install --locked --version {VERSION} gungraun-runner"
    )]
    RunnerVersion {
        /// What the runner says it is.
        found: String,
    },
    /// This program could not be started again.
    #[error("cannot run gungraun: {0}")]
    Start(#[from] io::Error),
    /// gungraun said why on standard error.
    #[error("gungraun failed")]
    Failed,
    /// gungraun counted, and what it wrote is not understood.
    #[error(transparent)]
    Summary(#[from] SummaryError),
}

/// What counts on this machine: compiler, valgrind and architecture in one line.
///
/// # Errors
/// Where valgrind or the right runner is missing.
pub(crate) fn inspect() -> Result<String, RunnerError> {
    let valgrind = first_line("valgrind", "--version").ok_or(RunnerError::ValgrindMissing)?;
    let runner = first_line(RUNNER, "--version").ok_or(RunnerError::RunnerMissing)?;
    if runner.split_whitespace().last() != Some(VERSION) {
        return Err(RunnerError::RunnerVersion { found: runner });
    }
    let compiler = first_line("rustc", "--version").unwrap_or_else(|| "unknown rustc".to_owned());
    Ok(format!("{compiler}, {valgrind}, {}, bench profile", std::env::consts::ARCH))
}

/// The name and the instructions of each workload, and perhaps of more than match `filter`.
///
/// # Errors
/// Where gungraun fails or cannot be understood.
pub(crate) fn count(filter: Option<&str>) -> Result<Vec<(String, u64)>, RunnerError> {
    let output = Command::new(std::env::current_exe()?)
        .args(filter.map(|filter| format!("*{}*", filter.replace('/', "::"))))
        .arg(format!("{OUTPUT_FORMAT}=json"))
        .arg("--bench")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(RunnerError::Failed);
    }
    Ok(summary::parse(&String::from_utf8_lossy(&output.stdout))?)
}

/// First line that a program prints for a flag; none where it cannot be started.
fn first_line(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(program).arg(flag).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
