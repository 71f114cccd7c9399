//! Users of a WebSocket that asks and is told: requests matched with their answers by a number, the server's own messages
//! counted with the time that they took, and its keep-alives sent back.
//!
//! The bundled target plays the server: `loadr-bench target --port 8080`. `websocket.toml` beside this file does much the
//! same without a compiler.

use loadr::prelude::*;

async fn connect(user: WebSocketUser) -> TaskResult {
    let keep_alive = Matcher::Pointer { pointer: "/type".to_owned(), equals: json!("keepalive") };
    let options = WebSocketOptions { echo: Some(keep_alive), ..WebSocketOptions::default() };
    let socket = user.open("/ws/push?every=50", options)?;
    // A push says when it was sent, in milliseconds since 1970.
    socket.count_pushes(Pushes {
        name: Some("news".to_owned()),
        latency: Latency::SentAt("/sent_ms".to_owned()),
        ..Pushes::default()
    });
    socket.connect().await?;
    Ok(())
}

async fn ask(user: WebSocketUser) -> TaskResult {
    let same = Matcher::Correlation { sent: "/ask".to_owned(), received: "/ask".to_owned() };
    let question = json!({ "ask": user.random(1..=1_000_000) }).to_string();
    let answer = user.socket()?.request(&question).name("ask").matching(&same).send().await?;
    if answer.json().is_none() {
        return Err(TaskExit::error("the answer is no JSON"));
    }
    Ok(())
}

async fn ping(user: WebSocketUser) -> TaskResult {
    user.socket()?.ping().await?;
    Ok(())
}

async fn leave(user: WebSocketUser) -> TaskResult {
    user.socket()?.close().await?;
    Ok(())
}

fn main() -> ExitCode {
    let class = UserClass::new("Reader")
        .host("ws://127.0.0.1:8080")
        .wait(between(0.1, 0.5))
        .on_start(connect)
        .task(task(ask).weight(5))
        .task(ping)
        .on_stop(leave);
    loadr::run(Test::new().user(class))
}
