//! `[[user]]`: a user class.

use std::cell::RefCell;
use std::time::Duration;

use super::data::read_feed;
use super::driver::FoundDriver;
use super::tasks::TaskPlace;
use super::websocket::SocketReader;
use super::{Defaults, Shared, host};
use crate::scenario::data::{FeedIndex, FeedName, ReadFeed};
use crate::scenario::error::did_you_mean;
use crate::scenario::fields::{Fields, Item, Reader, SECONDS_MAX};
use crate::scenario::model::{Action, ActionIndex, Class, ClassModel, WaitTime};
use crate::scenario::names::{Names, index_u32};
use crate::scenario::step::{Exit, Step, Steps};
use crate::scenario::template::{FeedSlot, Template};

/// Most that a class may weigh, so that all of them can be added up.
const CLASS_WEIGHT_MAX: f64 = 1e9;

/// What is known of a class while its steps are read.
pub(super) struct ClassReader<'a> {
    pub reader: &'a Reader<'a>,
    pub shared: &'a Shared,
    pub names: Names<'a>,
    /// Headers of every request, the file's and the class's.
    pub headers: Vec<(Box<str>, Template)>,
    /// The feeds that those draw from.
    pub header_feeds: Box<[FeedSlot]>,
    /// Time-out of requests that have none of their own.
    pub timeout: Option<Duration>,
    /// What `call` goes to.
    pub driver: FoundDriver,
    /// What it says of its users' WebSockets.
    pub socket: SocketReader,
    actions: RefCell<Vec<Action>>,
}

/// The name of a class before it is read.
pub(super) fn name_of<'a>(item: &Item<'a>) -> Option<&'a str> {
    item.value().as_table()?.get("name")?.get_ref().as_str()
}

/// The class that `item` describes; its own data joins `feeds`.
pub(super) fn class<'a>(
    reader: &'a Reader<'a>,
    shared: &'a Shared,
    defaults: &Defaults<'a>,
    feeds: &mut Vec<ReadFeed>,
    item: &Item<'a>,
) -> Option<Class> {
    let fields = item.table("a user")?;
    let name = fields.required("name").and_then(|item| item.word()).unwrap_or("");
    let own_feed = fields.item("data").map(|item| own_feed(reader, feeds, name, &item));
    let feeds = &*feeds;
    let mut class = ClassReader {
        reader,
        shared,
        names: Names::new(feeds, own_feed),
        headers: Vec::new(),
        header_feeds: Box::default(),
        timeout: fields.duration("timeout").or(defaults.timeout),
        driver: FoundDriver::read(reader, &fields).or(&defaults.driver),
        socket: SocketReader::default(),
        actions: RefCell::default(),
    };
    let variables = defaults.variables.iter().copied().chain(fields.entries("variables"));
    let initial = class.initial(variables);
    class.headers =
        class.merged_headers(defaults.headers.iter().copied().chain(fields.entries("headers")));
    class.header_feeds = class.names.take_drawn();
    class.socket = class.socket_reader(&fields);
    let model = class.model(&fields, name);
    fields.finish();
    Some(class.finish(model?, initial))
}

/// The class's own data, or the feed of the file that it names.
fn own_feed<'a>(
    reader: &'a Reader<'a>,
    feeds: &mut Vec<ReadFeed>,
    class: &str,
    item: &Item<'a>,
) -> FeedIndex {
    if let Some(name) = item.value().as_str() {
        if let Some(index) = feeds.iter().position(|feed| feed.name.is_shared_as(name)) {
            return FeedIndex(index_u32(index));
        }
        let hint = did_you_mean(name, feeds.iter().filter_map(|feed| feed.name.shared()));
        item.report::<()>(format!("there is no [data.{name}] in this file{hint}"));
        feeds.push(ReadFeed { name: FeedName::Own(class.to_owned()), feed: None });
    } else {
        feeds.push(read_feed(reader, item, FeedName::Own(class.to_owned())));
    }
    FeedIndex(index_u32(feeds.len() - 1))
}

impl<'a> ClassReader<'a> {
    fn model(&self, fields: &Fields<'a>, name: &str) -> Option<ClassModel> {
        let share = share(fields);
        let host = fields.item("host").and_then(|item| host(self.reader, &item));
        let wait = wait(fields);
        let fresh_session = fields.boolean("fresh_session").unwrap_or(false);
        let root = self.task_set_body(fields, name, &TaskPlace::default(), None);
        let (weight, fixed_count) = share?;
        Some(ClassModel {
            name: name.to_owned(),
            weight,
            fixed_count,
            host,
            wait: wait.unwrap_or(WaitTime::Constant(0.0)),
            fresh_session,
            root: root?,
        })
    }

