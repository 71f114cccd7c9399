//! One user with a session in a simulated world, against a target that answers as the test says.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use loadr_engine::client::session::{
    KnownHosts, Origins, Session, SessionOptions, SessionSettings,
};
use loadr_engine::coordinator::{RunOutcome, RunPlan};
use loadr_engine::record::{EntryKind, MergedEntry};
use loadr_engine::run::simulate;
use loadr_engine::runtime::sim::{LinkOptions, Peer, Simulation};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};

const UNIX_NS: u64 = 1_795_222_119_000_000_000;
pub(crate) const MILLISECOND_NS: u64 = 1_000_000;
/// Base URL of the sessions, whose path is part of every target.
pub(crate) const HOST: &str = "http://user:p%40ss@shop/api";
/// Another target, for redirects across origins.
pub(crate) const OTHER: &str = "http://other:81";

/// What a user has.
pub(crate) struct User {
    pub(crate) session: Session,
    pub(crate) context: Context,
    pub(crate) settings: Rc<SessionSettings>,
    pub(crate) shard: ShardContext,
}

type Task = fn(User) -> Pin<Box<dyn Future<Output = ()>>>;

/// A request as the target saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Number of the connection it came on, from 0, over both targets.
    pub(crate) connection: usize,
    /// Number of the request, from 0, over both targets.
    pub(crate) index: usize,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().expect("a head has a line")
    }

    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// What the target does with a request.
pub(crate) enum Reply {
    Send(Vec<u8>),
    SendAndClose(Vec<u8>),
    /// The same piece over and over, behind a beginning.
    Stream(Vec<u8>, Vec<u8>, usize),
    Close,
    Silence,
}

/// A response with a body and these further header lines.
pub(crate) fn response(status: u16, lines: &str, body: &[u8]) -> Reply {
    Reply::Send(response_bytes(status, lines, body))
}

pub(crate) fn response_bytes(status: u16, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) outcome: RunOutcome,
    pub(crate) seen: Vec<Seen>,
}

impl Ran {
    /// The entries of exchanges: method, name, requests, failures.
    pub(crate) fn entries(&self) -> Vec<(&str, &str, u64, u64)> {
        let exchanges = self.outcome.entries.iter().filter(|e| e.key.kind == EntryKind::Exchange);
        let row = |entry: &MergedEntry| (entry.counts.requests, entry.counts.failures);
        exchanges
            .map(|entry| (&*entry.key.method, &*entry.key.name, row(entry).0, row(entry).1))
            .collect()
    }

    /// The texts of failures and how often each came.
    pub(crate) fn failures(&self) -> Vec<(&str, u64)> {
        self.outcome.errors.iter().map(|error| (&*error.message, error.count)).collect()
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.seen.iter().map(Seen::line).collect()
    }

    pub(crate) fn connections(&self) -> Vec<usize> {
        self.seen.iter().map(|seen| seen.connection).collect()
    }
}

/// How a world differs from the usual one.
pub(crate) struct World {
    pub(crate) requests: Option<u64>,
    pub(crate) run_time: Duration,
    pub(crate) options: SessionOptions,
    /// Somebody listens.
    pub(crate) listens: bool,
    /// The task comes to its end.
    pub(crate) ends: bool,
}

impl Default for World {
    fn default() -> Self {
        Self {
            requests: None,
            run_time: Duration::from_secs(20),
            options: SessionOptions { timeout: Duration::from_secs(5), ..Default::default() },
            listens: true,
            ends: true,
        }
    }
}

struct OneUser {
    task: Task,
    options: SessionOptions,
}

struct Class {
    task: Task,
    settings: Rc<SessionSettings>,
    shard: ShardContext,
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
        let mut known = KnownHosts::default();
        known.set(HOST, vec![address(80)]).expect("a URL");
        known.set(OTHER, vec![address(81)]).expect("a URL");
        let origins = Origins::new(shard, known);
        let settings = SessionSettings::new(origins, Some(HOST), self.options.clone());
        let settings = settings.expect("a URL");
        vec![Rc::new(Class { task: self.task, settings, shard: shard.clone() })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        let session = Session::new(context.clone(), Rc::clone(&self.settings));
        let (settings, shard) = (Rc::clone(&self.settings), self.shard.clone());
        let life = (self.task)(User { session, context, settings, shard });
        UserLife::new(async move {
            life.await;
            ENDED.set(ENDED.get() + 1);
        })
    }
}

fn address(port: u16) -> Address {
    Address::Tcp(SocketAddr::from(([10, 0, 0, 1], port)))
}

/// Runs `task` in the usual world.
pub(crate) fn run(task: Task, respond: impl Fn(&Seen) -> Reply + 'static) -> Ran {
    World::default().run(task, respond)
}

impl World {
    pub(crate) fn run(self, task: Task, respond: impl Fn(&Seen) -> Reply + 'static) -> Ran {
        let links = LinkOptions {
            latency_ns: MILLISECOND_NS..=MILLISECOND_NS,
            piece_bytes: 65_536..=65_536,
            ..LinkOptions::default()
        };
        let simulation = Simulation::new(1, UNIX_NS, links);
        let target = Rc::new(Target {
            respond: Box::new(respond),
            seen: RefCell::default(),
            connections: Cell::new(0),
        });
        for port in [80, 81] {
            let target = Rc::clone(&target);
            if self.listens {
                simulation.listen(address(port), move |peer| Rc::clone(&target).serve(peer));
            }
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
        let seen = target.seen.take();
        Ran { outcome, seen }
    }
}

/// Both simulated targets.
struct Target {
    respond: Box<dyn Fn(&Seen) -> Reply>,
    seen: RefCell<Vec<Seen>>,
    connections: Cell<usize>,
}

impl Target {
    async fn serve(self: Rc<Self>, mut peer: Peer) {
        let connection = self.connections.get();
        self.connections.set(connection + 1);
        let mut unread = Vec::new();
        while let Some((head, body)) = request(&mut peer, &mut unread).await {
            let index = self.seen.borrow().len();
            let seen = Seen { connection, index, head, body };
            self.seen.borrow_mut().push(seen.clone());
            match (self.respond)(&seen) {
                Reply::Send(bytes) => peer.send(bytes.into()),
                Reply::SendAndClose(bytes) => return peer.send(bytes.into()),
                Reply::Close => return,
                Reply::Silence => {}
                Reply::Stream(beginning, piece, count) => {
                    peer.send(beginning.into());
                    let piece = Bytes::from(piece);
                    for _ in 0..count {
                        peer.send(piece.clone());
                        peer.sleep(MILLISECOND_NS / 10).await;
                    }
                }
            }
        }
    }
}

/// The next request's head and body; `None` once the peer has closed.
async fn request(peer: &mut Peer, unread: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&unread[..end + 4]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
            if unread.len() >= end + 4 + length {
                let rest = unread.split_off(end + 4 + length);
                let body = std::mem::replace(unread, rest).split_off(end + 4);
                return Some((head, body));
            }
        }
        let received = peer.receive().await;
        if received.is_empty() {
            return None;
        }
        unread.extend_from_slice(received);
    }
}
