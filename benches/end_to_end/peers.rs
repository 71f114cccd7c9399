//! The generators that are compared: how each is told to make a load, and what it says of it.

use std::ffi::OsString;
use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

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

/// One generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// The bare io_uring loop of this project.
    Floor,
    /// The yardstick.
    Wrk,
    /// loadr-bench on monoio's io_uring driver.
    LoadrMonoio,
    /// loadr-bench on monoio's epoll driver.
    LoadrMonoioEpoll,
    /// loadr-bench on glommio.
    LoadrGlommio,
    /// loadr-bench on monoio, as a scenario file says.
    LoadrScenario,
}

impl Peer {
    /// Name in tables and raw data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Wrk => "wrk",
            Self::LoadrMonoio => "loadr-bench monoio",
            Self::LoadrMonoioEpoll => "loadr-bench monoio-epoll",
            Self::LoadrGlommio => "loadr-bench glommio",
            Self::LoadrScenario => "loadr-bench scenario",
        }
    }

    fn runtime(self) -> Option<&'static str> {
        match self {
            Self::Floor | Self::Wrk => None,
            Self::LoadrMonoio | Self::LoadrScenario => Some("monoio"),
            Self::LoadrMonoioEpoll => Some("monoio-epoll"),
            Self::LoadrGlommio => Some("glommio"),
        }
    }
}

impl Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
    /// Where `loadr-bench` saves its report.
    saved: Option<PathBuf>,
}

/// What a generator says it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Requests answered in the window.
    pub requests: u64,
    /// Per second of the window.
    pub requests_per_s: f64,
    /// Requests that failed, where the generator counts them.
    pub failures: u64,
    /// User and system seconds of the window alone, where the generator tells them apart.
    pub window_cpu_s: Option<(f64, f64)>,
}

