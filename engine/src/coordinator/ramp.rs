//! From the load that is wanted to the users of each shard: when a step of a ramp is due, and what it comes to.

use std::time::Duration;

use crate::clock::nanos;
use crate::spawn::dispatch::{ClassShare, Dispatcher, SpawnRate, SpawnRateError};
use crate::spawn::shape::{LoadShape, ShapeChange, ShapeDriver, ShapeTick};

/// The users that a run asks for.
#[derive(Clone, Debug)]
pub enum LoadPlan {
    /// A number, reached at a rate.
    Users {
        /// Users at the end of the ramp.
        users: u64,
        /// How fast they start; `None` starts all at once.
        spawn_rate: Option<SpawnRate>,
    },
    /// A number that changes over the run.
    Shape(LoadShape),
}

impl LoadPlan {
    /// The most users that there will be, as far as is known before the run.
    pub fn users_max(&self) -> Option<u64> {
        match self {
            Self::Users { users, .. } => Some(*users),
            Self::Shape(shape) => shape.users_max(),
        }
    }
}

/// Why a change of the load is refused while the run is on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// More users than this machine is believed to hold.
    #[error("{users} users are more than the {users_max} that this machine has memory for")]
    TooManyUsers {
        /// Users asked for.
        users: u64,
        /// The bound.
        users_max: u64,
    },
    /// A rate that is none.
    #[error(transparent)]
    Rate(#[from] SpawnRateError),
    /// A class that the test does not have.
    #[error("the shape asks for the user class '{0}', which the test does not have")]
    UnknownClass(String),
}

/// What became of the load at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RampNews {
    /// The users of each shard are to be told anew.
    pub(super) assigned: bool,
    /// A ramp is complete, at this many users.
    pub(super) completed: Option<u64>,
    /// The shape is over.
    pub(super) over: bool,
}

/// Where the users of a run are on their way.
pub(super) struct Ramp {
    dispatcher: Dispatcher,
    classes: Vec<ClassShare>,
    shape: Option<ShapeDriver>,
    users_max: u64,
    /// When the next step is due, or the ramp counts as complete.
    next_ns: u64,
    state: RampState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RampState {
    Stepping,
    /// The last step is taken, the ramp not yet complete.
    Completing,
    Complete,
}

impl Ramp {
    pub(super) fn new(
        load: &LoadPlan,
        classes: Vec<ClassShare>,
        shards: usize,
        users_max: u64,
    ) -> Self {
        let mut dispatcher = Dispatcher::new(&classes, shards);
        let (shape, state) = match load {
            LoadPlan::Users { users, spawn_rate } => {
                dispatcher.begin(*users, *spawn_rate, None);
                (None, RampState::Stepping)
            }
            LoadPlan::Shape(shape) => (Some(ShapeDriver::new(shape.clone())), RampState::Complete),
        };
        Self { dispatcher, classes, shape, users_max, next_ns: 0, state }
    }

    /// Users of each class of each shard.
    pub(super) fn assignment(&self) -> &[Vec<u64>] {
        self.dispatcher.assignment()
    }

    /// Users that should run now.
    pub(super) fn users(&self) -> u64 {
        self.dispatcher.user_count()
    }

    /// Users that are aimed at.
    pub(super) fn target(&self) -> u64 {
        self.dispatcher.target()
    }

    /// Users of each class that should run now.
    pub(super) fn users_by_class(&self) -> Vec<u64> {
        (0..self.classes.len()).map(|class| self.dispatcher.users_of_class(class)).collect()
    }

    /// The users change over the run.
    pub(super) fn has_shape(&self) -> bool {
        self.shape.is_some()
    }

    /// A ramp is under way.
    pub(super) fn is_spawning(&self) -> bool {
        self.state != RampState::Complete
    }

