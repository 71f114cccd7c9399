//! A bounded single-producer single-consumer ring: the only memory that a shard and the coordinator share.
//!
//! Commands and cleared snapshots go down one ring, snapshots up another. Every operation is
//! wait-free: a full ring gives the value back and an empty one gives nothing, so a shard never blocks on the
//! coordinator nor the coordinator on a shard.
//!
//! Each side owns one index and publishes it with a release store after touching the slot; the other side reads
//! it with an acquire load before touching the same slot. Each side also keeps the last value it saw of the
//! other's index and reloads it only when the ring looks full or empty, so that in the steady state the two
//! cache lines rarely travel. Indices run freely and wrap; the slot is their remainder.
//!
//! Under `--cfg loadr_loom` atomics and cells are loom's; `tests/mailbox_loom.rs` explores every interleaving.

use std::cell::Cell;
use std::fmt;

use sync::{Arc, AtomicBool, AtomicUsize, Ordering, UnsafeCell};

/// Makes a ring that holds up to `capacity` values, and its two ends.
///
/// # Panics
///
/// If `capacity` is zero.
pub fn channel<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(capacity > 0, "a ring holds at least one value");
    let slots = capacity.next_power_of_two();
    let ring = Arc::new(Ring {
        tail: CachePadded(AtomicUsize::new(0)),
        head: CachePadded(AtomicUsize::new(0)),
        sender_gone: AtomicBool::new(false),
        receiver_gone: AtomicBool::new(false),
        capacity,
        mask: slots - 1,
        slots: (0..slots).map(|_| UnsafeCell::new(None)).collect(),
    });
    let sender = Sender { ring: Arc::clone(&ring), tail: Cell::new(0), head_seen: Cell::new(0) };
    let receiver = Receiver { ring, head: Cell::new(0), tail_seen: Cell::new(0) };
    (sender, receiver)
}

/// What both ends hold. `head <= tail <= head + capacity`, all modulo the word size.
struct Ring<T> {
    /// Values sent so far; written by the sender alone.
    tail: CachePadded<AtomicUsize>,
    /// Values received so far; written by the receiver alone.
    head: CachePadded<AtomicUsize>,
    sender_gone: AtomicBool,
    receiver_gone: AtomicBool,
    capacity: usize,
    mask: usize,
    /// A slot holds a value from the send until the receive, so dropping the slots frees what is queued.
    slots: Box<[UnsafeCell<Option<T>>]>,
}

// SAFETY: a slot is reached through a shared `Ring` by one thread at a time: by the sender while its index is in
// `tail..head + capacity`, by the receiver while it is in `head..tail`, and the index that moves a slot from one
// range to the other is stored with release and loaded with acquire. There is one sender and one receiver, each
// neither `Clone` nor `Sync`. Values cross threads, hence `T: Send`; no `&T` is ever shared.
unsafe impl<T: Send> Sync for Ring<T> {}

/// Keeps an index on cache lines of its own; two, since CPUs prefetch lines in pairs.
#[repr(align(128))]
struct CachePadded<T>(T);

/// The end that sends; owned by one thread at a time.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<loadr_engine::mailbox::Sender<u8>>();
/// ```
pub struct Sender<T> {
    ring: Arc<Ring<T>>,
    tail: Cell<usize>,
    head_seen: Cell<usize>,
}

impl<T: Send> Sender<T> {
    /// Queues `value`, or gives it back where the ring is full.
    ///
    /// # Errors
    ///
    /// [`Full`] with the value in it.
    pub fn try_send(&self, value: T) -> Result<(), Full<T>> {
        if self.is_full() {
            return Err(Full(value));
        }
        let tail = self.tail.get();
        self.ring.slots[tail & self.ring.mask].with_mut(|slot| {
            // SAFETY: the ring is not full, so `tail` is in `tail..head + capacity`, where slots are the
            // sender's: the acquire load in `is_full` saw the receiver's store that came after it emptied this
            // slot. The slot holds `None`, so the assignment runs no destructor that could come back here.
            unsafe { *slot = Some(value) }
        });
        self.tail.set(tail.wrapping_add(1));
        self.ring.tail.0.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Whether the next [`try_send`](Self::try_send) would fail; `false` stays true until the next send.
    pub fn is_full(&self) -> bool {
        let full = || self.tail.get().wrapping_sub(self.head_seen.get()) == self.ring.capacity;
        if !full() {
            return false;
        }
        self.head_seen.set(self.ring.head.0.load(Ordering::Acquire));
        full()
    }

    /// Whether the receiver is gone, so that nobody will take what is sent.
    pub fn is_closed(&self) -> bool {
        self.ring.receiver_gone.load(Ordering::Acquire)
    }

    /// How many values the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.ring.capacity
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // Release: a receiver that sees the flag also sees every value sent before it.
        self.ring.sender_gone.store(true, Ordering::Release);
    }
}

/// The end that receives; owned by one thread at a time.
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>() {}
/// shared::<loadr_engine::mailbox::Receiver<u8>>();
/// ```
pub struct Receiver<T> {
    ring: Arc<Ring<T>>,
    head: Cell<usize>,
    tail_seen: Cell<usize>,
}

impl<T: Send> Receiver<T> {
    /// Takes the oldest value, or `None` where nothing is queued.
    pub fn try_recv(&self) -> Option<T> {
        let head = self.head.get();
        if head == self.tail_seen.get() {
            self.tail_seen.set(self.ring.tail.0.load(Ordering::Acquire));
            if head == self.tail_seen.get() {
                return None;
            }
        }
        let value = self.ring.slots[head & self.ring.mask].with_mut(|slot| {
            // SAFETY: `head` is in `head..tail`, where slots are the receiver's: the acquire load above saw the
            // sender's store that came after it filled this slot.
            unsafe { &mut *slot }.take()
        });
        self.head.set(head.wrapping_add(1));
        self.ring.head.0.store(head.wrapping_add(1), Ordering::Release);
        value
    }

    /// Whether the sender is gone. Values sent before that are still to be received: ask first, then drain.
    pub fn is_closed(&self) -> bool {
        self.ring.sender_gone.load(Ordering::Acquire)
    }

    /// How many values the ring holds at most.
    pub fn capacity(&self) -> usize {
        self.ring.capacity
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.ring.receiver_gone.store(true, Ordering::Release);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.ring.capacity).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("capacity", &self.ring.capacity).finish_non_exhaustive()
    }
}

/// The ring had no room; the value that was not sent comes back in it.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ring is full; its receiver has fallen behind")]
pub struct Full<T>(pub T);

// By hand, so that a result can be unwrapped whatever the value is.
impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

#[cfg(loadr_loom)]
mod sync {
    pub(super) use loom::cell::UnsafeCell;
    pub(super) use loom::sync::Arc;
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
}

#[cfg(not(loadr_loom))]
mod sync {
    pub(super) use std::sync::Arc;
    pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// The standard cell with loom's way of lending the pointer.
    pub(super) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(super) fn new(value: T) -> Self {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        pub(super) fn with_mut<R>(&self, use_pointer: impl FnOnce(*mut T) -> R) -> R {
            use_pointer(self.0.get())
        }
    }
}
