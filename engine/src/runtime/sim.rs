//! The simulation: virtual time and in-memory links, so that the real engine runs in a test from a seed.
//!
//! A [`Simulation`] is a single-threaded executor whose clock stands still while any task can run and then jumps to the
//! next moment at which something is due. Links deliver bytes after a latency and in pieces, both drawn from the seed
//! within [`LinkOptions`]; connections can be refused or reset by chance. The same seed gives the same run to the bit.

mod datagrams;

pub use datagrams::DatagramPeer;
pub(crate) use datagrams::SimDatagrams;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use loadr_protocols::buffer::ReceiveBuffer;

use super::{Address, ReadIo, Runtime, SocketHandle, Transport, WriteIo, buffer_full};
use crate::clock::{Clock, Origin};
use crate::random::SplitMix64;

type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;
type Listener = Rc<dyn Fn(Peer) -> LocalFuture>;

/// How a simulated link behaves; every draw comes from the simulation's seed.
#[derive(Clone, Debug)]
pub struct LinkOptions {
    /// One-way delay of a piece of data, in nanoseconds.
    pub latency_ns: RangeInclusive<u64>,
    /// Largest piece that arrives at once, in bytes: what is sent together may arrive in parts.
    pub piece_bytes: RangeInclusive<usize>,
    /// Chance that a connection attempt is refused, in millionths.
    pub refused_per_million: u32,
    /// Chance that a piece is lost to a connection reset, in millionths.
    pub reset_per_million: u32,
    /// Chance that a datagram never arrives, in millionths.
    pub lost_per_million: u32,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            latency_ns: 20_000..=60_000,
            piece_bytes: 1..=65_536,
            refused_per_million: 0,
            reset_per_million: 0,
            lost_per_million: 0,
        }
    }
}

/// A world with its own time.
pub struct Simulation {
    world: Rc<World>,
}

/// What tasks of a simulation hold on to.
#[derive(Clone)]
pub struct Handle(Rc<World>);

struct World {
    origin: Origin,
    now_ns: Rc<Cell<u64>>,
    tasks: RefCell<Vec<Option<LocalFuture>>>,
    ready: Arc<Ready>,
    /// Wakers by the moment they are due and their order of arrival.
    due: RefCell<BTreeMap<(u64, u64), Waker>>,
    sequence: Cell<u64>,
    listeners: RefCell<HashMap<Address, Listener>>,
    datagram_listeners: RefCell<HashMap<SocketAddr, datagrams::Listener>>,
    random: RefCell<SplitMix64>,
    links: LinkOptions,
}

/// Tasks to poll next; wakers must be `Send`, hence the lock that nobody ever contends for.
#[derive(Default)]
struct Ready(Mutex<VecDeque<usize>>);

impl Ready {
    fn push(&self, task: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(task);
    }

    fn pop(&self) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

struct TaskWaker {
    task: usize,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.push(self.task);
    }
}

/// The task number of the future that `run` was given.
const MAIN_TASK: usize = usize::MAX;

impl Simulation {
    /// A world that begins at `unix_ns` on the wall clock.
    pub fn new(seed: u64, unix_ns: u64, links: LinkOptions) -> Self {
        let world = World {
            origin: Origin::simulated(unix_ns),
            now_ns: Rc::default(),
            tasks: RefCell::default(),
            ready: Arc::default(),
            due: RefCell::default(),
            sequence: Cell::default(),
            listeners: RefCell::default(),
            datagram_listeners: RefCell::default(),
            random: RefCell::new(SplitMix64::new(seed)),
            links,
        };
        Self { world: Rc::new(world) }
    }

    /// The world's handle, for tasks and peers.
    pub fn handle(&self) -> Handle {
        Handle(Rc::clone(&self.world))
    }

    /// Serves `address`: every connection to it becomes a [`Peer`] in a task of its own.
    pub fn listen<F>(&self, address: Address, serve: impl Fn(Peer) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let listener: Listener = Rc::new(move |peer| Box::pin(serve(peer)));
        self.world.listeners.borrow_mut().insert(address, listener);
    }

    /// Runs the world until `main` ends.
    ///
    /// # Panics
    /// When nothing can run any more and nothing is due: every task waits for another.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        self.world.ready.push(MAIN_TASK);
        loop {
            while let Some(task) = self.world.ready.pop() {
                if task != MAIN_TASK {
                    self.world.poll_task(task);
                    continue;
                }
                let waker = self.world.waker(MAIN_TASK);
                if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return output;
                }
            }
            assert!(
                self.world.advance(),
                "the simulation is stuck at {} ns",
                self.world.now_ns.get()
            );
        }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        // Tasks hold the world and the world holds the tasks: let go of them here, outside any borrow.
        let tasks = std::mem::take(&mut *self.world.tasks.borrow_mut());
        let listeners = std::mem::take(&mut *self.world.listeners.borrow_mut());
        let others = std::mem::take(&mut *self.world.datagram_listeners.borrow_mut());
        drop((tasks, listeners, others));
    }
}

