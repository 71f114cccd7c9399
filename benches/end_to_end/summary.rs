//! A scenario's rounds, drawn together into one row a generator.

use crate::comparison::Measurement;
use crate::peers::Peer;
use crate::scenario::Scenario;
use crate::statistics::Estimate;
use crate::table::{Table, grouped};

/// Target CPU share above which a row says what the target can do.
const SERVER_BOUND_SHARE: f64 = 0.95;

/// CPU share that at least one side of a closed loop reaches, unless something else had the CPU.
const BUSY_SHARE_MIN: f64 = 0.9;

/// What all rounds of a scenario came to.
#[derive(Debug)]
pub struct Summary {
    /// Name of the scenario.
    pub name: &'static str,
    /// A row a generator that ran, in the scenario's order.
    pub rows: Vec<Row>,
    heading: String,
}

/// What all rounds of one generator came to; medians, except where said otherwise.
#[derive(Clone, Debug)]
pub struct Row {
    /// The generator.
    pub peer: Peer,
    /// Requests per second.
    pub requests_per_s: f64,
    /// Of wrk's in the same round.
    pub ratio_to_wrk: Option<Estimate>,
    /// Of the floor's in the same round.
    pub ratio_to_floor: Option<Estimate>,
    /// CPU time a request, of that of loadr-bench with a URL on the same runtime in the same round.
    pub cpu_ratio_to_url: Option<Estimate>,
    /// User-space CPU time a request.
    pub cpu_user_us: f64,
    /// Kernel CPU time a request.
    pub cpu_system_us: f64,
    /// Largest of all rounds.
    pub resident_bytes_max: Option<u64>,
    /// Share of its CPU that the generator used, 0 to 1.
    pub generator_cpu_share: f64,
    /// Share of its CPU that the target used, 0 to 1.
    pub target_cpu_share: Option<f64>,
    /// Sum over all rounds.
    pub failures: u64,
}

impl Summary {
    /// Summarises the measurements of one scenario.
    pub fn new(scenario: &Scenario, measurements: &[Measurement]) -> Self {
        let rows = scenario.peers.iter().filter_map(|&peer| Row::new(peer, measurements)).collect();
        let mut heading = format!("{}: {}\n", scenario.name, scenario.title);
        for caveat in scenario.caveats {
            heading.push_str(&format!("  ({caveat})\n"));
        }
        Self { name: scenario.name, rows, heading }
    }

    /// The row of one generator, if it ran.
    pub fn row(&self, peer: Peer) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer == peer)
    }
}

impl Row {
    /// None where the generator never ran.
    fn new(peer: Peer, measurements: &[Measurement]) -> Option<Self> {
        let own: Vec<&Measurement> =
            measurements.iter().filter(|it| it.generator == peer).collect();
        let median = |figure: fn(&Measurement) -> f64| {
            Estimate::of(&own.iter().map(|it| figure(it)).collect::<Vec<_>>()).map(|it| it.median)
        };
        let shares: Vec<_> = own.iter().filter_map(|it| it.target_cpu_share).collect();
        Some(Self {
            peer,
            requests_per_s: median(|it| it.requests_per_s)?,
            ratio_to_wrk: ratio(&own, measurements, Peer::Wrk, |it| it.requests_per_s),
            ratio_to_floor: ratio(&own, measurements, Peer::Floor, |it| it.requests_per_s),
            cpu_ratio_to_url: ratio(&own, measurements, Peer::LoadrMonoio, |it| {
                it.cpu_user_us + it.cpu_system_us
            }),
            cpu_user_us: median(|it| it.cpu_user_us)?,
            cpu_system_us: median(|it| it.cpu_system_us)?,
            resident_bytes_max: own.iter().filter_map(|it| it.resident_bytes_max).max(),
            generator_cpu_share: median(|it| it.generator_cpu_share)?,
            target_cpu_share: Estimate::of(&shares).map(|it| it.median),
            failures: own.iter().map(|it| it.failures).sum(),
        })
    }

    /// Whether the figure is the target's rather than the generator's.
    fn is_server_bound(&self) -> bool {
        self.target_cpu_share.is_some_and(|share| share > SERVER_BOUND_SHARE)
    }

    /// Whether neither side was at its limit, so that the figure may be somebody else's doing.
    fn is_disturbed(&self) -> bool {
        let target_is_idle = self.target_cpu_share.is_none_or(|share| share < BUSY_SHARE_MIN);
        self.generator_cpu_share < BUSY_SHARE_MIN && target_is_idle
    }

