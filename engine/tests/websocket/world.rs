//! One user with a WebSocket in a simulated world, against a target that does as the test says.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::client::websocket::{WebSocket, WebSocketOptions, WebSocketSettings};
use loadr_engine::coordinator::{RunOutcome, RunPlan};
use loadr_engine::record::{EntryKind, MergedEntry};
use loadr_engine::run::simulate;
use loadr_engine::runtime::sim::{LinkOptions, Peer, Simulation};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use loadr_protocols::buffer::ReceiveBuffer;
use loadr_protocols::websocket::handshake::accept;
use loadr_protocols::websocket::{Decoder, Deflate, Encoder, Event, Limits, MessageKind, Role};

const UNIX_NS: u64 = 1_795_222_119_000_000_000;
pub(crate) const MILLISECOND_NS: u64 = 1_000_000;

pub(crate) type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// What a user has.
pub(crate) struct User {
    pub(crate) socket: WebSocket,
    pub(crate) context: Context,
}

type Task = fn(User) -> LocalFuture;

/// Something that a target saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    /// The connection is over; not written down, since a simulated socket that is dropped says nothing.
    End,
}

pub(crate) fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

/// The target's side of one connection.
pub(crate) struct Server {
    pub(crate) peer: Peer,
    /// Number of the connection, from 0.
    pub(crate) connection: usize,
    decoder: Decoder,
    encoder: Encoder,
    buffer: ReceiveBuffer,
    log: Rc<RefCell<Vec<Seen>>>,
    heads: Rc<RefCell<Vec<String>>>,
}

impl Server {
    /// Accepts the upgrade.
    pub(crate) async fn accept(&mut self) {
        self.accept_with("", None).await;
    }

    /// Accepts the upgrade with further header lines, and what they agree on.
    pub(crate) async fn accept_with(&mut self, lines: &str, deflate: Option<Deflate>) {
        let head = self.request().await;
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = accept(key.expect("an upgrade has a key").as_bytes());
        let accept = std::str::from_utf8(&accept).expect("base64");
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
        );
        self.raw(head.as_bytes());
        self.decoder = Decoder::new(Role::Server, Limits::default(), deflate);
        self.encoder = Encoder::new(Role::Server, deflate);
    }

    /// The head of the upgrade.
    pub(crate) async fn request(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let received = self.peer.receive().await;
            assert!(!received.is_empty(), "closed before the upgrade");
            head.extend_from_slice(received);
        }
        let head = String::from_utf8(head).expect("a head is text");
        self.heads.borrow_mut().push(head.clone());
        head
    }

    /// The next thing that comes, which is also written down.
    pub(crate) async fn next(&mut self) -> Seen {
        let seen = loop {
            match self.decoder.next(&mut self.buffer).expect("the client keeps to the protocol") {
                Some(Event::Text(text)) => break Seen::Text(text.to_owned()),
                Some(Event::Binary(bytes)) => break Seen::Binary(bytes.to_vec()),
                Some(Event::Ping(payload)) => break Seen::Ping(payload.to_vec()),
                Some(Event::Pong(payload)) => break Seen::Pong(payload.to_vec()),
                Some(Event::Close(close)) => {
                    break Seen::Close(close.code, close.reason.to_owned());
                }
                None => {}
            }
            let received = self.peer.receive().await;
            if received.is_empty() {
                return Seen::End;
            }
            let received = received.to_vec();
            let room = self.buffer.spare(received.len()).expect("it is small");
            room[..received.len()].copy_from_slice(&received);
            self.buffer.advance(received.len());
        };
        self.log.borrow_mut().push(seen.clone());
        seen
    }

    /// Reads on until nothing more comes.
    pub(crate) async fn drain(&mut self) {
        while self.next().await != Seen::End {}
    }

    pub(crate) fn raw(&self, bytes: &[u8]) {
        self.peer.send(bytes.to_vec().into());
    }

    pub(crate) fn text(&mut self, text: &str) {
        let mut out = BytesMut::new();
        self.encoder.message(MessageKind::Text, text.as_bytes(), None, &mut out);
        self.raw(&out);
    }

    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        let mut out = BytesMut::new();
        self.encoder.message(MessageKind::Binary, bytes, None, &mut out);
        self.raw(&out);
    }

    pub(crate) fn ping(&mut self, payload: &[u8]) {
        let mut out = BytesMut::new();
        self.encoder.ping(payload, None, &mut out).expect("short");
        self.raw(&out);
    }

    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let mut out = BytesMut::new();
        self.encoder.pong(payload, None, &mut out).expect("short");
        self.raw(&out);
    }

    pub(crate) fn close(&mut self, code: Option<u16>, reason: &str) {
        let mut out = BytesMut::new();
        self.encoder.close(code, reason, None, &mut out).expect("a good code");
        self.raw(&out);
    }

    pub(crate) async fn sleep_ms(&self, ms: u64) {
        self.peer.sleep(ms * MILLISECOND_NS).await;
    }

    /// Sends back every message, pongs every ping, answers the close.
    pub(crate) async fn echo(mut self) {
        loop {
            match self.next().await {
                Seen::Text(text) => self.text(&text),
                Seen::Binary(bytes) => self.binary(&bytes),
                Seen::Ping(payload) => self.pong(&payload),
                Seen::Pong(_) => {}
                Seen::Close(code, _) => return self.close(code, ""),
                Seen::End => return,
            }
        }
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) outcome: RunOutcome,
    /// What the target saw, over all connections.
    pub(crate) seen: Vec<Seen>,
    /// The upgrades that it saw.
    pub(crate) heads: Vec<String>,
}

