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

use clap::error::ErrorKind;
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
    let parsed = Args::command()
        .try_get_matches_from(rewritten.arguments)
        .and_then(|matches| Args::from_arg_matches(&matches));
    parsed.unwrap_or_else(|error| refuse(&error))
}

/// Ends the process: with the help that was asked for, or with the one line that says what is wrong.
fn refuse(error: &clap::Error) -> ! {
    let help = [
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayVersion,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    if help.contains(&error.kind()) {
        error.exit();
    }
    eprintln!("loadr-bench: error: {}", one_line(&error.render().to_string()));
    std::process::exit(error.exit_code());
}

/// clap's message and its tips in one line, without the usage that follows them.
fn one_line(rendered: &str) -> String {
    let mut lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let mut message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    for line in lines.take_while(|line| !line.starts_with("Usage:")) {
        match line.strip_prefix("tip: ") {
            Some(tip) => message.push_str(&format!("; {tip}")),
            None if line.starts_with("For more information") => break,
            None => message.push_str(&format!(" {line}")),
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_are_one_line_with_the_nearest_flag() {
        let error =
            Args::command().try_get_matches_from(["loadr-bench", "--userz", "5", "http://h/"]);
        let message = one_line(&error.unwrap_err().render().to_string());
        assert_eq!(
            message,
            "unexpected argument '--userz' found; a similar argument exists: '--users'"
        );
    }

    #[test]
    fn wrong_values_say_what_is_right() {
        let refused = |arguments: &[&str]| {
            let arguments = ["loadr-bench", "http://h/"].iter().chain(arguments);
            let error = Args::command().try_get_matches_from(arguments).unwrap_err();
            one_line(&error.render().to_string())
        };
        assert_eq!(
            refused(&["-u", "0"]),
            "invalid value '0' for '--users <N>': it must be a whole number, 1 or more"
        );
        assert_eq!(
            refused(&["-n", "-5"]),
            "invalid value '-5' for '--requests <N>': it must be a whole number, 1 or more"
        );
        assert_eq!(
            refused(&["-t", "10sec"]),
            "invalid value '10sec' for '--run-time <TIME>': '10sec' is not a time: write 30s, 5m, 1h30m, 500ms, or a \
             number of seconds"
        );
    }
}
