//! From what was typed to a run: settings are read and put before it, and the whole is parsed again.
//!
//! Flags that only a scenario has, or only a URL, are refused where they are typed for the other: they would do nothing.
//! In settings they are passed over, since a folder's settings serve every run in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, FromArgMatches, Id};

use super::args::{Args, ScenarioArgs};
use super::mode::{self, Mode, Typed};
use super::scenario::{Purpose, ScenarioRun};
use super::settings::{self, Merged, Surroundings};
use super::{Invocation, Program, absent, refuse};

/// What only a URL needs, by its flag: a scenario says it for itself.
const URLS_ONLY: [&str; 15] = [
    "urls_file",
    "connect_to",
    "unix_socket",
    "pipeline",
    "method",
    "body",
    "body_file",
    "no_keepalive",
    "requests_per_connection",
    "expect_status",
    "message",
    "message_file",
    "binary",
    "subprotocol",
    "compress",
];

/// A command line that asks for a run.
pub(super) struct RunRequest<'a> {
    /// As typed, the program's name first, in today's spelling.
    pub(super) arguments: &'a [OsString],
    /// What clap makes of that alone.
    pub(super) typed: &'a ArgMatches,
    pub(super) program: Program,
}

impl RunRequest<'_> {
    /// Reads what lies about and takes it in; `args` is what was typed. An error is one line.
    pub(super) fn understand(
        &self,
        args: &Args,
        notices: &mut Vec<String>,
    ) -> Result<(Invocation, ArgMatches), String> {
        let command = self.program.command();
        let longs = command.get_arguments().filter_map(|flag| flag.get_long());
        // The file of settings is named where it is asked for, and by no setting.
        let longs: Vec<String> =
            longs.filter(|long| *long != "config").map(str::to_owned).collect();
        let around = Surroundings::gather(args.config.as_deref(), &longs);
        let around = around.map_err(|error| error.to_string())?;
        let default_file = mode::default_file(Path::new("")).filter(|_| !self.program.has_classes);
        if self.arguments.len() < 2 && !self.scenario_at_hand(&around, &default_file) {
            print_help(command);
        }
        self.understand_within(around, default_file, args, notices)
    }

    fn scenario_at_hand(&self, around: &Surroundings, default_file: &Option<PathBuf>) -> bool {
        self.program.has_classes || default_file.is_some() || around.names_scenario()
    }

    fn understand_within(
        &self,
        around: Surroundings,
        default_file: Option<PathBuf>,
        args: &Args,
        notices: &mut Vec<String>,
    ) -> Result<(Invocation, ArgMatches), String> {
        let command = self.program.command();
        let mode = self.mode(args, self.scenario_at_hand(&around, &default_file));
        self.refuse_what_would_do_nothing(mode)?;
        let is_wanted = |id: &Id| suits(id.as_str(), mode, args);
        let merged = settings::merge(&command, self.typed, around.settings, is_wanted);
        let merged = merged.map_err(|error| error.to_string())?;
        notices.extend(around.notices);
        let classes_wanted = mode == Mode::Scenario && args.load.urls.is_empty();
        let classes = if classes_wanted { around.user_classes } else { Vec::new() };
        let matches = command
            .try_get_matches_from(self.whole(&classes, &merged))
            .unwrap_or_else(|error| refuse(&error));
        notices.extend(absent::judge(&matches, &merged.sources)?);
        let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| refuse(&error));
        args.load.output.check()?;
        let invocation = match mode {
            Mode::Urls => urls(args, notices),
            Mode::Scenario => scenario(args, default_file, notices),
        };
        Ok((invocation?, matches))
    }

    fn mode(&self, args: &Args, scenario_at_hand: bool) -> Mode {
        let typed = Typed {
            locustfile: self.is_typed("locustfile"),
            urls_file: self.is_typed("urls_file"),
            positionals: &args.load.urls,
        };
        mode::decide(typed, scenario_at_hand)
    }

    fn is_typed(&self, id: &str) -> bool {
        self.typed.value_source(id) == Some(ValueSource::CommandLine)
    }

    /// The program's name, what settings say, and what was typed.
    fn whole(&self, classes: &[String], merged: &Merged) -> Vec<OsString> {
        let (name, typed) = self.arguments.split_at(1.min(self.arguments.len()));
        let classes = classes.iter().map(OsString::from);
        let settings = merged.arguments.iter().cloned();
        name.iter().cloned().chain(classes).chain(settings).chain(typed.iter().cloned()).collect()
    }

    fn refuse_what_would_do_nothing(&self, mode: Mode) -> Result<(), String> {
        let command = self.program.command();
        let idle = |flag: &&clap::Arg| {
            let id = flag.get_id().as_str();
            self.is_typed(id) && !belongs(id, mode)
        };
        let Some(flag) = command.get_arguments().find(idle) else { return Ok(()) };
        let long = flag.get_long().unwrap_or_default();
        Err(match mode {
            Mode::Urls => format!("--{long} is for scenarios: give one with -f instead of a URL"),
            Mode::Scenario => format!("--{long} is for URLs: a scenario file says it for itself"),
        })
    }
}

