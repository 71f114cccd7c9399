//! Which users run where: Locust's dispatcher, as a state machine without a clock.
//!
//! [`Dispatcher::begin`] aims at a number of users, and each [`Dispatcher::step`] adds or removes as many as the spawn
//! rate allows at a time and says how long to wait before the next. Fixed users come first, then the weighted sequence
//! of classes; workers are dealt to in turn; whoever came last goes first. The sequence and the turn outlive a ramp and
//! are not rewound when users go, so shares can drift after ups and downs, as they do in Locust.
//!
//! Memory is eight bytes a user; a step costs the logarithm of the number of classes for each user that it moves.

use std::time::Duration;

use super::sequence::ClassSequence;

/// A user class's claim to users.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassShare {
    /// Name, which breaks ties between classes.
    pub name: String,
    /// Share of the users that are not fixed; zero or less, and the class gets none of them.
    pub weight: f64,
    /// Users to run before any weighted one; unless zero, the weight does not count.
    pub fixed_count: u64,
}

/// A number of users to start or stop per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct SpawnRate(f64);

/// A spawn rate that is none.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a spawn rate of {0} users per second is not possible: it must be finite and above 0")]
pub struct SpawnRateError(f64);

impl SpawnRate {
    /// A rate in users per second, which must be finite and above zero.
    pub fn per_sec(users: f64) -> Result<Self, SpawnRateError> {
        if users.is_finite() && users > 0.0 { Ok(Self(users)) } else { Err(SpawnRateError(users)) }
    }

    /// The rate in users per second.
    pub fn users_per_sec(self) -> f64 {
        self.0
    }

    /// Users moved in one step: those of a whole second, and one at least.
    fn step_users(self) -> f64 {
        self.0.floor().max(1.0)
    }

    /// Time from step to step; the longest that can be told if the rate asks for more.
    fn interval(self) -> Duration {
        Duration::try_from_secs_f64(self.step_users() / self.0).unwrap_or(Duration::MAX)
    }
}

/// What a step leaves to do; the users are in [`Dispatcher::assignment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// No further step belongs to this ramp.
    pub done: bool,
    /// Time until the next step or, after the last, until the ramp counts as complete: zero, unless it ended short of
    /// its target because the classes allow no further user.
    pub wait: Duration,
}

/// A user who runs: enough to know which one goes when users are removed.
#[derive(Clone, Copy, Debug)]
struct Spawned {
    worker: u32,
    class: u32,
}

/// Spreads users over workers and classes, step by step.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    classes: Vec<ClassShare>,
    /// Position of each class's name among all names.
    ranks: Vec<u32>,
    /// Classes that new users may be of, ascending.
    chosen: Vec<usize>,
    weighted: ClassSequence,
    fixed: ClassSequence,
    /// Fixed users still to come from `fixed`.
    fixed_left: u64,
    /// Fixed users may be missing: count them before the next draw.
    count_fixed: bool,
    /// Users of each class on each worker.
    assignment: Vec<Vec<u64>>,
    users_of_class: Vec<u64>,
    /// All users in the order in which they came.
    spawned: Vec<Spawned>,
    worker_next: usize,
    target: u64,
    /// `None` moves everybody in one step.
    rate: Option<SpawnRate>,
}

impl Dispatcher {
    /// A dispatcher without users, for `workers` workers (one at least) in the order in which they are dealt to.
    pub fn new(classes: &[ClassShare], workers: usize) -> Self {
        let mut dispatcher = Self {
            classes: classes.to_vec(),
            ranks: ranks(classes),
            chosen: (0..classes.len()).collect(),
            weighted: ClassSequence::default(),
            fixed: ClassSequence::default(),
            fixed_left: 0,
            count_fixed: true,
            assignment: vec![vec![0; classes.len()]; workers.max(1)],
            users_of_class: vec![0; classes.len()],
            spawned: Vec::new(),
            worker_next: 0,
            target: 0,
            rate: None,
        };
        dispatcher.restart_sequence();
        dispatcher
    }

    /// Begins a ramp to `target` users, in place of one that may be under way.
    ///
    /// Without a rate, one step does it all. `classes`, by index, replaces the set that new users are drawn from, and
    /// users of other classes stay; `None` keeps the set. Nothing else of the former ramp is left: in Locust, one given
    /// up just as its classes ran out would cut the next one short.
    ///
    /// # Panics
    /// If there is no class of such an index.
    pub fn begin(&mut self, target: u64, rate: Option<SpawnRate>, classes: Option<&[usize]>) {
        self.target = target;
        self.rate = rate;
        let Some(classes) = classes else { return };
        let mut chosen = classes.to_vec();
        chosen.sort_unstable();
        chosen.dedup();
        assert!(
            chosen.iter().all(|class| *class < self.classes.len()),
            "no such class: {chosen:?}"
        );
        if chosen != self.chosen {
            self.chosen = chosen;
            self.restart_sequence();
        }
    }

