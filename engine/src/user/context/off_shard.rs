//! Work off the shard, as a user begins it.

use std::future::Future;
use std::time::Duration;

use super::Context;
use crate::bridge::{self, Bridged};

/// What a measured operation brought, and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<T> {
    /// What it brought.
    pub value: T,
    /// From its start to its end, without `bridge`.
    pub took: Duration,
    /// Time in it that work off the shard spent on the way: waiting for its turn, and word of its end coming back.
    pub bridge: Duration,
}

impl Context {
    /// Runs `work` off the shard, on a thread of a bounded pool, and waits for it: for what blocks or takes long.
    ///
    /// A shard has as many threads as the plan's [`BridgeOptions`](crate::bridge::BridgeOptions) say, and work waits its
    /// turn in the order in which it came. When the task is stopped before its work has begun, it never begins; afterwards it
    /// goes on unheard, so that what can take long looks out for a sign to stop. Nobody waits for it at the end of the run,
    /// or of the process. A panic in it becomes one of the task.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.blocking_timed(work).await.value
    }

    /// As [`Self::blocking`], with the times that the work has waited and run.
    pub async fn blocking_timed<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Bridged<T> {
        bridge::blocking(&self.shard, work).await
    }

    /// Runs `work` on a tokio runtime beside the shards and waits for it: for libraries that want tokio.
    ///
    /// The runtime is one for the process, with I/O and time; the first call starts it. `work` may call
    /// [`tokio::spawn`], as clients do whose connection is a task of its own: such tasks go on, so a client that is made
    /// here may be kept in the user's state, used in later calls, and ends when it is dropped. When the task is stopped,
    /// `work` is dropped where it awaits. A panic in it becomes one of the task.
    pub async fn tokio<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.tokio_timed(work).await.value
    }

    /// As [`Self::tokio`], with the times until `work` was first polled and from there to its end.
    pub async fn tokio_timed<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Bridged<T> {
        bridge::tokio(&self.shard, work).await
    }

    /// The runtime that [`Self::tokio`] runs work on, for what has to be made within one: enter it, or spawn on it.
    pub fn tokio_handle(&self) -> tokio::runtime::Handle {
        bridge::tokio_handle()
    }

    /// Times `work` by the run's clock, and leaves out what it spent in the bridge and not at work.
    ///
    /// Left out are the spans in which something within `work` waited for a thread or for word of its end, each moment once
    /// however many waited; also where something else went on at the same time, so time such things apart. What is in the
    /// background does not count. In the simulation, work off the shard takes no time.
    pub async fn timed<T>(&self, work: impl Future<Output = T>) -> Timed<T> {
        let start_ns = self.now_ns();
        let (value, bridge_ns) = self.shard.bridge().meter.measure(work).await;
        let elapsed_ns = self.now_ns().saturating_sub(start_ns);
        Timed {
            value,
            took: Duration::from_nanos(elapsed_ns.saturating_sub(bridge_ns)),
            bridge: Duration::from_nanos(bridge_ns),
        }
    }
}
