//! How runs end: by an interrupt in the middle of everything, by a threshold, by a shape.

use std::path::Path;
use std::time::{Duration, Instant};

use loadr_tests::{on_each_runtime, start_target};
use rustix::process::{Pid, Signal, test_kill_process};

use super::Scenario;

on_each_runtime!(
    an_interrupt_lets_tasks_end_and_users_leave,
    programs_end_with_an_interrupt,
    a_second_interrupt_leaves_no_program_behind,
    a_threshold_ends_the_run,
    a_shape_goes_up_and_down
);

const SLOW: &str = r#"
[[user]]
name = "Visitor"
on_start = [{ get = "/bytes/1", name = "arrive" }]
on_stop = [{ get = "/bytes/2", name = "leave" }]
[[user.task]]
name = "stay"
steps = [{ get = "/delay/400", name = "stay" }]
"#;

fn requests_of(saved: &loadr_tests::saved::Saved, name: &str) -> u64 {
    let entries = saved["entries"].as_array().expect("a list");
    let entry = entries.iter().find(|entry| entry["name"] == name);
    entry.and_then(|entry| entry["requests"].as_u64()).unwrap_or(0)
}

fn an_interrupt_lets_tasks_end_and_users_leave(runtime: &str) {
    let target = start_target();
    let scenario = Scenario::new(SLOW);
    let saved_to = scenario.folder.path().join("run.json");
    let line = format!("-u 4 -r 100 --stop-timeout 10s --shards 2 --save {}", saved_to.display());
    let mut running = scenario.invocation(runtime, &target, &line).start();
    running.await_stderr("All users spawned");
    std::thread::sleep(Duration::from_millis(200));
    running.signal(Signal::INT);
    running.finish().expect_code(0);
    let saved = loadr_tests::saved::Saved::read(&saved_to).expect("a report");
    assert_eq!(["arrive", "leave"].map(|name| requests_of(&saved, name)), [4, 4]);
    let stays = requests_of(&saved, "stay");
    assert!(stays >= 4 && saved.cut_off() == 0, "{stays} stays, {} cut off", saved.cut_off());
}

const HANGS: &str = r#"
[[user]]
name = "Suite"
[[user.task]]
name = "hang"
steps = [{ command = ["sh", "-c", "echo $$ >> pids; sleep 300 & wait"], name = "hang", cwd = "FOLDER" }]
"#;

fn hanging() -> Scenario {
    let scenario = Scenario::new("");
    let text = HANGS.replace("FOLDER", &scenario.folder.path().display().to_string());
    std::fs::write(scenario.folder.path().join("test.toml"), text).expect("a temporary file");
    scenario
}

/// The programs that have noted their numbers, once there are `count`.
pub(super) fn await_programs(folder: &Path, count: usize) -> Vec<Pid> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(folder.join("pids")).unwrap_or_default();
        let pids = text.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw);
        let pids: Vec<Pid> = pids.collect();
        if pids.len() >= count {
            return pids;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{} programs have begun", pids.len());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A group without a living member: its leader may still be a zombie of somebody else's.
pub(super) fn expect_gone(groups: &[Pid]) {
    let begun = Instant::now();
    while groups.iter().any(|pid| is_alive(*pid)) {
        assert!(begun.elapsed() < Duration::from_secs(10), "a program was left behind");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_alive(pid: Pid) -> bool {
    let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
    let state = std::fs::read_to_string(stat).unwrap_or_default();
    let zombie = state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'));
    test_kill_process(pid).is_ok() && !zombie
}

fn programs_end_with_an_interrupt(runtime: &str) {
    let target = start_target();
    let scenario = hanging();
    let running = scenario.invocation(runtime, &target, "-u 3 -r 100").start();
    let groups = await_programs(scenario.folder.path(), 3);
    running.signal(Signal::INT);
    let finished = running.finish();
    finished.expect_code(1);
    expect_gone(&groups);
}

fn a_second_interrupt_leaves_no_program_behind(runtime: &str) {
    let target = start_target();
    let scenario = hanging();
    let mut running = scenario.invocation(runtime, &target, "-u 2 -r 100 -s 1h").start();
    let groups = await_programs(scenario.folder.path(), 2);
    running.signal(Signal::INT);
    running.await_stderr("interrupted");
    running.signal(Signal::INT);
    assert_eq!(running.finish().code, Some(130));
    expect_gone(&groups);
}

fn a_threshold_ends_the_run(runtime: &str) {
    let target = start_target();
    let scenario = Scenario::new(
        "[checks]\nabort_on = ['failure_ratio > 50%']\n[[user]]\nname = \"U\"\n[[user.task]]\nname = \"t\"\n\
         steps = [{ get = \"/status/500\" }, { think = 0.01 }]\n",
    );
    let (finished, saved) = scenario.invocation(runtime, &target, "-u 2 -r 100 -t 1h").run_saved();
    finished.expect_code(3);
    assert_eq!(saved["ended_by"], "threshold");
    assert_eq!(saved["thresholds"][0]["missed"], true);
    drop(target);
}

fn a_shape_goes_up_and_down(runtime: &str) {
    let target = start_target();
    let shape = "[shape]\nstages = [{ duration = 1, users = 6, spawn_rate = 100 }, { duration = 1, users = 2, spawn_rate = 100 }]\n";
    let scenario = Scenario::new(&format!("{shape}{SLOW}"));
    let (finished, saved) = scenario.invocation(runtime, &target, "--shards 2").run_saved();
    finished.expect_code(0);
    assert_eq!((saved["ended_by"].as_str(), saved["users_max"].as_u64()), (Some("shape"), Some(6)));
    assert_eq!(["arrive", "leave"].map(|name| requests_of(&saved, name)), [6, 6]);
    drop(target);
}
