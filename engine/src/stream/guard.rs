//! Deadlines of streams, and the ways out: what shuts a socket down from outside of whoever uses it.
//!
//! A stream's deadline is a cell that each exchange moves; the timer queue looks at it when the old time comes, and goes
//! back to sleep if it has moved on.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::{Rc, Weak};

use crate::runtime::SocketHandle;
use crate::timer::{TimerKey, TimerTarget, Timers};

/// Why the engine cut a stream off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    Deadline,
    RunEnded,
    /// An operation was dropped in its middle: nobody knows which bytes it moved.
    Dropped,
}

impl From<Cut> for io::Error {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Deadline => io::ErrorKind::TimedOut.into(),
            Cut::RunEnded => io::ErrorKind::ConnectionAborted.into(),
            Cut::Dropped => io::ErrorKind::NotConnected.into(),
        }
    }
}

/// A stream's deadline and its way out, shared by its halves and known to the shard's [`Guards`].
pub(super) struct Guard {
    pub(super) handle: SocketHandle,
    deadline_ns: Cell<u64>,
    /// When the timer queue will look at this guard; `u64::MAX` while it is not queued.
    look_ns: Cell<u64>,
    key: Cell<Option<TimerKey>>,
    pub(super) cut: Cell<Option<Cut>>,
    slot: GuardSlot,
    guards: Rc<Guards>,
}

impl Guard {
    #[inline]
    pub(super) fn set_deadline(&self, deadline_ns: Option<u64>) {
        let deadline_ns = deadline_ns.unwrap_or(u64::MAX);
        self.deadline_ns.set(deadline_ns);
        // A look that is already queued for an earlier moment will find the new deadline there.
        if deadline_ns < self.look_ns.get() {
            self.queue_look(deadline_ns);
        }
    }

    #[cold]
    fn queue_look(&self, at_ns: u64) {
        if let Some(key) = self.key.take() {
            self.guards.timers.remove(key);
        }
        self.look_ns.set(at_ns);
        self.key.set(Some(self.guards.timers.insert(at_ns, TimerTarget::Guard(self.slot))));
    }

    /// What an operation came to, unless the stream was cut off meanwhile.
    #[inline]
    pub(super) fn uncut<T>(&self, came_to: io::Result<T>) -> io::Result<T> {
        match self.cut.get() {
            None => came_to,
            Some(cut) => Err(cut.into()),
        }
    }

    fn cut_off(&self, cut: Cut) {
        self.cut.set(Some(cut));
        self.handle.shut_down();
    }
}

/// An operation that has begun: dropped before its [`Self::end`], it cuts the stream off.
pub(super) struct Midway<'g>(pub(super) &'g Guard);

impl Midway<'_> {
    #[inline]
    pub(super) fn end(self) {
        std::mem::forget(self);
    }
}

impl Drop for Midway<'_> {
    #[cold]
    fn drop(&mut self) {
        if self.0.cut.get().is_none() {
            self.0.cut_off(Cut::Dropped);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.guards.timers.remove(key);
        }
        self.guards.forget(self.slot);
    }
}

/// Index of a guard among those of its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardSlot(usize);

/// The guards of all open streams of one shard.
pub(crate) struct Guards {
    timers: Rc<Timers>,
    slots: RefCell<Vec<Weak<Guard>>>,
    free: RefCell<Vec<usize>>,
}

impl Guards {
    pub(crate) fn new(timers: Rc<Timers>) -> Rc<Self> {
        Rc::new(Self { timers, slots: RefCell::default(), free: RefCell::default() })
    }

    pub(super) fn watch(self: &Rc<Self>, handle: SocketHandle) -> Rc<Guard> {
        let mut slots = self.slots.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            slots.push(Weak::new());
            slots.len() - 1
        });
        let guard = Rc::new(Guard {
            handle,
            deadline_ns: Cell::new(u64::MAX),
            look_ns: Cell::new(u64::MAX),
            key: Cell::new(None),
            cut: Cell::new(None),
            slot: GuardSlot(index),
            guards: Rc::clone(self),
        });
        slots[index] = Rc::downgrade(&guard);
        guard
    }

    fn forget(&self, slot: GuardSlot) {
        self.slots.borrow_mut()[slot.0] = Weak::new();
        self.free.borrow_mut().push(slot.0);
    }

    /// Looks at a guard whose queued time has come: cuts the stream off, or looks again at its later deadline.
    pub(crate) fn deadline_due(&self, slot: GuardSlot, now_ns: u64) {
        let Some(guard) = self.slots.borrow()[slot.0].upgrade() else { return };
        guard.key.set(None);
        guard.look_ns.set(u64::MAX);
        let deadline_ns = guard.deadline_ns.get();
        if deadline_ns <= now_ns {
            guard.cut_off(Cut::Deadline);
        } else if deadline_ns != u64::MAX {
            guard.queue_look(deadline_ns);
        }
    }

    /// Cuts off every open stream, because the run is over.
    pub(crate) fn cut_off_all(&self) {
        // Collected first, so that nothing that happens in between can find the slots borrowed.
        let open: Vec<Rc<Guard>> = self.slots.borrow().iter().filter_map(Weak::upgrade).collect();
        for guard in open {
            guard.cut_off(Cut::RunEnded);
        }
    }

    /// Streams that are open.
    pub(crate) fn open(&self) -> usize {
        self.slots.borrow().len() - self.free.borrow().len()
    }
}

/// The deadline of a stream that others have; without effect once the stream is gone.
#[derive(Clone)]
pub(crate) struct StreamDeadline(pub(super) Weak<Guard>);

impl StreamDeadline {
    /// As [`ReadHalf::set_deadline`](super::ReadHalf::set_deadline).
    pub(crate) fn set(&self, deadline_ns: Option<u64>) {
        if let Some(guard) = self.0.upgrade() {
            guard.set_deadline(deadline_ns);
        }
    }

    /// As [`ReadHalf::shut_down`](super::ReadHalf::shut_down).
    pub(crate) fn shut_down(&self) {
        if let Some(guard) = self.0.upgrade() {
            guard.handle.shut_down();
        }
    }
}
