//! Rules of connections: keep-alive, pipelining, splits, many of them at once.

use std::os::unix::net::UnixStream;

use loadr_target::{RouteKind, Target, TargetOptions};

use crate::client::{Client, get, raise_descriptor_limit, start};

#[test]
fn keep_alive_follows_the_version_and_the_client() {
    let target = start();
    for (request, stays) in [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
        let mut client = Client::connect(target.local_addr());
        client.send(request);
        let answer = client.answer();
        let connection = if stays { "keep-alive" } else { "close" };
        assert_eq!(answer.field("Connection"), Some(connection), "{request}");
        if stays {
            assert_eq!(client.get("/").status, 200);
        } else {
            client.expect_close();
        }
    }
}

/// Requests of most routes in a row, and what their answers end with.
fn mix() -> (String, Vec<&'static str>) {
    let parts = [
        (get("/"), "hello world\n"),
        (get("/"), "hello world\n"),
        (get("/delay/2"), "delayed 2.000000 ms\n"),
        (get("/bytes/3"), "012"),
        ("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello".into(), "hello"),
        (get("/chunked/2"), "01"),
        (get("/bytes/100036"), "0123"),
        (
            "PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
                .into(),
            "hi",
        ),
        (get("/status/204"), ""),
        (get("/random-delay?law=fixed&mean=0.5"), "delayed 0.500000 ms\n"),
        (get("/nowhere"), "no such path\n"),
        (get("/"), "hello world\n"),
    ];
    (parts.iter().map(|(request, _)| request.as_str()).collect(), parts.map(|(_, end)| end).into())
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let (requests, ends) = mix();
    client.send(requests.repeat(20));
    for end in std::iter::repeat_n(ends, 20).flatten() {
        let answer = client.answer();
        assert!(answer.text().ends_with(end), "{end} in {}", answer.text());
    }
}

#[test]
fn requests_may_come_byte_by_byte() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let (requests, ends) = mix();
    for byte in requests.as_bytes() {
        client.send([*byte]);
    }
    for end in ends {
        assert!(client.answer().text().ends_with(end), "{end}");
    }
}

#[test]
fn deep_pipelines_do_not_need_a_reader() {
    const REQUESTS: usize = 50_000;
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let mut sender = client.socket().try_clone().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::io::Write::write_all(&mut sender, get("/").repeat(REQUESTS).as_bytes()).unwrap();
        });
        for _ in 0..REQUESTS {
            assert_eq!(client.answer().body.len(), 12);
        }
    });
    assert_eq!(target.stats().served(RouteKind::Root), REQUESTS as u64);
}

#[test]
fn a_client_that_has_said_all_gets_all_answers() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send(get("/") + &get("/bytes/50000000") + &get("/"));
    client.socket().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.answer().text(), "hello world\n");
    assert_eq!(client.answer().body.len(), 50_000_000);
    assert_eq!(client.answer().text(), "hello world\n");
    client.expect_close();
}

#[test]
fn requests_behind_a_close_are_dropped() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send(get("/close") + &get("/").repeat(5000));
    assert_eq!(client.answer().status, 200);
    client.expect_close();
    assert_eq!(target.stats().requests(), 1);
}

#[test]
fn thousands_of_connections_are_served_at_once() {
    const CONNECTIONS: usize = 2000;
    raise_descriptor_limit(2 * CONNECTIONS as u64 + 500);
    let options = TargetOptions { threads: 2, ..TargetOptions::default() };
    let target = Target::bind(options).unwrap().spawn().unwrap();
    let connect = |_| Client::connect(target.local_addr());
    let mut clients: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    for _ in 0..3 {
        clients.iter_mut().for_each(|client| client.send(get("/") + &get("/bytes/5")));
        for client in &mut clients {
            assert_eq!(client.answer().text(), "hello world\n");
            assert_eq!(client.answer().text(), "01234");
        }
    }
    let stats = target.stats();
    assert_eq!(stats.connections_accepted, CONNECTIONS as u64);
    assert_eq!(stats.connections_open, CONNECTIONS as u64);
    assert_eq!(stats.served(RouteKind::Root), 3 * CONNECTIONS as u64);
    assert_eq!(stats.requests(), 6 * CONNECTIONS as u64);
}

#[test]
fn a_unix_socket_serves_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("target.sock");
    let options = TargetOptions { unix_socket: Some(path.clone()), ..TargetOptions::default() };
    let target = Target::bind(options).unwrap().spawn().unwrap();
    let mut unix = Client::new(UnixStream::connect(&path).unwrap());
    let mut tcp = Client::connect(target.local_addr());
    let (requests, ends) = mix();
    unix.send(&requests);
    for end in ends {
        assert!(unix.answer().text().ends_with(end), "{end}");
    }
    assert_eq!(unix.get("/bytes/3000000").body.len(), 3_000_000);
    assert_eq!(tcp.get("/").status, 200);
    assert_eq!(target.stop().unwrap().connections_accepted, 2);
}
