//! Medians over rounds, with an interval that assumes nothing about the distribution.
//!
//! Of `n` independent rounds, the number that fall below the true median is binomial with odds of
//! one half. So the pair of order statistics (k-th smallest, k-th largest) covers the true median
//! with a probability that depends on `n` and `k` alone, and no resampling or seed is needed.
//! With nine rounds the second smallest and second largest cover it with 96 %.

/// Least probability with which an interval covers the true median.
const COVERAGE: f64 = 0.95;

/// A median and the interval around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Median of the values.
    pub median: f64,
    /// 95 % interval of the median; none where there are fewer than six values.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// None where there are no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) =
            (sorted.get(sorted.len().saturating_sub(1) / 2)?, sorted[sorted.len() / 2]);
        let trimmed = trim_count(sorted.len());
        let interval = trimmed.map(|trim| (sorted[trim], sorted[sorted.len() - 1 - trim]));
        Some(Self { median: low.midpoint(high), interval })
    }

    /// Of the ratios taken pair by pair; none where there are no pairs.
    ///
    /// A pair comes from one round, so what slowed the machine in a round is in both parts.
    pub fn of_ratios(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<Self> {
        let ratios =
            pairs.into_iter().filter(|(_, base)| *base > 0.0).map(|(value, base)| value / base);
        Self::of(&ratios.collect::<Vec<_>>())
    }
}

/// How many of `count` sorted values may be dropped at each end with the rest still covering the
/// true median; none where even all of them do not.
fn trim_count(count: usize) -> Option<usize> {
    // Probability that at most `trim` of `count` values fall on one side of the median.
    let mut tail = 0.0;
    let mut term = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut found = None;
    for trim in 0..count / 2 {
        tail += term;
        if 1.0 - 2.0 * tail < COVERAGE {
            break;
        }
        found = Some(trim);
        term *= (count - trim) as f64 / (trim + 1) as f64;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert_eq!(Estimate::of(&[3.0, 1.0, 2.0]).unwrap().median, 2.0);
        assert_eq!(Estimate::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Estimate::of(&[7.0]).unwrap().median, 7.0);
        assert_eq!(Estimate::of(&[]), None);
    }

    /// The table in any book on order statistics: 95 % needs 6 values, and 9 allow one to go.
    #[test]
    fn as_many_values_are_trimmed_as_the_coverage_allows() {
        let trims: Vec<_> = [0, 1, 5, 6, 8, 9, 11, 12, 15, 20].map(trim_count).to_vec();
        let expected =
            [None, None, None, Some(0), Some(0), Some(1), Some(1), Some(2), Some(3), Some(5)];
        assert_eq!(trims, expected);
    }

    #[test]
    fn nine_values_give_the_second_and_the_eighth() {
        let values = [9.0, 1.0, 8.0, 2.0, 7.0, 3.0, 6.0, 4.0, 5.0];
        let expected = Estimate { median: 5.0, interval: Some((2.0, 8.0)) };
        assert_eq!(Estimate::of(&values), Some(expected));
    }

    #[test]
    fn ratios_are_taken_within_a_pair() {
        // The machine halved its speed in the second round: the ratio does not notice.
        let pairs = [(300.0, 200.0), (150.0, 100.0), (330.0, 220.0)];
        assert_eq!(Estimate::of_ratios(pairs).unwrap().median, 1.5);
        assert_eq!(Estimate::of_ratios([(1.0, 0.0)]), None);
    }
}