/// Whether a flag means anything in this mode.
fn belongs(id: &str, mode: Mode) -> bool {
    match mode {
        Mode::Urls => !scenario_only().iter().any(|only| only.as_str() == id),
        Mode::Scenario => !URLS_ONLY.contains(&id),
    }
}

/// Whether a setting has a part in this run: a host has none where URLs are whole or -H names another, and headers have
/// none in a scenario, where -H is the host.
fn suits(id: &str, mode: Mode, args: &Args) -> bool {
    let load = &args.load;
    let whole_urls = !load.urls.is_empty() && load.urls.iter().all(|url| !url.starts_with('/'));
    let is_idle = match (id, mode) {
        ("host", Mode::Urls) => {
            whole_urls || load.header.iter().any(|header| is_whole_host(header))
        }
        ("host", Mode::Scenario) => !load.header.is_empty(),
        ("header", Mode::Scenario) => true,
        _ => false,
    };
    belongs(id, mode) && !is_idle
}

/// Whether the value of -H is meant for a host where -H is a header too.
fn is_whole_host(value: &str) -> bool {
    value.contains("://") && mode::is_host(value)
}

/// Every flag of [`ScenarioArgs`].
fn scenario_only() -> Vec<Id> {
    let flags = ScenarioArgs::augment_args(clap::Command::new("scenario"));
    flags.get_arguments().map(|flag| flag.get_id().clone()).collect()
}

/// Loads URLs; `-H URL` is the host there too, as long as no URL is whole by itself.
fn urls(mut args: Args, notices: &mut Vec<String>) -> Result<Invocation, String> {
    let paths_alone =
        args.load.urls_file.is_none() && args.load.urls.iter().all(|url| url.starts_with('/'));
    if let Some(at) = args.load.header.iter().position(|header| is_whole_host(header)) {
        let host = args.load.header.remove(at);
        if !paths_alone || args.load.host.is_some() {
            return Err(format!(
                "-H '{host}' is a host, and with a URL -H is a header: leave it out, or give paths, such as /index.html"
            ));
        }
        args.load.host = Some(host);
    }
    notices.extend(args.load.output.autostart.then(|| AUTOSTART.to_owned()));
    if args.load.urls.is_empty() && args.load.urls_file.is_none() && args.load.host.is_none() {
        return Err(NOTHING_TO_LOAD.to_owned());
    }
    Ok(Invocation::Urls(Box::new(args.load)))
}

const NOTHING_TO_LOAD: &str =
    "no URL is given, and there is no loadfile.toml here: give a URL, or a scenario with -f";
const AUTOSTART: &str =
    "--autostart: the web UI is not in this version, so the program ends with the run";
const NO_WEB_UI: &str =
    "the web UI is not in this version: the run starts at once, as with --headless";

fn scenario(
    args: Args,
    default_file: Option<PathBuf>,
    notices: &mut Vec<String>,
) -> Result<Invocation, String> {
    let output = args.load.output.clone();
    let run =
        ScenarioRun::new(args.scenario, args.load, default_file).map_err(|e| e.to_string())?;
    if run.purpose == Purpose::Run {
        let is_headless = output.headless && !output.headful;
        let line = match (output.autostart, is_headless) {
            (true, _) => Some(AUTOSTART),
            (false, true) => None,
            (false, false) => Some(NO_WEB_UI),
        };
        notices.extend(line.map(str::to_owned));
    }
    Ok(Invocation::Scenario(Box::new(run)))
}

