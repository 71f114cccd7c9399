//! The event loop of one server thread.
//!
//! The first thread accepts for all and deals connections out in turn, so that threads have equal
//! numbers of them. (Listeners of their own by SO_REUSEPORT would share them out by hash: of 64
//! connections, 40 and 24 are not rare.) Everything else a thread does with its own connections
//! only.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustls::ServerConfig;

use crate::connection::{Connection, Scratch, Turn};
use crate::desk::Desk;
use crate::listener::Listener;
use crate::shared::{Inbox, Shared};
use crate::slab::{Slab, TOKEN_MAX};
use crate::timer::{Timers, now_ns};

/// Events taken from the kernel at a time.
const EVENTS: usize = 512;

/// Connections accepted in a row before those there are have their turn.
const ACCEPTS_IN_A_ROW: usize = 64;

/// How long accepting pauses when the process has no descriptors left.
const ACCEPT_PAUSE_NS: u64 = 10_000_000;

/// How long a client may take to close a connection that the target has ended.
const LINGER_NS: u64 = 1_000_000_000;

/// Tokens above those of connections; listeners count upwards from theirs.
const TIMERS: u64 = TOKEN_MAX + 1;
const INBOX: u64 = TOKEN_MAX + 2;
const ACCEPT_AGAIN: u64 = TOKEN_MAX + 3;
const LISTENERS: u64 = TOKEN_MAX + 4;

/// One server thread's equipment, made before the thread starts so that it can be refused.
#[derive(Debug)]
pub(crate) struct Worker {
    index: usize,
    shared: Arc<Shared>,
    epoll: OwnedFd,
    listeners: Vec<Listener>,
    timers: Timers,
    connections: Slab<Connection>,
    desk: Desk,
    scratch: Scratch,
    tls: Option<Arc<ServerConfig>>,
    /// Connections that go on without waiting for an event.
    ready: Vec<u64>,
    /// The thread that gets the next connection.
    deal_to: usize,
}

impl Worker {
    /// Sets up thread `index`, which accepts from `listeners` and speaks TLS if it is given.
    pub(crate) fn new(
        index: usize,
        shared: Arc<Shared>,
        listeners: Vec<Listener>,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let worker = Self {
            index,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            listeners,
            timers: Timers::new()?,
            connections: Slab::new(),
            desk: Desk::new(Arc::clone(&shared), index),
            scratch: Scratch::new(tls.is_some()),
            tls,
            ready: Vec::new(),
            deal_to: 0,
            shared,
        };
        let edge = EventFlags::IN | EventFlags::ET;
        epoll::add(&worker.epoll, &worker.timers.fd, EventData::new_u64(TIMERS), edge)?;
        epoll::add(&worker.epoll, &worker.inbox().bell, EventData::new_u64(INBOX), edge)?;
        worker.watch_listeners()?;
        Ok(worker)
    }

