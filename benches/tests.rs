//! Tests of what the micro-benches share: each workload run briefly, and the bookkeeping of counts.
//!
//! They are here because a bench without a harness has no tests of its own, and because the
//! workloads need the engine, which the library of the end-to-end comparison does without.

#![forbid(unsafe_code)]

#[path = "instructions/baselines.rs"]
mod baselines;
#[path = "instructions/summary.rs"]
mod summary;
#[path = "instructions/table.rs"]
mod table;
mod workloads;

use baselines::{Baselines, Count};
use summary::SummaryError;
use table::Comparison;
use workloads::{BUILD, Workload};

const BASELINES: &str = include_str!("baselines/instructions.txt");

#[test]
fn every_workload_does_what_it_did() {
    let changed: Vec<_> = workloads::ALL
        .iter()
        .map(|workload| (workload, workload.actual_digest()))
        .filter(|(workload, digest)| *digest != workload.digest)
        .map(|(workload, digest)| format!("{workload}: {digest:#018x}"))
        .collect();
    assert!(changed.is_empty(), "digests are now {changed:#?}");
}

#[test]
fn every_workload_can_go_on_where_it_ended() {
    workloads::ALL.iter().for_each(|workload| workload.ready().run(1));
}

#[test]
#[should_panic(expected = "encode/build does not do what it did")]
fn a_workload_that_does_something_else_is_not_measured() {
    Workload { digest: 0, ..BUILD }.ready();
}

#[test]
fn every_workload_has_a_baseline_of_its_operations() {
    let baselines = Baselines::parse(BASELINES).unwrap();
    let lines = BASELINES.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.count(), workloads::ALL.len(), "no baseline is left of a former workload");
    for workload in workloads::ALL {
        let count = count(&workload.to_string(), workload.operations, 0);
        assert!(baselines.of(&count).is_some(), "{workload}");
    }
}

#[test]
fn the_runner_that_is_asked_for_has_the_locked_version() {
    let lock = include_str!("../Cargo.lock");
    assert!(lock.contains("name = \"gungraun\"\nversion = \"0.20.0\"\n"));
    for text in [include_str!("instructions/runner.rs"), include_str!("README.md")] {
        assert!(text.contains("0.20.0"));
    }
}

#[test]
fn baselines_are_written_as_they_are_read() {
    let baselines = Baselines::parse(BASELINES).unwrap();
    assert_eq!(baselines.to_string(), BASELINES);
}

#[test]
fn a_line_that_is_no_count_is_shown_with_its_number() {
    let error = Baselines::parse("# comment\n\na/b 1 2\na/c 1\n").unwrap_err();
    let expected =
        "baselines, line 4: expected a workload, operations and instructions, found \"a/c 1\"";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn accepted_counts_replace_their_baselines_and_leave_others_alone() {
    let mut baselines = Baselines::parse("a/b 1 2\na/c 1 3\n").unwrap();
    baselines.accept("rustc".to_owned(), vec![count("a/c", 2, 4), count("a/d", 1, 5)]);
    let expected = "# counted with: rustc\na/b 1 2\na/c 2 4\na/d 1 5\n";
    assert_eq!(baselines, Baselines::parse(expected).unwrap());
}

#[test]
fn differences_above_three_percent_are_marked_both_ways() {
    let baselines = Baselines::parse("a/b 10 1000\n").unwrap();
    let compare = |operations, instructions| {
        Comparison::new(&count("a/b", operations, instructions), &baselines)
    };
    let marked = |operations, instructions| compare(operations, instructions).is_marked();
    assert_eq!([970, 1030].map(|instructions| marked(10, instructions)), [false; 2]);
    assert_eq!([969, 1031].map(|instructions| marked(10, instructions)), [true; 2]);
    assert!(marked(11, 1000), "a baseline of other operations is none");
    let table = table::render(&[compare(10, 1031), compare(10, 500), compare(11, 1100)]);
    let rows: Vec<_> = table.lines().skip(1).map(words).collect();
    assert_eq!(rows[0], "a/b 1031 1000 +3.10 % 103.1 <- slower");
    assert!(rows[1].starts_with("a/b 500 1000 -50.00 % 50.0 <- faster"));
    assert_eq!(rows[2], "a/b 1100 - - 100.0 <- no baseline");
}

#[test]
fn counts_are_taken_from_what_gungraun_writes() {
    let line =
        r#"{"function_name":"a","id":"b","profiles":[{"data":{"total":{"metrics":METRICS}}}]}"#;
    let counted = line.replace("METRICS", r#"{"Ir":{"values":{"new":7,"old":6}},"Dr":{}}"#);
    let parsed = summary::parse(&format!("a word\n{counted}\n")).unwrap();
    assert_eq!(parsed, [("a/b".to_owned(), 7)]);
    let error = summary::parse(&line.replace("METRICS", "{}")).unwrap_err();
    assert!(matches!(error, SummaryError::NoCount { workload } if workload == "a/b"));
    assert!(matches!(summary::parse("{"), Err(SummaryError::Shape(_))));
}

fn count(workload: &str, operations: u64, instructions: u64) -> Count {
    Count { workload: workload.to_owned(), operations, instructions }
}

fn words(row: &str) -> String {
    row.split_whitespace().collect::<Vec<_>>().join(" ")
}
