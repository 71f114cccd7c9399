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
    /// The generators whose ratios are shown.
    bases: &'static [Peer],
    heading: String,
}

/// What all rounds of one generator came to; medians, except where said otherwise.
#[derive(Clone, Debug)]
pub struct Row {
    /// The generator.
    pub peer: Peer,
    /// Requests per second.
    pub requests_per_s: f64,
    /// What that is of others', one for each generator that ran.
    pub ratios: Vec<Ratios>,
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
    /// Part of the TLS handshakes that resumed a session, 0 to 1.
    pub resumed_share: Option<f64>,
    /// Sum over all rounds.
    pub failures: u64,
}

/// Figures of one generator over those of another in the same rounds.
#[derive(Clone, Copy, Debug)]
pub struct Ratios {
    /// The other generator.
    pub base: Peer,
    /// Of requests per second.
    pub rate: Estimate,
    /// Of CPU time a request.
    pub cpu: Estimate,
}

impl Summary {
    /// Summarises the measurements of one scenario.
    pub fn new(scenario: &Scenario, measurements: &[Measurement]) -> Self {
        let row = |&peer| Row::new(peer, scenario.peers, measurements);
        let rows = scenario.peers.iter().filter_map(row).collect();
        let mut heading = format!("{}: {}\n", scenario.name, scenario.title);
        for caveat in scenario.caveats {
            heading.push_str(&format!("  ({caveat})\n"));
        }
        Self { name: scenario.name, rows, bases: scenario.bases, heading }
    }

    /// The row of one generator, if it ran.
    pub fn row(&self, peer: Peer) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer == peer)
    }
}

impl Row {
    /// None where the generator never ran.
    fn new(peer: Peer, peers: &[Peer], measurements: &[Measurement]) -> Option<Self> {
        let own: Vec<&Measurement> =
            measurements.iter().filter(|it| it.generator == peer).collect();
        let median = |figure: fn(&Measurement) -> f64| {
            Estimate::of(&own.iter().map(|it| figure(it)).collect::<Vec<_>>()).map(|it| it.median)
        };
        let shares: Vec<_> = own.iter().filter_map(|it| it.target_cpu_share).collect();
        let resumed: Vec<_> = own.iter().filter_map(|it| it.resumed_share).collect();
        Some(Self {
            peer,
            requests_per_s: median(|it| it.requests_per_s)?,
            ratios: peers.iter().filter_map(|&it| Ratios::new(&own, it, measurements)).collect(),
            cpu_user_us: median(|it| it.cpu_user_us)?,
            cpu_system_us: median(|it| it.cpu_system_us)?,
            resident_bytes_max: own.iter().filter_map(|it| it.resident_bytes_max).max(),
            generator_cpu_share: median(|it| it.generator_cpu_share)?,
            target_cpu_share: Estimate::of(&shares).map(|it| it.median),
            resumed_share: Estimate::of(&resumed).map(|it| it.median),
            failures: own.iter().map(|it| it.failures).sum(),
        })
    }

    /// What its figures are of another generator's; none where that never ran in the same round.
    pub fn ratios_to(&self, base: Peer) -> Option<&Ratios> {
        self.ratios.iter().find(|it| it.base == base)
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
        if self.peer.is_serial() {
            marks.push("one at a time".to_owned());
        } else if self.is_disturbed() {
            marks.push("disturbed".to_owned());
        }
        if let Some(share) = self.resumed_share.filter(|_| self.peer.resumes()) {
            marks.push(format!("{:.0} % resumed", share * 100.0));
        }
        if self.failures > 0 {
            marks.push(format!("{} failed", self.failures));
        }
        marks.join(", ")
    }

    fn cells(&self, bases: &[Peer]) -> Vec<String> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let mut cells = vec![self.peer.to_string(), grouped(self.requests_per_s)];
        for &base in bases {
            let rate = self.ratios_to(base).map(|it| it.rate);
            cells.push(or_dash(rate.map(|it| format!("{:.2}", it.median))));
            cells.push(or_dash(rate.and_then(|it| it.interval).map(interval)));
        }
        cells.extend([
            format!("{:.2}", self.cpu_user_us),
            format!("{:.2}", self.cpu_system_us),
            or_dash(self.resident_bytes_max.map(|bytes| format!("{:.1}", mib(bytes)))),
            format!("{:.0}", self.generator_cpu_share * 100.0),
            or_dash(self.target_cpu_share.map(|share| format!("{:.0}", share * 100.0))),
            self.marks(),
        ]);
        cells
    }
}

impl Ratios {
    /// None where the two never ran in the same round.
    fn new(own: &[&Measurement], base: Peer, all: &[Measurement]) -> Option<Self> {
        let ratio = |figure: fn(&Measurement) -> f64| {
            Estimate::of_ratios(own.iter().filter_map(|it| {
                let mut bases = all.iter().filter(|other| other.generator == base);
                let base = bases.find(|other| other.round == it.round)?;
                Some((figure(it), figure(base)))
            }))
        };
        let rate = ratio(|it| it.requests_per_s)?;
        Some(Self { base, rate, cpu: ratio(|it| it.cpu_user_us + it.cpu_system_us)? })
    }
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
    let mut headings = vec!["generator".to_owned(), "requests/s".to_owned()];
    for base in summary.bases {
        headings.extend([format!("/ {base}"), "95 %".to_owned()]);
    }
    let costs = ["user us", "system us", "RSS MiB", "CPU %", "target CPU %", "mark"];
    headings.extend(costs.map(str::to_owned));
    let mut table = Table::new(headings);
    summary.rows.iter().for_each(|row| table.push(row.cells(summary.bases)));
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
            resumed_share: Some(0.0),
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
generator            requests/s  / wrk       95 %  / floor       95 %  user us  system us  RSS MiB  CPU %  target CPU %  mark
floor                   288,000   1.50  1.50-1.50     1.00  1.00-1.00     0.40       3.00      6.0     99            97  server-bound
wrk                     192,000   1.00  1.00-1.00     0.67  0.67-0.67     0.40       3.00      6.0     99            70
loadr-bench glommio     230,400   1.20  1.20-1.20     0.80  0.80-0.80     0.40       3.00      6.0     50            80  disturbed, 9 failed
";
        assert_eq!(render(&Summary::new(&scenario, &measurements)), golden);
    }
}
