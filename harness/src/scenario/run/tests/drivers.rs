//! Drivers, run for real on real shards: what they answer, and each way to do it wrong.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use loadr_engine::coordinator::{Phase, RunOutcome, RunPlan};
use loadr_engine::record::{EntryKind, MergedEntry};
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;

use super::world::workload;

/// What every driver here begins with.
const PRELUDE: &str = r#"
import json, os, signal, sys, time
def say(**what):
    print(json.dumps(what), flush=True)
def calls():
    for line in sys.stdin:
        yield json.loads(line)
"#;

/// How a run differs from the usual one: one user that does its task once.
struct World {
    users: u64,
    iterations: u64,
    /// More keys of the driver.
    more: &'static str,
}

const ONCE: World = World { users: 1, iterations: 1, more: "" };

impl World {
    /// Users of a driver that is `script` in Python, in a task of these steps.
    fn run(&self, script: &str, steps: &str) -> RunOutcome {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("driver.py");
        std::fs::write(&file, format!("{PRELUDE}{script}")).expect("a file");
        let command = format!("[\"python3\", \"{}\"]", file.display());
        self.run_driver(&command, steps)
    }

    fn run_driver(&self, command: &str, steps: &str) -> RunOutcome {
        let text = format!(
            "driver = {{ command = {command}, {} }}\n[[user]]\nname = \"A\"\n[[user.task]]\nname = \"t\"\nsteps = [{steps}]\n",
            self.more
        );
        let plan = RunPlan {
            iterations: Some(self.iterations),
            run_time: Some(Duration::from_secs(60)),
            ..RunPlan::new(self.users, vec![None], RuntimeKind::MonoioEpoll)
        };
        let mut run = Run::launch(plan, Arc::new(workload(&text))).expect("epoll is always there");
        while run.phase() != Phase::Ended {
            run.step();
            thread::sleep(Duration::from_millis(1));
        }
        run.finish()
    }
}

fn exchanges(outcome: &RunOutcome) -> impl Iterator<Item = &MergedEntry> {
    outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange)
}

/// What was counted: type, name, how often, failures.
fn counted(outcome: &RunOutcome) -> Vec<(&str, &str, u64, u64)> {
    exchanges(outcome)
        .map(|e| (&*e.key.method, &*e.key.name, e.counts.requests, e.counts.failures))
        .collect()
}

fn errors(outcome: &RunOutcome) -> Vec<(&str, &str)> {
    outcome.errors.iter().map(|error| (&*error.name, &*error.message)).collect()
}

#[test]
fn answers_are_judged_kept_and_counted() {
    let script = r#"
assert os.environ["LOADR_BENCH_DRIVER"] == "1"
for call in calls():
    if call["call"] == "add":
        say(id=call["id"], result=sum(call["params"]), user=call["user"])
    else:
        say(id=call["id"], result={"said": call["params"]["text"], "user": call["user"]}, ms=1500, bytes=77,
            samples=[{"type": "SUB", "name": "part", "ms": 20}, {"type": "SUB", "name": "part", "ms": 40, "error": "half"}])
"#;
    let steps = r#"
        { set = { n = 5 } },
        { call = "add", params = [1, "${n}"], expect = { json = { "" = 6 } }, extract = { sum = "json:" } },
        { call = "say", name = "echo", type = "RPC", params = { text = "sum ${sum}" }, expect = { body_contains = "sum 6", json = { "/user" = 0 } } },
        { call = "add", expect = { json = { "" = { above = 0 } } } },
        { call = "say", name = "slow", params = { text = "" }, expect = { max_ms = 1000 } }"#;
    let outcome = ONCE.run(script, steps);
    assert_eq!(
        counted(&outcome),
        [
            ("DRIVER", "start", 1, 0),
            ("DRIVER", "add", 2, 1),
            ("SUB", "part", 4, 2),
            ("RPC", "echo", 1, 0),
            ("DRIVER", "slow", 1, 1),
        ]
    );
    let mut failures = [
        ("add", "the body is 0: expected to be above 0"),
        ("part", "half"),
        ("slow", "response time: expected to be at most 1000 ms"),
    ];
    let mut found = errors(&outcome);
    found.sort_unstable();
    failures.sort_unstable();
    assert_eq!(found, failures);
    let echo = exchanges(&outcome).find(|entry| &*entry.key.name == "echo").expect("it is there");
    assert_eq!(echo.counts.body_bytes, 77);
    assert_eq!(echo.counts.response_time.max_ns(), Some(1_500_000_000), "as the driver measured");
}

