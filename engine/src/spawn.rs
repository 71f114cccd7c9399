//! How many users exist at a moment, and on which shard: pure functions.

/// Users started at a rate up to a count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpawnSchedule {
    /// Users wanted at the end of the ramp.
    pub users: u64,
    /// Users started per second; `None` starts all at once.
    pub spawn_rate_per_sec: Option<f64>,
}

impl SpawnSchedule {
    /// Users that should exist `elapsed_ns` after the start; the first starts at once.
    pub fn users_at(&self, elapsed_ns: u64) -> u64 {
        let Some(rate) = self.spawn_rate_per_sec else { return self.users };
        // A float past u64 saturates, and `min` brings it back.
        let started = (elapsed_ns as f64 / 1e9 * rate) as u64;
        started.saturating_add(1).min(self.users)
    }
}

/// The part of `users` that shard `index` of `shards` runs: round robin, so that parts differ by one at most.
pub fn users_of_shard(users: u64, index: usize, shards: usize) -> u64 {
    let (index, shards) = (index as u64, shards as u64);
    users / shards + u64::from(index < users % shards)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn users_start_one_by_one_at_the_rate() {
        let schedule = SpawnSchedule { users: 3, spawn_rate_per_sec: Some(2.0) };
        let at_ms = |ms: u64| schedule.users_at(ms * 1_000_000);
        assert_eq!([at_ms(0), at_ms(499), at_ms(500), at_ms(1_000), at_ms(9_000)], [1, 1, 2, 3, 3]);
    }

    #[test]
    fn without_a_rate_all_start_at_once() {
        assert_eq!(SpawnSchedule { users: 64, spawn_rate_per_sec: None }.users_at(0), 64);
    }

    proptest! {
        #[test]
        fn parts_add_up_and_differ_by_one_at_most(users in 0u64..10_000, shards in 1usize..33) {
            let parts: Vec<u64> = (0..shards).map(|index| users_of_shard(users, index, shards)).collect();
            prop_assert_eq!(parts.iter().sum::<u64>(), users);
            let spread = parts.iter().max().copied().unwrap_or(0) - parts.iter().min().copied().unwrap_or(0);
            prop_assert!(spread <= 1);
        }

        #[test]
        fn a_ramp_never_goes_down(rate in 0.01f64..1e9, users in 1u64..100_000, a in 0u64..1u64 << 40, b in 0u64..1u64 << 40) {
            let schedule = SpawnSchedule { users, spawn_rate_per_sec: Some(rate) };
            prop_assert!(schedule.users_at(a.min(b)) <= schedule.users_at(a.max(b)));
        }
    }
}
