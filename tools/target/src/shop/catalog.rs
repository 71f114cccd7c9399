//! The pages that anybody may see, and the forum: answered by what is asked alone.

use serde_json::json;

use crate::request::Payload;
use crate::shop::answer::Answer;
use crate::shop::identity::Identity;
use crate::shop::input;

/// The threads that every board links to.
const THREADS: std::ops::RangeInclusive<u8> = 1..=8;

/// The last page of every thread is a multiple of this.
const THREAD_PAGES: i64 = 5;

pub(super) fn product(number: u64) -> Answer {
    let price = u128::from(number) * 3;
    Answer::json(
        200,
        format!("{{\"id\":{number},\"name\":\"product {number}\",\"price\":{price}}}"),
    )
}

pub(super) fn resource(identity: Identity) -> Answer {
    Answer::json(200, json!({ "id": identity.to_uuid() }))
}

pub(super) fn news(head: &[u8]) -> Answer {
    let query = input::query(head);
    let page = query.get("page").and_then(|page| page.parse::<i64>().ok());
    match (page, query.get("lang")) {
        (Some(page), Some(language)) => {
            Answer::json(200, json!({ "language": language, "page": page }))
        }
        _ => Answer::text(400, "news take a number and a language: ?page=N&lang=L\n"),
    }
}

/// Finds as many as the text that is searched for has letters.
pub(super) fn search(head: &[u8]) -> Answer {
    match input::query(head).get("q") {
        Some(text) => Answer::json(200, json!({ "hits": text.chars().count(), "query": text })),
        None => Answer::text(400, "a search takes a text: ?q=TEXT\n"),
    }
}

pub(super) fn order(payload: &Payload<'_>) -> Answer {
    let members = input::members(payload);
    match members.get("amount") {
        Some(amount) if amount.is_i64() || amount.is_u64() => {
            let identity = input::last_segment(&payload.head);
            Answer::object(members, "id", identity.into())
        }
        _ => Answer::text(400, "an order is JSON with an `amount`, a whole number\n"),
    }
}

pub(super) fn board(head: &[u8]) -> Answer {
    let board = input::last_segment(head).replace('&', "&amp;").replace('<', "&lt;");
    let link = |number| format!("<a href=\"/threads/{number}\">a thread</a>");
    let links: String = THREADS.map(link).collect();
    Answer::html(format!("<html><body><h1>{board}</h1>{links}</body></html>"))
}

pub(super) fn thread(number: u64, head: &[u8]) -> Answer {
    match input::query(head).get("page").map_or(Ok(1), |page| page.parse::<i64>()) {
        Ok(page) => {
            let more = page % THREAD_PAGES != 0;
            Answer::json(200, json!({ "id": number, "more": more, "page": page }))
        }
        Err(_) => Answer::text(400, "the page of a thread is a number: ?page=N\n"),
    }
}

/// Asks for a text and a photo.
pub(super) fn reply(number: u64, payload: &Payload<'_>) -> Answer {
    let form = match input::form(payload) {
        Ok(form) => form,
        Err(broken) => return Answer::text(400, broken.0),
    };
    let has_text = form.fields.get("text").is_some_and(|text| !text.is_empty());
    match form.file_sizes.get("photo").filter(|_| has_text) {
        Some(bytes) => Answer::json(201, json!({ "bytes": bytes, "thread": number })),
        None => Answer::text(400, "a reply is a form with a `text` and a file `photo`\n"),
    }
}

pub(super) fn upload(payload: &Payload<'_>) -> Answer {
    match input::form(payload) {
        Ok(form) => Answer::json(200, json!({ "fields": form.fields, "files": form.file_sizes })),
        Err(broken) => Answer::text(400, broken.0),
    }
}
