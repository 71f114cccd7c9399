//! The command line: what was typed becomes a checked request, or one clear line and exit code 2.
//!
//! [`legacy`] rewrites old spellings, [`settings`] puts what files and variables say before what was typed, [`args`] is
//! what clap makes of it all, [`mode`] tells URLs from scenarios, [`absent`] speaks for the flags of Locust that are not
//! here; [`run_request`] goes through them in order. [`plan`] is what the whole means. Nothing past this module looks at
//! arguments.

mod absent;
pub(crate) mod args;
pub(crate) mod class_settings;
mod cpu_list;
mod legacy;
mod mode;
pub(crate) mod plan;
mod run_request;
pub(crate) mod scenario;
mod settings;
mod target_url;
pub(crate) mod timespan;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, FromArgMatches};

pub(crate) use args::{Args, Command, LoadArgs, TargetArgs};
use run_request::RunRequest;
use scenario::ScenarioRun;

use crate::exit_code::COULD_NOT_RUN;

/// What the process is asked to do.
#[derive(Debug)]
pub(crate) enum Invocation {
    /// Load the bundled target.
    Demo(Box<LoadArgs>),
    /// Serve the bundled target.
    Target(TargetArgs),
    /// Look a scenario file over.
    Check(PathBuf),
    /// Print the task ratio of a scenario file, and the requests of one user.
    Show(PathBuf),
    /// Load URLs.
    Urls(Box<LoadArgs>),
    /// Run a scenario, or print what is in it.
    Scenario(Box<ScenarioRun>),
}

impl Invocation {
    /// The flags for results and log lines, where there are any.
    pub(crate) fn output(&self) -> Option<&args::OutputArgs> {
        match self {
            Self::Demo(load) | Self::Urls(load) => Some(&load.output),
            Self::Scenario(run) => Some(&run.load.output),
            Self::Target(_) | Self::Check(_) | Self::Show(_) => None,
        }
    }
}

/// The program whose command line this is.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// It brings user classes of its own.
    pub(crate) has_classes: bool,
    /// Adds flags of its own.
    pub(crate) augment: fn(clap::Command) -> clap::Command,
}

impl Program {
    /// The binary by itself.
    pub(crate) const PLAIN: Self = Self { has_classes: false, augment: |command| command };

    /// Every flag there is, and those of Locust that are not here.
    fn command(self) -> clap::Command {
        let command = absent::known_to(Args::command());
        // Of a flag given twice the last counts, as in Locust: scripts that wrap scripts rely on it.
        let command = command.mut_args(|flag| match flag.get_action() {
            ArgAction::Set | ArgAction::SetTrue if !flag.is_positional() => {
                let id = flag.get_id().clone();
                flag.overrides_with(id)
            }
            _ => flag,
        });
        (self.augment)(command)
    }
}

/// Parses the arguments, the program's name first; gives with the invocation what the program's own flags can be read
/// from.
///
/// Prints what has to be said before the run. Ends the process for `--help`, `--version` and usage errors.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    program: Program,
) -> (Invocation, clap::ArgMatches) {
    let rewritten = legacy::rewrite(arguments);
    let typed = program.command().try_get_matches_from(&rewritten.arguments);
    let typed = typed.unwrap_or_else(|error| refuse(&error));
    let args = Args::from_arg_matches(&typed).unwrap_or_else(|error| refuse(&error));
    let mut notices = rewritten.notices;
    let (invocation, matches) = match args.command {
        Some(command) => {
            (of_command(command).unwrap_or_else(|message| refuse_line(message)), typed)
        }
        None => {
            let request = RunRequest { arguments: &rewritten.arguments, typed: &typed, program };
            request.understand(&args, &mut notices).unwrap_or_else(|message| refuse_line(&message))
        }
    };
    for notice in &notices {
        eprintln!("loadr-bench: {notice}");
    }
    (invocation, matches)
}

fn of_command(command: Command) -> Result<Invocation, &'static str> {
    Ok(match command {
        Command::Demo(load) => {
            load.output.check()?;
            Invocation::Demo(load)
        }
        Command::Target(args) => Invocation::Target(args),
        Command::Check(args) => Invocation::Check(args.file),
        Command::Show(args) => Invocation::Show(args.file),
    })
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
    refuse_line(&ambiguity(error).unwrap_or_else(|| one_line(&error.render().to_string())));
}

/// What is wrong with a flag that is the beginning of several; `None` for every other mistake.
fn ambiguity(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let typed = flag.split('=').next().and_then(|flag| flag.strip_prefix("--"))?;
    let command = Program::PLAIN.command();
    let longs = command.get_arguments().filter(|flag| !flag.is_hide_set());
    let longs = longs.filter_map(|flag| flag.get_long().filter(|long| long.starts_with(typed)));
    let meant: Vec<String> = longs.map(|long| format!("--{long}")).collect();
    let is_several = error.kind() == ErrorKind::UnknownArgument && meant.len() > 1;
    is_several.then(|| format!("'--{typed}' may stand for {}", meant.join(" or ")))
}

fn refuse_line(message: &str) -> ! {
    eprintln!("loadr-bench: error: {}", message.replace('\n', " "));
    std::process::exit(COULD_NOT_RUN.into());
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
             whole number of seconds"
        );
    }
}
