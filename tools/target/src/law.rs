//! Laws that `/random-delay` draws its delays from, repeatable from a seed.
//!
//! The k-th number of a sequence is a pure function of the seed and k (SplitMix64 by Steele, Lea
//! and Flood, whose state is a plain counter), turned into a delay by the inverse of the law's
//! distribution function. So all that is kept of a sequence is how many numbers were drawn, and
//! threads draw from the same one in the order of arrival.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::query::DELAY_NS_MAX;

/// The most (law, seed) sequences that one target remembers.
pub(crate) const SEQUENCES_MAX: usize = 4096;

/// Share of the slow answers under [`Law::Bimodal`].
const BIMODAL_SLOW_SHARE: f64 = 0.1;
/// A quick bimodal answer in units of the mean.
const BIMODAL_QUICK: f64 = 0.5;
/// A slow bimodal answer in units of the mean: the two and their shares average to 1.
const BIMODAL_SLOW: f64 = (1.0 - (1.0 - BIMODAL_SLOW_SHARE) * BIMODAL_QUICK) / BIMODAL_SLOW_SHARE;
/// Shape of [`Law::Pareto`]: a heavy tail, with a mean and a variance that exist.
const PARETO_SHAPE: f64 = 2.5;

/// How delays are spread around their mean; every law keeps the mean it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Law {
    /// Always the mean.
    Fixed,
    /// Memoryless, as waiting times of a Poisson process.
    Exponential,
    /// Nine in ten take half the mean, one in ten 5.5 times the mean: a cache and its misses.
    Bimodal,
    /// Shape 2.5: at least 0.6 times the mean, with a tail that falls as a power.
    Pareto,
}

impl Law {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "fixed" => Some(Self::Fixed),
            "exponential" => Some(Self::Exponential),
            "bimodal" => Some(Self::Bimodal),
            "pareto" => Some(Self::Pareto),
            _ => None,
        }
    }

    /// The delay that stands at `unit` (in `0.0..1.0`) of the law's distribution, at most
    /// [`DELAY_NS_MAX`].
    fn delay_ns(self, unit: f64, mean_ns: u64) -> u64 {
        let factor = match self {
            Self::Fixed => 1.0,
            Self::Exponential => -(1.0 - unit).ln(),
            Self::Bimodal if unit < 1.0 - BIMODAL_SLOW_SHARE => BIMODAL_QUICK,
            Self::Bimodal => BIMODAL_SLOW,
            Self::Pareto => {
                (PARETO_SHAPE - 1.0) / PARETO_SHAPE * (1.0 - unit).powf(-1.0 / PARETO_SHAPE)
            }
        };
        // The cast saturates, so that the far tail of a law cannot wrap.
        ((mean_ns as f64 * factor).round() as u64).min(DELAY_NS_MAX)
    }
}

/// Number `index` of the SplitMix64 sequence of `seed`, as a double in `0.0..1.0`.
pub(crate) fn unit(seed: u64, index: u64) -> f64 {
    let state = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let mixed = mixed ^ (mixed >> 31);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// A delay to draw: the sequence is that of the law and the seed, the mean only scales it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Draw {
    pub(crate) law: Law,
    pub(crate) mean_ns: u64,
    pub(crate) seed: u64,
}

/// The sequences begun so far, shared by the server threads.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    drawn: Mutex<HashMap<(Law, u64), u64>>,
}

impl Sequences {
    /// The next delay of the sequence; `None` when it would be the first of one sequence too many.
    pub(crate) fn next_ns(&self, draw: Draw) -> Option<u64> {
        let index = self.next_index(draw)?;
        Some(draw.law.delay_ns(unit(draw.seed, index), draw.mean_ns))
    }

    fn next_index(&self, draw: Draw) -> Option<u64> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (draw.law, draw.seed);
        if !drawn.contains_key(&key) && drawn.len() == SEQUENCES_MAX {
            return None;
        }
        let next = drawn.entry(key).or_default();
        *next += 1;
        Some(*next - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEAN_NS: u64 = 2_000_000;

    fn draws(law: Law, seed: u64, count: usize) -> Vec<u64> {
        let sequences = Sequences::default();
        let draw = Draw { law, mean_ns: MEAN_NS, seed };
        (0..count).map(|_| sequences.next_ns(draw).unwrap()).collect()
    }

    #[test]
    fn the_generator_is_splitmix64() {
        // First outputs for seed 1234567 as published with the reference code, top 53 bits of each.
        let published = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973];
        for (index, bits) in published.into_iter().enumerate() {
            assert_eq!(unit(1_234_567, index as u64), (bits >> 11) as f64 / (1_u64 << 53) as f64);
        }
    }

    #[test]
    fn every_law_keeps_its_mean() {
        for law in [Law::Fixed, Law::Exponential, Law::Bimodal, Law::Pareto] {
            let delays = draws(law, 7, 200_000);
            let mean = delays.iter().sum::<u64>() as f64 / delays.len() as f64;
            assert!((mean / MEAN_NS as f64 - 1.0).abs() < 0.02, "{law:?}: {mean}");
        }
    }

    #[test]
    fn a_sequence_belongs_to_its_law_and_seed() {
        assert_eq!(draws(Law::Exponential, 1, 50), draws(Law::Exponential, 1, 50));
        assert_ne!(draws(Law::Exponential, 1, 50), draws(Law::Exponential, 2, 50));
        assert_eq!(draws(Law::Fixed, 1, 3), [MEAN_NS; 3]);
    }

    #[test]
    fn the_bimodal_law_has_two_values_in_its_shares() {
        let delays = draws(Law::Bimodal, 3, 10_000);
        let slow = delays.iter().filter(|&&ns| ns == 11_000_000).count();
        let quick = delays.iter().filter(|&&ns| ns == 1_000_000).count();
        assert_eq!(slow + quick, delays.len());
        assert!((900..1100).contains(&slow), "{slow}");
    }

    #[test]
    fn the_ends_of_a_law_stay_in_range() {
        let last = 1.0 - f64::EPSILON / 2.0;
        for law in [Law::Fixed, Law::Exponential, Law::Bimodal, Law::Pareto] {
            for unit in [0.0, last] {
                assert!(law.delay_ns(unit, DELAY_NS_MAX) <= DELAY_NS_MAX, "{law:?} at {unit}");
            }
        }
        assert_eq!(Law::Pareto.delay_ns(0.0, MEAN_NS), 1_200_000);
    }

    #[test]
    fn sequences_are_bounded() {
        let sequences = Sequences::default();
        let draw = |seed| Draw { law: Law::Fixed, mean_ns: 1, seed };
        for seed in 0..SEQUENCES_MAX as u64 {
            assert!(sequences.next_ns(draw(seed)).is_some());
        }
        assert_eq!(sequences.next_ns(draw(u64::MAX)), None);
        assert!(sequences.next_ns(draw(0)).is_some(), "a known sequence goes on");
    }
}
