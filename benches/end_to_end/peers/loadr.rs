//! How `loadr-bench` is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::claim::Account;
use super::invocation::{Invocation, Setting, in_seconds, words};
use crate::scenario::Scenario;

/// With a URL, on one of the runtimes.
pub(super) fn url(setting: &Setting<'_>, runtime: &str) -> Invocation {
    let Setting { scenario, address, .. } = *setting;
    let mut args = words(&[&format!("http://{address}{}", scenario.path)]);
    args.extend(words(scenario.request));
    invocation(setting, runtime, args)
}

/// With the scenario's file.
pub(super) fn scenario(setting: &Setting<'_>) -> Invocation {
    let Setting { scenario, address, files, .. } = *setting;
    let mut args = words(&["-f"]);
    args.push(scenario_file(files, scenario).into());
    // All users at once, as with a URL.
    let rate = scenario.users.to_string();
    args.extend(words(&["-H", &format!("http://{address}"), "-r", &rate]));
    invocation(setting, "monoio", args)
}

/// Where the file of a scenario is.
pub(super) fn scenario_file(directory: &Path, scenario: &Scenario) -> PathBuf {
    directory.join(format!("{}.toml", scenario.name))
}

fn invocation(setting: &Setting<'_>, runtime: &str, mut args: Vec<OsString>) -> Invocation {
    let Setting { scenario, window, binaries, files, cpu, .. } = *setting;
    args.extend(words(&["--shards", "1", "--headless", "--only-summary"]));
    args.extend(words(&["--cpus", &cpu.to_string(), "--runtime", runtime]));
    args.extend(words(&["-u", &scenario.users.to_string(), "-t", &in_seconds(window)]));
    if scenario.pipeline > 1 {
        args.extend(words(&["--pipeline", &scenario.pipeline.to_string()]));
    }
    if !scenario.keep_alive {
        args.push("--no-keepalive".into());
    }
    if !scenario.warm_up.is_zero() {
        args.extend(words(&["--warm-up", &in_seconds(scenario.warm_up)]));
    }
    let saved = files.join("run.json");
    args.extend(["--save".into(), saved.clone().into()]);
    let (program, warm_up) = (binaries.loadr_bench.clone(), scenario.warm_up);
    Invocation { program, args, window, warm_up, account: Account::Saved(saved) }
}
