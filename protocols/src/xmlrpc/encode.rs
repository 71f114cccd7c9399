//! Encoding: a call, and for servers and tests a response and a fault.

use super::base64;
use super::fault::Fault;
use super::limits::DEPTH_CAPACITY;
use super::text::is_character;
use super::value::Value;

/// What cannot be sent, and why: the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The name of a method is empty, or has other characters than letters, digits and `_ . : /`.
    #[error("{0:?} is no method's name: it may have letters, digits and _ . : /")]
    MethodName(String),
    /// A character that XML cannot carry (XML 1.0, 2.2); bytes can be sent as `<base64>`.
    #[error("XML cannot carry the character U+{0:04X}; bytes can be sent as base64")]
    Character(u32),
    /// A double that there is no way to write.
    #[error("{0} is no double that XML-RPC can carry")]
    Double(String),
    /// Too many arrays and structs within each other.
    #[error("more than {DEPTH_CAPACITY} arrays and structs within each other")]
    Depth,
    /// A fault whose code needs more than 32 bits.
    #[error("the fault code {0} has more than 32 bits")]
    FaultCode(i64),
}

const DECLARATION: &[u8] = b"<?xml version=\"1.0\"?>";

/// "a string ... Identifiers may only contain upper and lower-case A-Z, the numeric characters, 0-9, underscore, dot,
/// colon and slash."
pub(super) fn is_method_name(name: &str) -> bool {
    let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/".contains(&byte);
    !name.is_empty() && name.bytes().all(may_stand)
}

/// Appends a call of `method`.
///
/// # Errors
/// The name is none, or a parameter cannot be said in XML. What was appended until then is taken back.
pub fn encode_call(method: &str, params: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if !is_method_name(method) {
        return Err(EncodeError::MethodName(method.chars().take(60).collect()));
    }
    let begins = out.len();
    put(out, &[DECLARATION, b"<methodCall><methodName>", method.as_bytes(), b"</methodName>"]);
    out.extend_from_slice(b"<params>");
    for param in params {
        out.extend_from_slice(b"<param>");
        whole(param, begins, out)?;
        out.extend_from_slice(b"</param>");
    }
    out.extend_from_slice(b"</params></methodCall>");
    Ok(())
}

/// Appends a response that brings `value`.
///
/// # Errors
/// The value cannot be said in XML. What was appended until then is taken back.
pub fn encode_response(value: &Value, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let begins = out.len();
    put(out, &[DECLARATION, b"<methodResponse><params><param>"]);
    whole(value, begins, out)?;
    out.extend_from_slice(b"</param></params></methodResponse>");
    Ok(())
}

/// Appends a response that brings a fault.
///
/// # Errors
/// Its code has more than 32 bits, or its text cannot be said in XML. What was appended until then is taken back.
pub fn encode_fault(fault: &Fault, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let value = fault.to_value().ok_or(EncodeError::FaultCode(fault.code))?;
    let begins = out.len();
    put(out, &[DECLARATION, b"<methodResponse><fault>"]);
    whole(&value, begins, out)?;
    out.extend_from_slice(b"</fault></methodResponse>");
    Ok(())
}

/// Appends a `<value>` by itself: a part of a call whose other parts are made elsewhere.
///
/// # Errors
/// The value cannot be said in XML. What was appended until then is taken back.
pub fn encode_value(value: &Value, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let begins = out.len();
    whole(value, begins, out)
}

