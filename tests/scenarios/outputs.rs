//! What is written of a run with tasks: exceptions, tasks, Locust's files.

use std::fs;

use loadr_tests::{on_each_runtime, start_target};

use super::Scenario;

on_each_runtime!(exceptions_are_counted_and_written, tasks_alone_when_asked);

const FAILING: &str = r#"
[[user]]
name = "Buyer"
[[user.task]]
name = "buy"
steps = [{ get = "/bytes/3", name = "/bytes" }, { fail = "out of stock" }]
"#;

fn exceptions_are_counted_and_written(runtime: &str) {
    let target = start_target();
    let scenario = Scenario::new(FAILING);
    let prefix = scenario.folder.path().join("out");
    let line = format!("-u 2 -r 100 -i 10 --exit-code-on-error 9 --csv {}", prefix.display());
    let (finished, saved) = scenario.invocation(runtime, &target, &line).run_saved();
    finished.expect_code(9);
    assert_eq!((saved.requests(), saved.failures()), (10, 0));
    assert_eq!(saved["exceptions"][0]["count"], 10);
    assert_eq!(saved["exceptions"][0]["task"], "Buyer.buy");
    assert!(finished.stdout.contains("out of stock"), "{finished}");
    let written =
        fs::read_to_string(format!("{}_exceptions.csv", prefix.display())).expect("a file");
    assert!(written.starts_with("Count,Message,Traceback,Nodes\r\n10,out of stock,"), "{written}");
    let stats = fs::read_to_string(format!("{}_stats.csv", prefix.display())).expect("a file");
    assert!(stats.contains("\r\nGET,/bytes,10,0,"), "to the last second: {stats}");
    drop(target);
}

fn tasks_alone_when_asked(runtime: &str) {
    let target = start_target();
    let scenario = Scenario::new(FAILING);
    let line = "-u 2 -r 100 -i 10 --task-stats=only";
    let (finished, saved) = scenario.invocation(runtime, &target, line).run_saved();
    finished.expect_code(1);
    let entries = saved["entries"].as_array().expect("a list");
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(
        (entries[0]["method"].as_str(), entries[0]["name"].as_str()),
        (Some("TASK"), Some("buy"))
    );
    assert_eq!((saved.requests(), saved.failures()), (10, 10));
    drop(target);
}
