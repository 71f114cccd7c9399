//! Conditions of `if`, `while` and `until`: `${status} == "ACTIVE" and not ${tries} > 5`.
//!
//! Small on purpose: comparisons of values joined by `and`, `or` and `not`, with parentheses. Whoever needs more
//! writes Rust. Rows of a CSV file are all text, so texts of numbers have an order by number, and equal a number; two texts are
//! equal only letter for letter.

pub(super) mod parse;

use std::cmp::Ordering;
use std::fmt;

use regex::Regex;
use serde_json::Value;

use super::template::render::push_value;
use super::template::{Unset, Values};
use super::value::ValueTemplate;

/// A compiled condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// Neither null, false, 0, an empty string nor an empty list; a variable without a value counts as null.
    Truthy(ValueTemplate),
    /// A comparison of two values.
    Compare {
        /// What stands to the left.
        left: ValueTemplate,
        /// How they have to compare.
        comparison: Comparison,
        /// What stands to the right.
        right: ValueTemplate,
    },
    /// Whether a regular expression is found in a value's text.
    Matches {
        /// Where it is looked for.
        value: ValueTemplate,
        /// What is looked for.
        regex: Regex,
    },
    /// The opposite.
    Not(Box<Condition>),
    /// All of them.
    And(Box<[Condition]>),
    /// At least one of them.
    Or(Box<[Condition]>),
}

/// How two values have to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `contains`: the right text is part of the left text, or the right value an element of the left list.
    Contains,
}

impl Condition {
    /// Whether it holds now.
    pub fn holds(&self, values: &impl Values) -> Result<bool, Unset> {
        Ok(match self {
            Self::Truthy(value) => match value.look(values) {
                Ok(value) => is_truthy(&value),
                Err(Unset::Variable(_)) => false,
                Err(unset) => return Err(unset),
            },
            Self::Compare { left, comparison, right } => {
                comparison.holds(&*left.look(values)?, &*right.look(values)?)
            }
            Self::Matches { value, regex } => match &*value.look(values)? {
                Value::String(text) => regex.is_match(text),
                other => regex.is_match(&text_of(other)),
            },
            Self::Not(condition) => !condition.holds(values)?,
            Self::And(conditions) => all_hold(conditions, values, true)?,
            Self::Or(conditions) => !all_hold(conditions, values, false)?,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truthy(value) => write!(formatter, "{value}"),
            Self::Compare { left, comparison, right } => {
                write!(formatter, "{left} {} {right}", comparison.sign())
            }
            Self::Matches { value, regex } => write!(formatter, "{value} matches {regex:?}"),
            Self::Not(condition) => write!(formatter, "not {condition}"),
            Self::And(conditions) => write_joined(formatter, conditions, "and"),
            Self::Or(conditions) => write_joined(formatter, conditions, "or"),
        }
    }
}

fn write_joined(
    formatter: &mut fmt::Formatter<'_>,
    conditions: &[Condition],
    word: &str,
) -> fmt::Result {
    for (index, condition) in conditions.iter().enumerate() {
        match index {
            0 => write!(formatter, "({condition}")?,
            _ => write!(formatter, " {word} {condition}")?,
        }
    }
    formatter.write_str(")")
}

/// Whether each condition comes to `wanted`, asked in order until one does not.
fn all_hold(conditions: &[Condition], values: &impl Values, wanted: bool) -> Result<bool, Unset> {
    for condition in conditions {
        if condition.holds(values)? != wanted {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Comparison {
    /// Every comparison and how it is written.
    const SIGNS: [(&'static str, Comparison); 7] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::Unequal),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
        ("contains", Comparison::Contains),
    ];

    fn sign(self) -> &'static str {
        let sign = Self::SIGNS.iter().find(|(_, comparison)| *comparison == self);
        sign.map_or("", |(sign, _)| sign)
    }

    /// Whether `left` and `right` compare so.
    pub fn holds(self, left: &Value, right: &Value) -> bool {
        let ordered = |wanted: fn(Ordering) -> bool| order(left, right).is_some_and(wanted);
        match self {
            Self::Equal => is_equal(left, right),
            Self::Unequal => !is_equal(left, right),
            Self::Less => ordered(Ordering::is_lt),
            Self::LessOrEqual => ordered(Ordering::is_le),
            Self::Greater => ordered(Ordering::is_gt),
            Self::GreaterOrEqual => ordered(Ordering::is_ge),
            Self::Contains => match left {
                Value::Array(items) => items.iter().any(|item| is_equal(item, right)),
                _ => text_of(left).contains(&text_of(right)),
            },
        }
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

pub(super) fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(_) | Value::Object(_), _) | (_, Value::Array(_) | Value::Object(_)) => {
            left == right
        }
        (Value::Null, other) | (other, Value::Null) => other.is_null(),
        (Value::String(left), Value::String(right)) => left == right,
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

/// By number if both are numbers or read as such, and else by text.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left.as_i64(), right.as_i64()) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => match (number_of(left), number_of(right)) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => Some(text_of(left).cmp(&text_of(right))),
        },
    }
}

pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

pub(super) fn text_of(value: &Value) -> String {
    let mut text = String::new();
    push_value(value, &mut text);
    text
}