impl World {
    fn waker(&self, task: usize) -> Waker {
        Waker::from(Arc::new(TaskWaker { task, ready: Arc::clone(&self.ready) }))
    }

    fn poll_task(&self, task: usize) {
        let slot = self.tasks.borrow_mut().get_mut(task).and_then(Option::take);
        let Some(mut future) = slot else { return };
        let waker = self.waker(task);
        if future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.borrow_mut()[task] = Some(future);
        }
    }

    /// Moves time to the next moment at which something is due; false when nothing is.
    fn advance(&self) -> bool {
        let Some(((due_ns, _), waker)) = self.due.borrow_mut().pop_first() else { return false };
        self.now_ns.set(self.now_ns.get().max(due_ns));
        waker.wake();
        true
    }

    fn wake_at(&self, due_ns: u64, waker: Waker) {
        self.sequence.set(self.sequence.get() + 1);
        self.due.borrow_mut().insert((due_ns, self.sequence.get()), waker);
    }

    fn chance(&self, per_million: u32) -> bool {
        per_million > 0 && self.random.borrow_mut().below(1_000_000) < u64::from(per_million)
    }

    fn draw(&self, range: &RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start()) + 1;
        range.start() + self.random.borrow_mut().below(width)
    }
}

impl Handle {
    /// The world's clock.
    pub fn clock(&self) -> Clock {
        Clock::Simulated(self.0.origin, Rc::clone(&self.0.now_ns))
    }

