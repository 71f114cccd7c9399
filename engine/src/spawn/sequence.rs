//! The order in which user classes are drawn, so that every beginning of it is as near to the weights as can be.
//!
//! Each draw takes the class whose next user brings the Kullback-Leibler divergence between the wanted and the present
//! shares down the most. It is Locust's generator, float for float: the terms are computed and compared in its order,
//! since classes of nearly the same weight tie but for the last bit, and that decides who comes first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// An endless sequence of classes in proportion to their weights; empty if no weight is above zero.
#[derive(Clone, Debug, Default)]
pub(super) struct ClassSequence {
    candidates: BinaryHeap<Reverse<Candidate>>,
}

/// A class and what its next user would bring.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Change of the divergence if this class is drawn: the smallest is drawn.
    change: f64,
    /// Weight and users drawn, this next one included.
    load: f64,
    weight: f64,
    /// Position of the class's name among all names.
    rank: u32,
    class: u32,
}

impl Candidate {
    fn new(class: u32, rank: u32, weight: f64) -> Self {
        Self { change: change(weight, weight), load: weight + 1.0, weight, rank, class }
    }

    /// The same class after it was drawn.
    fn drawn(self) -> Self {
        Self { change: change(self.weight, self.load), load: self.load + 1.0, ..self }
    }
}

fn change(weight: f64, load: f64) -> f64 {
    weight * (load / (load + 1.0)).log2()
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_change = self.change.total_cmp(&other.change);
        let by_load = || self.load.total_cmp(&other.load);
        let by_weight = || self.weight.total_cmp(&other.weight);
        by_change.then_with(by_load).then_with(by_weight).then(self.rank.cmp(&other.rank))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

impl ClassSequence {
    /// A sequence of classes given as index, rank of the name, and weight; one whose weight is not a finite number above
    /// zero is never drawn.
    pub(super) fn new(classes: impl Iterator<Item = (u32, u32, f64)>) -> Self {
        let drawable = classes.filter(|(_, _, weight)| weight.is_finite() && *weight > 0.0);
        let candidates = drawable.map(|(class, rank, weight)| Candidate::new(class, rank, weight));
        Self { candidates: candidates.map(Reverse).collect() }
    }
}

impl Iterator for ClassSequence {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let mut first = self.candidates.peek_mut()?;
        let class = first.0.class;
        first.0 = first.0.drawn();
        Some(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(weights: &[(char, f64)], count: usize) -> String {
        let classes = (0u32..).zip(weights).map(|(index, (_, weight))| (index, index, *weight));
        let sequence = ClassSequence::new(classes).take(count);
        sequence.map(|class| weights[class as usize].0).collect()
    }

    #[test]
    fn sequences_are_those_of_locust() {
        assert_eq!(drawn(&[('A', 5.0), ('B', 1.0)], 17), "AABAAAAABAAAAABAA");
        assert_eq!(drawn(&[('A', 3.0), ('B', 2.0), ('C', 1.0)], 18), "ABCABAABCABAABCABA");
        assert_eq!(drawn(&[('M', 1.0), ('W', 3.0)], 10), "WMWWWMWWWM");
        assert_eq!(drawn(&[('A', 1.0), ('B', 1.0)], 4), "ABAB");
    }

    /// Any other order of the same operations gives another sequence here.
    #[test]
    fn weights_that_differ_in_the_last_bit_come_as_in_locust() {
        let weights = [('A', 0.7000000000000001), ('B', 0.7), ('C', 0.7000000000000002)];
        assert_eq!(drawn(&weights, 24), "ACBBCACBACABCABCABCABCAB");
    }

    #[test]
    fn weights_that_are_no_weights_are_never_drawn() {
        let weights = [
            ('A', 0.0),
            ('B', -1.0),
            ('C', f64::NAN),
            ('D', f64::INFINITY),
            ('E', f64::MIN_POSITIVE),
        ];
        assert_eq!(drawn(&weights, 3), "EEE");
        assert_eq!(drawn(&weights[..4], 3), "");
    }

    proptest! {
        #[test]
        fn every_beginning_is_near_the_weights(weights in prop::collection::vec(1u32..100, 1..8), count in 0usize..500) {
            let classes = (0u32..).zip(&weights).map(|(index, weight)| (index, index, f64::from(*weight)));
            let mut users = vec![0u32; weights.len()];
            ClassSequence::new(classes).take(count).for_each(|class| users[class as usize] += 1);
            let all = f64::from(weights.iter().sum::<u32>());
            for (users, weight) in users.iter().zip(&weights) {
                let wanted = f64::from(*weight) / all * count as f64;
                prop_assert!((f64::from(*users) - wanted).abs() < weights.len() as f64);
            }
        }
    }
}
