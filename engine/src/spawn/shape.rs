//! Load shapes: how many users a run wants at a time, as functions of the run's own time.
//!
//! A shape is asked once a second, as Locust asks its `LoadTestShape`, and answers with a target and a spawn rate, or
//! with `None`: the run is over. [`LoadShape`] holds Locust's example shapes and a function of one's own, and
//! [`ShapeDriver`] decides when to ask and whether the answer changes anything. Neither reads a clock.

use std::f64::consts::E;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Time from one question to a shape to the next.
const TICK: Duration = Duration::from_secs(1);

/// What a shape wants at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeTick {
    /// Users to run.
    pub users: u64,
    /// Users to start or stop per second on the way there.
    pub spawn_rate_per_sec: f64,
    /// Classes that new users are of from now on; `None` leaves them as they are.
    pub classes: Option<Vec<String>>,
}

impl ShapeTick {
    /// A tick that leaves the classes as they are.
    pub fn new(users: u64, spawn_rate_per_sec: f64) -> Self {
        Self { users, spawn_rate_per_sec, classes: None }
    }
}

/// A part of [`LoadShape::Stages`].
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// How long this stage lasts, whatever came before.
    pub duration: Duration,
    /// What it wants all along.
    pub tick: ShapeTick,
}

/// A shape of one's own: from the run's time and the users there are to what is wanted.
pub type ShapeFunction = Arc<dyn Fn(Duration, u64) -> Option<ShapeTick> + Send + Sync>;

/// How the number of users goes over a run.
#[derive(Clone)]
pub enum LoadShape {
    /// One stage after the other; the run ends after the last.
    Stages(Vec<Stage>),
    /// A staircase.
    Steps {
        /// Users that each step adds; the first comes at once.
        step_users: u64,
        /// How long a step lasts.
        step_time: Duration,
        /// Users to start per second.
        spawn_rate_per_sec: f64,
        /// Length of the run.
        time_limit: Duration,
    },
    /// A steady load with one sudden rise and fall.
    Spike {
        /// Users before and after.
        base_users: u64,
        /// Users in between.
        peak_users: u64,
        /// When the spike begins.
        at: Duration,
        /// How long the spike lasts.
        length: Duration,
        /// Users to start or stop per second.
        spawn_rate_per_sec: f64,
        /// Length of the run.
        time_limit: Duration,
    },
    /// Two bell-shaped peaks at a third and two thirds of the run, such as noon and evening.
    DoubleWave {
        /// Users far from the peaks.
        users_min: u64,
        /// Users at the first peak.
        peak_one_users: u64,
        /// Users at the second peak.
        peak_two_users: u64,
        /// Length of the run.
        time_limit: Duration,
    },
    /// A shape of one's own.
    Custom(ShapeFunction),
}

impl LoadShape {
    /// What is wanted at `run_time`, when there are `users`; `None` ends the run.
    pub fn tick(&self, run_time: Duration, users: u64) -> Option<ShapeTick> {
        match self {
            Self::Stages(stages) => stage_at(stages, run_time).map(|stage| stage.tick.clone()),
            Self::Steps { step_users, step_time, spawn_rate_per_sec, time_limit } => {
                let wanted = step_at(run_time, *step_time).saturating_mul(*step_users);
                (run_time < *time_limit).then(|| ShapeTick::new(wanted, *spawn_rate_per_sec))
            }
            Self::Spike { base_users, peak_users, at, length, spawn_rate_per_sec, time_limit } => {
                let in_spike = (*at..at.saturating_add(*length)).contains(&run_time);
                let wanted = if in_spike { *peak_users } else { *base_users };
                (run_time < *time_limit).then(|| ShapeTick::new(wanted, *spawn_rate_per_sec))
            }
            Self::DoubleWave { users_min, peak_one_users, peak_two_users, time_limit } => {
                let peaks = [*peak_one_users, *peak_two_users];
                double_wave(*users_min, peaks, run_time, *time_limit)
            }
            Self::Custom(function) => function(run_time, users),
        }
    }