    /// Takes the next step of the ramp. With nothing to do it says so, and the assignment stands.
    pub fn step(&mut self) -> Step {
        let step_users = self.rate.map_or(u64::MAX, |rate| rate.step_users() as u64);
        let count = self.user_count();
        if count < self.target {
            let enough = self.add_until(count.saturating_add(step_users).min(self.target));
            if !enough {
                // Locust notices only after it has waited once more.
                self.target = self.user_count();
                return Step { done: true, wait: self.interval() };
            }
        } else if count > self.target {
            self.remove_until(count.saturating_sub(step_users).max(self.target));
        }
        let done = self.user_count() == self.target;
        Step { done, wait: if done { Duration::ZERO } else { self.interval() } }
    }

    /// Users that should run now: of each worker, of each class, by index.
    pub fn assignment(&self) -> &[Vec<u64>] {
        &self.assignment
    }

    /// Users that the ramp aims at.
    pub fn target(&self) -> u64 {
        self.target
    }

    /// All users that should run now.
    pub fn user_count(&self) -> u64 {
        self.spawned.len() as u64
    }

    /// Users of a class that should run now, on all workers; zero for an unknown index.
    pub fn users_of_class(&self, class: usize) -> u64 {
        self.users_of_class.get(class).copied().unwrap_or(0)
    }

    fn interval(&self) -> Duration {
        self.rate.map_or(Duration::ZERO, SpawnRate::interval)
    }

    /// False if the classes ran out of users first.
    fn add_until(&mut self, count: u64) -> bool {
        while self.user_count() < count {
            let Some(class) = self.next_class() else { return false };
            let worker = self.worker_next;
            self.worker_next = (worker + 1) % self.assignment.len();
            self.assignment[worker][class as usize] += 1;
            self.users_of_class[class as usize] += 1;
            self.spawned.push(Spawned { worker: worker as u32, class });
        }
        true
    }

    fn remove_until(&mut self, count: u64) {
        while self.user_count() > count {
            let Some(Spawned { worker, class }) = self.spawned.pop() else { return };
            self.assignment[worker as usize][class as usize] -= 1;
            self.users_of_class[class as usize] -= 1;
            self.count_fixed = true;
        }
    }

    /// The class of the next user: fixed users that were found missing, then the weighted sequence.
    fn next_class(&mut self) -> Option<u32> {
        if self.fixed_left == 0 && self.count_fixed {
            self.refill_fixed();
        }
        if self.fixed_left == 0 {
            return self.weighted.next();
        }
        self.fixed_left -= 1;
        self.fixed.next()
    }

    fn refill_fixed(&mut self) {
        self.count_fixed = false;
        let missing = |class: &usize| {
            self.classes[*class].fixed_count.saturating_sub(self.users_of_class[*class])
        };
        self.fixed_left = self.chosen.iter().map(missing).fold(0, u64::saturating_add);
        // Among themselves, fixed users come as if the numbers missing were weights.
        let weights = self.chosen.iter().map(|class| self.candidate(*class, missing(class) as f64));
        self.fixed = ClassSequence::new(weights);
    }

    /// Starts the weighted sequence anew for the chosen classes. As in Locust, fixed users among them are not looked
    /// for until users have gone.
    fn restart_sequence(&mut self) {
        let weighted = self.chosen.iter().filter(|class| self.classes[**class].fixed_count == 0);
        let weights = weighted.map(|class| self.candidate(*class, self.classes[*class].weight));
        self.weighted = ClassSequence::new(weights);
        self.fixed_left = 0;
    }

    fn candidate(&self, class: usize, weight: f64) -> (u32, u32, f64) {
        (class as u32, self.ranks[class], weight)
    }
}

/// Position of each class's name among all names.
fn ranks(classes: &[ClassShare]) -> Vec<u32> {
    let mut by_name: Vec<usize> = (0..classes.len()).collect();
    by_name.sort_by_key(|class| &classes[*class].name);
    let mut ranks = vec![0; classes.len()];
    (0u32..).zip(by_name).for_each(|(rank, class)| ranks[class] = rank);
    ranks
}

#[cfg(test)]
mod tests;
