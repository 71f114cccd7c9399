//! Thresholds: what they make of the exit code, where they are told, how they end a run.

use std::time::Duration;

use loadr::report::Report;
use loadr::threshold::{Threshold, Verdict};
use loadr_tests::program::{Finished, Invocation};
use loadr_tests::saved::Saved;
use loadr_tests::{start_target, url};

/// A hundred requests for `path` with the arguments given.
fn run(path: &str, arguments: &[&str]) -> (Finished, Saved) {
    let target = start_target();
    let url = url(&target, path);
    let all = ["-u", "2", "-n", "100", url.as_str()].into_iter().chain(arguments.iter().copied());
    Invocation::new(all).run_saved()
}

#[test]
fn the_exit_code_says_what_was_missed() {
    let cases: [(&str, &[&str], i64); 12] = [
        ("/", &["--fail-if", "failure_ratio > 1%"], 0),
        ("/", &["--fail-if", "p99 > 0"], 3),
        ("/", &["--fail-if", "[/] max > 0us", "--fail-if", "rps < 1"], 3),
        ("/", &["--fail-if", "[GET /] requests != 100"], 0),
        ("/", &["--fail-if", "[/nowhere] p99 > 1s"], 3),
        ("/", &["--check-rps", "0.1", "--check-avg-response-time", "10000"], 0),
        ("/", &["--check-rps", "1e9"], 3),
        ("/", &["--check-avg-response-time", "0"], 3),
        ("/status/500", &["--check-fail-ratio", "0.5"], 3),
        ("/status/500", &["--check-fail-ratio", "1"], 0),
        ("/status/500", &["--exit-code-on-error", "7"], 7),
        ("/status/500", &["--exit-code-on-error", "7", "--fail-if", "failures > 99"], 3),
    ];
    for (path, arguments, code) in cases {
        let (finished, _) = run(path, arguments);
        finished.expect_code(code);
    }
}

#[test]
fn thresholds_are_told_and_saved_with_what_was_measured() {
    let arguments =
        ["--fail-if", "failures > 99", "--fail-if", "[/nowhere] rps < 1", "--check-rps", "1"];
    let (finished, saved) = run("/status/500", &arguments);
    finished.expect_code(3);
    for line in [
        "\nThresholds\n",
        "  MISSED  fail if failures > 99: it was 100\n",
        "  MISSED  fail if [/nowhere] rps < 1: there is no entry '/nowhere'\n",
        "  met     fail if requests_per_s < 1: it was ",
    ] {
        assert!(finished.stdout.contains(line), "'{line}'\n{finished}");
    }
    assert_eq!(saved["thresholds"][0]["condition"], "failures > 99");
    assert_eq!(saved["thresholds"][0]["actual"], 100.0);
    assert_eq!(saved["thresholds"][0]["missed"], true);
    assert_eq!(saved["thresholds"][2]["missed"], false);
}

#[test]
fn a_saved_run_can_be_held_against_others_later() {
    let target = start_target();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("run.json");
    let arguments = ["--save".as_ref(), path.as_os_str()];
    let finished = Invocation::new(arguments).and(["-n", "40", &url(&target, "/a")]).run();
    finished.expect_code(1);
    let mut report = Report::load(&path).expect("own report");
    let verdict =
        |report: &Report, text| Threshold::parse(text).expect("it is right").evaluate(report);
    assert_eq!(verdict(&report, "failure_ratio > 99%"), Verdict::Missed { actual: 1.0 });
    assert_eq!(verdict(&report, "[GET /a] requests > 40"), Verdict::Met { actual: 40.0 });
    assert_eq!(verdict(&report, "[/b] requests > 40"), Verdict::NoSuchEntry);
    let max_ms = report.totals.response_time_ms.max.expect("there were requests");
    let mean_ms = report.totals.response_time_ms.mean.expect("there were requests");
    let mut other = report.entries[0].clone();
    other.method = "POST".to_owned();
    report.entries.push(other);
    assert_eq!(verdict(&report, "[/a] requests > 40"), Verdict::Missed { actual: 80.0 });
    assert_eq!(verdict(&report, "[/a] max < 0"), Verdict::Met { actual: max_ms });
    let Verdict::Met { actual } = verdict(&report, "[/a] mean < 0") else { panic!("it is met") };
    // Of two entries the mean is weighed anew, which may cost the last bit.
    assert!((actual - mean_ms).abs() < 1e-9, "{actual} {mean_ms}");
}

#[test]
fn a_run_is_ended_by_what_it_must_not_do() {
    let target = start_target();
    let url = url(&target, "/status/500");
    let arguments = ["-u", "1", "-t", "1h", "--abort-on", "failure_ratio > 10%", url.as_str()];
    let (finished, saved) = Invocation::new(arguments).run_saved();
    finished.expect_code(3);
    assert!(finished.took < Duration::from_secs(30), "{finished}");
    assert_eq!(saved["thresholds"][0]["message"], "it was 100.00 %, which ended the run");
    assert!(finished.stderr.contains("failure_ratio > 10% (--abort-on)"), "{finished}");
}

#[test]
fn mistakes_are_refused_before_the_run() {
    for flag in ["--fail-if", "--abort-on"] {
        let cases = [
            ("p99", "p99"),
            ("p99 > 200", "200ms"),
            ("latency > 1ms", "failure_ratio"),
            ("p101 > 1ms", "p101"),
            ("[/a p99 > 1ms", "[/products]"),
            ("rps < 5%", "number alone"),
        ];
        for (condition, part) in cases {
            let finished = Invocation::new([flag, condition, "http://127.0.0.1:9/"]).run();
            let line = finished.expect_one_line();
            assert!(line.contains(flag) && line.contains(part), "'{part}' is not in: {line}");
        }
    }
    for (flag, value) in
        [("--check-rps", "-1"), ("--check-fail-ratio", "5"), ("--check-avg-response-time", "fast")]
    {
        let finished = Invocation::new([&format!("{flag}={value}"), "http://127.0.0.1:9/"]).run();
        assert!(finished.expect_one_line().contains(value), "{finished}");
    }
}
