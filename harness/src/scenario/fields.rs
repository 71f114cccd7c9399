//! Typed reading of TOML tables: each key is asked for once, and what nobody asked for is a fault.
//!
//! A hand-written walk over spanned values rather than derived deserialisation: a fault is reported where it stands and
//! reading goes on behind it, so every function here gives `None` after it has reported why. The keys that a reader
//! asked for are the valid ones, so the list that a slip is compared with can never be out of date.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, did_you_mean};
use super::source::Source;
use crate::cli::timespan::parse_timespan;

/// Longest time that may be written as a number of seconds: a hundred years, as in time-span strings.
pub(super) const SECONDS_MAX: f64 = 100.0 * 366.0 * 24.0 * 3_600.0;

/// A file being read: its text, what stands around it, and what was found wrong so far.
pub(super) struct Reader<'a> {
    /// The scenario file.
    pub source: Source<'a>,
    /// Looks up an environment variable.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: Source<'a>, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { source, environment, problems: RefCell::default() }
    }

    /// Notes a fault at the byte `offset`.
    pub(super) fn report(&self, offset: usize, message: impl Into<String>) {
        self.problems.borrow_mut().push(self.source.problem(offset, message));
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// A value with its key, or with the name of what it is an element of.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    reader: &'a Reader<'a>,
    /// The key as written.
    pub name: &'a str,
    /// Where the key begins; for an element, where the element does.
    pub name_start: usize,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Item<'a> {
    /// Notes a fault of the value.
    pub(super) fn report<T>(&self, message: impl Into<String>) -> Option<T> {
        self.reader.report(self.span().start, message);
        None
    }

    /// Where the value stands.
    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// The value without its place.
    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    fn wrong_type<T>(&self, wanted: &str) -> Option<T> {
        let found = type_name(self.value());
        self.report(format!("\"{}\" wants {wanted}, not {found}", self.name))
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.value().as_str().or_else(|| self.wrong_type("a string"))
    }

    /// A string with something in it.
    pub(super) fn word(&self) -> Option<&'a str> {
        match self.text()? {
            "" => self.report(format!("\"{}\" is empty", self.name)),
            text => Some(text),
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.value().as_bool().or_else(|| self.wrong_type("true or false"))
    }

    /// A whole number from zero.
    pub(super) fn count(&self) -> Option<u64> {
        match self.value() {
            DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .or_else(|| self.report(format!("\"{}\" wants a whole number from 0", self.name))),
            _ => self.wrong_type("a whole number"),
        }
    }

    /// A whole number from `min` to `max`.
    pub(super) fn count_within(&self, min: u64, max: u64) -> Option<u64> {
        let count = self.count()?;
        if (min..=max).contains(&count) {
            return Some(count);
        }
        match max {
            u64::MAX => self.report(format!("\"{}\" is {count}, the least is {min}", self.name)),
            _ => self.report(format!("\"{}\" is {count}, allowed are {min} to {max}", self.name)),
        }
    }

    /// A finite number from zero.
    pub(super) fn number(&self) -> Option<f64> {
        let Some(number) = number_of(self.value()) else { return self.wrong_type("a number") };
        if number.is_finite() && number >= 0.0 {
            return Some(number);
        }
        self.report(format!("\"{}\" is {number}, which is not a number from 0 up", self.name))
    }

    /// Seconds, or a time span such as "1m30s", in seconds.
    pub(super) fn seconds(&self) -> Option<f64> {
        match self.value() {
            DeValue::String(text) => match parse_timespan(text) {
                Ok(span) => Some(span.as_secs_f64()),
                Err(error) => self.report(format!("\"{}\": {error}", self.name)),
            },
            DeValue::Integer(_) | DeValue::Float(_) => {
                self.number().filter(|&seconds| seconds <= SECONDS_MAX).or_else(|| {
                    self.report(format!("\"{}\" is more time than can be counted", self.name))
                })
            }
            _ => self.wrong_type("seconds, or a time such as \"1m30s\""),
        }
    }

    /// A time span as [`Self::seconds`], longer than nothing.
    pub(super) fn duration(&self) -> Option<Duration> {
        let duration = Duration::from_secs_f64(self.seconds()?);
        if duration.is_zero() {
            return self.report(format!("\"{}\" is 0, which is no time at all", self.name));
        }
        Some(duration)
    }

    /// What one of a few words stands for.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some(&(_, chosen)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(chosen);
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = did_you_mean(text, words.iter().copied());
        let known = words.join("\", \"");
        self.report(format!("\"{}\" is \"{text}\", but can be \"{known}\"{hint}", self.name))
    }

    /// The elements of an array.
    pub(super) fn list(&self) -> Option<Vec<Item<'a>>> {
        match self.value() {
            DeValue::Array(array) => Some(array.iter().map(|value| self.element(value)).collect()),
            _ => self.wrong_type("a list in [ ]"),
        }
    }

    /// The elements of an array, or the value itself as the only one.
    pub(super) fn one_or_list(&self) -> Vec<Item<'a>> {
        match self.value() {
            DeValue::Array(array) => array.iter().map(|value| self.element(value)).collect(),
            _ => vec![*self],
        }
    }

    /// The strings of a list, each with something in it.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        self.list()?.iter().map(|item| item.word().map(str::to_owned)).collect()
    }

    /// Two numbers, the first not above the second.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let list = self.list()?;
        let [min, max] = list.as_slice() else {
            return self.report(format!("\"{}\" wants [least, most]", self.name));
        };
        let (min, max) = (min.seconds()?, max.seconds()?);
        if min > max {
            return self
                .report(format!("\"{}\" begins at {min} and ends before, at {max}", self.name));
        }
        Some((min, max))
    }

    /// The value as a table, described as `what` in messages about its keys.
    pub(super) fn table(&self, what: &'static str) -> Option<Fields<'a>> {
        match self.value() {
            DeValue::Table(table) => Some(Fields::new(self.reader, table, self.span().start, what)),
            _ => self.wrong_type("a table in { }"),
        }
    }

    /// The keys and values of a table whose keys the file chooses.
    pub(super) fn entries(&self) -> Option<Vec<Item<'a>>> {
        match self.value() {
            DeValue::Table(table) => Some(entries(self.reader, table)),
            _ => self.wrong_type("a table in { }"),
        }
    }

    fn element(&self, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        Item { value, name_start: value.span().start, ..*self }
    }
}

