//! Prepared calls: the same on the wire as others, with slots filled in.

use loadr_engine::client::session::{PreparedCall, PreparedParts, Reads, Verdict};
use loadr_protocols::http1::{Method, Piece};

use crate::world::{User, response, run};

fn prepare(user: &User, parts: PreparedParts) -> PreparedCall {
    PreparedCall::new(&user.shard, &user.settings, parts).expect("the parts are good")
}

fn get(target: &str) -> PreparedParts {
    PreparedParts::new(Method::Get, vec![Piece::text(target)])
}

#[test]
fn slots_are_filled_and_the_users_lines_put_in() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let target = vec![
                    Piece::text("/items/"),
                    Piece::Slot(0),
                    Piece::text("?q="),
                    Piece::Slot(1),
                ];
                let mut parts = PreparedParts::new(Method::Post, target);
                parts.headers = vec![("X-Item".to_owned(), vec![Piece::Slot(0)])];
                parts.body = Some(vec![Piece::text("id="), Piece::Slot(0)]);
                let post = prepare(
                    &user,
                    PreparedParts { name: Some("item".to_owned()), ..parts.clone() },
                );
                let unnamed = prepare(&user, parts);
                let session = &user.session;
                let send = |values| session.send_prepared(&post, values, |_| Verdict::Undecided);
                assert_eq!(send(&[b"a b", b"c"]).await.status, 200);
                session.set_header("X-Token", "t").expect("a header");
                assert!(!send(&[b"7", b""]).await.failed);
                assert!(send(&[b"only one"]).await.failed);
                assert!(send(&[b"a\r\nb", b""]).await.failed);
                session.send_prepared(&unnamed, &[b"9", b"x"], |_| Verdict::Undecided).await;
            })
        },
        |_| response(200, "Set-Cookie: id=1; Path=/api/items/7\r\n", b""),
    );
    assert_eq!(
        ran.lines(),
        [
            "POST /api/items/a%20b?q=c HTTP/1.1",
            "POST /api/items/7?q= HTTP/1.1",
            "POST /api/items/9?q=x HTTP/1.1"
        ]
    );
    let seen = &ran.seen[1];
    assert_eq!((seen.field("X-Item"), seen.field("X-Token")), (Some("7"), Some("t")));
    assert_eq!(seen.field("Authorization"), Some("Basic dXNlcjpwQHNz"));
    assert_eq!(seen.field("Cookie"), Some("id=1"), "the cookie is for this path");
    assert_eq!((ran.seen[0].field("Cookie"), ran.seen[2].field("Cookie")), (None, None));
    assert_eq!((&ran.seen[0].body[..], &seen.body[..]), (&b"id=a b"[..], &b"id=7"[..]));
    assert_eq!(ran.entries(), [("POST", "item", 4, 2), ("POST", "/api/items/9?q=x", 1, 0)]);
}

#[test]
fn what_is_read_is_there_and_decides() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = &user.session;
                let blind = prepare(&user, get("/"));
                let reply = session.send_prepared(&blind, &[], |view| {
                    assert_eq!(
                        (view.status(), view.body(), view.headers().count()),
                        (503, &b""[..], 0)
                    );
                    Verdict::Undecided
                });
                assert!(reply.await.failed);
                let reads = Reads { head: true, body: true };
                let reading = prepare(&user, PreparedParts { reads, ..get("/") });
                for _ in 0..2 {
                    let reply = session.send_prepared(&reading, &[], |view| {
                        assert_eq!((view.header("a"), &*view.text()), (Some(&b"b"[..]), "busy"));
                        Verdict::Success
                    });
                    assert!(!reply.await.failed);
                }
                session.set_request_name(Some("renamed"));
                let reply =
                    session.send_prepared(&blind, &[], |_| Verdict::Failure("wrong".into()));
                assert!(reply.await.failed);
            })
        },
        |_| response(503, "A: b\r\n", b"busy"),
    );
    assert_eq!(ran.entries(), [("GET", "/api/", 3, 1), ("GET", "renamed", 1, 1)]);
    let mut failures = ran.failures();
    failures.sort_unstable();
    assert_eq!(failures, [("503 Service Unavailable", 1), ("wrong", 1)]);
    assert_eq!(ran.connections(), [0; 4]);
}

#[test]
fn redirects_are_followed_in_the_same_sample() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let mut parts = PreparedParts::new(Method::Post, vec![Piece::text("/a")]);
                parts.body = Some(vec![Piece::text("x")]);
                parts.reads.body = true;
                let call = prepare(&user, parts);
                let reply = user.session.send_prepared(&call, &[], |view| {
                    assert_eq!(&*view.text(), "end");
                    Verdict::Undecided
                });
                assert_eq!(reply.await.status, 200);
            })
        },
        |seen| match seen.index {
            0 => response(308, "Location: http://other:81/b\r\nSet-Cookie: a=b\r\n", b"moved"),
            1 => response(303, "Location: http://shop/api/c\r\n", b""),
            _ => response(200, "", b"end"),
        },
    );
    assert_eq!(ran.lines(), ["POST /api/a HTTP/1.1", "POST /b HTTP/1.1", "GET /api/c HTTP/1.1"]);
    assert_eq!((ran.seen[1].field("Authorization"), &ran.seen[1].body[..]), (None, &b"x"[..]));
    assert_eq!(ran.seen[2].field("Cookie"), Some("a=b"));
    assert_eq!(ran.entries(), [("POST", "/api/a", 1, 0)]);
}
