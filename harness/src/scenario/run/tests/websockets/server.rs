//! The target's side of WebSockets.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use loadr_engine::coordinator::RunOutcome;
use loadr_engine::runtime::sim::Peer;
use loadr_protocols::buffer::ReceiveBuffer;
use loadr_protocols::websocket::handshake::accept;
use loadr_protocols::websocket::{Decoder, Encoder, Event, Limits, MessageKind, Role};

use super::Life;
use crate::scenario::run::tests::world::{Ran, World};

/// Something that came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Close(Option<u16>, String),
    Pong,
    /// The connection is over; it is not written down.
    End,
}

/// What came of a run.
pub(super) struct Served {
    ran: Ran,
    /// Heads of requests, upgrades or not.
    pub(super) heads: Vec<String>,
    /// What came over all WebSockets.
    pub(super) heard: Vec<Heard>,
}

impl Served {
    /// Method, name, requests and failures of what was counted.
    pub(super) fn entries(&self) -> Vec<(&str, &str, u64, u64)> {
        let mut entries = self.ran.entries();
        entries.retain(|entry| entry.2 > 0 && entry.0 != "GET");
        entries.sort_unstable();
        entries
    }

    pub(super) fn errors(&self) -> Vec<(&str, &str, u64)> {
        self.ran.errors()
    }

    pub(super) fn millis(&self, name: &str) -> u64 {
        self.ran.millis(name)
    }
}

/// What all connections write down.
#[derive(Default)]
struct Log {
    heads: RefCell<Vec<String>>,
    heard: RefCell<Vec<Heard>>,
    connections: Cell<usize>,
}

/// Runs a file against a target of which each WebSocket is served by `script`.
pub(super) fn serve(world: &World, text: &str, script: fn(Server) -> Life) -> Served {
    let log = Rc::new(Log::default());
    let outcome: RunOutcome = {
        let log = Rc::clone(&log);
        world.run_against(text, move |peer| {
            let log = Rc::clone(&log);
            async move {
                if let Some(server) = Server::accept(peer, log).await {
                    script(server).await;
                }
            }
        })
    };
    let ran = Ran { outcome, seen: Vec::new() };
    Served { ran, heads: log.heads.take(), heard: log.heard.take() }
}

/// One connection that was upgraded.
pub(super) struct Server {
    peer: Peer,
    /// Number of the WebSocket, from 0.
    pub(super) connection: usize,
    decoder: Decoder,
    encoder: Encoder,
    buffer: ReceiveBuffer,
    log: Rc<Log>,
}

impl Server {
    /// Answers requests until one asks for an upgrade; whoever asks for `/refuse` is refused.
    async fn accept(mut peer: Peer, log: Rc<Log>) -> Option<Self> {
        loop {
            let head = head(&mut peer).await?;
            log.heads.borrow_mut().push(head.clone());
            let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
            let Some(key) = key else {
                let answer =
                    "HTTP/1.1 200 OK\r\nSet-Cookie: session=7\r\nContent-Length: 0\r\n\r\n";
                peer.send(answer.into());
                continue;
            };
            if head.contains("/refuse") {
                peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".into());
                continue;
            }
            let accept = accept(key.as_bytes());
            let accept = std::str::from_utf8(&accept).expect("base64");
            let offered =
                head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
            let first = offered.and_then(|offered| offered.split(", ").next());
            let chosen = first.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{}\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n",
                chosen.unwrap_or_default()
            );
            peer.send(answer.into());
            return Some(Self {
                peer,
                connection: log.connections.replace(log.connections.get() + 1),
                decoder: Decoder::new(Role::Server, Limits::default(), None),
                encoder: Encoder::new(Role::Server, None),
                buffer: ReceiveBuffer::with_capacity(4096, 1 << 24),
                log,
            });
        }
    }

    /// The next thing that comes; pings are answered.
    pub(super) async fn next(&mut self) -> Heard {
        let heard = loop {
            let ping = match self.decoder.next(&mut self.buffer).expect("the client is polite") {
                Some(Event::Text(text)) => break Heard::Text(text.to_owned()),
                Some(Event::Binary(bytes)) => break Heard::Binary(bytes.to_vec()),
                Some(Event::Close(close)) => {
                    break Heard::Close(close.code, close.reason.to_owned());
                }
                Some(Event::Pong(_)) => break Heard::Pong,
                Some(Event::Ping(payload)) => Some(payload.to_vec()),
                None => None,
            };
            if let Some(payload) = ping {
                self.send(|encoder, out| encoder.pong(&payload, None, out).expect("short"));
                continue;
            }
            let received = self.peer.receive().await;
            if received.is_empty() {
                return Heard::End;
            }
            let received = received.to_vec();
            let room = self.buffer.spare(received.len()).expect("it is small");
            room[..received.len()].copy_from_slice(&received);
            self.buffer.advance(received.len());
        };
        self.log.heard.borrow_mut().push(heard.clone());
        heard
    }

    pub(super) async fn drain(&mut self) {
        while self.next().await != Heard::End {}
    }

    /// Sends back what comes, and answers the close.
    pub(super) async fn echo(&mut self) {
        loop {
            match self.next().await {
                Heard::Text(text) => self.text(&text),
                Heard::Binary(bytes) => self.send(|encoder, out| {
                    encoder.message(MessageKind::Binary, &bytes, None, out);
                }),
                Heard::Pong => {}
                Heard::Close(code, _) => return self.close(code.unwrap_or(1000), ""),
                Heard::End => return,
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.send(|encoder, out| encoder.message(MessageKind::Text, text.as_bytes(), None, out));
    }

    pub(super) fn ping(&mut self) {
        self.send(|encoder, out| encoder.ping(b"there?", None, out).expect("short"));
    }

    pub(super) fn close(&mut self, code: u16, reason: &str) {
        self.send(|encoder, out| {
            encoder.close(Some(code), reason, None, out).expect("a good code");
        });
    }

    pub(super) fn raw(&self, bytes: &[u8]) {
        self.peer.send(bytes.to_vec().into());
    }

    pub(super) async fn silence(&self) {
        let ns = Duration::from_secs(30).as_nanos();
        self.peer.sleep(u64::try_from(ns).expect("half a minute")).await;
    }

    fn send(&mut self, encode: impl FnOnce(&mut Encoder, &mut BytesMut)) {
        let mut out = BytesMut::new();
        encode(&mut self.encoder, &mut out);
        self.raw(&out);
    }
}

/// The next request's head; `None` once the peer has closed.
async fn head(peer: &mut Peer) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let received = peer.receive().await;
        if received.is_empty() {
            return None;
        }
        head.extend_from_slice(received);
    }
    Some(String::from_utf8(head).expect("a head is text"))
}