/// Nothing was asked for and nothing lies about: the help, as for a usage error.
fn print_help(mut command: clap::Command) -> ! {
    eprint!("{}", command.render_help());
    std::process::exit(crate::exit_code::COULD_NOT_RUN.into());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::scenario::ScenarioRun;
    use super::super::settings::{Setting, Value};
    use super::super::{args::TaskStats, settings::Source};
    use super::*;

    /// What a command line means where `settings` are about, the lowest first, and `default_file` lies there.
    fn understood(
        line: &str,
        settings: &[(&str, &str)],
        default_file: Option<PathBuf>,
    ) -> Result<(Invocation, Vec<String>), String> {
        let words = ["loadr-bench"].into_iter().chain(line.split_whitespace());
        let arguments: Vec<OsString> = words.map(OsString::from).collect();
        let typed =
            Program::PLAIN.command().try_get_matches_from(&arguments).expect("clap takes it");
        let args = Args::from_arg_matches(&typed).expect("clap took it");
        let setting = |&(key, value): &(&str, &str)| Setting {
            key: key.to_owned(),
            value: Value::Text(value.to_owned()),
            source: Source::Variable(key.to_uppercase()),
        };
        let settings = settings.iter().map(setting).collect();
        let around = Surroundings { settings, ..Surroundings::default() };
        let request = RunRequest { arguments: &arguments, typed: &typed, program: Program::PLAIN };
        let mut notices = Vec::new();
        let invocation = request.understand_within(around, default_file, &args, &mut notices)?;
        Ok((invocation.0, notices))
    }

    /// A scenario file, which is only looked for here and not read.
    fn scenario_file() -> tempfile::NamedTempFile {
        tempfile::Builder::new().suffix(".toml").tempfile().expect("a temporary file")
    }

    fn scenario_of(line: &str, settings: &[(&str, &str)]) -> (ScenarioRun, Vec<String>) {
        let file = scenario_file();
        let path = Some(file.path().to_owned());
        match understood(line, settings, path).unwrap_or_else(|error| panic!("{line}: {error}")) {
            (Invocation::Scenario(run), notices) => (*run, notices),
            (other, _) => panic!("{line}: {other:?}"),
        }
    }

    fn urls_of(line: &str, settings: &[(&str, &str)]) -> super::super::LoadArgs {
        match understood(line, settings, None).unwrap_or_else(|error| panic!("{line}: {error}")) {
            (Invocation::Urls(load), _) => *load,
            (other, _) => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn locusts_flags_mean_what_they_mean_there() {
        let line = "Shopper Admin -H http://h:80 -u 5 -r 2.5 -t 1h30m -s 10 -T a b -E c --equal-weights -i 100 \
                    --reset-stats --task-stats=only --csv out --csv-full-history --exit-code-on-error 7 \
                    --headless --profile nightly";
        let (run, notices) = scenario_of(line, &[]);
        assert_eq!(run.purpose, Purpose::Run);
        assert_eq!(run.user_classes, ["Shopper", "Admin"]);
        assert_eq!(run.host.as_deref(), Some("http://h:80"));
        assert_eq!((run.load.users, run.load.spawn_rate), (Some(5), Some(2.5)));
        assert_eq!(run.load.run_time, Some(Duration::from_secs(5_400)));
        assert_eq!(run.load.stop_timeout, Some(Duration::from_secs(10)));
        assert_eq!((run.tags.join("|"), run.exclude_tags.join("|")), ("a|b".into(), "c".into()));
        assert!(run.equal_weights && run.reset_stats && run.load.output.csv_full_history);
        assert_eq!((run.iterations, run.task_stats), (Some(100), Some(TaskStats::Only)));
        assert_eq!(run.load.checks.failures_exit_code(), 7);
        assert_eq!(run.load.output.profile.as_deref(), Some("nightly"));
        assert_eq!(notices, [""; 0], "--headless says it all");
    }

    #[test]
    fn what_nobody_said_is_left_to_the_scenario() {
        let (run, notices) = scenario_of("", &[]);
        assert_eq!((run.load.users, run.load.spawn_rate, run.load.run_time), (None, None, None));
        assert_eq!((run.host, run.user_classes, run.files.len()), (None, vec![], 1));
        assert_eq!(notices, [NO_WEB_UI]);
        assert_eq!(scenario_of("--autostart --autoquit 3", &[]).1, [AUTOSTART]);
        assert_eq!(scenario_of("--headless --headful", &[]).1, [NO_WEB_UI]);
    }

    #[test]
    fn what_is_only_printed_says_so() {
        assert_eq!(scenario_of("-l", &[]).0.purpose, Purpose::List);
        assert_eq!(scenario_of("--show-task-ratio", &[]).0.purpose, Purpose::TaskRatio);
        let (run, notices) = scenario_of("--show-task-ratio-json", &[]);
        assert_eq!((run.purpose, notices), (Purpose::TaskRatioJson, vec![]));
    }

    #[test]
    fn flags_may_be_shortened_and_lists_swallow_what_follows() {
        let (run, _) = scenario_of("--headl --only-sum --tags a Shopper", &[]);
        assert!(run.load.output.headless && run.load.output.only_summary);
        assert_eq!((run.tags.join("|"), run.user_classes), ("a|Shopper".into(), vec![]));
    }

    #[test]
    fn settings_stand_behind_what_is_typed() {
        let settings = [("users", "3"), ("spawn-rate", "2"), ("tags", "[x, y]"), ("method", "PUT")];
        let (run, _) = scenario_of("-u 7", &settings);
        assert_eq!((run.load.users, run.load.spawn_rate), (Some(7), Some(2.0)));
        assert_eq!(run.tags, ["x", "y"]);
        assert_eq!(run.load.method, "GET", "what only a URL has is passed over");
        let load = urls_of("http://h/", &[("users", "3"), ("tags", "x"), ("host", "http://other")]);
        assert_eq!((load.users, load.host), (Some(3), None));
        assert_eq!(urls_of("/x", &[("host", "http://h")]).host.as_deref(), Some("http://h"));
    }

    #[test]
    fn classes_come_from_the_environment_where_none_are_typed() {
        let classes = |typed: &[&str]| {
            let arguments: Vec<OsString> =
                ["x"].iter().chain(typed).map(|word| OsString::from(*word)).collect();
            let matches =
                Program::PLAIN.command().try_get_matches_from(&arguments).expect("clap takes it");
            let args = Args::from_arg_matches(&matches).expect("clap took it");
            let user_classes = vec!["A".to_owned(), "B".to_owned()];
            let around = Surroundings { user_classes, ..Surroundings::default() };
            let program = Program { has_classes: true, ..Program::PLAIN };
            let request = RunRequest { arguments: &arguments, typed: &matches, program };
            match request.understand_within(around, None, &args, &mut Vec::new()) {
                Ok((Invocation::Scenario(run), _)) => (run.user_classes.join(" "), run.files.len()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(classes(&["-T", "a"]), ("A B".to_owned(), 0));
        assert_eq!(classes(&["C"]), ("C".to_owned(), 0));
    }

    #[test]
    fn a_host_goes_before_paths_and_beside_no_url() {
        assert_eq!(urls_of("/x -H http://h", &[]).host.as_deref(), Some("http://h"));
        assert_eq!(urls_of("-H http://h", &[]).host.as_deref(), Some("http://h"));
        let refused = understood("http://h/ -H http://other", &[], None).unwrap_err();
        assert!(refused.contains("-H 'http://other' is a host"), "{refused}");
        let settings = [("host", "http://other"), ("header", "X-A: b")];
        assert_eq!(urls_of("/x -H http://h", &settings).host.as_deref(), Some("http://h"));
        let (run, _) = scenario_of("-H http://h", &settings);
        assert_eq!(run.host.as_deref(), Some("http://h"), "what is typed wins");
        assert_eq!(scenario_of("", &settings).0.host.as_deref(), Some("http://other"));
        assert_eq!(urls_of("http://h/ -H X-A:b", &[]).header, ["X-A:b"]);
    }

    #[test]
    fn flags_of_the_other_kind_of_run_are_refused() {
        let flags =
            "-T a|-E a|-i 5|-l|--equal-weights|--task-stats|--reset-stats|--show-task-ratio";
        for flag in flags.split('|') {
            let refused = understood(&format!("http://h/ {flag}"), &[], None).unwrap_err();
            assert!(refused.contains("is for scenarios"), "{refused}");
        }
        let file = scenario_file();
        let flags =
            "-X PUT|--body x|--pipeline 2|--no-keepalive|--expect-status 200|--connect-to h:1";
        for flag in flags.split('|') {
            let line = format!("-f {} {flag}", file.path().display());
            let refused = understood(&line, &[], None).unwrap_err();
            assert!(refused.contains("is for URLs"), "{refused}");
        }
    }

    #[test]
    fn flags_that_go_together_are_asked_for_together() {
        for line in ["http://h/ --csv-full-history", "http://h/ --autoquit 3"] {
            assert!(understood(line, &[], None).unwrap_err().contains("goes with"), "{line}");
        }
        let settings = [("csv-full-history", "true")];
        assert!(urls_of("http://h/ --csv p", &settings).output.csv_full_history);
        assert!(understood("http://h/", &settings, None).is_err());
    }
}
