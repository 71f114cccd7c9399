//! Which tasks run: tags, named tasks, equal weights. Functions of the model, applied before a run.

use super::model::{ClassModel, TaskBody, TaskModel, TaskSetModel};

/// Tags to include and to exclude; excluding wins (`locust/user/task.py`, `filter_tasks_by_tags`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TagFilter {
    /// Where there are any: a task runs if it has one of them.
    pub include: Vec<String>,
    /// A task runs if it has none of them.
    pub exclude: Vec<String>,
}

/// A class that was left without a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no task of {class} is left after --tags and --exclude-tags")]
pub struct Emptied {
    /// Its name.
    pub class: String,
}

impl TagFilter {
    /// Takes out of `class` what the filter leaves out: tasks, and task sets that are empty then.
    ///
    /// # Errors
    /// When no task is left.
    pub fn apply(&self, class: &mut ClassModel) -> Result<(), Emptied> {
        let had_tasks = !class.root.tasks.is_empty();
        self.filter_set(&mut class.root, &[]);
        if had_tasks && class.root.tasks.is_empty() {
            return Err(Emptied { class: class.name.clone() });
        }
        Ok(())
    }

    /// Tags of a task set are those of all its tasks as well.
    fn filter_set(&self, set: &mut TaskSetModel, inherited: &[String]) {
        set.tasks.retain_mut(|task| {
            let tags: Vec<String> = inherited.iter().chain(&task.tags).cloned().collect();
            match &mut task.body {
                TaskBody::Action(_) => self.runs(&tags),
                TaskBody::Set(inner) => {
                    self.filter_set(inner, &tags);
                    !inner.tasks.is_empty()
                }
            }
        });
    }

    fn runs(&self, tags: &[String]) -> bool {
        let has_any = |of: &[String]| tags.iter().any(|tag| of.contains(tag));
        (self.include.is_empty() || has_any(&self.include)) && !has_any(&self.exclude)
    }
}

impl ClassModel {
    /// Keeps only the tasks named, as Locust's `--config-users` does; gives the names that no task has.
    pub fn keep_tasks(&mut self, names: &[String]) -> Vec<String> {
        let known = |name: &String| self.root.tasks.iter().any(|task| task.name == *name);
        let unknown = names.iter().filter(|name| !known(name)).cloned().collect();
        self.root.tasks.retain(|task| names.contains(&task.name));
        unknown
    }

    /// Gives the class weight 1, and each of its tasks, task sets dissolved, the same chance (`--equal-weights`).
    pub fn equalize(&mut self) {
        self.weight = 1.0;
        let mut flat = Vec::new();
        flatten(std::mem::take(&mut self.root.tasks), &mut flat);
        self.root.tasks = flat;
    }
}

fn flatten(tasks: Vec<TaskModel>, flat: &mut Vec<TaskModel>) {
    for mut task in tasks {
        task.weight = 1;
        match task.body {
            TaskBody::Action(_) => flat.push(task),
            TaskBody::Set(set) => flatten(set.tasks, flat),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::ActionIndex;

    fn task(name: &str, tags: &[&str], body: TaskBody) -> TaskModel {
        let tags = tags.iter().map(ToString::to_string).collect();
        TaskModel { name: name.into(), weight: 3, tags, body }
    }

    fn action() -> TaskBody {
        TaskBody::Action(ActionIndex(0))
    }

    fn class() -> ClassModel {
        let mut class = ClassModel::new("Shopper");
        let mut set = TaskSetModel::new("forum");
        set.tasks = vec![task("read", &["quick"], action()), task("write", &["slow"], action())];
        class.root.tasks = vec![
            task("plain", &[], action()),
            task("tagged", &["slow"], action()),
            task("forum", &["social"], TaskBody::Set(set)),
        ];
        class
    }

    fn left(include: &[&str], exclude: &[&str]) -> Vec<String> {
        let owned = |tags: &[&str]| tags.iter().map(ToString::to_string).collect();
        let filter = TagFilter { include: owned(include), exclude: owned(exclude) };
        let mut class = class();
        match filter.apply(&mut class) {
            Ok(()) => class.root.actions().into_iter().map(|(name, _)| name.to_owned()).collect(),
            Err(emptied) => vec![emptied.to_string()],
        }
    }

    #[test]
    fn tags_include_and_exclude_and_excluding_wins() {
        assert_eq!(left(&[], &[]), ["plain", "tagged", "read", "write"]);
        assert_eq!(left(&["slow"], &[]), ["tagged", "write"]);
        assert_eq!(left(&["social"], &[]), ["read", "write"], "a set's tags are its tasks'");
        assert_eq!(left(&["slow"], &["social"]), ["tagged"]);
        assert_eq!(left(&[], &["slow", "social"]), ["plain"]);
        assert_eq!(
            left(&["none"], &[]),
            ["no task of Shopper is left after --tags and --exclude-tags"]
        );
    }

    #[test]
    fn equal_weights_dissolve_task_sets() {
        let mut class = class();
        class.weight = 5.0;
        class.equalize();
        let weights: Vec<_> =
            class.root.tasks.iter().map(|task| (&*task.name, task.weight)).collect();
        assert_eq!(weights, [("plain", 1), ("tagged", 1), ("read", 1), ("write", 1)]);
        assert_eq!(class.weight, 1.0);
    }

    #[test]
    fn named_tasks_are_kept_and_unknown_ones_told() {
        let mut class = class();
        assert_eq!(class.keep_tasks(&["tagged".into(), "taged".into()]), ["taged"]);
        assert_eq!(class.root.tasks.len(), 1);
    }
}
