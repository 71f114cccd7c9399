//! What expectations and extractions make of responses.

use std::time::Duration;

use serde_json::{Value, json};

use super::compiled::{User, request, scenario};
use super::with_steps;
use crate::scenario::judge::Response;

/// A response that a test makes up.
struct Reply {
    status: u16,
    millis: u64,
    body: String,
    json: Option<Value>,
}

impl Reply {
    fn new(status: u16, body: &str) -> Self {
        Self { status, millis: 20, body: body.to_owned(), json: serde_json::from_str(body).ok() }
    }
}

impl Response for Reply {
    fn status(&self) -> u16 {
        self.status
    }

    fn time(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    fn header(&self, name: &str) -> Option<&str> {
        (name == "content-type").then_some("application/json")
    }

    fn cookie(&self, name: &str) -> Option<String> {
        (name == "session").then(|| "s1".to_owned())
    }

    fn body(&self) -> &str {
        &self.body
    }

    fn json(&self) -> Option<&Value> {
        self.json.as_ref()
    }
}

const THING: &str = r#"{ "id": 5, "status": "ACTIVE", "tags": ["a", "b"], "none": null }"#;

/// What the expectation `expect` says of a reply, with the variable `x` set to "ACTIVE".
#[track_caller]
fn assert_judged(expect: &str, reply: &Reply, failure: Option<&str>) {
    let steps = format!("{{ get = \"/\", expect = {{ {expect} }}, extract = {{ x = \"body\" }} }}");
    let scenario = scenario(&with_steps(&steps));
    let user = User::new(&scenario, &[("x", json!("ACTIVE"))]);
    let judged = request(&scenario).expect.failure(reply, &user);
    assert_eq!(judged, Ok(failure.map(str::to_owned)), "{expect}");
}

#[test]
fn statuses_and_times() {
    for (expect, status, failure) in [
        ("", 200, None),
        ("", 399, None),
        ("", 404, Some("status 404")),
        ("", 101, Some("status 101")),
        ("status = 404", 404, None),
        ("status = [200, \"4xx\"]", 418, None),
        ("status = [200, \"4xx\"]", 500, Some("status 500: expected 200 or 4xx")),
        ("max_ms = 20", 200, None),
        ("max_ms = 19.5", 200, Some("response time: expected to be at most 19.5 ms")),
    ] {
        assert_judged(expect, &Reply::new(status, ""), failure);
    }
}

#[test]
fn bodies_headers_and_values() {
    for (expect, failure) in [
        ("body_contains = [\"ACTIVE\", \"tags\"]", None),
        ("body_contains = \"ERROR\"", Some("body: expected to contain \"ERROR\"")),
        ("body_matches = '\"id\":\\s*\\d'", None),
        ("body_matches = '^x'", Some("body: expected to match ^x")),
        ("json = { \"/status\" = \"${x}\", \"/id\" = 5 }", None),
        (
            "json = { \"/status\" = [\"PENDING\", \"GONE\"] }",
            Some("/status is \"ACTIVE\": expected to be \"PENDING\" or \"GONE\""),
        ),
        ("json = { \"/x\" = 1 }", Some("no /x in the body: expected to be 1")),
        ("json = { \"/x\" = { exists = false }, \"/none\" = { exists = true } }", None),
        ("json = { \"/id\" = { exists = false } }", Some("/id is 5: expected to be missing")),
        ("json = { \"/tags\" = { equals = [\"a\", \"b\"] } }", None),
        ("json = { \"/tags\" = { contains = \"b\" }, \"/id\" = { above = 4, } }", None),
        ("json = { \"/id\" = { below = 5 } }", Some("/id is 5: expected to be below 5")),
        ("header = { Content-Type = { matches = \"^application/\" } }", None),
        ("header = { ETag = \"x\" }", Some("no header etag: expected to be \"x\"")),
        (
            "not = { json = { \"/status\" = \"ERROR\", \"/x\" = 1 }, body_contains = \"ERROR\" }",
            None,
        ),
        (
            "not = { json = { \"/status\" = \"ACTIVE\" } }",
            Some("/status is \"ACTIVE\": expected not to be \"ACTIVE\""),
        ),
    ] {
        assert_judged(expect, &Reply::new(200, THING), failure);
    }
}

#[test]
fn bodies_that_are_no_json_and_values_that_are_long() {
    assert_judged(
        "json = { \"/status\" = \"ACTIVE\" }",
        &Reply::new(200, "{ broken"),
        Some("the body is no JSON with /status: expected to be \"ACTIVE\""),
    );
    let long = format!("{{ \"a\": \"{}\" }}", "é".repeat(100));
    let shown = format!("/a is \"{}…: expected to be 1", "é".repeat(59));
    assert_judged("json = { \"/a\" = 1 }", &Reply::new(200, &long), Some(&shown));
}

#[test]
fn extractions_find_or_fall_back_or_fail() {
    for (from, expected) in [
        ("\"json:/id\"", Ok(json!(5))),
        ("\"json:/none\"", Ok(json!(null))),
        ("\"regex:ACT(IVE)\"", Ok(json!("IVE"))),
        ("\"regex:ACT.VE\"", Ok(json!("ACTIVE"))),
        ("\"header:Content-Type\"", Ok(json!("application/json"))),
        ("\"cookie:session\"", Ok(json!("s1"))),
        ("\"status\"", Ok(json!(200))),
        ("\"body\"", Ok(json!(THING))),
        ("{ from = \"json:/x\", default = [1] }", Ok(json!([1]))),
        ("\"json:/x\"", Err("nothing to extract: no /x in the body")),
        ("\"regex:^x\"", Err("nothing to extract: the body does not match ^x")),
        ("\"header:ETag\"", Err("nothing to extract: no header etag")),
        ("\"cookie:other\"", Err("nothing to extract: no cookie other")),
    ] {
        let steps = format!("{{ get = \"/\", extract = {{ v = {from} }} }}");
        let scenario = scenario(&with_steps(&steps));
        let user = User::new(&scenario, &[]);
        let extract = &request(&scenario).extract[0];
        let found = extract.value(&Reply::new(200, THING), &user).unwrap();
        let found = found.ok_or_else(|| extract.failure());
        assert_eq!(
            found.as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|e| *e),
            "{from}"
        );
    }
}
