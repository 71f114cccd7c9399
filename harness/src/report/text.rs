//! The final report as a person reads it.
//!
//! First what was run and on what, then the three tables that Locust prints and one of exceptions, then what those
//! cannot show: times below a millisecond, transfer rates, connections, and what the load cost the machine that
//! made it; last the doubts. It is made from a [`Report`] alone, so a saved run prints as it did on the day. No
//! colours: it is piped as often as read, and whatever came from outside is escaped.

use std::io::{self, Write};
use std::time::Duration;

use super::locust::LocustStats;
use super::locust::table::{self, ErrorLine, ExceptionLine};
use super::model::{GeneratorReport, Report, ShardReport, TimesMs, WarmUpReport};
use super::units::{
    byte_rate, bytes, count, counted, milliseconds, nanoseconds, percent, printable, rate, span,
};
use crate::environment::{Cpus, Environment};
use crate::threshold;

/// Width of the labels at the left.
const LABEL: usize = 16;
/// Targets named one by one before the rest are only counted.
const TARGETS_SHOWN_MAX: usize = 3;

/// Writes the whole report; `columns` is the width of the terminal it goes to, `None` elsewhere.
pub fn write(out: &mut impl Write, report: &Report, columns: Option<usize>) -> io::Result<()> {
    write_heading(out, report)?;
    writeln!(out)?;
    write_tables(out, report, table::name_width(columns))?;
    write_throughput(out, report)?;
    write_times(out, "Response time", &report.totals.response_time_ms)?;
    write_connections(out, report)?;
    write_bridge(out, report)?;
    writeln!(out)?;
    write_generator(out, &report.generator, report.totals.requests)?;
    threshold::report::write(out, &report.thresholds)?;
    write_warnings(out, report)
}

fn line(out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{label:<LABEL$}{}", printable(text))
}

fn write_heading(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let environment = &report.environment;
    writeln!(out, "loadr-bench {} ({})", environment.version, environment.build_profile)?;
    if let Some(targets) = targets(&report.plan) {
        line(out, "Target", &targets)?;
    }
    line(out, "Run", &run(report))?;
    if let Some(refused) = &report.refused {
        line(out, "Refused", refused)?;
    }
    if let Some(warm_up) = &report.warm_up {
        line(out, "Warm-up", &warmed_up(warm_up))?;
    }
    line(out, "Generator", &generator(report))?;
    line(out, "Machine", &machine(environment))
}

/// What the plan names under `targets`; `None` when it names nothing there.
fn targets(plan: &serde_json::Value) -> Option<String> {
    let targets: Vec<&str> =
        plan["targets"].as_array()?.iter().filter_map(|t| t.as_str()).collect();
    let shown = targets.get(..TARGETS_SHOWN_MAX).unwrap_or(&targets).join(", ");
    match targets.len().saturating_sub(TARGETS_SHOWN_MAX) {
        _ if targets.is_empty() => None,
        0 => Some(shown),
        more => Some(format!("{shown} and {more} more")),
    }
}

fn run(report: &Report) -> String {
    format!(
        "{} for {} {}, from {}",
        counted(report.users_max, "user"),
        span(Duration::from_secs_f64(report.duration_s)),
        until(&report.ended_by),
        report.started_at
    )
}

/// How long the run went on, by what ended it.
fn until(ended_by: &str) -> &'static str {
    match ended_by {
        "run-time" => "to the end of the run time",
        "requests" => "until all requests were made",
        "iterations" => "until all iterations were made",
        "shape" => "to the end of the load shape",
        "test" => "until a task ended the test",
        "no-users" => "until no user was left",
        "threshold" => "until a threshold was crossed",
        "refused" => "until its load was refused",
        "signal" => "until interrupted",
        "all-shards-lost" => "until every shard was lost",
        _ => "to an end that this version does not know",
    }
}

fn warmed_up(warm_up: &WarmUpReport) -> String {
    format!(
        "{} before that, {} with {} left out of every figure",
        span(Duration::from_secs_f64(warm_up.duration_s)),
        counted(warm_up.requests, "exchange"),
        counted(warm_up.failures, "failure")
    )
}

