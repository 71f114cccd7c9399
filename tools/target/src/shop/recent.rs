//! What belongs to identities, for the most recent of them: the oldest make room.

use std::collections::{HashMap, VecDeque};

use crate::shop::identity::Identity;
use crate::shop::shards::{SHARDS, Shards};

/// A map that a long run cannot fill: each part holds its share of the limit.
#[derive(Debug)]
pub(super) struct Recent<V> {
    shards: Shards<Shard<V>>,
    shard_max: usize,
}

#[derive(Debug)]
struct Shard<V> {
    values: HashMap<Identity, V>,
    /// The keys, the oldest first.
    order: VecDeque<Identity>,
}

impl<V> Default for Shard<V> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

impl<V> Recent<V> {
    /// A map of `max` entries, rounded up to full parts.
    pub(super) fn new(max: usize) -> Self {
        Self { shards: Shards::default(), shard_max: max.div_ceil(SHARDS) }
    }

    /// Adds an entry under an identity that is new.
    pub(super) fn insert(&self, identity: Identity, value: V) {
        let mut shard = self.shards.of(identity.bits());
        if shard.order.len() == self.shard_max
            && let Some(oldest) = shard.order.pop_front()
        {
            shard.values.remove(&oldest);
        }
        shard.order.push_back(identity);
        shard.values.insert(identity, value);
    }

    /// Works on the entry, if it is there (still).
    pub(super) fn update<R>(
        &self,
        identity: Identity,
        work: impl FnOnce(&mut V) -> R,
    ) -> Option<R> {
        self.shards.of(identity.bits()).values.get_mut(&identity).map(work)
    }

    /// Takes the entry out, if it is there (still); its place in the order becomes free in its turn.
    pub(super) fn remove(&self, identity: Identity) -> Option<V> {
        self.shards.of(identity.bits()).values.remove(&identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::identity::Identities;

    #[test]
    fn entries_are_worked_on_in_place() {
        let (recent, identities) = (Recent::new(SHARDS), Identities::default());
        let (known, unknown) = (identities.next(), identities.next());
        recent.insert(known, 3);
        assert_eq!(recent.update(known, |value| *value -= 1), Some(()));
        assert_eq!(recent.update(known, |value| *value), Some(2));
        assert_eq!(recent.update(unknown, |value| *value), None);
        assert_eq!((recent.remove(known), recent.remove(known)), (Some(2), None));
        assert_eq!(recent.update(known, |value| *value), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let (recent, identities) = (Recent::new(10 * SHARDS), Identities::default());
        let given: Vec<_> = (0..100 * SHARDS).map(|_| identities.next()).collect();
        given.iter().for_each(|&identity| recent.insert(identity, ()));
        let known: Vec<_> =
            given.iter().map(|&identity| recent.update(identity, |()| ()).is_some()).collect();
        // Every part had far more than its share.
        assert_eq!(known.iter().filter(|&&known| known).count(), 10 * SHARDS);
        assert!(known[known.len() - 1] && !known[0]);
        for shard in recent.shards.iter() {
            assert_eq!((shard.values.len(), shard.order.len()), (10, 10));
        }
    }
}
