//! Rows for users and tasks: accounts that nobody else has, and products that everybody takes in turn.

use std::cell::OnceCell;
use std::sync::Arc;

use loadr::prelude::*;

const ACCOUNTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/accounts.csv");

/// A line of the CSV file, whose header has these names.
#[derive(serde::Deserialize)]
struct Account {
    user: String,
    password: String,
}

/// Each user has handles to the feeds, and the row that it drew.
struct Buyer {
    accounts: Feed<Account>,
    products: Feed<u32>,
    account: OnceCell<Arc<Account>>,
}

async fn log_in(user: User<Buyer>) -> TaskResult {
    let Some(account) = user.next_row(&user.state.accounts).await else {
        // More users than accounts: those without one end.
        return user.stop();
    };
    let account = user.state.account.get_or_init(|| account);
    let form = [("user", &account.user), ("password", &account.password)];
    user.client.post("/login").form(form).send().await;
    Ok(())
}

async fn look(user: User<Buyer>) {
    // Over all users of the run, each product comes up once before any comes up again.
    if let Some(product) = user.next_row(&user.state.products).await {
        user.client.get(format!("/products/{product}")).name("/products/[id]").send().await;
    }
}

async fn own_account(user: User<Buyer>) {
    let own = user.state.account.get().map(|account| account.user.as_str());
    let call = user.client.get("/account").check(|answer| {
        if answer.pointer("/user").and_then(Value::as_str) != own {
            answer.failure("another user's account");
        }
    });
    call.send().await;
}

fn main() -> Result<ExitCode, FeedError> {
    let accounts = Feed::csv(ACCOUNTS)?.unique();
    let products = Feed::new(1..=500);
    let (own, shared) = (accounts.clone(), products.clone());
    let state = move |_: &Context| Buyer {
        accounts: own.clone(),
        products: shared.clone(),
        account: OnceCell::new(),
    };
    let buyer = UserClass::with_state("Buyer", state)
        .host("http://127.0.0.1:8080")
        .feed(&accounts)
        .feed(&products)
        .wait(constant(0.05))
        .on_start(log_in)
        .task(task(look).weight(3))
        .task(own_account);
    Ok(loadr::run(Test::new().user(buyer)))
}