    /// What a reader has to know of the figures, empty where there is nothing.
    pub fn marks(&self) -> String {
        let mut marks = Vec::new();
        if self.is_server_bound() {
            marks.push("server-bound".to_owned());
        }
        if self.is_disturbed() {
            marks.push("disturbed".to_owned());
        }
        if self.failures > 0 {
            marks.push(format!("{} failed", self.failures));
        }
        marks.join(", ")
    }

    fn cells(&self) -> Vec<String> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        vec![
            self.peer.to_string(),
            grouped(self.requests_per_s),
            or_dash(self.ratio_to_wrk.map(|it| format!("{:.2}", it.median))),
            or_dash(self.ratio_to_wrk.and_then(|it| it.interval).map(interval)),
            or_dash(self.ratio_to_floor.map(|it| format!("{:.2}", it.median))),
            format!("{:.2}", self.cpu_user_us),
            format!("{:.2}", self.cpu_system_us),
            or_dash(self.resident_bytes_max.map(|bytes| format!("{:.1}", mib(bytes)))),
            format!("{:.0}", self.generator_cpu_share * 100.0),
            or_dash(self.target_cpu_share.map(|share| format!("{:.0}", share * 100.0))),
            self.marks(),
        ]
    }
}

/// A figure of one generator over that of another in the same rounds.
fn ratio(
    own: &[&Measurement],
    all: &[Measurement],
    base: Peer,
    figure: fn(&Measurement) -> f64,
) -> Option<Estimate> {
    Estimate::of_ratios(own.iter().filter_map(|it| {
        let mut bases = all.iter().filter(|other| other.generator == base);
        let base = bases.find(|other| other.round == it.round)?;
        Some((figure(it), figure(base)))
    }))
}

/// An interval as "1.38-1.44".
pub fn interval((low, high): (f64, f64)) -> String {
    format!("{low:.2}-{high:.2}")
}

/// Bytes in MiB.
pub fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Heading, caveats and table of one scenario.
pub fn render(summary: &Summary) -> String {
    if summary.rows.is_empty() {
        return format!("\n{}nothing was measured\n", summary.heading);
    }
    let mut table = Table::new(&[
        "generator",
        "requests/s",
        "/ wrk",
        "95 %",
        "/ floor",
        "user us",
        "system us",
        "RSS MiB",
        "CPU %",
        "target CPU %",
        "mark",
    ]);
    summary.rows.iter().for_each(|row| table.push(row.cells()));
    format!("\n{}{}", summary.heading, table.render())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SCENARIOS;

    fn measured(round: u32, generator: Peer, requests_per_s: f64, target: f64) -> Measurement {
        Measurement {
            scenario: "u64",
            round,
            generator,
            requests: (requests_per_s * 3.0) as u64,
            requests_per_s,
            failures: u64::from(generator == Peer::LoadrGlommio),
            cpu_user_us: 0.4,
            cpu_system_us: 3.0,
            resident_bytes_max: Some(6 << 20),
            generator_cpu_share: if generator == Peer::LoadrGlommio { 0.5 } else { 0.99 },
            target_cpu_share: Some(target),
        }
    }

    #[test]
    fn a_scenario_is_one_row_a_generator_that_ran() {
        let measurements: Vec<_> = (0..9)
            .flat_map(|round| {
                let drift = 1.0 - f64::from(round) / 100.0;
                [
                    measured(round, Peer::Floor, 300_000.0 * drift, 0.97),
                    measured(round, Peer::Wrk, 200_000.0 * drift, 0.7),
                    measured(round, Peer::LoadrGlommio, 240_000.0 * drift, 0.8),
                ]
            })
            .collect();
        let scenario = Scenario { caveats: &["unfair"], ..SCENARIOS[0] };
        let golden = "
u64: 64 users, keep-alive, one request at a time
  (unfair)
generator            requests/s  / wrk       95 %  / floor  user us  system us  RSS MiB  CPU %  target CPU %  mark
floor                   288,000   1.50  1.50-1.50     1.00     0.40       3.00      6.0     99            97  server-bound
wrk                     192,000   1.00  1.00-1.00     0.67     0.40       3.00      6.0     99            70
loadr-bench glommio     230,400   1.20  1.20-1.20     0.80     0.40       3.00      6.0     50            80  disturbed, 9 failed
";
        assert_eq!(render(&Summary::new(&scenario, &measurements)), golden);
    }
}
