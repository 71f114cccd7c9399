//! Wait times: what a user waits after each task, as a function of what it draws and of the clock.
//!
//! The rules are Locust's (`locust/user/wait_time.py`). Pacing keeps the starts of tasks a fixed time apart for as long as
//! tasks are shorter than that; what a longer one loses is never made up.

use std::time::Duration;

use crate::clock::nanos;
use crate::random::SplitMix64;

/// What is waited after a task; times in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WaitTime {
    /// Always as long.
    Constant(f64),
    /// Evenly distributed, from the first up to the second.
    Between(f64, f64),
    /// So that tasks start this far apart.
    ConstantPacing(f64),
    /// Exponentially distributed around the mean given by a rate per second.
    Poisson(f64),
    /// What the front end's function of this index says.
    Function(u32),
}

impl Default for WaitTime {
    fn default() -> Self {
        Self::Constant(0.0)
    }
}

/// Why a wait time makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BadWait {
    /// A time that is none.
    #[error("{0} is not a wait time: it must be a number of seconds, 0 or more")]
    Seconds(f64),
    /// The bounds are the wrong way round.
    #[error("between {0} and {1} is no span: the first must not be greater than the second")]
    Bounds(f64, f64),
    /// A rate that is none.
    #[error("{0} is not a rate: it must be a number per second, more than 0")]
    Rate(f64),
}

impl WaitTime {
    /// Locust's `constant`.
    ///
    /// # Errors
    /// For a negative time, or none.
    pub fn constant(seconds: f64) -> Result<Self, BadWait> {
        Ok(Self::Constant(checked_seconds(seconds)?))
    }

    /// Locust's `between`.
    ///
    /// # Errors
    /// For negative times, or bounds the wrong way round.
    pub fn between(low: f64, high: f64) -> Result<Self, BadWait> {
        let (low, high) = (checked_seconds(low)?, checked_seconds(high)?);
        if low > high { Err(BadWait::Bounds(low, high)) } else { Ok(Self::Between(low, high)) }
    }

    /// Locust's `constant_pacing`.
    ///
    /// # Errors
    /// For a negative time, or none.
    pub fn constant_pacing(seconds: f64) -> Result<Self, BadWait> {
        Ok(Self::ConstantPacing(checked_seconds(seconds)?))
    }

    /// Locust's `constant_throughput`: so many tasks a second and user, at most.
    ///
    /// # Errors
    /// For a rate that is not above 0.
    pub fn constant_throughput(rate: f64) -> Result<Self, BadWait> {
        Ok(Self::ConstantPacing(1.0 / checked_rate(rate)?))
    }

    /// Locust's `poisson`.
    ///
    /// # Errors
    /// For a rate that is not above 0.
    pub fn poisson(rate: f64) -> Result<Self, BadWait> {
        Ok(Self::Poisson(checked_rate(rate)?))
    }
}

fn checked_seconds(seconds: f64) -> Result<f64, BadWait> {
    let is_time = seconds.is_finite() && seconds >= 0.0;
    if is_time { Ok(seconds) } else { Err(BadWait::Seconds(seconds)) }
}

fn checked_rate(rate: f64) -> Result<f64, BadWait> {
    if rate.is_finite() && rate > 0.0 { Ok(rate) } else { Err(BadWait::Rate(rate)) }
}

/// When a user last began to wait, and for how long; one for each task set that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    called_ns: u64,
    waited_ns: u64,
}

impl Pacing {
    /// Pacing from `now_ns`, when the user or the task set came into being.
    pub fn new(now_ns: u64) -> Self {
        Self { called_ns: now_ns, waited_ns: 0 }
    }

    /// The wait that keeps starts `period_s` apart, by the time that the task took since the last one.
    fn next_ns(&mut self, period_s: f64, now_ns: u64) -> u64 {
        let ran_ns = now_ns.saturating_sub(self.called_ns).saturating_sub(self.waited_ns);
        let wait_ns = nanos(seconds(period_s)).saturating_sub(ran_ns);
        *self = Self { called_ns: now_ns, waited_ns: wait_ns };
        wait_ns
    }
}

impl WaitTime {
    /// The next wait; `now_ns` is asked where the time matters, and `function` gives the seconds of the front end's
    /// functions.
    pub fn next(
        self,
        pacing: &mut Pacing,
        now_ns: impl FnOnce() -> u64,
        random: &mut SplitMix64,
        function: impl FnOnce(u32) -> f64,
    ) -> Duration {
        match self {
            Self::Constant(wait) => seconds(wait),
            Self::Between(low, high) => seconds(low + (high - low) * random.unit()),
            Self::ConstantPacing(period) => Duration::from_nanos(pacing.next_ns(period, now_ns())),
            // 1 - u is never 0, so the logarithm is finite.
            Self::Poisson(rate) => seconds(-(1.0 - random.unit()).ln() / rate),
            Self::Function(index) => seconds(function(index)),
        }
    }
}

/// Seconds as a duration; what is negative or no number is no time.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(wait: WaitTime, pacing: &mut Pacing, now_ms: u64) -> u64 {
        let mut random = SplitMix64::new(1);
        wait.next(pacing, || now_ms * 1_000_000, &mut random, |_| -1.0).as_millis() as u64
    }

    #[test]
    fn pacing_keeps_starts_apart_and_makes_nothing_up() {
        let (wait, mut pacing) = (WaitTime::ConstantPacing(1.0), Pacing::new(0));
        assert_eq!(next(wait, &mut pacing, 300), 700, "a task of 300 ms");
        assert_eq!(next(wait, &mut pacing, 1_100), 900, "one of 100 ms, begun at 1000");
        assert_eq!(next(wait, &mut pacing, 3_500), 0, "one of 1500 ms, begun at 2000");
        assert_eq!(next(wait, &mut pacing, 3_600), 900, "one of 100 ms, begun at once");
    }

    #[test]
    fn a_negative_wait_of_a_function_is_none() {
        assert_eq!(next(WaitTime::Function(0), &mut Pacing::new(0), 5), 0);
    }

    #[test]
    fn nonsense_is_refused_with_its_figures() {
        let refused = |wait: Result<WaitTime, BadWait>| wait.unwrap_err().to_string();
        assert_eq!(
            refused(WaitTime::constant_throughput(0.0)),
            "0 is not a rate: it must be a number per second, more than 0"
        );
        assert!(refused(WaitTime::constant(f64::NAN)).starts_with("NaN is not a wait time"));
        assert!(refused(WaitTime::between(2.0, 1.0)).contains("no span"));
    }

    proptest! {
        #[test]
        fn waits_lie_between_their_bounds(low in 0.0f64..10.0, span in 0.0f64..10.0, seed: u64) {
            let mut random = SplitMix64::new(seed);
            let wait = WaitTime::Between(low, low + span);
            let drawn = wait.next(&mut Pacing::new(0), || 0, &mut random, |_| 0.0).as_secs_f64();
            prop_assert!(drawn >= low - 1e-6 && drawn <= low + span + 1e-6);
        }
    }
}
