//! The Rust library: user classes in the full language, run by the whole command line.
//!
//! ```no_run
//! use loadr::prelude::*;
//!
//! async fn browse(user: User) {
//!     user.client.get("/products").send().await;
//! }
//!
//! async fn buy(user: User) -> TaskResult {
//!     let answer = user.client.post("/cart").json(&["book"]).send().await;
//!     let order: u64 = answer.json()?;
//!     user.client.get(format!("/orders/{order}")).name("/orders/[id]").send().await;
//!     Ok(())
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     let shopper = UserClass::new("Shopper").wait(between(1.0, 5.0)).task(task(browse).weight(3)).task(buy);
//!     loadr::run(Test::new().user(shopper))
//! }
//! ```
//!
//! A task is an async function of a [`User`]: a cheap handle whose clones are the same user's. It need not be `Send`; it
//! may be dropped at any await when its user is stopped, and `on_stop` runs then. What goes wrong in it ends it by `?`, is
//! counted, and the user goes on to its next task; how else a task can end early is in
//! [`TaskExit`](loadr_engine::task::TaskExit).
//!
//! - [`UserClass`], [`TaskSet`], [`task()`]: who there is and what they do. [`wait`]: the pauses in between.
//! - [`User`]: requests by `user.client`, a state of one's own, time, chance, work in the background, measurements.
//!   [`UserKind`]: the same user as another protocol shows it, such as [`XmlRpcUser`] and
//!   [`WebSocketUser`].
//! - [`custom`]: clients of protocols of one\'s own.
//! - [`Feed`]: rows of data. [`Sample`]: anything measured. [`Event`] and the listeners of [`Test`]: who hears of it.

pub(crate) mod attachments;
pub mod class;
pub mod custom;
pub mod event;
pub mod feed;
pub mod kind;
pub mod sample;
pub mod task;
pub mod test;
pub mod user;
pub mod wait;
pub mod websocket;
pub mod xmlrpc;

pub use class::UserClass;
pub use event::{Event, Quitting};
pub use feed::{Feed, FeedError};
pub use kind::UserKind;
pub use sample::Sample;
pub use task::{Task, TaskSet, task};
pub use test::Test;
pub use user::User;
pub use websocket::WebSocketUser;
pub use xmlrpc::XmlRpcUser;
