//! XML-RPC in scenario files: calls whose parameters have placeholders, and results as JSON, which checks and
//! extractions know how to look at.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use loadr_protocols::xmlrpc::{
    EncodeError, Fault, Reply, Value as Xml, encode_call, encode_value, escape,
};
use serde_json::{Map, Value, json};

use super::template::{Part, Template, Unfit, Unset, Values};

/// What makes a request a call of XML-RPC, beside its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Rpc {
    /// What it is counted as.
    pub sample_type: Box<str>,
    /// The faults that it is to bring.
    pub faults: Faults,
}

/// Faults that a call is expected to bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Faults {
    /// None: a fault is a failure.
    None,
    /// Some fault: a value is a failure.
    Any,
    /// A fault with one of these codes.
    OneOf(Box<[i64]>),
}

impl Faults {
    /// What is wrong with a reply, if anything is: text for a failure. A fault that nobody expected is nobody's here.
    pub fn failure<T>(&self, reply: &Reply<T>) -> Option<String> {
        match (self, reply) {
            (Self::None, Ok(_)) | (Self::Any, Err(_)) => None,
            (Self::None, Err(fault)) => Some(fault.to_string()),
            (Self::OneOf(codes), Err(fault)) if codes.contains(&fault.code) => None,
            (Self::OneOf(_), Err(fault)) => Some(format!("{fault}: expected {self}")),
            (Self::Any | Self::OneOf(_), Ok(_)) => Some(format!("a value: expected {self}")),
        }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("no fault"),
            Self::Any => formatter.write_str("a fault"),
            Self::OneOf(codes) => {
                let codes: Vec<String> = codes.iter().map(i64::to_string).collect();
                write!(formatter, "fault {}", codes.join(" or "))
            }
        }
    }
}

/// A parameter, or a part of one.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamTemplate {
    /// The same every time.
    Fixed(Xml),
    /// A string; one that is a single placeholder takes the type of its value.
    Text(Template),
    /// What a template comes to, as this type.
    Typed(ParamType, Template),
    /// A list of which something changes.
    List(Box<[ParamTemplate]>),
    /// A struct of which something changes, in the order of the file.
    Struct(Box<[(Box<str>, ParamTemplate)]>),
}

/// Types that a file names because TOML, or a placeholder, has others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// A whole number of 64 bits, however small it is.
    I8,
    /// A number that may have a fraction, whether or not it has.
    Double,
    /// Text, whatever it looks like.
    String,
    /// Text such as `20260131T12:00:00`.
    DateTime,
    /// Base64 text.
    Base64,
}

impl ParamType {
    /// Every type, with its key.
    pub(super) const KEYS: [(&'static str, Self); 5] = [
        ("i8", Self::I8),
        ("double", Self::Double),
        ("string", Self::String),
        ("datetime", Self::DateTime),
        ("base64", Self::Base64),
    ];

    /// Its key.
    pub fn key(self) -> &'static str {
        let found = Self::KEYS.into_iter().find(|(_, known)| *known == self);
        found.map_or("", |(key, _)| key)
    }

    /// The value that `text` is.
    pub fn value(self, text: &str) -> Option<Xml> {
        match self {
            Self::I8 => text.parse().ok().map(Xml::I8),
            Self::Double => {
                let number = text.parse().ok().filter(|number: &f64| number.is_finite());
                number.map(Xml::Double)
            }
            Self::String => Some(Xml::from(text)),
            Self::DateTime => text.parse().ok().map(Xml::DateTime),
            Self::Base64 => BASE64.decode(text).ok().map(Xml::Base64),
        }
    }
}

/// As JSON, with placeholders as written.
impl fmt::Display for ParamTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(value) => write!(formatter, "{}", json_of(value)),
            Self::Text(template) => write!(formatter, "{}", Value::from(template.text())),
            Self::Typed(kind, template) => {
                write!(formatter, "{{\"{}\":{}}}", kind.key(), Value::from(template.text()))
            }
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::to_string).collect();
                write!(formatter, "[{}]", items.join(","))
            }
            Self::Struct(fields) => {
                let field =
                    |(name, value): &(Box<str>, Self)| format!("{}:{value}", Value::from(&**name));
                let fields: Vec<String> = fields.iter().map(field).collect();
                write!(formatter, "{{{}}}", fields.join(","))
            }
        }
    }
}

