//! How the generators that others have made are started.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::claim::Account;
use super::invocation::{Invocation, InvocationError, Setting, in_seconds, words};
use super::{WEBSOCKET_MESSAGE, WEBSOCKET_PATH};
use crate::servers::{REDIS_KEYS, REDIS_VALUE_BYTES};

/// wrk's own `scripts/pipeline.lua`, with the depth as an argument.
const PIPELINE_SCRIPT: &str = "\
init = function(args)
   local requests = {}
   for i = 1, tonumber(args[1]) do
      requests[i] = wrk.format()
   end
   batch = table.concat(requests)
end

request = function()
   return batch
end
";

const PYTHON_SCRIPT: &str = include_str!("../../peers/websockets_client.py");
const NODE_SCRIPT: &str = include_str!("../../peers/ws_client.mjs");

/// Windows that wrk gets where the others have a warm-up.
const WRK_STEADY_WINDOWS: u32 = 3;

/// Commands a second that redis-benchmark, which is told their number, is expected to have answered: one at a time on a
/// connection, and where it sends several at once.
const REDIS_COMMANDS_PER_S: (u64, u64) = (100_000, 800_000);

/// Writes what these generators read.
pub(super) fn write_files(directory: &Path) -> std::io::Result<()> {
    fs::write(directory.join("pipeline.lua"), PIPELINE_SCRIPT)?;
    fs::write(directory.join("websockets_client.py"), PYTHON_SCRIPT)?;
    fs::write(directory.join("ws_client.mjs"), NODE_SCRIPT)
}

pub(super) fn wrk(setting: &Setting<'_>, scheme: &str) -> Invocation {
    let Setting { scenario, window, address, files, .. } = *setting;
    let steady = !scenario.warm_up.is_zero();
    let window = if steady { scenario.warm_up + window * WRK_STEADY_WINDOWS } else { window };
    let connections = format!("-c{}", scenario.users);
    let mut args = words(&["-t1", &connections, "-d", &in_seconds(window), "--timeout", "10s"]);
    if !scenario.keep_alive {
        args.extend(words(&["-H", "Connection: close"]));
    }
    let url = format!("{scheme}://{address}{}", scenario.path);
    if scenario.pipeline > 1 {
        args.extend(["-s".into(), files.join("pipeline.lua").into()]);
        args.extend(words(&[&url, "--", &scenario.pipeline.to_string()]));
    } else {
        args.push(url.into());
    }
    let (program, account) = ("wrk".into(), Account::Wrk);
    Invocation { program, args, window, warm_up: Duration::ZERO, account }
}

/// One connection after the other, each with a request: a session is resumed only where something was read of the
/// connection that it comes from.
pub(super) fn openssl(setting: &Setting<'_>, resumes: bool) -> Invocation {
    let Setting { scenario, window, address, .. } = *setting;
    let mut args = words(&["s_time", "-connect", &address.to_string(), "-tls1_3"]);
    args.extend(words(&[if resumes { "-reuse" } else { "-new" }, "-www", scenario.path]));
    args.extend(words(&["-time", &window.as_secs().to_string()]));
    let (program, account) = ("openssl".into(), Account::OpensslTime { resumes });
    Invocation { program, args, window, warm_up: Duration::ZERO, account }
}

pub(super) fn redis_benchmark(setting: &Setting<'_>) -> Invocation {
    let Setting { scenario, window, address, .. } = *setting;
    let (alone, pipelined) = REDIS_COMMANDS_PER_S;
    let commands_per_s = if scenario.pipeline > 1 { pipelined } else { alone };
    let count = commands_per_s * window.as_secs();
    let mut args = words(&["-h", &address.ip().to_string(), "-p", &address.port().to_string()]);
    args.extend(words(&["-c", &scenario.users.to_string(), "-P", &scenario.pipeline.to_string()]));
    args.extend(words(&["-r", &REDIS_KEYS.to_string(), "-d", &REDIS_VALUE_BYTES.to_string()]));
    args.extend(words(&["-n", &count.to_string(), "-t", "get", "--csv"]));
    let (program, account) = ("redis-benchmark".into(), Account::RedisCsv { count });
    Invocation { program, args, window, warm_up: Duration::ZERO, account }
}

pub(super) fn python(setting: &Setting<'_>) -> Result<Invocation, InvocationError> {
    let program = installed("LOADR_BENCH_VENV", "target/venv").join("bin/python");
    if !program.is_file() {
        let variable = "LOADR_BENCH_VENV";
        return Err(InvocationError::NotInstalled { missing: program, variable });
    }
    let mut args = vec![setting.files.join("websockets_client.py").into()];
    args.extend(conversation(setting));
    let (window, account) = (setting.window, Account::Json);
    Ok(Invocation { program, args, window, warm_up: Duration::ZERO, account })
}

pub(super) fn node(setting: &Setting<'_>) -> Result<Invocation, InvocationError> {
    let folder = installed("LOADR_BENCH_NPM", "target/npm");
    let missing = folder.join("node_modules/ws");
    if !missing.is_dir() {
        return Err(InvocationError::NotInstalled { missing, variable: "LOADR_BENCH_NPM" });
    }
    let mut args = vec![setting.files.join("ws_client.mjs").into(), folder.into()];
    args.extend(conversation(setting));
    let (window, account) = (setting.window, Account::Json);
    Ok(Invocation { program: "node".into(), args, window, warm_up: Duration::ZERO, account })
}

/// What both scripts take.
fn conversation(setting: &Setting<'_>) -> Vec<OsString> {
    let Setting { scenario, window, address, .. } = *setting;
    let url = format!("ws://{address}{WEBSOCKET_PATH}");
    let (users, seconds) = (scenario.users.to_string(), window.as_secs().to_string());
    words(&[&url, &users, &seconds, WEBSOCKET_MESSAGE])
}

/// The folder that an environment variable names, or that `tools/test` installs to.
fn installed(variable: &str, usual: &str) -> PathBuf {
    let given = std::env::var_os(variable).map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is a folder of the workspace");
    given.unwrap_or_else(|| root.join(usual))
}
