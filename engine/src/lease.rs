//! Run-wide numbers, leased to shards in blocks: requests, iterations, rows of data.
//!
//! "Exactly N in total" over shards that share nothing needs one owner: the coordinator's [`Budget`] grants blocks, and
//! a shard draws its lease down without asking. Two sorts of block suit two uses. A budget of *counts* is dealt out in
//! large blocks that shrink as it does (guided self-scheduling, Polychronopoulos and Kuck 1987), so that no shard sits
//! on work while another has run dry. A *feed* of rows is granted as users ask for rows, so that a shard whose users
//! read no data holds none.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::task::{Poll, Waker};

/// Smallest block of a count worth a message, while that much is left.
const BLOCK_MIN: u64 = 10_000;
/// Most rows granted ahead of the users that wait for one.
const ROWS_AHEAD_MAX: u64 = 64;

/// What is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseOf {
    /// Exchanges that the run may make.
    Requests,
    /// Tasks that the run may execute.
    Iterations,
    /// Rows of the workload's feed of this index.
    Rows(usize),
}

/// What is left to grant; pure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    next: u64,
    total: u64,
    shards: u64,
    /// Shards that have had their first block.
    dealt: u64,
}

/// A block of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Number of the first one granted; later ones follow it.
    pub first: u64,
    /// How many are granted.
    pub count: u64,
    /// Nothing is left: no further grant will come.
    pub last: bool,
}

impl Budget {
    /// A budget of `total` for `shards` shards; `u64::MAX` never ends.
    pub fn new(total: u64, shards: usize) -> Self {
        Self { next: 0, total, shards: shards.max(1) as u64, dealt: 0 }
    }

    /// The first block of a shard, once it has users to spend it: everything for a single shard, an equal part of a
    /// small budget, and half of an equal part of a large one.
    pub fn first_grant(&mut self) -> Grant {
        let part = self.left().div_ceil(self.shards.saturating_sub(self.dealt).max(1));
        self.dealt += 1;
        let whole = self.shards == 1 || part <= BLOCK_MIN;
        self.take(if whole { part } else { (part / 2).max(BLOCK_MIN) })
    }

    /// True when nothing is left to grant.
    pub fn is_spent(&self) -> bool {
        self.left() == 0
    }

    /// A further block for a shard that asked.
    pub fn grant(&mut self) -> Grant {
        self.take((self.left() / (2 * self.shards)).max(BLOCK_MIN))
    }

    /// Rows for the users of a shard that wait for one each, and some ahead.
    pub fn grant_rows(&mut self, waiting: u64) -> Grant {
        let ahead = (self.left() / (4 * self.shards)).min(ROWS_AHEAD_MAX);
        self.take(waiting.max(ahead).max(1))
    }

    fn left(&self) -> u64 {
        self.total - self.next
    }

    fn take(&mut self, wanted: u64) -> Grant {
        let (first, count) = (self.next, wanted.min(self.left()));
        self.next += count;
        Grant { first, count, last: self.left() == 0 }
    }
}

