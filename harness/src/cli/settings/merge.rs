//! Settings before what was typed: each becomes the argument that would have said the same.
//!
//! A later source replaces an earlier one whole, lists included. Each argument is parsed by itself first, so that a wrong
//! value is told with the line or the variable that it came from.

use std::collections::HashMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Id};

use super::{Setting, SettingsError, Source, Value, split_list};
use crate::cli::{legacy, one_line};

/// Words for true and for false, in any case.
const TRUE: [&str; 4] = ["true", "yes", "on", "1"];
const FALSE: [&str; 4] = ["false", "no", "off", "0"];

/// Arguments that settings stand for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Merged {
    /// To be put before what was typed.
    pub(in crate::cli) arguments: Vec<OsString>,
    /// Which setting an argument came from.
    pub(in crate::cli) sources: HashMap<Id, Source>,
}

/// Turns settings, lowest precedence first, into arguments.
///
/// What was typed and what `is_wanted` refuses is left out, but every setting has to be one that there is.
pub(in crate::cli) fn merge(
    command: &Command,
    typed: &ArgMatches,
    settings: Vec<Setting>,
    is_wanted: impl Fn(&Id) -> bool,
) -> Result<Merged, SettingsError> {
    let mut effective: Vec<(&Arg, Setting)> = Vec::new();
    for setting in settings {
        let argument = find(command, &setting)?;
        effective.retain(|(other, _)| other.get_id() != argument.get_id());
        effective.push((argument, setting));
    }
    let mut merged = Merged::default();
    for (argument, setting) in effective {
        let id = argument.get_id();
        if typed.value_source(id.as_str()) == Some(ValueSource::CommandLine) || !is_wanted(id) {
            continue;
        }
        let arguments = arguments_for(argument, &setting)?;
        check_alone(command, &arguments, &setting.source)?;
        merged.arguments.extend(arguments.into_iter().map(OsString::from));
        merged.sources.insert(id.clone(), setting.source);
    }
    Ok(merged)
}

/// The flag that a setting names: by its whole name, an old one, or as much of it as is unique.
fn find<'a>(command: &'a Command, setting: &Setting) -> Result<&'a Arg, SettingsError> {
    let key = legacy::todays_name(&setting.key);
    let flags = || command.get_arguments().filter(|flag| is_setting(flag));
    let exact = flags().find(|flag| names(flag).contains(&key));
    if command.get_arguments().any(|flag| names(flag).contains(&key)) && exact.is_none() {
        return Err(unknown(command, setting));
    }
    let mut beginning = flags().filter(|flag| names(flag).iter().any(|long| long.starts_with(key)));
    let unique = beginning.next().filter(|_| !key.is_empty() && beginning.next().is_none());
    exact.or(unique).ok_or_else(|| unknown(command, setting))
}

fn names(flag: &Arg) -> Vec<&str> {
    flag.get_long_and_visible_aliases().unwrap_or_default()
}

/// A file names no other, and asks for no help.
fn is_setting(flag: &Arg) -> bool {
    let for_people = matches!(
        flag.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    );
    !for_people && flag.get_long() != Some("config")
}

fn unknown(command: &Command, setting: &Setting) -> SettingsError {
    let argument = match &setting.value {
        Value::Text(text) => format!("--{}={text}", setting.key),
        Value::List(list) => format!("--{}=[{}]", setting.key, list.join(", ")),
    };
    let refused = parse(command, std::slice::from_ref(&argument)).err();
    let suggested = refused.and_then(|error| match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(nearest)) => Some(nearest.clone()),
        _ => None,
    });
    SettingsError::Unknown { origin: setting.source.clone(), argument, nearest: suggested }
}

fn arguments_for(argument: &Arg, setting: &Setting) -> Result<Vec<String>, SettingsError> {
    let long = argument.get_long().expect("settings are found by their long names");
    let with = |value: &str| format!("--{long}={value}");
    let wrong = |message: String| SettingsError::Wrong { origin: setting.source.clone(), message };
    let takes_list = matches!(argument.get_action(), ArgAction::Append);
    match &setting.value {
        Value::List(list) if takes_list => Ok(list.iter().map(|value| with(value)).collect()),
        Value::List(_) => Err(wrong(format!("--{long} takes one value, not a list"))),
        Value::Text(text) if takes_list => {
            let list = split_list(text).unwrap_or_else(|| vec![text.clone()]);
            Ok(list.iter().map(|value| with(value)).collect())
        }
        Value::Text(text) => match (truth(text), argument.get_action().takes_values()) {
            (Some(true), false) => Ok(vec![format!("--{long}")]),
            (Some(false), false) => Ok(vec![]),
            (None, false) => Err(wrong(format!(
                "'{text}' for --{long}: write true or false (or yes, no, on, off, 1, 0)"
            ))),
            (Some(truth), true) if is_value_optional(argument) => {
                Ok(truth.then(|| format!("--{long}")).into_iter().collect())
            }
            (_, true) => Ok(vec![with(text)]),
        },
    }
}

