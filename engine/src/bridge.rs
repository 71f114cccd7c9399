//! Work off the shard: what blocks, on threads; what wants tokio, on a runtime beside; and the way back.
//!
//! ```text
//!  user ── Ticket ──> queue ──> thread of the shard's pool ──┐
//!    ^                └───────> tokio runtime of the process ─┤
//!    └── waker <── the shard's task <── socket <── Bell ──────┘
//! ```
//!
//! - A shard has a pool of its own, as it has everything: the lock of its queue is known to this shard and to its
//!   threads, and users of another shard never wait in it. Users are dealt out evenly, so a pool for all of them would
//!   lend threads from shard to shard only while the load is too small to matter.
//! - There is one tokio runtime in the process, because a client made on it is tied to it, and may be shared.
//! - A runtime of a shard may not be woken by another thread (monoio is built without its locks for that), but each can wait
//!   for a socket. So a finished piece rings: a byte that a task of the shard reads as any stream is read. That
//!   takes microseconds, is the same on every runtime, and is made with the first piece: whoever has none pays nothing.
//! - The way there and back is not the work's own time. What a piece waits for its turn is counted in an entry of its own,
//!   and whoever measures can leave it out: see [`Context::timed`](crate::user::Context::timed).
//! - In the simulation, nothing but its clock may wake a task: the shard looks for what has finished, and simulated time
//!   passes no faster than real time meanwhile. Pieces take no time of that clock by their own figures, since how long a
//!   thread takes is not in the seed.

mod bell;
mod meter;
mod piece;
mod pool;
mod side;
mod ticket;

pub(crate) use meter::Meter;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::task::Waker;
use std::time::Duration;

use crate::clock::Clock;
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::runtime::Runtime;
use crate::shard::Shard;
use crate::stream::Stream;

use bell::Bell;
use piece::{Job, Piece, Stopwatch};
use pool::Pool;
use ticket::Ticket;

/// Bounds of the threads that a shard has for work that blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeOptions {
    /// Most threads of a shard at a time, at least one; further work waits its turn.
    pub threads_max: usize,
    /// How long a thread without work is kept for more.
    pub keep_alive: Duration,
}

impl Default for BridgeOptions {
    fn default() -> Self {
        Self { threads_max: 64, keep_alive: Duration::from_secs(10) }
    }
}

/// What came of work off the shard, and how long that took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridged<T> {
    /// Its result.
    pub value: T,
    /// From its submission to its beginning.
    pub queued: Duration,
    /// From its beginning to its end.
    pub ran: Duration,
}

/// Where a piece of work runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Blocking,
    Tokio,
}

impl Way {
    /// The name that its waits are counted under.
    fn name(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Tokio => "tokio",
        }
    }
}

/// One shard's way to threads and back.
pub(crate) struct Bridge {
    options: BridgeOptions,
    /// Who measures, and the times to be left out.
    pub(crate) meter: Meter,
    /// Made with the first piece.
    link: OnceCell<Link>,
}

struct Link {
    pool: Pool,
    bell: Arc<Bell>,
    /// Pieces that have finished.
    finished: Receiver<u64>,
    /// Nobody reads the bell's socket: the shard looks for itself.
    is_polled: bool,
    next: Cell<u64>,
    waiting: RefCell<HashMap<u64, Waker>>,
    /// Pieces that somebody waits for.
    awaited: Cell<usize>,
    /// Where waits are counted, by [`Way`].
    entries: [OnceCell<EntryIndex>; 2],
}

impl Bridge {
    pub(crate) fn new(options: BridgeOptions) -> Self {
        Self { options, meter: Meter::default(), link: OnceCell::new() }
    }

    /// Work is under way whose end nobody will be told of.
    pub(crate) fn needs_looks(&self) -> bool {
        self.link.get().is_some_and(|link| link.is_polled && link.awaited.get() > 0)
    }

    /// Looks for what has finished where nobody is told, as long after the last look as `interval` says.
    pub(crate) fn look(&self, runtime: &Runtime, interval: Duration) {
        let Some(link) = self.link.get() else { return };
        if let Runtime::Sim(_) = runtime {
            // Simulated time flies; threads get as much real time as passes for whoever waits for them.
            link.wake(link.finished.recv_timeout(interval).ok());
        }
        self.collect();
    }

