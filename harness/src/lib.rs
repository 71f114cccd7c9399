//! Load tests in Locust's words on a thread-per-core io_uring engine.
//!
//! The binary `loadr-bench` puts load on a URL, or runs a scenario file:
//!
//! ```text
//! loadr-bench http://127.0.0.1:8080/ --users 100 --run-time 30s
//! loadr-bench -f shop.toml -H http://127.0.0.1:8080
//! ```
//!
//! A test in Rust is a `main.rs` that hands its user classes to [`run`], and takes the same flags:
//!
//! ```no_run
//! use loadr::prelude::*;
//!
//! async fn browse(user: User) {
//!     user.client.get("/products/7").name("/products/[id]").send().await;
//! }
//!
//! fn main() -> ExitCode {
//!     let shopper = UserClass::new("Shopper").wait(between(1.0, 5.0)).task(browse);
//!     loadr::run(Test::new().user(shopper))
//! }
//! ```
//!
//! [`library`] says what users can do, and the crate's `examples` show it. Of what a person meets besides, flags become a
//! plan, a plan becomes a run on the engine, a run becomes a report; [`main`] is the whole of the binary.

#![forbid(unsafe_code)]

mod cli;
mod demo;
pub mod environment;
pub mod exit_code;
mod front_end;
pub mod library;
pub mod live;
mod logging;
pub mod prelude;
pub mod report;
mod run;
pub mod scenario;
mod task_ratio;
mod test_run;
mod test_source;
pub mod threshold;
pub mod url_mode;
pub mod warning;

use std::ffi::OsString;
use std::fmt::Display;
use std::process::ExitCode;

use cli::args::LogLevel;
use cli::plan::Plan;
use cli::{Invocation, Program};
use exit_code::COULD_NOT_RUN;

pub use library::{
    Event, Feed, FeedError, Quitting, Sample, Task, TaskSet, Test, User, UserClass, task,
};

/// Runs the command line given by `arguments`, the program's name first, and gives the process's exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (invocation, _) = cli::parse(arguments, Program::PLAIN);
    perform(invocation, Test::new())
}

/// Gives `test` the command line: what a `main` of one's own calls.
pub fn run(test: Test) -> ExitCode {
    let program = Program { has_classes: true, ..Program::PLAIN };
    let (invocation, _) = cli::parse(std::env::args_os(), program);
    perform(invocation, test)
}

/// As [`run`], with flags of one's own, from which the test is made.
pub fn run_with<A: clap::Args>(test: impl FnOnce(A) -> Test) -> ExitCode {
    let program = Program { has_classes: true, augment: |command| A::augment_args(command) };
    let (invocation, matches) = cli::parse(std::env::args_os(), program);
    match A::from_arg_matches(&matches) {
        Ok(own) => perform(invocation, test(own)),
        Err(error) => refused(&one_line(error)),
    }
}

fn perform(invocation: Invocation, test: Test) -> ExitCode {
    if let Err(message) = set_up_logging(&invocation) {
        return refused(&message);
    }
    let done = match invocation {
        Invocation::Demo(args) => demo::demo(*args).map_err(one_line),
        Invocation::Target(args) => demo::target(args).map_err(one_line),
        Invocation::Urls(args) => Plan::of_urls(&args, 1)
            .map_err(one_line)
            .and_then(|plan| run::execute(plan).map_err(one_line)),
        Invocation::Scenario(run) => test_run::perform(&run, test),
        Invocation::Check(file) => test_run::check(&file),
        Invocation::Show(file) => test_run::show(&file),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(message) => refused(&message),
    }
}

fn set_up_logging(invocation: &Invocation) -> Result<(), String> {
    match invocation.output() {
        Some(output) if output.skip_log_setup => Ok(()),
        Some(output) => {
            logging::set_up(output.loglevel.into(), output.logfile.as_deref()).map_err(one_line)
        }
        None => logging::set_up(LogLevel::Info.into(), None).map_err(one_line),
    }
}

/// Says why nothing was run: one line, or one for each fault of a scenario file.
fn refused(message: &str) -> ExitCode {
    eprintln!("loadr-bench: error: {message}");
    ExitCode::from(COULD_NOT_RUN)
}

/// An error as the one line that a person reads.
fn one_line(error: impl Display) -> String {
    error.to_string().replace('\n', " ")
}
