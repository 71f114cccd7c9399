//! Lists of steps, and the steps that do not talk to the target.

use super::class::ClassReader;
use crate::scenario::error::did_you_mean;
use crate::scenario::fields::{Fields, Item};
use crate::scenario::step::{Branch, Exit, LoopCondition, Method, Repeat, Step, Steps, Think};
use crate::scenario::template::VariableSlot;
use crate::scenario::value::ValueTemplate;

/// Keys of which every step has one, beside those of the methods.
const KINDS: [&str; 17] = [
    "xmlrpc",
    "ws",
    "poll",
    "command",
    "call",
    "background",
    "think",
    "set",
    "repeat",
    "if",
    "group",
    "log",
    "fail",
    "interrupt",
    "reschedule",
    "stop_user",
    "stop_test",
];

/// Where steps stand.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// Whether there is a task set to interrupt.
    in_set: bool,
    /// Whether the steps run beside the task.
    in_background: bool,
    /// Name of the requests that have none of their own.
    pub group: Option<&'p str>,
}

impl Place<'_> {
    /// In a task, which is in a task set or not.
    pub(super) fn new(in_set: bool) -> Self {
        Self { in_set, in_background: false, group: None }
    }
}

impl<'a> ClassReader<'a> {
    /// The steps in the list `item`.
    pub(super) fn steps(&self, item: &Item<'a>, place: &Place<'_>) -> Option<Steps> {
        let items = item.list()?;
        if items.is_empty() {
            return item.report(format!("\"{}\" has no steps", item.name));
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut is_whole = true;
        for (index, item) in items.iter().enumerate() {
            let before = steps.len();
            is_whole &= self.push_step(item, place, &mut steps).is_some();
            if steps[before..].iter().any(ends) && index + 1 < items.len() {
                items[index + 1]
                    .report::<()>("this step is never reached: the one before it ends the task");
            }
        }
        is_whole.then(|| steps.into())
    }

    /// Adds the step that `item` describes; a group adds all of its own.
    fn push_step(&self, item: &Item<'a>, place: &Place<'_>, steps: &mut Vec<Step>) -> Option<()> {
        let fields = item.table("a step")?;
        let pushed = match kind(&fields) {
            Ok(kind) => match kind.name {
                "group" => self.group(&kind, place).map(|group| steps.extend(group)),
                "command" => self.commands(&fields, &kind).map(|commands| steps.extend(commands)),
                _ => self.step(&fields, &kind, place).map(|step| steps.push(step)),
            },
            Err(Reported) => return None,
        };
        fields.finish();
        pushed
    }

    fn step(&self, fields: &Fields<'a>, kind: &Item<'a>, place: &Place<'_>) -> Option<Step> {
        if let Some(&(_, method)) = Method::KEYS.iter().find(|(key, _)| *key == kind.name) {
            let request = self.request_step(fields, kind, method, place)?;
            return Some(Step::Request(Box::new(request)));
        }
        match kind.name {
            "xmlrpc" => {
                let request = self.rpc_step(fields, kind, place)?;
                Some(Step::Request(Box::new(request)))
            }
            "ws" => self.socket_step(fields, kind, place),
            "poll" => self.poll(fields, kind, place),
            "call" => self.driver_call(fields, kind),
            "background" => self.background(kind, place),
            "think" => think(kind).map(Step::Think),
            "set" => self.set(kind),
            "repeat" => self.repeat(kind, place).map(|repeat| Step::Repeat(Box::new(repeat))),
            "if" => self.branch(fields, kind, place).map(|branch| Step::If(Box::new(branch))),
            "log" => self.template(kind).map(Step::Log),
            "fail" => self.template(kind).map(Step::Fail),
            _ => exit(kind, place).map(Step::Exit),
        }
    }

    fn group(&self, item: &Item<'a>, place: &Place<'_>) -> Option<Steps> {
        let fields = item.table("a group")?;
        let name = fields.required("name").and_then(|item| item.word());
        let inner = Place { group: name.or(place.group), ..*place };
        let steps = fields.required("steps").and_then(|item| self.steps(&item, &inner));
        fields.finish();
        name.and(steps)
    }

    fn background(&self, item: &Item<'a>, place: &Place<'_>) -> Option<Step> {
        if item.value().as_bool().is_some() {
            return item.report("\"background\" wants a list of steps, or goes with \"poll\"");
        }
        self.steps(item, &Place { in_background: true, ..*place }).map(Step::Background)
    }

    fn set(&self, item: &Item<'a>) -> Option<Step> {
        let values = item.entries()?;
        let values: Vec<Option<(VariableSlot, ValueTemplate)>> = values
            .iter()
            .map(|item| {
                let value = self.value(item);
                Some((self.variable(item)?, value?))
            })
            .collect();
        Some(Step::Set(values.into_iter().collect::<Option<_>>()?))
    }

    /// The slot of the variable that the key of `item` names, and sets.
    pub(super) fn variable(&self, item: &Item<'_>) -> Option<VariableSlot> {
        match self.names.set(item.name) {
            Ok(slot) => Some(slot),
            Err(message) => {
                self.reader.report(item.name_start, message);
                None
            }
        }
    }

    fn repeat(&self, item: &Item<'a>, place: &Place<'_>) -> Option<Repeat> {
        let fields = item.table("a repeat")?;
        let times = fields.item("times").map(|item| self.times(&item));
        let conditions = fields.present(&["while", "until"]);
        let condition = conditions.first().map(|item| self.loop_condition(item));
        let steps = fields.required("steps").and_then(|item| self.steps(&item, place));
        fields.finish();
        if let [_, second] = conditions.as_slice() {
            return second.report("a repeat has \"while\" or \"until\", not both");
        }
        if times.is_none() && condition.is_none() {
            return item
                .report("a repeat without \"times\", \"while\" or \"until\" would never end");
        }
        Some(Repeat { times: all(times)?, condition: all(condition)?, steps: steps? })
    }

    fn times(&self, item: &Item<'a>) -> Option<ValueTemplate> {
        if item.value().is_integer() {
            return item.count_within(1, u64::MAX).map(|times| ValueTemplate::Fixed(times.into()));
        }
        match self.value(item)? {
            value @ ValueTemplate::Text(_) => Some(value),
            _ => item.report("\"times\" wants a whole number or a template"),
        }
    }

    fn loop_condition(&self, item: &Item<'a>) -> Option<LoopCondition> {
        let condition = self.condition(item)?;
        Some(match item.name {
            "while" => LoopCondition::While(condition),
            _ => LoopCondition::Until(condition),
        })
    }

    fn branch(&self, fields: &Fields<'a>, kind: &Item<'a>, place: &Place<'_>) -> Option<Branch> {
        let condition = self.condition(kind);
        let then = fields.required("then").and_then(|item| self.steps(&item, place));
        let otherwise = fields.item("else").map(|item| self.steps(&item, place));
        Some(Branch {
            condition: condition?,
            then: then?,
            otherwise: all(otherwise)?.unwrap_or_default(),
        })
    }
}

/// What is optional in the file, if it could be read where it is there.
pub(super) fn all<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        Some(None) => None,
        Some(value) => Some(value),
        None => Some(None),
    }
}

