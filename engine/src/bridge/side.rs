//! The tokio runtime beside the shards, for libraries that want one.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use super::pool::leave_shards_cpu;

/// Threads that drive futures: clients wait more than they work, and the CPUs are the shards'.
const THREADS: usize = 2;
/// Most threads of its own that tokio may use for what blocks.
const BLOCKING_THREADS_MAX: usize = 64;

/// The runtime of the process, which the first call starts. It never ends by itself, so nobody waits for what runs on it.
pub(super) fn handle() -> Handle {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(start).handle().clone()
}

fn start() -> Runtime {
    let built = Builder::new_multi_thread()
        .worker_threads(THREADS)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("loadr-tokio")
        .on_thread_start(leave_shards_cpu)
        .enable_all()
        .build();
    built.unwrap_or_else(|error| panic!("no tokio runtime beside the shards: {error}"))
}
