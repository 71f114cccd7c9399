//! Each doubt about a result, typed, with the figures that raise it and what to do about it.
//!
//! A load test misleads most when it misleads silently: a busy generator reads as a slow target, a debug build
//! as a slow one. [`Warning::detect`] looks at what a run came to and where it ran, and is a pure function of
//! both, so that every threshold is tested. Warnings never change an exit code; they stand at the end of the
//! report and in the saved one.

use std::collections::BTreeSet;
use std::time::Duration;

use loadr_engine::clock::nanos;
use loadr_engine::coordinator::{EndedBy, RunOutcome, ShardOutcome};
use loadr_engine::record::{EntryCounts, EntryKind, OTHER_NAME};
use serde::{Deserialize, Serialize};

use crate::environment::{Environment, GeneratorUsage};
use crate::report::locust::has_row;
use crate::report::units::{count, counted, percent};

/// A shard busier than this, in per cent, leaves no room to tell its own delays from the target's.
const BUSY_PERCENT_MAX: f64 = 95.0;
/// Stolen CPU time, in per cent, from which response times are in doubt.
const STEAL_PERCENT_MAX: f64 = 1.0;
/// Failures, or exchanges cut off, in per cent of all, from which percentiles are in doubt.
const ODD_EXCHANGES_PERCENT_MAX: f64 = 1.0;
/// Shortest run whose share of CPU time says anything.
const SATURATION_SPAN_MIN: Duration = Duration::from_millis(100);
/// Shortest silence at the end of a run that is worth a word.
const SILENCE_MIN: Duration = Duration::from_millis(500);
/// Samples that should lie beyond a percentile for it to be more than an anecdote.
const SAMPLES_BEYOND_MIN: u64 = 10;
/// Percentiles that the report shows, each with one in how many samples lies beyond it.
const TAILS: [(&str, u64); 4] = [("p90", 10), ("p99", 100), ("p99.9", 1_000), ("p99.99", 10_000)];

/// One doubt about a result.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each message says what its figures are")]
pub enum Warning {
    /// A shard was lost, and what it measured since its last snapshot with it.
    ShardLost { shard: usize, reason: String },
    /// No exchange, and no task that is counted, ended in the measured time.
    NothingMeasured,
    /// Users ended by themselves, so that nobody was left for the rest of the budget.
    BudgetUnspent,
    /// The generator was compiled without optimisation.
    DebugBuild,
    /// Shards had no CPU time to spare.
    GeneratorSaturated { shards: Vec<usize>, busy_percent_max: f64 },
    /// A target on this machine had no CPU that a shard was not pinned to.
    TargetSharesCpu { cpus: Vec<usize> },
    /// The hypervisor ran something else on these CPUs.
    CpuStolen { steal_percent: f64 },
    /// io_uring was wanted and refused.
    EpollFallback { reason: String },
    /// Reading the clock costs a system call.
    SlowClock { source: String },
    /// Times longer than the histogram's range were counted at its end.
    HistogramClipped { samples: u64 },
    /// The percentile rests on too few samples, and so do those above it.
    TooFewSamples { percentile: &'static str, samples: u64, samples_needed: u64 },
    /// Failed exchanges weigh in the response times.
    FailuresAmongPercentiles { failures: u64, requests: u64 },
    /// Exchanges without an end are missing from the response times.
    ExchangesCutOff { cut_off: u64, requests: u64 },
    /// Nothing was answered for longer than any answer took, while exchanges were in flight.
    SilentAtEnd { cut_off: u64, silent_s: f64 },
    /// Intervals were merged because no cleared snapshot had come back in time.
    HandoversMissed { handovers: u64 },
    /// There were more names than entries allowed.
    NamesOverLimit { requests: u64 },
    /// Nobody looked at the certificates of the targets.
    CertificatesUnchecked { handshakes: u64 },
}

/// What is known of the targets beside what they answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// All of them are on this machine.
    pub on_loopback: bool,
    /// Any certificate would do.
    pub certificates_unchecked: bool,
}

