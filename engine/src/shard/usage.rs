//! CPU time of a shard's thread.

use std::ops::Sub;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// CPU time that a thread has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl CpuTime {
    /// Of the calling thread, since it started. With io_uring's deferred task work the kernel's share of the I/O runs
    /// on this thread too and is counted here.
    pub(crate) fn of_this_thread() -> Self {
        match getrusage(UsageWho::RUSAGE_THREAD) {
            Ok(usage) => {
                Self { user: duration(usage.user_time()), system: duration(usage.system_time()) }
            }
            // The call can only fail for arguments that it is not given; no figure is the honest answer then.
            Err(_) => Self::default(),
        }
    }
}

impl Sub for CpuTime {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

fn duration(time: TimeVal) -> Duration {
    let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
