//! Conditions as people write them: `[ENTRY] METRIC COMPARISON VALUE UNIT`, the entry and the unit where they are needed.
//!
//! An entry stands in brackets and may hold brackets itself: the last one closes. A time says its unit, so that nobody's
//! 200 is taken for seconds; a ratio is a number up to 1 or says `%`.

use super::{Comparison, Metric, Threshold, Unit};

/// What is wrong with a condition; each is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThresholdError {
    /// There is no comparison in it.
    #[error("'{0}' compares nothing: write it as 'p99 > 200ms', with one of > >= < <= == !=")]
    NoComparison(String),
    /// A bracket is opened and not closed, or holds nothing.
    #[error("'{0}' names no entry: write it as '[/products] p99 > 200ms'")]
    Entry(String),
    /// The metric is not known.
    #[error(
        "'{0}' is no metric: there are p50, p99.9 and every other percentile, min, mean, median, max, requests, \
         failures, failure_ratio, requests_per_s and failures_per_s"
    )]
    Metric(String),
    /// The percentile is not above 0 and at most 100.
    #[error("'{0}' is no percentile: write a number above 0, and at most 100, after the p")]
    Percentile(String),
    /// The value is no number.
    #[error("'{0}' is no number to compare with")]
    Value(String),
    /// A response time without a unit.
    #[error("'{0}' has no unit: write {0}ms, {0}us or {0}s")]
    UnitMissing(String),
    /// The unit does not go with the metric.
    #[error("'{unit}' is no unit of {metric}: {wanted}")]
    Unit {
        /// As written.
        unit: String,
        /// As written.
        metric: String,
        /// What it takes.
        wanted: &'static str,
    },
}

impl Threshold {
    /// Reads a condition.
    ///
    /// # Errors
    /// One line that says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, ThresholdError> {
        let (entry, condition) = split_entry(text.trim())?;
        let (metric_text, comparison, value) = split_comparison(text, condition)?;
        let metric = parse_metric(metric_text)?;
        let bound = parse_value(metric_text, metric.unit(), value)?;
        let entry = entry.map(str::to_owned);
        Ok(Self { text: text.trim().to_owned(), entry, metric, comparison, bound })
    }
}

fn split_entry(text: &str) -> Result<(Option<&str>, &str), ThresholdError> {
    let Some(bracketed) = text.strip_prefix('[') else { return Ok((None, text)) };
    match bracketed.rsplit_once(']') {
        Some((entry, condition)) if !entry.trim().is_empty() => {
            Ok((Some(entry.trim()), condition.trim()))
        }
        _ => Err(ThresholdError::Entry(text.to_owned())),
    }
}

fn split_comparison<'a>(
    whole: &str,
    condition: &'a str,
) -> Result<(&'a str, Comparison, &'a str), ThresholdError> {
    let missing = || ThresholdError::NoComparison(whole.to_owned());
    let at = condition.find(['<', '>', '=', '!']).ok_or_else(missing)?;
    let (metric, rest) = condition.split_at(at);
    let known = Comparison::SIGNS.iter().find(|(sign, _)| rest.starts_with(sign));
    let (sign, comparison) = known.ok_or_else(missing)?;
    Ok((metric.trim(), *comparison, rest[sign.len()..].trim()))
}

fn parse_metric(text: &str) -> Result<Metric, ThresholdError> {
    match text {
        "min" => Ok(Metric::Min),
        "max" => Ok(Metric::Max),
        "mean" | "avg" => Ok(Metric::Mean),
        "median" => Ok(Metric::Percentile(50.0)),
        "requests" => Ok(Metric::Requests),
        "failures" => Ok(Metric::Failures),
        "failure_ratio" => Ok(Metric::FailureRatio),
        "requests_per_s" | "rps" => Ok(Metric::RequestsPerSecond),
        "failures_per_s" => Ok(Metric::FailuresPerSecond),
        _ => parse_percentile(text),
    }
}

fn parse_percentile(text: &str) -> Result<Metric, ThresholdError> {
    let number =
        text.strip_prefix('p').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let number = number.ok_or_else(|| ThresholdError::Metric(text.to_owned()))?;
    match number.parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Metric::Percentile(percent)),
        _ => Err(ThresholdError::Percentile(text.to_owned())),
    }
}

