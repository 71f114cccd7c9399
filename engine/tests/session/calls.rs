//! What a call sends, gives back and is counted as.

use std::time::Duration;

use loadr_engine::client::session::Part;
use serde_json::json;

use crate::world::{Ran, Reply, World, response, run};

fn ok(_: &crate::world::Seen) -> Reply {
    response(200, "", b"ok")
}

#[test]
fn a_call_says_what_the_host_the_options_and_it_itself_say() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                let response =
                    session.get("/a b").query([("q", "1&2")]).header("X", "y").send().await;
                assert_eq!((response.status(), response.text()), (200, "ok"));
                assert!(response.ok() && response.failure().is_none());
                assert_eq!(response.url(), "http://shop/api/a%20b?q=1%262");
                // A millisecond for each of: connecting, there, back.
                assert_eq!(response.elapsed(), Duration::from_millis(3));
                session.post("/f").form([("k", "v w")]).header("accept", "x/y").send().await;
                session.post("/j").json(&json!({"n": 1})).bearer("t").send().await;
                session.put("/m").multipart([Part::text("a", "b")]).send().await;
                session.request("PURGE", "/p").body("raw").send().await;
            })
        },
        ok,
    );
    let seen = &ran.seen;
    assert_eq!(seen[0].line(), "GET /api/a%20b?q=1%262 HTTP/1.1");
    assert!(seen[0].head.starts_with("GET /api/a%20b?q=1%262 HTTP/1.1\r\nHost: shop\r\n"));
    assert_eq!(seen[0].field("Authorization"), Some("Basic dXNlcjpwQHNz"));
    assert_eq!(seen[0].field("Accept-Encoding"), Some("gzip, deflate, br, zstd"));
    assert_eq!((seen[0].field("X"), seen[0].field("Accept")), (Some("y"), Some("*/*")));
    assert_eq!(seen[1].body, b"k=v+w");
    assert_eq!(seen[1].field("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen[1].head.to_lowercase().matches("accept: ").count(), 1);
    assert_eq!(seen[2].body, br#"{"n":1}"#);
    assert_eq!(seen[2].field("Authorization"), Some("Bearer t"));
    assert!(seen[3].field("Content-Type").is_some_and(|t| t.starts_with("multipart/form-data; b")));
    assert_eq!((seen[4].line(), &seen[4].body[..]), ("PURGE /api/p HTTP/1.1", &b"raw"[..]));
    assert_eq!(ran.connections(), [0; 5]);
    assert_eq!(ran.entries()[0], ("GET", "/api/a%20b?q=1%262", 1, 0));
}

#[test]
fn names_are_given_to_the_call_to_the_session_or_taken_from_the_path() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                session.get("/1").send().await;
                session.set_request_name(Some("group"));
                session.get("/2").send().await;
                {
                    let _guard = session.rename_requests("block");
                    session.get("/3").send().await;
                    session.get("/4").name("own").send().await;
                }
                session.get("/5").send().await;
                session.set_request_name(None);
                session.get("http://other:81/6?x#y").send().await;
            })
        },
        ok,
    );
    let mut names: Vec<_> = ran.entries().iter().map(|entry| (entry.1, entry.2)).collect();
    names.sort_unstable();
    assert_eq!(names, [("/6?x", 1), ("/api/1", 1), ("block", 1), ("group", 2), ("own", 1)]);
}

#[test]
fn statuses_and_checks_decide_what_counts() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                let bad = session.get("/404").name("n").send().await;
                assert_eq!((bad.status(), bad.ok(), bad.error()), (404, false, None));
                assert_eq!(bad.failure().map(|f| &*f.message), Some("404 Not Found"));
                session.get("/404").name("n").expect_status(404).send().await;
                session.get("/200").name("n").expect_status([201, 202]).send().await;
                session.get("/404").name("n").check(|r| r.success()).send().await;
                let price = String::from("no price");
                let checked = session.get("/200").name("n").check(|r| {
                    r.success();
                    if r.pointer("/price").is_none() {
                        r.failure(price.clone());
                    }
                });
                assert_eq!(checked.send().await.failure().map(|f| &*f.message), Some("no price"));
                session.request("NO GOOD", "/").name("n").send().await;
                session.get("http://[bad/").name("n").send().await;
                session.get("/").header("X", "a\r\nb").name("n").send().await;
            })
        },
        |seen| response(if seen.line().contains("404") { 404 } else { 200 }, "", b"{}"),
    );
    let sum = |ran: &Ran| ran.entries().iter().fold((0, 0), |s, e| (s.0 + e.2, s.1 + e.3));
    assert_eq!(sum(&ran), (8, 6));
    let failures = ran.failures();
    for wanted in
        ["404 Not Found", "200 OK", "no price", "the URL is malformed: its address is not one"]
    {
        assert!(failures.contains(&(wanted, 1)), "{wanted}: {failures:?}");
    }
    assert_eq!(ran.seen.len(), 5, "what cannot be sent is not");
}

#[test]
fn cookies_and_headers_are_the_users_until_it_is_another() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                session.get("/login").send().await;
                assert_eq!(session.cookie("id").as_deref(), Some("7"));
                session.set_cookie("mine", "1").expect("a cookie");
                session.set_header("X-Token", "t").expect("a header");
                assert!(session.set_header("X-Token", "a\r\nb").is_err());
                session.set_basic_auth("me", "too");
                session.get("/in").send().await;
                session.get("http://other:81/").send().await;
                session.get("/own").header("Cookie", "only=this").send().await;
                session.clear();
                session.get("/fresh").send().await;
            })
        },
        |_| response(200, "Set-Cookie: id=7; Path=/\r\n", b""),
    );
    let fields = |name| ran.seen.iter().map(|seen| seen.field(name)).collect::<Vec<_>>();
    let both = Some("id=7; mine=1");
    assert_eq!(fields("Cookie"), [None, both, None, Some("only=this"), None]);
    assert_eq!(fields("X-Token"), [None, Some("t"), Some("t"), Some("t"), None]);
    let (host, own) = (Some("Basic dXNlcjpwQHNz"), Some("Basic bWU6dG9v"));
    assert_eq!(fields("Authorization"), [host, own, None, own, host]);
    assert_eq!(ran.connections(), [0, 0, 1, 0, 2]);
}

#[test]
fn the_budget_is_spent_exactly_and_then_nobody_returns() {
    let world = World { requests: Some(3), ends: false, ..World::default() };
    let ran = world.run(
        |user| {
            Box::pin(async move {
                loop {
                    user.session.get("/").send().await;
                }
            })
        },
        ok,
    );
    assert_eq!((ran.entries(), ran.seen.len()), (vec![("GET", "/api/", 3, 0)], 3));
}
