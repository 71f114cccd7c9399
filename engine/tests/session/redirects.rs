//! Redirects: one sample over the chain, methods and credentials as python-requests has them.

use std::time::Duration;

use crate::world::{Reply, response, run};

fn to(status: u16, location: &str) -> Reply {
    response(status, &format!("Location: {location}\r\nSet-Cookie: hop=1; Path=/\r\n"), b"moved")
}

#[test]
fn a_chain_is_one_sample_under_the_first_name() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let response = user.session.post("/a").body("form").send().await;
                assert_eq!((response.status(), response.text()), (200, "end"));
                assert_eq!(response.url(), "http://shop/c");
                // Connecting, and there and back three times.
                assert_eq!(response.elapsed(), Duration::from_millis(7));
            })
        },
        |seen| match seen.index {
            0 => to(307, "b"),
            1 => to(302, "/c"),
            _ => response(200, "", b"end"),
        },
    );
    assert_eq!(ran.lines(), ["POST /api/a HTTP/1.1", "POST /api/b HTTP/1.1", "GET /c HTTP/1.1"]);
    assert_eq!((&ran.seen[1].body[..], &ran.seen[2].body[..]), (&b"form"[..], &b""[..]));
    assert_eq!(ran.seen[2].field("Content-Length"), None);
    assert_eq!(ran.seen[2].field("Cookie"), Some("hop=1"));
    assert_eq!(ran.entries(), [("POST", "/api/a", 1, 0)]);
}

#[test]
fn a_circle_ends_after_thirty() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let response = user.session.get("/round").send().await;
                assert_eq!(response.status(), 0);
                assert!(response.error().is_some() && response.text().is_empty());
            })
        },
        |_| to(302, "/api/round"),
    );
    assert_eq!(ran.seen.len(), 31);
    assert_eq!(ran.entries(), [("GET", "/api/round", 1, 1)]);
    assert_eq!(ran.failures(), [("more than 30 redirects", 1)]);
}

#[test]
fn credentials_stay_and_heads_are_not_followed() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                session.get("/x").header("X-Kept", "1").bearer("secret").send().await;
                assert_eq!(session.head("/x").send().await.status(), 302);
                let stays = session.get("/x").follow_redirects(false).send().await;
                assert_eq!(
                    (stays.status(), stays.header("location").as_deref()),
                    (302, Some("http://other:81/y"))
                );
            })
        },
        |seen| match seen.line().contains("/x") {
            true => to(302, "http://other:81/y"),
            false => response(200, "", b""),
        },
    );
    let lines = ran.lines();
    assert_eq!(lines[..2], ["GET /api/x HTTP/1.1", "GET /y HTTP/1.1"]);
    assert_eq!((lines.len(), lines[2]), (4, "HEAD /api/x HTTP/1.1"));
    assert_eq!(ran.seen[1].field("Host"), Some("other:81"));
    assert_eq!(
        (ran.seen[1].field("Authorization"), ran.seen[1].field("X-Kept")),
        (None, Some("1"))
    );
    assert_eq!(ran.seen[1].field("Cookie"), None);
}

#[test]
fn a_redirect_to_another_scheme_or_to_nowhere_is_a_failure() {
    let ran = run(
        |user| {
            Box::pin(async move {
                user.session.get("/s").send().await;
                user.session.get("/m").send().await;
                // Without a Location it is a response like any other.
                assert_eq!(user.session.get("/n").send().await.status(), 302);
            })
        },
        |seen| match seen.index {
            0 => to(302, "ftp://shop/"),
            1 => to(302, "http://[bad/"),
            _ => response(302, "", b""),
        },
    );
    let mut failures = ran.failures();
    failures.sort_unstable();
    let malformed = "the URL is malformed: its address is not one";
    let scheme = "the URL's scheme is not supported, only http:// and https://";
    assert_eq!(failures, [(malformed, 1), (scheme, 1)]);
}
