//! How each generator is started.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::claim::{Account, Claim, ClaimError};
use super::{Peer, loadr};
use crate::build::Binaries;
use crate::process::Finished;
use crate::scenario::{SCENARIOS, Scenario};

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

/// Windows that wrk gets where the others have a warm-up.
const WRK_STEADY_WINDOWS: u32 = 3;

/// Everything that a command line is made of, beside the generator.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The load.
    pub scenario: &'a Scenario,
    /// Length of the measured window.
    pub window: Duration,
    /// Where the server listens.
    pub address: SocketAddr,
    /// The programs of this project.
    pub binaries: &'a Binaries,
    /// The folder that [`write_files`] has written to.
    pub files: &'a Path,
    /// The generator's CPU, for those who pin themselves.
    pub cpu: usize,
}

/// How to start a generator.
#[derive(Debug)]
pub struct Invocation {
    /// Program, by path or for `PATH` to find.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The time it measures.
    pub window: Duration,
    /// Time before the window.
    pub warm_up: Duration,
    /// Where and in which form it says what it did.
    pub(super) account: Account,
}

/// Writes what the generators read from files.
pub fn write_files(directory: &Path) -> io::Result<()> {
    for scenario in SCENARIOS {
        if let Some(file) = scenario.file {
            fs::write(loadr::scenario_file(directory, scenario), file)?;
        }
    }
    fs::write(directory.join("pipeline.lua"), PIPELINE_SCRIPT)
}

impl Invocation {
    /// Command line of one generator.
    pub fn new(peer: Peer, setting: &Setting<'_>) -> Self {
        match peer {
            Peer::Floor => floor(setting),
            Peer::Wrk => wrk(setting),
            Peer::LoadrMonoio => loadr::url(setting, "monoio"),
            Peer::LoadrMonoioEpoll => loadr::url(setting, "monoio-epoll"),
            Peer::LoadrGlommio => loadr::url(setting, "glommio"),
            Peer::LoadrScenario => loadr::scenario(setting),
        }
    }

    /// Reads what the generator said of its run.
    pub fn claim(&self, finished: &Finished) -> Result<Claim, ClaimError> {
        self.account.read(finished)
    }
}

fn floor(setting: &Setting<'_>) -> Invocation {
    let Setting { scenario, window, address, binaries, cpu, .. } = *setting;
    let mut args = words(&["--address", &address.to_string(), "--cpu", &cpu.to_string()]);
    args.extend(words(&["--connections", &scenario.users.to_string()]));
    args.extend(words(&["--pipeline", &scenario.pipeline.to_string()]));
    args.extend(words(&["--seconds", &window.as_secs().to_string()]));
    let (program, account) = (binaries.floor.clone(), Account::Json);
    Invocation { program, args, window, warm_up: Duration::ZERO, account }
}

fn wrk(setting: &Setting<'_>) -> Invocation {
    let Setting { scenario, window, address, files, .. } = *setting;
    let steady = !scenario.warm_up.is_zero();
    let window = if steady { scenario.warm_up + window * WRK_STEADY_WINDOWS } else { window };
    let connections = format!("-c{}", scenario.users);
    let mut args = words(&["-t1", &connections, "-d", &in_seconds(window), "--timeout", "10s"]);
    if !scenario.keep_alive {
        args.extend(words(&["-H", "Connection: close"]));
    }
    let url = format!("http://{address}{}", scenario.path);
    if scenario.pipeline > 1 {
        args.extend(["-s".into(), files.join("pipeline.lua").into()]);
        args.extend(words(&[&url, "--", &scenario.pipeline.to_string()]));
    } else {
        args.push(url.into());
    }
    let (program, account) = ("wrk".into(), Account::Wrk);
    Invocation { program, args, window, warm_up: Duration::ZERO, account }
}

pub(super) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

pub(super) fn in_seconds(length: Duration) -> String {
    format!("{}s", length.as_secs())
}
