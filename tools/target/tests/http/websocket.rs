//! WebSockets over real sockets; the rules of the protocol are tested where they are written.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use loadr_target::RouteKind;

use crate::client::{Client, Process, eventually, get, raise_descriptor_limit, start};

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

fn upgrade(path: &str) -> String {
    get(path).replace(
        "\r\n\r\n",
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
}

/// A masked frame; its first byte as it goes.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        0..=125 => bytes.push(0x80 | payload.len() as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((payload.len() as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend([7, 8, 9, 10]);
    bytes.extend(payload.iter().zip([7, 8, 9, 10].iter().cycle()).map(|(byte, key)| byte ^ key));
    bytes
}

/// Reads an unmasked frame: its first byte and its payload.
pub(crate) fn read<S: Read + Write + std::fmt::Debug>(client: &mut Client<S>) -> (u8, Vec<u8>) {
    let start = client.bytes(2);
    let len = match start[1] {
        126 => u16::from_be_bytes(client.bytes(2).try_into().unwrap()).into(),
        127 => u64::from_be_bytes(client.bytes(8).try_into().unwrap()),
        len => len.into(),
    };
    (start[0], client.bytes(len as usize))
}

pub(crate) fn open<S: Read + Write + std::fmt::Debug>(client: &mut Client<S>, path: &str) {
    client.send(upgrade(path));
    let (status, head) = client.head();
    assert_eq!(status, 101, "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
}

#[test]
fn messages_of_every_kind_and_size_are_echoed() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    assert_eq!(client.get("/").status, 200, "a connection may be used before it is upgraded");
    open(&mut client, "/ws");
    for (first, len) in [
        (TEXT, 0),
        (TEXT, 5),
        (BINARY, 125),
        (BINARY, 126),
        (TEXT, 65_535),
        (BINARY, 65_536),
        (TEXT, 300_000),
        (BINARY, 16 << 20),
    ] {
        let payload = vec![b'a'; len];
        client.send(frame(first, &payload));
        assert!(read(&mut client) == (first, payload), "{len} bytes");
    }
    client.send([frame(0x01, b"in "), frame(PING, b"?"), frame(0x80, b"two")].concat());
    assert_eq!(read(&mut client), (PONG, b"?".to_vec()));
    assert_eq!(read(&mut client), (TEXT, b"in two".to_vec()));
    client.send(frame(CLOSE, &[3, 232]));
    assert_eq!(read(&mut client), (CLOSE, vec![3, 232]));
    client.expect_close();
    let stats = target.stop().unwrap();
    assert_eq!(stats.messages(RouteKind::WebSocket), 9);
    assert_eq!(stats.served(RouteKind::WebSocket), 1);
}

#[test]
fn messages_sent_ahead_and_byte_by_byte_are_echoed_in_order() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let words: Vec<_> = (0..2000).map(|index| format!("message {index}")).collect();
    let frames: Vec<_> = words.iter().map(|word| frame(TEXT, word.as_bytes())).collect();
    client.send([upgrade("/ws").into_bytes(), frames.concat()].concat());
    assert_eq!(client.head().0, 101);
    for word in &words {
        assert_eq!(read(&mut client), (TEXT, word.clone().into_bytes()));
    }
    for byte in frame(TEXT, b"slowly") {
        client.send([byte]);
    }
    assert_eq!(read(&mut client), (TEXT, b"slowly".to_vec()));
}

#[test]
fn violations_are_answered_and_end_the_connection() {
    let target = start();
    let big = [[BINARY, 0xff].as_slice(), &(1_u64 << 30).to_be_bytes(), &[0; 4]].concat();
    for (input, code) in [
        (vec![TEXT, 1, b'x'], 1002_u16),
        (frame(0xf1, b"x"), 1002),
        (frame(TEXT, &[0xc3, 0x28]), 1007),
        (big, 1009),
    ] {
        let mut client = Client::connect(target.local_addr());
        open(&mut client, "/ws");
        client.send(&input);
        let (first, payload) = read(&mut client);
        assert_eq!((first, &payload[..2]), (CLOSE, code.to_be_bytes().as_slice()));
        assert!(payload.len() > 2, "the reason is told");
        client.expect_close();
    }
}

