//! Who wants to know of what happens: the events of a test, and one of its own.

use std::sync::atomic::{AtomicU64, Ordering};

use loadr::prelude::*;

/// Fired with the price of what was bought; prices are whole, and listeners are called on the shards' threads.
static BOUGHT: Event<u64> = Event::new();
static SPENT: AtomicU64 = AtomicU64::new(0);
static SLOW: AtomicU64 = AtomicU64::new(0);

async fn buy(user: User) -> TaskResult {
    // A block of requests, or anything else, can be timed as one; what fails in it is its failure.
    let price = user.measure("BLOCK", "buy", async {
        let answer = user.client.get("/products/7").name("/products/[id]").send().await;
        let product: Value = answer.json()?;
        product["price"].as_u64().ok_or_else(|| TaskExit::error("no price"))
    });
    BOUGHT.fire(&price.await?);
    Ok(())
}

fn main() -> ExitCode {
    BOUGHT.listen(|price| {
        SPENT.fetch_add(*price, Ordering::Relaxed);
    });
    let test = Test::new()
        .user(UserClass::new("Buyer").host("http://127.0.0.1:8080").wait(constant(0.05)).task(buy))
        .on_init(|role| eprintln!("init: {role:?}"))
        .on_test_start(|_| eprintln!("test_start: a place to make what the test needs"))
        .on_spawning_complete(|users| eprintln!("spawning_complete: {users} users"))
        .on_request(|request| {
            SLOW.fetch_add(u64::from(request.response_time.as_secs() >= 1), Ordering::Relaxed);
        })
        .on_user_error(|error| eprintln!("user_error: {}: {}", error.task, error.message))
        .on_test_stop(|_| eprintln!("test_stop: {} spent", SPENT.load(Ordering::Relaxed)))
        .on_report(|report| eprintln!("report: {} requests", report.totals.requests))
        .on_quitting(|quitting| {
            // What is too slow for us, nobody else can know.
            if SLOW.load(Ordering::Relaxed) > quitting.report.totals.requests / 100 {
                quitting.exit_code = Some(3);
            }
        })
        .on_quit(|code| eprintln!("quit: {code}"));
    loadr::run(test)
}