fn generator(report: &Report) -> String {
    let shards = &report.generator.shards;
    let pinned: Vec<usize> = shards.iter().filter_map(|shard| shard.cpu).collect();
    let on_cpus = match pinned.len() {
        0 => String::new(),
        1 => format!(" on CPU {}", ranges(&pinned)),
        _ => format!(" on CPUs {}", ranges(&pinned)),
    };
    let runtime = &report.environment.runtime;
    let asked = match &runtime.fallback {
        Some(reason) => format!(", {} asked for: {reason}", runtime.asked),
        None => String::new(),
    };
    let shards = counted(shards.len() as u64, "shard");
    format!("{} with {shards}{on_cpus}{asked}", runtime.used)
}

fn machine(environment: &Environment) -> String {
    let machine = &environment.machine;
    let memory = machine.memory_bytes.map(|size| bytes(size as f64));
    let clock = environment.clock.as_ref().map(|source| format!("clock {source}"));
    let parts = [
        machine.hostname.clone(),
        machine.cpu_model.clone(),
        cpus(&environment.cpus),
        memory,
        environment.kernel.clone(),
        clock,
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn cpus(cpus: &Cpus) -> Option<String> {
    let online = cpus.online.len() as u64;
    match (online, cpus.allowed == cpus.online) {
        (0, _) => None,
        (_, true) => Some(counted(online, "CPU")),
        _ => Some(format!("{} ({} allowed)", counted(online, "CPU"), ranges(&cpus.allowed))),
    }
}

/// CPU numbers in ascending order with runs joined: `0-3,8`.
fn ranges(numbers: &[usize]) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let runs = sorted.chunk_by(|left, right| left + 1 == *right);
    let joined = runs.map(|run| match run {
        [single] => single.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    });
    joined.collect::<Vec<_>>().join(",")
}

fn write_tables(out: &mut impl Write, report: &Report, name_width: usize) -> io::Result<()> {
    let stats = LocustStats::of_report(report);
    table::write_stats(out, &stats, name_width)?;
    table::write_percentiles(out, &stats, name_width)?;
    let errors = report.errors.iter().map(|error| ErrorLine {
        count: error.count,
        method: &error.method,
        name: &error.name,
        message: &error.message,
    });
    table::write_errors(out, errors, name_width)?;
    let exceptions = report.exceptions.iter().map(|exception| ExceptionLine {
        count: exception.count,
        task: &exception.task,
        message: &exception.message,
    });
    table::write_exceptions(out, exceptions, name_width)
}

fn write_throughput(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let totals = &report.totals;
    let failed = percent(totals.failures as f64, totals.requests as f64);
    let requests = format!(
        "{} /s, {} in all, {} failed ({failed:.2} %)",
        rate(totals.requests_per_s),
        count(totals.requests),
        count(totals.failures)
    );
    line(out, "Requests", &requests)?;
    if report.cut_off > 0 {
        let cut_off = counted(report.cut_off, "exchange");
        line(out, "Cut off", &format!("{cut_off} in flight at the end, counted nowhere else"))?;
    }
    for (label, transferred) in [("Received", totals.bytes_received), ("Sent", totals.bytes_sent)] {
        let transferred = transferred as f64;
        let per_second =
            if report.duration_s > 0.0 { transferred / report.duration_s } else { 0.0 };
        let text = format!("{}, {} in all", byte_rate(per_second), bytes(transferred));
        line(out, label, &text)?;
    }
    Ok(())
}

/// One distribution as two rows, headings over figures; a dash where there is nothing to show.
fn write_times(out: &mut impl Write, label: &str, times: &TimesMs) -> io::Result<()> {
    let columns = [
        ("min", times.min),
        ("mean", times.mean),
        ("p50", times.p50),
        ("p75", times.p75),
        ("p90", times.p90),
        ("p95", times.p95),
        ("p99", times.p99),
        ("p99.9", times.p99_9),
        ("p99.99", times.p99_99),
        ("max", times.max),
    ];
    write!(out, "{label:<LABEL$}")?;
    columns.iter().try_for_each(|(heading, _)| write!(out, "{heading:>9}"))?;
    write!(out, "\n{:<LABEL$}", "")?;
    for (_, ms) in columns {
        write!(out, "{:>9}", ms.map_or_else(|| "-".to_owned(), milliseconds))?;
    }
    writeln!(out)
}

fn write_connections(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let connections = &report.connections;
    let mut text =
        format!("{} opened, {} failed", count(connections.opened), count(connections.failed));
    push_times(&mut text, "time to connect", &connections.connect_time_ms);
    line(out, "Connections", &text)?;
    for handshakes in &connections.handshakes {
        let label = format!("  {}", printable(&handshakes.method));
        let mut text =
            format!("{} made, {} failed", count(handshakes.made), count(handshakes.failed));
        push_times(&mut text, "time", &handshakes.time_ms);
        line(out, &label, &text)?;
    }
    Ok(())
}

/// What work off the shards waited for its turn, where there was any.
fn write_bridge(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let Some(bridge) = &report.bridge else { return Ok(()) };
    let mut text = format!("{} off the shards", counted(bridge.begun, "piece"));
    if bridge.given_up > 0 {
        text.push_str(&format!(", {} given up before they began", count(bridge.given_up)));
    }
    push_times(&mut text, "wait for a turn", &bridge.wait_ms);
    line(out, "Bridge", &text)
}

/// Adds the figures that tell most of a distribution, if it has any.
fn push_times(text: &mut String, what: &str, times: &TimesMs) {
    if let (Some(p50), Some(p99), Some(max)) = (times.p50, times.p99, times.max) {
        let [p50, p99, max] = [p50, p99, max].map(milliseconds);
        text.push_str(&format!("; {what} p50 {p50}, p99 {p99}, max {max}"));
    }
}

fn write_generator(
    out: &mut impl Write,
    generator: &GeneratorReport,
    requests: u64,
) -> io::Result<()> {
    let (user_s, system_s) = (generator.cpu_user_s, generator.cpu_system_s);
    let seconds = |s: f64| nanoseconds(s * 1e9);
    let mut cpu = format!("{} user, {} system", seconds(user_s), seconds(system_s));
    if requests > 0 {
        let each = |s: f64| seconds(s / requests as f64);
        cpu.push_str(&format!("; {} + {} a request", each(user_s), each(system_s)));
    }
    line(out, "Generator CPU", &cpu)?;
    for shard in &generator.shards {
        line(out, &format!("  shard {}", shard.index), &shard_text(shard))?;
    }
    if let Some(rss) = generator.rss_bytes_max {
        line(out, "Memory", &format!("{} resident at most", bytes(rss as f64)))?;
    }
    Ok(())
}

fn shard_text(shard: &ShardReport) -> String {
    let cpu = shard.cpu.map_or_else(String::new, |cpu| format!(" of CPU {cpu}"));
    let users = counted(shard.users_max, "user");
    let lost = if shard.panicked.is_some() { ", lost" } else { "" };
    format!("{:.1} % busy{cpu}, {users}, {}{lost}", shard.busy_percent, shard.runtime)
}

fn write_warnings(out: &mut impl Write, report: &Report) -> io::Result<()> {
    if report.warnings.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nWarnings")?;
    for warning in &report.warnings {
        writeln!(out, "  {}: {}", printable(&warning.kind), printable(&warning.message))?;
        writeln!(out, "    {}", printable(&warning.advice))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn many_targets_are_counted() {
        assert_eq!(targets(&json!({})), None);
        assert_eq!(targets(&json!({"targets": []})), None);
        assert_eq!(targets(&json!({"targets": ["http://a/"]})).as_deref(), Some("http://a/"));
        assert_eq!(
            targets(&json!({"targets": ["a", "b", "c", "d", "e"]})).as_deref(),
            Some("a, b, c and 2 more")
        );
    }

    #[test]
    fn every_end_of_a_run_has_its_words() {
        use loadr_engine::coordinator::EndedBy;
        let ends = [
            EndedBy::RunTime,
            EndedBy::Requests,
            EndedBy::Iterations,
            EndedBy::Shape,
            EndedBy::Test,
            EndedBy::Threshold,
            EndedBy::Refused,
            EndedBy::Signal,
            EndedBy::AllShardsLost,
        ];
        let mut words: Vec<&str> = ends.iter().map(|end| until(end.as_str())).collect();
        words.push(until("a later version's"));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ends.len() + 1);
    }

    #[test]
    fn cpus_are_joined_in_ranges() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[3, 0, 1, 2, 8]), "0-3,8");
        assert_eq!(ranges(&[5]), "5");
    }
}