impl Warning {
    /// Every doubt about `outcome`, the gravest first.
    pub fn detect(
        outcome: &RunOutcome,
        environment: &Environment,
        usage: GeneratorUsage,
        target: TargetFacts,
    ) -> Vec<Warning> {
        let mut warnings = lost_shards(outcome);
        warnings.extend(nothing_measured(outcome));
        warnings.extend(budget_unspent(outcome));
        warnings.extend((environment.build_profile == "debug").then_some(Warning::DebugBuild));
        warnings.extend(saturated_shards(outcome));
        warnings.extend(target.on_loopback.then(|| shared_cpus(outcome, environment)).flatten());
        warnings.extend(stolen_cpu(usage));
        warnings.extend(fallback(environment));
        warnings.extend(slow_clock(environment));
        warnings.extend(doubtful_times(outcome));
        warnings.extend(lost_detail(outcome));
        warnings.extend(target.certificates_unchecked.then(|| unchecked(outcome)).flatten());
        warnings
    }

    /// Short name for scripts, in kebab case.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ShardLost { .. } => "shard-lost",
            Self::NothingMeasured => "nothing-measured",
            Self::BudgetUnspent => "budget-unspent",
            Self::DebugBuild => "debug-build",
            Self::GeneratorSaturated { .. } => "generator-saturated",
            Self::TargetSharesCpu { .. } => "target-shares-cpu",
            Self::CpuStolen { .. } => "cpu-stolen",
            Self::EpollFallback { .. } => "epoll-fallback",
            Self::SlowClock { .. } => "slow-clock",
            Self::HistogramClipped { .. } => "histogram-clipped",
            Self::TooFewSamples { .. } => "too-few-samples",
            Self::FailuresAmongPercentiles { .. } => "failures-among-percentiles",
            Self::ExchangesCutOff { .. } => "exchanges-cut-off",
            Self::SilentAtEnd { .. } => "silent-at-end",
            Self::HandoversMissed { .. } => "handovers-missed",
            Self::NamesOverLimit { .. } => "names-over-limit",
            Self::CertificatesUnchecked { .. } => "certificates-unchecked",
        }
    }

    /// What was seen, with its figures.
    pub fn message(&self) -> String {
        match self {
            Self::ShardLost { shard, reason } => format!(
                "shard {shard} was lost ({reason}): the run is invalid, the figures are those of the other shards"
            ),
            Self::NothingMeasured => "no exchange ended in the measured time".to_owned(),
            Self::BudgetUnspent => {
                "every user had ended by itself before all requests or iterations were made"
                    .to_owned()
            }
            Self::DebugBuild => "this is a debug build: it sends several times less".to_owned(),
            Self::GeneratorSaturated { shards, busy_percent_max } => format!(
                "{} busy up to {busy_percent_max:.1} % of the time: the generator may be the limit, not the target",
                numbered("shard", shards)
            ),
            Self::TargetSharesCpu { cpus } => format!(
                "the target is on this machine and every CPU it may run on ({}) has a shard pinned to it",
                list(cpus)
            ),
            Self::CpuStolen { steal_percent } => {
                format!("the hypervisor took {steal_percent:.1} % of this machine's CPU time")
            }
            Self::EpollFallback { reason } => {
                format!("io_uring is not available ({reason}): epoll took over, and costs more CPU")
            }
            Self::SlowClock { source } => {
                format!("the clock source is {source}: reading the time costs a system call")
            }
            Self::HistogramClipped { samples } => format!(
                "{} took longer than 1 h and counted as 1 h in the percentiles",
                counted(*samples, "exchange")
            ),
            Self::TooFewSamples { percentile, samples, samples_needed } => format!(
                "{} too few for {percentile} and above: {} needed for {percentile}",
                were(*samples, "sample"),
                count(*samples_needed)
            ),
            Self::FailuresAmongPercentiles { failures, requests } => format!(
                "{} of {} failed ({:.1} %), and their times are among the percentiles",
                count(*failures),
                counted(*requests, "exchange"),
                percent(*failures as f64, *requests as f64)
            ),
            Self::SilentAtEnd { cut_off, silent_s } => format!(
                "nothing was answered in the last {silent_s:.2} s, while {} waited: no percentile shows that wait",
                counted(*cut_off, "exchange")
            ),
            Self::ExchangesCutOff { cut_off, requests } => format!(
                "{} cut off at the end beside {} finished: the slowest may be missing from the percentiles",
                were(*cut_off, "exchange"),
                count(*requests)
            ),
            Self::HandoversMissed { handovers } => format!(
                "{} of a snapshot found none cleared: rows of the series hold more than their own interval",
                counted(*handovers, "handover")
            ),
            Self::NamesOverLimit { requests } => format!(
                "{} counted under {OTHER_NAME}: there were more names than --max-names allows",
                were(*requests, "exchange")
            ),
            Self::CertificatesUnchecked { handshakes } => format!(
                "{} made without a look at the target's certificate (--insecure)",
                were(*handshakes, "TLS handshake")
            ),
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::ShardLost { .. } => "report it with the reason above; do not use the totals",
            Self::NothingMeasured => {
                "see the errors and exceptions, or run for longer than one exchange takes"
            }
            Self::BudgetUnspent => {
                "see what ends users: rows of data that run out, stop_user, errors in on_start"
            }
            Self::DebugBuild => "build with `cargo build --release`",
            Self::GeneratorSaturated { .. } => {
                "add shards (--shards, --cpus), or read the rate as a lower bound and the times as upper bounds"
            }
            Self::TargetSharesCpu { .. } => {
                "leave the target a CPU of its own (--shards, --cpus), or move it to another machine"
            }
            Self::CpuStolen { .. } => "run again on a quieter or dedicated machine",
            Self::EpollFallback { .. } => {
                "allow io_uring (kernel.io_uring_disabled, the container's seccomp profile, locked memory)"
            }
            Self::SlowClock { .. } => "prefer a machine whose clock source is tsc",
            Self::HistogramClipped { .. } => "set a shorter --timeout",
            Self::TooFewSamples { .. } => "run for longer, or leave those percentiles unread",
            Self::FailuresAmongPercentiles { .. } => {
                "see the error report; quick refusals pull the percentiles down, timeouts up"
            }
            Self::ExchangesCutOff { .. } => "raise --stop-timeout so that they can end",
            Self::SilentAtEnd { .. } => "look at the target: it may have stalled or died",
            Self::HandoversMissed { .. } => {
                "totals are unaffected; leave a CPU free for the control thread to restore the series"
            }
            Self::NamesOverLimit { .. } => {
                "group addresses that differ only in an identifier under one name, or raise --max-names"
            }
            Self::CertificatesUnchecked { .. } => {
                "name the target's authority, or its own certificate, with --cacert"
            }
        }
    }
}

