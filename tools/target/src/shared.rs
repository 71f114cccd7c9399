//! What the server threads of one target have in common.
//!
//! Nothing here is touched on the way of an ordinary request but the thread's own counters; the
//! rest serves stopping, handing out new connections, and routes whose state is the whole target's.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use crate::law::Sequences;
use crate::shop::Shop;
use crate::stall::Stalls;
use crate::stats::{TargetStats, ThreadCounts};

/// The state shared by the threads of a target and its handle.
#[derive(Debug)]
pub(crate) struct Shared {
    stopping: AtomicBool,
    pub(crate) inboxes: Vec<Inbox>,
    pub(crate) counts: Vec<ThreadCounts>,
    pub(crate) sequences: Sequences,
    pub(crate) stalls: Stalls,
    pub(crate) shop: Shop,
    /// How many random numbers XML-RPC has drawn.
    pub(crate) draws: AtomicU64,
}

impl Shared {
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        Ok(Self {
            stopping: AtomicBool::new(false),
            inboxes: (0..threads).map(|_| Inbox::new()).collect::<io::Result<_>>()?,
            counts: (0..threads).map(|_| ThreadCounts::default()).collect(),
            sequences: Sequences::default(),
            stalls: Stalls::default(),
            shop: Shop::default(),
            draws: AtomicU64::new(0),
        })
    }

    /// Asks all threads to end.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.inboxes.iter().for_each(Inbox::wake);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(crate) fn stats(&self) -> TargetStats {
        let mut total = TargetStats::default();
        self.counts.iter().for_each(|counts| counts.add_to(&mut total));
        total
    }
}

/// Where one thread finds connections accepted for it, and is woken.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// An eventfd in the thread's epoll set, edge-triggered: it is written and never read.
    pub(crate) bell: OwnedFd,
    sockets: Mutex<Vec<OwnedFd>>,
}

impl Inbox {
    fn new() -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { bell, sockets: Mutex::default() })
    }

    /// Hands a connection to the thread.
    pub(crate) fn put(&self, socket: OwnedFd) {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
        self.wake();
    }

    /// Takes all connections handed over.
    pub(crate) fn take(&self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.sockets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn wake(&self) {
        // The write can only fail when the counter is full, after 2^64 - 2 rings.
        let _rung = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}
