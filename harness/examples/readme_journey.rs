//! A first test, as it is told of everywhere: two requests, a wait, a checked response, names that group.

use loadr::prelude::*;

/// A random one, that follows from the run's `--seed`.
fn uuid(user: &User) -> String {
    let (high, low) = (user.random(0..=u64::MAX), user.random(0..=u64::MAX));
    let digits = format!("{high:016x}{low:016x}");
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

async fn do_get(user: User) {
    // Without a name, each id would be a line of its own in the report.
    user.client.get(format!("/resources/{}", uuid(&user))).name("/resources/UUID").send().await;
}

async fn do_post(user: User) {
    let call = user.client.post("/things").json(&json!({ "n": user.index() }));
    // The status alone does not tell whether it went well: the response does.
    let checked = call.check(|answer| match answer.pointer("/status").and_then(Value::as_str) {
        Some("ACTIVE" | "PENDING") => answer.success(),
        Some("ERROR") => answer.failure("saw ERROR status"),
        _ => answer.failure("unknown status"),
    });
    checked.send().await;
}

fn main() -> ExitCode {
    let user = UserClass::new("MyLocust")
        .host("http://localhost:8000")
        .wait(between(0.9, 1.1))
        .task(task(do_get).weight(3))
        .task(do_post);
    loadr::run(Test::new().user(user))
}
