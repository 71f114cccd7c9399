//! The rounds: one scenario at a time, every generator once a round, in rotated order.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{self, Display};
use std::time::Duration;

use serde::Serialize;
use tempfile::TempDir;

use crate::build::Binaries;
use crate::machine::Machine;
use crate::peers::{self, Claim, Invocation, Peer, Setting};
use crate::process::{Finished, Generator};
use crate::raw_data::RawData;
use crate::scenario::Scenario;
use crate::servers::{self, Place, Server, ServerError, Servers};
use crate::table::grouped;

/// What a generator may take beyond its window, for starting, connecting and its report.
const GRACE: Duration = Duration::from_secs(30);

/// Descriptors a process needs besides its connections.
const DESCRIPTORS_SPARE: u64 = 64;

/// How much is measured.
#[derive(Debug)]
pub struct Settings {
    /// Runs of each generator in each scenario.
    pub rounds: u32,
    /// Length of each run's measured window.
    pub window: Duration,
}

impl Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interleaved rounds of {:?} each", self.rounds, self.window)
    }
}

/// One run of one generator.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// Name of the scenario.
    pub scenario: &'static str,
    /// From 0.
    pub round: u32,
    /// The generator; its name in the raw data.
    #[serde(serialize_with = "serialize_name")]
    pub generator: Peer,
    /// Answered requests.
    pub requests: u64,
    /// As the generator says.
    pub requests_per_s: f64,
    /// Failed requests, as the generator says.
    pub failures: u64,
    /// User-space CPU time a request.
    pub cpu_user_us: f64,
    /// Kernel CPU time a request.
    pub cpu_system_us: f64,
    /// Largest resident memory.
    pub resident_bytes_max: Option<u64>,
    /// Share of its CPU that the generator used from its start to its end, 0 to 1.
    pub generator_cpu_share: f64,
    /// Share of its CPU that the target used in the window, 0 to 1.
    pub target_cpu_share: Option<f64>,
    /// Part of the TLS handshakes that resumed a session, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_share: Option<f64>,
}

fn serialize_name<S: serde::Serializer>(peer: &Peer, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(peer.name())
}

/// Everything that stays the same from one run to the next.
#[derive(Debug)]
pub struct Comparison<'a> {
    machine: &'a Machine,
    binaries: &'a Binaries,
    settings: &'a Settings,
    files: TempDir,
}

impl<'a> Comparison<'a> {
    /// Prepares the generators' files; starts nothing.
    pub fn new(
        machine: &'a Machine,
        binaries: &'a Binaries,
        settings: &'a Settings,
    ) -> Result<Self, Box<dyn Error>> {
        let files = tempfile::tempdir()?;
        peers::write_files(files.path())?;
        servers::write_certificate(files.path())?;
        Ok(Self { machine, binaries, settings, files })
    }

    /// Runs all rounds of one scenario against fresh servers.
    ///
    /// A generator that cannot run is said to, and left out of the rounds that follow; so is a scenario whose server
    /// others make and is absent. Only a server that is there and cannot run is an error.
    pub fn run(
        &mut self,
        scenario: &Scenario,
        raw_data: &mut RawData,
    ) -> Result<Vec<Measurement>, Box<dyn Error>> {
        let needed = u64::from(scenario.users) + DESCRIPTORS_SPARE;
        if self.machine.descriptors_max < needed {
            let found = self.machine.descriptors_max;
            raw_data.say(&format!(
                "{} is left out: it needs {needed} descriptors, and the hard limit is {found}",
                scenario.name
            ));
            return Ok(Vec::new());
        }
        let (binaries, files) = (self.binaries, self.files.path());
        let place = Place { binaries, files, cpu: self.machine.target_cpu() };
        match Servers::start(scenario.server, scenario.peers, &place) {
            Ok(servers) => {
                let peers = scenario.peers.iter().filter_map(|peer| peer.version());
                for version in scenario.server.version().into_iter().chain(peers) {
                    raw_data.say(&format!("{}: {version}", scenario.name));
                }
                self.run_rounds(scenario, &servers, raw_data)
            }
            Err(error @ ServerError::Missing { .. }) => {
                raw_data.say(&format!("{} is left out: {error}", scenario.name));
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn run_rounds(
        &self,
        scenario: &Scenario,
        servers: &Servers,
        raw_data: &mut RawData,
    ) -> Result<Vec<Measurement>, Box<dyn Error>> {
        let mut left_out = BTreeSet::new();
        let mut measurements = Vec::new();
        for round in 0..self.settings.rounds {
            let mut peers = scenario.peers.to_vec();
            peers.rotate_left(round as usize % scenario.peers.len());
            peers.retain(|peer| !left_out.contains(peer));
            for peer in peers {
                match self.measure(scenario, peer, round, servers.of(peer)) {
                    Ok(measurement) => {
                        self.show_progress(&measurement);
                        raw_data.add(&measurement)?;
                        measurements.push(measurement);
                    }
                    Err(error) => {
                        raw_data.say(&format!("{} {peer} is left out: {error}", scenario.name));
                        left_out.insert(peer);
                    }
                }
            }
        }
        Ok(measurements)
    }

    fn measure(
        &self,
        scenario: &Scenario,
        peer: Peer,
        round: u32,
        server: &Server,
    ) -> Result<Measurement, Box<dyn Error>> {
        let cpu = self.machine.generator_cpu();
        let invocation = Invocation::new(
            peer,
            &Setting {
                scenario,
                window: self.settings.window,
                address: server.address,
                binaries: self.binaries,
                files: self.files.path(),
                cpu,
            },
        )?;
        let Invocation { window, warm_up, .. } = invocation;
        let generator = Generator {
            program: &invocation.program,
            args: invocation.args.clone(),
            cpu,
            window,
            limit: warm_up + window + GRACE,
        };
        let finished = generator.run(server)?;
        let claim = invocation.claim(&finished)?;
        Ok(measurement(scenario, peer, round, &claim, &finished))
    }

    fn show_progress(&self, measurement: &Measurement) {
        eprintln!(
            "{} round {}/{}: {} {} requests/s",
            measurement.scenario,
            measurement.round + 1,
            self.settings.rounds,
            measurement.generator,
            grouped(measurement.requests_per_s),
        );
    }
}

fn measurement(
    scenario: &Scenario,
    peer: Peer,
    round: u32,
    claim: &Claim,
    finished: &Finished,
) -> Measurement {
    let whole = (finished.cpu_user.as_secs_f64(), finished.cpu_system.as_secs_f64());
    // The process's times cover a warm-up whose requests are not in the claim, or the reading of a program.
    let is_apart = !scenario.warm_up.is_zero() || peer.is_interpreted();
    let window = claim.window_cpu_s.filter(|_| is_apart);
    let (user_s, system_s) = window.unwrap_or(whole);
    let micros_per_request = |seconds: f64| seconds * 1e6 / claim.requests.max(1) as f64;
    Measurement {
        scenario: scenario.name,
        round,
        generator: peer,
        requests: claim.requests,
        requests_per_s: claim.requests_per_s,
        failures: claim.failures,
        cpu_user_us: micros_per_request(user_s),
        cpu_system_us: micros_per_request(system_s),
        resident_bytes_max: finished.resident_bytes_max,
        generator_cpu_share: (whole.0 + whole.1) / finished.elapsed.as_secs_f64(),
        target_cpu_share: finished.target_cpu_share,
        resumed_share: claim.resumed_share,
    }
}
