//! What is printed where, and what files hold.

use std::path::Path;
use std::process::{Command, Stdio};

use hdrhistogram::Histogram;
use loadr::report::model::EncodedHistogram;
use loadr_tests::program::{Invocation, loadr_bench};
use loadr_tests::saved::Saved;
use loadr_tests::{start_target, url};
use serde_json::Value;

#[test]
fn the_report_has_locusts_headings_and_goes_to_stdout() {
    let target = start_target();
    let arguments = ["-n", "50", "-u", "2", "--expect-status", "204", &url(&target, "/status/500")];
    let finished = Invocation::new(arguments).run();
    finished.expect_code(1);
    let headings = [
        "Type     Name                                                                          # reqs      # fails |    Avg     Min     Max    Med |   req/s  failures/s\n",
        "Response time percentiles (approximated)\n",
        "Type     Name                                                                                  50%    66%    75%    80%    90%    95%    98%    99%  99.9% 99.99%   100% # reqs\n",
        "Error report\n# occurrences      Error                                                                                               \n",
        "GET      /status/500                                                                       50  50(100.00%) |",
        "50                 GET /status/500: 500 Internal Server Error",
    ];
    for heading in headings {
        assert!(finished.stdout.contains(heading), "'{heading}' is missing\n{finished}");
    }
    assert!(finished.stderr.contains("Ramping to 2 users at once"), "{finished}");
    assert!(!finished.stdout.contains("Ramping"), "log lines go to stderr\n{finished}");
}

#[test]
fn only_summary_shows_nothing_while_it_runs() {
    let target = start_target();
    let arguments =
        ["-t", "3s", "-u", "1", "--only-summary", "-L", "WARNING", &url(&target, "/delay/5")];
    let finished = Invocation::new(arguments).run();
    finished.expect_code(0);
    assert_eq!(finished.stderr, "", "{finished}");
    assert!(finished.stdout.contains("Aggregated"), "{finished}");
}

/// Plain lines where there is no terminal, with the rate of one second.
#[test]
fn live_lines_go_to_stderr() {
    let target = start_target();
    let arguments = ["-t", "4s", "-u", "1", &url(&target, "/delay/10")];
    let finished = Invocation::new(arguments).run();
    finished.expect_code(0);
    let mut rates = Vec::new();
    for line in finished.stderr.lines().filter(|line| line.trim_start().starts_with("00:")) {
        let columns: Vec<&str> = line.split_whitespace().collect();
        rates.push(columns[4].parse::<f64>().expect("requests a second"));
    }
    assert!(!rates.is_empty(), "no line at all\n{finished}");
    // A user with answers after 10 ms makes fewer than 100 a second, and a loaded machine more than half of that;
    // a line in the first, partial second has less.
    let last = rates[rates.len() - 1];
    assert!((60.0..=100.0).contains(&last), "{last} requests/s of about 95\n{finished}");
}

#[test]
fn json_has_stdout_for_itself() {
    let target = start_target();
    let arguments =
        ["-n", "60", "-u", "2", "--json", &url(&target, "/"), &url(&target, "/status/404")];
    let finished = Invocation::new(arguments).run();
    finished.expect_code(1);
    let list: Value = serde_json::from_str(&finished.stdout).expect("stdout is JSON alone");
    let entries = list.as_array().expect("a list");
    assert_eq!(entries.len(), 2);
    // Locust's keys in Locust's order.
    let keys = [
        "name",
        "method",
        "last_request_timestamp",
        "start_time",
        "num_requests",
        "num_none_requests",
        "num_failures",
        "total_response_time",
        "max_response_time",
        "min_response_time",
        "total_content_length",
        "response_times",
        "num_reqs_per_sec",
        "num_fail_per_sec",
    ];
    let mut at = 0;
    for key in keys {
        let found = finished.stdout[at..].find(&format!("\"{key}\":"));
        at += found.unwrap_or_else(|| panic!("'{key}' is missing or out of order\n{finished}"));
    }
    let requests: u64 = entries.iter().filter_map(|entry| entry["num_requests"].as_u64()).sum();
    assert_eq!(requests, 60);
    for entry in entries {
        let sum = |key: &str| -> u64 {
            entry[key].as_object().expect("a map").values().filter_map(Value::as_u64).sum()
        };
        let count = |key: &str| entry[key].as_u64().expect("a count");
        assert_eq!(sum("response_times"), count("num_requests"), "{entry:#}");
        assert_eq!(sum("num_reqs_per_sec"), count("num_requests"), "{entry:#}");
        assert_eq!(sum("num_fail_per_sec"), count("num_failures"), "{entry:#}");
    }
    assert!(finished.stderr.contains("Aggregated"), "the report goes to stderr\n{finished}");
}

