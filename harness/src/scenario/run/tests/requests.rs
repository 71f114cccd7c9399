//! Requests: what is sent, what it counts as, what is kept.

use super::world::{World, ok, once, one_task};

#[test]
fn every_place_of_a_request_takes_placeholders() {
    let ran = once(
        r#"{ set = { a = "x/ü ?&", n = 5 } },
           { get = "/p/${a}?k=${a}", query = { q = "${a}", l = ["1", "${n}"] }, headers = { X-A = "<${n}>" } },
           { post = "/form", form = { "a b" = "${a}", c = "d e" } },
           { put = "/json", json = { n = "${n}", s = "\"${a}\"" } },
           { patch = "/text", body = "plain ${n}", headers = { Content-Type = "text/plain" } },
           { delete = "/x", auth = { basic = ["u${n}", "p"] } },
           { get = "/y", auth = { bearer = "t-${n}" }, headers = { authorization = "no" } }"#,
        |_| ok(""),
    );
    assert_eq!(
        ran.lines(),
        [
            "GET /api/p/x/%C3%BC%20%3F&?k=x/%C3%BC%20?&&q=x%2F%C3%BC+%3F%26&l=1&l=5",
            "POST /api/form",
            "PUT /api/json",
            "PATCH /api/text",
            "DELETE /api/x",
            "GET /api/y",
        ]
    );
    assert_eq!(ran.seen[0].field("X-A"), Some("<5>"));
    assert_eq!(
        ran.bodies()[1..4],
        ["a+b=x%2F%C3%BC+%3F%26&c=d+e", r#"{"n":5,"s":"\"x/ü ?&\""}"#, "plain 5"]
    );
    assert_eq!(ran.seen[1].field("Content-Type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(ran.seen[2].field("Content-Type"), Some("application/json"));
    assert_eq!(ran.seen[3].field("Content-Type"), Some("text/plain"));
    assert_eq!(ran.seen[4].field("Authorization"), Some("Basic dTU6cA=="));
    assert_eq!(ran.seen[5].field("Authorization"), Some("Bearer t-5"));
    assert_eq!(ran.errors(), []);
    let names: Vec<&str> = ran.entries().iter().map(|entry| entry.1).collect();
    assert_eq!(names, ["/p/${a}?k=${a}", "/form", "/json", "/text", "/x", "/y"]);
}

#[test]
fn requests_that_cannot_be_laid_out_are_put_together() {
    let ran = once(
        r#"{ set = { link = "/a?b=1", n = 5 } },
           { get = "${link}", query = { q = "x y" }, auth = { bearer = "t" } },
           { get = "http://other/${n}", json = { n = "${n}" } },
           { get = "/n", name = "n-${n}", expect = { json = { "/a" = 1 } }, extract = { n = "json:/a" } },
           { post = "/m/${n}", multipart = { text = "t${n}" } }"#,
        |_| ok("{\"a\": 1}"),
    );
    assert_eq!(ran.lines(), ["GET /api/a?b=1&q=x+y", "GET /5", "GET /api/n", "POST /api/m/1"]);
    assert_eq!(ran.seen[1].field("Host"), Some("other"));
    assert_eq!(ran.bodies()[1], r#"{"n":5}"#);
    assert!(ran.bodies()[3].contains("name=\"text\"\r\n\r\nt1\r\n"));
    let names: Vec<&str> = ran.entries().iter().map(|entry| entry.1).collect();
    assert_eq!(names, ["${link}", "http://other/${n}", "n-5", "/m/${n}"]);
    assert_eq!(ran.errors(), []);
}

#[test]
fn what_is_not_as_expected_is_counted_and_the_task_goes_on() {
    let ran = once(
        r#"{ get = "/500" }, { get = "/500", name = "a", expect = { status = 200 } },
           { get = "/404", name = "b", expect = { status = [404, 410] } },
           { get = "/broken", expect = { json = { "/id" = 1 } } },
           { get = "/broken", name = "c", extract = { x = "json:/id" } },
           { get = "/slow", expect = { max_ms = 0.5 } },
           { get = "/gzip", expect = { status = 200, body_contains = "x" } },
           { get = "/end" }"#,
        |seen| match seen.line() {
            "GET /api/500" => (500, "", String::new()),
            "GET /api/404" => (404, "", String::new()),
            "GET /api/gzip" => (200, "Content-Encoding: gzip\r\n", "nonsense".to_owned()),
            _ => ok("{ \"id\": "),
        },
    );
    assert_eq!(
        ran.errors(),
        [
            ("/500", "500 Internal Server Error", 1),
            ("a", "status 500: expected 200", 1),
            ("/broken", "the body is no JSON with /id: expected to be 1", 1),
            ("c", "nothing to extract: no /id in the body", 1),
            ("/slow", "response time: expected to be at most 0.5 ms", 1),
            ("/gzip", "body: expected to contain \"x\"", 1),
        ]
    );
    assert_eq!(ran.seen.len(), 8);
}

#[test]
fn what_is_kept_is_used_and_what_is_missing_is_not_what_was_there_before() {
    let ran = once(
        r#"{ get = "/1", extract = { id = "json:/id", t = "header:x-token", c = "cookie:s", d = { from = "json:/no", default = 7 } } },
           { post = "/2", json = { id = "${id}", t = "${t}", c = "${c}", d = "${d}" } },
           { get = "/3", extract = { id = "json:/id" } },
           { get = "/4/${id}" }, { get = "/never" }"#,
        |seen| match seen.index {
            0 => (200, "X-Token: abc\r\nSet-Cookie: s=v\r\n", "{\"id\": [1]}".to_owned()),
            _ => (500, "", String::new()),
        },
    );
    assert_eq!(ran.bodies()[1], r#"{"id":[1],"t":"abc","c":"v","d":7}"#);
    assert_eq!(ran.seen[1].field("Cookie"), Some("s=v"));
    assert_eq!(ran.lines().len(), 3);
    let unset = "the variable \"id\" has no value: no step before this one set it, or the response that it \
                 comes from had nothing for it";
    assert_eq!(ran.errors().last(), Some(&("A.t", unset, 1)));
}

#[test]
fn a_target_that_is_down_is_counted_and_defaults_hold() {
    let world = World { listens: false, iterations: Some(3), ..World::default() };
    let steps = r#"{ get = "/", extract = { x = { from = "status", default = 0 } } }, { if = "${x} != 0", then = [{ get = "/never" }] }"#;
    let ran = world.run(&one_task("", steps), |_| ok(""));
    assert_eq!(ran.entries(), [("GET", "/", 3, 3)]);
    assert_eq!(ran.errors(), [("/", "connection refused", 3)]);
}

#[test]
fn groups_name_what_has_no_name() {
    let ran = once(
        r#"{ group = { name = "g", steps = [{ get = "/a" }, { get = "/b", name = "own" }, { post = "/c" }] } }"#,
        |_| ok(""),
    );
    assert_eq!(ran.entries(), [("GET", "g", 1, 0), ("GET", "own", 1, 0), ("POST", "g", 1, 0)]);
}

#[test]
fn redirects_are_followed_unless_told_otherwise() {
    let ran = once(
        r#"{ get = "/old", name = "a" }, { get = "/old", name = "b", redirects = false, extract = { s = "status" } }, { get = "/${s}" }"#,
        |seen| match seen.line() {
            "GET /api/old" => (302, "Location: /new\r\n", String::new()),
            _ => ok(""),
        },
    );
    assert_eq!(ran.lines(), ["GET /api/old", "GET /new", "GET /api/old", "GET /api/302"]);
}

#[test]
fn a_fresh_session_has_neither_cookies_nor_connections() {
    let steps = r#"{ get = "/a" }, { get = "/b" }"#;
    let world = World { iterations: Some(2), ..World::default() };
    let set = |_: &_| (200, "Set-Cookie: s=v\r\n", String::new());
    let ran = world.run(&one_task("fresh_session = true", steps), set);
    let seen = |ran: &super::world::Ran| -> Vec<(usize, bool)> {
        ran.seen.iter().map(|seen| (seen.connection, seen.field("Cookie").is_some())).collect()
    };
    assert_eq!(seen(&ran), [(0, false), (0, true), (1, false), (1, true)]);
    let ran = world.run(&one_task("", steps), set);
    assert_eq!(seen(&ran), [(0, false), (0, true), (0, true), (0, true)]);
}
