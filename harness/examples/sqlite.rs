//! A database through a library that blocks: its calls run on threads off the shard, and are measured there.
//!
//! `sqlite --file shop.sqlite -u 20 -i 1000`; with more users than `--blocking-threads`, the report says how long calls
//! waited for a thread.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use loadr::prelude::*;
use rusqlite::Connection;

#[derive(clap::Args)]
struct Arguments {
    /// The file of the database; it is made where there is none
    #[arg(long, default_value = "shop.sqlite")]
    file: PathBuf,
}

/// One user has one connection; the lock is for its thread alone, which may outlast a task that was stopped.
#[derive(Default)]
struct Member {
    connection: RefCell<Option<Arc<Mutex<Connection>>>>,
}

type Shopper = User<Member>;

fn open(file: &PathBuf) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(20))?;
    connection.execute("CREATE TABLE IF NOT EXISTS orders (member INTEGER, item TEXT)", [])?;
    Ok(connection)
}

async fn connect(user: Shopper, file: PathBuf) -> TaskResult {
    let opened =
        user.measure("SQL", "open", async { Ok(user.blocking(move || open(&file)).await?) });
    let Ok(connection) = opened.await else { return user.stop() };
    *user.state.connection.borrow_mut() = Some(Arc::new(Mutex::new(connection)));
    Ok(())
}

/// Counts a call as type `SQL`: the time that it took, not what it waited for a thread.
async fn call<T: Send + 'static>(
    user: &Shopper,
    name: &str,
    work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, TaskExit> {
    let connection = user.state.connection.borrow().clone();
    let connection = connection.ok_or_else(|| TaskExit::error("there is no connection"))?;
    let done =
        user.blocking(move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner)));
    user.measure("SQL", name, async { Ok(done.await?) }).await
}

async fn order(user: Shopper) {
    let member = user.index() as i64;
    let item = *user.choose(&["tea", "milk", "bread"]);
    // A call that failed has been counted; the task goes on without it.
    let _ = call(&user, "insert order", move |connection| {
        connection.execute("INSERT INTO orders VALUES (?1, ?2)", (member, item))
    })
    .await;
}

async fn look(user: Shopper) {
    let member = user.index() as i64;
    let _ = call(&user, "select orders", move |connection| {
        let statement = "SELECT count(*) FROM orders WHERE member = ?1";
        connection.query_row(statement, [member], |row| row.get::<_, i64>(0))
    })
    .await;
}

fn main() -> ExitCode {
    loadr::run_with(|arguments: Arguments| {
        let member = UserClass::new("Member")
            .wait(between(0.01, 0.05))
            .on_start(move |user| connect(user, arguments.file.clone()))
            .task(task(order).weight(3))
            .task(look);
        Test::new().user(member)
    })
}
