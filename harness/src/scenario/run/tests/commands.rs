//! Programs, run for real on real shards.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use loadr_engine::coordinator::{Phase, RunOutcome, RunPlan};
use loadr_engine::record::{EntryKind, MergedEntry};
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;

use super::world::workload;

/// One user runs a task of these steps once, or until it is stopped after `run_time`.
fn run(steps: &str, iterations: Option<u64>, run_time: Duration) -> RunOutcome {
    let text = format!("[[user]]\nname = \"A\"\n[[user.task]]\nname = \"t\"\nsteps = [{steps}]\n");
    let plan = RunPlan {
        iterations,
        run_time: Some(run_time),
        ..RunPlan::new(1, vec![None], RuntimeKind::MonoioEpoll)
    };
    let mut run = Run::launch(plan, Arc::new(workload(&text))).expect("epoll is always there");
    while run.phase() != Phase::Ended {
        run.step();
        thread::sleep(Duration::from_millis(1));
    }
    run.finish()
}

/// What was counted of programs; the bridge counts beside them what each waited for a thread.
fn commands(outcome: &RunOutcome) -> impl Iterator<Item = &MergedEntry> {
    outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange)
}

#[test]
fn exit_codes_decide_and_output_tells_why() {
    let steps = r#"{ command = ["true"] }, { command = ["false"] },
        { command = ["sh", "-c", "exit 5"], name = "five", exit_codes = [0, 5] },
        { command = ["sh", "-c", "echo no; echo '== 1 failed in 0.52s =='; exit 3"], name = "three" },
        { command = ["sh", "-c", "kill -9 $$"], name = "killed" },
        { command = ["/nonesuch/program"], name = "none" },
        { command = ["sh", "-c", "test $A = x-${user.index} && test $(pwd) = / && test $1 = ${param}", "sh", "${param}"], name = "p", params = ["a", "b"], env = { A = "x-${user.index}" }, cwd = "/" }"#;
    let outcome = run(steps, Some(1), Duration::from_secs(60));
    let counted: Vec<_> = commands(&outcome)
        .map(|e| (&*e.key.method, &*e.key.name, e.counts.requests, e.counts.failures))
        .collect();
    let expected = [
        ("true", 0),
        ("false", 1),
        ("five", 0),
        ("three", 1),
        ("killed", 1),
        ("none", 1),
        ("p[a]", 0),
        ("p[b]", 0),
    ];
    assert_eq!(counted, expected.map(|(name, failures)| ("COMMAND", name, 1, failures)));
    let errors: Vec<&str> = outcome.errors.iter().map(|error| &*error.message).collect();
    assert_eq!(errors[0], "exit code 1");
    assert_eq!(errors[1], "exit code 3: no | 1 failed in …s");
    assert_eq!(errors[2], "ended by signal 9");
    assert!(errors[3].starts_with("cannot run /nonesuch/program: No such file"), "{}", errors[3]);
}

#[test]
fn output_without_end_does_no_harm() {
    let steps = r#"{ command = ["sh", "-c", "yes | head -c 5000000; exit 1"], name = "loud" }"#;
    let outcome = run(steps, Some(1), Duration::from_secs(60));
    assert_eq!(&*outcome.errors[0].message, "exit code 1: y | y");
}

/// A shell that writes its number and that of a child, which both sleep.
fn sleeper(file: &Path) -> String {
    let script = format!("sleep 60 & echo $$ $! > {0}.new; mv {0}.new {0}; wait", file.display());
    format!("command = [\"sh\", \"-c\", \"{script}\"], name = \"sleeper\"")
}

/// Waits until what the sleepers wrote down is no longer there, or merely waits for its parent to look at it.
fn assert_gone(file: &Path) {
    let pids = std::fs::read_to_string(file).expect("the program began");
    for pid in pids.split_whitespace() {
        let begun = Instant::now();
        let status = || std::fs::read_to_string(PathBuf::from("/proc").join(pid).join("stat"));
        while status().is_ok_and(|status| !status.contains(") Z ")) {
            assert!(begun.elapsed() < Duration::from_secs(30), "{pid} is still there");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_program_ends_with_its_time_and_so_does_what_it_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    let steps = format!("{{ {}, timeout = 0.5 }}", sleeper(&file));
    let outcome = run(&steps, Some(1), Duration::from_secs(60));
    assert_eq!(&*outcome.errors[0].message, "not ended within 500ms");
    assert_gone(&file);
}

#[test]
fn a_program_ends_with_its_user() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    let outcome = run(&format!("{{ {} }}", sleeper(&file)), None, Duration::from_secs(3));
    assert_eq!(commands(&outcome).count(), 0, "it was never counted");
    assert_gone(&file);
}
