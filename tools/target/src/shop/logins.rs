//! How often each user has logged in.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::shop::shards::{SHARDS, Shards};

/// Whose name the logins of users count under for whom there is no more room.
pub(super) const OTHERS: &str = "(others)";

/// Counts by user, for a bounded number of users.
#[derive(Debug)]
pub(super) struct Logins {
    shards: Shards<HashMap<String, u64>>,
    hasher: RandomState,
    shard_max: usize,
}

impl Logins {
    /// Counts for `max` users, rounded up to full parts; the logins of all others are summed.
    pub(super) fn new(max: usize) -> Self {
        let shards = Shards::default();
        Self { shards, hasher: RandomState::new(), shard_max: max.div_ceil(SHARDS) }
    }

    pub(super) fn count(&self, user: &str) {
        let mut shard = self.shards.of(self.hasher.hash_one(user));
        if let Some(logins) = shard.get_mut(user) {
            *logins += 1;
            return;
        }
        let user = if shard.len() < self.shard_max { user } else { OTHERS };
        *shard.entry(user.to_owned()).or_default() += 1;
    }

    /// How many users have a count of their own.
    pub(super) fn users(&self) -> usize {
        self.shards.iter().map(|shard| shard.len() - usize::from(shard.contains_key(OTHERS))).sum()
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for shard in self.shards.iter() {
            for (user, logins) in shard.iter() {
                *counts.entry(user.clone()).or_default() += logins;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_count_apart() {
        let logins = Logins::new(1000);
        ["ada", "bob", "ada"].into_iter().for_each(|user| logins.count(user));
        let counts = [("ada".to_owned(), 2), ("bob".to_owned(), 1)];
        assert_eq!((logins.users(), logins.counts()), (2, BTreeMap::from(counts)));
    }

    #[test]
    fn no_login_is_lost_when_there_are_too_many_users() {
        let (logins, users) = (Logins::new(SHARDS), 100 * SHARDS as u64);
        (0..users).for_each(|user| logins.count(&user.to_string()));
        let counts = logins.counts();
        assert_eq!((counts.len(), logins.users()), (SHARDS + 1, SHARDS));
        assert_eq!(counts[OTHERS], users - SHARDS as u64);
        logins.count("0");
        assert_eq!(logins.counts().values().sum::<u64>(), users + 1);
    }
}