#[test]
fn each_user_has_a_process_or_all_share_one() {
    let script = "
for call in calls():
    say(id=call['id'], result=os.getpid(), samples=[{'type': 'PID', 'name': str(os.getpid()), 'ms': 0}])
";
    for (more, processes) in [("per = \"user\"", 3), ("per = \"shard\"", 1)] {
        // Each user has its turn before the run's budget is spent.
        let steps = r#"{ call = "who" }, { think = 0.3 }"#;
        let outcome = World { users: 3, iterations: 6, more }.run(script, steps);
        let (pids, others): (Vec<_>, Vec<_>) =
            counted(&outcome).into_iter().partition(|entry| entry.0 == "PID");
        assert_eq!(pids.len(), processes, "{more}: {pids:?}");
        assert_eq!(others, [("DRIVER", "start", processes as u64, 0), ("DRIVER", "who", 6, 0)]);
    }
}

#[test]
fn answers_find_their_calls_in_any_order() {
    // It collects the calls of all four users before it answers the last first.
    let script = "
waiting = []
for call in calls():
    waiting.append(call)
    while len(waiting) == 4:
        for call in reversed(waiting):
            say(id=call['id'], result=call['user'])
        waiting = []
";
    let steps =
        r#"{ call = "who", expect = { json = { "" = "${user.index}" } } }, { think = 0.2 }"#;
    let outcome = World { users: 4, iterations: 8, more: "per = \"shard\"" }.run(script, steps);
    assert_eq!(errors(&outcome), []);
    assert_eq!(counted(&outcome), [("DRIVER", "start", 1, 0), ("DRIVER", "who", 8, 0)]);
}

/// Each driver answers `good`, and does something wrong with `bad`; the user goes on with another process.
#[test]
fn a_fault_fails_its_call_and_the_next_has_a_fresh_process() {
    let cases = [
        (
            "sys.stderr.write('first\\nValueError: no\\n'); sys.stderr.flush(); os._exit(3)",
            "the driver has ended: exit code 3: ValueError: no",
        ),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the driver has ended: ended by signal 9"),
        ("time.sleep(60)", "no answer within 400ms"),
        ("print('hello', flush=True)", "the driver printed what is no JSON: hello"),
        (
            "say(id=call['id'])",
            "the driver printed JSON that is no answer (neither result nor error): {\"id\": 2}",
        ),
        ("say(id=99, result=1)", "the driver answered a call that nobody waits for"),
        ("os.close(1); time.sleep(60)", "the driver closed its output"),
        (
            "[print('spam', flush=True) for _ in range(10**9)]",
            "the driver printed what is no JSON: spam",
        ),
        (
            "[sys.stdout.write('x' * 2**20) for _ in range(10**6)]",
            "the driver printed a line of more than 16 MiB",
        ),
    ];
    for (wrong, expected) in cases {
        let script = format!(
            "
for call in calls():
    if call['call'] == 'bad':
        {wrong}
    say(id=call['id'], result=os.getpid())
"
        );
        // Reading sixteen mebibytes takes a while where nothing is optimised.
        let limit = if expected.starts_with("no answer") { "400ms" } else { "30s" };
        let steps = format!(
            r#"{{ call = "good", extract = {{ before = "json:" }} }}, {{ call = "bad", timeout = "{limit}" }},
               {{ call = "good", extract = {{ after = "json:" }} }}, {{ if = "${{before}} == ${{after}}", then = [{{ fail = "the same process" }}] }}"#
        );
        let begun = Instant::now();
        let outcome = ONCE.run(&script, &steps);
        assert_eq!(errors(&outcome), [("bad", expected)], "{wrong}");
        assert_eq!(
            counted(&outcome),
            [("DRIVER", "start", 2, 0), ("DRIVER", "good", 2, 0), ("DRIVER", "bad", 1, 1)],
            "{wrong}"
        );
        assert!(begun.elapsed() < Duration::from_secs(30), "{wrong}: {:?}", begun.elapsed());
    }
}