fn truth(text: &str) -> Option<bool> {
    let text = text.to_ascii_lowercase();
    let is_in = |words: [&str; 4]| words.contains(&text.as_str());
    if is_in(TRUE) { Some(true) } else { is_in(FALSE).then_some(false) }
}

/// Whether the flag means something without a value too.
fn is_value_optional(argument: &Arg) -> bool {
    argument.get_num_args().is_some_and(|range| range.min_values() == 0 && range.max_values() == 1)
}

/// Refuses a wrong value; what one flag has to do with another is looked at when all are together.
fn check_alone(
    command: &Command,
    arguments: &[String],
    source: &Source,
) -> Result<(), SettingsError> {
    let about_others = [ErrorKind::MissingRequiredArgument, ErrorKind::ArgumentConflict];
    match parse(command, arguments) {
        Err(error) if !about_others.contains(&error.kind()) => {
            let message = one_line(&error.render().to_string());
            Err(SettingsError::Wrong { origin: source.clone(), message })
        }
        _ => Ok(()),
    }
}

fn parse(command: &Command, arguments: &[String]) -> Result<ArgMatches, clap::Error> {
    let name = command.get_name().to_owned();
    command.clone().try_get_matches_from(std::iter::once(&name).chain(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn variable(name: &str, key: &str, value: &str) -> Setting {
        Setting {
            key: key.to_owned(),
            value: Value::Text(value.to_owned()),
            source: Source::Variable(name.to_owned()),
        }
    }

    fn merged(typed: &str, settings: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let command = cli::Program::PLAIN.command();
        let matches = command.clone().try_get_matches_from(typed.split(' ')).unwrap();
        let settings = settings.iter().map(|(key, value)| variable("V", key, value)).collect();
        let merged = merge(&command, &matches, settings, |_| true);
        let shown = |argument: &OsString| argument.to_string_lossy().into_owned();
        merged.map(|m| m.arguments.iter().map(shown).collect()).map_err(|e| e.to_string())
    }

    #[test]
    fn settings_become_arguments() {
        let settings = [
            ("users", "5"),
            ("headless", "yes"),
            ("only-summary", "off"),
            ("tags", "[a, b]"),
            ("exclude-tags", "x y"),
            ("body", "[1, 2]"),
            ("hatch-rate", "3"),
            ("task-stats", "true"),
            ("only-sum", "on"),
        ];
        let wanted = [
            "--users=5",
            "--headless",
            "--tags=a",
            "--tags=b",
            "--exclude-tags=x y",
            "--body=[1, 2]",
            "--spawn-rate=3",
            "--task-stats",
            "--only-summary",
        ];
        assert_eq!(merged("x", &settings).unwrap(), wanted);
        assert_eq!(merged("x", &[("task-stats", "only")]).unwrap(), ["--task-stats=only"]);
        assert_eq!(merged("x", &[("task-stats", "no")]).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_typed_and_what_comes_later_wins() {
        assert_eq!(merged("x -u 3 -T c", &[("users", "5"), ("tags", "a")]).unwrap(), [""; 0]);
        assert_eq!(merged("x", &[("users", "5"), ("users", "6")]).unwrap(), ["--users=6"]);
        assert_eq!(merged("x", &[("headless", "1"), ("headless", "0")]).unwrap(), [""; 0]);
        assert_eq!(merged("x", &[("tags", "[a, b]"), ("tags", "c")]).unwrap(), ["--tags=c"]);
        assert_eq!(
            merged("x", &[("hatch-rate", "1"), ("spawn-rate", "2")]).unwrap(),
            ["--spawn-rate=2"]
        );
    }

    #[test]
    fn mistakes_name_their_source() {
        let refused = |key, value| merged("x", &[(key, value)]).unwrap_err();
        assert_eq!(
            refused("user-count", "1"),
            "V: unrecognized arguments: --user-count=1; did you mean '--users'?"
        );
        assert_eq!(refused("qqqqq", "1"), "V: unrecognized arguments: --qqqqq=1");
        assert_eq!(
            refused("users", "0"),
            "V: invalid value '0' for '--users <N>': it must be a whole number, 1 or more"
        );
        assert_eq!(
            refused("headless", "maybe"),
            "V: 'maybe' for --headless: write true or false (or yes, no, on, off, 1, 0)"
        );
        for key in ["config", "help", "version", ""] {
            assert!(refused(key, "x").contains("unrecognized"), "{key}");
        }
        // A mistake in a source that another one covers is a mistake all the same.
        assert!(merged("x", &[("bogus", "1"), ("users", "5")]).is_err());
    }
}
