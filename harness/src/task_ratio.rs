//! `--show-task-ratio`: how often each task runs, in Locust's words (`locust/user/inspectuser.py`).

use std::io::{self, Write};

use loadr_engine::task::{ClassModel, ClassRatio, TaskRatio, ratios};
use serde_json::{Map, Value, json};

/// Writes both tables: of each class by itself, and of all tasks together.
pub(crate) fn write(
    out: &mut impl Write,
    classes: &[ClassModel],
    users: Option<u64>,
) -> io::Result<()> {
    let users = distribution(classes, users);
    for (title, total) in [("Task ratio per User class", false), ("Total task ratio", true)] {
        writeln!(out, "\n {title}\n{}", "-".repeat(80))?;
        for class in ratios(classes, &users, total) {
            write_row(out, 0, &class.name, class.ratio)?;
            write_tasks(out, 1, &class.tasks)?;
        }
    }
    Ok(())
}

fn write_tasks(out: &mut impl Write, level: usize, tasks: &[TaskRatio]) -> io::Result<()> {
    for task in tasks {
        write_row(out, level, &task.name, task.ratio)?;
        write_tasks(out, level + 1, &task.tasks)?;
    }
    Ok(())
}

fn write_row(out: &mut impl Write, level: usize, name: &str, ratio: f64) -> io::Result<()> {
    let padding = "  ".repeat(level);
    let percent = format!("{padding}{:<6.1}", ratio * 100.0);
    writeln!(out, " {percent:<10} {:<50}", format!("{padding}{name}"))
}

/// Both tables as JSON, in the shape of Locust's `/tasks`.
pub(crate) fn json(classes: &[ClassModel], users: Option<u64>) -> Value {
    let users = distribution(classes, users);
    let table = |total| {
        let rows = ratios(classes, &users, total).into_iter();
        Value::Object(rows.map(|class| (class.name.clone(), of_class(&class))).collect())
    };
    json!({ "per_class": table(false), "total": table(true) })
}

fn of_class(class: &ClassRatio) -> Value {
    json!({ "ratio": class.ratio, "tasks": of_tasks(&class.tasks) })
}

fn of_tasks(tasks: &[TaskRatio]) -> Map<String, Value> {
    let of_task = |task: &TaskRatio| match task.tasks.as_slice() {
        [] => json!({ "ratio": task.ratio }),
        inner => json!({ "ratio": task.ratio, "tasks": of_tasks(inner) }),
    };
    tasks.iter().map(|task| (task.name.clone(), of_task(task))).collect()
}

/// Users of each class when there are `users` of them, or as many as the weights come to. An estimate: the dispatcher
/// decides in a run.
fn distribution(classes: &[ClassModel], users: Option<u64>) -> Vec<u64> {
    let fixed: u64 = classes.iter().map(|class| class.fixed_count).sum();
    let weighted = classes.iter().filter(|class| class.fixed_count == 0);
    let weight: f64 = weighted.map(|class| class.weight).sum();
    let users = match users {
        Some(users) => users as f64,
        None if fixed == 0 => weight,
        None => 1.0,
    };
    let rest = (users - fixed as f64).max(0.0);
    let of_class = |class: &ClassModel| match class.fixed_count {
        0 => (class.weight / weight * rest).round_ties_even() as u64,
        fixed => fixed,
    };
    classes.iter().map(of_class).collect()
}