#[test]
fn an_error_is_a_failure_of_the_call_and_no_fault() {
    let script = "
for call in calls():
    say(id=call['id'], error='no such ' + call['params'][0])
";
    let steps = r#"{ call = "get", params = ["thing"], extract = { x = { from = "json:", default = 1 } } },
        { call = "get", params = ["thing"], expect = { json = { "" = 1 } } }, { if = "${x} != 1", then = [{ fail = "no default" }] }"#;
    let outcome = ONCE.run(script, steps);
    assert_eq!(errors(&outcome), [("get", "no such thing")]);
    assert_eq!(counted(&outcome), [("DRIVER", "start", 1, 0), ("DRIVER", "get", 2, 2)]);
}

#[test]
fn a_death_between_calls_is_told_with_the_next() {
    let script = "
for call in calls():
    say(id=call['id'], result=1)
    os._exit(7)
";
    let steps = r#"{ call = "a" }, { think = 1 }, { call = "a" }, { call = "a" }"#;
    let outcome = ONCE.run(script, steps);
    assert_eq!(errors(&outcome), [("a", "the driver has ended: exit code 7")]);
    assert_eq!(counted(&outcome), [("DRIVER", "start", 2, 0), ("DRIVER", "a", 3, 1)]);
}

#[test]
fn a_driver_that_never_answers_is_tried_less_and_less_often() {
    let begun = Instant::now();
    let outcome = World { iterations: 5, ..ONCE }.run("sys.exit(2)", r#"{ call = "a" }"#);
    // 100, 200, 400 and 800 ms between five processes.
    assert!(begun.elapsed() >= Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert_eq!(counted(&outcome), [("DRIVER", "start", 5, 0), ("DRIVER", "a", 5, 5)]);
    assert_eq!(errors(&outcome), [("a", "the driver has ended: exit code 2")]);
}

#[test]
fn a_driver_may_say_when_it_is_ready() {
    let world = World { more: "ready = true, timeout = 20", ..ONCE };
    let script = "
time.sleep(0.3)
say(ready=True)
for call in calls():
    say(id=call['id'], result=1)
";
    let outcome = world.run(script, r#"{ call = "a" }"#);
    assert_eq!(counted(&outcome), [("DRIVER", "start", 1, 0), ("DRIVER", "a", 1, 0)]);
    let start = exchanges(&outcome).next().expect("it has started");
    assert!(start.counts.response_time.min_ns() >= Some(300_000_000));

    let world = World { more: "ready = true, timeout = 0.3", ..ONCE };
    let outcome = world.run("time.sleep(60)", r#"{ call = "a" }"#);
    assert_eq!(counted(&outcome), [("DRIVER", "start", 1, 1)], "nothing was asked");
    assert_eq!(errors(&outcome), [("start", "not ready within 300ms")]);

    let world = World { more: "ready = true, timeout = 20", ..ONCE };
    let outcome = world.run("os._exit(4)", r#"{ call = "a" }"#);
    assert_eq!(errors(&outcome), [("start", "the driver has ended: exit code 4")]);
}

#[test]
fn a_program_that_cannot_run_is_told_of() {
    // It is a program as far as can be seen before the run.
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("driver");
    std::fs::write(&file, "#!/nonesuch/interpreter\n").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&file, mode).expect("a file of one's own");
    let outcome = ONCE.run_driver(&format!("[\"{}\"]", file.display()), r#"{ call = "a" }"#);
    assert_eq!(counted(&outcome), [("DRIVER", "start", 1, 1)]);
    let [(_, message)] = errors(&outcome)[..] else { panic!("{:?}", outcome.errors) };
    assert!(
        message.starts_with(&format!("cannot run {}: No such file", file.display())),
        "{message}"
    );
}

#[test]
fn a_slow_answer_of_a_shared_process_is_no_fault() {
    // The first user's call is answered late; the others go on with the same process.
    let script = "
late = None
for call in calls():
    if call['call'] == 'slow':
        late = call
        continue
    say(id=call['id'], result=1)
    if late and call['params'] == ['last']:
        say(id=late['id'], result=1)
        late = None
";
    let steps = r#"
        { if = "${user.index} == 0", then = [{ call = "slow", timeout = 3 }],
          else = [{ think = 0.2 }, { call = "quick" }, { think = 4 }, { call = "quick", params = ["last"] }, { call = "quick" }] }"#;
    let outcome = World { users: 2, iterations: 2, more: "per = \"shard\"" }.run(script, steps);
    assert_eq!(errors(&outcome), [("slow", "no answer within 3s")]);
    assert_eq!(
        counted(&outcome),
        [("DRIVER", "start", 1, 0), ("DRIVER", "quick", 3, 0), ("DRIVER", "slow", 1, 1)]
    );
}
