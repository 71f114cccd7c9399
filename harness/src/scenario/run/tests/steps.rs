//! Steps that do not talk to the target, and the ways out of a task.

use std::time::Duration;

use super::world::{World, ok, once, one_task};

#[test]
fn variables_are_set_in_order_and_stay() {
    let more = "variables = { a = 1, b = \"${a}${user.index}\", c = 3 }";
    let steps = r#"{ get = "/${a}/${b}/${c}/${iteration}/${counter}" }, { set = { a = "${c}", c = "${a}" } }"#;
    let world = World { iterations: Some(3), ..World::default() };
    let ran = world.run(&one_task(more, steps), |_| ok(""));
    assert_eq!(ran.lines(), ["GET /api/1/10/3/1/1", "GET /api/3/10/3/2/2", "GET /api/3/10/3/3/3"]);
}

#[test]
fn loops_and_branches() {
    let ran = once(
        r#"{ set = { n = 3, i = "${counter}" } },
           { repeat = { times = "${n}", steps = [{ get = "/times" }] } },
           { repeat = { until = "${i} == 3", steps = [{ get = "/until/${i}" }, { set = { i = "${counter}" } }] } },
           { repeat = { while = "${i} < 5", steps = [{ set = { i = "${counter}" } }, { repeat = { times = 2, steps = [{ get = "/in/${i}" }] } }] } },
           { if = "${i} == 5 and not ${nothing}", then = [{ get = "/then" }], else = [{ get = "/else" }] },
           { if = "${i} > 5", then = [{ get = "/then" }] },
           { set = { n = 0 } },
           { repeat = { times = "${n}", steps = [{ get = "/never" }, { set = { nothing = 1 } }] } }"#,
        |_| ok(""),
    );
    let paths: Vec<&str> =
        ran.lines().iter().map(|line| line.trim_start_matches("GET /api/")).collect();
    assert_eq!(
        paths,
        ["times", "times", "times", "until/1", "until/2", "in/4", "in/4", "in/5", "in/5", "then"]
    );
}

#[test]
fn a_loop_that_waits_for_nothing_lets_others_go_on() {
    let world = World { run_time: Duration::from_millis(2), ..World::default() };
    let steps = r#"{ set = { x = 0 } }, { repeat = { while = "${x} == 0", steps = [{ set = { x = 0 } }] } }"#;
    let ran = world.run(&one_task("", steps), |_| ok(""));
    assert_eq!(ran.errors(), []);
}

#[test]
fn a_pause_takes_its_time() {
    let ran = once(
        r#"{ get = "/" }, { think = 1.5 }, { think = { between = [1, 2] } }, { get = "/" }"#,
        |_| ok(""),
    );
    assert!((2_500..3_600).contains(&ran.millis("/")), "{}", ran.millis("/"));
}

#[test]
fn what_cannot_go_on_is_an_error_of_the_task() {
    let steps = r#"{ set = { n = "many" } }, { if = "${iteration} == 1", then = [{ fail = "no ${n}" }] },
        { if = "${iteration} == 2", then = [{ repeat = { times = "${n}", steps = [{ get = "/" }] } }] }, { get = "/" }"#;
    let world = World { iterations: Some(3), ..World::default() };
    let ran = world.run(&one_task("", steps), |_| ok(""));
    assert_eq!(
        ran.errors(),
        [("A.t", "no many", 1), ("A.t", "repeat: \"times\" is \"many\", no count", 1)]
    );
    assert_eq!(ran.lines(), ["GET /api/"]);
}

#[test]
fn users_begin_and_end_once_and_sets_each_time() {
    let text = r#"
[[user]]
name = "A"
host = "http://shop"
order = "sequential"
on_start = [{ get = "/start" }]
on_stop = [{ get = "/stop" }]
[[user.task]]
name = "one"
steps = [{ get = "/one" }]
[[user.task_set]]
name = "set"
order = "sequential"
on_start = [{ get = "/in" }]
on_stop = [{ get = "/out" }]
[[user.task_set.task]]
name = "two"
steps = [{ get = "/two" }]
[[user.task_set.task_set]]
name = "inner"
[[user.task_set.task_set.task]]
name = "three"
steps = [{ get = "/three" }, { interrupt = true }]
[[user.task_set.task]]
name = "leave"
steps = [{ if = "${iteration} > 7", then = [{ stop_user = true }] }, { interrupt = { reschedule = false } }]
"#;
    let world =
        World { iterations: None, stop_timeout: Duration::from_secs(1), ..World::default() };
    let ran = world.run(text, |_| ok(""));
    let round = ["/one", "/in", "/two", "/three", "/out"];
    let expected = [&["/start"][..], &round, &round, &["/stop"]].concat();
    let paths: Vec<&str> = ran.lines().iter().map(|line| line.trim_start_matches("GET ")).collect();
    assert_eq!(paths, expected);
    assert_eq!(ran.errors(), []);
}

#[test]
fn a_step_can_end_the_run() {
    let world = World { users: 3, iterations: None, ..World::default() };
    let steps = r#"{ think = 1 }, { get = "/" }, { stop_test = true }"#;
    let ran = world.run(&one_task("", steps), |_| ok(""));
    assert!(ran.outcome.measured < Duration::from_secs(2), "{:?}", ran.outcome.measured);
}