    /// Serves until the target stops.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events =
            vec![Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; EVENTS];
        while !self.shared.is_stopping() {
            let count = self.wait(&mut events)?;
            for event in &events[..count] {
                self.handle(event.data.u64(), event.flags)?;
            }
            for token in std::mem::take(&mut self.ready) {
                self.serve(token, |connection, desk, scratch| {
                    connection.is_queued = false;
                    connection.turn(desk, scratch)
                })?;
            }
        }
        (0..self.connections.len()).for_each(|_| self.desk.counts().count_closed());
        Ok(())
    }

    fn inbox(&self) -> &Inbox {
        &self.shared.inboxes[self.index]
    }

    fn wait(&mut self, events: &mut [Event]) -> io::Result<usize> {
        const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        self.timers.arm()?;
        let timeout = if self.ready.is_empty() { None } else { Some(&AT_ONCE) };
        match epoll::wait(&self.epoll, events, timeout) {
            Ok(count) => Ok(count),
            Err(Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    fn handle(&mut self, token: u64, flags: EventFlags) -> io::Result<()> {
        match token {
            0..=TOKEN_MAX => self
                .serve(token, |connection, desk, scratch| connection.event(flags, desk, scratch)),
            TIMERS => self.handle_timers(),
            INBOX => {
                self.inbox().take().into_iter().for_each(|socket| self.adopt(socket));
                Ok(())
            }
            _ => self.accept((token - LISTENERS) as usize),
        }
    }

    /// Gives a connection its turn and does what it wants next.
    #[inline]
    fn serve(
        &mut self,
        token: u64,
        work: impl FnOnce(&mut Connection, &mut Desk, &mut Scratch) -> Turn,
    ) -> io::Result<()> {
        let Some(connection) = self.connections.find(token) else { return Ok(()) };
        match work(connection, &mut self.desk, &mut self.scratch) {
            Turn::Idle => {}
            Turn::Again => self.queue(token),
            Turn::Blocked => return self.watch_output(token),
            Turn::Time { at_ns, is_blocked } => {
                self.timers.set(at_ns, token);
                if is_blocked {
                    return self.watch_output(token);
                }
            }
            Turn::Alarm { at_ns } => {
                self.timers.set(at_ns, token);
                self.queue(token);
            }
            Turn::Linger => {
                self.timers.set(now_ns() + LINGER_NS, token);
                self.queue(token);
            }
            Turn::Close => self.close(token),
        }
        Ok(())
    }

    fn queue(&mut self, token: u64) {
        if let Some(connection) = self.connections.find(token)
            && !std::mem::replace(&mut connection.is_queued, true)
        {
            self.ready.push(token);
        }
    }

    /// Asks for events when a socket takes more, from its first need on; most connections never
    /// have it.
    fn watch_output(&mut self, token: u64) -> io::Result<()> {
        let Some(connection) = self.connections.find(token) else { return Ok(()) };
        if !connection.watches_output {
            connection.watches_output = true;
            let flags = connection_events() | EventFlags::OUT;
            epoll::modify(&self.epoll, &connection.socket, EventData::new_u64(token), flags)?;
        }
        Ok(())
    }

    fn close(&mut self, token: u64) {
        if self.connections.remove(token).is_some() {
            self.desk.counts().count_closed();
        }
    }

    fn handle_timers(&mut self) -> io::Result<()> {
        let now = now_ns();
        while let Some(token) = self.timers.take_due(now) {
            match token {
                ACCEPT_AGAIN => self.watch_listeners()?,
                _ => self.serve(token, Connection::timer)?,
            }
        }
        Ok(())
    }

    fn accept(&mut self, listener: usize) -> io::Result<()> {
        for _ in 0..ACCEPTS_IN_A_ROW {
            match self.listeners[listener].accept() {
                Ok(socket) => self.deal(socket),
                Err(Errno::AGAIN) => break,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    return self.pause_accepting();
                }
                // The client gave up while it waited: the next one may not have.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Leaves connections in the backlog for a moment, since trying again at once would spin.
    fn pause_accepting(&mut self) -> io::Result<()> {
        for listener in &self.listeners {
            epoll::delete(&self.epoll, &listener.socket)?;
        }
        self.timers.set(now_ns() + ACCEPT_PAUSE_NS, ACCEPT_AGAIN);
        Ok(())
    }

    fn watch_listeners(&self) -> io::Result<()> {
        for (listener, token) in self.listeners.iter().zip(LISTENERS..) {
            epoll::add(&self.epoll, &listener.socket, EventData::new_u64(token), EventFlags::IN)?;
        }
        Ok(())
    }

    fn deal(&mut self, socket: OwnedFd) {
        let thread = self.deal_to;
        self.deal_to = (thread + 1) % self.shared.inboxes.len();
        if thread == self.index {
            self.adopt(socket);
        } else {
            self.shared.inboxes[thread].put(socket);
        }
    }

    /// Takes a connection into this thread's care.
    fn adopt(&mut self, socket: OwnedFd) {
        self.desk.counts().count_accepted();
        let connection = match &self.tls {
            None => Some(Connection::new(socket)),
            Some(config) => Connection::with_tls(socket, config),
        };
        let Some(connection) = connection else { return self.desk.counts().count_closed() };
        let token = self.connections.insert(connection);
        let Some(connection) = self.connections.find(token) else { return };
        let data = EventData::new_u64(token);
        if epoll::add(&self.epoll, &connection.socket, data, connection_events()).is_err() {
            // The limit on epoll watches, or memory: the client is told by the close.
            self.close(token);
        }
    }
}

fn connection_events() -> EventFlags {
    EventFlags::IN | EventFlags::RDHUP | EventFlags::ET
}

/// Lets the calling thread run on one CPU only.
pub(crate) fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::Error::from(Errno::INVAL));
    }
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    Ok(sched_setaffinity(None, &cpus)?)
}
