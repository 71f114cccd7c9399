//! Calls that a program answers, as steps.
//!
//! - `wire`: the line protocol, without I/O. `process`: the program, started with its pipes.
//! - `link`: a process that runs, with the calls that wait for it. `keeper`: what starts one, and the next when it has died.

mod keeper;
mod link;
mod process;
mod wire;

pub(super) use keeper::{Driver, Drivers};

use std::borrow::Cow;
use std::cell::OnceCell;
use std::time::Duration;

use loadr_engine::clock::nanos;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::task::TaskResult;
use loadr_engine::user::Sample;
use serde_json::Value;

use super::code::DriverCallCode;
use super::user::{ScenarioUser, shortened};
use crate::scenario::judge::Response;
use crate::scenario::template::Unset;

use keeper::NoLink;
use link::Ended;
use wire::Answer;

impl ScenarioUser {
    /// Has the driver answer a call, counts it, and keeps of the answer what is to be kept.
    pub(super) async fn driver_call(&self, code: &DriverCallCode) -> TaskResult {
        let driver = self.driver.as_ref().expect("calls are read where there is a driver");
        let mut params = String::new();
        self.read(|scope| code.call.params.render(scope, &mut params))?;
        let ended = match driver.link(&self.context).await {
            Ok(link) => {
                let (call, user) = (&*code.call.call, self.context.user_index());
                link.call(&self.context, call, &params, user, code.timeout).await
            }
            Err(NoLink::Died(failure)) => {
                let now_ns = self.context.now_ns();
                Ended { start_ns: now_ns, end_ns: now_ns, answer: Err(failure) }
            }
            // That has been counted: nothing was asked.
            Err(NoLink::NotStarted) => return self.fall_back(&code.call.extract),
        };
        self.finish_call(code, ended)
    }

    fn finish_call(&self, code: &DriverCallCode, ended: Ended) -> TaskResult {
        let Ended { start_ns, end_ns, answer } = ended;
        let elapsed = Duration::from_nanos(end_ns.saturating_sub(start_ns));
        let extract = &code.call.extract;
        let Answer { outcome, took, bytes, samples } = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                self.record_call(code, end_ns, elapsed, 0, Some(failure));
                return self.fall_back(extract);
            }
        };
        samples.iter().for_each(|sample| self.record_besides(sample, end_ns));
        // Where the driver has measured, the time is what it says.
        let took = took.unwrap_or(elapsed);
        let result = match outcome {
            Ok(result) => result,
            Err(text) => {
                self.record_call(code, end_ns, took, bytes, Some(failed(text)));
                return self.fall_back(extract);
            }
        };
        let judged = self.judge_result(code, &ResultView::new(&result, took));
        let (failure, unset) = match judged {
            Ok(failure) => (failure, None),
            Err(unset) => (None, Some(unset)),
        };
        self.record_call(code, end_ns, took, bytes, failure.map(failed));
        unset.map_or(Ok(()), |unset| Err(self.unset(unset)))
    }

    /// What is wrong with a result, if anything is; what is to be kept of it is kept.
    fn judge_result(
        &self,
        code: &DriverCallCode,
        result: &ResultView<'_>,
    ) -> Result<Option<String>, Unset> {
        let failure = self.look(|scope| code.call.expect.failure(result, scope))?;
        let missing = self.keep(&code.call.extract, result)?;
        Ok(failure.or(missing))
    }

    fn record_call(
        &self,
        code: &DriverCallCode,
        end_ns: u64,
        response_time: Duration,
        body_bytes: u64,
        failure: Option<Failure>,
    ) {
        self.context.record_sample(&Sample {
            method: &code.label.method,
            name: &code.label.name,
            start_ns: end_ns.saturating_sub(nanos(response_time)),
            response_time,
            body_bytes,
            failure,
        });
    }

    /// Counts what the driver has measured besides the call.
    fn record_besides(&self, sample: &wire::Sample, end_ns: u64) {
        self.context.record_sample(&Sample {
            method: &sample.kind,
            name: &sample.name,
            start_ns: end_ns.saturating_sub(nanos(sample.took)),
            response_time: sample.took,
            body_bytes: sample.bytes,
            failure: sample.error.clone().map(failed),
        });
    }
}

fn failed(text: String) -> Failure {
    Failure::new(FailureKind::Check, shortened(text))
}

/// A driver's result, looked at as a response's body is.
struct ResultView<'r> {
    value: &'r Value,
    text: OnceCell<Cow<'r, str>>,
    took: Duration,
}

impl<'r> ResultView<'r> {
    fn new(value: &'r Value, took: Duration) -> Self {
        Self { value, text: OnceCell::new(), took }
    }
}

impl Response for ResultView<'_> {
    fn time(&self) -> Duration {
        self.took
    }

    fn body(&self) -> &str {
        self.text.get_or_init(|| match self.value {
            Value::String(text) => Cow::Borrowed(text),
            value => Cow::Owned(value.to_string()),
        })
    }

    fn json(&self) -> Option<&Value> {
        Some(self.value)
    }
}
