//! Classes, task sets and tasks as data.

use super::wait::WaitTime;
use crate::spawn::dispatch::ClassShare;

/// Index of a piece of code among those of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionIndex(pub u32);

/// A class of users.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassModel {
    /// Its name, unique in a test.
    pub name: String,
    /// Its share of the users that no fixed count takes.
    pub weight: f64,
    /// Where above 0: exactly so many users, started before all others, whatever the weight.
    pub fixed_count: u64,
    /// Base URL of its requests.
    pub host: Option<String>,
    /// What its users wait after each task.
    pub wait: WaitTime,
    /// Each task begins as a new visitor: no cookies, no connections.
    pub fresh_session: bool,
    /// Its tasks; `on_start` and `on_stop` are the user's.
    pub root: TaskSetModel,
}

/// A group of tasks, of which a user runs one after another.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSetModel {
    /// Its name among its parent's tasks; that of the class for its root.
    pub name: String,
    /// How the next task is chosen.
    pub order: Order,
    /// What users in this set wait instead of what their class says.
    pub wait: Option<WaitTime>,
    /// Done on entering, before the first task.
    pub on_start: Option<ActionIndex>,
    /// Done on leaving, by whichever way.
    pub on_stop: Option<ActionIndex>,
    /// The tasks to choose from.
    pub tasks: Vec<TaskModel>,
}

/// How a task set chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// At random, by weight.
    #[default]
    Random,
    /// In the order given, over and over; a weight repeats its task in place.
    Sequential,
}

/// One task of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskModel {
    /// Its name.
    pub name: String,
    /// How much more often than a task of weight 1 it is chosen.
    pub weight: u32,
    /// Tags to include or exclude it by.
    pub tags: Vec<String>,
    /// What it does.
    pub body: TaskBody,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskBody {
    /// Runs code.
    Action(ActionIndex),
    /// Enters a task set.
    Set(TaskSetModel),
}

impl ClassModel {
    /// A class of weight 1 that does not wait.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            root: TaskSetModel::new(name.clone()),
            name,
            weight: 1.0,
            fixed_count: 0,
            host: None,
            wait: WaitTime::default(),
            fresh_session: false,
        }
    }

    /// Its share of the users.
    pub fn share(&self) -> ClassShare {
        ClassShare { name: self.name.clone(), weight: self.weight, fixed_count: self.fixed_count }
    }

    /// Whether it is run at all: Locust drops a class without weight and fixed count.
    pub fn has_users(&self) -> bool {
        self.weight > 0.0 || self.fixed_count > 0
    }
}

impl TaskSetModel {
    /// A set without tasks.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            order: Order::default(),
            wait: None,
            on_start: None,
            on_stop: None,
            tasks: Vec::new(),
        }
    }

    /// Sum of the tasks' weights.
    pub fn weight(&self) -> u64 {
        self.tasks.iter().map(|task| u64::from(task.weight)).sum()
    }

    /// The task at a point of the line that the tasks' weights make up, end to end.
    pub(crate) fn at_weight(&self, mut point: u64) -> Option<&TaskModel> {
        self.tasks.iter().find(|task| match point.checked_sub(u64::from(task.weight)) {
            Some(rest) => {
                point = rest;
                false
            }
            None => true,
        })
    }

    /// Names of all tasks that run code, with the action each runs.
    pub fn actions(&self) -> Vec<(&str, ActionIndex)> {
        let mut actions = Vec::new();
        for task in &self.tasks {
            match &task.body {
                TaskBody::Action(action) => actions.push((task.name.as_str(), *action)),
                TaskBody::Set(set) => actions.extend(set.actions()),
            }
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_lie_end_to_end() {
        let mut set = TaskSetModel::new("set");
        for (name, weight) in [("a", 2), ("never", 0), ("b", 1)] {
            let body = TaskBody::Action(ActionIndex(0));
            set.tasks.push(TaskModel { name: name.into(), weight, tags: vec![], body });
        }
        let at = |point| set.at_weight(point).map(|task| task.name.as_str());
        assert_eq!([at(0), at(1), at(2), at(3)], [Some("a"), Some("a"), Some("b"), None]);
        assert_eq!(set.weight(), 3);
    }
}