/// A warning as the saved report holds it: text for people, figures for programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportedWarning {
    /// [`Warning::kind`].
    pub kind: String,
    /// [`Warning::message`].
    pub message: String,
    /// [`Warning::advice`].
    pub advice: String,
    /// The figures in the message, under the names of the variant's fields.
    #[serde(flatten)]
    pub figures: serde_json::Map<String, serde_json::Value>,
}

impl From<&Warning> for ReportedWarning {
    fn from(warning: &Warning) -> Self {
        let figures = match serde_json::to_value(warning) {
            Ok(serde_json::Value::Object(figures)) => figures,
            _ => serde_json::Map::new(), // a variant without figures
        };
        Self {
            kind: warning.kind().to_owned(),
            message: warning.message(),
            advice: warning.advice().to_owned(),
            figures,
        }
    }
}

fn exchanges(outcome: &RunOutcome) -> impl Iterator<Item = (&str, &EntryCounts)> {
    let of_kind = outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange);
    of_kind.map(|entry| (&*entry.key.name, &entry.counts))
}

fn requests(outcome: &RunOutcome) -> u64 {
    exchanges(outcome).map(|(_, counts)| counts.requests).sum()
}

fn unchecked(outcome: &RunOutcome) -> Option<Warning> {
    let made = outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Handshake);
    let handshakes = made.map(|entry| entry.counts.requests - entry.counts.failures).sum();
    (handshakes > 0).then_some(Warning::CertificatesUnchecked { handshakes })
}

