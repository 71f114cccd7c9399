//! Somebody waits for a piece of work.

use std::collections::hash_map::Entry;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::piece::{Done, Piece};
use super::{Bridged, Way};
use crate::shard::Shard;

/// Waits for a piece of work. Dropped before that has begun, it sees to it that it never does; later, a future is dropped
/// where it awaits, and a thread goes on unheard.
pub(super) struct Ticket<T> {
    shard: Rc<Shard>,
    way: Way,
    id: u64,
    submitted_ns: u64,
    piece: Arc<Piece<T>>,
    abort: Option<AbortHandle>,
    is_settled: bool,
}

impl<T> Ticket<T> {
    pub(super) fn new(
        shard: Rc<Shard>,
        way: Way,
        id: u64,
        submitted_ns: u64,
        piece: Arc<Piece<T>>,
    ) -> Self {
        let awaited = &shard.bridge().link().awaited;
        awaited.set(awaited.get() + 1);
        Self { shard, way, id, submitted_ns, piece, abort: None, is_settled: false }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The task to end when nobody waits any more.
    pub(super) fn aborts(mut self, task: AbortHandle) -> Self {
        self.abort = Some(task);
        self
    }

    /// Counts the wait for its turn, once.
    fn settle(&mut self, begun_ns: Option<u64>) {
        self.is_settled = true;
        let link = self.shard.bridge().link();
        link.awaited.set(link.awaited.get() - 1);
        link.record_wait(&self.shard, self.way, self.submitted_ns, begun_ns);
    }
}

impl<T> Future for Ticket<T> {
    type Output = Bridged<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Bridged<T>> {
        let ticket = &mut *self;
        let Some(Done { begun_ns, ended_ns, result }) = ticket.piece.take_done() else {
            let mut waiting = ticket.shard.bridge().link().waiting.borrow_mut();
            match waiting.entry(ticket.id) {
                Entry::Occupied(mut known) => known.get_mut().clone_from(context.waker()),
                Entry::Vacant(place) => drop(place.insert(context.waker().clone())),
            }
            return Poll::Pending;
        };
        ticket.settle(Some(begun_ns));
        let meter = &ticket.shard.bridge().meter;
        meter.add(ticket.submitted_ns, begun_ns);
        meter.add(ended_ns, ticket.shard.now_ns());
        let value = result.unwrap_or_else(|panic| panic.resume());
        Poll::Ready(Bridged {
            value,
            queued: Duration::from_nanos(begun_ns.saturating_sub(ticket.submitted_ns)),
            ran: Duration::from_nanos(ended_ns.saturating_sub(begun_ns)),
        })
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        let begun_ns = self.piece.forget();
        let link = self.shard.bridge().link();
        link.waiting.borrow_mut().remove(&self.id);
        match &self.abort {
            Some(task) => task.abort(),
            None => link.pool.forget(self.id),
        }
        self.settle(begun_ns);
    }
}