impl Ran {
    fn exchanges(&self) -> impl Iterator<Item = &MergedEntry> {
        self.outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange)
    }

    /// Each sample's name with its requests and failures, by name.
    pub(crate) fn counts(&self) -> Vec<(&str, u64, u64)> {
        let row = |entry: &MergedEntry| (entry.counts.requests, entry.counts.failures);
        let mut rows: Vec<_> =
            self.exchanges().map(|entry| (&*entry.key.name, row(entry).0, row(entry).1)).collect();
        rows.sort_unstable();
        rows
    }

    /// The entry of this name.
    pub(crate) fn entry(&self, name: &str) -> &MergedEntry {
        self.exchanges().find(|entry| &*entry.key.name == name).expect("it was counted")
    }

    /// The texts of failures and how often each came.
    pub(crate) fn failures(&self) -> Vec<(&str, u64)> {
        self.outcome.errors.iter().map(|error| (&*error.message, error.count)).collect()
    }
}

/// How a world differs from the usual one.
pub(crate) struct World {
    pub(crate) options: WebSocketOptions,
    pub(crate) requests: Option<u64>,
    pub(crate) run_time: Duration,
    /// Largest piece in which bytes arrive.
    pub(crate) piece_bytes: usize,
    pub(crate) listens: bool,
    /// The task comes to its end.
    pub(crate) ends: bool,
}

impl Default for World {
    fn default() -> Self {
        let options =
            WebSocketOptions { timeout: Duration::from_secs(5), ..WebSocketOptions::default() };
        Self {
            options,
            requests: None,
            run_time: Duration::from_secs(20),
            piece_bytes: 65_536,
            listens: true,
            ends: true,
        }
    }
}

struct OneUser {
    task: Task,
    options: WebSocketOptions,
}

struct Class {
    task: Task,
    settings: Rc<WebSocketSettings>,
}

thread_local! {
    /// Tasks that came to their end: an assertion that is never reached proves nothing.
    static ENDED: Cell<u64> = const { Cell::new(0) };
}

impl Workload for OneUser {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let endpoint = Endpoint::new(shard, "target", vec![address()]);
        let settings =
            WebSocketSettings::new(shard, endpoint, "target:80", "/ws?a=1", self.options.clone());
        vec![Rc::new(Class { task: self.task, settings: settings.expect("a good upgrade") })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        let socket = WebSocket::new(context.clone(), Rc::clone(&self.settings));
        let life = (self.task)(User { socket, context });
        UserLife::new(async move {
            life.await;
            ENDED.set(ENDED.get() + 1);
        })
    }
}

fn address() -> Address {
    Address::Tcp(SocketAddr::from(([10, 0, 0, 1], 80)))
}

/// Runs `task` in the usual world.
pub(crate) fn run(task: Task, serve: impl Fn(Server) -> LocalFuture + 'static) -> Ran {
    World::default().run(task, serve)
}

impl World {
    /// The usual world with these options.
    pub(crate) fn with(change: impl FnOnce(&mut WebSocketOptions)) -> Self {
        let mut world = Self::default();
        change(&mut world.options);
        world
    }

    pub(crate) fn run(self, task: Task, serve: impl Fn(Server) -> LocalFuture + 'static) -> Ran {
        let links = LinkOptions {
            latency_ns: MILLISECOND_NS..=MILLISECOND_NS,
            piece_bytes: self.piece_bytes..=self.piece_bytes,
            ..LinkOptions::default()
        };
        let simulation = Simulation::new(1, UNIX_NS, links);
        let log = Rc::new(RefCell::default());
        let heads = Rc::new(RefCell::default());
        let connections = Cell::new(0);
        if self.listens {
            let (log, heads) = (Rc::clone(&log), Rc::clone(&heads));
            simulation.listen(address(), move |peer| {
                let connection = connections.replace(connections.get() + 1);
                serve(Server {
                    peer,
                    connection,
                    decoder: Decoder::new(Role::Server, Limits::default(), None),
                    encoder: Encoder::new(Role::Server, None),
                    buffer: ReceiveBuffer::with_capacity(4096, 1 << 24),
                    log: Rc::clone(&log),
                    heads: Rc::clone(&heads),
                })
            });
        }
        let plan = RunPlan {
            run_time: Some(self.run_time),
            requests: self.requests,
            ..RunPlan::new(1, vec![None], RuntimeKind::Sim)
        };
        ENDED.set(0);
        let workload = Arc::new(OneUser { task, options: self.options });
        let outcome = simulation.run(simulate(&simulation, plan, workload));
        assert_eq!(ENDED.get() == 1, self.ends, "whether the task came to its end");
        Ran { outcome, seen: log.take(), heads: heads.take() }
    }
}
