//! Strings with placeholders, `"/users/${id}"`, compiled at load.
//!
//! Parsing turns text into pieces and knows only the grammar; resolving looks the placeholders' names up, so that a
//! [`Template`] holds indices alone; rendering fills it in. What is known before the run, such as environment
//! variables, is literal text by then.

pub(super) mod parse;
pub(super) mod render;
pub(super) mod resolve;

use std::fmt;

pub use render::{Cell, Unfit, Unset, Values};

/// Index of a variable among those of its user class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VariableSlot(pub u32);

/// Index of a counter among those of its user class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CounterSlot(pub u32);

/// Index of a feed among those that a user class draws from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FeedSlot(pub u32);

/// A compiled string.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    text: Box<str>,
    parts: Box<[Part]>,
}

/// A stretch of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Text that is the same every time.
    Literal(Box<str>),
    /// A variable's value.
    Variable(VariableSlot),
    /// A cell of the row that the user or the iteration has drawn.
    Cell {
        /// The feed.
        feed: FeedSlot,
        /// The column of its table.
        column: u32,
    },
    /// A whole number, both ends included.
    RandomInt {
        /// Least.
        min: i64,
        /// Most.
        max: i64,
    },
    /// A number from `min` up to but without `max`.
    RandomFloat {
        /// Least.
        min: f64,
        /// Bound above.
        max: f64,
    },
    /// One of these, each as likely as the next.
    RandomChoice(Box<[Box<str>]>),
    /// So many letters and digits.
    RandomText {
        /// How many.
        length: u32,
    },
    /// A random (version 4) UUID.
    Uuid,
    /// A number that is one more each time, from 1, for each user.
    Counter(CounterSlot),
    /// The user's index, unique in the run.
    UserIndex,
    /// How many tasks the user has begun, from 1.
    Iteration,
    /// The time of day.
    Now(NowForm),
}

/// How the time of day is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NowForm {
    /// Whole seconds since 1970.
    Unix,
    /// Whole milliseconds since 1970.
    UnixMillis,
    /// As in `2026-01-31T12:00:00.000Z`.
    Iso,
}

impl Template {
    /// The template `text`, which came to `parts`.
    pub(super) fn new(text: &str, parts: Vec<Part>) -> Self {
        let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
        for part in parts {
            match (joined.last_mut(), part) {
                (Some(Part::Literal(before)), Part::Literal(text)) => {
                    *before = format!("{before}{text}").into();
                }
                (_, Part::Literal(text)) if text.is_empty() => {}
                (_, part) => joined.push(part),
            }
        }
        Self { text: text.into(), parts: joined.into() }
    }

    /// A template without placeholders.
    pub fn literal(text: &str) -> Self {
        Self::new(text, vec![Part::Literal(text.into())])
    }

    /// The parts in order; neighbours are never both literal.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// As written in the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it always comes to, if it is the same every time.
    pub fn fixed(&self) -> Option<&str> {
        match &*self.parts {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The one placeholder that is the whole string: its value keeps its type.
    pub fn single(&self) -> Option<&Part> {
        match &*self.parts {
            [Part::Literal(_)] => None,
            [part] => Some(part),
            _ => None,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