    /// The first values of variables, as steps; later ones of the same name win.
    fn initial(&self, variables: impl Iterator<Item = Item<'a>>) -> Action {
        let mut values = Vec::new();
        for item in variables {
            let value = self.value(&item);
            if let (Some(slot), Some(value)) = (self.variable(&item), value) {
                values.push((slot, value));
            }
        }
        let steps: Steps = match values.is_empty() {
            true => Steps::default(),
            false => Box::new([Step::Set(values.into())]),
        };
        Action { steps, feeds: self.names.take_drawn() }
    }

    /// Whether the action at `index` ends more than its task, whatever happens.
    pub(super) fn always_leaves(&self, index: ActionIndex) -> bool {
        let actions = self.actions.borrow();
        let last = actions[index.0 as usize].steps.last();
        matches!(last, Some(Step::Exit(Exit::Interrupt { .. } | Exit::StopUser | Exit::StopTest)))
    }

    /// Adds an action made of `steps`, which were read last.
    pub(super) fn add_action(&self, steps: Steps) -> ActionIndex {
        let mut actions = self.actions.borrow_mut();
        actions.push(Action { steps, feeds: self.names.take_drawn() });
        ActionIndex(index_u32(actions.len() - 1))
    }

    /// The class, if all of it could be read: a step that could not might have set what seems never to be set.
    fn finish(self, model: ClassModel, initial: Action) -> Class {
        for (offset, message) in self.names.unset() {
            self.reader.report(offset, message);
        }
        let websocket = self.socket.finish(self.reader);
        let (variables, counters, feeds) = self.names.into_slots();
        let actions = self.actions.into_inner();
        let driver = self.driver.found();
        Class { model, actions, variables, initial, counters, feeds, driver, websocket }
    }
}

/// The weight and the fixed count: one of them, or neither.
fn share(fields: &Fields<'_>) -> Option<(f64, u64)> {
    match (fields.item("weight"), fields.item("fixed_count")) {
        (None, None) => Some((1.0, 0)),
        (Some(weight), None) => Some((class_weight(&weight)?, 0)),
        (None, Some(count)) => Some((1.0, count.count_within(1, u64::MAX)?)),
        (Some(_), Some(count)) => {
            count.report("a user has a \"weight\" or a \"fixed_count\", not both")
        }
    }
}

fn class_weight(item: &Item<'_>) -> Option<f64> {
    match item.number()? {
        0.0 => item.report("\"weight\" is 0: there would be no such user"),
        weight if weight <= CLASS_WEIGHT_MAX => Some(weight),
        weight => {
            item.report(format!("\"weight\" is {weight}, allowed is up to {CLASS_WEIGHT_MAX}"))
        }
    }
}

/// The pause that `fields` describe, by `wait` or in Locust's old milliseconds.
pub(super) fn wait(fields: &Fields<'_>) -> Option<WaitTime> {
    let wait = fields.item("wait");
    let (min, max) = (fields.item("min_wait"), fields.item("max_wait"));
    match (wait, min, max) {
        (None, None, None) => None,
        (Some(wait), None, None) => wait_time(&wait),
        (None, Some(min), Some(max)) => {
            let (least, most) = (min.number()? / 1_000.0, max.number()? / 1_000.0);
            match least <= most {
                true => Some(WaitTime::Between(least, most)),
                false => min.report("\"min_wait\" is above \"max_wait\""),
            }
        }
        (None, Some(one), None) | (None, None, Some(one)) => {
            one.report("\"min_wait\" and \"max_wait\" go together, both in milliseconds")
        }
        (Some(wait), ..) => wait.report("\"wait\" goes without \"min_wait\" and \"max_wait\""),
    }
}

fn wait_time(item: &Item<'_>) -> Option<WaitTime> {
    if item.value().as_table().is_none() {
        return item.seconds().map(WaitTime::Constant);
    }
    let kinds = ["constant", "between", "constant_pacing", "constant_throughput", "poisson"];
    let message = format!("\"wait\" is a number or one of \"{}\"", kinds.join("\", \""));
    let kind = item.table("a wait")?.only(&kinds, &message)?;
    match kind.name {
        "constant" => kind.seconds().map(WaitTime::Constant),
        "between" => kind.range().map(|(min, max)| WaitTime::Between(min, max)),
        "constant_pacing" => kind.seconds().map(WaitTime::ConstantPacing),
        "constant_throughput" => rate(&kind).map(|rate| WaitTime::ConstantPacing(1.0 / rate)),
        _ => rate(&kind).map(WaitTime::Poisson),
    }
}

/// Tasks per second.
fn rate(item: &Item<'_>) -> Option<f64> {
    let rate = item.number()?;
    match rate > 0.0 && 1.0 / rate <= SECONDS_MAX {
        true => Some(rate),
        false => item.report(format!("\"{}\" has to be above 0", item.name)),
    }
}