/// A table of which each key has a meaning.
pub(super) struct Fields<'a> {
    /// The file.
    pub reader: &'a Reader<'a>,
    /// Where the table begins.
    pub start: usize,
    table: &'a DeTable<'a>,
    what: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// The table at `start`, called `what` ("a step") in messages.
    pub(super) fn new(
        reader: &'a Reader<'a>,
        table: &'a DeTable<'a>,
        start: usize,
        what: &'static str,
    ) -> Self {
        Self { reader, start, table, what, asked: RefCell::default() }
    }

    /// Notes a fault of the table as a whole.
    pub(super) fn report<T>(&self, message: impl Into<String>) -> Option<T> {
        self.reader.report(self.start, message);
        None
    }

    /// The value of the key `name`, which is a valid key from now on.
    pub(super) fn item(&self, name: &'static str) -> Option<Item<'a>> {
        self.asked.borrow_mut().push(name);
        entries(self.reader, self.table).into_iter().find(|item| item.name == name)
    }

    /// The value of `name`, which has to be there.
    pub(super) fn required(&self, name: &'static str) -> Option<Item<'a>> {
        self.item(name).or_else(|| self.report(format!("{} needs \"{name}\"", self.what)))
    }

    /// Those of `names` that are there, in the order of `names`.
    pub(super) fn present(&self, names: &[&'static str]) -> Vec<Item<'a>> {
        names.iter().filter_map(|name| self.item(name)).collect()
    }

    pub(super) fn boolean(&self, name: &'static str) -> Option<bool> {
        self.item(name)?.boolean()
    }

    pub(super) fn count(&self, name: &'static str) -> Option<u64> {
        self.item(name)?.count()
    }

    pub(super) fn duration(&self, name: &'static str) -> Option<Duration> {
        self.item(name)?.duration()
    }

    /// The strings of the list `name`; none where there is no such key.
    pub(super) fn words(&self, name: &'static str) -> Vec<String> {
        self.item(name).and_then(|item| item.words()).unwrap_or_default()
    }

    /// The elements of the list `name`; none where there is no such key.
    pub(super) fn list(&self, name: &'static str) -> Vec<Item<'a>> {
        self.item(name).and_then(|item| item.list()).unwrap_or_default()
    }

    /// The keys and values of the table `name`; none where there is no such key.
    pub(super) fn entries(&self, name: &'static str) -> Vec<Item<'a>> {
        self.item(name).and_then(|item| item.entries()).unwrap_or_default()
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.table.keys().map(|key| &**key.get_ref())
    }

    /// Reports every key that was not asked for, and says whether there was none.
    pub(super) fn finish(self) -> bool {
        let asked = self.asked.borrow();
        let mut is_clean = true;
        for item in entries(self.reader, self.table) {
            if !asked.contains(&item.name) {
                let hint = did_you_mean(item.name, asked.iter().copied());
                let message = format!("unknown key \"{}\" in {}{hint}", item.name, self.what);
                self.reader.report(item.name_start, message);
                is_clean = false;
            }
        }
        is_clean
    }

    /// The only one of `names` that is there; where there is not one, the table is faulty in its unknown keys or, by
    /// `message`, as a whole. Asks for nothing else.
    pub(super) fn only(self, names: &[&'static str], message: &str) -> Option<Item<'a>> {
        let present = self.present(names);
        let (reader, start) = (self.reader, self.start);
        let is_clean = self.finish();
        match present.as_slice() {
            [item] => Some(*item),
            _ => {
                if is_clean {
                    reader.report(start, message);
                }
                None
            }
        }
    }
}

fn entries<'a>(reader: &'a Reader<'a>, table: &'a DeTable<'a>) -> Vec<Item<'a>> {
    table
        .iter()
        .map(|(key, value)| Item {
            reader,
            name: key.get_ref(),
            name_start: key.span().start,
            value,
        })
        .collect()
}

/// The number that a value is, if it is one.
pub(super) fn number_of(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(integer) => {
            i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|whole| whole as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => None,
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
