//! The run's clock: nanoseconds since the run's origin.
//!
//! Every stamp in the engine is a `u64` on this scale, so that shards can be compared and a stamp fits a register.
//! The origin is one monotonic instant paired with the wall clock's reading at that moment: report intervals are
//! aligned to wall seconds, and steps of the wall clock during a run (NTP) must not tear an interval.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The moment from which a run's stamps count, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    monotonic_ns: u64,
    unix_ns: u64,
}

impl Origin {
    /// Takes this moment as the origin.
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { monotonic_ns: monotonic_ns(), unix_ns: nanos(since_epoch) }
    }

    /// An origin at `unix_ns` for virtual time, where only the wall reading matters.
    pub fn simulated(unix_ns: u64) -> Self {
        Self { monotonic_ns: 0, unix_ns }
    }

    /// Wall time of the stamp `at_ns`, in nanoseconds since the Unix epoch.
    pub fn unix_ns(&self, at_ns: u64) -> u64 {
        self.unix_ns + at_ns
    }

    /// Wall second that the stamp `at_ns` falls into, in seconds since the Unix epoch.
    pub fn unix_second(&self, at_ns: u64) -> u64 {
        self.unix_ns(at_ns) / NANOS_PER_SECOND
    }

    /// Wall time of the stamp `at_ns`.
    pub fn system_time(&self, at_ns: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.unix_ns(at_ns))
    }

    /// The first stamp after `at_ns` at which a wall second begins.
    pub fn next_second_ns(&self, at_ns: u64) -> u64 {
        (self.unix_second(at_ns) + 1) * NANOS_PER_SECOND - self.unix_ns
    }

    /// Nanoseconds that have passed since the origin on the system's monotonic clock.
    #[inline]
    pub fn elapsed_ns(&self) -> u64 {
        monotonic_ns() - self.monotonic_ns
    }
}

/// Reads the time of one shard: the system's monotonic clock, or a simulation's virtual one.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's monotonic clock.
    System(Origin),
    /// Virtual time, moved by the simulation alone.
    Simulated(Origin, Rc<Cell<u64>>),
}

impl Clock {
    /// Nanoseconds since the run's origin.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        match self {
            Self::System(origin) => origin.elapsed_ns(),
            Self::Simulated(_, now_ns) => now_ns.get(),
        }
    }

    /// The origin that stamps count from.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::System(origin) | Self::Simulated(origin, _) => origin,
        }
    }
}

/// The monotonic clock in nanoseconds, read without a system call where the kernel allows; read twice an exchange, so
/// without the detour over the standard library's two-part instants.
#[inline]
fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * NANOS_PER_SECOND + now.tv_nsec.cast_unsigned()
}

/// A duration in nanoseconds; durations past 584 years read as the longest.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_begin_with_wall_seconds() {
        let origin = Origin::simulated(1_795_222_119_250_000_000);
        assert_eq!(origin.next_second_ns(0), 750_000_000);
        assert_eq!(origin.next_second_ns(750_000_000), 1_750_000_000);
        assert_eq!(origin.unix_second(749_999_999), 1_795_222_119);
        assert_eq!(origin.unix_second(750_000_000), 1_795_222_120);
    }
}
