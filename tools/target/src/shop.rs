//! The shop: a small application to try scenarios on, with logins, cookies, tokens and jobs.
//!
//! It answers as the Flask shop of the tests does, route by route, so that a scenario written for
//! one runs against the other, and counts by Flask's names of the routes. A session is the user's
//! name in a cookie, as there, so that only tokens, jobs ("things") and logins are kept; all are
//! bounded. Requests are counted by each server thread for itself; what is locked is a fraction of
//! a map, for a moment, and by the shop's routes only.

mod answer;
mod catalog;
mod field;
mod form;
mod identity;
mod input;
mod logins;
mod members;
mod multipart;
mod page;
mod recent;
mod rule;
mod shards;
mod tally;
mod things;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

pub(crate) use self::answer::{Answer, Content};
pub(crate) use self::page::Page;
pub(crate) use self::tally::Tally;

use self::identity::Identities;
use self::logins::Logins;
use self::recent::Recent;
use crate::request::{Method, Payload, Request};
use crate::shared::Shared;

/// How many tokens, and how many things, are known at a time.
const RECENT_MAX: usize = 1_000_000;

/// How many users have a count of logins of their own.
const USERS_MAX: usize = 1_000_000;

/// One `/flaky` in so many fails.
const FLAKY_PERIOD: u64 = 3;

/// The looks at the queue from one that finds it full to the next.
const QUEUE_PERIOD: u64 = 5;

/// How much shorter the queue is from look to look; it ends empty.
const QUEUE_STEP: u64 = 3;

/// The state of the shop, shared by the server threads.
#[derive(Debug)]
pub(crate) struct Shop {
    identities: Identities,
    tokens: Recent<()>,
    /// How many looks are missing until each thing is active.
    things: Recent<u8>,
    logins: Logins,
    flaky: AtomicU64,
    queue: AtomicU64,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            identities: Identities::default(),
            tokens: Recent::new(RECENT_MAX),
            things: Recent::new(RECENT_MAX),
            logins: Logins::new(USERS_MAX),
            flaky: AtomicU64::new(0),
            queue: AtomicU64::new(0),
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
    let (rule, method) = (page.rule(), request.method);
    if method == Method::Options {
        return Answer::text(200, "").with(rule.allow());
    }
    if !rule.takes(method) {
        return Answer::text(405, "the shop takes other methods here\n").with(rule.allow());
    }
    let (shop, head) = (&shared.shop, &payload.head);
    match page {
        Page::Account => members::account(head),
        Page::Admin => shop.admin(head),
        Page::Board => catalog::board(head),
        Page::Counts => counts(shared),
        Page::Flaky => shop.flaky(method),
        Page::Link(identity) => shop.link(identity),
        Page::Login if method == Method::Delete => shop.give_up_token(head),
        Page::Login => shop.log_in(payload),
        Page::Logout => members::end_session(),
        Page::Me => shop.me(payload),
        Page::News => catalog::news(head),
        Page::Old => Answer::text(302, "it is at /\n").with("Location: /\r\n"),
        Page::Order => catalog::order(payload),
        Page::Orders => shop.orders(head),
        Page::Product(number) => catalog::product(number),
        Page::Queue => shop.queue(method),
        Page::Refresh => shop.refresh(payload),
        Page::Replies(number) => catalog::reply(number, payload),
        Page::Resource(identity) => catalog::resource(identity),
        Page::Search => catalog::search(head),
        Page::Thing(identity) if method == Method::Delete => shop.drop_thing(identity),
        Page::Thing(identity) => shop.look_at_thing(identity),
        Page::Things => shop.make_thing(payload),
        Page::Thread(number) => catalog::thread(number, head),
        Page::Upload => catalog::upload(payload),
    }
}

impl Shop {
    fn flaky(&self, method: Method) -> Answer {
        match gets(&self.flaky, method) % FLAKY_PERIOD {
            0 => Answer::text(503, "no"),
            _ => Answer::text(200, "yes"),
        }
    }

    /// Grows shorter from look to look, over and over.
    fn queue(&self, method: Method) -> Answer {
        let looks = gets(&self.queue, method) % QUEUE_PERIOD;
        let length = QUEUE_STEP * (QUEUE_PERIOD - 1 - looks);
        let state = if length > 0 { "open" } else { "closed" };
        Answer::json(200, json!({ "length": length, "state": state }))
    }
}

/// The GETs of a page up to this request: only they advance it, as the model goes by its counts.
fn gets(count: &AtomicU64, method: Method) -> u64 {
    match method {
        Method::Get => count.fetch_add(1, Ordering::Relaxed) + 1,
        _ => count.load(Ordering::Relaxed),
    }
}

fn counts(shared: &Shared) -> Answer {
    let (logins, requests) = (shared.shop.logins.counts(), tally::requests(shared));
    Answer::json(200, json!({ "logins": logins, "requests": requests }))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::route::Route;
    use crate::shop::members::USER_BYTES_MAX;

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
            ("HEAD /login", 405, "Allow: POST, DELETE, OPTIONS\r\n"),
        ] {
            let answer = ask(&shared, line, "", "");
            assert_eq!((answer.status, answer.fields.as_str()), (status, fields), "{line}");
        }
        let statuses = ["HEAD", "GET", "GET", "HEAD", "GET", "HEAD", "GET"]
            .map(|method| ask(&shared, &format!("{method} /flaky"), "", "").status);
        assert_eq!(statuses, [503, 200, 200, 200, 503, 503, 200]);
    }
}