/// A shard's part of a budget of counts.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    /// `None` where the run has no such budget.
    left: Cell<Option<u64>>,
    /// Below this, more is asked for.
    low: Cell<u64>,
    last: Cell<bool>,
    asked: Cell<bool>,
    closed: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Lease {
    /// A lease on a budget, still empty, or on none.
    pub(crate) fn new(limited: bool) -> Self {
        let left = Cell::new(limited.then_some(0));
        Self { left, asked: Cell::new(limited), ..Self::default() }
    }

    pub(crate) fn add(&self, grant: Grant) {
        let left = self.left.get().unwrap_or(0) + grant.count;
        self.left.set(Some(left));
        self.low.set(left / 4);
        self.last.set(grant.last);
        self.asked.set(false);
        self.wake_all();
    }

    /// Takes back what was drawn and not used.
    pub(crate) fn give_back(&self, count: u64) {
        if let Some(left) = self.left.get()
            && count > 0
        {
            self.left.set(Some(left + count));
            self.wake_all();
        }
    }

    /// Ends the lease: whoever waits gets nothing.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.wake_all();
    }

    fn wake_all(&self) {
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// True once when the lease runs low and the coordinator should be asked for more.
    pub(crate) fn should_ask(&self) -> bool {
        let Some(left) = self.left.get() else { return false };
        let ask = left <= self.low.get() && !self.last.get() && !self.asked.get();
        if ask {
            self.asked.set(true);
        }
        ask
    }

    /// True when no further grant will come, or none is needed.
    pub(crate) fn is_final(&self) -> bool {
        self.left.get().is_none() || self.last.get()
    }

    /// True when nothing is left and nothing will come.
    pub(crate) fn is_drained(&self) -> bool {
        self.closed.get() || (self.left.get() == Some(0) && self.last.get())
    }

    /// Takes up to `wanted` without waiting.
    #[inline]
    pub(crate) fn take(&self, wanted: u64) -> u64 {
        let Some(left) = self.left.get() else { return wanted };
        let count = wanted.min(left);
        self.left.set(Some(left - count));
        count
    }

    /// Takes up to `wanted`, waiting while nothing is there; 0 when nothing will come any more.
    pub(crate) async fn take_some(&self, wanted: u64) -> u64 {
        poll_fn(|context| {
            let count = self.take(wanted);
            if count > 0 || self.is_drained() {
                return Poll::Ready(count);
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// A shard's rows of a feed.
#[derive(Debug, Default)]
pub(crate) struct RowLease {
    ranges: RefCell<VecDeque<Range<u64>>>,
    last: Cell<bool>,
    asked: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl RowLease {
    pub(crate) fn add(&self, grant: Grant) {
        self.ranges.borrow_mut().push_back(grant.first..grant.first + grant.count);
        self.last.set(grant.last);
        self.asked.set(false);
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// How many users wait for a row, once, when the coordinator should be asked for some.
    pub(crate) fn should_ask(&self) -> Option<u64> {
        let waiting = self.waiting.borrow().len() as u64;
        let ask = waiting > 0 && !self.last.get() && !self.asked.get();
        if ask {
            self.asked.set(true);
        }
        ask.then_some(waiting)
    }

    /// The number of the next row, waiting while it is being asked for; `None` when no row is left.
    pub(crate) async fn next(&self) -> Option<u64> {
        poll_fn(|context| {
            if let Some(row) = self.pop() {
                return Poll::Ready(Some(row));
            }
            if self.last.get() {
                return Poll::Ready(None);
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn pop(&self) -> Option<u64> {
        let mut ranges = self.ranges.borrow_mut();
        while let Some(range) = ranges.front_mut() {
            if let Some(row) = range.next() {
                return Some(row);
            }
            ranges.pop_front();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn grants_add_up_to_the_budget(total in 0u64..1_000_000, shards in 1usize..9, order in prop::collection::vec(0usize..9, 0..40)) {
            let mut budget = Budget::new(total, shards);
            let mut granted: u64 = (0..shards).map(|_| budget.first_grant().count).sum();
            for _ in order {
                granted += budget.grant().count;
            }
            let mut last = budget.grant();
            while !last.last {
                granted += last.count;
                last = budget.grant();
            }
            prop_assert_eq!(granted + last.count, total);
        }

        #[test]
        fn every_row_is_granted_once(total in 0u64..5_000, asked in prop::collection::vec(1u64..500, 1..60)) {
            let mut budget = Budget::new(total, 3);
            let mut next = 0;
            for waiting in asked {
                let grant = budget.grant_rows(waiting);
                prop_assert_eq!(grant.first, next);
                prop_assert!(grant.count >= waiting.min(total - next));
                next += grant.count;
                prop_assert_eq!(grant.last, next == total);
            }
        }
    }

    #[test]
    fn one_shard_gets_everything_at_once() {
        let whole = Grant { first: 0, count: 5_000_000, last: true };
        assert_eq!(Budget::new(5_000_000, 1).first_grant(), whole);
    }

    #[test]
    fn a_small_budget_is_split_evenly() {
        let mut budget = Budget::new(100, 3);
        let counts: Vec<u64> = (0..3).map(|_| budget.first_grant().count).collect();
        assert_eq!(counts, [34, 33, 33]);
        assert!(budget.grant().last);
    }

    #[test]
    fn a_lease_asks_once_when_it_runs_low() {
        let lease = Lease::new(true);
        assert!(!lease.should_ask(), "the first grant comes unasked");
        lease.add(Grant { first: 0, count: 8, last: false });
        assert_eq!(lease.take(5), 5);
        assert!(!lease.should_ask());
        assert_eq!(lease.take(5), 3);
        assert!(lease.should_ask());
        assert!(!lease.should_ask());
        lease.add(Grant { first: 8, count: 0, last: true });
        assert!(lease.is_drained());
        lease.give_back(2);
        assert!(!lease.is_drained());
        assert_eq!(lease.take(5), 2);
    }
}
