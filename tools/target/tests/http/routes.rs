//! What each route answers.

use loadr_target::{BODY_PATTERN, RouteKind};

use crate::client::{Client, get, start};

fn pattern(bytes: usize) -> Vec<u8> {
    BODY_PATTERN.iter().copied().cycle().take(bytes).collect()
}

#[test]
fn root_is_small_and_fixed() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for path in ["/", "/", "/?any=query"] {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.text()), (200, "hello world\n"));
        assert_eq!(answer.head.len() + answer.body.len(), 160);
        for (name, value) in [
            ("Server", "loadr-target"),
            ("Content-Type", "text/plain"),
            ("Content-Length", "12"),
            ("Connection", "keep-alive"),
        ] {
            assert_eq!(answer.field(name), Some(value));
        }
    }
}

#[test]
fn bytes_are_as_many_as_asked_for() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for bytes in [0, 1, 64, 16_384, 16_385, 1_000_003] {
        let answer = client.get(&format!("/bytes/{bytes}"));
        assert_eq!(answer.status, 200);
        assert!(answer.body == pattern(bytes), "{bytes}");
    }
    assert_eq!(client.get("/bytes/1073741825").status, 400);
    assert_eq!(client.get("/").status, 200, "the connection goes on");
}

#[test]
fn chunks_have_extensions_and_trailers_by_the_documented_rule() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for bytes in [0, 1, 16, 69_919, 300_001, 2_000_000] {
        let answer = client.get(&format!("/chunked/{bytes}"));
        assert!(answer.body == pattern(bytes), "{bytes}");
        let trailer = format!("X-Body-Bytes: {bytes}");
        assert_eq!(answer.framing.contains(&trailer), bytes % 2 == 1);
        assert_eq!(answer.field("Trailer").is_some(), bytes % 2 == 1);
    }
    let framing = client.get("/chunked/4384").framing;
    assert_eq!(framing, ["1", "f", "10;chunk=\"2\"", "ff", "1000", "1;chunk=\"5\"", "0"]);
}

#[test]
fn chunks_are_unframed_for_old_clients() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send("GET /chunked/100000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.field("Connection"), Some("close"));
    assert_eq!((answer.field("Transfer-Encoding"), answer.field("Content-Length")), (None, None));
    assert!(answer.body == pattern(100_000));
}

#[test]
fn status_is_what_was_asked_for() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for status in [200, 201, 404, 500, 599, 999] {
        let answer = client.get(&format!("/status/{status}"));
        assert_eq!((answer.status, answer.text()), (status, format!("status {status}\n").as_str()));
    }
    for status in [204, 304] {
        let answer = client.get(&format!("/status/{status}"));
        assert_eq!((answer.status, answer.field("Content-Length")), (status, None));
    }
    client.send(get("/status/103"));
    assert_eq!((client.answer().status, client.answer().status), (103, 200));
    for path in ["/status/99", "/status/1000", "/status/101", "/status/ok"] {
        assert_eq!(client.get(path).status, 400, "{path}");
    }
}

#[test]
fn old_clients_get_no_interim_answer() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send("GET /status/103 HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.expect_close();
}

#[test]
fn echo_answers_the_body_of_any_method_and_framing() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    assert_eq!(client.get("/echo").text(), "");
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "MADE-UP"] {
        client.send(format!("{method} /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"));
        assert_eq!(client.answer().text(), "body", "{method}");
    }
    let chunks = "4\r\nWiki\r\n5;ext=1\r\npedia\r\n0\r\nTrailer: 1\r\n\r\n";
    client.send(format!(
        "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
    ));
    let answer = client.answer();
    assert_eq!((answer.text(), answer.field("Content-Length")), ("Wikipedia", Some("9")));
}

#[test]
fn echo_takes_large_bodies_up_to_its_limit() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let body = pattern(5_000_000);
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n");
    client.send(&body);
    assert!(client.answer().body == body);
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4c4b40\r\n");
    client.send(&body);
    client.send("\r\n0\r\n\r\n");
    assert!(client.answer().body == body);
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 16777217\r\n\r\n");
    assert_eq!(client.answer().status, 413);
    client.expect_close();
}

#[test]
fn a_client_that_waits_is_told_to_continue() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let fields = "Host: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n";
    client.send(format!("POST /echo HTTP/1.1\r\n{fields}\r\n"));
    assert_eq!(client.head(), (100, "HTTP/1.1 100 Continue\r\n\r\n".into()));
    client.send("ok");
    assert_eq!(client.answer().text(), "ok");
}

#[test]
fn bodies_of_other_routes_are_read_over() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n");
    client.send(vec![b'x'; 20_000_000]);
    assert_eq!(client.answer().text(), "hello world\n");
    assert_eq!(client.get("/").status, 200);
}

#[test]
fn close_closes() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let answer = client.get("/close");
    assert_eq!((answer.status, answer.field("Connection")), (200, Some("close")));
    client.expect_close();
}

#[test]
fn headers_come_back_as_they_went() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let head =
        "POST /headers?x HTTP/1.1\r\nhOST: h\r\nX-Odd:   spaced \r\nContent-Length: 3\r\n\r\n";
    client.send(format!("{head}abc"));
    assert_eq!(client.answer().text(), head);
    assert_eq!(client.get("/headers").text(), get("/headers"));
}

#[test]
fn count_tells_what_was_served_before_it() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send(get("/").repeat(3));
    (0..3).for_each(|_| assert_eq!(client.answer().status, 200));
    client.get("/bytes/1");
    client.get("/nowhere");
    client.get("/status/nothing");
    for (count, total) in [(0, 6), (1, 7)] {
        let text = client.get("/count").text().to_owned();
        for line in [
            "root 3".to_owned(),
            "bytes 1".into(),
            "not-found 1".into(),
            "refused 1".into(),
            format!("count {count}"),
            format!("total {total}"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
    let stats = target.stop().unwrap();
    assert_eq!((stats.requests(), stats.served(RouteKind::Count)), (8, 2));
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for path in ["/", "/bytes/1000000", "/chunked/33", "/status/500", "/headers", "/nowhere"] {
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n"));
        let head = client.head();
        let answer = client.get(path);
        let length = |head: &str| head.len() - if path == "/headers" { 1 } else { 0 };
        assert_eq!(head.0, answer.status, "{path}");
        if path != "/headers" {
            assert_eq!(length(&head.1), length(&answer.head), "{path}");
        }
    }
}

#[test]
fn unknown_paths_are_not_found() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    for path in ["/nowhere", "/bytes", "/echo/", "*", "//"] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    assert_eq!(client.get("http://here/").status, 200, "absolute form");
}
