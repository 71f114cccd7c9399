//! Clients that break the rules, read slowly or go away.

use loadr_target::RouteKind;

use crate::client::{Client, Process, eventually, get, start};

#[test]
fn broken_requests_are_answered_400_and_closed() {
    let target = start();
    let chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n";
    for request in [
        "nonsense\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: many\r\n\r\n".into(),
        format!("{chunked}Content-Length: 3\r\n\r\n"),
        format!("{chunked}\r\nsize\r\n"),
        format!("{chunked}\r\n3\r\nabcd\r\n"),
    ] {
        let mut client = Client::connect(target.local_addr());
        client.send(get("/") + &request);
        assert_eq!(client.answer().status, 200);
        let answer = client.answer();
        assert_eq!((answer.status, answer.field("Connection")), (400, Some("close")), "{request}");
        client.expect_close();
    }
    assert_eq!(target.stats().served(RouteKind::Refused), 6);
}

#[test]
fn an_oversized_head_is_answered_431_though_the_client_goes_on_sending() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send("GET / HTTP/1.1\r\nHost: h\r\n");
    client.send(format!("X-Long: {}\r\n\r\n", "x".repeat(1_000_000)));
    assert_eq!(client.answer().status, 431);
    client.expect_close();
    let mut client = Client::connect(target.local_addr());
    client.send(format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(200)));
    assert_eq!(client.answer().status, 431);
    client.expect_close();
}

#[test]
fn slow_readers_cost_no_memory_and_hold_nobody_up() {
    const BYTES: usize = 50_000_000;
    let target = Process::start(None);
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(target.address)).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        let route = if index % 2 == 0 { "bytes" } else { "chunked" };
        client.send(get(&format!("/{route}/{BYTES}")) + &get("/"));
    }
    let mut other = Client::connect(target.address);
    assert_eq!(other.get("/").status, 200);
    for client in &mut clients {
        assert_eq!(client.answer().body.len(), BYTES);
        assert_eq!(client.answer().text(), "hello world\n");
        assert_eq!(other.get("/").status, 200);
    }
    assert!(target.resident_kib_max() < 16 * 1024, "{} KiB", target.resident_kib_max());
}

#[test]
fn clients_may_leave_in_the_middle() {
    let target = start();
    for path in ["/bytes/1073741824", "/chunked/1073741824", "/delay/60m", "/"] {
        let mut client = Client::connect(target.local_addr());
        client.send(get(path));
        if !path.starts_with("/delay") {
            client.bytes(1);
        }
    }
    let mut client = Client::connect(target.local_addr());
    client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    drop(client);
    eventually(|| {
        let stats = target.stats();
        stats.connections_accepted == 5 && stats.connections_open == 0
    });
}

#[test]
fn a_refused_client_that_does_not_close_is_closed() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.answer().status, 400);
    eventually(|| target.stats().connections_open == 0);
}

#[test]
fn running_out_of_descriptors_only_makes_clients_wait() {
    let target = Process::start(Some(32));
    let clients: Vec<_> = (0..60).map(|_| Client::connect(target.address)).collect();
    // Each one that closes lets the next one in, and nobody is turned away.
    for mut client in clients {
        assert_eq!(client.get("/close").status, 200);
        client.expect_close();
    }
    assert_eq!(Client::connect(target.address).get("/").status, 200);
}
