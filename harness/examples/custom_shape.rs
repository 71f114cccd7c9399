//! A load shape of one's own: visitors twice as many each second, and members beside them from the third second on.

use loadr::prelude::*;

async fn look(user: User) {
    user.client.get("/").send().await;
}

async fn read(user: User) {
    user.client.get("/products/7").name("/products/[id]").send().await;
}

/// Asked once a second; it may go by the time since the start and by the users that there are.
fn doubling(run_time: Duration, _users: u64) -> Option<ShapeTick> {
    let second = run_time.as_secs();
    let classes = if second < 2 { vec!["Visitor"] } else { vec!["Visitor", "Member"] };
    let classes = Some(classes.into_iter().map(str::to_owned).collect());
    // No tick, no test: it ends after four seconds.
    (second < 4).then(|| ShapeTick { classes, ..ShapeTick::new(2 << second, 100.0) })
}

fn main() -> ExitCode {
    let host = "http://127.0.0.1:8080";
    let visitor = UserClass::new("Visitor").host(host).wait(constant_throughput(5.0)).task(look);
    let member = UserClass::new("Member").host(host).wait(constant_pacing(0.2)).task(read);
    loadr::run(Test::new().user(visitor).user(member).shape(doubling))
}
