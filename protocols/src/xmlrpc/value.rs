//! Values, and what of Rust's own becomes which of them.

use super::date_time::DateTime;

/// A value of XML-RPC.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `<int>` or `<i4>`: a signed number of 32 bits.
    Int(i32),
    /// `<i8>`, an extension: a signed number of 64 bits.
    I8(i64),
    /// `<boolean>`.
    Boolean(bool),
    /// `<string>`, or a `<value>` without a type.
    String(String),
    /// `<double>`. There is no way to say infinity, or not a number.
    Double(f64),
    /// `<dateTime.iso8601>`: a date and a time, in a zone that the specification leaves to the two sides.
    DateTime(DateTime),
    /// `<base64>`: bytes.
    Base64(Vec<u8>),
    /// `<array>`, whose values may differ in type.
    Array(Vec<Self>),
    /// `<struct>`: names with values, in their order on the wire. Where a name stands twice both are kept.
    Struct(Vec<(String, Self)>),
    /// `<nil/>`, an extension.
    Nil,
}

impl Value {
    /// Bytes, as `<base64>`.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Base64(bytes.into())
    }

    /// An array of whatever becomes values.
    pub fn array<V: Into<Self>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::Array(values.into_iter().map(Into::into).collect())
    }

    /// A struct of names and whatever becomes values.
    pub fn structure<N: Into<String>, V: Into<Self>>(
        members: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let members = members.into_iter();
        Self::Struct(members.map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// What its type is called on the wire.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Int(_) => "int",
            Self::I8(_) => "i8",
            Self::Boolean(_) => "boolean",
            Self::String(_) => "string",
            Self::Double(_) => "double",
            Self::DateTime(_) => "dateTime.iso8601",
            Self::Base64(_) => "base64",
            Self::Array(_) => "array",
            Self::Struct(_) => "struct",
            Self::Nil => "nil",
        }
    }

    /// The number that an `int` or an `i8` is.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int(number) => Some(number.into()),
            Self::I8(number) => Some(number),
            _ => None,
        }
    }

    /// The number that a `double` is, or an `int` or `i8` as nearly as a double can say it.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Double(number) => Some(number),
            _ => self.as_i64().map(|number| number as f64),
        }
    }

    /// The truth of a `boolean`.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Boolean(truth) => Some(truth),
            _ => None,
        }
    }

    /// The text of a `string`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a `base64`.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Base64(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The moment that a `dateTime.iso8601` is.
    pub fn as_date_time(&self) -> Option<&DateTime> {
        match self {
            Self::DateTime(moment) => Some(moment),
            _ => None,
        }
    }

    /// The values of an `array`.
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(values) => Some(values),
            _ => None,
        }
    }

    /// The value of a `struct`'s member; of several of that name the last, as Python's dictionaries have it.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Struct(members) => {
                let found = members.iter().rev().find(|(known, _)| known == name);
                found.map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Whether it is `nil`.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }
}

/// Types that are one of ours without loss.
macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from! {
    i8 => Int, i16 => Int, i32 => Int, u8 => Int, u16 => Int,
    f32 => Double, f64 => Double,
    bool => Boolean,
    &str => String, String => String, char => String, &String => String,
    DateTime => DateTime,
}

impl From<i64> for Value {
    /// An `int` where the number fits one, since every server knows that; else an `i8`.
    fn from(number: i64) -> Self {
        i32::try_from(number).map_or(Self::I8(number), Self::Int)
    }
}

impl From<u32> for Value {
    /// As for `i64`.
    fn from(number: u32) -> Self {
        i64::from(number).into()
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Nil
    }
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

impl<V: Into<Self>> From<Vec<V>> for Value {
    /// An array, of bytes too: those have [`Value::bytes`].
    fn from(values: Vec<V>) -> Self {
        Self::array(values)
    }
}

impl<V: Into<Self>, const N: usize> From<[V; N]> for Value {
    fn from(values: [V; N]) -> Self {
        Self::array(values)
    }
}

impl<V: Into<Self> + Clone> From<&[V]> for Value {
    fn from(values: &[V]) -> Self {
        Self::array(values.iter().cloned())
    }
}

impl From<&Self> for Value {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_smallest_type_that_every_server_knows() {
        assert_eq!(Value::from(7_u8), Value::Int(7));
        assert_eq!(Value::from(-1_i64), Value::Int(-1));
        assert_eq!(Value::from(u32::MAX), Value::I8(4_294_967_295));
        assert_eq!(Value::from(i64::from(i32::MIN)), Value::Int(i32::MIN));
        assert_eq!(Value::from(i64::from(i32::MIN) - 1), Value::I8(-2_147_483_649));
    }

    #[test]
    fn collections_and_absence_have_their_types() {
        assert_eq!(Value::from(vec![1, 2]), Value::Array(vec![Value::Int(1), Value::Int(2)]));
        assert_eq!(Value::from(["a"]), Value::Array(vec![Value::String("a".to_owned())]));
        assert_eq!(Value::from(None::<i32>), Value::Nil);
        assert_eq!(Value::from(Some(true)), Value::Boolean(true));
        assert_eq!(Value::bytes(*b"ab"), Value::Base64(vec![97, 98]));
    }

    #[test]
    fn values_are_read_as_what_they_are() {
        let value = Value::structure([("a", 1), ("b", 2), ("a", 3)]);
        assert_eq!(value.member("a").and_then(Value::as_i64), Some(3), "the last of a name");
        assert_eq!(value.member("c"), None);
        assert_eq!(Value::Int(2).as_f64(), Some(2.0));
        assert_eq!(Value::Double(2.0).as_i64(), None);
        assert!(Value::Nil.is_nil() && Value::Nil.as_str().is_none());
    }

    #[test]
    fn a_value_is_no_larger_than_it_must_be() {
        assert!(size_of::<Value>() <= 32, "{} bytes", size_of::<Value>());
    }
}
