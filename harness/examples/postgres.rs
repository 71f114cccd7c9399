//! A database through a library that wants tokio: each user keeps a client of its own, and measures its queries.
//!
//! `postgres --database 'host=localhost user=postgres dbname=shop' -u 20 -i 1000`

use std::cell::RefCell;
use std::sync::Arc;

use loadr::prelude::*;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};

/// What makes the table, however many come at once.
const TABLE: &str = "BEGIN; SELECT pg_advisory_xact_lock(4711); \
                     CREATE TABLE IF NOT EXISTS orders (member bigint, item text); COMMIT";

#[derive(clap::Args)]
struct Arguments {
    /// Where the database is, as libpq has it
    #[arg(long, default_value = "host=localhost user=postgres")]
    database: String,
}

#[derive(Default)]
struct Member {
    client: RefCell<Option<Arc<Client>>>,
}

type Shopper = User<Member>;

async fn connect(user: Shopper, database: String) -> TaskResult {
    let connected = user.measure("SQL", "connect", async {
        let (client, connection) = user.tokio(connect_to(database)).await?;
        // The client talks through a task of its own, which ends with it.
        user.context.tokio_handle().spawn(connection);
        Ok(client)
    });
    // Who has no connection has nothing to do here; the failure has been counted.
    let Ok(client) = connected.await else { return user.stop() };
    let client = Arc::new(client);
    let table = Arc::clone(&client);
    user.tokio(async move { table.batch_execute(TABLE).await }).await?;
    *user.state.client.borrow_mut() = Some(client);
    Ok(())
}

type Connection =
    tokio_postgres::Connection<tokio_postgres::Socket, tokio_postgres::tls::NoTlsStream>;

async fn connect_to(database: String) -> Result<(Client, Connection), tokio_postgres::Error> {
    tokio_postgres::connect(&database, NoTls).await
}

/// Counts a query as type `SQL`: the time that it took, not what its way to tokio and back did.
async fn query(
    user: &Shopper,
    name: &str,
    statement: &'static str,
    values: Vec<Box<dyn ToSql + Send + Sync>>,
) -> Result<Vec<Row>, TaskExit> {
    let client = user.state.client.borrow().clone();
    let client = client.ok_or_else(|| TaskExit::error("there is no connection"))?;
    let rows = user.tokio(async move {
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
        client.query(statement, &values).await
    });
    user.measure("SQL", name, async { Ok(rows.await?) }).await
}

async fn order(user: Shopper) -> TaskResult {
    let item = user.choose(&["tea", "milk", "bread"]).to_string();
    let values: Vec<Box<dyn ToSql + Send + Sync>> =
        vec![Box::new(user.index() as i64), Box::new(item)];
    // A query that failed has been counted; the task goes on without it.
    let _ = query(&user, "insert order", "INSERT INTO orders VALUES ($1, $2)", values).await;
    Ok(())
}

async fn look(user: Shopper) -> TaskResult {
    let member = vec![Box::new(user.index() as i64) as Box<dyn ToSql + Send + Sync>];
    let statement = "SELECT item, count(*) FROM orders WHERE member = $1 GROUP BY item";
    let _ = query(&user, "select orders", statement, member).await;
    Ok(())
}

fn main() -> ExitCode {
    loadr::run_with(|arguments: Arguments| {
        let member = UserClass::new("Member")
            .wait(between(0.01, 0.05))
            .on_start(move |user| connect(user, arguments.database.clone()))
            .task(task(order).weight(3))
            .task(look);
        Test::new().user(member)
    })
}