fn lost_shards(outcome: &RunOutcome) -> Vec<Warning> {
    let lost = |shard: &ShardOutcome| {
        let reason = shard.panicked.clone()?;
        Some(Warning::ShardLost { shard: shard.index, reason })
    };
    outcome.shards.iter().filter_map(lost).collect()
}

fn nothing_measured(outcome: &RunOutcome) -> Option<Warning> {
    // Tasks that make no exchange, such as commands, are measured where they have entries.
    (!outcome.entries.iter().any(has_row)).then_some(Warning::NothingMeasured)
}

fn budget_unspent(outcome: &RunOutcome) -> Option<Warning> {
    (outcome.ended_by == EndedBy::NoUsers).then_some(Warning::BudgetUnspent)
}

fn saturated_shards(outcome: &RunOutcome) -> Option<Warning> {
    if outcome.measured < SATURATION_SPAN_MIN {
        return None;
    }
    let measured_s = outcome.measured.as_secs_f64();
    let busy = |shard: &ShardOutcome| {
        let busy_s = (shard.cpu_user + shard.cpu_system).as_secs_f64();
        // CPU time is read a little after the end, so a little more than all of it can be found.
        (shard.index, percent(busy_s, measured_s).min(100.0))
    };
    let (shards, percents): (Vec<usize>, Vec<f64>) =
        outcome.shards.iter().map(busy).filter(|&(_, percent)| percent > BUSY_PERCENT_MAX).unzip();
    let busy_percent_max = percents.into_iter().reduce(f64::max)?;
    Some(Warning::GeneratorSaturated { shards, busy_percent_max })
}

fn shared_cpus(outcome: &RunOutcome, environment: &Environment) -> Option<Warning> {
    let pinned: Vec<usize> = outcome.shards.iter().filter_map(|shard| shard.cpu).collect();
    let cpus = &environment.cpus.online;
    let all_taken = !cpus.is_empty() && cpus.iter().all(|cpu| pinned.contains(cpu));
    all_taken.then(|| Warning::TargetSharesCpu { cpus: cpus.clone() })
}

fn stolen_cpu(usage: GeneratorUsage) -> Option<Warning> {
    let steal_percent = usage.cpu_steal_percent.filter(|&stolen| stolen > STEAL_PERCENT_MAX)?;
    Some(Warning::CpuStolen { steal_percent })
}

fn fallback(environment: &Environment) -> Option<Warning> {
    let reason = environment.runtime.fallback.clone()?;
    Some(Warning::EpollFallback { reason })
}

fn slow_clock(environment: &Environment) -> Option<Warning> {
    // These are read in the vDSO on their architectures: x86, KVM and Hyper-V guests, Arm.
    const QUICK: [&str; 5] =
        ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "timebase"];
    let source = environment.clock.clone().filter(|source| !QUICK.contains(&source.as_str()))?;
    Some(Warning::SlowClock { source })
}

