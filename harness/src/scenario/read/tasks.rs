//! Tasks and task sets.

use super::class::{ClassReader, wait};
use super::control::Place;
use crate::scenario::fields::{Fields, Item};
use crate::scenario::model::{ActionIndex, Order, TaskBody, TaskModel, TaskSetModel, WaitTime};

/// Most times that a task may weigh more than another: Locust's lists of tasks have an element for each.
const WEIGHT_MAX: u64 = 1_000_000;

const ORDERS: [(&str, Order); 2] = [("random", Order::Random), ("sequential", Order::Sequential)];

/// Where tasks stand.
#[derive(Clone, Copy, Default)]
pub(super) struct TaskPlace {
    /// Whether there is a task set to interrupt.
    in_set: bool,
}

impl<'a> ClassReader<'a> {
    /// What a user and a task set have in common: order, `on_start`, `on_stop`, tasks and sets.
    pub(super) fn task_set_body(
        &self,
        fields: &Fields<'a>,
        name: &str,
        place: &TaskPlace,
        wait: Option<WaitTime>,
    ) -> Option<TaskSetModel> {
        let order = fields.item("order").map_or(Some(Order::Random), |item| item.choice(&ORDERS));
        let on_start = self.action(fields, "on_start", place);
        let on_stop = self.action(fields, "on_stop", place);
        let tasks = self.tasks(fields, place, order == Some(Order::Sequential));
        Some(TaskSetModel {
            name: name.to_owned(),
            order: order?,
            wait,
            on_start,
            on_stop,
            tasks: tasks?,
        })
    }

    fn action(
        &self,
        fields: &Fields<'a>,
        name: &'static str,
        place: &TaskPlace,
    ) -> Option<ActionIndex> {
        let item = fields.item(name)?;
        let steps = self.steps(&item, &Place::new(place.in_set))?;
        Some(self.add_action(steps))
    }

    /// The tasks and the nested sets, in the order in which they stand in the file.
    fn tasks(
        &self,
        fields: &Fields<'a>,
        place: &TaskPlace,
        is_sequence: bool,
    ) -> Option<Vec<TaskModel>> {
        let mut items: Vec<(bool, Item<'a>)> = Vec::new();
        items.extend(fields.list("task").into_iter().map(|item| (false, item)));
        items.extend(fields.list("task_set").into_iter().map(|item| (true, item)));
        items.sort_by_key(|(_, item)| item.span().start);
        if items.is_empty() {
            return fields.report("there is no task here: add [[user.task]] with steps");
        }
        let tasks: Vec<Option<TaskModel>> = items
            .iter()
            .map(
                |(is_set, item)| if *is_set { self.task_set(item) } else { self.task(item, place) },
            )
            .collect();
        let tasks: Vec<TaskModel> = tasks.into_iter().collect::<Option<_>>()?;
        refuse_doubles(&tasks, &items);
        let leaves = |task: &TaskModel| matches!(task.body, TaskBody::Action(index) if self.always_leaves(index));
        let last_reached = tasks.iter().position(leaves).filter(|_| is_sequence);
        if let Some((_, item)) = last_reached.and_then(|last| items.get(last + 1)) {
            item.report::<()>(
                "this task is never reached: the one before it always leaves the sequence",
            );
        }
        Some(tasks)
    }

    fn task(&self, item: &Item<'a>, place: &TaskPlace) -> Option<TaskModel> {
        let fields = item.table("a task")?;
        let name = fields.required("name").and_then(|item| item.word());
        let weight = weight(&fields);
        let tags = fields.words("tags");
        let steps =
            fields.required("steps").and_then(|item| self.steps(&item, &Place::new(place.in_set)));
        fields.finish();
        let body = TaskBody::Action(self.add_action(steps?));
        Some(TaskModel { name: name?.to_owned(), weight: weight?, tags, body })
    }

    fn task_set(&self, item: &Item<'a>) -> Option<TaskModel> {
        let fields = item.table("a task set")?;
        let name = fields.required("name").and_then(|item| item.word());
        let weight = weight(&fields);
        let tags = fields.words("tags");
        let wait = wait(&fields);
        let place = TaskPlace { in_set: true };
        let set = self.task_set_body(&fields, name.unwrap_or(""), &place, wait);
        fields.finish();
        let body = TaskBody::Set(set?);
        Some(TaskModel { name: name?.to_owned(), weight: weight?, tags, body })
    }
}

fn refuse_doubles(tasks: &[TaskModel], items: &[(bool, Item<'_>)]) {
    for (index, task) in tasks.iter().enumerate() {
        if tasks[..index].iter().any(|before| before.name == task.name) {
            let message = format!("there are two tasks called \"{}\" here; rename one", task.name);
            items[index].1.report::<()>(message);
        }
    }
}

fn weight(fields: &Fields<'_>) -> Option<u32> {
    let Some(item) = fields.item("weight") else { return Some(1) };
    match item.count()? {
        0 => item.report("\"weight\" is 0: this would never run; leave it out or give it a weight"),
        weight @ 1..=WEIGHT_MAX => Some(weight as u32),
        weight => item.report(format!("\"weight\" is {weight}, allowed are 1 to {WEIGHT_MAX}")),
    }
}
