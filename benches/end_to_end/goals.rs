//! What the project set out to reach, beside what was reached.
//!
//! A goal missed is a line in the output and nothing more: figures depend on the machine, and a
//! test that fails on a busy one teaches people to ignore tests.

use crate::peers::Peer;
use crate::statistics::Estimate;
use crate::summary::{Row, Summary, interval, mib};
use crate::table::{Table, grouped};

/// One figure to reach.
struct Goal {
    scenario: &'static str,
    peer: Peer,
    bound: Bound,
}

/// The figure, and how good it has to be.
enum Bound {
    /// Least part of another generator's rate.
    RateOf(Peer, f64),
    /// More than another generator's rate.
    RateAbove(Peer),
    /// Least rate.
    PerSecond(f64),
    /// Greatest part of another generator's CPU time a request.
    CpuOf(Peer, f64),
    UserMicros(f64),
    ResidentMib(f64),
}

/// 20 MiB, and 5 KiB for each of 10,000 users.
const RESIDENT_MIB_10K: f64 = 20.0 + 10_000.0 * 5.0 / 1024.0;

const fn goal(scenario: &'static str, peer: Peer, bound: Bound) -> Goal {
    Goal { scenario, peer, bound }
}

const GOALS: &[Goal] = &[
    goal("u64", Peer::LoadrMonoio, Bound::RateOf(Peer::Wrk, 1.35)),
    goal("u64", Peer::LoadrMonoio, Bound::RateOf(Peer::Floor, 0.95)),
    goal("u64", Peer::LoadrMonoio, Bound::UserMicros(0.6)),
    goal("u64", Peer::LoadrMonoioEpoll, Bound::RateOf(Peer::Wrk, 1.1)),
    goal("u64", Peer::LoadrGlommio, Bound::RateOf(Peer::Wrk, 1.1)),
    goal("u512", Peer::LoadrMonoio, Bound::RateOf(Peer::Wrk, 1.25)),
    goal("u512", Peer::LoadrMonoio, Bound::UserMicros(0.6)),
    goal("pipeline16", Peer::LoadrMonoio, Bound::RateOf(Peer::Wrk, 1.6)),
    goal("u10000", Peer::LoadrMonoio, Bound::RateOf(Peer::Wrk, 1.2)),
    goal("u10000", Peer::LoadrMonoio, Bound::ResidentMib(RESIDENT_MIB_10K)),
    goal("tls64", Peer::LoadrTls, Bound::RateOf(Peer::LoadrHttp, 0.75)),
    goal("tls64", Peer::LoadrTls, Bound::RateOf(Peer::WrkTls, 1.3)),
    goal("tls64-nginx", Peer::LoadrTls, Bound::RateOf(Peer::LoadrHttp, 0.75)),
    goal("tls64-nginx", Peer::LoadrTls, Bound::RateOf(Peer::WrkTls, 1.3)),
    goal("handshakes", Peer::LoadrFull, Bound::PerSecond(1_000.0)),
    goal("handshakes", Peer::LoadrResumed, Bound::RateAbove(Peer::LoadrFull)),
    goal("ws64", Peer::LoadrWebSocket, Bound::RateOf(Peer::LoadrHttp, 0.95)),
    goal("ws64", Peer::LoadrWebSocket, Bound::RateOf(Peer::PythonWebsockets, 5.0)),
    goal("ws64", Peer::LoadrWebSocket, Bound::RateOf(Peer::NpmWs, 5.0)),
    goal("xmlrpc64", Peer::LoadrScenario, Bound::RateOf(Peer::LoadrMonoio, 0.85)),
    goal("redis", Peer::LoadrRedis, Bound::RateOf(Peer::RedisBenchmark, 0.85)),
    goal("redis-pipeline16", Peer::LoadrRedis, Bound::RateOf(Peer::RedisBenchmark, 0.85)),
    goal("scenario-get", Peer::LoadrScenario, Bound::CpuOf(Peer::LoadrMonoio, 1.10)),
    goal("scenario-journey", Peer::LoadrScenario, Bound::CpuOf(Peer::LoadrMonoio, 1.35)),
];

impl Bound {
    fn wanted(&self) -> String {
        match self {
            Self::RateOf(base, least) => format!("at least {least:.2} times {base}"),
            Self::RateAbove(base) => format!("more than {base}"),
            Self::PerSecond(least) => format!("at least {} a second", grouped(*least)),
            Self::CpuOf(base, most) => {
                format!("at most {most:.2} times the CPU time a request of {base}")
            }
            Self::UserMicros(most) => format!("at most {most:.2} us of user time a request"),
            Self::ResidentMib(most) => format!("at most {most:.1} MiB resident"),
        }
    }

