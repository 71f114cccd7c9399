//! Values written in all the ways that XML allows, chosen by a list of numbers.

use loadr_protocols::xmlrpc::{Value, encode_value};

/// Writes documents; each choice takes the next number of the list, over and over.
pub(crate) struct Writer<'c> {
    choices: &'c [u8],
    next: usize,
    out: String,
}

/// A response that says `value`.
pub(crate) fn response(value: &Value, choices: &[u8]) -> String {
    let mut writer = Writer { choices, next: 0, out: String::new() };
    if writer.one_in(2) {
        let declarations = ["<?xml version='1.0'?>", "<?xml version=\"1.0\" encoding='utf-8' ?>"];
        let declaration = declarations[writer.choose(2)];
        writer.out.push_str(declaration);
    }
    writer.between();
    writer.start("methodResponse");
    writer.element("params", |writer| writer.element("param", |writer| writer.value(value)));
    writer.end("methodResponse");
    writer.between();
    writer.out
}

impl Writer<'_> {
    fn choose(&mut self, bound: usize) -> usize {
        let number = self.choices.get(self.next % self.choices.len().max(1)).copied();
        self.next += 1;
        usize::from(number.unwrap_or_default()) % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.choose(bound) == 0
    }

    /// What may stand between elements.
    fn between(&mut self) {
        let pieces = ["", "", "", " ", "\n", "\r\n\t", "<!-- <value>&x; -->", "<?pi x?>"];
        let piece = pieces[self.choose(pieces.len())];
        self.out.push_str(piece);
    }

    fn start(&mut self, name: &str) {
        let attributes = ["", "", "", " ", " a='>'", "\nxmlns:ex = \"x&amp;y\" "];
        let attributes = attributes[self.choose(attributes.len())];
        self.out.push_str(&format!("<{name}{attributes}>"));
    }

    fn end(&mut self, name: &str) {
        let blank = ["", "", " ", "\n"][self.choose(4)];
        self.out.push_str(&format!("</{name}{blank}>"));
    }

    /// An element with elements in it.
    fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.between();
        self.start(name);
        content(self);
        self.between();
        self.end(name);
        self.between();
    }

    /// An element with text in it.
    fn leaf(&mut self, name: &str, text: &str) {
        if text.is_empty() && self.one_in(2) {
            return self.out.push_str(&format!("<{name}/>"));
        }
        self.start(name);
        self.text(text);
        self.end(name);
    }

    fn text(&mut self, text: &str) {
        for character in text.chars() {
            match self.choose(12) {
                0 => self.out.push_str(&format!("&#{};", u32::from(character))),
                1 => self.out.push_str(&format!("&#x{:X};", u32::from(character))),
                2 if character != '\r' => self.out.push_str(&format!("<![CDATA[{character}]]>")),
                3 => {
                    self.out.push_str("<!-- -->");
                    self.plain(character);
                }
                _ => self.plain(character),
            }
        }
    }

    fn plain(&mut self, character: char) {
        match character {
            '<' => self.out.push_str("&lt;"),
            '>' => self.out.push_str("&gt;"),
            '&' => self.out.push_str("&amp;"),
            '\'' => self.out.push_str("&apos;"),
            '"' => self.out.push_str("&quot;"),
            '\r' => self.out.push_str("&#xD;"),
            // Every kind of line end is read as this one.
            '\n' if self.one_in(3) && !self.out.ends_with('\r') => self.out.push_str("\r\n"),
            _ => self.out.push(character),
        }
    }

    fn value(&mut self, value: &Value) {
        if let Value::String(text) = value
            && self.one_in(2)
        {
            self.between();
            return self.leaf("value", text);
        }
        self.element("value", |writer| writer.typed(value));
    }

    fn typed(&mut self, value: &Value) {
        self.between();
        match value {
            Value::Int(number) => {
                let name = ["int", "i4"][self.choose(2)];
                let sign = if *number >= 0 && self.one_in(4) { "+00" } else { "" };
                self.leaf(name, &format!("{sign}{number}"));
            }
            Value::I8(number) => {
                let name = ["i8", "ex:i8"][self.choose(2)];
                self.leaf(name, &number.to_string());
            }
            Value::Boolean(truth) => self.leaf("boolean", if *truth { "1" } else { "0" }),
            Value::String(text) => self.leaf("string", text),
            Value::Double(number) => {
                let text = if self.one_in(2) { format!("{number:e}") } else { number.to_string() };
                self.leaf("double", &text);
            }
            Value::DateTime(moment) => self.leaf("dateTime.iso8601", moment.as_str()),
            Value::Base64(_) => self.base64(value),
            Value::Nil => {
                let name = ["nil", "ex:nil"][self.choose(2)];
                self.leaf(name, "");
            }
            Value::Array(values) => self.element("array", |writer| {
                writer
                    .element("data", |writer| values.iter().for_each(|value| writer.value(value)));
            }),
            Value::Struct(members) => self.element("struct", |writer| {
                for (name, value) in members {
                    writer.member(name, value);
                }
            }),
        }
    }

    fn member(&mut self, name: &str, value: &Value) {
        self.element("member", |writer| {
            writer.between();
            writer.leaf("name", name);
            writer.value(value);
        });
    }

    /// The bytes as the encoder writes them, with line ends in between.
    fn base64(&mut self, value: &Value) {
        let mut encoded = Vec::new();
        encode_value(value, &mut encoded).expect("bytes can be sent");
        let encoded = String::from_utf8(encoded).expect("it is ASCII");
        let digits = &encoded["<value><base64>".len()..encoded.len() - "</base64></value>".len()];
        let mut broken = String::new();
        for digit in digits.chars() {
            if self.one_in(6) {
                broken.push_str(["\n", " ", "\r\n"][self.choose(3)]);
            }
            broken.push(digit);
        }
        self.leaf("base64", &broken);
    }
}
