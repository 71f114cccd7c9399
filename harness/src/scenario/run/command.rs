//! Programs as steps: run off the shard, and measured there.

use std::time::Duration;

use loadr_engine::outcome::Failure;
use loadr_engine::task::{TaskExit, TaskResult};
use loadr_engine::user::Sample;

use super::child::{Child, Leash};
use super::code::CommandCode;
use super::user::ScenarioUser;

impl ScenarioUser {
    /// Runs a program and counts it. If the task is stopped meanwhile, so is the program.
    pub(super) async fn command(&self, code: &CommandCode) -> TaskResult {
        let child = self.child(code)?;
        let leash = Leash::default();
        let held = leash.clone();
        let ended = self.context.blocking(move || child.run(&held)).await;
        drop(leash);
        self.record_command(code, ended.took, ended.failure);
        Ok(())
    }

    fn child(&self, code: &CommandCode) -> Result<Child, TaskExit> {
        let command = &code.command;
        let arguments = command.arguments.iter().map(|argument| self.rendered(argument));
        let variables = command.environment.iter();
        Ok(Child {
            arguments: arguments.collect::<Result<_, _>>()?,
            environment: variables
                .map(|(name, value)| Ok((name.to_string(), self.rendered(value)?)))
                .collect::<Result<_, TaskExit>>()?,
            folder: command.folder.clone(),
            timeout: command.timeout,
            exit_codes: command.exit_codes.clone(),
        })
    }

    fn record_command(&self, code: &CommandCode, took: Duration, failure: Option<Failure>) {
        // Word of its end comes a little after it, which is not the program's time.
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.context.record_sample(&Sample {
            method: &code.label.method,
            name: &code.label.name,
            start_ns: self.context.now_ns().saturating_sub(took_ns),
            response_time: took,
            body_bytes: 0,
            failure,
        });
    }
}
