//! What a request brings along, read as a page wants it: its query, a form, JSON, a login.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::request::Payload;
use crate::route::origin_form;
use crate::shop::field;
use crate::shop::form::{BrokenForm, Form};
use crate::shop::identity::Identity;

/// The form in the body; other bodies have no fields.
pub(super) fn form(payload: &Payload<'_>) -> Result<Form, BrokenForm> {
    Form::read(content_type(payload), &payload.body)
}

/// The members of the JSON object in the body; none of any other body.
pub(super) fn members(payload: &Payload<'_>) -> Map<String, Value> {
    match json(payload) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

fn json(payload: &Payload<'_>) -> Option<Value> {
    let media_type = content_type(payload).split(';').next()?.trim().to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/")?;
    if subtype != "json" && !subtype.ends_with("+json") {
        return None;
    }
    serde_json::from_slice(&payload.body).ok()
}

fn content_type<'p>(payload: &'p Payload<'_>) -> &'p str {
    field::values(&payload.head, "content-type").next().unwrap_or_default()
}

/// The parameters of the query, decoded; the first of each name.
pub(super) fn query(head: &[u8]) -> BTreeMap<String, String> {
    let query = target(head).split_once('?').map_or("", |(_, query)| query);
    Form::url_encoded(query).fields
}

/// What follows the last slash of the path, decoded.
pub(super) fn last_segment(head: &[u8]) -> String {
    let target = target(head);
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let segment = path.rsplit('/').next().unwrap_or_default();
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The target of the request line, in origin form.
fn target(head: &[u8]) -> &str {
    let target = head.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    origin_form(std::str::from_utf8(target).unwrap_or_default())
}

/// The token of a login, taken with the word Bearer and without.
pub(super) fn bearer(head: &[u8]) -> Option<Identity> {
    let given = authorization(head);
    Identity::parse(given.strip_prefix("Bearer ").unwrap_or(given))
}

/// The user and the password of a basic authentication (RFC 7617).
pub(super) fn basic(head: &[u8]) -> Option<(String, String)> {
    let (scheme, encoded) = authorization(head).split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn authorization(head: &[u8]) -> &str {
    field::values(head, "authorization").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, fields: &str) -> Vec<u8> {
        format!("GET {target} HTTP/1.1\r\nHost: a b\r\n{fields}\r\n").into_bytes()
    }

    #[test]
    fn targets_are_read_and_decoded() {
        for (target, segment, q) in [
            ("/boards/news", "news", None),
            ("/boards/a%20b+c?q=m%C3%BCsli+%26+milk&q=2", "a b+c", Some("müsli & milk")),
            ("http://host/boards/x?q=/y", "x", Some("/y")),
            ("/search?q=", "search", Some("")),
        ] {
            let head = head(target, "");
            assert_eq!(last_segment(&head), segment, "{target}");
            assert_eq!(query(&head).get("q").map(String::as_str), q, "{target}");
        }
    }

    #[test]
    fn a_basic_authentication_has_a_user_and_a_password() {
        for (value, login) in [
            ("Basic YWRhOng6eQ==", Some(("ada", "x:y"))),
            ("basic  YWRhOg==", Some(("ada", ""))),
            ("Basic YWRh", None),
            ("Basic ?", None),
            ("Bearer YWRhOg==", None),
            ("Basic", None),
        ] {
            let found = basic(&head("/", &format!("Authorization: {value}\r\n")));
            let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
            assert_eq!(found, login, "{value}");
        }
        assert_eq!(basic(&head("/", "")), None);
    }
}
