//! What a test measures itself: any operation beside the clients of the engine.
//!
//! There are two kinds. [`Context::measure`] puts the time of anything into the statistics, such as a block of requests:
//! it takes nothing of the run's budget (`-n`), since the requests inside of it may do that themselves.
//! [`Context::exchange`] makes one of the run's exchanges, for a protocol of one's own: it waits for leave to begin, and
//! what it counts is what `-n` is a number of, what a run waits for at its end, and what it reports as cut off.

use std::future::{Future, pending};

use super::{Context, Sample, Timed};
use crate::clock::nanos;
use crate::outcome::{Failure, FailureKind};
use crate::record::{EntryIndex, Exchange};
use crate::task::TaskExit;

/// What an exchange moved, as far as its client says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of what was asked for, without what the protocol adds.
    pub body_bytes: u64,
    /// Bytes read from the connection.
    pub bytes_received: u64,
    /// Bytes written to the connection.
    pub bytes_sent: u64,
}

impl Context {
    /// Puts the time that `work` takes into the statistics, as a failure where it ends with an error; `method` stands in
    /// the place of one. What came of it is given back, and so is the error: it has been counted, and `?` would count it
    /// as the task's too.
    ///
    /// It is none of the run's exchanges: see [`Self::exchange`].
    ///
    /// # Errors
    /// What `work` ended with.
    pub async fn measure<T>(
        &self,
        method: &str,
        name: &str,
        work: impl Future<Output = Result<T, TaskExit>>,
    ) -> Result<T, TaskExit> {
        let Timed { value: result, took: response_time, .. } = self.timed(work).await;
        let start_ns = self.now_ns().saturating_sub(nanos(response_time));
        let failure = match &result {
            Err(TaskExit::Error(text)) => Some(Failure::new(FailureKind::Check, text.to_string())),
            // The other ways to end a task early are no failures.
            _ => None,
        };
        self.record_sample(&Sample {
            method,
            name,
            start_ns,
            response_time,
            body_bytes: 0,
            failure,
        });
        result
    }

    /// Makes one of the run's exchanges: waits until one may begin, runs `work`, and counts it under `entry`, with what
    /// `work` says that it moved. Connecting may be a part of it: then a connection that is not made is its failure.
    ///
    /// Like a call of the HTTP client it waits for ever, for the engine to drop the task, once the run's budget is spent
    /// or where the end of the run cut it off; what was cut off is counted as that and nothing else.
    ///
    /// ```
    /// # use loadr_engine::outcome::Failure;
    /// # use loadr_engine::record::EntryKind;
    /// # use loadr_engine::user::Context;
    /// # use std::time::Duration;
    /// async fn ask(context: &Context) -> Result<(), Failure> {
    ///     let entry = context.entry(EntryKind::Exchange, "ECHO", "hello");
    ///     context.exchange(entry, async |traffic| {
    ///         let mut socket = context.udp("127.0.0.1:7").await?;
    ///         socket.send(b"hello").await?;
    ///         traffic.bytes_received = socket.recv_within(Duration::from_secs(1)).await?.len() as u64;
    ///         Ok(())
    ///     }).await
    /// }
    /// ```
    ///
    /// # Errors
    /// What `work` ended with; it has been counted.
    pub async fn exchange<T>(
        &self,
        entry: EntryIndex,
        work: impl AsyncFnOnce(&mut Traffic) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Some(permit) = self.permit_in_task(1).await else { return pending().await };
        let mut traffic = Traffic::default();
        let result = work(&mut traffic).await;
        let exchange = Exchange {
            start_ns: permit.start_ns,
            end_ns: self.now_ns(),
            body_bytes: traffic.body_bytes,
            bytes_received: traffic.bytes_received,
            bytes_sent: traffic.bytes_sent,
            failed: result.is_err(),
        };
        match &result {
            Ok(_) => self.record(entry, &exchange),
            Err(failure) if failure.kind == FailureKind::Cancelled => return pending().await,
            Err(failure) => self.record_failure(entry, &exchange, failure),
        }
        result
    }
}
