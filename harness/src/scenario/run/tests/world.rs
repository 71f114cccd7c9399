//! A scenario's users in a simulated world, against a target that answers as the test says.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use loadr_engine::client::session::{KnownHosts, SessionOptions};
use loadr_engine::coordinator::{RunOutcome, RunPlan};
use loadr_engine::record::EntryKind;
use loadr_engine::run::simulate;
use loadr_engine::runtime::sim::{LinkOptions, Peer, Simulation};
use loadr_engine::runtime::{Address, RuntimeKind};

use crate::front_end::TestWorkload;
use crate::scenario::{ScenarioFrontEnd, parse};

const UNIX_NS: u64 = 1_795_222_119_000_000_000;
const MILLISECOND_NS: u64 = 1_000_000;
const HOST: &str = "http://shop/api";

/// A request as the target saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Number of the request, from 0.
    pub(super) index: usize,
    /// Number of the connection it came on, from 0.
    pub(super) connection: usize,
    pub(super) head: String,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn line(&self) -> &str {
        self.head.lines().next().expect("a head has a line").trim_end_matches(" HTTP/1.1")
    }

    /// The value of a header field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A response: status, further header lines, body.
pub(super) type Reply = (u16, &'static str, String);

pub(super) fn ok(body: &str) -> Reply {
    (200, "", body.to_owned())
}

/// How a world differs from the usual one: one user, one task.
#[derive(Clone)]
pub(super) struct World {
    pub(super) users: u64,
    pub(super) shards: usize,
    pub(super) iterations: Option<u64>,
    pub(super) run_time: Duration,
    pub(super) stop_timeout: Duration,
    /// Somebody listens.
    pub(super) listens: bool,
}

impl Default for World {
    fn default() -> Self {
        Self {
            users: 1,
            shards: 1,
            iterations: Some(1),
            run_time: Duration::from_secs(100),
            stop_timeout: Duration::ZERO,
            listens: true,
        }
    }
}

/// What came of a run.
pub(super) struct Ran {
    pub(super) outcome: RunOutcome,
    pub(super) seen: Vec<Seen>,
}

impl Ran {
    /// The entries of exchanges: method, name, requests, failures.
    pub(super) fn entries(&self) -> Vec<(&str, &str, u64, u64)> {
        let exchanges = self.outcome.entries.iter().filter(|e| e.key.kind == EntryKind::Exchange);
        exchanges
            .map(|e| (&*e.key.method, &*e.key.name, e.counts.requests, e.counts.failures))
            .collect()
    }

    /// What went wrong, by whom, and how often.
    pub(super) fn errors(&self) -> Vec<(&str, &str, u64)> {
        let errors = self.outcome.errors.iter();
        errors.map(|error| (&*error.name, &*error.message, error.count)).collect()
    }

    pub(super) fn lines(&self) -> Vec<&str> {
        self.seen.iter().map(Seen::line).collect()
    }

    pub(super) fn bodies(&self) -> Vec<&str> {
        self.seen.iter().map(|seen| seen.body.as_str()).collect()
    }

    /// Milliseconds that the one operation called `name` took.
    pub(super) fn millis(&self, name: &str) -> u64 {
        let entry = self.outcome.entries.iter().find(|entry| &*entry.key.name == name);
        let counts = &entry.expect("there is such an entry").counts;
        let (start, end) = (counts.first_start_ns.unwrap(), counts.last_end_ns.unwrap());
        (end - start) / MILLISECOND_NS
    }
}

/// A file of one user whose one task has these steps, and `more` about the user.
pub(super) fn one_task(more: &str, steps: &str) -> String {
    format!(
        "[[user]]\nname = \"A\"\nhost = \"{HOST}\"\n{more}\n[[user.task]]\nname = \"t\"\nsteps = [\n{steps}\n]\n"
    )
}

/// One user does these steps once.
pub(super) fn once(steps: &str, respond: impl Fn(&Seen) -> Reply + 'static) -> Ran {
    World::default().run(&one_task("", steps), respond)
}

pub(super) fn workload(text: &str) -> TestWorkload {
    let scenario = parse("test.toml", text, &|_| None);
    let scenario = scenario.unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let mut hosts = KnownHosts::default();
    hosts.set(HOST, vec![address()]).expect("a URL");
    hosts.set("http://other", vec![address()]).expect("a URL");
    let classes = ScenarioFrontEnd::classes(scenario);
    TestWorkload::new(classes, hosts, SessionOptions::default(), Arc::default())
}

fn address() -> Address {
    Address::Tcp(SocketAddr::from(([10, 0, 0, 1], 80)))
}

impl World {
    pub(super) fn run(&self, text: &str, respond: impl Fn(&Seen) -> Reply + 'static) -> Ran {
        let target = Rc::new(Target { respond: Box::new(respond), ..Target::default() });
        let serving = Rc::clone(&target);
        let outcome = self.run_against(text, move |peer| Rc::clone(&serving).serve(peer));
        Ran { outcome, seen: target.seen.take() }
    }

    /// Runs against a target of which each connection is served by what `serve` gives.
    pub(super) fn run_against<S: Future<Output = ()> + 'static>(
        &self,
        text: &str,
        serve: impl Fn(Peer) -> S + 'static,
    ) -> RunOutcome {
        let latency_ns = MILLISECOND_NS..=MILLISECOND_NS;
        let simulation =
            Simulation::new(1, UNIX_NS, LinkOptions { latency_ns, ..LinkOptions::default() });
        if self.listens {
            simulation.listen(address(), serve);
        }
        let plan = RunPlan {
            run_time: Some(self.run_time),
            iterations: self.iterations,
            stop_timeout: self.stop_timeout,
            ..RunPlan::new(self.users, vec![None; self.shards], RuntimeKind::Sim)
        };
        simulation.run(simulate(&simulation, plan, Arc::new(workload(text))))
    }
}

type Respond = Box<dyn Fn(&Seen) -> Reply>;

struct Target {
    respond: Respond,
    seen: RefCell<Vec<Seen>>,
    connections: RefCell<usize>,
}

impl Default for Target {
    fn default() -> Self {
        let respond: Respond = Box::new(|_| ok(""));
        Self { respond, seen: RefCell::default(), connections: RefCell::default() }
    }
}

impl Target {
    async fn serve(self: Rc<Self>, mut peer: Peer) {
        let connection = self.connections.replace_with(|count| *count + 1);
        let mut unread = Vec::new();
        while let Some((head, body)) = request(&mut peer, &mut unread).await {
            let index = self.seen.borrow().len();
            let seen = Seen { index, connection, head, body };
            self.seen.borrow_mut().push(seen.clone());
            let (status, lines, body) = (self.respond)(&seen);
            let head =
                format!("HTTP/1.1 {status} X\r\n{lines}Content-Length: {}\r\n\r\n", body.len());
            peer.send((head + &body).into());
        }
    }
}

/// The next request's head and body; `None` once the peer has closed.
async fn request(peer: &mut Peer, unread: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&unread[..end + 4]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |length| length.parse().expect("a number"));
            if unread.len() >= end + 4 + length {
                let rest = unread.split_off(end + 4 + length);
                let body = std::mem::replace(unread, rest).split_off(end + 4);
                return Some((head, String::from_utf8_lossy(&body).into_owned()));
            }
        }
        let received = peer.receive().await;
        if received.is_empty() {
            return None;
        }
        unread.extend_from_slice(received);
    }
}
