//! The shop: a small application to try scenarios on, with logins, cookies, tokens and jobs.
//!
//! It answers as the Flask shop of the tests does, route by route, so that a scenario written for
//! one runs against the other, and counts by Flask's names of the routes. A session is the user's
//! name in a cookie, as there, so that only tokens, jobs ("things") and logins are kept; all are
//! bounded. Requests are counted by each server thread for itself; what is locked is a fraction of
//! a map, for a moment, and by the shop's routes only.

mod field;
mod form;
mod identity;
mod logins;
mod multipart;
mod page;
mod recent;
mod shards;
mod tally;

use std::sync::atomic::{AtomicU64, Ordering};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

pub(crate) use self::page::Page;
pub(crate) use self::tally::Tally;

use self::form::Form;
use self::identity::{Identities, Identity};
use self::logins::Logins;
use self::recent::Recent;
use crate::request::{Method, Payload, Request};
use crate::shared::Shared;

/// The longest user name, in bytes: what is kept of a login is bounded by it.
const USER_BYTES_MAX: usize = 256;

/// How many tokens, and how many things, are known at a time.
const RECENT_MAX: usize = 1_000_000;

/// How many users have a count of logins of their own.
const USERS_MAX: usize = 1_000_000;

/// The looks at a thing up to the one that finds it active.
const LOOKS: u8 = 3;

/// One `/flaky` in so many fails.
const FLAKY_PERIOD: u64 = 3;

const FORGET_SESSION: &str = "Set-Cookie: session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; \
                              Max-Age=0; HttpOnly; Path=/\r\n";

/// The state of the shop, shared by the server threads.
#[derive(Debug)]
pub(crate) struct Shop {
    identities: Identities,
    tokens: Recent<()>,
    /// How many looks are missing until each thing is active.
    things: Recent<u8>,
    logins: Logins,
    flaky: AtomicU64,
}

/// An answer, to be framed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Header lines of its own, each with its CRLF.
    pub(crate) fields: String,
    pub(crate) content: Content,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Nothing,
    Text(&'static str),
    Json(String),
}

impl Answer {
    fn json(status: u16, json: String) -> Self {
        Self { status, fields: String::new(), content: Content::Json(json) }
    }

    fn text(status: u16, text: &'static str) -> Self {
        Self { status, fields: String::new(), content: Content::Text(text) }
    }

    fn with(self, fields: impl Into<String>) -> Self {
        Self { fields: fields.into(), ..self }
    }
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            identities: Identities::default(),
            tokens: Recent::new(RECENT_MAX),
            things: Recent::new(RECENT_MAX),
            logins: Logins::new(USERS_MAX),
            flaky: AtomicU64::new(0),
        }
    }
}

/// Answers a request for a page of the shop.
pub(crate) fn answer(
    page: Page,
    request: &Request,
    payload: &Payload<'_>,
    shared: &Shared,
) -> Answer {
    let method = request.method;
    if method == Method::Options {
        return Answer::text(200, "").with(page.allow());
    }
    if !page.takes(method) {
        return Answer::text(405, "the shop takes other methods here\n").with(page.allow());
    }
    let shop = &shared.shop;
    match page {
        Page::Login => shop.log_in(payload),
        Page::Logout => log_out(),
        Page::Account => account(&payload.head),
        Page::Orders => shop.orders(&payload.head),
        Page::Product(number) => product(number),
        Page::Things => shop.make_thing(payload),
        Page::Thing(identity) => shop.look_at_thing(identity),
        Page::Old => Answer::text(302, "it is at /\n").with("Location: /\r\n"),
        Page::Flaky => shop.flaky(method),
        Page::Upload => upload(payload),
        Page::Counts => counts(shared),
    }
}

impl Shop {
    fn log_in(&self, payload: &Payload<'_>) -> Answer {
        let user = match user(payload) {
            Ok(Some(user)) => user,
            Ok(None) => return Answer::text(400, "a login is a form or JSON with a `user`\n"),
            Err(broken) => return Answer::text(400, broken),
        };
        if user.len() > USER_BYTES_MAX {
            return Answer::text(400, "the name of a user may have 256 bytes\n");
        }
        let token = self.identities.next();
        self.tokens.insert(token, ());
        self.logins.count(&user);
        let session = utf8_percent_encode(&user, NON_ALPHANUMERIC);
        Answer::json(200, format!("{{\"token\":\"{token}\",\"user\":{}}}\n", json!(user)))
            .with(format!("Set-Cookie: session={session}; HttpOnly; Path=/\r\n"))
    }

