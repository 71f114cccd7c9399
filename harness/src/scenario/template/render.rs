//! Filling templates in.

use std::borrow::Cow;
use std::fmt::Write;

use jiff::Timestamp;
use serde_json::Value;

use super::{CounterSlot, FeedSlot, NowForm, Part, Template, VariableSlot};

/// What `${random.string(n)}` draws from.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Where a user's templates get their values.
pub trait Values {
    /// A variable, if it has a value yet.
    fn variable(&self, slot: VariableSlot) -> Option<&Value>;
    /// A cell of the row drawn from `feed`, if one is drawn.
    fn cell(&self, feed: FeedSlot, column: u32) -> Option<Cell<'_>>;
    /// The user's next 64 random bits.
    fn random(&self) -> u64;
    /// Counts one on, and gives the new count.
    fn count_on(&self, counter: CounterSlot) -> u64;
    /// The user's index, unique in the run.
    fn user_index(&self) -> u64;
    /// How many tasks the user has begun.
    fn iteration(&self) -> u64;
    /// The time of day.
    fn now(&self) -> Timestamp;
}

/// A cell of a data table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A string.
    Text(&'a str),
    /// Any other value, in JSON.
    Json(&'a str),
}

impl Cell<'_> {
    /// The value with its type.
    pub fn value(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.to_owned()),
            Self::Json(json) => serde_json::from_str(json).unwrap_or(Value::Null),
        }
    }
}

/// What a template wanted and was not there, or cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// A variable that no step has set yet.
    Variable(VariableSlot),
    /// A row of data that was not drawn.
    Row(FeedSlot),
    /// A value that is there and cannot stand where it is wanted.
    Unfit(Unfit),
}

/// Why a value cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It has a character that XML cannot carry.
    Character(u32),
    /// It has too many lists and tables within each other.
    Depth,
    /// It is nothing of the type that is called so.
    NoType(&'static str),
}

impl Template {
    /// Appends the filled-in text to `out`.
    pub fn render(&self, values: &impl Values, out: &mut String) -> Result<(), Unset> {
        self.parts().iter().try_for_each(|part| part.render(values, out))
    }

    /// As [`Self::evaluate`], borrowing a variable's value.
    pub fn look<'v>(&self, values: &'v impl Values) -> Result<Cow<'v, Value>, Unset> {
        match self.single() {
            Some(Part::Variable(slot)) => {
                values.variable(*slot).map(Cow::Borrowed).ok_or(Unset::Variable(*slot))
            }
            _ => self.evaluate(values).map(Cow::Owned),
        }
    }

    /// The filled-in value: the placeholder's own where that is the whole string, and else a string.
    pub fn evaluate(&self, values: &impl Values) -> Result<Value, Unset> {
        match self.single() {
            Some(part) => part.evaluate(values),
            None => {
                let mut text = String::new();
                self.render(values, &mut text)?;
                Ok(Value::String(text))
            }
        }
    }
}

impl Part {
    /// Appends the part's text to `out`.
    pub fn render(&self, values: &impl Values, out: &mut String) -> Result<(), Unset> {
        match self {
            Self::Literal(text) => out.push_str(text),
            Self::Variable(slot) => {
                let value = values.variable(*slot).ok_or(Unset::Variable(*slot))?;
                push_value(value, out);
            }
            Self::Cell { feed, column } => match values.cell(*feed, *column) {
                Some(Cell::Text(text) | Cell::Json(text)) => out.push_str(text),
                None => return Err(Unset::Row(*feed)),
            },
            Self::RandomChoice(choices) => {
                out.push_str(&choices[below(values, choices.len() as u64) as usize]);
            }
            Self::RandomText { length } => push_random_text(values, *length, out),
            Self::Uuid => push_uuid(values, out),
            Self::Now(NowForm::Iso) => push_display(format_args!("{:.3}", values.now()), out),
            Self::RandomFloat { min, max } => {
                push_display(format_args!("{}", float_between(values, *min, *max)), out);
            }
            Self::RandomInt { min, max } => {
                push_display(format_args!("{}", int_between(values, *min, *max)), out);
            }
            Self::Counter(slot) => push_display(format_args!("{}", values.count_on(*slot)), out),
            Self::UserIndex => push_display(format_args!("{}", values.user_index()), out),
            Self::Iteration => push_display(format_args!("{}", values.iteration()), out),
            Self::Now(NowForm::Unix) => {
                push_display(format_args!("{}", values.now().as_second()), out);
            }
            Self::Now(NowForm::UnixMillis) => {
                push_display(format_args!("{}", values.now().as_millisecond()), out);
            }
        }
        Ok(())
    }

    fn evaluate(&self, values: &impl Values) -> Result<Value, Unset> {
        Ok(match self {
            Self::Variable(slot) => values.variable(*slot).ok_or(Unset::Variable(*slot))?.clone(),
            Self::Cell { feed, column } => {
                values.cell(*feed, *column).ok_or(Unset::Row(*feed))?.value()
            }
            Self::RandomFloat { min, max } => float_between(values, *min, *max).into(),
            Self::RandomInt { min, max } => int_between(values, *min, *max).into(),
            Self::Counter(slot) => values.count_on(*slot).into(),
            Self::UserIndex => values.user_index().into(),
            Self::Iteration => values.iteration().into(),
            Self::Now(NowForm::Unix) => values.now().as_second().into(),
            Self::Now(NowForm::UnixMillis) => values.now().as_millisecond().into(),
            Self::Literal(_)
            | Self::RandomChoice(_)
            | Self::RandomText { .. }
            | Self::Uuid
            | Self::Now(NowForm::Iso) => {
                let mut text = String::new();
                self.render(values, &mut text)?;
                Value::String(text)
            }
        })
    }
}

/// A value as text: strings without quotes, all else as JSON has it.
pub(crate) fn push_value(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Null => {}
        other => push_display(format_args!("{other}"), out),
    }
}

fn push_display(text: std::fmt::Arguments<'_>, out: &mut String) {
    out.write_fmt(text).expect("a String takes whatever is written");
}

/// A number below `bound`; see the engine's generator for the bias of doing it so.
fn below(values: &impl Values, bound: u64) -> u64 {
    ((u128::from(values.random()) * u128::from(bound)) >> 64) as u64
}

fn int_between(values: &impl Values, min: i64, max: i64) -> i64 {
    let span = max.wrapping_sub(min) as u64;
    let offset = match span.checked_add(1) {
        Some(count) => below(values, count),
        None => values.random(),
    };
    min.wrapping_add(offset as i64)
}

fn float_between(values: &impl Values, min: f64, max: f64) -> f64 {
    /// Two to the power of the bits of a float's fraction.
    const STEPS: f64 = (1_u64 << 53) as f64;
    let unit = (values.random() >> 11) as f64 / STEPS;
    min + (max - min) * unit
}

fn push_random_text(values: &impl Values, length: u32, out: &mut String) {
    out.extend((0..length).map(|_| char::from(ALPHABET[below(values, 62) as usize])));
}

/// RFC 9562, 5.4: 122 random bits, the version 4 and the variant.
fn push_uuid(values: &impl Values, out: &mut String) {
    let high = values.random() & !0xf000 | 0x4000;
    let low = values.random() & (u64::MAX >> 2) | 1 << 63;
    let text = format_args!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    out.write_fmt(text).expect("a String takes whatever is written");
}
