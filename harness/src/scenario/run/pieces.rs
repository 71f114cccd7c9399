//! What a request has in the places where it differs from sending to sending.
//!
//! Each placeholder is a slot. All slots of a request are written one behind the other into one buffer, and handed over
//! as slices of it: a sending allocates nothing once the buffer has its size.

use loadr_protocols::http1::Piece;
use url::form_urlencoded::byte_serialize;

use super::calls::basic;
use crate::scenario::rpc::{CallPart, CallTemplate};
use crate::scenario::step::Pairs;
use crate::scenario::template::{Part, Template, Unset, Values};
use crate::scenario::value::{JsonPart, JsonTemplate};

/// What fills a slot.
pub(super) enum Slot {
    /// The text of a placeholder.
    Text(Part),
    /// The same, encoded as a form has it.
    Form(Part),
    /// A part of a JSON document.
    Json(JsonPart),
    /// A part of a call of XML-RPC.
    XmlRpc(CallPart),
    /// User and password, as Basic authentication has them.
    Basic(Template, Template),
}

impl Slot {
    fn render(&self, values: &impl Values, out: &mut String) -> Result<(), Unset> {
        match self {
            Self::Text(part) => part.render(values, out),
            Self::Form(part) => {
                let start = out.len();
                part.render(values, out)?;
                encode_form_from(out, start);
                Ok(())
            }
            Self::Json(part) => part.render(values, out),
            Self::XmlRpc(part) => part.render(values, out),
            Self::Basic(user, password) => {
                out.push_str(&basic(&rendered(user, values)?, &rendered(password, values)?));
                Ok(())
            }
        }
    }
}

/// The filled-in text of `template`, for where it is not written into a buffer.
pub(super) fn rendered(template: &Template, values: &impl Values) -> Result<String, Unset> {
    let mut text = String::new();
    template.render(values, &mut text)?;
    Ok(text)
}

/// Encodes what stands in `out` from `start` on, which often needs none.
fn encode_form_from(out: &mut String, start: usize) {
    let stays = |byte: &u8| byte.is_ascii_alphanumeric() || b"*-._".contains(byte);
    if !out.as_bytes()[start..].iter().all(stays) {
        let plain = out.split_off(start);
        out.extend(byte_serialize(plain.as_bytes()));
    }
}

/// A path or query as written, with what cannot stand in a request encoded. A percent sign stands.
pub(super) fn push_target(text: &str, out: &mut Vec<u8>) {
    for &byte in text.as_bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// The slots of a request, numbered as they are met.
#[derive(Default)]
pub(super) struct Slots(pub(super) Vec<Slot>);

impl Slots {
    fn push(&mut self, slot: Slot) -> Piece {
        self.0.push(slot);
        Piece::Slot(self.0.len() - 1)
    }

    /// Text as it is, such as a header field's value.
    pub(super) fn text(&mut self, template: &Template) -> Vec<Piece> {
        let pieces = template.parts().iter().map(|part| match part {
            Part::Literal(text) => Piece::text(&**text),
            part => self.push(Slot::Text(part.clone())),
        });
        pieces.collect()
    }

    /// A path, and a query behind it.
    pub(super) fn target(&mut self, url: &Template, query: &Pairs) -> Vec<Piece> {
        let mut has_query = false;
        let mut pieces = Vec::new();
        for part in url.parts() {
            pieces.push(match part {
                Part::Literal(text) => {
                    has_query |= text.contains('?');
                    let mut encoded = Vec::new();
                    push_target(text, &mut encoded);
                    Piece::Text(encoded)
                }
                part => self.push(Slot::Text(part.clone())),
            });
        }
        if !query.is_empty() {
            pieces.push(Piece::text(if has_query { "&" } else { "?" }));
            pieces.extend(self.form(query));
        }
        pieces
    }

    /// Pairs as a form has them.
    pub(super) fn form(&mut self, pairs: &Pairs) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (index, (name, value)) in pairs.iter().enumerate() {
            let mut text = if index == 0 { String::new() } else { "&".to_owned() };
            text.extend(byte_serialize(name.as_bytes()));
            text.push('=');
            pieces.push(Piece::text(text));
            pieces.extend(value.parts().iter().map(|part| match part {
                Part::Literal(text) => {
                    Piece::text(byte_serialize(text.as_bytes()).collect::<String>())
                }
                part => self.push(Slot::Form(part.clone())),
            }));
        }
        pieces
    }

    /// A JSON document.
    pub(super) fn json(&mut self, document: &JsonTemplate) -> Vec<Piece> {
        let pieces = document.parts().iter().map(|part| match part {
            JsonPart::Literal(text) => Piece::text(&**text),
            part => self.push(Slot::Json(part.clone())),
        });
        pieces.collect()
    }

    /// A call of XML-RPC.
    pub(super) fn xmlrpc(&mut self, call: &CallTemplate) -> Vec<Piece> {
        let pieces = call.parts().iter().map(|part| match part {
            CallPart::Literal(text) => Piece::text(&**text),
            part => self.push(Slot::XmlRpc(part.clone())),
        });
        pieces.collect()
    }

    /// The credentials of Basic authentication.
    pub(super) fn basic(&mut self, user: &Template, password: &Template) -> Vec<Piece> {
        match (user.fixed(), password.fixed()) {
            (Some(user), Some(password)) => vec![Piece::text(basic(user, password))],
            _ => vec![self.push(Slot::Basic(user.clone(), password.clone()))],
        }
    }
}

