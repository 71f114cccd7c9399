//! Locust's wait functions, by their names; times in seconds.

use loadr_engine::task::{BadWait, WaitTime};

/// The wait, or a panic that says what is wrong with it: the program's author wrote it, and it is found at the start.
#[track_caller]
fn checked(wait: Result<WaitTime, BadWait>) -> WaitTime {
    match wait {
        Ok(wait) => wait,
        // Not in a closure, which would be told as the place.
        Err(bad) => panic!("{bad}"),
    }
}

/// Always `seconds`.
///
/// # Panics
/// For a negative time, or none.
#[track_caller]
pub fn constant(seconds: f64) -> WaitTime {
    checked(WaitTime::constant(seconds))
}

/// Evenly distributed from `low` up to `high` seconds.
///
/// # Panics
/// For negative times, or bounds the wrong way round.
#[track_caller]
pub fn between(low: f64, high: f64) -> WaitTime {
    checked(WaitTime::between(low, high))
}

/// So that tasks start `seconds` apart, unless they take longer.
///
/// # Panics
/// For a negative time, or none.
#[track_caller]
pub fn constant_pacing(seconds: f64) -> WaitTime {
    checked(WaitTime::constant_pacing(seconds))
}

/// So that each user starts `rate` tasks a second, unless they take longer.
///
/// # Panics
/// For a rate that is not above 0.
#[track_caller]
pub fn constant_throughput(rate: f64) -> WaitTime {
    checked(WaitTime::constant_throughput(rate))
}

/// Exponentially distributed, `rate` tasks a second on average.
///
/// # Panics
/// For a rate that is not above 0.
#[track_caller]
pub fn poisson(rate: f64) -> WaitTime {
    checked(WaitTime::poisson(rate))
}