    /// Runs `task` in this world.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let mut tasks = self.0.tasks.borrow_mut();
        tasks.push(Some(Box::pin(task)));
        self.0.ready.push(tasks.len() - 1);
    }

    /// Waits until the world's time has reached `due_ns`.
    pub async fn sleep_until(&self, due_ns: u64) {
        poll_fn(|context| {
            if self.0.now_ns.get() >= due_ns {
                return Poll::Ready(());
            }
            self.0.wake_at(due_ns, context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits for `delay_ns` nanoseconds of virtual time.
    pub async fn sleep(&self, delay_ns: u64) {
        self.sleep_until(self.0.now_ns.get() + delay_ns).await;
    }

    pub(crate) async fn connect(&self, address: &Address) -> io::Result<Transport> {
        self.sleep(self.0.draw(&self.0.links.latency_ns)).await;
        let listener = self.0.listeners.borrow().get(address).cloned();
        let refused = self.0.chance(self.0.links.refused_per_million);
        let Some(serve) = listener.filter(|_| !refused) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (here, there) = SimSocket::pair(self);
        self.spawn(serve(Peer {
            socket: there,
            received: ReceiveBuffer::with_capacity(4096, 1 << 20),
        }));
        Ok(Transport {
            read: ReadIo::Sim(here.clone()),
            write: WriteIo::Sim(here.clone()),
            handle: SocketHandle::Sim(here),
        })
    }

    pub(crate) fn runtime(&self) -> Runtime {
        Runtime::Sim(self.clone())
    }
}

/// One direction of a link.
#[derive(Default)]
struct Pipe {
    /// Pieces with the moment each arrives; an empty piece is the end of the stream.
    pieces: VecDeque<(u64, Bytes)>,
    arrives_last_ns: u64,
    /// The moment at which the reader will be woken.
    wakes_ns: u64,
    ended: bool,
    /// The far end was dropped: what is sent goes nowhere.
    reader_gone: bool,
    reset: bool,
    reader: Option<Waker>,
}

/// One end of a simulated connection.
#[derive(Clone)]
pub(crate) struct SimSocket {
    world: Handle,
    incoming: Rc<RefCell<Pipe>>,
    outgoing: Rc<RefCell<Pipe>>,
}

impl SimSocket {
    fn pair(world: &Handle) -> (Self, Self) {
        let (there, back) = (Rc::default(), Rc::default());
        let here =
            Self { world: world.clone(), incoming: Rc::clone(&back), outgoing: Rc::clone(&there) };
        (here, Self { world: world.clone(), incoming: there, outgoing: back })
    }

    pub(crate) async fn read(&self, buffer: &mut ReceiveBuffer) -> io::Result<usize> {
        let spare = buffer.spare(1).map_err(buffer_full)?;
        let count = poll_fn(|context| self.poll_read(context, spare)).await?;
        buffer.advance(count);
        Ok(count)
    }

    fn poll_read(&self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = self.incoming.borrow_mut();
        if pipe.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let Some((arrives_ns, _)) = pipe.pieces.front() else {
            if pipe.ended {
                return Poll::Ready(Ok(0));
            }
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        let arrives_ns = *arrives_ns;
        if arrives_ns > self.world.0.now_ns.get() {
            // Once per moment: whoever is polled for another reason must not multiply its wake-ups.
            if pipe.wakes_ns != arrives_ns {
                pipe.wakes_ns = arrives_ns;
                self.world.0.wake_at(arrives_ns, context.waker().clone());
            }
            // A shutdown must be seen before the piece arrives.
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let Some((_, piece)) = pipe.pieces.front_mut() else { return Poll::Pending };
        let count = piece.len().min(into.len());
        into[..count].copy_from_slice(&piece.split_to(count));
        if piece.is_empty() {
            pipe.pieces.pop_front();
        }
        Poll::Ready(Ok(count))
    }

    pub(crate) async fn write_all(&self, bytes: Bytes) -> io::Result<()> {
        self.send(bytes)
    }

    fn send(&self, mut bytes: Bytes) -> io::Result<()> {
        let world = &self.world.0;
        let mut pipe = self.outgoing.borrow_mut();
        if pipe.ended || pipe.reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if pipe.reader_gone {
            // Nobody has told this end yet, and no kernel would know either.
            return Ok(());
        }
        while !bytes.is_empty() {
            let sizes = &world.links.piece_bytes;
            let size = world.draw(&(*sizes.start() as u64..=*sizes.end() as u64)) as usize;
            let arrives_ns = world.now_ns.get() + world.draw(&world.links.latency_ns);
            // Bytes keep their order, however the latencies fall.
            pipe.arrives_last_ns = pipe.arrives_last_ns.max(arrives_ns);
            pipe.reset |= world.chance(world.links.reset_per_million);
            let piece = bytes.split_to(size.clamp(1, bytes.len()));
            let arrives_ns = pipe.arrives_last_ns;
            pipe.pieces.push_back((arrives_ns, piece));
        }
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
        Ok(())
    }

    pub(crate) fn send_now(&self, bytes: &[u8]) {
        // As with a kernel's socket, the far end may have gone first.
        let _ = self.send(Bytes::copy_from_slice(bytes));
    }

    pub(crate) fn is_readable(&self) -> bool {
        let pipe = self.incoming.borrow();
        let arrived =
            pipe.pieces.front().map(|(arrives_ns, _)| *arrives_ns <= self.world.0.now_ns.get());
        pipe.reset || arrived.unwrap_or(pipe.ended)
    }

    pub(crate) fn shut_down(&self) {
        for pipe in [&self.incoming, &self.outgoing] {
            let mut pipe = pipe.borrow_mut();
            pipe.ended = true;
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        // What was on its way here is gone with the socket; what was sent still arrives.
        self.incoming.borrow_mut().pieces.clear();
    }
}

/// The far end of a connection to a simulated listener, for the test that plays the target.
pub struct Peer {
    socket: SimSocket,
    received: ReceiveBuffer,
}

impl Peer {
    /// Waits for more bytes; an empty slice is the end of the stream or a reset.
    pub async fn receive(&mut self) -> &[u8] {
        let already = self.received.len();
        self.received.consume(already);
        if self.socket.read(&mut self.received).await.is_err() {
            return &[];
        }
        self.received.unread()
    }

    /// Sends bytes; they arrive after the link's latency, in pieces.
    pub fn send(&self, bytes: Bytes) {
        // A peer that has gone away takes nothing more, like a kernel's socket after a reset.
        let _ = self.socket.send(bytes);
    }

    /// Waits for `delay_ns` nanoseconds of virtual time.
    pub async fn sleep(&self, delay_ns: u64) {
        self.socket.world.sleep(delay_ns).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // What was sent arrives; then the stream ends.
        let mut pipe = self.socket.outgoing.borrow_mut();
        pipe.ended = true;
        if let Some(reader) = pipe.reader.take() {
            reader.wake();
        }
        self.socket.incoming.borrow_mut().reader_gone = true;
    }
}

/// An alarm in virtual time.
pub(crate) struct SimAlarm {
    world: Handle,
    due_ns: Cell<u64>,
    /// The moment at which the waiting task will be woken.
    wakes_ns: Cell<u64>,
    waiter: RefCell<Option<Waker>>,
}

impl SimAlarm {
    pub(crate) fn new(world: &Handle) -> Self {
        let never = || Cell::new(u64::MAX);
        Self {
            world: world.clone(),
            due_ns: never(),
            wakes_ns: never(),
            waiter: RefCell::default(),
        }
    }

    pub(crate) fn arm(&self, due_ns: u64) {
        self.due_ns.set(due_ns);
        if let Some(waiter) = self.waiter.borrow_mut().take() {
            waiter.wake();
        }
    }

    pub(crate) async fn ring(&self) {
        poll_fn(|context| {
            if self.due_ns.get() <= self.world.0.now_ns.get() {
                self.due_ns.set(u64::MAX);
                return Poll::Ready(());
            }
            if self.due_ns.get() != self.wakes_ns.get() && self.due_ns.get() != u64::MAX {
                self.wakes_ns.set(self.due_ns.get());
                self.world.0.wake_at(self.due_ns.get(), context.waker().clone());
            }
            *self.waiter.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
