//! What can be heard on a shard while users run.

use std::time::Duration;

use crate::outcome::Failure;

/// Hears of what happens on a shard; called on the shard's thread, so it must neither block nor take long.
pub trait Listener {
    /// A request or another sample was counted.
    fn request(&self, event: &RequestEvent<'_>);

    /// A task ended with an error that nobody caught, or panicked.
    fn user_error(&self, event: &UserError<'_>);
}

/// One counted request, as Locust's `request` event has it.
#[derive(Clone, Copy, Debug)]
pub struct RequestEvent<'a> {
    /// Method of its entry.
    pub method: &'a str,
    /// Name of its entry.
    pub name: &'a str,
    /// Time from its start to its end.
    pub response_time: Duration,
    /// Bytes of the decoded body.
    pub body_bytes: u64,
    /// When it started, in seconds since the Unix epoch.
    pub start_unix_s: f64,
    /// Why it failed, if it did.
    pub failure: Option<&'a Failure>,
    /// The user that made it.
    pub user_index: u64,
}

/// An uncaught error of a task, as Locust's `user_error` event has it.
#[derive(Clone, Copy, Debug)]
pub struct UserError<'a> {
    /// Class and task that it happened in, such as `Shopper.browse`.
    pub task: &'a str,
    /// What the error says.
    pub message: &'a str,
    /// The user that it happened to.
    pub user_index: u64,
}