#[test]
fn the_saved_report_has_every_key() {
    let target = start_target();
    let arguments =
        ["-t", "2s", "-u", "2", &url(&target, "/delay/3"), &url(&target, "/status/404")];
    let (finished, saved) = Invocation::new(arguments).run_saved();
    finished.expect_code(1);
    saved.expect_consistent();
    let has = |value: &Value, keys: &str| {
        for key in keys.split_whitespace() {
            assert!(value.get(key).is_some(), "'{key}' is missing in {value:#}");
        }
    };
    has(
        saved.value(),
        "schema plan environment started_at duration_s totals entries errors series generator warnings exit_code",
    );
    has(&saved["environment"], "machine kernel cpus runtime clock build_profile");
    has(&saved["generator"], "cpu_user_s cpu_system_s cpu_us_per_request rss_bytes_max");
    has(&saved["errors"][0], "method name kind message count");
    for entry in [&saved["totals"], &saved["entries"][0]] {
        has(
            entry,
            "method name requests failures requests_per_s bytes_received bytes_sent response_time_ms histogram",
        );
        has(&entry["response_time_ms"], "min mean max p50 p75 p90 p95 p99 p99_9 p99_99");
    }
}

/// A row of the series is one second of the wall clock: the seconds follow one another, none twice and none left out.
#[test]
fn the_series_has_a_row_for_each_second() {
    let target = start_target();
    let arguments = ["-t", "3s", "-u", "4", "--shards", "2", &url(&target, "/delay/3")];
    let (finished, saved) = Invocation::new(arguments).run_saved();
    finished.expect_code(0);
    let rows = saved["series"].as_array().expect("a list");
    let figures: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| (row["unix_second"].as_u64().unwrap_or(0), row["seconds"].as_u64().unwrap_or(0)))
        .collect();
    assert!((3..=5).contains(&rows.len()), "{figures:?}");
    assert!(figures.iter().all(|(_, seconds)| *seconds == 1), "{figures:?}\n{finished}");
    assert!(figures.windows(2).all(|two| two[0].0 + 1 == two[1].0), "{figures:?}\n{finished}");
}

fn decoded(value: &Value) -> Histogram<u64> {
    let text = value.as_str().expect("a histogram is text").to_owned();
    EncodedHistogram::try_from(text).expect("it decodes").decode()
}

/// The figures printed are those of the histogram, which is whole: nothing was averaged on the way.
#[test]
fn histograms_agree_with_the_figures() {
    let target = start_target();
    let arguments = ["-n", "2000", "-u", "4", "--shards", "2"];
    let (finished, saved) = Invocation::new(arguments).and([url(&target, "/")]).run_saved();
    finished.expect_code(0);
    let totals = &saved["totals"];
    let histogram = decoded(&totals["histogram"]);
    assert_eq!(histogram.len(), 2_000);
    let times = &totals["response_time_ms"];
    let ms = |key: &str| times[key].as_f64().expect("a time");
    for (key, quantile) in
        [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999)]
    {
        let of_histogram = histogram.value_at_quantile(quantile) as f64 / 1e3;
        let expected = of_histogram.clamp(ms("min"), ms("max"));
        assert!((ms(key) - expected).abs() < 1e-6, "{key}: {} and {expected}", ms(key));
    }
    let mean_ms = histogram.mean() / 1e3;
    assert!((ms("mean") - mean_ms).abs() < mean_ms * 0.01 + 0.001, "{} {mean_ms}", ms("mean"));
    let mut series = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3).expect("valid bounds");
    for row in saved["series"].as_array().expect("a list") {
        series.add(decoded(&row["histogram"])).expect("one layout");
    }
    assert_eq!(series, histogram, "the rows add up to the whole");
}