    /// What was measured, in words, and whether it is good enough; none where it was not measured.
    fn judge(&self, row: &Row) -> Option<(String, bool)> {
        let shown = |estimate: Estimate| {
            let range = estimate.interval.map(|it| format!(" ({})", interval(it)));
            format!("{:.2}{}", estimate.median, range.unwrap_or_default())
        };
        match *self {
            Self::RateOf(base, least) => {
                let rate = row.ratios_to(base)?.rate;
                Some((shown(rate), rate.median >= least))
            }
            Self::RateAbove(base) => {
                let rate = row.ratios_to(base)?.rate;
                Some((shown(rate), rate.median > 1.0))
            }
            Self::PerSecond(least) => {
                Some((grouped(row.requests_per_s), row.requests_per_s >= least))
            }
            Self::CpuOf(base, most) => {
                let cpu = row.ratios_to(base)?.cpu;
                Some((shown(cpu), cpu.median <= most))
            }
            Self::UserMicros(most) => {
                Some((format!("{:.2}", row.cpu_user_us), row.cpu_user_us <= most))
            }
            Self::ResidentMib(most) => {
                let resident = mib(row.resident_bytes_max?);
                Some((format!("{resident:.1}"), resident <= most))
            }
        }
    }
}

/// All goals of the scenarios that ran, each with what became of it.
pub fn render(summaries: &[Summary]) -> String {
    let mut table = Table::new(["goal", "measured", "verdict", "wanted"]);
    for summary in summaries {
        for goal in GOALS.iter().filter(|goal| goal.scenario == summary.name) {
            table.push(judged(goal, summary.row(goal.peer)));
        }
    }
    format!("\n{}", table.render())
}

fn judged(goal: &Goal, row: Option<&Row>) -> Vec<String> {
    let (figure, verdict) = match row.and_then(|row| goal.bound.judge(row)) {
        Some((figure, true)) => (figure, "reached"),
        Some((figure, false)) => (figure, "not reached"),
        None => ("-".to_owned(), "not measured"),
    };
    let mut wanted = goal.bound.wanted();
    let marks = row.map(Row::marks).unwrap_or_default();
    if !marks.is_empty() {
        wanted.push_str(&format!(" ({marks})"));
    }
    vec![format!("{} {}", goal.scenario, goal.peer), figure, verdict.to_owned(), wanted]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::Ratios;

    fn row() -> Row {
        let ratio = Estimate { median: 1.4, interval: Some((1.38, 1.44)) };
        Row {
            peer: Peer::LoadrMonoio,
            requests_per_s: 280_000.0,
            ratios: vec![Ratios { base: Peer::Wrk, rate: ratio, cpu: ratio }],
            cpu_user_us: 0.65,
            cpu_system_us: 3.0,
            resident_bytes_max: Some(68 << 20),
            generator_cpu_share: 0.99,
            target_cpu_share: Some(0.9),
            resumed_share: None,
            failures: 0,
        }
    }

    #[test]
    fn a_goal_is_reached_missed_or_not_measured() {
        let verdict = |bound| judged(&goal("u64", Peer::LoadrMonoio, bound), Some(&row()));
        let reached = verdict(Bound::RateOf(Peer::Wrk, 1.35));
        assert_eq!(reached[..3], ["u64 loadr-bench monoio", "1.40 (1.38-1.44)", "reached"]);
        assert_eq!(verdict(Bound::RateOf(Peer::Wrk, 1.41))[2], "not reached");
        assert_eq!(verdict(Bound::RateAbove(Peer::Wrk))[2], "reached");
        assert_eq!(verdict(Bound::PerSecond(280_001.0))[1..3], ["280,000", "not reached"]);
        assert_eq!(verdict(Bound::CpuOf(Peer::Wrk, 1.4))[2], "reached");
        assert_eq!(verdict(Bound::CpuOf(Peer::Wrk, 1.3))[2], "not reached");
        assert_eq!(verdict(Bound::UserMicros(0.6))[1..3], ["0.65", "not reached"]);
        assert_eq!(verdict(Bound::ResidentMib(RESIDENT_MIB_10K))[2], "reached");
        assert_eq!(verdict(Bound::RateOf(Peer::Floor, 0.95))[2], "not measured");
    }
}
