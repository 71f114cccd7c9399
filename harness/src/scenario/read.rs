//! From a TOML table to a [`Scenario`]: the file as a whole.
//!
//! Each part of the schema has a reader below; all of them go on after a fault, so that one look at a file finds
//! everything that is wrong with it.

mod class;
mod command;
mod control;
mod data;
mod driver;
mod poll;
mod request;
mod response;
mod rpc;
mod shape;
mod tasks;
mod values;
mod websocket;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use driver::FoundDriver;

use super::data::ReadFeed;
use super::fields::{Fields, Item, Reader};
use super::model::{Class, EntryLabel, EntrySlot, LabelKind, Scenario, Settings, TaskStats};
use super::names::{Names, index_u32};
use super::template::resolve;
use crate::threshold::Threshold;

/// The scenario in `table`; where there is none, why has been reported.
pub(super) fn scenario<'a>(reader: &'a Reader<'a>, table: &'a DeTable<'a>) -> Option<Scenario> {
    let fields = Fields::new(reader, table, 0, "the file");
    let shared = Shared::default();
    let mut feeds = shared_feeds(reader, &fields);
    let defaults = Defaults::read(reader, &fields);
    let host = fields.item("host").and_then(|item| host(reader, &item));
    let settings = fields.item("run").and_then(|item| settings(&item)).unwrap_or_default();
    let (fail_if, abort_on) =
        fields.item("checks").and_then(|item| checks(&item)).unwrap_or_default();
    let users = fields.list("user");
    let classes: Vec<Class> = users
        .iter()
        .filter_map(|item| class::class(reader, &shared, &defaults, &mut feeds, item))
        .collect();
    refuse_doubles(&users);
    let shape = fields.item("shape").and_then(|item| shape::shape(&item, &users));
    if users.is_empty() {
        fields.report::<()>("there is no [[user]] in this file: nobody would do anything");
    }
    fields.finish();
    Some(Scenario {
        file: PathBuf::from(reader.source.name),
        host,
        settings,
        shape,
        classes,
        feeds: feeds.into_iter().map(|feed| feed.feed).collect::<Option<_>>()?,
        entries: shared.entries.into_inner(),
        fail_if,
        abort_on,
    })
}

/// What all classes have in common while they are read.
#[derive(Default)]
struct Shared {
    entries: RefCell<Vec<EntryLabel>>,
    /// Index of each entry.
    slots: RefCell<HashMap<EntryLabel, EntrySlot>>,
    files: RefCell<HashMap<PathBuf, Arc<[u8]>>>,
}

impl Shared {
    /// The entry for `method` and `name`.
    fn entry(&self, kind: LabelKind, method: &str, name: &str) -> EntrySlot {
        let label = EntryLabel { kind, method: method.to_owned(), name: name.to_owned() };
        let mut entries = self.entries.borrow_mut();
        let next = EntrySlot(index_u32(entries.len()));
        *self.slots.borrow_mut().entry(label).or_insert_with_key(|label| {
            entries.push(label.clone());
            next
        })
    }

    /// The bytes of the file at `path`, read once.
    fn file(&self, path: &Path) -> std::io::Result<Arc<[u8]>> {
        if let Some(bytes) = self.files.borrow().get(path) {
            return Ok(bytes.clone());
        }
        let bytes: Arc<[u8]> = std::fs::read(path)?.into();
        self.files.borrow_mut().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

/// What the file says once for all classes; compiled anew for each, since slots are the class's own.
struct Defaults<'a> {
    headers: Vec<Item<'a>>,
    variables: Vec<Item<'a>>,
    timeout: Option<std::time::Duration>,
    driver: FoundDriver,
}

impl<'a> Defaults<'a> {
    fn read(reader: &Reader<'_>, fields: &Fields<'a>) -> Self {
        Self {
            headers: fields.entries("headers"),
            variables: fields.entries("variables"),
            timeout: fields.duration("timeout"),
            driver: FoundDriver::read(reader, fields),
        }
    }
}

/// A text that is known before the run: of placeholders it may have `${env.NAME}` alone.
fn constant(reader: &Reader<'_>, item: &Item<'_>) -> Option<String> {
    let text = item.word()?;
    let names = Names::new(&[], None);
    match resolve::compile(text, 0, &names, reader.environment) {
        Ok(template) => match template.fixed() {
            Some("") => item.report(format!("\"{}\" comes to nothing", item.name)),
            Some(fixed) => Some(fixed.to_owned()),
            None => item.report(format!(
                "\"{}\" is needed before the run: of placeholders it may have ${{env.NAME}} alone",
                item.name
            )),
        },
        Err(error) => item.report(error.message),
    }
}

/// A base URL.
fn host(reader: &Reader<'_>, item: &Item<'_>) -> Option<String> {
    let text = constant(reader, item)?;
    let is_url = url::Url::parse(&text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "ws" | "wss") && url.has_host());
    match is_url {
        true => Some(text),
        false => item.report(format!(
            "\"host\" is \"{text}\", which is no http://, https://, ws:// or wss:// URL"
        )),
    }
}

fn settings(item: &Item<'_>) -> Option<Settings> {
    let fields = item.table("[run]")?;
    let positive = |name| {
        let item = fields.item(name)?;
        item.number()
            .filter(|&number| number > 0.0)
            .or_else(|| item.report(format!("\"{}\" has to be above 0", item.name)))
    };
    let stats = [("off", TaskStats::Off), ("on", TaskStats::Beside), ("only", TaskStats::Only)];
    let settings = Settings {
        users: fields.count("users"),
        spawn_rate: positive("spawn_rate"),
        run_time: fields.duration("run_time"),
        stop_timeout: fields
            .item("stop_timeout")
            .and_then(|item| item.seconds())
            .map(std::time::Duration::from_secs_f64),
        requests: fields.item("requests").and_then(|item| item.count_within(1, u64::MAX)),
        iterations: fields.item("iterations").and_then(|item| item.count_within(1, u64::MAX)),
        tags: fields.words("tags"),
        exclude_tags: fields.words("exclude_tags"),
        task_stats: fields.item("task_stats").and_then(|item| item.choice(&stats)),
        seed: fields.count("seed"),
        reset_stats: fields.boolean("reset_stats"),
        equal_weights: fields.boolean("equal_weights"),
    };
    fields.finish();
    Some(settings)
}

fn checks(item: &Item<'_>) -> Option<(Vec<Threshold>, Vec<Threshold>)> {
    let fields = item.table("[checks]")?;
    let checks = (thresholds(&fields, "fail_if"), thresholds(&fields, "abort_on"));
    fields.finish();
    Some(checks)
}

fn thresholds(fields: &Fields<'_>, name: &'static str) -> Vec<Threshold> {
    let threshold = |item: &Item<'_>| match Threshold::parse(item.word()?) {
        Ok(threshold) => Some(threshold),
        Err(error) => item.report(error.to_string()),
    };
    fields.list(name).iter().filter_map(threshold).collect()
}

fn shared_feeds<'a>(reader: &'a Reader<'a>, fields: &Fields<'a>) -> Vec<ReadFeed> {
    fields.entries("data").iter().map(|item| data::shared_feed(reader, item)).collect()
}

/// Two classes of one name could not be told apart in the report: Locust refuses them too.
fn refuse_doubles(users: &[Item<'_>]) {
    let names: Vec<Option<&str>> = users.iter().map(class::name_of).collect();
    for (index, item) in users.iter().enumerate() {
        if names[index].is_some() && names[..index].contains(&names[index]) {
            let name = names[index].unwrap_or_default();
            item.report::<()>(format!("there are two users called \"{name}\"; rename one"));
        }
    }
}