/// A call made ready: all that never changes is already written.
#[derive(Clone, Debug, PartialEq)]
pub struct CallTemplate {
    text: Box<str>,
    parts: Box<[CallPart]>,
}

/// A stretch of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum CallPart {
    /// XML as it stands.
    Literal(Box<str>),
    /// What belongs into a string, to be escaped.
    InString(Part),
    /// A whole value, to be written as its type has it.
    Value(Template),
    /// A whole value of a certain type.
    Typed(ParamType, Template),
}

impl CallTemplate {
    /// A call of `method`.
    ///
    /// # Errors
    /// The method's name is none, or something that never changes cannot be said in XML.
    pub fn new(method: &str, params: &[ParamTemplate]) -> Result<Self, EncodeError> {
        let mut envelope = Vec::new();
        encode_call(method, &[], &mut envelope)?;
        let envelope = String::from_utf8(envelope).expect("names of methods are ASCII");
        let (before, after) = envelope.split_once("</params>").expect("a call has parameters");
        let mut writer = Writer::default();
        writer.literal.push_str(before);
        for param in params {
            writer.literal.push_str("<param>");
            writer.param(param)?;
            writer.literal.push_str("</param>");
        }
        writer.literal.push_str("</params>");
        writer.literal.push_str(after);
        writer.end_literal();
        let shown: Vec<String> = params.iter().map(ParamTemplate::to_string).collect();
        let text = format!("{method}({})", shown.join(", ")).into();
        Ok(Self { text, parts: writer.parts.into() })
    }

    /// The parts in order.
    pub fn parts(&self) -> &[CallPart] {
        &self.parts
    }

    /// The call with its placeholders as written, as languages write calls.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Appends the filled-in call to `out`.
    pub fn render(&self, values: &impl Values, out: &mut String) -> Result<(), Unset> {
        self.parts.iter().try_for_each(|part| part.render(values, out))
    }
}

impl CallPart {
    /// Appends the filled-in stretch to `out`.
    pub fn render(&self, values: &impl Values, out: &mut String) -> Result<(), Unset> {
        match self {
            Self::Literal(text) => {
                out.push_str(text);
                Ok(())
            }
            Self::InString(part) => {
                let start = out.len();
                part.render(values, out)?;
                escape_from(out, start)
            }
            Self::Value(template) => {
                let value = value_of(&*template.look(values)?)?;
                append(out, |bytes| encode_value(&value, bytes))
            }
            Self::Typed(kind, template) => {
                let mut text = String::new();
                template.render(values, &mut text)?;
                let value = kind.value(&text).ok_or(Unset::Unfit(Unfit::NoType(kind.key())))?;
                append(out, |bytes| encode_value(&value, bytes))
            }
        }
    }
}

/// Escapes what stands in `out` from `start` on, which mostly needs none.
fn escape_from(out: &mut String, start: usize) -> Result<(), Unset> {
    let needs_look = |byte: u8| byte < 0x20 || b"<>&".contains(&byte) || byte >= 0x80;
    if out.as_bytes()[start..].iter().copied().any(needs_look) {
        let plain = out.split_off(start);
        return append(out, |bytes| escape(&plain, bytes));
    }
    Ok(())
}

/// Has the codec append to the bytes of a text.
fn append(
    out: &mut String,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), Unset> {
    let mut bytes = std::mem::take(out).into_bytes();
    let done = encode(&mut bytes);
    *out = String::from_utf8(bytes).expect("the codec writes UTF-8");
    done.map_err(|error| {
        Unset::Unfit(match error {
            EncodeError::Character(code) => Unfit::Character(code),
            _ => Unfit::Depth,
        })
    })
}

