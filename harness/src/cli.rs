//! The command line: what was typed becomes a checked plan, or one clear line and exit code 2.
//!
//! [`legacy`] rewrites old spellings, [`args`] is what clap makes of the rest, [`plan`] is what it means. Nothing past
//! this module looks at arguments.

pub(crate) mod args;
mod cpu_list;
mod legacy;
pub(crate) mod plan;
mod target_url;
mod timespan;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};

pub(crate) use args::{Args, Command, LoadArgs, TargetArgs};

/// Parses the arguments, the program's name first.
///
/// Prints a line for each old spelling found. Ends the process for `--help`, `--version` and usage errors.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Args {
    let rewritten = legacy::rewrite(arguments);
    for notice in &rewritten.notices {
        eprintln!("loadr-bench: {notice}");
    }
    let matches = Args::command().get_matches_from(rewritten.arguments);
    Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}
