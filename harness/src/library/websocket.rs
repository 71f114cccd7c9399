//! Users of WebSockets.

use std::ops::Deref;

use loadr_engine::client::websocket::{WebSocket, WebSocketOptions};
use loadr_engine::outcome::Failure;

use super::kind::UserKind;
use super::user::User;

/// A user with a WebSocket to its host, which lasts from task to task.
///
/// Everything else that a [`User`] can do it can too; a login over HTTP gives the WebSocket its cookies. What is done with
/// the WebSocket is in the statistics as `WS`, under `connect`, `send`, `message`, `ping` and `push`, unless the options and
/// the calls say otherwise. A failure that an operation gives back has been counted; passed on with `?` it ends the task and
/// is counted as the task's too.
///
/// ```no_run
/// use loadr::prelude::*;
///
/// async fn connect(user: WebSocketUser) -> TaskResult {
///     // Other names than the usual ones, and the target's keep-alives sent back.
///     let keep_alive = Matcher::Pointer { pointer: "/type".to_owned(), equals: json!("keepalive") };
///     let options = WebSocketOptions {
///         kind: "websockt".to_owned(),
///         connect_name: "urlweb".to_owned(),
///         echo: Some(keep_alive),
///         ..WebSocketOptions::default()
///     };
///     let socket = user.open("/ws", options)?;
///     socket.count_pushes(Pushes { latency: Latency::SentAt("/at".to_owned()), ..Pushes::default() });
///     socket.connect().await?;
///     Ok(())
/// }
///
/// async fn ask(user: WebSocketUser) -> TaskResult {
///     let by_id = Matcher::Correlation { sent: "/id".to_owned(), received: "/id".to_owned() };
///     let question = json!({"id": user.random(1..=1_000_000), "ask": "time"}).to_string();
///     let answer = user.socket()?.request(&question).name("time").matching(&by_id).send().await?;
///     if answer.json().is_none() {
///         return Err(TaskExit::error("no JSON"));
///     }
///     Ok(())
/// }
///
/// async fn leave(user: WebSocketUser) -> TaskResult {
///     user.socket()?.close().await?;
///     Ok(())
/// }
///
/// fn main() -> ExitCode {
///     let class = UserClass::new("Chatter").host("ws://127.0.0.1:8080");
///     loadr::run(Test::new().user(class.on_start(connect).task(ask).on_stop(leave)))
/// }
/// ```
pub struct WebSocketUser<S = ()> {
    /// The user itself.
    pub user: User<S>,
}

impl<S: 'static> WebSocketUser<S> {
    /// The WebSocket that was opened last; one to the host's own path, with the usual options, where none was.
    ///
    /// # Errors
    /// The host is no place for one.
    pub fn socket(&self) -> Result<WebSocket, Failure> {
        match self.user.attachment::<WebSocket>() {
            Some(socket) => Ok(socket.with_context(self.user.context.clone())),
            None => self.open("", WebSocketOptions::default()),
        }
    }

    /// Makes a WebSocket in place of the one before: at `url`, a path behind the host's or a whole URL. It connects when it
    /// is told to or first used.
    ///
    /// # Errors
    /// The URL leads nowhere, or the upgrade cannot be asked for so.
    pub fn open(&self, url: &str, options: WebSocketOptions) -> Result<WebSocket, Failure> {
        let socket = self.user.client.websocket(url, options)?;
        drop(self.user.attach(socket.clone()));
        Ok(socket)
    }
}

impl<S: 'static> UserKind for WebSocketUser<S> {
    type State = S;

    fn of(user: User<S>) -> Self {
        Self { user }
    }
}

impl<S> Clone for WebSocketUser<S> {
    fn clone(&self) -> Self {
        Self { user: self.user.clone() }
    }
}

impl<S> Deref for WebSocketUser<S> {
    type Target = User<S>;

    fn deref(&self) -> &User<S> {
        &self.user
    }
}