/// Why a run gave no figure.
#[derive(Debug, Error)]
pub enum ClaimError {
    /// It refused, and said why.
    #[error("it ended with {status}: {reason}")]
    Refused {
        /// Exit status in words.
        status: String,
        /// The last line of its standard error.
        reason: String,
    },
    /// It ended well, but said something unexpected.
    #[error("its output has no {0}")]
    Unreadable(&'static str),
}

/// Writes what the generators read from files.
pub fn write_files(directory: &Path) -> io::Result<()> {
    for scenario in SCENARIOS {
        if let Some(file) = scenario.file {
            fs::write(scenario_file(directory, scenario), file)?;
        }
    }
    fs::write(directory.join("pipeline.lua"), PIPELINE_SCRIPT)
}

fn scenario_file(directory: &Path, scenario: &Scenario) -> PathBuf {
    directory.join(format!("{}.toml", scenario.name))
}

/// Command line of one generator for one scenario.
pub fn invocation(
    peer: Peer,
    scenario: &Scenario,
    window: Duration,
    address: SocketAddr,
    at: (&Binaries, &Path, usize),
) -> Invocation {
    let (binaries, directory, cpu) = at;
    match peer.runtime() {
        Some(runtime) => {
            let saved = directory.join("run.json");
            let mut args = loadr_args(scenario, window, cpu);
            args.extend(match peer {
                Peer::LoadrScenario => scenario_args(scenario, address, directory),
                _ => url_args(scenario, address),
            });
            args.extend(["--runtime".into(), runtime.into()]);
            args.extend(["--save".into(), saved.clone().into()]);
            let program = binaries.loadr_bench.clone();
            let warm_up = scenario.warm_up;
            Invocation { program, args, window, warm_up, saved: Some(saved) }
        }
        None if peer == Peer::Floor => {
            let args = floor_args(scenario, window, address, cpu);
            let (program, warm_up) = (binaries.floor.clone(), Duration::ZERO);
            Invocation { program, args, window, warm_up, saved: None }
        }
        None => {
            let steady = !scenario.warm_up.is_zero();
            let window =
                if steady { scenario.warm_up + window * WRK_STEADY_WINDOWS } else { window };
            let args = wrk_args(scenario, window, address, directory);
            Invocation { program: "wrk".into(), args, window, warm_up: Duration::ZERO, saved: None }
        }
    }
}

fn url_args(scenario: &Scenario, address: SocketAddr) -> Vec<OsString> {
    let url = format!("http://{address}{}", scenario.path);
    let mut args = words(&[&url]);
    args.extend(words(scenario.request));
    args
}

fn scenario_args(scenario: &Scenario, address: SocketAddr, directory: &Path) -> Vec<OsString> {
    let mut args = words(&["-f"]);
    args.push(scenario_file(directory, scenario).into());
    // All users at once, as with a URL.
    let rate = scenario.users.to_string();
    args.extend(words(&["-H", &format!("http://{address}"), "-r", &rate]));
    args
}

fn loadr_args(scenario: &Scenario, window: Duration, cpu: usize) -> Vec<OsString> {
    let mut args = words(&["--shards", "1", "--headless"]);
    args.extend(words(&["--only-summary", "--cpus", &cpu.to_string()]));
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
    args
}

fn floor_args(
    scenario: &Scenario,
    window: Duration,
    address: SocketAddr,
    cpu: usize,
) -> Vec<OsString> {
    let mut args = words(&["--address", &address.to_string(), "--cpu", &cpu.to_string()]);
    args.extend(words(&["--connections", &scenario.users.to_string()]));
    args.extend(words(&["--pipeline", &scenario.pipeline.to_string()]));
    args.extend(words(&["--seconds", &window.as_secs().to_string()]));
    args
}

fn wrk_args(
    scenario: &Scenario,
    window: Duration,
    address: SocketAddr,
    directory: &Path,
) -> Vec<OsString> {
    let connections = format!("-c{}", scenario.users);
    let mut args = words(&["-t1", &connections, "-d", &in_seconds(window), "--timeout", "10s"]);
    if !scenario.keep_alive {
        args.extend(words(&["-H", "Connection: close"]));
    }
    let url = format!("http://{address}{}", scenario.path);
    if scenario.pipeline > 1 {
        args.extend(["-s".into(), directory.join("pipeline.lua").into()]);
        args.extend(words(&[&url, "--", &scenario.pipeline.to_string()]));
    } else {
        args.push(url.into());
    }
    args
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn in_seconds(length: Duration) -> String {
    format!("{}s", length.as_secs())
}

impl Invocation {
    /// Reads what the generator said of its run.
    pub fn claim(&self, peer: Peer, finished: &Finished) -> Result<Claim, ClaimError> {
        if let Some(path) = &self.saved {
            // Failures make loadr-bench end with 1, and its report counts them.
            let text = fs::read_to_string(path).map_err(|_| refusal(finished))?;
            // So that a later run which saves nothing cannot be taken for this one.
            let _ = fs::remove_file(path);
            return loadr_claim(&text);
        }
        if !finished.status.success() {
            return Err(refusal(finished));
        }
        if peer == Peer::Floor {
            floor_claim(&finished.stdout)
        } else {
            wrk_claim(&finished.stdout)
        }
    }
}

fn refusal(finished: &Finished) -> ClaimError {
    let lines = || finished.stderr.lines().filter(|line| !line.trim().is_empty());
    let reason = lines().next_back().unwrap_or("it gave no reason").to_owned();
    ClaimError::Refused { status: finished.status.to_string(), reason }
}

/// Reads a report that `loadr-bench --save` wrote.
fn loadr_claim(json: &str) -> Result<Claim, ClaimError> {
    let report: Value =
        serde_json::from_str(json).map_err(|_| ClaimError::Unreadable("valid JSON"))?;
    let (totals, generator) = (&report["totals"], &report["generator"]);
    Ok(Claim {
        requests: number(&totals["requests"], "totals.requests")? as u64,
        requests_per_s: number(&totals["requests_per_s"], "totals.requests_per_s")?,
        failures: number(&totals["failures"], "totals.failures")? as u64,
        window_cpu_s: Some((
            number(&generator["cpu_user_s"], "generator.cpu_user_s")?,
            number(&generator["cpu_system_s"], "generator.cpu_system_s")?,
        )),
    })
}

fn floor_claim(json: &str) -> Result<Claim, ClaimError> {
    let report: Value =
        serde_json::from_str(json).map_err(|_| ClaimError::Unreadable("valid JSON"))?;
    let requests = number(&report["requests"], "requests")?;
    Ok(Claim {
        requests: requests as u64,
        requests_per_s: requests / number(&report["seconds"], "seconds")?,
        failures: 0,
        window_cpu_s: Some((
            number(&report["cpu_user_s"], "cpu_user_s")?,
            number(&report["cpu_system_s"], "cpu_system_s")?,
        )),
    })
}

fn number(value: &Value, key: &'static str) -> Result<f64, ClaimError> {
    value.as_f64().ok_or(ClaimError::Unreadable(key))
}

/// Reads wrk's text; lines about failures are there only when there are some.
fn wrk_claim(text: &str) -> Result<Claim, ClaimError> {
    let mut claim = Claim { requests: 0, requests_per_s: 0.0, failures: 0, window_cpu_s: None };
    let mut complete = (false, false);
    for line in text.lines().map(str::trim) {
        if let Some((count, _)) = line.split_once(" requests in ") {
            claim.requests =
                count.parse().map_err(|_| ClaimError::Unreadable("count of requests"))?;
            complete.0 = true;
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            claim.requests_per_s =
                rate.trim().parse().map_err(|_| ClaimError::Unreadable("rate of requests"))?;
            complete.1 = true;
        } else if let Some(counts) = line.strip_prefix("Socket errors:") {
            claim.failures += numbers_in(counts);
        } else if let Some(count) = line.strip_prefix("Non-2xx or 3xx responses:") {
            claim.failures += numbers_in(count);
        }
    }
    match complete {
        (true, true) => Ok(claim),
        (false, _) => Err(ClaimError::Unreadable("count of requests")),
        (true, false) => Err(ClaimError::Unreadable("rate of requests")),
    }
}

/// Sum of the whole numbers in a line such as "connect 0, read 12, write 0, timeout 3".
fn numbers_in(text: &str) -> u64 {
    text.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRK: &str = "\
Running 3s test @ http://127.0.0.1:8080/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   305.51us   87.30us   3.55ms   88.15%
    Req/Sec   204.53k     8.03k  217.34k    73.33%
  610300 requests in 3.00s, 93.12MB read
  Socket errors: connect 0, read 12, write 0, timeout 3
  Non-2xx or 3xx responses: 5
Requests/sec: 203412.25
Transfer/sec:     31.04MB
";

    #[test]
    fn wrk_text_is_read_with_its_failures() {
        let expected = Claim {
            requests: 610_300,
            requests_per_s: 203_412.25,
            failures: 20,
            window_cpu_s: None,
        };
        assert_eq!(wrk_claim(WRK).unwrap(), expected);
    }

    #[test]
    fn wrk_text_without_a_rate_is_refused() {
        let error = wrk_claim("  5 requests in 3.00s, 1KB read\n").unwrap_err();
        assert_eq!(error.to_string(), "its output has no rate of requests");
    }

    #[test]
    fn the_saved_report_is_read_by_the_keys_other_tools_read() {
        let report = r#"{
            "totals": {"requests": 900, "requests_per_s": 300.5, "failures": 1},
            "generator": {"cpu_user_s": 0.25, "cpu_system_s": 2.5}
        }"#;
        let expected = Claim {
            requests: 900,
            requests_per_s: 300.5,
            failures: 1,
            window_cpu_s: Some((0.25, 2.5)),
        };
        assert_eq!(loadr_claim(report).unwrap(), expected);
        let error = loadr_claim(r#"{"totals": {"requests": 1}}"#).unwrap_err();
        assert_eq!(error.to_string(), "its output has no totals.requests_per_s");
    }
}
