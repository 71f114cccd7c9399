//! Load tests in Locust's words on a thread-per-core io_uring engine.
//!
//! The command line is [`main`]: the binary `loadr-bench` is that call and nothing else. The rest of the crate is what a
//! person meets: flags become a plan, a plan becomes a run on the engine, a run becomes a report.

#![forbid(unsafe_code)]

mod cli;
mod demo;
pub mod environment;
pub mod live;
mod logging;
pub mod report;
mod run;
mod status;
pub mod url_mode;
pub mod warning;

use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use cli::plan::Plan;
use cli::{Args, Command};

/// Exit code where nothing was run: usage, files, ports, names.
const EXIT_COULD_NOT_RUN: u8 = 2;

/// Runs the command line given by `arguments`, the program's name first, and gives the process's exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let Args { command, load } = cli::parse(arguments);
    let level = match &command {
        Some(Command::Demo(demo)) => demo.loglevel,
        _ => load.loglevel,
    };
    logging::set_up(level.into());
    let done = match command {
        Some(Command::Demo(args)) => demo::demo(*args).map_err(one_line),
        Some(Command::Target(args)) => demo::target(args).map_err(one_line),
        None => Plan::from_args(&load, 1)
            .map_err(one_line)
            .and_then(|plan| run::execute(plan).map_err(one_line)),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("loadr-bench: error: {message}");
            ExitCode::from(EXIT_COULD_NOT_RUN)
        }
    }
}

/// An error as the one line that a person reads.
fn one_line(error: impl Display) -> String {
    error.to_string().replace('\n', " ")
}