    /// Aims at another number of users.
    pub(super) fn aim(&mut self, now_ns: u64, tick: &ShapeTick) -> Result<(), LoadError> {
        if tick.users > self.users_max {
            let (users, users_max) = (tick.users, self.users_max);
            return Err(LoadError::TooManyUsers { users, users_max });
        }
        let rate = SpawnRate::per_sec(tick.spawn_rate_per_sec)?;
        let classes = tick.classes.as_ref().map(|names| self.class_indices(names)).transpose()?;
        self.dispatcher.begin(tick.users, Some(rate), classes.as_deref());
        self.next_ns = now_ns;
        self.state = RampState::Stepping;
        Ok(())
    }

    fn class_indices(&self, names: &[String]) -> Result<Vec<usize>, LoadError> {
        let index = |name: &String| self.classes.iter().position(|class| class.name == *name);
        let found = names
            .iter()
            .map(|name| index(name).ok_or_else(|| LoadError::UnknownClass(name.clone())));
        found.collect()
    }

    /// Does what is due at `now_ns`, when `users` run.
    pub(super) fn step(&mut self, now_ns: u64, users: u64) -> Result<RampNews, LoadError> {
        let mut news = RampNews::default();
        if let Some(shape) = &mut self.shape {
            match shape.poll(Duration::from_nanos(now_ns), users) {
                ShapeChange::Stop => return Ok(RampNews { over: true, ..news }),
                ShapeChange::Changed(tick) => self.aim(now_ns, &tick)?,
                ShapeChange::Unchanged => {}
            }
        }
        while self.state == RampState::Stepping && now_ns >= self.next_ns {
            let step = self.dispatcher.step();
            news.assigned = true;
            // From when it was due, so that a late look does not slow the ramp down.
            self.next_ns = self.next_ns.saturating_add(nanos(step.wait));
            if step.done {
                self.state = RampState::Completing;
            }
        }
        if self.state == RampState::Completing && now_ns >= self.next_ns {
            self.state = RampState::Complete;
            news.completed = Some(self.users());
        }
        Ok(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    fn classes() -> Vec<ClassShare> {
        let class = |name: &str, weight| ClassShare { name: name.into(), weight, fixed_count: 0 };
        vec![class("A", 3.0), class("B", 1.0)]
    }

    fn ramp(users: u64, rate: Option<f64>) -> Ramp {
        let spawn_rate = rate.map(|rate| SpawnRate::per_sec(rate).unwrap());
        Ramp::new(&LoadPlan::Users { users, spawn_rate }, classes(), 2, 1_000)
    }

    #[test]
    fn steps_come_when_they_are_due() {
        let mut ramp = ramp(5, Some(2.0));
        let mut users = |at_ns| {
            let news = ramp.step(at_ns, 0).unwrap();
            (ramp.users(), news.assigned, news.completed)
        };
        assert_eq!(users(0), (2, true, None));
        assert_eq!(users(SECOND_NS - 1), (2, false, None));
        assert_eq!(users(SECOND_NS + 5), (4, true, None));
        assert_eq!(users(2 * SECOND_NS), (5, true, Some(5)));
        assert_eq!(users(9 * SECOND_NS), (5, false, None));
    }

    #[test]
    fn without_a_rate_all_start_at_once() {
        let mut ramp = ramp(7, None);
        assert_eq!(ramp.step(0, 0).unwrap().completed, Some(7));
        assert_eq!(ramp.users_by_class().iter().sum::<u64>(), 7);
        assert!(!ramp.is_spawning());
    }

    #[test]
    fn what_a_shape_cannot_have_is_refused() {
        let mut ramp = ramp(1, None);
        let tick = |users, rate| ShapeTick::new(users, rate);
        let refused = ramp.aim(0, &tick(1_000_000, 1.0)).unwrap_err().to_string();
        assert!(refused.contains("1000000 users are more than the 1000"), "{refused}");
        assert!(matches!(ramp.aim(0, &tick(5, 0.0)), Err(LoadError::Rate(_))));
        let other = ShapeTick { classes: Some(vec!["C".into()]), ..tick(5, 1.0) };
        assert_eq!(ramp.aim(0, &other), Err(LoadError::UnknownClass("C".into())));
    }
}
