//! Our paged histogram against `hdrhistogram`: the same buckets, counts and quantiles, whatever is recorded.

#![cfg(not(loadr_loom))]

use hdrhistogram::Histogram as Flat;
use loadr_engine::record::Histogram;
use proptest::prelude::*;

const HOUR_NS: u64 = 3_600_000_000_000;

fn flat() -> Flat<u64> {
    Flat::new_with_bounds(1, 3_600_000_000, 3).expect("these are the bounds of the engine")
}

fn paged(durations_ns: &[u64]) -> Histogram {
    let mut histogram = Histogram::default();
    durations_ns.iter().for_each(|ns| histogram.record_ns(*ns));
    histogram
}

/// The nearest microsecond, worked out apart from the code under test.
fn nearest_us(ns: u64) -> u64 {
    let ns = ns.min(HOUR_NS);
    ns / 1_000 + u64::from(ns % 1_000 >= 500)
}

/// Durations of every magnitude, with the edges of buckets, pages and range among them.
fn duration_ns() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0_u32..42).prop_flat_map(|bits| 0..(2_u64 << bits)),
        2 => (0_u32..32, -2_i64..3, -501_i64..501).prop_map(|(bits, us, ns)| {
            ((1_i64 << bits) + us).max(0).saturating_mul(1_000).saturating_add(ns).max(0) as u64
        }),
        1 => prop::sample::select(vec![0, 1, 499, 500, 501, HOUR_NS - 1, HOUR_NS, HOUR_NS + 1, u64::MAX]),
    ]
}

fn durations_ns() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(duration_ns(), 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn equals_a_flat_histogram_fed_the_same(durations in durations_ns()) {
        let mut expected = flat();
        durations.iter().for_each(|ns| expected.record(nearest_us(*ns)).unwrap());
        let histogram = paged(&durations);
        let actual = histogram.to_hdr();

        prop_assert_eq!(&actual, &expected);
        for quantile in [0.0, 0.01, 0.5, 0.66, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0] {
            prop_assert_eq!(actual.value_at_quantile(quantile), expected.value_at_quantile(quantile));
        }
        let buckets: Vec<_> = expected
            .iter_recorded()
            .map(|bucket| (bucket.value_iterated_to(), bucket.count_at_value()))
            .collect();
        prop_assert_eq!(histogram.recorded().collect::<Vec<_>>(), buckets);
    }

    #[test]
    fn count_sum_least_and_greatest_are_exact(durations in durations_ns()) {
        let histogram = paged(&durations);
        prop_assert_eq!(histogram.count(), durations.len() as u64);
        prop_assert_eq!(histogram.sum_ns(), durations.iter().map(|ns| u128::from(*ns)).sum::<u128>());
        prop_assert_eq!(histogram.min_ns(), durations.iter().copied().min());
        prop_assert_eq!(histogram.max_ns(), durations.iter().copied().max());
        let clipped = durations.iter().filter(|ns| **ns > HOUR_NS).count();
        prop_assert_eq!(histogram.clipped(), clipped as u64);
    }

    /// Shards merged equal one histogram fed everything, also through one that was cleared.
    #[test]
    fn adding_is_recording_both(shards in prop::collection::vec(durations_ns(), 0..5)) {
        let mut merged = paged(&shards.concat());
        merged.clear();
        prop_assert_eq!(&merged, &Histogram::default());
        shards.iter().for_each(|durations| merged.add(&paged(durations)));
        prop_assert_eq!(merged, paged(&shards.concat()));
    }

    #[test]
    fn a_cleared_histogram_is_as_new(before in durations_ns(), after in durations_ns()) {
        let mut histogram = paged(&before);
        histogram.clear();
        prop_assert!(histogram.is_empty() && histogram.pages_touched() == 0);
        after.iter().for_each(|ns| histogram.record_ns(*ns));
        prop_assert_eq!(&histogram, &paged(&after));
        prop_assert_eq!(&histogram.clone(), &histogram);
    }
}

#[test]
fn an_empty_histogram_reports_nothing() {
    let histogram = Histogram::default();
    assert_eq!((histogram.min_ns(), histogram.max_ns(), histogram.mean_ns()), (None, None, 0.0));
    assert_eq!(histogram.recorded().count(), 0);
    assert_eq!(histogram.to_hdr(), flat());
}

#[test]
fn durations_go_to_the_nearest_microsecond() {
    let histogram = paged(&[0, 499, 500, 1_499, 1_500]);
    assert_eq!(histogram.recorded().collect::<Vec<_>>(), [(0, 2), (1, 2), (2, 1)]);
    assert_eq!(histogram.mean_ns(), 799.6);
}

#[test]
fn what_is_above_an_hour_is_clipped_and_said_so() {
    let histogram = paged(&[HOUR_NS, HOUR_NS + 1, u64::MAX]);
    assert_eq!((histogram.count(), histogram.clipped()), (3, 2));
    assert_eq!(histogram.max_ns(), Some(u64::MAX), "the greatest stays exact");
    let hour_us = histogram.to_hdr().value_at_quantile(0.5);
    assert_eq!(histogram.recorded().collect::<Vec<_>>(), [(hour_us, 3)]);
    assert!(flat().equivalent(hour_us, 3_600_000_000));
}

#[test]
fn only_touched_pages_take_memory() {
    // 100 us to 1 ms, every microsecond: buckets 100 to 1,000 of 64 to a page.
    let durations: Vec<u64> = (100..=1_000).map(|us| us * 1_000).collect();
    assert_eq!(paged(&durations).pages_touched(), 15);
    assert_eq!(Histogram::default().pages_touched(), 0);
}
