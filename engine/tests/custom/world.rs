//! One user in a simulated world, with a target that does as the test says, and a protocol of lines.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use loadr_engine::client::framed::{Codec, Framed};
use loadr_engine::coordinator::{RunOutcome, RunPlan};
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::{EntryCounts, EntryKind};
use loadr_engine::run::simulate;
use loadr_engine::runtime::sim::{DatagramPeer, LinkOptions, Peer, Simulation};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};

const UNIX_NS: u64 = 1_795_222_119_000_000_000;
pub(crate) const MILLISECOND_NS: u64 = 1_000_000;
/// Where the target listens.
pub(crate) const TARGET: &str = "10.0.0.1:7000";
/// Where nobody does.
pub(crate) const NOBODY: &str = "10.0.0.1:7001";
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) type Life = Pin<Box<dyn Future<Output = ()>>>;
type Task = fn(Context) -> Life;

/// A protocol of lines; one that begins with `-` reports an error, and none may hold a `!`.
#[derive(Default)]
pub(crate) struct Lines {
    /// Bytes known to hold no end of a line.
    searched: usize,
}

impl Codec for Lines {
    type Request<'r> = &'r str;
    type Message<'b> = &'b str;
    type Error = &'static str;

    fn encode(request: &str, into: &mut BytesMut) -> Result<(), Self::Error> {
        into.extend_from_slice(request.as_bytes());
        into.extend_from_slice(b"\n");
        // What was written before the error must not be sent.
        if request.contains('\n') { Err("a line of two lines") } else { Ok(()) }
    }

    fn frame(&mut self, unread: &[u8]) -> Result<Option<usize>, Self::Error> {
        let found = unread[self.searched..].iter().position(|&byte| byte == b'\n');
        let end = found.map(|end| self.searched + end + 1);
        self.searched = if end.is_some() { 0 } else { unread.len() };
        if unread[..end.unwrap_or(unread.len())].contains(&b'!') {
            return Err("a line with a '!'");
        }
        Ok(end)
    }

    fn message<'b>(&mut self, frame: &'b [u8]) -> Result<&'b str, Self::Error> {
        let line = std::str::from_utf8(frame).map_err(|_| "no UTF-8")?;
        Ok(line.trim_end_matches('\n'))
    }

    fn end_of_input(&mut self, unread: &[u8]) -> Result<Option<usize>, Self::Error> {
        // A last line that begins with a dot needs no end.
        Ok(unread.starts_with(b".").then_some(unread.len()))
    }

    fn failure(message: &&str) -> Option<Failure> {
        let error = message.strip_prefix('-')?;
        Some(Failure::new(FailureKind::Status, error.to_owned()))
    }

    fn frame_bytes_max(&self) -> usize {
        200_000
    }
}

/// Connects a user to the target.
pub(crate) async fn connect(context: &Context) -> Result<Framed<Lines>, Failure> {
    let stream = context.tcp(TARGET).await?;
    Ok(Framed::new(context, stream, Lines::default(), TIMEOUT))
}

/// The next line that a user sent, without its end; `None` once it has closed.
pub(crate) async fn line(peer: &mut Peer, unread: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = unread.iter().position(|&byte| byte == b'\n') {
            let rest = unread.split_off(end + 1);
            let line = std::mem::replace(unread, rest);
            return Some(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        let received = peer.receive().await;
        if received.is_empty() {
            return None;
        }
        unread.extend_from_slice(received);
    }
}

/// Answers each line with itself.
pub(crate) fn echo(mut peer: Peer) -> Life {
    Box::pin(async move {
        let mut unread = Vec::new();
        while let Some(line) = line(&mut peer, &mut unread).await {
            peer.send(Bytes::from(format!("{line}\n")));
        }
    })
}

/// A world; most tests change little of it.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) links: LinkOptions,
    pub(crate) requests: Option<u64>,
    pub(crate) run_time: Duration,
    pub(crate) serve: fn(Peer) -> Life,
    pub(crate) serve_datagrams: fn(DatagramPeer) -> Life,
    /// The task comes to its end.
    pub(crate) ends: bool,
}

impl Default for World {
    fn default() -> Self {
        let latency_ns = MILLISECOND_NS..=MILLISECOND_NS;
        Self {
            seed: 1,
            links: LinkOptions { latency_ns, piece_bytes: 1 << 16..=1 << 16, ..Default::default() },
            requests: None,
            run_time: Duration::from_secs(60),
            serve: echo,
            serve_datagrams: |_| Box::pin(async {}),
            ends: true,
        }
    }
}

thread_local! {
    /// Tasks that came to their end: an assertion that is never reached proves nothing.
    static ENDED: Cell<u64> = const { Cell::new(0) };
}

struct OneUser(Task);

impl Workload for OneUser {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, _: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        vec![Rc::new(Self(self.0))]
    }
}

impl UserClass for OneUser {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        let life = (self.0)(context);
        UserLife::new(async move {
            life.await;
            ENDED.set(ENDED.get() + 1);
        })
    }
}

/// What came of a run.
pub(crate) struct Ran(pub(crate) RunOutcome);

impl Ran {
    /// What was counted by this method and name.
    #[track_caller]
    pub(crate) fn counts(&self, kind: EntryKind, method: &str, name: &str) -> EntryCounts {
        let is_it = |key: &loadr_engine::record::EntryKey| {
            key.kind == kind && &*key.method == method && &*key.name == name
        };
        let entry = self.0.entries.iter().find(|entry| is_it(&entry.key));
        entry.map(|entry| entry.counts.clone()).unwrap_or_default()
    }

    /// The texts of failures and how often each came.
    pub(crate) fn failures(&self) -> Vec<(FailureKind, &str, u64)> {
        self.0.errors.iter().map(|error| (error.kind, &*error.message, error.count)).collect()
    }
}

impl World {
    pub(crate) fn run(self, task: Task) -> Ran {
        let simulation = Simulation::new(self.seed, UNIX_NS, self.links);
        let target: SocketAddr = TARGET.parse().expect("an address");
        simulation.listen(Address::Tcp(target), self.serve);
        simulation.listen(Address::Unix("/run/target".into()), self.serve);
        simulation.listen_datagrams(target, self.serve_datagrams);
        let plan = RunPlan {
            run_time: Some(self.run_time),
            requests: self.requests,
            ..RunPlan::new(1, vec![None], RuntimeKind::Sim)
        };
        ENDED.set(0);
        let outcome = simulation.run(simulate(&simulation, plan, Arc::new(OneUser(task))));
        let seed = self.seed;
        assert_eq!(
            ENDED.get() == 1,
            self.ends,
            "the end of task, seed {seed}: {:?}",
            outcome.errors
        );
        let panics = outcome.errors.iter().find(|error| error.kind == FailureKind::Exception);
        assert!(panics.is_none(), "seed {seed}: {panics:?}");
        Ran(outcome)
    }
}
