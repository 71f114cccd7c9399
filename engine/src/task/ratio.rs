//! How often each task is chosen: Locust's task ratio (`locust/user/inspectuser.py`).

use super::model::{ClassModel, TaskBody, TaskSetModel};

/// A class with its share of the users, and its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassRatio {
    /// Its name.
    pub name: String,
    /// Its part of all users, 0 to 1.
    pub ratio: f64,
    /// Its tasks.
    pub tasks: Vec<TaskRatio>,
}

/// A task with how often it is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskRatio {
    /// Its name.
    pub name: String,
    /// Its part, 0 to 1: of its task set's choices, or of all, as asked for.
    pub ratio: f64,
    /// The tasks of a task set; none for a task that runs code.
    pub tasks: Vec<TaskRatio>,
}

/// The ratio of each class and of the tasks in it. `users` gives the number of users of each class; with `total`, ratios
/// are parts of everything, multiplied down the tree.
pub fn ratios(classes: &[ClassModel], users: &[u64], total: bool) -> Vec<ClassRatio> {
    let all: u64 = users.iter().sum();
    let of_class = |(class, count): (&ClassModel, &u64)| {
        let ratio = if all == 0 { 0.0 } else { *count as f64 / all as f64 };
        let tasks = of_set(&class.root, if total { ratio } else { 1.0 }, total);
        ClassRatio { name: class.name.clone(), ratio, tasks }
    };
    classes.iter().zip(users).map(of_class).collect()
}

fn of_set(set: &TaskSetModel, part: f64, total: bool) -> Vec<TaskRatio> {
    let weight = set.weight().max(1) as f64;
    let of_task = |task: &super::TaskModel| {
        let ratio = part * f64::from(task.weight) / weight;
        let tasks = match &task.body {
            TaskBody::Action(_) => Vec::new(),
            TaskBody::Set(inner) => of_set(inner, if total { ratio } else { 1.0 }, total),
        };
        TaskRatio { name: task.name.clone(), ratio, tasks }
    };
    set.tasks.iter().map(of_task).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{ActionIndex, TaskModel};

    #[test]
    fn ratios_are_of_their_set_or_of_everything() {
        let task =
            |name: &str, weight, body| TaskModel { name: name.into(), weight, tags: vec![], body };
        let action = || TaskBody::Action(ActionIndex(0));
        let mut inner = TaskSetModel::new("sub");
        inner.tasks = vec![task("x", 1, action()), task("y", 1, action())];
        let mut class = ClassModel::new("Web");
        class.root.tasks = vec![task("index", 3, action()), task("sub", 2, TaskBody::Set(inner))];
        let other = ClassModel::new("Other");
        let classes = [class, other];

        let own = &ratios(&classes, &[3, 1], false)[0];
        assert_eq!((own.ratio, own.tasks[0].ratio, own.tasks[1].tasks[0].ratio), (0.75, 0.6, 0.5));
        let all = &ratios(&classes, &[3, 1], true)[0];
        assert!((all.tasks[1].tasks[0].ratio - 0.75 * 0.4 * 0.5).abs() < 1e-12);
        assert_eq!(ratios(&classes, &[0, 0], true)[0].ratio, 0.0);
    }
}