/// Why there is nothing has been reported.
struct Reported;

/// The key that says what a step does.
fn kind<'a>(fields: &Fields<'a>) -> Result<Item<'a>, Reported> {
    let methods = Method::KEYS.map(|(key, _)| key);
    let mut kinds = fields.present(&methods);
    kinds.extend(fields.present(&KINDS));
    if kinds.iter().any(|kind| kind.name == "poll") {
        kinds.retain(|kind| kind.name != "background");
    }
    match kinds.as_slice() {
        [kind] => Ok(*kind),
        [] => {
            let message = match fields.keys().find_map(|key| near_kind(key, &methods)) {
                Some(hint) => hint,
                None => {
                    "this step does nothing: it has none of get, post, put, patch, delete, head, \
                         options, xmlrpc, ws, poll, command, call, think, set, repeat, if, group and background"
                        .to_owned()
                }
            };
            fields.report::<()>(message);
            Err(Reported)
        }
        [first, second, ..] => {
            second.report::<()>(format!(
                "a step does one thing: \"{}\" or \"{}\", each in a step of its own",
                first.name, second.name
            ));
            Err(Reported)
        }
    }
}

fn near_kind(key: &str, methods: &[&str]) -> Option<String> {
    let hint = did_you_mean(key, methods.iter().chain(&KINDS).copied());
    (!hint.is_empty()).then(|| format!("unknown key \"{key}\" in a step{hint}"))
}

fn think(item: &Item<'_>) -> Option<Think> {
    if item.value().as_table().is_none() {
        return item.seconds().map(Think::Constant);
    }
    let fields = item.table("a pause")?;
    let between = fields.required("between").and_then(|item| item.range());
    fields.finish();
    between.map(|(min, max)| Think::Between(min, max))
}

fn exit(item: &Item<'_>, place: &Place<'_>) -> Option<Exit> {
    let exit = match item.name {
        "interrupt" => Exit::Interrupt { reschedule: flag(item, "reschedule", true)? },
        "reschedule" => Exit::Reschedule { immediately: flag(item, "immediately", false)? },
        _ if item.boolean()? => match item.name {
            "stop_user" => Exit::StopUser,
            _ => Exit::StopTest,
        },
        _ => return item.report(format!("\"{}\" = false does nothing; leave it out", item.name)),
    };
    match exit {
        Exit::Interrupt { .. } if !place.in_set => item.report(
            "\"interrupt\" outside a task set: there is nothing to leave; \"stop_user\" ends the user",
        ),
        Exit::StopTest => Some(exit),
        _ if place.in_background => {
            item.report(format!("\"{}\" in the background: the task has gone on without it", item.name))
        }
        _ => Some(exit),
    }
}

/// `true`, or a table that says how.
fn flag(item: &Item<'_>, name: &'static str, default: bool) -> Option<bool> {
    match item.value().as_bool() {
        Some(true) => Some(default),
        Some(false) => item.report(format!("\"{}\" = false does nothing; leave it out", item.name)),
        None => {
            let fields = item.table("a step that ends the task")?;
            let flag = fields.item(name).map_or(Some(default), |item| item.boolean());
            fields.finish();
            flag
        }
    }
}

/// Whether nothing after `step` in its list is ever reached.
fn ends(step: &Step) -> bool {
    match step {
        Step::Exit(_) | Step::Fail(_) => true,
        Step::If(branch) => {
            branch.then.last().is_some_and(ends) && branch.otherwise.last().is_some_and(ends)
        }
        _ => false,
    }
}