fn csv_file(prefix: &Path, name: &str) -> String {
    let path = format!("{}_{name}.csv", prefix.display());
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn csv_files_are_locusts() {
    let target = start_target();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let prefix = directory.path().join("new/run");
    let arguments =
        ["-t", "2s", "-u", "2", &url(&target, "/delay/2"), &url(&target, "/status/500")];
    let csv = ["--csv".as_ref(), prefix.as_os_str()];
    let (finished, saved) = Invocation::new(arguments).and(csv).run_saved();
    finished.expect_code(1);
    let headings = [
        (
            "stats",
            "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max \
             Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%",
        ),
        (
            "stats_history",
            "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,Total \
             Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,Total Min Response \
             Time,Total Max Response Time,Total Average Content Size",
        ),
        ("failures", "Method,Name,Error,Occurrences,First Seen,Last Seen"),
        ("exceptions", "Count,Message,Traceback,Nodes"),
    ];
    for (name, heading) in headings {
        let text = csv_file(&prefix, name);
        assert_eq!(text.split("\r\n").next(), Some(heading), "{name}");
        let bare = text.bytes().filter(|&b| b == b'\n').count();
        assert_eq!(text.matches("\r\n").count(), bare, "{name}: every line ends in CRLF");
    }
    let stats = csv_file(&prefix, "stats");
    let mut reader = csv::Reader::from_reader(stats.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let last = rows.last().expect("a row of totals");
    assert_eq!((&last[0], &last[1]), ("", "Aggregated"));
    assert_eq!(last[2].parse(), Ok(saved.requests()), "the last second is in it");
    assert_eq!(last[3].parse(), Ok(saved.failures()));
    let history = csv_file(&prefix, "stats_history");
    let total = history.trim_end().rsplit("\r\n").next().and_then(|row| row.split(',').nth(17));
    assert_eq!(total.and_then(|total| total.parse().ok()), Some(saved.requests()), "{history}");
    assert!(csv_file(&prefix, "failures").contains("GET,/status/500,"), "the failure is listed");
}

/// `loadr-bench … | head -1`: a reader that has gone is no reason to panic.
#[test]
fn a_closed_stdout_is_no_panic() {
    let target = start_target();
    for extra in ["--only-summary", "--json"] {
        let mut child = Command::new(loadr_bench())
            .args(["-n", "20", extra, &url(&target, "/")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert_eq!(output.status.code(), Some(0), "{stderr}");
    }
}

#[test]
fn help_into_a_closed_stdout_is_no_panic() {
    let mut child = Command::new(loadr_bench())
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// A path that was written before is replaced whole.
#[test]
fn an_older_report_is_replaced() {
    let target = start_target();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("run.json");
    std::fs::write(&path, "x".repeat(1 << 20)).expect("a temporary file");
    let save = ["--save".as_ref(), path.as_os_str()];
    let url = url(&target, "/");
    let finished = Invocation::new(["-n", "5", &url]).and(save).run();
    finished.expect_code(0);
    let saved = Saved::read(&path).unwrap_or_else(|error| panic!("{error}\n{finished}"));
    assert_eq!(saved.requests(), 5);
}

#[test]
fn the_json_file_has_its_suffix_and_leaves_the_report() {
    let target = start_target();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("list");
    let arguments = ["--json-file".as_ref(), path.as_os_str()];
    let finished = Invocation::new(arguments).and(["-n", "50", &url(&target, "/")]).run();
    finished.expect_code(0);
    assert!(finished.stdout.contains("Aggregated"), "{finished}");
    let text = std::fs::read_to_string(path.with_extension("json")).expect("it was written");
    let list: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(list[0]["num_requests"], 50);
}

#[test]
fn full_history_has_a_row_for_each_entry_to_the_last_second() {
    let target = start_target();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let prefix = folder.path().join("run");
    let arguments = ["--csv".as_ref(), prefix.as_os_str(), "--csv-full-history".as_ref()];
    let urls = [url(&target, "/a"), url(&target, "/b")];
    let more = ["-n", "60", "-u", "2", "--expect-status", "200,404"];
    let finished = Invocation::new(arguments).and(more).and(&urls).run();
    finished.expect_code(0);
    let history = csv_file(&prefix, "stats_history");
    let last: Vec<&str> = history.lines().rev().take(3).collect();
    let names = [",,Aggregated,", ",GET,/b,", ",GET,/a,"];
    for (row, name) in last.iter().zip(names) {
        assert!(row.contains(name), "{name} is not in {row}\n{history}");
    }
    assert!(last[0].contains(",60,0,"), "all requests are in the last row\n{history}");
}

#[test]
fn log_lines_go_where_they_are_sent() {
    let target = start_target();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let log = folder.path().join("deep/run.log");
    let url = url(&target, "/");
    let finished =
        Invocation::new(["--logfile".as_ref(), log.as_os_str()]).and(["-n", "5", &url]).run();
    finished.expect_code(0);
    assert!(!finished.stderr.contains("INFO"), "{finished}");
    let lines = std::fs::read_to_string(&log).expect("directories are made");
    assert!(lines.contains("/INFO/loadr.run: Ramping to 5 users"), "{lines}");
    let silent = Invocation::new(["--skip-log-setup", "-n", "5", &url]).run();
    assert!(!silent.expect_code(0).stderr.contains("INFO"), "{silent}");
}
