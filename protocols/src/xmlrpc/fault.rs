//! What a server says when a call fails.

use std::fmt;

use super::value::Value;

/// A `<fault>`: the server understood the call well enough to refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its `faultCode`.
    pub code: i64,
    /// Its `faultString`, as long as the server made it.
    pub string: String,
}

impl Fault {
    /// The struct that a fault is on the wire; `None` where the code needs more than 32 bits.
    pub(super) fn to_value(&self) -> Option<Value> {
        let code = i32::try_from(self.code).ok()?;
        let string = Value::String(self.string.clone());
        let members = [("faultCode", Value::Int(code)), ("faultString", string)];
        Some(Value::structure(members))
    }

    /// Reads the struct back. Members beyond the two are let be.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        let code = value.member("faultCode")?.as_i64()?;
        let string = value.member("faultString")?.as_str()?.to_owned();
        Some(Self { code, string })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}: {}", self.code, self.string)
    }
}

impl std::error::Error for Fault {}