/// What the slots of one sending hold, one behind the other.
#[derive(Default)]
pub(super) struct SlotText {
    text: String,
    ends: Vec<usize>,
}

/// Slots of most requests; those of others cost an allocation.
const SLOTS_USUAL: usize = 8;
/// Most bytes that a buffer keeps for its next use.
const TEXT_BYTES_MAX: usize = 64 * 1024;

impl SlotText {
    pub(super) fn fill(&mut self, slots: &[Slot], values: &impl Values) -> Result<(), Unset> {
        self.clear();
        for slot in slots {
            slot.render(values, &mut self.text)?;
            self.ends.push(self.text.len());
        }
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(TEXT_BYTES_MAX);
        self.ends.clear();
    }

    /// The slots' contents as slices, however many there are.
    pub(super) fn slices(&self) -> SlotSlices<'_> {
        let start = |index: usize| index.checked_sub(1).map_or(0, |before| self.ends[before]);
        let slice = |index: usize| &self.text.as_bytes()[start(index)..self.ends[index]];
        let count = self.ends.len();
        if count > SLOTS_USUAL {
            return SlotSlices::Many((0..count).map(slice).collect());
        }
        let mut few = [&b""[..]; SLOTS_USUAL];
        for (index, place) in few[..count].iter_mut().enumerate() {
            *place = slice(index);
        }
        SlotSlices::Few(few, count)
    }
}

/// Slices of a buffer.
pub(super) enum SlotSlices<'t> {
    Few([&'t [u8]; SLOTS_USUAL], usize),
    Many(Vec<&'t [u8]>),
}

impl<'t> SlotSlices<'t> {
    pub(super) fn as_slice(&self) -> &[&'t [u8]] {
        match self {
            Self::Few(few, count) => &few[..*count],
            Self::Many(many) => many,
        }
    }
}

/// Appends a part of a URL; unless `is_plain`, what it comes to cannot break out of its place.
pub(super) fn push_placeholder(
    part: &Part,
    is_plain: bool,
    values: &impl Values,
    out: &mut String,
) -> Result<(), Unset> {
    if is_plain || matches!(part, Part::Literal(_)) {
        return part.render(values, out);
    }
    let start = out.len();
    part.render(values, out)?;
    let ends_place = |byte: &u8| matches!(byte, b'?' | b'#' | b'\\') || byte.is_ascii_control();
    if out.as_bytes()[start..].iter().any(ends_place) {
        let plain = out.split_off(start);
        for byte in plain.chars() {
            match u8::try_from(byte) {
                Ok(byte) if ends_place(&byte) => out.push_str(&format!("%{byte:02X}")),
                _ => out.push(byte),
            }
        }
    }
    Ok(())
}
