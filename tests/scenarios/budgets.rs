//! Numbers that hold over all shards: requests, iterations, rows.

use loadr_tests::{on_each_runtime, start_target};

use super::Scenario;

on_each_runtime!(
    iterations_are_exact,
    requests_are_exact_and_what_exceeds_them_is_not_sent,
    every_row_is_used_once,
    users_that_have_all_ended_end_a_run_with_a_budget
);

const TWO_REQUESTS: &str = r#"
[[user]]
name = "Reader"
[[user.task]]
name = "read"
steps = [{ get = "/bytes/10" }, { get = "/bytes/${random.int(1,9)}", name = "/bytes/[n]" }]
"#;

fn iterations_are_exact(runtime: &str) {
    let target = start_target();
    let scenario = Scenario::new(TWO_REQUESTS);
    let line = "-u 7 -r 100 -i 501 --shards 2 --task-stats";
    let (finished, saved) = scenario.invocation(runtime, &target, line).run_saved();
    finished.expect_code(0);
    saved.expect_consistent();
    assert_eq!((saved.requests(), saved["ended_by"].as_str()), (1_002, Some("iterations")));
    assert_eq!(saved["tasks"][0]["requests"], 501);
    let served = target.stop().expect("it served").requests();
    assert_eq!(served, 1_002, "what the target saw");
}

fn requests_are_exact_and_what_exceeds_them_is_not_sent(runtime: &str) {
    let target = start_target();
    let logs_out =
        TWO_REQUESTS.replace("[[user.task]]", "on_stop = [{ get = \"/\" }]\n[[user.task]]");
    let scenario = Scenario::new(&logs_out);
    let line = "-u 5 -r 100 -n 333 --shards 2";
    let (finished, saved) = scenario.invocation(runtime, &target, line).run_saved();
    finished.expect_code(0);
    assert_eq!((saved.requests(), saved["ended_by"].as_str()), (333, Some("requests")));
    assert_eq!(target.stop().expect("it served").requests(), 333, "no on_stop beyond the budget");
}

const ROWS: &str = r#"
[[user]]
name = "Holder"
data = { rows = [ROWS], order = "unique", per = "iteration" }
[[user.task]]
name = "use"
steps = [{ get = "/bytes/${data.size}" }]
"#;

fn every_row_is_used_once(runtime: &str) {
    let target = start_target();
    let rows: Vec<String> = (1..=60).map(|size| format!("{{ size = \"{size}\" }}")).collect();
    let scenario = Scenario::new(&ROWS.replace("ROWS", &rows.join(", ")));
    let line = "-u 6 -r 100 -t 2s --shards 2";
    let (finished, saved) = scenario.invocation(runtime, &target, line).run_saved();
    finished.expect_code(0);
    assert_eq!(saved.requests(), 60);
    let bytes = saved["totals"]["body_bytes"].as_u64().expect("a count");
    assert_eq!(bytes, (1..=60).sum::<u64>(), "each row once");
    assert!(finished.stderr.contains("has no more rows: users who need one stop"), "{finished}");
    drop(target);
}

fn users_that_have_all_ended_end_a_run_with_a_budget(runtime: &str) {
    let target = start_target();
    let once = TWO_REQUESTS
        .replace("name = \"/bytes/[n]\" }", "name = \"/bytes/[n]\" }, { stop_user = true }");
    let scenario = Scenario::new(&once);
    let line = "-u 4 -r 100 -i 1000 --shards 2";
    let (finished, saved) = scenario.invocation(runtime, &target, line).run_saved();
    finished.expect_code(0);
    assert_eq!((saved.requests(), saved["ended_by"].as_str()), (8, Some("no-users")));
    drop(target);
}
