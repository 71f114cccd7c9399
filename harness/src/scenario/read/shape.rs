//! `[shape]`.

use loadr_engine::spawn::shape::{LoadShape, ShapeTick, Stage};

use super::class;
use crate::scenario::error::did_you_mean;
use crate::scenario::fields::{Fields, Item};

/// The shape that `item` describes, over the classes in `users`.
pub(super) fn shape(item: &Item<'_>, users: &[Item<'_>]) -> Option<LoadShape> {
    let fields = item.table("[shape]")?;
    let kinds = fields.present(&["stages", "steps", "spike", "double_wave"]);
    let shape = match kinds.as_slice() {
        [kind] => match kind.name {
            "stages" => stages(kind, users),
            "steps" => steps(kind),
            "spike" => spike(kind),
            _ => double_wave(kind),
        },
        _ => {
            fields.report("[shape] is one of \"stages\", \"steps\", \"spike\" and \"double_wave\"")
        }
    };
    fields.finish();
    shape
}

fn stages(item: &Item<'_>, users: &[Item<'_>]) -> Option<LoadShape> {
    let items = item.list()?;
    if items.is_empty() {
        return item.report("\"stages\" is empty");
    }
    // Each is read before any is missed, so that all faults are told.
    let stages: Vec<Option<Stage>> = items.iter().map(|item| stage(item, users)).collect();
    Some(LoadShape::Stages(stages.into_iter().collect::<Option<_>>()?))
}

fn stage(item: &Item<'_>, users: &[Item<'_>]) -> Option<Stage> {
    let fields = item.table("a stage")?;
    let duration = fields.required("duration").and_then(|item| item.duration());
    let count = fields.required("users").and_then(|item| item.count());
    let spawn_rate = spawn_rate(&fields);
    let classes = fields.item("classes").map(|item| (item, item.words().unwrap_or_default()));
    fields.finish();
    if let Some((item, classes)) = &classes {
        refuse_unknown(item, classes, users);
    }
    let classes = classes.map(|(_, classes)| classes);
    let tick = ShapeTick { users: count?, spawn_rate_per_sec: spawn_rate?, classes };
    Some(Stage { duration: duration?, tick })
}

fn refuse_unknown(item: &Item<'_>, classes: &[String], users: &[Item<'_>]) {
    let known: Vec<&str> = users.iter().filter_map(class::name_of).collect();
    for name in classes.iter().filter(|name| !known.contains(&name.as_str())) {
        let hint = did_you_mean(name, known.iter().copied());
        item.report::<()>(format!("there is no user called \"{name}\"{hint}"));
    }
}

fn steps(item: &Item<'_>) -> Option<LoadShape> {
    let fields = item.table("a shape in steps")?;
    let step_users = fields.required("step_users").and_then(|item| item.count_within(1, u64::MAX));
    let step_time = fields.required("step_time").and_then(|item| item.duration());
    let spawn_rate = spawn_rate(&fields);
    let run_time = fields.required("run_time").and_then(|item| item.duration());
    fields.finish();
    Some(LoadShape::Steps {
        step_users: step_users?,
        step_time: step_time?,
        spawn_rate_per_sec: spawn_rate?,
        time_limit: run_time?,
    })
}

fn spike(item: &Item<'_>) -> Option<LoadShape> {
    let fields = item.table("a spike")?;
    let users = fields.required("users").and_then(|item| item.count());
    let spike_users = fields.required("spike_users").and_then(|item| item.count());
    let at = fields.required("at").and_then(|item| item.duration());
    let length = fields.required("length").and_then(|item| item.duration());
    let spawn_rate = spawn_rate(&fields);
    let run_time = fields.required("run_time").and_then(|item| item.duration());
    fields.finish();
    let (at, length, run_time) = (at?, length?, run_time?);
    if at >= run_time {
        return item.report("the spike begins when the run is over");
    }
    Some(LoadShape::Spike {
        base_users: users?,
        peak_users: spike_users?,
        at,
        length,
        spawn_rate_per_sec: spawn_rate?,
        time_limit: run_time,
    })
}

fn double_wave(item: &Item<'_>) -> Option<LoadShape> {
    let fields = item.table("a double wave")?;
    let users_min = fields.required("users_min").and_then(|item| item.count());
    let peak_one = fields.required("peak_one").and_then(|item| item.count());
    let peak_two = fields.required("peak_two").and_then(|item| item.count());
    let run_time = fields.required("run_time").and_then(|item| item.duration());
    fields.finish();
    Some(LoadShape::DoubleWave {
        users_min: users_min?,
        peak_one_users: peak_one?,
        peak_two_users: peak_two?,
        time_limit: run_time?,
    })
}

fn spawn_rate(fields: &Fields<'_>) -> Option<f64> {
    let item = fields.required("spawn_rate")?;
    let rate = item.number()?;
    match rate > 0.0 {
        true => Some(rate),
        false => item.report("\"spawn_rate\" has to be above 0"),
    }
}
