//! Each user logs in once, before its first task, and shows its token with every request after that.

use loadr::prelude::*;

async fn log_in(user: User) -> TaskResult {
    let form = [("user", format!("member-{}", user.index()))];
    let answer = user.client.post("/login").form(form).send().await;
    let Some(token) = answer.pointer("/token").and_then(Value::as_str) else {
        // The failed request has been counted; a user without a token has nothing to do here.
        return user.stop();
    };
    user.client.set_header("Authorization", format!("Bearer {token}"))?;
    Ok(())
}

async fn orders(user: User) {
    user.client.get("/orders").send().await;
}

async fn account(user: User) {
    // The cookie of the login is kept without a word.
    user.client.get("/account").expect_status(200).send().await;
}

async fn log_out(user: User) {
    // It is sent when the test stops, too, even if that comes in the middle of a task.
    user.client.post("/logout").expect_status(204).send().await;
}

fn main() -> ExitCode {
    let member = UserClass::new("Member")
        .host("http://127.0.0.1:8080")
        .wait(between(0.1, 0.5))
        .on_start(log_in)
        .on_stop(log_out)
        .task(task(orders).weight(3))
        .task(account);
    loadr::run(Test::new().user(member))
}
