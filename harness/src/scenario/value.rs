//! Values with templates in them: what `set`, `json` and expectations take.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde_json::Value;

use super::template::{Part, Template, Unset, Values};

/// A JSON value whose strings may be templates.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueTemplate {
    /// The same every time.
    Fixed(Value),
    /// A string; one that is a single placeholder takes the type of its value.
    Text(Template),
    /// A list of which something changes.
    List(Box<[ValueTemplate]>),
    /// An object of which something changes, in the order of the file.
    Object(Box<[(Box<str>, ValueTemplate)]>),
}

impl ValueTemplate {
    /// The filled-in value, borrowed where it is there already.
    pub fn look<'v>(&'v self, values: &'v impl Values) -> Result<Cow<'v, Value>, Unset> {
        match self {
            Self::Fixed(value) => Ok(Cow::Borrowed(value)),
            Self::Text(template) => template.look(values),
            Self::List(_) | Self::Object(_) => self.evaluate(values).map(Cow::Owned),
        }
    }

    /// The filled-in value.
    pub fn evaluate(&self, values: &impl Values) -> Result<Value, Unset> {
        Ok(match self {
            Self::Fixed(value) => value.clone(),
            Self::Text(template) => template.evaluate(values)?,
            Self::List(items) => Value::Array(
                items.iter().map(|item| item.evaluate(values)).collect::<Result<_, _>>()?,
            ),
            Self::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, value)| Ok((key.to_string(), value.evaluate(values)?)))
                    .collect::<Result<_, Unset>>()?,
            ),
        })
    }
}

/// As JSON, with placeholders as written.
impl fmt::Display for ValueTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(value) => write!(formatter, "{value}"),
            Self::Text(template) => formatter.write_str(&quoted(template.text())),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(formatter, "{}{item}", if index == 0 { "" } else { "," })?;
                }
                formatter.write_str("]")
            }
            Self::Object(fields) => {
                formatter.write_str("{")?;
                for (index, (key, value)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(formatter, "{comma}{}:{value}", quoted(key))?;
                }
                formatter.write_str("}")
            }
        }
    }
}

/// A JSON document made ready: all that never changes is already written.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonTemplate {
    text: Box<str>,
    parts: Box<[JsonPart]>,
}

/// A stretch of a JSON document.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonPart {
    /// JSON as it stands.
    Literal(Box<str>),
    /// What belongs between the quotes of a string, to be escaped.
    InString(Part),
    /// A whole value, to be written as its type has it.
    Value(Template),
}

impl JsonTemplate {
    /// The parts in order.
    pub fn parts(&self) -> &[JsonPart] {
        &self.parts
    }

    /// The document with its placeholders as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The document, if it is the same every time.
    pub fn fixed(&self) -> Option<&str> {
        match &*self.parts {
            [JsonPart::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends the filled-in document to `out`.
    pub fn render(&self, values: &impl Values, out: &mut String) -> Result<(), Unset> {
        self.parts.iter().try_for_each(|part| part.render(values, out))
    }
}

impl JsonPart {
    /// Appends the filled-in stretch to `out`.
    pub fn render(&self, values: &impl Values, out: &mut String) -> Result<(), Unset> {
        match self {
            Self::Literal(text) => out.push_str(text),
            Self::InString(part) => {
                let start = out.len();
                part.render(values, out)?;
                escape_from(out, start);
            }
            Self::Value(template) => {
                let value = template.look(values)?;
                write!(out, "{value}").expect("a String takes whatever is written");
            }
        }
        Ok(())
    }
}

impl From<&ValueTemplate> for JsonTemplate {
    fn from(value: &ValueTemplate) -> Self {
        let mut writer = Writer::default();
        writer.value(value);
        writer.end_literal();
        Self { text: value.to_string().into(), parts: writer.parts.into() }
    }
}

/// Escapes what stands in `out` from `start` on, which mostly needs none.
fn escape_from(out: &mut String, start: usize) {
    let needs_escape = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if out.as_bytes()[start..].iter().copied().any(needs_escape) {
        let escaped = quoted(&out[start..]);
        out.truncate(start);
        out.push_str(&escaped[1..escaped.len() - 1]);
    }
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[derive(Default)]
struct Writer {
    parts: Vec<JsonPart>,
    literal: String,
}

impl Writer {
    fn value(&mut self, value: &ValueTemplate) {
        match value {
            ValueTemplate::Fixed(value) => self.literal.push_str(&value.to_string()),
            ValueTemplate::Text(template) if template.single().is_some() => {
                self.dynamic(JsonPart::Value(template.clone()));
            }
            ValueTemplate::Text(template) => self.string(template),
            ValueTemplate::List(items) => {
                self.literal.push('[');
                self.separated(items, |writer, item| writer.value(item));
                self.literal.push(']');
            }
            ValueTemplate::Object(fields) => {
                self.literal.push('{');
                self.separated(fields, |writer, (key, value)| {
                    writer.literal.push_str(&quoted(key));
                    writer.literal.push(':');
                    writer.value(value);
                });
                self.literal.push('}');
            }
        }
    }

    fn string(&mut self, template: &Template) {
        self.literal.push('"');
        for part in template.parts() {
            match part {
                Part::Literal(text) => {
                    let quoted = quoted(text);
                    self.literal.push_str(&quoted[1..quoted.len() - 1]);
                }
                part => self.dynamic(JsonPart::InString(part.clone())),
            }
        }
        self.literal.push('"');
    }

    fn separated<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.literal.push(',');
            }
            write(self, item);
        }
    }

    fn dynamic(&mut self, part: JsonPart) {
        self.end_literal();
        self.parts.push(part);
    }

    fn end_literal(&mut self) {
        if !self.literal.is_empty() {
            self.parts.push(JsonPart::Literal(std::mem::take(&mut self.literal).into()));
        }
    }
}
