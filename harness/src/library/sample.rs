//! Measured operations that are none of the client's requests.

use std::borrow::Cow;
use std::time::Duration;

use loadr_engine::clock::nanos;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::user::Context;

/// A measured operation, for [`User::record`](super::User::record).
///
/// ```
/// use loadr::prelude::*;
///
/// let took = Duration::from_millis(250);
/// let good = Sample::new("POLL", "/things/[id]", took).body_bytes(512);
/// let bad = Sample::new("POLL", "/things/[id]", took).failed("saw ERROR");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a sample counts once it is recorded"]
pub struct Sample<'a> {
    method: &'a str,
    name: &'a str,
    response_time: Duration,
    body_bytes: u64,
    failure: Option<Failure>,
}

impl<'a> Sample<'a> {
    /// A success that took `response_time` and has just ended; `method` stands in the place of one, such as `POLL`.
    pub fn new(method: &'a str, name: &'a str, response_time: Duration) -> Self {
        Self { method, name, response_time, body_bytes: 0, failure: None }
    }

    /// Bytes of what it brought.
    pub fn body_bytes(mut self, bytes: u64) -> Self {
        self.body_bytes = bytes;
        self
    }

    /// Makes it a failure; equal texts are counted together.
    pub fn failed(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.failure = Some(Failure::new(FailureKind::Check, text));
        self
    }

    /// Makes it a failure whose kind is known, such as that of a connection.
    pub fn failure(mut self, failure: Failure) -> Self {
        self.failure = Some(failure);
        self
    }

    /// Counts it, for code that has a user's context and not the user.
    pub fn record(self, context: &Context) {
        context.record_sample(&loadr_engine::user::Sample {
            method: self.method,
            name: self.name,
            start_ns: context.now_ns().saturating_sub(nanos(self.response_time)),
            response_time: self.response_time,
            body_bytes: self.body_bytes,
            failure: self.failure,
        });
    }
}
