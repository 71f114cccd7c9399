//! The two shops beside each other: the same requests, the same answers and counts.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use loadr_tests::shop::Shop;
use serde_json::{Value, json};

const JSON: &str = "Content-Type: application/json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const PARTS: &str = "Content-Type: multipart/form-data; boundary=b\r\n";
const ADMIN: &str = "Authorization: Basic YWRtaW46YWRtaW4=\r\n";
const ADA: &str = "Authorization: Basic YWRhOg==\r\n";
const REPLY: &str = "--b\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nhello\r\n\
    --b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"p\"\r\n\r\n12345\r\n--b--\r\n";

/// Requests that need nothing of an earlier answer: line, header lines, body.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("GET /products/14", "", ""),
    ("GET /products/x", "", ""),
    ("GET /account", "", ""),
    ("GET /orders", "", ""),
    ("GET /me", "", ""),
    ("PATCH /me", JSON, r#"{"visits":1}"#),
    ("DELETE /me", "", ""),
    ("POST /login", "", ""),
    ("POST /login", FORM, "user="),
    ("GET /login", "", ""),
    ("DELETE /login", "", ""),
    ("POST /logout", "", ""),
    ("GET /admin", "", ""),
    ("GET /admin", ADA, ""),
    ("GET /admin", ADMIN, ""),
    ("PUT /orders/a%201", JSON, r#"{"amount":3,"by":"ada"}"#),
    ("PUT /orders/1", JSON, r#"{"amount":1.5}"#),
    ("PUT /orders/1", FORM, "amount=3"),
    ("PUT /orders/1/2", JSON, r#"{"amount":3}"#),
    ("GET /news?lang=en&page=1", "", ""),
    ("GET /news?lang=en", "", ""),
    ("GET /search?q=m%C3%BCsli+%26+milk", "", ""),
    ("GET /search?q=", "", ""),
    ("GET /search", "", ""),
    ("GET /resources/0F8FAD5B-d9cb-469f-a165-70867728950e", "", ""),
    ("GET /resources/0f8fad5bd9cb469fa16570867728950e", "", ""),
    ("GET /boards/news", "", ""),
    ("GET /boards/", "", ""),
    ("GET /threads/7", "", ""),
    ("GET /threads/7?page=5", "", ""),
    ("GET /threads/x", "", ""),
    ("POST /threads/7/replies", PARTS, REPLY),
    ("POST /threads/7/replies", FORM, "text=hello"),
    ("POST /upload", PARTS, REPLY),
    ("GET /queue", "", ""),
    ("GET /queue", "", ""),
    ("GET /queue", "", ""),
    ("GET /queue", "", ""),
    ("GET /queue", "", ""),
    ("GET /queue", "", ""),
    ("GET /flaky", "", ""),
    ("GET /flaky", "", ""),
    ("GET /flaky", "", ""),
    ("GET /things/unknown", "", ""),
    ("GET /things/unknown/link", "", ""),
    ("DELETE /things/unknown", "", ""),
    ("GET /old", "", ""),
    ("GET /nowhere", "", ""),
];

#[test]
fn requests_are_answered_alike() {
    let (flask, bundled) = (Shop::flask(), Shop::bundled());
    for (line, fields, body) in REQUESTS {
        let answers = [&flask, &bundled].map(|shop| ask(shop, line, fields, body));
        assert_eq!(answers[0], answers[1], "{line} {fields} {body}");
    }
    assert_eq!(flask.counts(), bundled.counts());
}

#[test]
fn logins_are_answered_alike() {
    let [model, bundled] = [Shop::flask(), Shop::bundled()].map(|shop| {
        let logins = [(ADA, ""), (FORM, "user=Ada+L"), (JSON, r#"{"user":"ada"}"#)];
        let mut told: Vec<_> =
            logins.into_iter().flat_map(|(fields, body)| member(&shop, fields, body)).collect();
        told.push(ask(&shop, "GET /admin", ADMIN, ""));
        (told, shop.counts())
    });
    assert_eq!(model, bundled);
}

/// A login, and what its tokens are good for; all that is told but the tokens.
fn member(shop: &Shop, fields: &str, body: &str) -> Vec<(u16, Value)> {
    let (status, mut login) = ask(shop, "POST /login", fields, body);
    let first = login["token"].take();
    let old = json!({ "token": first }).to_string();
    let bearer = bearer(&first);
    let change = format!("{JSON}{bearer}");
    let mut told = vec![
        (status, login),
        ask(shop, "GET /orders", &bearer, ""),
        ask(shop, "GET /me", &bearer, ""),
        ask(shop, "PATCH /me", &change, r#"{"visits":"3"}"#),
    ];
    let (status, mut renewed) = ask(shop, "POST /login/refresh", JSON, &old);
    let second = self::bearer(&renewed["token"].take());
    told.push((status, renewed));
    let asked = [("GET /me", &bearer), ("GET /me", &second), ("DELETE /login", &second)];
    told.extend(asked.map(|(line, bearer)| ask(shop, line, bearer, "")));
    told.push(ask(shop, "GET /me", &second, ""));
    told
}

fn bearer(token: &Value) -> String {
    format!("Authorization: Bearer {}\r\n", token.as_str().expect("a token"))
}

#[test]
fn things_are_answered_alike() {
    let [model, bundled] = [Shop::flask(), Shop::bundled()].map(|shop| {
        let (status, mut made) = ask(&shop, "POST /things", JSON, r#"{"n":7}"#);
        let identity = made["id"].take().as_str().expect("an identity").to_owned();
        let mut told = vec![(status, made.to_string())];
        for line in ["GET", "GET", "GET", "GET", "GET/link", "DELETE", "DELETE", "GET", "GET/link"]
        {
            let (method, below) = line.split_at(line.find('/').unwrap_or(line.len()));
            let line = format!("{method} /things/{identity}{below}");
            let (status, answer) = ask(&shop, &line, "", "");
            told.push((status, answer.to_string().replace(&identity, "ID")));
        }
        (told, shop.counts())
    });
    assert_eq!(model, bundled);
}

/// The status of an answer, and what is JSON of it or the page of a good one; the shops word their errors differently.
fn ask(shop: &Shop, line: &str, fields: &str, body: &str) -> (u16, Value) {
    let url = shop.url();
    let mut stream = TcpStream::connect(&url["http://".len()..]).expect("the shop listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("more than nothing");
    let length = body.len();
    write!(stream, "{line} HTTP/1.0\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
        .expect("the shop reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the shop answers");
    let (head, content) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let content = match serde_json::from_str(content) {
        Ok(json) => json,
        Err(_) if status == 200 => content.into(),
        Err(_) => Value::Null,
    };
    (status, content)
}
