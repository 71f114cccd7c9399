//! Spans of time as people type them.
//!
//! Locust's grammar (`locust/util/timespan.py`): digits alone are seconds, otherwise hours, minutes and seconds in that
//! order, each once: `90`, `30s`, `5m`, `1h30m`. Ours adds milliseconds at the end (`500ms`), for timeouts.

use std::time::Duration;

/// What is wrong with a span of time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TimespanError {
    #[error("'{0}' is not a time: write 30s, 5m, 1h30m, 500ms, or a whole number of seconds")]
    Malformed(String),
    #[error("'{0}' is more time than can be counted")]
    TooLong(String),
}

/// Units in the order they may appear, in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Longest span, in milliseconds: a hundred years.
const MILLIS_MAX: u64 = 100 * 366 * 24 * 3_600_000;

pub(crate) fn parse_timespan(text: &str) -> Result<Duration, TimespanError> {
    let malformed = || TimespanError::Malformed(text.to_owned());
    let too_long = || TimespanError::TooLong(text.to_owned());
    if text.is_empty() {
        return Err(malformed());
    }
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut millis: u64 = 0;
    while !rest.is_empty() {
        let (count, unit, after) = split_part(rest).ok_or_else(malformed)?;
        let seconds_alone = unit.is_empty() && rest.len() == text.len();
        let unit = if seconds_alone { "s" } else { unit };
        let (_, unit_millis) = units.find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let count: u64 = count.parse().map_err(|_| too_long())?;
        let part = count.checked_mul(*unit_millis).ok_or_else(too_long)?;
        millis = millis.checked_add(part).filter(|&sum| sum <= MILLIS_MAX).ok_or_else(too_long)?;
        rest = after;
    }
    Ok(Duration::from_millis(millis))
}

/// The digits at the front of `text`, the letters that follow them, and the rest.
fn split_part(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (count, rest) = text.split_at(digits);
    let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at(letters);
    (!count.is_empty()).then_some((count, unit, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locusts_spellings_are_understood() {
        let cases = [
            ("20", 20),
            ("20s", 20),
            ("3m", 180),
            ("2h", 7_200),
            ("1h30m", 5_400),
            ("3h30m10s", 12_610),
            ("90m", 5_400),
            ("0", 0),
            ("1h5s", 3_605),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_timespan(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_timespan("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_timespan("1s250ms"), Ok(Duration::from_millis(1_250)));
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "1d", "1.5h", "10s5m", "5 m", "-5", "s", "10sec", "1m1m", "10s5", "5M", "3ss"]
        {
            assert!(matches!(parse_timespan(text), Err(TimespanError::Malformed(_))), "{text}");
        }
        for text in ["99999999999999999999", "18446744073709551615h", "9999999999h"] {
            assert!(matches!(parse_timespan(text), Err(TimespanError::TooLong(_))), "{text}");
        }
    }
}
