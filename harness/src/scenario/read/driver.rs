//! `driver`: the program that answers calls, and `call`, a step that it answers.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::class::ClassReader;
use super::constant;
use super::control::all;
use crate::scenario::expect::{Expect, Extract, ExtractFrom};
use crate::scenario::fields::{Fields, Item, Reader};
use crate::scenario::model::{Driver, DriverPer, LabelKind};
use crate::scenario::step::{DriverCall, Step};
use crate::scenario::value::{JsonTemplate, ValueTemplate};

/// Longest time to an answer where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The driver of a file or a class, as far as it could be read.
#[derive(Clone, Default)]
pub(super) enum FoundDriver {
    /// None is named.
    #[default]
    None,
    /// What is wrong with it has been reported.
    Faulty,
    Good(Arc<Driver>),
}

impl FoundDriver {
    /// What the key `driver` among `fields` names.
    pub(super) fn read(reader: &Reader<'_>, fields: &Fields<'_>) -> Self {
        match fields.item("driver").map(|item| driver(reader, &item)) {
            None => Self::None,
            Some(None) => Self::Faulty,
            Some(Some(driver)) => Self::Good(Arc::new(driver)),
        }
    }

    /// This one, or `other` where there is none.
    pub(super) fn or(self, other: &Self) -> Self {
        if matches!(self, Self::None) { other.clone() } else { self }
    }

    pub(super) fn found(self) -> Option<Arc<Driver>> {
        if let Self::Good(driver) = self { Some(driver) } else { None }
    }
}

fn driver(reader: &Reader<'_>, item: &Item<'_>) -> Option<Driver> {
    let Some(_) = item.value().as_table() else {
        let arguments = arguments(reader, item)?;
        let folder = reader.source.resolve("");
        check_program(item, &arguments[0], &folder)?;
        let (environment, per) = (Vec::new(), DriverPer::User);
        let (timeout, says_ready) = (TIMEOUT, false);
        return Some(Driver { arguments, environment, folder, per, timeout, says_ready });
    };
    let fields = item.table("a driver")?;
    let command = fields.required("command");
    let arguments = command.and_then(|item| arguments(reader, &item));
    let environment = fields.item("env").map(|item| environment(reader, &item));
    let folder = fields.item("cwd").map(|item| constant(reader, &item));
    let kinds = [("user", DriverPer::User), ("shard", DriverPer::Shard)];
    let per = fields.item("per").map(|item| item.choice(&kinds));
    let timeout = fields.item("timeout").map(|item| item.duration());
    let says_ready = fields.item("ready").map(|item| item.boolean());
    fields.finish();
    let arguments = arguments?;
    let environment = all(environment)?.unwrap_or_default();
    let folder = reader.source.resolve(&all(folder)?.unwrap_or_default());
    if !environment.iter().any(|(name, _)| name == "PATH") {
        check_program(&command?, &arguments[0], &folder)?;
    }
    Some(Driver {
        arguments,
        environment,
        folder,
        per: all(per)?.unwrap_or(DriverPer::User),
        timeout: all(timeout)?.unwrap_or(TIMEOUT),
        says_ready: all(says_ready)?.unwrap_or(false),
    })
}

/// A program and its arguments: one at least.
fn arguments(reader: &Reader<'_>, item: &Item<'_>) -> Option<Vec<String>> {
    let list = item.list()?;
    if list.is_empty() {
        return item.report(format!("\"{}\" is empty: name a program", item.name));
    }
    list.iter().map(|item| constant(reader, item)).collect()
}

fn environment(reader: &Reader<'_>, item: &Item<'_>) -> Option<Vec<(String, String)>> {
    let entries = item.entries()?;
    entries.iter().map(|item| Some((item.name.to_owned(), constant(reader, item)?))).collect()
}

/// What would go wrong for every user is told before there is one.
fn check_program(item: &Item<'_>, program: &str, folder: &Path) -> Option<()> {
    let is_there = |path: PathBuf| {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return match is_there(folder.join(program)) {
            true => Some(()),
            false => item.report(format!("\"{}\": {program} is no program", item.name)),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| is_there(folder.join(program)));
    match found {
        true => Some(()),
        false => item.report(format!("\"{}\": there is no {program} in PATH", item.name)),
    }
}

impl<'a> ClassReader<'a> {
    /// The step whose key `call` is `item`.
    pub(super) fn driver_call(&self, fields: &Fields<'a>, item: &Item<'a>) -> Option<Step> {
        let call = constant(self.reader, item);
        let params = fields.item("params").map(|item| self.call_params(&item));
        let name = fields.item("name").map(|item| constant(self.reader, &item));
        let kind = fields.item("type").map_or(Some("DRIVER"), |item| item.word());
        let timeout = fields.item("timeout").map(|item| item.duration());
        let expect = fields.item("expect").map(|item| self.answer_expect(&item));
        let extract = self.answer_extractions(fields);
        if matches!(self.driver, FoundDriver::None) {
            let message = "\"call\" wants a \"driver\" in its user or in the file";
            self.reader.report(item.name_start, message);
        }
        let (call, kind) = (call?, kind?);
        let name = all(name)?.unwrap_or_else(|| call.clone());
        Some(Step::DriverCall(Box::new(DriverCall {
            entry: self.shared.entry(LabelKind::Call, kind, &name),
            call: call.into(),
            params: all(params)?.unwrap_or_else(|| (&ValueTemplate::List(Box::default())).into()),
            timeout: all(timeout)?,
            expect: all(expect)?.unwrap_or_default(),
            extract: extract?,
        })))
    }

    /// A list or a table of any values.
    fn call_params(&self, item: &Item<'a>) -> Option<JsonTemplate> {
        let is_collection = item.value().as_array().is_some() || item.value().as_table().is_some();
        match is_collection {
            true => self.value(item).map(|value| (&value).into()),
            false => item.report("\"params\" of a call is a list or a table"),
        }
    }

    fn answer_expect(&self, item: &Item<'a>) -> Option<Expect> {
        let expect = self.expect(item)?;
        match expect.status.is_some() || expect.reads_head() {
            true => item.report("a driver's answer has no status and no headers to expect"),
            false => Some(expect),
        }
    }

    fn answer_extractions(&self, fields: &Fields<'a>) -> Option<Box<[Extract]>> {
        let extract = self.extractions(fields)?;
        let is_there = |from: &ExtractFrom| {
            matches!(from, ExtractFrom::Json(_) | ExtractFrom::Regex(_) | ExtractFrom::Body)
        };
        match extract.iter().all(|one| is_there(&one.from)) {
            true => Some(extract),
            false => fields.item("extract")?.report(
                "of a driver's answer there is json:/POINTER, regex:PATTERN or body to extract",
            ),
        }
    }
}
