//! Users: what runs on a shard, and the context that it runs in.
//!
//! A [`Workload`] is shared by all shards; it names its classes before any shard starts and makes each of them on every
//! shard. A [`UserClass`] starts users; each is one future, type-erased once, so that classes from different front ends
//! run side by side. A user sees its shard through a [`Context`], a cheap handle: it draws permits, opens streams,
//! sleeps, and records what came of its exchanges.
//!
//! A user may be stopped at any await: its future is dropped there. What it must still do then, such as logging out, is
//! its *ending*, a future of its own that runs afterwards.

mod context;
mod event;
mod measure;
pub(crate) mod panic;
mod state;

pub use context::{Context, Sample, Timed};
pub use event::{Listener, RequestEvent, UserError};
pub use measure::Traffic;
pub(crate) use state::UserState;

use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use crate::clock::nanos;
use crate::record::{EntryIndex, EntryKind};
use crate::shard::Shard;
use crate::spawn::dispatch::ClassShare;
use crate::stream::Stream;

/// Something that a user does.
pub type UserFuture = Pin<Box<dyn Future<Output = ()>>>;

/// What a run does, shared by its shards.
pub trait Workload: Send + Sync {
    /// The classes of users, in an order that every shard keeps, with their shares of the users.
    fn classes(&self) -> Vec<ClassShare>;

    /// Rows in each feed of data; `None` for one that never ends.
    fn feeds(&self) -> Vec<Option<u64>> {
        Vec::new()
    }

    /// Makes the classes, in the same order, for one shard; templates and names are prepared here, before the load.
    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>>;

    /// What wants to hear of every request and exception on a shard; nobody, unless asked for.
    fn listener(&self, _shard: &ShardContext) -> Option<Rc<dyn Listener>> {
        None
    }
}

/// The code of a kind of user, on one shard.
pub trait UserClass {
    /// Starts a user.
    fn start(self: Rc<Self>, context: Context) -> UserLife;
}

/// What a user does from its start to its end.
pub struct UserLife {
    pub(crate) body: UserFuture,
    /// Made when it is due: most of a user's life nobody needs it.
    pub(crate) ending: Option<Box<dyn FnOnce() -> UserFuture>>,
}

impl UserLife {
    /// A life that has nothing to do after its end.
    pub fn new(body: impl Future<Output = ()> + 'static) -> Self {
        Self { body: Box::pin(body), ending: None }
    }

    /// Adds what is done once the body has ended or was dropped, in a limited time.
    pub fn then<F: Future<Output = ()> + 'static>(
        mut self,
        ending: impl FnOnce() -> F + 'static,
    ) -> Self {
        self.ending = Some(Box::new(|| Box::pin(ending())));
        self
    }
}

/// A shard as its classes see it before any user exists.
#[derive(Clone)]
pub struct ShardContext {
    pub(crate) shard: Rc<Shard>,
}

impl ShardContext {
    /// Index of this shard among those of the run.
    pub fn index(&self) -> usize {
        self.shard.index()
    }

    /// The entry that exchanges of `method` and `name` are counted under, on this shard.
    pub fn entry(&self, kind: EntryKind, method: &str, name: &str) -> EntryIndex {
        self.shard.recorder().entry(kind, method, name)
    }

    /// Nanoseconds since the run's origin.
    pub fn now_ns(&self) -> u64 {
        self.shard.now_ns()
    }

    /// Waits, as a task of the shard and of no user.
    pub async fn sleep(&self, duration: Duration) {
        self.shard.sleep_until(self.now_ns().saturating_add(nanos(duration))).await;
    }

    /// Runs `task` beside the shard's users, to its end: nobody stops it, so it waits for nothing that may never come.
    /// Streams are such that they end with the run.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.shard.spawn(task);
    }

    /// Takes over a socket that is connected already, such as one end of a pair whose other end a program has.
    ///
    /// # Errors
    /// What the system says; `Unsupported` in the simulation, which has no sockets.
    pub fn adopt(&self, socket: UnixStream) -> io::Result<Stream> {
        self.shard.adopt(socket)
    }

    /// How tasks are counted.
    pub fn task_stats(&self) -> TaskStats {
        self.shard.options().task_stats
    }
}

/// Whether tasks are counted beside the exchanges that they make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskStats {
    /// Exchanges alone.
    #[default]
    Off,
    /// An entry for each task stands beside those of exchanges.
    Beside,
    /// Tasks alone: they take the place of exchanges, in the Aggregated row too.
    Only,
}

/// Which process of a run this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// The only one.
    #[default]
    Local,
    /// It directs workers and makes no load.
    Master,
    /// It makes load as a master directs.
    Worker,
}

/// Leave to begin exchanges, all at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Exchanges that may begin, at least one.
    pub count: u64,
    /// The moment, in nanoseconds since the run's origin, that they count from.
    pub start_ns: u64,
}
