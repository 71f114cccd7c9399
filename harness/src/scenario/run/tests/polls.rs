//! Operations that are waited for: how they end, and what is counted.

use std::time::Duration;

use super::world::{Reply, Seen, World, ok, once, one_task};

const POLL: &str = r#"get = "/t", name = "ask", every = 1, timeout = 10, until = { json = { "/s" = "ACTIVE" } }, fail = { json = { "/s" = "ERROR" } }"#;

fn poll(more: &str) -> String {
    format!(
        "{{ name = \"op\", poll = {{ {POLL}, extract = {{ v = \"json:/v\" }} }}{more} }}, {{ get = \"/end\" }}"
    )
}

/// Answers that something is pending, and from the fourth time on this.
fn fourth(last: &'static str) -> impl Fn(&Seen) -> Reply {
    move |seen| ok(if seen.index < 3 { r#"{"s": "PENDING"}"# } else { last })
}

#[test]
fn an_operation_ends_well_and_is_kept_of() {
    let steps = poll("") + r#", { get = "/${v}" }"#;
    let ran = once(&steps, fourth(r#"{"s": "ACTIVE", "v": 9}"#));
    let expected = [("GET", "ask", 4, 0), ("ASYNC", "op", 1, 0)];
    assert!(expected.iter().all(|one| ran.entries().contains(one)), "{:?}", ran.entries());
    assert_eq!(ran.lines().last(), Some(&"GET /api/9"));
    assert!((3_000..3_100).contains(&ran.millis("op")), "{}", ran.millis("op"));
}

#[test]
fn an_operation_ends_badly_and_the_task_goes_on() {
    let ran = once(&poll(""), fourth(r#"{"s": "ERROR"}"#));
    assert_eq!(ran.errors(), [("op", "ended badly: /s is \"ERROR\"", 1)]);
    assert_eq!(ran.lines().last(), Some(&"GET /api/end"));
}

#[test]
fn an_operation_without_an_end_fails_in_time() {
    let ran = once(&poll(""), |_| ok(r#"{"s": "PENDING"}"#));
    assert_eq!(ran.errors(), [("op", "not ended within 10s", 1)]);
    assert!((10_000..10_100).contains(&ran.millis("op")), "{}", ran.millis("op"));
}

#[test]
fn failed_requests_are_counted_and_the_operation_goes_on() {
    let ran = once(&poll(""), |seen| match seen.index {
        0 => (500, "", String::new()),
        1 => ok("broken"),
        _ => ok(r#"{"s": "ACTIVE", "v": 1}"#),
    });
    let expected = [("GET", "ask", 3, 1), ("ASYNC", "op", 1, 0)];
    assert!(expected.iter().all(|one| ran.entries().contains(one)), "{:?}", ran.entries());
}

#[test]
fn a_status_that_is_waited_for_is_no_failure() {
    let ran =
        once(r#"{ name = "gone", poll = { get = "/t", until = { status = 404 } } }"#, |seen| {
            if seen.index < 2 { ok("") } else { (404, "", String::new()) }
        });
    assert_eq!(ran.entries(), [("GET", "/t", 3, 0), ("ASYNC", "gone", 1, 0)]);
}

#[test]
fn in_the_background_it_outlasts_the_task_and_is_counted_all_the_same() {
    let ran = once(&poll(", background = true"), fourth(r#"{"s": "ACTIVE", "v": 9}"#));
    assert!(ran.lines()[..2].contains(&"GET /api/end"), "the task went on at once");
    let entries = ran.entries();
    assert!(entries.contains(&("ASYNC", "op", 1, 0)), "{entries:?}");
}

#[test]
fn in_the_background_it_ends_with_the_run_uncounted() {
    let world = World { iterations: None, run_time: Duration::from_secs(5), ..World::default() };
    let steps = poll(", background = true") + ", { stop_user = true }";
    let ran = world.run(&one_task("", &steps), |_| ok(r#"{"s": "PENDING"}"#));
    assert!(ran.entries().iter().all(|entry| entry.0 != "ASYNC"), "{:?}", ran.entries());
    assert_eq!(ran.errors(), []);
}

#[test]
fn steps_in_the_background_have_values_of_their_own() {
    let ran = once(
        r#"{ set = { a = 1 } },
           { background = [{ set = { a = 2 } }, { think = 1 }, { get = "/beside/${a}" }, { fail = "oh ${a}" }] },
           { think = 2 }, { get = "/task/${a}" }"#,
        |_| ok(""),
    );
    assert_eq!(ran.lines(), ["GET /api/beside/2", "GET /api/task/1"]);
    assert_eq!(ran.errors(), [("A.background", "oh 2", 1)]);
}