    /// The token is taken with the word Bearer and without.
    fn orders(&self, head: &[u8]) -> Answer {
        let given = field::values(head, "authorization").next().unwrap_or_default();
        let token = Identity::parse(given.strip_prefix("Bearer ").unwrap_or(given));
        match token.and_then(|token| self.tokens.update(token, |()| ())) {
            Some(()) => Answer::json(200, "{\"orders\":[]}\n".into()),
            None => {
                Answer::text(401, "orders need the token of a login: Authorization: Bearer TOKEN\n")
            }
        }
    }

    fn make_thing(&self, payload: &Payload<'_>) -> Answer {
        let number = json_member(payload, "n").unwrap_or_default();
        let identity = self.identities.next();
        self.things.insert(identity, LOOKS);
        let json = format!("{{\"id\":\"{identity}\",\"n\":{number},\"status\":\"PENDING\"}}\n");
        Answer::json(202, json)
    }

    fn look_at_thing(&self, identity: Option<Identity>) -> Answer {
        let look = |missing: &mut u8| {
            *missing = missing.saturating_sub(1);
            *missing
        };
        let found =
            identity.and_then(|identity| Some((identity, self.things.update(identity, look)?)));
        let Some((identity, missing)) = found else {
            return Answer::text(404, "no such thing\n");
        };
        let status = if missing > 0 { "PENDING" } else { "ACTIVE" };
        Answer::json(200, format!("{{\"id\":\"{identity}\",\"status\":\"{status}\"}}\n"))
    }

    /// Only GET advances: the page goes by its own count, as the model does.
    fn flaky(&self, method: Method) -> Answer {
        let requests = match method {
            Method::Get => self.flaky.fetch_add(1, Ordering::Relaxed) + 1,
            _ => self.flaky.load(Ordering::Relaxed),
        };
        match requests % FLAKY_PERIOD {
            0 => Answer::text(503, "no"),
            _ => Answer::text(200, "yes"),
        }
    }
}

fn log_out() -> Answer {
    Answer { status: 204, fields: FORGET_SESSION.into(), content: Content::Nothing }
}

fn account(head: &[u8]) -> Answer {
    let session = field::cookie(head, "session").filter(|session| !session.is_empty());
    match session {
        Some(session) => {
            let user = percent_decode_str(session).decode_utf8_lossy();
            Answer::json(200, format!("{{\"user\":{}}}\n", json!(user)))
        }
        None => Answer::text(401, "the account needs the cookie of a login\n"),
    }
}

fn product(number: u64) -> Answer {
    let price = u128::from(number) * 3;
    let json = format!("{{\"id\":{number},\"name\":\"product {number}\",\"price\":{price}}}\n");
    Answer::json(200, json)
}

fn upload(payload: &Payload<'_>) -> Answer {
    match Form::read(content_type(payload), &payload.body) {
        Ok(form) => {
            let (fields, files) = (json!(form.fields), json!(form.file_sizes));
            Answer::json(200, format!("{{\"fields\":{fields},\"files\":{files}}}\n"))
        }
        Err(broken) => Answer::text(400, broken.0),
    }
}

fn counts(shared: &Shared) -> Answer {
    let (logins, requests) = (json!(shared.shop.logins.counts()), json!(tally::requests(shared)));
    Answer::json(200, format!("{{\"logins\":{logins},\"requests\":{requests}}}\n"))
}

