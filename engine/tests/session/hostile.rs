//! Targets that send too much, or what nobody can read.

use crate::world::{Reply, response, run};

const MEBIBYTE: usize = 1024 * 1024;

#[test]
fn a_body_of_100_mb_is_refused_and_its_connection_dropped() {
    let ran = run(
        |user| {
            Box::pin(async move {
                for _ in 0..2 {
                    let response = user.session.get("/").send().await;
                    assert_eq!((response.status(), response.body().len()), (0, 0));
                }
                assert_eq!(user.session.get("/").send().await.text(), "ok");
            })
        },
        |seen| {
            let head = "HTTP/1.1 200 OK\r\n";
            match seen.index {
                0 => Reply::Send(format!("{head}Content-Length: 100000000\r\n\r\n").into_bytes()),
                1 => {
                    let mut chunk = format!("{MEBIBYTE:x}\r\n").into_bytes();
                    chunk.resize(chunk.len() + MEBIBYTE, b'x');
                    chunk.extend_from_slice(b"\r\n");
                    let head = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
                    Reply::Stream(head, chunk, 100)
                }
                _ => response(200, "", b"ok"),
            }
        },
    );
    let message = "response body larger than 16777216 bytes";
    assert_eq!(ran.failures(), [(message, 2)]);
    assert_eq!(ran.connections(), [0, 1, 2]);
    let exchanges = &ran.outcome.entries.iter().find(|e| &*e.key.method == "GET").expect("it");
    // What was received is no more than the bound and a buffer.
    assert!(exchanges.counts.bytes_received < 17 * MEBIBYTE as u64);
}

#[test]
fn a_broken_coding_fails_whoever_reads_the_body() {
    let ran = run(
        |user| {
            Box::pin(async move {
                let session = user.session;
                let unread = session.get("/").name("unread").send().await;
                assert!(unread.failure().is_none());
                assert_eq!(unread.body_error().map(|f| &*f.message), Some("broken gzip body"));
                let read = session.get("/").name("read").check(|r| assert_eq!(r.text(), ""));
                assert_eq!(read.send().await.status(), 200);
                let forgiven = session.get("/").name("forgiven").check(|r| {
                    r.text();
                    r.success();
                });
                forgiven.send().await;
            })
        },
        |_| response(200, "Content-Encoding: gzip\r\n", b"this is no gzip"),
    );
    assert_eq!(ran.failures(), [("broken gzip body", 1)]);
    let mut entries = ran.entries();
    entries.sort_unstable();
    assert_eq!(
        entries,
        [("GET", "forgiven", 1, 0), ("GET", "read", 1, 1), ("GET", "unread", 1, 0)]
    );
}

#[test]
fn thousands_of_cookies_are_cut_to_the_newest() {
    let ran = run(
        |user| {
            Box::pin(async move {
                for _ in 0..41 {
                    user.session.get("/").name("n").send().await;
                }
            })
        },
        |seen| {
            let lines: String = (0..100)
                .map(|n| {
                    format!("Set-Cookie: c{}={}; Path=/\r\n", seen.index * 100 + n, "v".repeat(50))
                })
                .collect();
            response(200, &lines, b"")
        },
    );
    let last = ran.seen[40].field("Cookie").expect("cookies");
    assert_eq!(last.split("; ").count(), 300);
    assert!(last.starts_with("c3700=") && last.contains("c3999="));
}
