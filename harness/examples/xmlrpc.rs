//! Users of an XML-RPC server: the two methods of Locust's old example, called ten times and five times as often.
//!
//! The server is `tests/data/xmlrpc_server.py`; `xmlrpc.toml` beside this file does the same without a compiler.

use loadr::prelude::*;

async fn get_time(user: XmlRpcUser) {
    // The value is for whoever wants it: the call has been counted, as a failure where it brought none.
    let _ = user.client.call("get_time", ()).await;
}

async fn get_random_number(user: XmlRpcUser) -> TaskResult {
    let Ok(number) = user.client.call("get_random_number", (0, 100)).await else { return Ok(()) };
    match number {
        xmlrpc::Value::Int(0..=100) => Ok(()),
        other => Err(TaskExit::error(format!("{} instead of 0 to 100", other.type_name()))),
    }
}

fn main() -> ExitCode {
    let class = UserClass::new("ApiUser")
        .host("http://127.0.0.1:8877/")
        .wait(between(0.1, 1.0))
        .task(task(get_time).weight(10))
        .task(task(get_random_number).weight(5));
    loadr::run(Test::new().user(class))
}
