//! `expect`, `until`, `fail` and `extract`: what is asked of a response.

use std::time::Duration;

use regex::Regex;

use super::class::ClassReader;
use super::control::all;
use crate::scenario::condition::parse::regex_cause;
use crate::scenario::error::did_you_mean;
use crate::scenario::expect::{
    Check, Expect, Extract, ExtractFrom, Pointer, StatusSet, Subject, Test,
};
use crate::scenario::fields::{Fields, Item};

impl<'a> ClassReader<'a> {
    /// The expectations in the table `item`.
    pub(super) fn expect(&self, item: &Item<'a>) -> Option<Expect> {
        let fields = item.table("an expectation")?;
        let status = fields.item("status").map(|item| status_set(&item));
        let expect = self.expectations(&fields);
        fields.finish();
        Some(Expect { status: all(status)?, ..expect? })
    }

    /// Those of them that are of no protocol alone.
    pub(super) fn expectations(&self, fields: &Fields<'a>) -> Option<Expect> {
        let time_max = fields.item("max_ms").map(|item| milliseconds(&item));
        let mut checks = self.checks(fields, false);
        let opposites = fields.item("not").map(|item| self.opposites(&item));
        let opposites = all(opposites)?;
        if let Some(checks) = &mut checks {
            checks.extend(opposites.into_iter().flatten());
        }
        Some(Expect { status: None, time_max: all(time_max)?, checks: checks?.into() })
    }

    fn opposites(&self, item: &Item<'a>) -> Option<Vec<Check>> {
        let fields = item.table("a \"not\"")?;
        let checks = self.checks(&fields, true);
        fields.finish();
        checks
    }

    fn checks(&self, fields: &Fields<'a>, negated: bool) -> Option<Vec<Check>> {
        let mut checks = Vec::new();
        let check = |subject, test: Option<Test>| Some(Check { subject, test: test?, negated });
        if let Some(item) = fields.item("body_contains") {
            for text in item.one_or_list() {
                checks.push(check(Subject::Body, self.value(&text).map(Test::Contains)));
            }
        }
        if let Some(item) = fields.item("body_matches") {
            for pattern in item.one_or_list() {
                checks.push(check(Subject::Body, regex(&pattern).map(Test::Matches)));
            }
        }
        for item in fields.entries("json") {
            let test = self.test(&item);
            checks.push(self.pointer(&item).and_then(|at| check(Subject::Json(at), test)));
        }
        for item in fields.entries("header") {
            let name = Subject::Header(item.name.to_ascii_lowercase().into());
            checks.push(check(name, self.test(&item)));
        }
        checks.into_iter().collect()
    }

    pub(super) fn pointer(&self, item: &Item<'a>) -> Option<Pointer> {
        match Pointer::parse(item.name) {
            Ok(pointer) => Some(pointer),
            Err(message) => {
                self.reader.report(item.name_start, message);
                None
            }
        }
    }

    /// A value, some values, or a table that says how to compare.
    fn test(&self, item: &Item<'a>) -> Option<Test> {
        if item.value().as_table().is_none() {
            let values = item.one_or_list();
            if values.is_empty() {
                return item.report(format!("\"{}\" has no values to be one of", item.name));
            }
            return Some(Test::OneOf(
                values.iter().map(|value| self.value(value)).collect::<Option<_>>()?,
            ));
        }
        let tests = ["equals", "exists", "contains", "matches", "above", "below"];
        let message =
            format!("\"{}\" wants a value, or one of \"{}\"", item.name, tests.join("\", \""));
        let test = &item.table("a comparison")?.only(&tests, &message)?;
        match test.name {
            "equals" => self.value(test).map(|value| Test::OneOf(Box::new([value]))),
            "exists" => test.boolean().map(Test::Exists),
            "contains" => self.value(test).map(Test::Contains),
            "matches" => regex(test).map(Test::Matches),
            "above" => finite(test).map(Test::Above),
            _ => finite(test).map(Test::Below),
        }
    }

