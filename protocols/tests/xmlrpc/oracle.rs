//! Another reader: quick-xml makes a tree of a document, and what XML-RPC means by it is read from the tree.

use loadr_protocols::xmlrpc::Value;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element with its text and its elements.
#[derive(Debug, Default)]
struct Node {
    name: String,
    text: String,
    children: Vec<Node>,
}

/// The value of a response; `None` for what is no XML or no response.
pub(crate) fn value_of_response(document: &str) -> Option<Value> {
    let root = tree(document)?;
    let value = root.only("methodResponse")?.only("params")?.only("param")?.only("value")?;
    value_of(value)
}

fn tree(document: &str) -> Option<Node> {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Node::default()];
    loop {
        let event = reader.read_event().ok()?;
        let innermost = open.last_mut()?;
        match event {
            Event::Start(start) => open.push(node(&start)),
            Event::Empty(start) => innermost.children.push(node(&start)),
            Event::End(_) => {
                let done = open.pop()?;
                open.last_mut()?.children.push(done);
            }
            Event::Text(text) => innermost.text.push_str(&text.xml10_content()),
            Event::CData(text) => innermost.text.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref().ok()? {
                    Some(character) => character,
                    None => predefined(&reference.xml10_content())?,
                };
                innermost.text.push(character);
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::DocType(_) => return None,
            Event::Eof => break,
        }
    }
    (open.len() == 1).then(|| open.pop()).flatten()
}

fn node(start: &BytesStart<'_>) -> Node {
    let name = start.name();
    Node { name: name.as_ref().to_owned(), ..Node::default() }
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

impl Node {
    /// The element in this one, if there is one of that name and nothing else.
    fn only(&self, name: &str) -> Option<&Self> {
        match self.children.as_slice() {
            [child] if child.name == name && self.has_no_text() => Some(child),
            _ => None,
        }
    }

    fn has_no_text(&self) -> bool {
        self.text.bytes().all(|byte| byte.is_ascii_whitespace())
    }
}

fn value_of(node: &Node) -> Option<Value> {
    if node.children.is_empty() {
        return Some(Value::String(node.text.clone()));
    }
    let typed = match node.children.as_slice() {
        [typed] if node.has_no_text() => typed,
        _ => return None,
    };
    let text = typed.text.as_str();
    Some(match typed.name.as_str() {
        "array" => {
            let data = typed.only("data")?;
            let values =
                data.children.iter().map(|child| value_of(child).filter(|_| child.name == "value"));
            Value::Array(values.collect::<Option<_>>()?)
        }
        "struct" => Value::Struct(typed.children.iter().map(member).collect::<Option<_>>()?),
        _ if !typed.children.is_empty() => return None,
        "int" | "i4" => Value::Int(text.parse().ok()?),
        "i8" | "ex:i8" => Value::I8(text.parse().ok()?),
        "boolean" => Value::Boolean(text == "1"),
        "string" => Value::String(text.to_owned()),
        "double" => Value::Double(text.parse().ok()?),
        "dateTime.iso8601" => Value::DateTime(text.parse().ok()?),
        "base64" => Value::Base64(bytes(text)),
        "nil" | "ex:nil" => Value::Nil,
        _ => return None,
    })
}

fn member(node: &Node) -> Option<(String, Value)> {
    match node.children.as_slice() {
        [name, value] if name.name == "name" && value.name == "value" => {
            Some((name.text.clone(), value_of(value)?))
        }
        _ => None,
    }
}

/// Bit by bit, so that it is no copy of the codec's.
fn bytes(text: &str) -> Vec<u8> {
    let mut bits = Vec::new();
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits.extend((0..6).rev().map(|bit| six >> bit & 1));
    }
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}