/// Doubts about the percentiles.
fn doubtful_times(outcome: &RunOutcome) -> Vec<Warning> {
    let requests = requests(outcome);
    let failures = exchanges(outcome).map(|(_, counts)| counts.failures).sum();
    let clipped = exchanges(outcome).map(|(_, counts)| counts.response_time.clipped()).sum();
    let cut_off = outcome.cut_off;
    let odd = |number: u64| percent(number as f64, requests as f64) > ODD_EXCHANGES_PERCENT_MAX;
    let mut warnings = Vec::new();
    if clipped > 0 {
        warnings.push(Warning::HistogramClipped { samples: clipped });
    }
    if odd(failures) {
        warnings.push(Warning::FailuresAmongPercentiles { failures, requests });
    }
    warnings.extend(silent_at_end(outcome));
    if odd(cut_off) {
        warnings.push(Warning::ExchangesCutOff { cut_off, requests });
    }
    warnings.extend(too_few_samples(requests));
    warnings
}

/// A target that stops answering before the end leaves users waiting, and so nothing that a percentile could show.
///
/// Users that wait between their tasks make pauses of their own: a silence no longer than one of those says nothing.
fn silent_at_end(outcome: &RunOutcome) -> Option<Warning> {
    let ended_ns = nanos(outcome.counted_from.saturating_add(outcome.measured));
    let last_ns = exchanges(outcome).filter_map(|(_, counts)| counts.last_end_ns).max()?;
    let longest_ns =
        exchanges(outcome).filter_map(|(_, counts)| counts.response_time.max_ns()).max()?;
    let silent_ns = ended_ns.saturating_sub(last_ns);
    let usual_ns = longest_ns.max(nanos(SILENCE_MIN)).max(nanos(longest_pause(outcome)));
    let silent = silent_ns > usual_ns;
    (outcome.cut_off > 0 && silent).then(|| Warning::SilentAtEnd {
        cut_off: outcome.cut_off,
        silent_s: silent_ns as f64 / 1e9,
    })
}

/// The longest time between two answers, as far as their seconds tell: zero where no second was without any.
fn longest_pause(outcome: &RunOutcome) -> Duration {
    let rows = exchanges(outcome).flat_map(|(_, counts)| &counts.per_second);
    let seconds: BTreeSet<u64> = rows.map(|row| row.unix_second).collect();
    let apart = seconds.iter().zip(seconds.iter().skip(1)).map(|(before, after)| after - before);
    // From the beginning of the one second to the end of the other.
    apart
        .filter(|&apart| apart > 1)
        .max()
        .map_or(Duration::ZERO, |apart| Duration::from_secs(apart + 1))
}

/// The lowest percentile that `samples` cannot carry.
fn too_few_samples(samples: u64) -> Option<Warning> {
    let needed = |one_in: u64| one_in * SAMPLES_BEYOND_MIN;
    let &(percentile, one_in) = TAILS.iter().find(|(_, one_in)| samples < needed(*one_in))?;
    // Of nothing there is a graver warning.
    (samples > 0).then(|| Warning::TooFewSamples {
        percentile,
        samples,
        samples_needed: needed(one_in),
    })
}

/// What was counted, though not where it belongs.
fn lost_detail(outcome: &RunOutcome) -> Vec<Warning> {
    let handovers = outcome.shards.iter().map(|shard| shard.handovers_missed).sum();
    let others = exchanges(outcome).filter(|(name, _)| *name == OTHER_NAME);
    let requests = others.map(|(_, counts)| counts.requests).sum();
    let missed = (handovers > 0).then_some(Warning::HandoversMissed { handovers });
    let unnamed = (requests > 0).then_some(Warning::NamesOverLimit { requests });
    missed.into_iter().chain(unnamed).collect()
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}

/// `shard 0 was` or `shards 0, 1 were`.
fn numbered(noun: &str, numbers: &[usize]) -> String {
    let (plural, verb) = if numbers.len() == 1 { ("", "was") } else { ("s", "were") };
    format!("{noun}{plural} {} {verb}", list(numbers))
}

/// `1 sample was` or `7 samples were`.
fn were(number: u64, noun: &str) -> String {
    format!("{} {}", counted(number, noun), if number == 1 { "was" } else { "were" })
}
