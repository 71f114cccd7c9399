//! Values as typed: numbers within their bounds, rates, times that must not be nothing.

use std::time::Duration;

use crate::cli::timespan::parse_timespan;

/// Most requests that a user may keep outstanding: past that it is the target's buffers that are tested.
const PIPELINE_MAX: u64 = 4_096;

pub(super) fn positive(text: &str) -> Result<u64, &'static str> {
    match text.parse() {
        Ok(number @ 1..) => Ok(number),
        _ => Err("it must be a whole number, 1 or more"),
    }
}

pub(super) fn pipeline_depth(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(depth @ 1..=PIPELINE_MAX) => Ok(depth),
        _ => Err(format!("it must be a whole number from 1 to {PIPELINE_MAX}")),
    }
}

pub(super) fn positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("it must be a number above 0, users per second".to_owned()),
    }
}

pub(super) fn parse_run_time(text: &str) -> Result<Duration, String> {
    match parse_timespan(text) {
        Ok(Duration::ZERO) => Err("a run takes some time: give 1s or more".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    match parse_timespan(text) {
        Ok(Duration::ZERO) => Err("nothing completes in no time: give 1ms or more".to_owned()),
        parsed => parsed.map_err(|error| error.to_string()),
    }
}

/// A number of 0 or more, such as a rate or a time in milliseconds.
pub(super) fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("it must be a number, 0 or more".to_owned()),
    }
}

pub(super) fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("it must be a ratio from 0 to 1, such as 0.01 for 1 %".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_positive_numbers() {
        assert_eq!(positive_rate("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "inf", "nan", "fast"] {
            assert!(positive_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn amounts_may_be_nothing_and_ratios_end_at_one() {
        assert_eq!((amount("0"), amount("12.5")), (Ok(0.0), Ok(12.5)));
        assert_eq!((ratio("0"), ratio("1")), (Ok(0.0), Ok(1.0)));
        for wrong in ["-1", "nan", "inf", "1 %", ""] {
            assert!(amount(wrong).is_err() && ratio(wrong).is_err(), "{wrong}");
        }
        assert!(ratio("1.01").is_err());
    }
}
