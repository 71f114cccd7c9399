//! A shard's timers: nanosecond deadlines in one queue, one alarm armed for the earliest.
//!
//! The runtimes' own timers tick in whole milliseconds (monoio) or allocate per timer; 50 000 starts a second need
//! neither. [`TimerQueue`] is the pure part: deadlines in, expired targets out. [`Timers`] joins it to the runtime's
//! [`Alarm`], which wakes the driving task once, at the earliest deadline.
//!
//! Two kinds of target wait here. A *sleeper* is a waker. A *guard* is a stream's deadline, which moves with every
//! exchange: moving it only writes a cell, and the queue looks again when the old time comes ([`crate::stream`]), so
//! that a timeout per exchange costs the hot path one store.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::clock::Clock;
use crate::runtime::Alarm;
use crate::stream::{GuardSlot, Guards};

/// Identifies a queued timer: its deadline and, among equal deadlines, its order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TimerKey {
    deadline_ns: u64,
    sequence: u64,
}

/// What a timer does when its time has come.
#[derive(Debug)]
pub(crate) enum TimerTarget {
    /// Wakes a sleeping task.
    Sleeper(Waker),
    /// Looks at a stream's deadline, which may have moved on.
    Guard(GuardSlot),
}

/// Deadlines in order; pure, it never asks what time it is.
#[derive(Debug)]
pub(crate) struct TimerQueue<T> {
    timers: BTreeMap<TimerKey, T>,
    sequence: u64,
}

impl<T> TimerQueue<T> {
    fn new() -> Self {
        Self { timers: BTreeMap::new(), sequence: 0 }
    }

    fn insert(&mut self, deadline_ns: u64, target: T) -> TimerKey {
        self.sequence += 1;
        let key = TimerKey { deadline_ns, sequence: self.sequence };
        self.timers.insert(key, target);
        key
    }

    fn remove(&mut self, key: TimerKey) -> Option<T> {
        self.timers.remove(&key)
    }

    fn next_deadline_ns(&self) -> Option<u64> {
        self.timers.first_key_value().map(|(key, _)| key.deadline_ns)
    }

    fn pop_expired(&mut self, now_ns: u64) -> Option<T> {
        let entry = self.timers.first_entry()?;
        (entry.key().deadline_ns <= now_ns).then(|| entry.remove())
    }
}

/// The timers of one shard.
pub(crate) struct Timers {
    queue: RefCell<TimerQueue<TimerTarget>>,
    alarm: Alarm,
    armed_ns: Cell<u64>,
    clock: Clock,
}

impl Timers {
    pub(crate) fn new(alarm: Alarm, clock: Clock) -> Rc<Self> {
        let queue = RefCell::new(TimerQueue::new());
        Rc::new(Self { queue, alarm, armed_ns: Cell::new(u64::MAX), clock })
    }

    /// Completes at `deadline_ns`, never before.
    pub(crate) fn sleep_until(self: &Rc<Self>, deadline_ns: u64) -> Sleep {
        Sleep { timers: Rc::clone(self), deadline_ns, key: None }
    }

    pub(crate) fn insert(&self, deadline_ns: u64, target: TimerTarget) -> TimerKey {
        let key = self.queue.borrow_mut().insert(deadline_ns, target);
        if deadline_ns < self.armed_ns.get() {
            self.arm(deadline_ns);
        }
        key
    }

    pub(crate) fn remove(&self, key: TimerKey) {
        self.queue.borrow_mut().remove(key);
    }

    fn arm(&self, deadline_ns: u64) {
        self.armed_ns.set(deadline_ns);
        self.alarm.arm(deadline_ns, self.clock.now_ns());
    }

    /// Fires timers for as long as the shard lives; one task of the shard runs this.
    pub(crate) async fn drive(self: Rc<Self>, guards: Rc<Guards>) {
        loop {
            self.alarm.ring().await;
            self.armed_ns.set(u64::MAX);
            self.fire_expired(&guards);
            let next = self.queue.borrow().next_deadline_ns();
            if let Some(deadline_ns) = next
                && deadline_ns < self.armed_ns.get()
            {
                self.arm(deadline_ns);
            }
        }
    }

    fn fire_expired(&self, guards: &Guards) {
        let now_ns = self.clock.now_ns();
        loop {
            // The borrow ends before the target runs: waking may insert timers.
            let Some(target) = self.queue.borrow_mut().pop_expired(now_ns) else { return };
            match target {
                TimerTarget::Sleeper(waker) => waker.wake(),
                TimerTarget::Guard(slot) => guards.deadline_due(slot, now_ns),
            }
        }
    }
}

/// Waits for a moment; see [`Timers::sleep_until`].
pub(crate) struct Sleep {
    timers: Rc<Timers>,
    deadline_ns: u64,
    key: Option<TimerKey>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timers.clock.now_ns() >= self.deadline_ns {
            return Poll::Ready(());
        }
        if let Some(key) = self.key.take() {
            // Polled for another reason; the waker may be a new one.
            self.timers.remove(key);
        }
        let target = TimerTarget::Sleeper(context.waker().clone());
        self.key = Some(self.timers.insert(self.deadline_ns, target));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.timers.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timers_expire_in_order_and_none_early(deadlines in prop::collection::vec(0u64..1_000, 0..50), now in 0u64..1_000) {
            let mut queue = TimerQueue::new();
            for &deadline in &deadlines {
                queue.insert(deadline, deadline);
            }
            let mut expired = Vec::new();
            while let Some(deadline) = queue.pop_expired(now) {
                expired.push(deadline);
            }
            let mut due: Vec<u64> = deadlines.iter().copied().filter(|&deadline| deadline <= now).collect();
            due.sort_unstable();
            prop_assert_eq!(expired, due);
            prop_assert_eq!(queue.next_deadline_ns(), deadlines.into_iter().filter(|&deadline| deadline > now).min());
        }
    }

    #[test]
    fn a_removed_timer_never_fires() {
        let mut queue = TimerQueue::new();
        let key = queue.insert(5, 'a');
        queue.insert(5, 'b');
        assert_eq!(queue.remove(key), Some('a'));
        assert_eq!(queue.pop_expired(5), Some('b'));
        assert_eq!(queue.pop_expired(5), None);
    }
}
