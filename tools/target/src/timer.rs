//! Deadlines of one server thread: a heap, and one timerfd armed for the earliest of them.
//!
//! The kernel's timerfd has nanosecond deadlines on the monotonic clock, where a timeout of epoll
//! has whole milliseconds. It is armed at most once per turn of the event loop, and only when the
//! earliest deadline changed. Deadlines are not taken back: one whose connection is gone names a
//! token that no longer exists.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

const NS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds on the monotonic clock.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * NS_PER_SECOND + now.tv_nsec.cast_unsigned()
}

/// Deadlines, each with the token of what waits for it.
#[derive(Debug)]
pub(crate) struct Timers {
    /// For the epoll set, edge-triggered: it becomes readable at the earliest deadline and is never
    /// read.
    pub(crate) fd: OwnedFd,
    deadlines: BinaryHeap<Reverse<(u64, u64)>>,
    /// The deadline that the timerfd is armed for and has not reached.
    armed_ns: Option<u64>,
}

impl Timers {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self { fd, deadlines: BinaryHeap::new(), armed_ns: None })
    }

    /// Has `token` come up at `at_ns`.
    pub(crate) fn set(&mut self, at_ns: u64, token: u64) {
        self.deadlines.push(Reverse((at_ns, token)));
    }

    /// Takes the earliest token whose deadline has come at `now_ns`.
    pub(crate) fn take_due(&mut self, now_ns: u64) -> Option<u64> {
        self.armed_ns = self.armed_ns.filter(|&armed| armed > now_ns);
        let due = self.deadlines.peek().is_some_and(|Reverse((at, _))| *at <= now_ns);
        if !due {
            return None;
        }
        self.deadlines.pop().map(|Reverse((_, token))| token)
    }

    /// Arms the timerfd for the earliest deadline; to be called before every wait.
    pub(crate) fn arm(&mut self) -> io::Result<()> {
        let Some(&Reverse((earliest, _))) = self.deadlines.peek() else { return Ok(()) };
        if self.armed_ns.is_some_and(|armed| armed <= earliest) {
            return Ok(());
        }
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let it_value = Timespec {
            tv_sec: (earliest / NS_PER_SECOND).cast_signed(),
            tv_nsec: (earliest % NS_PER_SECOND).cast_signed(),
        };
        let spec = Itimerspec { it_interval, it_value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &spec)?;
        self.armed_ns = Some(earliest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    #[test]
    fn tokens_come_up_in_order_of_their_deadlines() {
        let mut timers = Timers::new().unwrap();
        for (at, token) in [(30, 3), (10, 1), (20, 2), (10, 0)] {
            timers.set(at, token);
        }
        assert_eq!(timers.take_due(9), None);
        let due: Vec<_> = std::iter::from_fn(|| timers.take_due(20)).collect();
        assert_eq!(due, [0, 1, 2]);
        assert_eq!(timers.take_due(u64::MAX), Some(3));
        assert_eq!(timers.take_due(u64::MAX), None);
    }

    #[test]
    fn the_timerfd_wakes_at_the_earliest_deadline() {
        let mut timers = Timers::new().unwrap();
        let start = Instant::now();
        let now = now_ns();
        timers.set(now + 60_000_000_000, 2);
        timers.arm().unwrap();
        timers.set(now + 3_000_000, 1);
        timers.arm().unwrap();
        poll(&mut [PollFd::new(&timers.fd, PollFlags::IN)], None).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(3));
        assert_eq!(timers.take_due(now_ns()), Some(1));
        assert_eq!(timers.take_due(now_ns()), None);
    }
}