/// Who logs in: a name that is not empty, of the form or else of the JSON.
fn user(payload: &Payload<'_>) -> Result<Option<String>, &'static str> {
    let mut form = Form::read(content_type(payload), &payload.body).map_err(|broken| broken.0)?;
    let user = form.fields.remove("user").or_else(|| match json_member(payload, "user")? {
        Value::String(user) => Some(user),
        Value::Number(user) => Some(user.to_string()),
        _ => None,
    });
    Ok(user.filter(|user| !user.is_empty()))
}

/// A member of the JSON object that the request brought, if it did.
fn json_member(payload: &Payload<'_>, name: &str) -> Option<Value> {
    let media_type = content_type(payload).split(';').next()?.trim().to_ascii_lowercase();
    let subtype = media_type.strip_prefix("application/")?;
    if subtype != "json" && !subtype.ends_with("+json") {
        return None;
    }
    let mut object: Value = serde_json::from_slice(&payload.body).ok()?;
    object.get_mut(name).map(Value::take)
}

fn content_type<'p>(payload: &'p Payload<'_>) -> &'p str {
    field::values(&payload.head, "content-type").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Route;

    fn shared() -> Shared {
        Shared::new(1).unwrap()
    }

    /// The answer to a request for `target`, with header lines and a body.
    fn ask(shared: &Shared, line: &str, fields: &str, body: &str) -> Answer {
        let head = format!("{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        let (request, _) = crate::request::parse(head.as_bytes()).unwrap().unwrap();
        let Route::Shop(page) = request.route else { panic!("{line} is not the shop's") };
        let payload = Payload { head: head.as_bytes().into(), body: body.as_bytes().into() };
        answer(page, &request, &payload, shared)
    }

    fn json_of(answer: &Answer) -> Value {
        let Content::Json(json) = &answer.content else { panic!("{answer:?}") };
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_login_takes_the_user_of_a_form_or_of_json() {
        let shared = shared();
        for (content_type, body, user) in [
            ("application/x-www-form-urlencoded", "a=b&user=Ada+L", Some("Ada L")),
            ("application/x-www-form-urlencoded", "user=", None),
            ("Application/JSON; charset=utf-8", r#"{"user":"\"ä\n"}"#, Some("\"ä\n")),
            ("application/vnd.shop+json", r#"{"user":17}"#, Some("17")),
            ("application/json", r#"{"user":["a"]}"#, None),
            ("application/json", r#"["user"]"#, None),
            ("application/json", r#"{"user":"a""#, None),
            ("text/plain", r#"{"user":"a"}"#, None),
            ("multipart/form-data", "user=a", None),
        ] {
            let fields = format!("Content-Type: {content_type}\r\n");
            let answer = ask(&shared, "POST /login", &fields, body);
            assert_eq!(answer.status, if user.is_some() { 200 } else { 400 }, "{body}");
            let Some(user) = user else { continue };
            assert_eq!(json_of(&answer)["user"], user);
            let cookie = answer.fields.strip_prefix("Set-Cookie: ").unwrap();
            let fields = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
            let account = ask(&shared, "GET /account", &fields, "");
            assert_eq!(json_of(&account), json!({ "user": user }));
        }
    }

    #[test]
    fn the_names_that_are_kept_are_short() {
        let shared = shared();
        let fields = "Content-Type: application/x-www-form-urlencoded\r\n";
        for (bytes, status) in [(USER_BYTES_MAX, 200), (USER_BYTES_MAX + 1, 400)] {
            let body = format!("user={}", "x".repeat(bytes));
            assert_eq!(ask(&shared, "POST /login", fields, &body).status, status);
        }
        assert_eq!(shared.shop.logins.counts().len(), 1);
    }

    #[test]
    fn a_thing_echoes_any_number_it_is_given() {
        let shared = shared();
        for (body, number) in [
            (r#"{"n":[1,{"a":null}]}"#, json!([1, { "a": null }])),
            ("{}", json!(null)),
            ("", json!(null)),
        ] {
            let answer = ask(&shared, "POST /things", "Content-Type: application/json\r\n", body);
            assert_eq!((answer.status, &json_of(&answer)["n"]), (202, &number));
        }
    }

    #[test]
    fn other_methods_are_told_which_there_are() {
        let shared = shared();
        let allow = "Allow: GET, HEAD, OPTIONS\r\n";
        for (line, status, fields) in [
            ("PUT /flaky", 405, allow),
            ("OPTIONS /flaky", 200, allow),
            ("HEAD /login", 405, "Allow: POST, OPTIONS\r\n"),
        ] {
            let answer = ask(&shared, line, "", "");
            assert_eq!((answer.status, answer.fields.as_str()), (status, fields), "{line}");
        }
        let statuses = ["HEAD", "GET", "GET", "HEAD", "GET", "HEAD", "GET"]
            .map(|method| ask(&shared, &format!("{method} /flaky"), "", "").status);
        assert_eq!(statuses, [503, 200, 200, 200, 503, 503, 200]);
    }
}
