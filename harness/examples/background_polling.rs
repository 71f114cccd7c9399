//! Work that the target goes on with after its response: the task returns at once, and a poll beside it measures the whole.

use std::time::Instant;

use loadr::prelude::*;

const TIMEOUT: Duration = Duration::from_secs(600);

async fn do_async_thing(user: User) {
    let answer = user.client.post("/things").json(&json!({ "n": user.index() })).send().await;
    let Some(id) = answer.pointer("/id").and_then(Value::as_str).map(str::to_owned) else {
        return;
    };
    // The user goes on to its next task. When the test stops, the poll stops with it.
    user.background(async move |user| await_thing(user, &id).await);
}

async fn await_thing(user: User, id: &str) {
    let started = Instant::now();
    let sample = || Sample::new("ASYNC", "POST /things/ID", started.elapsed());
    while started.elapsed() < TIMEOUT {
        let answer = user.client.get(format!("/things/{id}")).name("/things/ID").send().await;
        match answer.pointer("/status").and_then(Value::as_str) {
            Some("ACTIVE") => return user.record(sample()),
            Some("ERROR") => return user.record(sample().failed("saw ERROR status")),
            _ => user.sleep(Duration::from_millis(200)).await,
        }
    }
    user.record(sample().failed("timed out"));
}

fn main() -> ExitCode {
    let producer = UserClass::new("Producer")
        .host("http://127.0.0.1:8080")
        .wait(constant_throughput(10.0))
        .task(do_async_thing);
    loadr::run(Test::new().user(producer))
}
