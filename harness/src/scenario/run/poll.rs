//! Operations that the target goes on with: asked after until they have ended, and counted as one.

use std::cell::Cell;
use std::time::Duration;

use loadr_engine::client::session::Verdict;
use loadr_engine::clock::nanos;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::task::{TaskExit, TaskResult};
use loadr_engine::user::Sample;

use super::code::PollCode;
use super::send::Arrived;
use super::user::ScenarioUser;
use crate::scenario::expect::Expect;
use crate::scenario::template::Unset;

/// What a response says of an operation.
enum State {
    /// It goes on.
    Pending,
    /// It has ended well.
    Done,
    /// It has ended badly, in these words.
    Failed(String),
}

impl ScenarioUser {
    /// Asks until the operation has ended, and counts it from now to the response that showed its end.
    pub(super) async fn poll(&self, code: &PollCode) -> TaskResult {
        let start_ns = self.context.now_ns();
        let deadline_ns = start_ns.saturating_add(nanos(code.poll.timeout));
        loop {
            let failure = match self.ask(code).await? {
                State::Done => None,
                State::Failed(text) => Some(Failure::new(FailureKind::Check, text)),
                State::Pending => {
                    let left_ns = deadline_ns.saturating_sub(self.context.now_ns());
                    if left_ns > 0 {
                        let left = Duration::from_nanos(left_ns);
                        self.context.sleep(code.poll.every.min(left)).await;
                    }
                    if self.context.now_ns() < deadline_ns {
                        continue;
                    }
                    let text = format!("not ended within {:?}", code.poll.timeout);
                    Some(Failure::new(FailureKind::Timeout, text))
                }
            };
            self.record_operation(code, start_ns, failure);
            return Ok(());
        }
    }

    fn record_operation(&self, code: &PollCode, start_ns: u64, failure: Option<Failure>) {
        let response_time = Duration::from_nanos(self.context.now_ns().saturating_sub(start_ns));
        self.context.record_sample(&Sample {
            method: &code.label.method,
            name: &code.label.name,
            start_ns,
            response_time,
            body_bytes: 0,
            failure,
        });
    }

    /// Sends one request and says what it showed.
    async fn ask(&self, code: &PollCode) -> Result<State, TaskExit> {
        let seen = Cell::new(Ok(State::Pending));
        let judge = |arrived: &Arrived<'_, '_>| match self.state_of(code, arrived) {
            Ok((state, verdict)) => {
                seen.set(Ok(state));
                verdict
            }
            Err(unset) => {
                seen.set(Err(unset));
                Verdict::Undecided
            }
        };
        self.send(&code.call, judge).await?;
        seen.into_inner().map_err(|unset| self.unset(unset))
    }

    /// What a response shows, and what its own request counts as.
    fn state_of(
        &self,
        code: &PollCode,
        arrived: &Arrived<'_, '_>,
    ) -> Result<(State, Verdict), Unset> {
        let poll = &code.poll;
        let own = self.judge(&code.call.judgement, arrived)?;
        if let Some(fail) = &poll.fail
            && self.holds(fail, arrived)?
        {
            let text = format!("ended badly: {}", fail.seen(arrived));
            return Ok((State::Failed(text), unless_asked_for(fail, own)));
        }
        if !self.holds(&poll.until, arrived)? {
            return Ok((State::Pending, own));
        }
        let state = match self.keep(&poll.extract, arrived)? {
            None => State::Done,
            Some(text) => State::Failed(text),
        };
        Ok((state, unless_asked_for(&poll.until, own)))
    }

    fn holds(&self, expect: &Expect, arrived: &Arrived<'_, '_>) -> Result<bool, Unset> {
        self.look(|scope| expect.failure(arrived, scope)).map(|failure| failure.is_none())
    }
}

/// Whoever waits for a certain status does not count it as a failed request.
fn unless_asked_for(end: &Expect, own: Verdict) -> Verdict {
    if end.status.is_some() { Verdict::Success } else { own }
}
