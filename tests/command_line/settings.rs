//! Settings from files and variables, and which of them wins.

use std::fs;
use std::path::Path;

use loadr_tests::program::Invocation;
use loadr_tests::{start_target, url};

/// `arguments` in `folder`, which is the home folder too, with `variables` set.
fn within(folder: &Path, variables: &[&str], arguments: &[&str]) -> Invocation {
    let folder = folder.display().to_string();
    let home = format!("HOME={folder}");
    let env = ["-C", &folder, &home].into_iter().chain(variables.iter().copied());
    Invocation::new(arguments).under("env", env)
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a temporary file");
}

#[test]
fn each_source_goes_over_those_before_it() {
    let target = start_target();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let folder = folder.path();
    let url = url(&target, "/");
    let expect = |variables: &[&str], more: &[&str], users: u64| {
        let arguments = [&[url.as_str(), "-n", "20"], more].concat();
        let (finished, saved) = within(folder, variables, &arguments).run_saved();
        finished.expect_code(0);
        assert_eq!(saved["plan"]["users"], users, "{finished}");
    };
    expect(&["PT_NUM_CLIENTS=2"], &[], 2);
    write(folder, ".locust.conf", "users = 3\n");
    expect(&["PT_NUM_CLIENTS=2"], &[], 3);
    write(folder, "locust.conf", "users 4 # four\n");
    expect(&[], &[], 4);
    write(folder, "pyproject.toml", "[project]\nname = 'x'\n[tool.locust]\nusers = 5\n");
    expect(&[], &[], 5);
    write(folder, "loadr.toml", "users = 6\n");
    expect(&[], &[], 6);
    write(folder, "more.conf", "users: 7\n");
    expect(&[], &["--config", "more.conf"], 7);
    expect(&["LOCUST_USERS=8"], &["--config", "more.conf"], 8);
    expect(&["LOCUST_USERS=8", "LOADR_USERS=9"], &["--config", "more.conf"], 9);
    expect(&["LOCUST_USERS=8", "LOADR_USERS=9"], &["--users", "10"], 10);
}

/// Refused with one line that contains each of `parts`.
#[track_caller]
fn expect_refusal(folder: &Path, variables: &[&str], parts: &[&str]) {
    let finished = within(folder, variables, &["http://127.0.0.1:9/"]).run();
    let line = finished.expect_one_line();
    for part in parts {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
}

#[test]
fn mistakes_name_the_line_or_the_variable() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let folder = folder.path();
    expect_refusal(folder, &["LOCUST_USERS=none"], &["LOCUST_USERS", "none", "--users"]);
    expect_refusal(folder, &["LOADR_HEADLESS=maybe"], &["LOADR_HEADLESS", "maybe", "true"]);
    expect_refusal(folder, &["LOCUST_MODE_WORKER=yes"], &["LOCUST_MODE_WORKER", "--worker"]);
    expect_refusal(folder, &["PT_DURATION=long"], &["PT_DURATION", "long", "minutes"]);
    write(folder, "loadr.toml", "\nfail-if = ['p99 > 5']\n");
    expect_refusal(folder, &[], &["loadr.toml line 2", "5ms"]);
    write(folder, "loadr.toml", "users = \n");
    expect_refusal(folder, &[], &["loadr.toml line 1"]);
    write(folder, "locust.conf", "# comment\nuser-count = 1\n");
    let parts = ["locust.conf line 2", "unrecognized arguments: --user-count=1", "--users"];
    fs::remove_file(folder.join("loadr.toml")).expect("it is there");
    expect_refusal(folder, &[], &parts);
}

#[test]
fn what_names_no_flag_of_ours_is_told_once() {
    let target = start_target();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let variables = ["LOADR_USRES=5", "LOCUST_MINE=5", "LOCUST_WEB_PORT=8090"];
    let arguments = [url(&target, "/"), "-n".to_owned(), "5".to_owned()];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let finished = within(folder.path(), &variables, &arguments).run();
    finished.expect_code(0);
    assert_eq!(finished.stderr.matches("LOADR_USRES names no flag").count(), 1, "{finished}");
    assert!(!finished.stderr.contains("LOCUST_MINE"), "{finished}");
    assert!(finished.stderr.contains("--web-port (LOCUST_WEB_PORT): the web UI"), "{finished}");
}

#[test]
fn booleans_and_lists_are_spelt_as_in_locust() {
    let target = start_target();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let text = "only-summary\nheadless = off\ncsv = \"out\"\nfail-if = [rps < 0, failures > 5]\n";
    write(folder.path(), "locust.conf", text);
    let url = url(&target, "/");
    let arguments = [url.as_str(), "-n", "5"];
    let (finished, saved) =
        within(folder.path(), &["LOCUST_CSV_FULL_HISTORY=Yes"], &arguments).run_saved();
    finished.expect_code(0);
    assert_eq!(saved["thresholds"].as_array().map(Vec::len), Some(2), "{}", saved["thresholds"]);
    let history = fs::read_to_string(folder.path().join("out_stats_history.csv"));
    let history = history.expect("the CSV files are where locust.conf says");
    assert!(history.contains(",GET,/,"), "a row for each entry:\n{history}");
}
