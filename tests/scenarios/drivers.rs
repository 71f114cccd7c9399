//! Drivers by the real program: what they counted themselves, and that none is left behind, however a run ends.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use loadr_tests::{on_each_runtime, start_target};
use rustix::process::{Pid, Signal};

use super::Scenario;
use super::endings::{await_programs, expect_gone};

on_each_runtime!(
    calls_equal_what_the_drivers_counted,
    drivers_of_users_that_end_end_too,
    drivers_end_with_an_interrupt,
    a_second_interrupt_leaves_no_driver_behind,
);

/// Notes its number, answers each call, and in the end how many; a child of its own goes on until it is killed.
const DRIVER: &str = r#"
import json, os, subprocess, sys
child = subprocess.Popen(["sleep", "300"])
with open("pids", "a") as file:
    file.write(f"{os.getpid()}\n{child.pid}\n")
count = 0
for line in sys.stdin:
    call = json.loads(line)
    if call["call"] == "hang":
        continue
    count += 1
    print(json.dumps({"id": call["id"], "result": count}), flush=True)
with open("counts", "a") as file:
    file.write(f"{count}\n")
"#;

fn scenario(driver: &str, steps: &str) -> Scenario {
    let scenario = Scenario::new(&format!(
        "[[user]]\nname = \"U\"\ndriver = {{ command = [\"python3\", \"driver.py\"]{driver} }}\n\
         [[user.task]]\nname = \"t\"\nsteps = [{steps}]\n"
    ));
    fs::write(scenario.folder.path().join("driver.py"), DRIVER).expect("a temporary file");
    scenario
}

fn numbers(path: PathBuf) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| line.parse().expect("a number")).collect()
}

fn pids(scenario: &Scenario) -> Vec<Pid> {
    let pids = numbers(scenario.folder.path().join("pids"));
    pids.into_iter().filter_map(|pid| Pid::from_raw(pid.try_into().ok()?)).collect()
}

fn calls_equal_what_the_drivers_counted(runtime: &str) {
    let target = start_target();
    for (driver, processes) in [("", 6), (", per = \"shard\"", 2)] {
        let scenario = scenario(driver, "{ call = \"count\" }, { think = 0.02 }");
        let line = "-u 6 -r 100 -i 120 --shards 2";
        let (finished, saved) = scenario.invocation(runtime, &target, line).run_saved();
        finished.expect_code(0);
        let counted = numbers(scenario.folder.path().join("counts"));
        // Each had the time to note its count at the end of its input.
        assert_eq!(counted.len(), processes, "{driver}\n{finished}");
        assert_eq!(counted.iter().sum::<u64>(), 120, "{driver}\n{finished}");
        assert_eq!(saved.requests(), 120 + processes as u64, "{finished}");
        expect_gone(&pids(&scenario));
    }
}

/// A user that ends takes its driver along, and what that has started.
fn drivers_of_users_that_end_end_too(runtime: &str) {
    let target = start_target();
    let steps = "{ call = \"count\" }, { stop_user = true }";
    let scenario = scenario("", steps);
    let running = scenario.invocation(runtime, &target, "-u 3 -r 100 -t 1h").start();
    let drivers = await_programs(scenario.folder.path(), 6);
    expect_gone(&drivers);
    assert_eq!(numbers(scenario.folder.path().join("counts")), [1; 3]);
    running.signal(Signal::INT);
    running.finish().expect_code(0);
}

fn drivers_end_with_an_interrupt(runtime: &str) {
    let target = start_target();
    let scenario = scenario("", "{ call = \"count\" }, { call = \"hang\" }");
    let running = scenario.invocation(runtime, &target, "-u 3 -r 100").start();
    let drivers = await_programs(scenario.folder.path(), 6);
    running.signal(Signal::INT);
    let begun = Instant::now();
    running.finish().expect_code(0);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    expect_gone(&drivers);
    // Their input ended before they were killed.
    assert_eq!(numbers(scenario.folder.path().join("counts")).len(), 3);
}

fn a_second_interrupt_leaves_no_driver_behind(runtime: &str) {
    let target = start_target();
    let scenario = scenario("", "{ call = \"hang\", timeout = \"1h\" }");
    let mut running = scenario.invocation(runtime, &target, "-u 2 -r 100 -s 1h").start();
    let drivers = await_programs(scenario.folder.path(), 4);
    running.signal(Signal::INT);
    running.await_stderr("interrupted");
    running.signal(Signal::INT);
    assert_eq!(running.finish().code, Some(130));
    expect_gone(&drivers);
}