#[test]
fn pushes_come_on_time_beside_echoes() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let start = Instant::now();
    open(&mut client, "/ws/push?every=5&count=20");
    client.send(frame(TEXT, b"echo"));
    let (mut ids, mut echoes) = (Vec::new(), 0);
    while ids.len() < 20 {
        let (first, payload) = read(&mut client);
        assert_eq!(first, TEXT);
        if payload == b"echo" {
            echoes += 1;
            continue;
        }
        let message: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(message["type"], "push");
        assert!(message["sent_ms"].is_f64(), "{message}");
        ids.push(message["id"].as_u64().unwrap());
    }
    assert!(start.elapsed() >= Duration::from_millis(100), "20 times 5 ms");
    assert_eq!((ids, echoes), ((1..=20).collect(), 1));
    client.send(frame(TEXT, b"still there"));
    assert_eq!(read(&mut client).1, b"still there");
    let stats = target.stop().unwrap();
    assert_eq!(stats.pushes(RouteKind::WebSocketPush), 20);
    assert_eq!(stats.messages(RouteKind::WebSocketPush), 2);
}

#[test]
fn keepalive_messages_are_acknowledged() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    open(&mut client, "/ws/keepalive?every=2");
    let mut acknowledged = 0;
    while acknowledged < 5 {
        let (_, payload) = read(&mut client);
        let message: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        match message["type"].as_str() {
            Some("keepalive") => client.send(frame(TEXT, &payload)),
            Some("ok") => acknowledged += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(target.stats().messages(RouteKind::WebSocketKeepalive) >= 5);
}

#[test]
fn a_client_that_does_not_read_gets_no_more_than_fits() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    open(&mut client, "/ws/push?every=0.1");
    let mut pushed = 0;
    for _ in 0..3000 {
        client.send(frame(BINARY, &[0; 16_000]));
        let now = target.stats().pushes(RouteKind::WebSocketPush);
        if now == pushed && now > 0 {
            break;
        }
        pushed = now;
    }
    // It goes on as soon as somebody reads.
    let start = target.stats().pushes(RouteKind::WebSocketPush);
    while target.stats().pushes(RouteKind::WebSocketPush) < start + 10 {
        read(&mut client);
    }
}

#[test]
fn the_target_closes_as_it_is_told() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    open(&mut client, "/ws/close?after=2&code=4001");
    client.send(frame(TEXT, b"one"));
    assert_eq!(read(&mut client).1, b"one");
    client.send([frame(TEXT, b"two"), frame(TEXT, b"three")].concat());
    assert_eq!(read(&mut client).1, b"two");
    let (first, payload) = read(&mut client);
    assert_eq!((first, &payload[..2]), (CLOSE, 4001_u16.to_be_bytes().as_slice()));
    client.send(frame(CLOSE, &payload));
    client.expect_close();
    eventually(|| target.stats().connections_open == 0);
}

#[test]
fn what_is_no_handshake_is_answered_and_the_connection_goes_on() {
    let target = start();
    let mut client = Client::connect(target.local_addr());
    let answer = client.get("/ws");
    assert_eq!((answer.status, answer.field("Sec-WebSocket-Version")), (426, Some("13")));
    for (line, replacement, status) in [
        ("Version: 13", "Version: 7", 426),
        ("dGhlIHNhbXBsZSBub25jZQ==", "short", 400),
        ("GET ", "PUT ", 400),
        ("Host: here", "Host: here\r\nContent-Length: 0", 101),
    ] {
        client.send(upgrade("/ws").replace(line, replacement));
        assert_eq!(client.head().0, status, "{replacement}");
        if status == 101 {
            return;
        }
        let known = "Connection: keep-alive";
        client.send(get("/"));
        let mut text = String::new();
        while !text.ends_with("hello world\n") {
            text.push(client.bytes(1)[0].into());
        }
        assert!(text.contains(known), "{text}");
    }
}

#[test]
fn ten_thousand_idle_connections_cost_little() {
    const CONNECTIONS: usize = 10_000;
    raise_descriptor_limit(CONNECTIONS as u64 + 500);
    let target = Process::start(None);
    let mut asking = Client::connect(target.address);
    let mut opened = || {
        let text = asking.get("/count").text().to_owned();
        text.lines().any(|line| line == format!("ws {CONNECTIONS}"))
    };
    assert!(!opened());
    let before = target.resident_kib_max();
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = TcpStream::connect(target.address).unwrap();
            client.write_all(upgrade("/ws").as_bytes()).unwrap();
            client
        })
        .collect();
    eventually(&mut opened);
    let grown_kib = target.resident_kib_max() - before;
    assert!(grown_kib < CONNECTIONS as u64, "{grown_kib} KiB for {CONNECTIONS} connections");
    drop(clients);
}
