//! The stall of `/stall`: a server that stops answering once, for a while.
//!
//! A plan starts with its first request. From `after` to `after + for` later its requests are held;
//! all of them are answered when that time is over, and never again held after it. That is the
//! experiment by which a load generator shows whether it hides waiting (coordinated omission).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The most plans that one target remembers.
pub(crate) const PLANS_MAX: usize = 4096;

/// One stall; plans that differ in any field are apart, so `run` repeats an experiment on the same
/// target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StallPlan {
    pub(crate) after_ns: u64,
    pub(crate) for_ns: u64,
    pub(crate) run: u64,
}

impl StallPlan {
    /// When a request that arrives at `now` is answered, the plan's first one having come at
    /// `first`.
    fn release_at(self, first: u64, now: u64) -> u64 {
        let begin = first.saturating_add(self.after_ns);
        let end = begin.saturating_add(self.for_ns);
        if (begin..end).contains(&now) { end } else { now }
    }
}

/// The plans begun so far with the time of their first request, shared by the server threads.
#[derive(Debug, Default)]
pub(crate) struct Stalls {
    first: Mutex<HashMap<StallPlan, u64>>,
}

impl Stalls {
    /// When a request of `plan` that arrives at `now` is answered; `None` when it would begin one
    /// plan too many.
    pub(crate) fn release_at(&self, plan: StallPlan, now: u64) -> Option<u64> {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if !first.contains_key(&plan) && first.len() == PLANS_MAX {
            return None;
        }
        let first = *first.entry(plan).or_insert(now);
        Some(plan.release_at(first, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: StallPlan = StallPlan { after_ns: 100, for_ns: 50, run: 0 };

    #[test]
    fn requests_are_held_only_within_the_window() {
        let stalls = Stalls::default();
        for (now, release) in
            [(1000, 1000), (1099, 1099), (1100, 1150), (1149, 1150), (1150, 1150), (9000, 9000)]
        {
            assert_eq!(stalls.release_at(PLAN, now), Some(release), "at {now}");
        }
    }

    #[test]
    fn each_plan_starts_with_its_own_first_request() {
        let stalls = Stalls::default();
        assert_eq!(stalls.release_at(PLAN, 0), Some(0));
        assert_eq!(stalls.release_at(StallPlan { run: 1, ..PLAN }, 120), Some(120));
        assert_eq!(stalls.release_at(PLAN, 120), Some(150));
    }

    #[test]
    fn plans_are_bounded() {
        let stalls = Stalls::default();
        for run in 0..PLANS_MAX as u64 {
            assert!(stalls.release_at(StallPlan { run, ..PLAN }, 0).is_some());
        }
        assert_eq!(stalls.release_at(StallPlan { run: u64::MAX, ..PLAN }, 0), None);
    }
}
