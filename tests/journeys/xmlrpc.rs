//! Locust's old XML-RPC example, in Rust and as a scenario file, against its own server on Python 3.

use std::collections::BTreeMap;
use std::io::Write;

use loadr_tests::program::{Finished, Invocation, example};
use loadr_tests::saved::Saved;
use loadr_tests::workspace_root;
use loadr_tests::xmlrpc::XmlRpcServer;

/// Calls and failures by method, of those entries that are of type `xmlrpc`, which all have to be.
fn ours(saved: &Saved) -> BTreeMap<String, (u64, u64)> {
    let entries = saved["entries"].as_array().expect("a list");
    let of_entry = |entry: &serde_json::Value| {
        assert_eq!(entry["method"], "xmlrpc", "{entry}");
        let count = |key: &str| entry[key].as_u64().expect("a count");
        let name = entry["name"].as_str().expect("text").to_owned();
        (name, (count("requests"), count("failures")))
    };
    entries.iter().map(of_entry).collect()
}

/// The words of the row of `name` in the statistics table.
fn row<'f>(finished: &'f Finished, name: &str) -> Vec<&'f str> {
    let rows = finished.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut rows = rows.filter(|row| row.starts_with(&["xmlrpc", name]));
    rows.next().unwrap_or_else(|| panic!("no row of {name}\n{finished}"))
}

#[track_caller]
fn expect_the_same_counts(program: Invocation) {
    let server = XmlRpcServer::start(0.02);
    let flags = ["-H", server.url(), "--headless", "-u", "10", "-r", "100", "-i", "90"];
    let (finished, saved) = program.and(flags).and(["--only-summary"]).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    let counts = server.counts();
    let expected = counts.iter().map(|(name, &count)| (name.clone(), (count, 0)));
    assert_eq!(ours(&saved), expected.collect(), "{finished}");
    assert_eq!((saved.requests(), saved.cut_off()), (90, 0), "{finished}");
    for (name, count) in &counts {
        assert_eq!(row(&finished, name)[2], count.to_string(), "{finished}");
    }
    let names: Vec<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(names, ["get_random_number", "get_time"]);
    // The true number of bytes: what Python writes around a number of one to three digits, and that.
    let digits = mean_body_bytes(&saved, "get_random_number") - ENVELOPE_BYTES;
    assert!((1.0..=3.0).contains(&digits), "{digits} digits\n{finished}");
}

/// Bytes of what Python writes around an `int`.
const ENVELOPE_BYTES: f64 = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n\
    <value><int></int></value>\n</param>\n</params>\n</methodResponse>\n"
    .len() as f64;

fn mean_body_bytes(saved: &Saved, name: &str) -> f64 {
    let entries = saved["entries"].as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["name"] == name).expect("an entry");
    let number = |key: &str| entry[key].as_f64().expect("a number");
    number("body_bytes") / number("requests")
}

#[test]
fn the_example_in_rust() {
    expect_the_same_counts(Invocation::of(example("xmlrpc"), [""; 0]));
}

#[test]
fn the_example_as_a_scenario_file() {
    let file = workspace_root().join("harness/examples/xmlrpc.toml");
    expect_the_same_counts(Invocation::new(["-f".as_ref(), file.as_os_str()]));
}

#[test]
fn faults_are_counted_with_code_and_text() {
    let steps = r#"
        { xmlrpc = { method = "faulty", params = [4, "too many parameters"] } },
        { xmlrpc = { method = "nothing" }, name = "unknown" },
        { xmlrpc = { method = "faulty", params = [5, "expected"] }, name = "wanted", expect = { fault = 5 } },
        { xmlrpc = { method = "echo", params = [{ a = [1, "<ü>"], d = 1998-07-17T14:08:55, b = { base64 = "AAEC/w==" }, n = { nil = true } }] },
          expect = { json = { "/a/1" = "<ü>", "/d" = "19980717T14:08:55", "/b" = "AAEC/w==", "/n" = { exists = true } } } },
    "#;
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a temporary file");
    let class = "[[user]]\nname = \"A\"\n[[user.task]]\nname = \"t\"";
    writeln!(file, "{class}\nsteps = [{steps}]").expect("a temporary file");
    let server = XmlRpcServer::start(0.0);
    let program = Invocation::new(["-f".as_ref(), file.path().as_os_str()]);
    let flags = ["-H", server.url(), "--headless", "-u", "2", "-r", "100", "-i", "10"];
    let (finished, saved) = program.and(flags).and(["--only-summary"]).run_saved();
    finished.expect_code(1);
    saved.expect_consistent();
    let expected =
        [("echo", (10, 0)), ("faulty", (10, 10)), ("unknown", (10, 10)), ("wanted", (10, 0))];
    let expected = expected.map(|(name, counts)| (name.to_owned(), counts));
    assert_eq!(ours(&saved), BTreeMap::from(expected), "{finished}");
    let mut errors = saved.errors();
    errors.sort_unstable();
    let unknown = "fault 1: <class 'Exception'>:method \"nothing\" is not supported";
    assert_eq!(
        errors,
        [("status", unknown, 10), ("status", "fault 4: too many parameters", 10)],
        "{finished}"
    );
    assert!(finished.stdout.contains("xmlrpc faulty: fault 4: too many parameters"), "{finished}");
}
