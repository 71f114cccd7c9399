//! Strings and values of a user class, as templates.

use serde_json::{Number, Value};
use toml::de::DeValue;

use super::class::ClassReader;
use crate::scenario::condition::Condition;
use crate::scenario::condition::parse::parse as parse_condition;
use crate::scenario::fields::{Item, number_of};
use crate::scenario::step::Pairs;
use crate::scenario::template::parse::TemplateError;
use crate::scenario::template::{Template, resolve};
use crate::scenario::value::ValueTemplate;

impl ClassReader<'_> {
    /// The string `item` as a template.
    pub(super) fn template(&self, item: &Item<'_>) -> Option<Template> {
        let text = item.text()?;
        let start = self.content_start(item, text);
        match resolve::compile(text, start, &self.names, self.reader.environment) {
            Ok(template) => Some(template),
            Err(error) => self.report_within(item, text, &error),
        }
    }

    /// As [`Self::template`], but a number or a truth value is taken for its text.
    pub(super) fn scalar(&self, item: &Item<'_>) -> Option<Template> {
        match item.value() {
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                Some(Template::literal(&plain(item)?.to_string()))
            }
            _ => self.template(item),
        }
    }

    /// Any value, templates in its strings.
    pub(super) fn value(&self, item: &Item<'_>) -> Option<ValueTemplate> {
        match item.value() {
            DeValue::String(_) => {
                let template = self.template(item)?;
                Some(match template.fixed() {
                    Some(text) => ValueTemplate::Fixed(Value::from(text)),
                    None => ValueTemplate::Text(template),
                })
            }
            DeValue::Array(_) => {
                let items =
                    item.list()?.iter().map(|item| self.value(item)).collect::<Option<_>>()?;
                Some(list(items))
            }
            DeValue::Table(_) => {
                let fields = item
                    .entries()?
                    .iter()
                    .map(|item| Some((item.name.into(), self.value(item)?)))
                    .collect::<Option<_>>()?;
                Some(object(fields))
            }
            _ => plain(item).map(ValueTemplate::Fixed),
        }
    }

    /// The names and values of a query or a form; a list is its name several times.
    pub(super) fn pairs(&self, item: &Item<'_>) -> Option<Pairs> {
        let mut pairs = Vec::new();
        for entry in item.entries()? {
            for value in entry.one_or_list() {
                pairs.push((entry.name.into(), self.scalar(&value)?));
            }
        }
        Some(pairs.into())
    }

    /// The condition in the string `item`.
    pub(super) fn condition(&self, item: &Item<'_>) -> Option<Condition> {
        let text = item.word()?;
        let start = self.content_start(item, text);
        let template = |part: &str, offset: usize| {
            resolve::compile(part, start + offset, &self.names, self.reader.environment)
        };
        match parse_condition(text, &template) {
            Ok(condition) => Some(condition),
            Err(error) => self.report_within(item, text, &error),
        }
    }

    fn content_start(&self, item: &Item<'_>, text: &str) -> usize {
        let span = item.span();
        self.reader.source.content_start(&span, text).unwrap_or(span.start)
    }

    /// Reports a fault in the middle of the string `item`.
    fn report_within<T>(&self, item: &Item<'_>, text: &str, error: &TemplateError) -> Option<T> {
        let span = item.span();
        let at = match self.reader.source.content_start(&span, text) {
            Some(start) => start + error.offset,
            None => span.start,
        };
        self.reader.report(at, format!("in \"{}\": {}", item.name, error.message));
        None
    }
}

/// A value without strings in it.
fn plain(item: &Item<'_>) -> Option<Value> {
    match item.value() {
        DeValue::Boolean(truth) => Some(Value::Bool(*truth)),
        DeValue::Integer(integer) => match i64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(whole) => Some(whole.into()),
            Err(_) => item.report(format!("\"{}\" is too large a whole number", item.name)),
        },
        value @ DeValue::Float(_) => match number_of(value).and_then(Number::from_f64) {
            Some(number) => Some(Value::Number(number)),
            None => item.report(format!("\"{}\" is no number that JSON has", item.name)),
        },
        DeValue::Datetime(date) => Some(Value::String(date.to_string())),
        _ => item.report(format!("\"{}\" wants a plain value", item.name)),
    }
}

/// A value that the scenario lists as data, in which templates mean nothing.
pub(super) fn data_value(item: &Item<'_>) -> Option<Value> {
    match item.value() {
        DeValue::String(text) => Some(Value::from(&**text)),
        DeValue::Array(_) => {
            let items = item.list()?.iter().map(data_value).collect::<Option<_>>()?;
            Some(Value::Array(items))
        }
        DeValue::Table(_) => {
            let fields = item.entries()?;
            let fields = fields.iter().map(|item| Some((item.name.to_owned(), data_value(item)?)));
            Some(Value::Object(fields.collect::<Option<_>>()?))
        }
        _ => plain(item),
    }
}

/// A list, fixed if all of it is.
fn list(items: Vec<ValueTemplate>) -> ValueTemplate {
    let fixed = items.iter().map(fixed).collect::<Option<Vec<_>>>();
    match fixed {
        Some(values) => ValueTemplate::Fixed(Value::Array(values)),
        None => ValueTemplate::List(items.into()),
    }
}

/// An object; it stays one with an order even if all of it is fixed.
fn object(fields: Vec<(Box<str>, ValueTemplate)>) -> ValueTemplate {
    ValueTemplate::Object(fields.into())
}

fn fixed(value: &ValueTemplate) -> Option<Value> {
    match value {
        ValueTemplate::Fixed(value) => Some(value.clone()),
        _ => None,
    }
}
