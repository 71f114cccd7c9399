//! Flags of Locust, and of its plugins, that this version does not have.
//!
//! They are known all the same: a command line or a `locust.conf` written for Locust then runs, with one line for each
//! reason why something in it has no effect. Where the run would be another one without the flag, it is refused.

use std::collections::HashMap;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Id};

use super::settings::Source;

/// What becomes of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The run is the same without it.
    Ignored(&'static str),
    /// The run would be another.
    Refused(&'static str),
}

use Fate::{Ignored, Refused};

const WEB: Fate = Ignored("the web UI is not in this version");
const DISTRIBUTED: Fate = Ignored("distributed mode is not in this version");
const NOT_DISTRIBUTED: Fate =
    Refused("distributed mode is not in this version: start it on each machine by itself");
const DASHBOARDS: Fate = Ignored("results are sent to no database: see --save and --csv");
const METADATA: Fate = Ignored("a run has one label: see --profile");
const SHAPES: Fate = Refused("step load is a load shape now: write its stages in a scenario file");
const CONSTANTS: Fate = Ignored("it is a constant");

/// Long flag, short one, whether it takes a value, and its fate.
const FLAGS: [(&str, Option<char>, bool, Fate); 51] = [
    ("web-host", None, true, WEB),
    ("web-host-display-name", None, true, WEB),
    ("web-port", Some('P'), true, WEB),
    ("port", None, true, WEB),
    ("web-login", None, false, WEB),
    (
        "web-auth",
        None,
        true,
        Refused("it is --web-login now, and the web UI is not in this version"),
    ),
    ("tls-cert", None, true, WEB),
    ("tls-key", None, true, WEB),
    ("class-picker", None, false, WEB),
    ("web-base-path", None, true, WEB),
    ("build-path", None, true, WEB),
    ("modern-ui", None, false, WEB),
    (
        "legacy-ui",
        None,
        false,
        Refused("it is no longer supported, remove the parameter to continue"),
    ),
    ("html", None, true, Ignored("the HTML report is not in this version: see --save")),
    ("otel", None, false, Ignored("OpenTelemetry is not in this version")),
    ("master", None, false, NOT_DISTRIBUTED),
    ("worker", None, false, NOT_DISTRIBUTED),
    (
        "slave",
        None,
        false,
        Refused("it has been renamed --worker, and distributed mode is not in this version"),
    ),
    (
        "expect-slaves",
        None,
        true,
        Refused(
            "it has been renamed --expect-workers, and distributed mode is not in this version",
        ),
    ),
    ("master-bind-host", None, true, DISTRIBUTED),
    ("master-bind-port", None, true, DISTRIBUTED),
    ("expect-workers", None, true, DISTRIBUTED),
    ("expect-workers-max-wait", None, true, DISTRIBUTED),
    ("enable-rebalancing", None, false, DISTRIBUTED),
    ("master-host", None, true, DISTRIBUTED),
    ("master-port", None, true, DISTRIBUTED),
    ("processes", None, true, Ignored("one process uses every CPU: see --shards")),
    ("no-reset-stats", None, false, Ignored("statistics are kept unless --reset-stats is given")),
    ("heartbeat-liveness", None, true, CONSTANTS),
    ("heartbeat-interval", None, true, CONSTANTS),
    ("step-load", None, false, SHAPES),
    ("step-clients", None, true, SHAPES),
    ("step-users", None, true, SHAPES),
    ("step-time", None, true, SHAPES),
    (
        "ips",
        None,
        true,
        Refused("wait times are those of the scenario file: use constant_throughput there"),
    ),
    ("console-stats-interval", None, true, CONSTANTS),
    ("timescale", None, false, DASHBOARDS),
    ("grafana-url", None, true, DASHBOARDS),
    ("pghost", None, true, DASHBOARDS),
    ("pgport", None, true, DASHBOARDS),
    ("pguser", None, true, DASHBOARDS),
    ("pgpassword", None, true, DASHBOARDS),
    ("pgdatabase", None, true, DASHBOARDS),
    ("test-env", None, true, METADATA),
    ("test-version", None, true, METADATA),
    ("description", None, true, METADATA),
    ("override-plan-name", None, true, METADATA),
    ("cloud", None, false, Refused("it is not supported: there is no service behind this tool")),
    ("ramp", None, false, Refused("it was removed from Locust: write the ramp in a scenario file")),
    ("gzip", None, false, Refused("it was removed from Locust: send the header Accept-Encoding")),
    (
        "show-task-ratio-confluence",
        None,
        false,
        Refused("it was removed from Locust: use --show-task-ratio"),
    ),
];

/// The command with these flags too, out of sight.
pub(super) fn known_to(command: Command) -> Command {
    command.args(FLAGS.iter().map(|&(long, short, takes_value, _)| {
        let action = if takes_value { ArgAction::Set } else { ArgAction::SetTrue };
        let argument = Arg::new(long).long(long).action(action).hide(true);
        let argument = short.map_or(argument.clone(), |short| argument.short(short));
        if takes_value { argument.allow_hyphen_values(true) } else { argument }
    }))
}

/// A line for each reason to ignore some of what was given, or the line that refuses the first that cannot be.
pub(super) fn judge(
    matches: &ArgMatches,
    sources: &HashMap<Id, Source>,
) -> Result<Vec<String>, String> {
    let is_given = |long: &str| matches.value_source(long) == Some(ValueSource::CommandLine);
    let mut ignored: Vec<(&str, Vec<String>)> = Vec::new();
    for (long, _, _, fate) in FLAGS.iter().filter(|(long, ..)| is_given(long)) {
        let shown = match sources.get(*long) {
            Some(source) => format!("--{long} ({source})"),
            None => format!("--{long}"),
        };
        match fate {
            Refused(reason) => return Err(format!("{shown}: {reason}")),
            Ignored(reason) => match ignored.iter_mut().find(|(other, _)| other == reason) {
                Some((_, flags)) => flags.push(shown),
                None => ignored.push((reason, vec![shown])),
            },
        }
    }
    let line = |(reason, flags): (&str, Vec<String>)| format!("{}: {reason}", flags.join(", "));
    Ok(ignored.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli;

    fn judged(typed: &str) -> Result<Vec<String>, String> {
        let matches = cli::Program::PLAIN.command().try_get_matches_from(typed.split(' '));
        judge(&matches.unwrap_or_else(|error| panic!("{typed}: {error}")), &HashMap::new())
    }

    #[test]
    fn no_flag_is_here_and_absent() {
        cli::Program::PLAIN.command().debug_assert();
    }

    #[test]
    fn what_changes_nothing_is_told_once_for_each_reason() {
        assert_eq!(judged("x http://h/").unwrap(), [""; 0]);
        assert_eq!(
            judged("x -P 8089 --web-login --html report.html --processes -1 http://h/").unwrap(),
            [
                "--web-port, --web-login: the web UI is not in this version",
                "--html: the HTML report is not in this version: see --save",
                "--processes: one process uses every CPU: see --shards",
            ]
        );
    }

    #[test]
    fn what_would_be_another_run_is_refused() {
        for flag in ["--master", "--worker"] {
            let refused = judged(&format!("x {flag}")).unwrap_err();
            assert!(refused.starts_with(&format!("{flag}: distributed mode")), "{refused}");
        }
        assert!(judged("x --slave").unwrap_err().contains("renamed --worker"));
        assert!(judged("x --legacy-ui").unwrap_err().contains("no longer supported"));
        assert!(judged("x --step-users 5").unwrap_err().contains("shape"));
    }

    #[test]
    fn a_refusal_names_the_variable_that_it_came_from() {
        let matches =
            cli::Program::PLAIN.command().try_get_matches_from(["x", "--master"]).unwrap();
        let source = Source::Variable("LOCUST_MODE_MASTER".to_owned());
        let sources = HashMap::from([(Id::from("master"), source)]);
        let refused = judge(&matches, &sources).unwrap_err();
        assert!(refused.starts_with("--master (LOCUST_MODE_MASTER): "), "{refused}");
    }
}