/// The value in the unit that its metric is measured in.
fn parse_value(metric: &str, unit: Unit, value: &str) -> Result<f64, ThresholdError> {
    let end =
        value.find(|c: char| !c.is_ascii_digit() && !".+-".contains(c)).unwrap_or(value.len());
    let (number, suffix) = (value[..end].trim(), value[end..].trim());
    let amount: f64 = number.parse().map_err(|_| ThresholdError::Value(value.to_owned()))?;
    let refused = |wanted| {
        Err(ThresholdError::Unit { unit: suffix.to_owned(), metric: metric.to_owned(), wanted })
    };
    match (unit, suffix) {
        (Unit::Milliseconds, "us") => Ok(amount / 1_000.0),
        (Unit::Milliseconds, "ms") => Ok(amount),
        (Unit::Milliseconds, "s") => Ok(amount * 1_000.0),
        (Unit::Milliseconds, "") if amount == 0.0 => Ok(0.0),
        (Unit::Milliseconds, "") => Err(ThresholdError::UnitMissing(number.to_owned())),
        (Unit::Milliseconds, _) => refused("a time takes us, ms or s"),
        (Unit::Ratio, "%") => Ok(amount / 100.0),
        (_, "") => Ok(amount),
        (Unit::Ratio, _) => refused("a ratio takes %, or nothing"),
        (Unit::Count | Unit::PerSecond, _) => refused("it takes a number alone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> (Option<String>, Metric, Comparison, f64) {
        let threshold = Threshold::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(threshold.as_str(), text.trim());
        (threshold.entry, threshold.metric, threshold.comparison, threshold.bound)
    }

    #[test]
    fn conditions_are_understood() {
        use Comparison::{Above, AtLeast, AtMost, Below, Equal, Unequal};
        let cases = [
            ("p99 > 200ms", None, Metric::Percentile(99.0), Above, 200.0),
            ("p99.9>=1.5s", None, Metric::Percentile(99.9), AtLeast, 1_500.0),
            ("median <= 500us", None, Metric::Percentile(50.0), AtMost, 0.5),
            ("failure_ratio > 1%", None, Metric::FailureRatio, Above, 0.01),
            ("failure_ratio > 0.05", None, Metric::FailureRatio, Above, 0.05),
            ("requests_per_s < 1000", None, Metric::RequestsPerSecond, Below, 1_000.0),
            ("rps<1000", None, Metric::RequestsPerSecond, Below, 1_000.0),
            ("requests == 0", None, Metric::Requests, Equal, 0.0),
            ("failures != 3", None, Metric::Failures, Unequal, 3.0),
            ("failures_per_s > 0.5", None, Metric::FailuresPerSecond, Above, 0.5),
            (
                "[/products/[id]] p95 > 50ms",
                Some("/products/[id]"),
                Metric::Percentile(95.0),
                Above,
                50.0,
            ),
            ("[TASK browse] mean > 1s", Some("TASK browse"), Metric::Mean, Above, 1_000.0),
            ("[a > b] avg > 1 s", Some("a > b"), Metric::Mean, Above, 1_000.0),
            (" max > 0 ", None, Metric::Max, Above, 0.0),
            ("min > 3ms", None, Metric::Min, Above, 3.0),
        ];
        for (text, entry, metric, comparison, bound) in cases {
            let wanted = (entry.map(str::to_owned), metric, comparison, bound);
            assert_eq!(parsed(text), wanted, "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_apart() {
        use ThresholdError as E;
        let owned = str::to_owned;
        let unit = |unit: &str, metric: &str, wanted| E::Unit {
            unit: owned(unit),
            metric: owned(metric),
            wanted,
        };
        let cases = [
            ("p99", E::NoComparison(owned("p99"))),
            ("p99 = 200ms", E::NoComparison(owned("p99 = 200ms"))),
            ("[/a p99 > 1ms", E::Entry(owned("[/a p99 > 1ms"))),
            ("[] p99 > 1ms", E::Entry(owned("[] p99 > 1ms"))),
            ("latency > 1ms", E::Metric(owned("latency"))),
            ("p > 1ms", E::Metric(owned("p"))),
            ("p0 > 1ms", E::Percentile(owned("p0"))),
            ("p101 > 1ms", E::Percentile(owned("p101"))),
            ("p99 > ms", E::Value(owned("ms"))),
            ("p99 > ", E::Value(owned(""))),
            ("p99 > 1-2ms", E::Value(owned("1-2ms"))),
            ("p99 > 200", E::UnitMissing(owned("200"))),
            ("p99 > 2 min", unit("min", "p99", "a time takes us, ms or s")),
            ("failure_ratio > 1ms", unit("ms", "failure_ratio", "a ratio takes %, or nothing")),
            ("rps < 10%", unit("%", "rps", "it takes a number alone")),
        ];
        for (text, error) in cases {
            assert_eq!(Threshold::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_in_one_line(text in "\\PC*") {
            if let Err(error) = Threshold::parse(&text) {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }

        #[test]
        fn any_name_can_be_held_in_brackets(name in "[!-~]([ -~]{0,30}[!-~])?") {
            let threshold = Threshold::parse(&format!("[{name}] p99 > 1ms"));
            prop_assert_eq!(threshold.map(|t| t.entry), Ok(Some(name)));
        }
    }
}