    /// The table `extract`; nothing where there is none.
    pub(super) fn extractions(&self, fields: &Fields<'a>) -> Option<Box<[Extract]>> {
        let extractions: Vec<Option<Extract>> =
            fields.entries("extract").iter().map(|item| self.extraction(item)).collect();
        extractions.into_iter().collect()
    }

    fn extraction(&self, item: &Item<'a>) -> Option<Extract> {
        let variable = self.variable(item);
        let (from, default) = match item.value().as_table() {
            None => (extract_from(item), None),
            Some(_) => {
                let fields = item.table("an extraction")?;
                let from = fields.required("from").and_then(|item| extract_from(&item));
                let default = fields.item("default").map(|item| self.value(&item));
                fields.finish();
                (from, default)
            }
        };
        Some(Extract { variable: variable?, from: from?, default: all(default)? })
    }
}

fn extract_from(item: &Item<'_>) -> Option<ExtractFrom> {
    const KINDS: [&str; 6] = ["json", "regex", "header", "cookie", "body", "status"];
    let text = item.word()?;
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    match (kind, rest) {
        ("json", pointer) => Pointer::parse(pointer).map_or_else(
            |message| item.report(message),
            |pointer| Some(ExtractFrom::Json(pointer)),
        ),
        ("regex", pattern) if !pattern.is_empty() => {
            compiled(item, pattern).map(ExtractFrom::Regex)
        }
        ("header", name) if !name.is_empty() => {
            Some(ExtractFrom::Header(name.to_ascii_lowercase().into()))
        }
        ("cookie", name) if !name.is_empty() => Some(ExtractFrom::Cookie(name.into())),
        ("body", "") => Some(ExtractFrom::Body),
        ("status", "") => Some(ExtractFrom::Status),
        _ => {
            let hint = match KINDS.contains(&kind) {
                true => String::new(),
                false => did_you_mean(kind, KINDS),
            };
            item.report(format!(
                "\"{text}\" is nothing to extract: write json:/POINTER, regex:PATTERN, header:NAME, \
                 cookie:NAME, body or status{hint}"
            ))
        }
    }
}

pub(super) fn regex(item: &Item<'_>) -> Option<Regex> {
    compiled(item, item.word()?)
}

fn compiled(item: &Item<'_>, pattern: &str) -> Option<Regex> {
    match Regex::new(pattern) {
        Ok(regex) => Some(regex),
        Err(error) => {
            item.report(format!("\"{pattern}\" is no regular expression: {}", regex_cause(&error)))
        }
    }
}

/// Any finite number, below zero too.
fn finite(item: &Item<'_>) -> Option<f64> {
    match crate::scenario::fields::number_of(item.value()) {
        Some(number) if number.is_finite() => Some(number),
        _ => item.report(format!("\"{}\" wants a number", item.name)),
    }
}

fn milliseconds(item: &Item<'_>) -> Option<Duration> {
    let millis = item.number()?;
    match Duration::try_from_secs_f64(millis / 1_000.0) {
        Ok(time) if !time.is_zero() => Some(time),
        _ => item.report(format!("\"{}\" has to be above 0, in milliseconds", item.name)),
    }
}

fn status_set(item: &Item<'_>) -> Option<StatusSet> {
    let ranges = item.one_or_list().iter().map(status_range).collect::<Option<Vec<_>>>()?;
    match ranges.is_empty() {
        true => item.report("\"status\" lists no status"),
        false => Some(StatusSet::new(ranges)),
    }
}

/// A status, or a hundred of them as in "2xx".
fn status_range(item: &Item<'_>) -> Option<(u16, u16)> {
    if item.value().is_integer() {
        return item.count_within(100, 599).map(|status| (status as u16, status as u16));
    }
    let hundred = item.value().as_str().and_then(|text| match text.as_bytes() {
        [digit @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] => Some(u16::from(digit - b'0') * 100),
        _ => None,
    });
    match hundred {
        Some(first) => Some((first, first + 99)),
        None => item.report("a status is a number such as 200, or a class of them such as \"2xx\""),
    }
}