#[derive(Default)]
struct Writer {
    parts: Vec<CallPart>,
    literal: String,
}

impl Writer {
    fn param(&mut self, param: &ParamTemplate) -> Result<(), EncodeError> {
        match param {
            ParamTemplate::Fixed(value) => self.encoded(|bytes| encode_value(value, bytes))?,
            ParamTemplate::Text(template) if template.single().is_some() => {
                self.dynamic(CallPart::Value(template.clone()));
            }
            ParamTemplate::Text(template) | ParamTemplate::Typed(ParamType::String, template) => {
                self.string(template)?;
            }
            ParamTemplate::Typed(kind, template) => {
                self.dynamic(CallPart::Typed(*kind, template.clone()));
            }
            ParamTemplate::List(items) => {
                self.literal.push_str("<value><array><data>");
                items.iter().try_for_each(|item| self.param(item))?;
                self.literal.push_str("</data></array></value>");
            }
            ParamTemplate::Struct(fields) => {
                self.literal.push_str("<value><struct>");
                for (name, value) in fields {
                    self.literal.push_str("<member><name>");
                    self.encoded(|bytes| escape(name, bytes))?;
                    self.literal.push_str("</name>");
                    self.param(value)?;
                    self.literal.push_str("</member>");
                }
                self.literal.push_str("</struct></value>");
            }
        }
        Ok(())
    }

    fn string(&mut self, template: &Template) -> Result<(), EncodeError> {
        self.literal.push_str("<value><string>");
        for part in template.parts() {
            match part {
                Part::Literal(text) => self.encoded(|bytes| escape(text, bytes))?,
                part => self.dynamic(CallPart::InString(part.clone())),
            }
        }
        self.literal.push_str("</string></value>");
        Ok(())
    }

    fn encoded(
        &mut self,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        encode(&mut bytes)?;
        self.literal.push_str(std::str::from_utf8(&bytes).expect("the codec writes UTF-8"));
        Ok(())
    }

    fn dynamic(&mut self, part: CallPart) {
        self.end_literal();
        self.parts.push(part);
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            let literal = std::mem::take(&mut self.literal);
            self.parts.push(CallPart::Literal(literal.into()));
        }
    }
}

/// A value of a scenario as XML-RPC says it.
fn value_of(value: &Value) -> Result<Xml, Unset> {
    Ok(match value {
        Value::Null => Xml::Nil,
        Value::Bool(truth) => Xml::Boolean(*truth),
        Value::String(text) => Xml::from(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Xml::from(whole),
            (None, Some(number)) if !value.is_u64() => Xml::Double(number),
            _ => return Err(Unset::Unfit(Unfit::NoType("i8"))),
        },
        Value::Array(values) => Xml::Array(values.iter().map(value_of).collect::<Result<_, _>>()?),
        Value::Object(fields) => {
            let members = fields.iter().map(|(name, value)| Ok((name.clone(), value_of(value)?)));
            Xml::Struct(members.collect::<Result<_, Unset>>()?)
        }
    })
}

/// A value as JSON: dates as their text, bytes as base64, `nil` as null; of members with one name the last.
pub fn json_of(value: &Xml) -> Value {
    match value {
        Xml::Int(number) => Value::from(*number),
        Xml::I8(number) => Value::from(*number),
        Xml::Boolean(truth) => Value::from(*truth),
        Xml::String(text) => Value::from(text.as_str()),
        Xml::Double(number) => Value::from(*number),
        Xml::DateTime(moment) => Value::from(moment.as_str()),
        Xml::Base64(bytes) => Value::from(BASE64.encode(bytes)),
        Xml::Array(values) => Value::Array(values.iter().map(json_of).collect()),
        Xml::Struct(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), json_of(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Xml::Nil => Value::Null,
    }
}

/// A reply as JSON: the value, or the fault as the struct that it is on the wire.
pub fn json_of_reply(reply: &Reply) -> Value {
    match reply {
        Ok(value) => json_of(value),
        Err(Fault { code, string }) => json!({ "faultCode": code, "faultString": string }),
    }
}