    /// Wakes whoever waits for work that has finished.
    fn collect(&self) {
        let Some(link) = self.link.get() else { return };
        link.bell.silence();
        link.wake(link.finished.try_iter());
    }

    /// The link, which is there for whoever holds a ticket.
    fn link(&self) -> &Link {
        self.link.get().expect("it was made with the first piece")
    }
}

/// Runs `work` on a thread of the shard's pool and waits for it.
pub(crate) async fn blocking<T: Send + 'static>(
    shard: &Rc<Shard>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Bridged<T> {
    let (ticket, job) = submit(shard, Way::Blocking);
    let begun = shard.bridge().link().pool.submit(ticket.id(), Box::new(move || job.run(work)));
    if let Err(error) = begun {
        panic!("no thread for blocking work: {error}");
    }
    ticket.await
}

/// Runs `work` on the side runtime and waits for it; whoever stops waiting ends it.
pub(crate) async fn tokio<T: Send + 'static>(
    shard: &Rc<Shard>,
    work: impl Future<Output = T> + Send + 'static,
) -> Bridged<T> {
    let (ticket, job) = submit(shard, Way::Tokio);
    let task = side::handle().spawn(job.drive(work));
    ticket.aborts(task.abort_handle()).await
}

/// The side runtime, which the first call starts.
pub(crate) fn tokio_handle() -> ::tokio::runtime::Handle {
    side::handle()
}

fn submit<T>(shard: &Rc<Shard>, way: Way) -> (Ticket<T>, Job<T>) {
    let link = shard.bridge().link.get_or_init(|| Link::new(shard));
    let id = link.next.replace(link.next.get() + 1);
    let now_ns = shard.now_ns();
    let stopwatch = match shard.clock() {
        Clock::System(origin) => Stopwatch::Running(*origin),
        Clock::Simulated(..) => Stopwatch::Still(now_ns),
    };
    let piece = Arc::new(Piece::default());
    let job = Job::new(Arc::clone(&piece), id, stopwatch, Arc::clone(&link.bell));
    (Ticket::new(Rc::clone(shard), way, id, now_ns, piece), job)
}

impl Link {
    fn new(shard: &Rc<Shard>) -> Self {
        let (announce, finished) = mpsc::channel();
        let (bell, socket) = match shard.runtime() {
            Runtime::Sim(_) => (Bell::mute(announce), None),
            _ => Bell::with_socket(announce),
        };
        let stream = socket.and_then(|socket| match shard.adopt(socket) {
            Ok(stream) => Some(stream),
            Err(error) => {
                log::warn!("shard {} has to look for what has finished: {error}", shard.index());
                None
            }
        });
        let is_polled = stream.is_none();
        if let Some(stream) = stream {
            shard.spawn(listen(Rc::clone(shard), stream));
        }
        Self {
            pool: Pool::new(shard.bridge().options.clone()),
            bell: Arc::new(bell),
            finished,
            is_polled,
            next: Cell::new(0),
            waiting: RefCell::default(),
            awaited: Cell::new(0),
            entries: Default::default(),
        }
    }

    fn wake(&self, finished: impl IntoIterator<Item = u64>) {
        for id in finished {
            // Nobody waits where the wait was given up.
            let waker = self.waiting.borrow_mut().remove(&id);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Counts what a piece waited for its turn; a failure where that never came.
    fn record_wait(&self, shard: &Shard, way: Way, submitted_ns: u64, begun_ns: Option<u64>) {
        let intern = || shard.recorder().entry(EntryKind::Bridge, "BRIDGE", way.name());
        let entry = *self.entries[way as usize].get_or_init(intern);
        let wait = Exchange {
            start_ns: submitted_ns,
            end_ns: begun_ns.unwrap_or_else(|| shard.now_ns()),
            failed: begun_ns.is_none(),
            ..Exchange::default()
        };
        shard.record_aside(entry, &wait, None);
    }
}

/// Hears the bell until the run cuts the stream off.
async fn listen(shard: Rc<Shard>, stream: Stream) {
    let (mut read, _write) = stream.into_split();
    while matches!(read.fill().await, Ok(1..)) {
        let rung = read.buffer().len();
        read.buffer().consume(rung);
        shard.bridge().collect();
    }
}