/// Appends `text` so that XML gives it back as it is.
///
/// # Errors
/// It has a character that XML cannot carry.
pub fn escape(text: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    for character in text.chars() {
        match character {
            '&' => out.extend_from_slice(b"&amp;"),
            '<' => out.extend_from_slice(b"&lt;"),
            '>' => out.extend_from_slice(b"&gt;"),
            // By itself it would be read as a line feed.
            '\r' => out.extend_from_slice(b"&#13;"),
            _ if !is_character(character.into()) => {
                return Err(EncodeError::Character(character.into()));
            }
            _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Ok(())
}

fn put(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    pieces.iter().for_each(|piece| out.extend_from_slice(piece));
}

/// Appends a value, or takes back everything from `begins` on.
fn whole(value: &Value, begins: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let done = put_value(value, 0, out);
    if done.is_err() {
        out.truncate(begins);
    }
    done
}

/// By recursion, which the limit bounds.
fn put_value(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.extend_from_slice(b"<value>");
    match value {
        Value::Int(number) => put(out, &[b"<int>", number.to_string().as_bytes(), b"</int>"]),
        Value::I8(number) => put(out, &[b"<i8>", number.to_string().as_bytes(), b"</i8>"]),
        Value::Boolean(true) => out.extend_from_slice(b"<boolean>1</boolean>"),
        Value::Boolean(false) => out.extend_from_slice(b"<boolean>0</boolean>"),
        Value::String(text) => {
            out.extend_from_slice(b"<string>");
            escape(text, out)?;
            out.extend_from_slice(b"</string>");
        }
        Value::Double(number) => {
            put(out, &[b"<double>", double(*number)?.as_bytes(), b"</double>"])
        }
        Value::DateTime(moment) => {
            let text = moment.as_str().as_bytes();
            put(out, &[b"<dateTime.iso8601>", text, b"</dateTime.iso8601>"]);
        }
        Value::Base64(bytes) => {
            out.extend_from_slice(b"<base64>");
            base64::encode(bytes, out);
            out.extend_from_slice(b"</base64>");
        }
        Value::Array(values) => put_array(values, deeper(depth)?, out)?,
        Value::Struct(members) => put_struct(members, deeper(depth)?, out)?,
        Value::Nil => out.extend_from_slice(b"<nil/>"),
    }
    out.extend_from_slice(b"</value>");
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, EncodeError> {
    if depth < DEPTH_CAPACITY { Ok(depth + 1) } else { Err(EncodeError::Depth) }
}

fn put_array(values: &[Value], depth: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.extend_from_slice(b"<array><data>");
    for value in values {
        put_value(value, depth, out)?;
    }
    out.extend_from_slice(b"</data></array>");
    Ok(())
}

fn put_struct(
    members: &[(String, Value)],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    out.extend_from_slice(b"<struct>");
    for (name, value) in members {
        out.extend_from_slice(b"<member><name>");
        escape(name, out)?;
        out.extend_from_slice(b"</name>");
        put_value(value, depth, out)?;
        out.extend_from_slice(b"</member>");
    }
    out.extend_from_slice(b"</struct>");
    Ok(())
}

/// The shortest text that reads back as the same number, with a period and without an exponent, as the specification has
/// it. The largest takes 309 digits.
fn double(number: f64) -> Result<String, EncodeError> {
    let mut text = number.to_string();
    if !number.is_finite() {
        return Err(EncodeError::Double(text));
    }
    if !text.contains('.') {
        text.push_str(".0");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: &Value) -> String {
        let mut out = Vec::new();
        encode_value(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_are_written_without_an_exponent() {
        assert_eq!(double(-12.214).unwrap(), "-12.214");
        assert_eq!(double(1.0).unwrap(), "1.0");
        assert_eq!(double(-0.0).unwrap(), "-0.0");
        assert_eq!(double(1e21).unwrap(), "1000000000000000000000.0");
        assert_eq!(double(1e-7).unwrap(), "0.0000001");
        assert!(double(f64::MAX).unwrap().len() == 311);
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(double(number).is_err());
        }
    }

    #[test]
    fn text_is_escaped_or_refused() {
        let value = Value::from("a<b>&\"'\r\n\u{e9}");
        let expected = "<value><string>a&lt;b&gt;&amp;\"'&#13;\n\u{e9}</string></value>";
        assert_eq!(encoded(&value), expected);
        let mut out = b"before".to_vec();
        let refused = encode_call("f", &[Value::from("ok"), Value::from("a\u{0}b")], &mut out);
        assert_eq!(refused, Err(EncodeError::Character(0)));
        assert_eq!(out, b"before", "nothing of it is left");
    }

    #[test]
    fn names_of_methods_are_checked() {
        for name in ["get_time", "examples.getStateName", "a:b/c", "0"] {
            assert!(is_method_name(name), "{name}");
        }
        for name in ["", "a b", "a<b", "\u{e9}", "a-b"] {
            let refused = encode_call(name, &[], &mut Vec::new());
            assert_eq!(refused, Err(EncodeError::MethodName(name.to_owned())));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth| (0..depth).fold(Value::Nil, |value, _| Value::Array(vec![value]));
        assert!(encode_value(&nested(DEPTH_CAPACITY), &mut Vec::new()).is_ok());
        let refused = encode_value(&nested(DEPTH_CAPACITY + 1), &mut Vec::new());
        assert_eq!(refused, Err(EncodeError::Depth));
    }
}
