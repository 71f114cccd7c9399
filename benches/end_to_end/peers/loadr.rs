//! How `loadr-bench`, and an example built on its library, are started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::claim::Account;
use super::invocation::{Invocation, Setting, in_seconds, words};
use super::{WEBSOCKET_MESSAGE, WEBSOCKET_PATH};
use crate::scenario::Scenario;
use crate::servers::{REDIS_KEYS, REDIS_VALUE_BYTES};

/// With the scenario's URL, on one of the runtimes.
pub(super) fn url(setting: &Setting<'_>, runtime: &str) -> Invocation {
    let url = format!("http://{}{}", setting.address, setting.scenario.path);
    with_url(setting, runtime, &url, setting.scenario.request)
}

/// The same over TLS.
pub(super) fn https(setting: &Setting<'_>, more: &[&str]) -> Invocation {
    let url = format!("https://{}{}", setting.address, setting.scenario.path);
    let args = [&["--insecure", "--tls-version", "1.3"], more].concat();
    with_url(setting, "monoio", &url, &args)
}

/// A message there and back, over and over.
pub(super) fn websocket(setting: &Setting<'_>) -> Invocation {
    let url = format!("ws://{}{WEBSOCKET_PATH}", setting.address);
    with_url(setting, "monoio", &url, &["--message", WEBSOCKET_MESSAGE])
}

/// With the scenario's file.
pub(super) fn scenario(setting: &Setting<'_>) -> Invocation {
    let Setting { scenario, address, files, .. } = *setting;
    let mut args = words(&["-f"]);
    args.push(scenario_file(files, scenario).into());
    args.extend(words(&["-H", &format!("http://{address}")]));
    args.extend(all_at_once(scenario));
    args.extend(common(setting, "monoio"));
    invocation(setting, &setting.binaries.loadr_bench, args)
}

/// The example that speaks with Redis.
pub(super) fn redis(setting: &Setting<'_>) -> Invocation {
    let Setting { scenario, address, .. } = *setting;
    let mut args = words(&["--server", &address.to_string(), "--set-percent", "0"]);
    args.extend(words(&["--pipeline-depth", &scenario.pipeline.to_string()]));
    args.extend(words(&["--keys", &REDIS_KEYS.to_string()]));
    args.extend(words(&["--data-size", &REDIS_VALUE_BYTES.to_string()]));
    args.extend(all_at_once(scenario));
    args.extend(common(setting, "monoio"));
    invocation(setting, &setting.binaries.redis, args)
}

/// Where the file of a scenario is.
pub(super) fn scenario_file(directory: &Path, scenario: &Scenario) -> PathBuf {
    directory.join(format!("{}.toml", scenario.name))
}

fn with_url(setting: &Setting<'_>, runtime: &str, url: &str, more: &[&str]) -> Invocation {
    let scenario = setting.scenario;
    let mut args = words(&[url]);
    args.extend(words(more));
    args.extend(common(setting, runtime));
    if scenario.pipeline > 1 {
        args.extend(words(&["--pipeline", &scenario.pipeline.to_string()]));
    }
    if !scenario.keep_alive {
        args.push("--no-keepalive".into());
    }
    invocation(setting, &setting.binaries.loadr_bench, args)
}

/// All users at the start, as with a URL.
fn all_at_once(scenario: &Scenario) -> Vec<OsString> {
    words(&["-r", &scenario.users.to_string()])
}

fn common(setting: &Setting<'_>, runtime: &str) -> Vec<OsString> {
    let Setting { scenario, window, cpu, .. } = *setting;
    let mut args = words(&["--shards", "1", "--headless", "--only-summary"]);
    args.extend(words(&["--cpus", &cpu.to_string(), "--runtime", runtime]));
    args.extend(words(&["-u", &scenario.users.to_string(), "-t", &in_seconds(window)]));
    if !scenario.warm_up.is_zero() {
        args.extend(words(&["--warm-up", &in_seconds(scenario.warm_up)]));
    }
    args
}

fn invocation(setting: &Setting<'_>, program: &Path, mut args: Vec<OsString>) -> Invocation {
    let Setting { scenario, window, files, .. } = *setting;
    let saved = files.join("run.json");
    args.extend(["--save".into(), saved.clone().into()]);
    let (program, warm_up) = (program.to_owned(), scenario.warm_up);
    Invocation { program, args, window, warm_up, account: Account::Saved(saved) }
}
