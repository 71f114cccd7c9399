//! How each generator is started.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::claim::{Account, Claim, ClaimError};
use super::{Peer, loadr, others};
use crate::build::Binaries;
use crate::process::Finished;
use crate::scenario::{SCENARIOS, Scenario};

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
    others::write_files(directory)
}

/// Why there is nothing to start.
#[derive(Debug, Error)]
pub enum InvocationError {
    /// A package that a generator consists of.
    #[error("{} is missing: run tools/test, which installs it, or name a folder that has it in {variable}", missing.display())]
    NotInstalled {
        /// What was looked for.
        missing: PathBuf,
        /// The environment variable that says where to look.
        variable: &'static str,
    },
}

impl Invocation {
    /// Command line of one generator.
    pub fn new(peer: Peer, setting: &Setting<'_>) -> Result<Self, InvocationError> {
        Ok(match peer {
            Peer::Floor => floor(setting),
            Peer::Wrk => others::wrk(setting, "http"),
            Peer::WrkTls => others::wrk(setting, "https"),
            Peer::LoadrMonoio | Peer::LoadrHttp => loadr::url(setting, "monoio"),
            Peer::LoadrMonoioEpoll => loadr::url(setting, "monoio-epoll"),
            Peer::LoadrGlommio => loadr::url(setting, "glommio"),
            Peer::LoadrScenario => loadr::scenario(setting),
            Peer::LoadrTls | Peer::LoadrResumed => loadr::https(setting, &[]),
            Peer::LoadrFull => loadr::https(setting, &["--no-tls-resumption"]),
            Peer::OpensslNew => others::openssl(setting, false),
            Peer::OpensslReuse => others::openssl(setting, true),
            Peer::LoadrWebSocket => loadr::websocket(setting),
            Peer::PythonWebsockets => others::python(setting)?,
            Peer::NpmWs => others::node(setting)?,
            Peer::LoadrRedis => loadr::redis(setting),
            Peer::RedisBenchmark => others::redis_benchmark(setting),
        })
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

pub(super) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

pub(super) fn in_seconds(length: Duration) -> String {
    format!("{}s", length.as_secs())
}
