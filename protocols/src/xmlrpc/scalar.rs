//! The types, and what may stand within those that hold text.

use std::borrow::Cow;
use std::num::IntErrorKind;

use super::error::DecodeErrorKind as Kind;
use super::{base64, date_time};
use crate::http1::Snippet;

/// A type, by the name of its element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    I4,
    I8,
    Boolean,
    String,
    Double,
    DateTime,
    Base64,
    Nil,
    Array,
    Struct,
}

impl Type {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "int" => Self::Int,
            "i4" => Self::I4,
            "i8" | "ex:i8" => Self::I8,
            "boolean" => Self::Boolean,
            "string" => Self::String,
            "double" => Self::Double,
            "dateTime.iso8601" => Self::DateTime,
            "base64" => Self::Base64,
            "nil" | "ex:nil" => Self::Nil,
            "array" => Self::Array,
            "struct" => Self::Struct,
            _ => return None,
        })
    }

    /// Its element, for messages.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Int => "<int>",
            Self::I4 => "<i4>",
            Self::I8 => "<i8>",
            Self::Boolean => "<boolean>",
            Self::String => "<string>",
            Self::Double => "<double>",
            Self::DateTime => "<dateTime.iso8601>",
            Self::Base64 => "<base64>",
            Self::Nil => "<nil>",
            Self::Array => "<array>",
            Self::Struct => "<struct>",
        }
    }
}

/// A value without values in it, checked and not yet copied.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'x> {
    Int(i32),
    I8(i64),
    Boolean(bool),
    String(Cow<'x, str>),
    Double(f64),
    DateTime(Cow<'x, str>),
    /// Still encoded.
    Base64(Cow<'x, str>),
    Nil,
}

/// What `text` is in an element of a type that holds text.
pub(super) fn read(kind: Type, text: Cow<'_, str>) -> Result<Scalar<'_>, Kind> {
    let found = Snippet::first(text.as_bytes());
    match kind {
        Type::Int | Type::I4 => integer(&text, kind).map(Scalar::Int),
        Type::I8 => integer(&text, kind).map(Scalar::I8),
        Type::Double => double(&text).map(Scalar::Double),
        Type::Boolean => match &*text {
            "0" => Ok(Scalar::Boolean(false)),
            "1" => Ok(Scalar::Boolean(true)),
            _ => Err(Kind::Boolean { found }),
        },
        Type::DateTime if date_time::is_date_time(&text) => Ok(Scalar::DateTime(text)),
        Type::DateTime => Err(Kind::DateTime { found }),
        Type::Base64 if base64::decode(text.as_bytes(), None) => Ok(Scalar::Base64(text)),
        Type::Base64 => Err(Kind::Base64 { found }),
        Type::Nil if text.bytes().all(super::text::is_blank) => Ok(Scalar::Nil),
        Type::Nil | Type::Array | Type::Struct => Err(Kind::Text { found, inside: kind.tag() }),
        Type::String => Ok(Scalar::String(text)),
    }
}

/// "You can include a plus or minus at the beginning of a string of numeric characters. Leading zeros are collapsed.
/// Whitespace is not permitted."
fn integer<N>(text: &str, kind: Type) -> Result<N, Kind>
where
    N: std::str::FromStr<Err = std::num::ParseIntError>,
{
    let (found, inside) = (Snippet::first(text.as_bytes()), kind.tag());
    text.parse().map_err(|error: std::num::ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Kind::Range { found, inside },
        _ => Kind::Number { found, inside },
    })
}

/// As the specification has it, or with an exponent, as Python writes large and small ones.
fn double(text: &str) -> Result<f64, Kind> {
    let (found, inside) = (Snippet::first(text.as_bytes()), Type::Double.tag());
    let is_numeric = |byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let number = Some(text).filter(|text| text.bytes().all(is_numeric));
    match number.and_then(|text| text.parse::<f64>().ok()) {
        None => Err(Kind::Number { found, inside }),
        Some(number) if number.is_infinite() => Err(Kind::Range { found, inside }),
        Some(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(kind: Type, text: &str) -> Result<Scalar<'_>, String> {
        read(kind, Cow::Borrowed(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn integers_are_digits_with_or_without_a_sign() {
        for (text, number) in [("41", 41), ("-12", -12), ("+7", 7), ("-0", 0), ("007", 7)] {
            assert_eq!(read_as(Type::I4, text), Ok(Scalar::Int(number)));
        }
        assert_eq!(read_as(Type::Int, "2147483647"), Ok(Scalar::Int(i32::MAX)));
        assert_eq!(read_as(Type::Int, "-2147483648"), Ok(Scalar::Int(i32::MIN)));
        for text in ["2147483648", "-2147483649", "99999999999999999999"] {
            let message = format!("\"{text}\" is out of range for <int>");
            assert_eq!(read_as(Type::Int, text), Err(message));
        }
        for text in ["", " 4", "4 ", "4.0", "0x4", "--4", "+", "four"] {
            let message = format!("\"{text}\" is not the number that <i4> has to be");
            assert_eq!(read_as(Type::I4, text), Err(message));
        }
    }

    #[test]
    fn an_i8_has_64_bits() {
        assert_eq!(read_as(Type::I8, "-9223372036854775808"), Ok(Scalar::I8(i64::MIN)));
        assert!(read_as(Type::I8, "9223372036854775808").unwrap_err().contains("out of range"));
    }

    #[test]
    fn doubles_may_have_an_exponent_and_must_be_finite() {
        for (text, number) in [("-12.214", -12.214), ("4", 4.0), ("1e+16", 1e16), (".5", 0.5)] {
            assert_eq!(read_as(Type::Double, text), Ok(Scalar::Double(number)));
        }
        for text in ["", "inf", "-inf", "nan", "NaN", "1.0 ", "1,0", "e", "0x1p3"] {
            assert!(read_as(Type::Double, text).unwrap_err().contains("is not the number"));
        }
        assert!(read_as(Type::Double, "1e999").unwrap_err().contains("out of range"));
    }

    #[test]
    fn truth_is_0_or_1_and_nil_is_empty() {
        assert_eq!(read_as(Type::Boolean, "1"), Ok(Scalar::Boolean(true)));
        for text in ["", "true", "2", "01", " 1"] {
            assert!(read_as(Type::Boolean, text).unwrap_err().contains("neither the 0 nor the 1"));
        }
        assert_eq!(read_as(Type::Nil, " \n"), Ok(Scalar::Nil));
        assert!(read_as(Type::Nil, "x").is_err());
    }
}