    /// The most users that the shape can ask for; `None` if only running it would tell.
    pub fn users_max(&self) -> Option<u64> {
        match self {
            Self::Stages(stages) => {
                Some(stages.iter().map(|stage| stage.tick.users).max().unwrap_or(0))
            }
            Self::Steps { step_users, step_time, time_limit, .. } => {
                let end = time_limit.saturating_sub(Duration::from_nanos(1));
                Some(step_at(end, *step_time).saturating_mul(*step_users))
            }
            Self::Spike { base_users, peak_users, .. } => Some(*base_users.max(peak_users)),
            Self::DoubleWave { users_min, peak_one_users, peak_two_users, .. } => {
                Some(*users_min.max(peak_one_users).max(peak_two_users))
            }
            Self::Custom(_) => None,
        }
    }
}

impl fmt::Debug for LoadShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Stages(_) => "Stages",
            Self::Steps { .. } => "Steps",
            Self::Spike { .. } => "Spike",
            Self::DoubleWave { .. } => "DoubleWave",
            Self::Custom(_) => "Custom",
        };
        f.debug_struct(name).field("users_max", &self.users_max()).finish_non_exhaustive()
    }
}

fn stage_at(stages: &[Stage], run_time: Duration) -> Option<&Stage> {
    let mut end = Duration::ZERO;
    stages.iter().find(|stage| {
        end = end.saturating_add(stage.duration);
        run_time < end
    })
}

/// The number of the step at `run_time`, from one; steps that take no time are beyond counting.
fn step_at(run_time: Duration, step_time: Duration) -> u64 {
    let gone = run_time.as_nanos().checked_div(step_time.as_nanos());
    gone.and_then(|gone| u64::try_from(gone).ok()).unwrap_or(u64::MAX).saturating_add(1)
}

/// Locust's example of that name: time in whole seconds, and both peaks a tenth of the run wide.
fn double_wave(
    users_min: u64,
    peaks: [u64; 2],
    run_time: Duration,
    time_limit: Duration,
) -> Option<ShapeTick> {
    let second = run_time.as_secs_f64().round_ties_even();
    let limit = time_limit.as_secs_f64();
    if second >= limit {
        return None;
    }
    let place = second / (limit / 10.0 * 2.0 / 3.0);
    let wave = |peak: u64, centre: f64| {
        (peak as f64 - users_min as f64) * E.powf(-(place - centre).powi(2))
    };
    let wanted = (wave(peaks[0], 5.0) + wave(peaks[1], 10.0) + users_min as f64).round_ties_even();
    // The tail of one wave must not lift the other above its peak.
    let users = (wanted as u64).min(users_min.max(peaks[0]).max(peaks[1]));
    // A rate of none, where the wave comes down to no users, would never get there.
    Some(ShapeTick::new(users, users.max(1) as f64))
}

/// What a shape's answer means for the run.
#[derive(Clone, Debug, PartialEq)]
pub enum ShapeChange {
    /// Something else is wanted from now on.
    Changed(ShapeTick),
    /// Nothing new.
    Unchanged,
    /// The run is over.
    Stop,
}

/// Asks a shape once a second, at the start first, and tells what changes.
#[derive(Clone, Debug)]
pub struct ShapeDriver {
    shape: LoadShape,
    last: Option<ShapeTick>,
    next_at: Duration,
    stopped: bool,
}

impl ShapeDriver {
    /// A driver that has asked nothing yet.
    pub fn new(shape: LoadShape) -> Self {
        Self { shape, last: None, next_at: Duration::ZERO, stopped: false }
    }

    /// The run's time at which the shape is due to be asked again.
    pub fn next_at(&self) -> Duration {
        self.next_at
    }

    /// What changes at `run_time`, when there are `users`. A shape is asked once if its second is due, however many
    /// were missed, and never again once it has said stop.
    pub fn poll(&mut self, run_time: Duration, users: u64) -> ShapeChange {
        if self.stopped {
            return ShapeChange::Stop;
        }
        if run_time < self.next_at {
            return ShapeChange::Unchanged;
        }
        self.next_at = Duration::from_secs(run_time.as_secs()).saturating_add(TICK);
        let tick = self.shape.tick(run_time, users);
        self.stopped = tick.is_none();
        match tick {
            None => ShapeChange::Stop,
            Some(tick) if self.last.as_ref() == Some(&tick) => ShapeChange::Unchanged,
            Some(tick) => {
                self.last = Some(tick.clone());
                ShapeChange::Changed(tick)
            }
        }
    }
}

#[cfg(test)]
mod tests;
