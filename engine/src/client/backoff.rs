//! How long a user waits after a connection failed: a refused target must not spin a core.
//!
//! The bound doubles with each failure in a row, from 1 ms to 1 s, and the wait is drawn between half of it and all of it:
//! users that lost their connections together shall not come back together.

use std::time::Duration;

use crate::random::SplitMix64;

/// First bound, in microseconds.
const BOUND_US_MIN: u64 = 1_000;
/// Longest bound, in microseconds.
const BOUND_US_MAX: u64 = 1_000_000;

/// The waits of one user.
#[derive(Clone, Debug)]
pub struct Backoff {
    bound_us: u64,
    random: SplitMix64,
}

impl Backoff {
    /// A backoff whose draws come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { bound_us: 0, random: SplitMix64::new(seed) }
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        self.bound_us = (self.bound_us * 2).clamp(BOUND_US_MIN, BOUND_US_MAX);
        let half = self.bound_us / 2;
        Duration::from_micros(half + self.random.below(half + 1))
    }

    /// Something worked: the next failure starts over.
    #[inline]
    pub fn reset(&mut self) {
        self.bound_us = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_from_1_ms_to_1_s() {
        let mut backoff = Backoff::new(7);
        let bounds_ms = [1u64, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_000, 1_000];
        for bound_ms in bounds_ms {
            let wait_us = backoff.next_wait().as_micros() as u64;
            assert!(
                (bound_ms * 500..=bound_ms * 1_000).contains(&wait_us),
                "{wait_us} us for {bound_ms} ms"
            );
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(1));
    }

    #[test]
    fn two_users_do_not_come_back_together() {
        assert_ne!(Backoff::new(1).next_wait(), Backoff::new(2).next_wait());
    }
}
