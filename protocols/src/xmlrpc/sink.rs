//! Where values go as they are read: into a [`Value`], or nowhere.

use std::borrow::Cow;

use super::base64;
use super::scalar::Scalar;
use super::value::Value;

/// Takes what the grammar finds, in its order. What it is given has been checked.
pub(super) trait Sink {
    fn scalar(&mut self, scalar: Scalar<'_>);
    /// An array begins: its values follow, then [`Self::close`].
    fn open_array(&mut self);
    /// A struct begins: a name and a value for each member follow, then [`Self::close`].
    fn open_struct(&mut self);
    fn name(&mut self, name: Cow<'_, str>);
    fn close(&mut self);
}

/// Forgets everything: for what only has to be well formed.
pub(super) struct Nowhere;

impl Sink for Nowhere {
    #[inline]
    fn scalar(&mut self, _scalar: Scalar<'_>) {}
    #[inline]
    fn open_array(&mut self) {}
    #[inline]
    fn open_struct(&mut self) {}
    #[inline]
    fn name(&mut self, _name: Cow<'_, str>) {}
    #[inline]
    fn close(&mut self) {}
}

/// Builds the values.
#[derive(Default)]
pub(super) struct Builder {
    /// Values that are complete.
    pub(super) done: Vec<Value>,
    open: Vec<Open>,
}

enum Open {
    Array(Vec<Value>),
    /// Members, and the name of the one whose value is to come.
    Struct(Vec<(String, Value)>, String),
}

impl Builder {
    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            None => self.done.push(value),
            Some(Open::Array(values)) => values.push(value),
            Some(Open::Struct(members, name)) => members.push((std::mem::take(name), value)),
        }
    }
}

impl Sink for Builder {
    fn scalar(&mut self, scalar: Scalar<'_>) {
        self.put(match scalar {
            Scalar::Int(number) => Value::Int(number),
            Scalar::I8(number) => Value::I8(number),
            Scalar::Boolean(truth) => Value::Boolean(truth),
            Scalar::String(text) => Value::String(text.into_owned()),
            Scalar::Double(number) => Value::Double(number),
            Scalar::DateTime(text) => {
                Value::DateTime(text.parse().expect("the text has been checked"))
            }
            Scalar::Base64(text) => {
                let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
                let good = base64::decode(text.as_bytes(), Some(&mut bytes));
                assert!(good, "the text has been checked");
                Value::Base64(bytes)
            }
            Scalar::Nil => Value::Nil,
        });
    }

    fn open_array(&mut self) {
        self.open.push(Open::Array(Vec::new()));
    }

    fn open_struct(&mut self) {
        self.open.push(Open::Struct(Vec::new(), String::new()));
    }

    fn name(&mut self, name: Cow<'_, str>) {
        if let Some(Open::Struct(_, next)) = self.open.last_mut() {
            *next = name.into_owned();
        }
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::Array(values)) => self.put(Value::Array(values)),
            Some(Open::Struct(members, _)) => self.put(Value::Struct(members)),
            None => unreachable!("the grammar closes what it has opened"),
        }
    }
}
