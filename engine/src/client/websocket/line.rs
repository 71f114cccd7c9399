//! A connection that is read from in the background: who sends on it, and who awaits what of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::failure::{self, Awaited};
use super::message::{Matcher, Message, View};
use super::wire::{Bounds, Sender};
use crate::outcome::{Failure, FailureKind};
use crate::stream::StreamDeadline;

/// What its operations and its reader share.
pub(super) struct Line {
    /// The sending direction while nobody sends.
    sender: Cell<Option<Box<Sender>>>,
    /// Whoever waits to send.
    queue: RefCell<VecDeque<Waker>>,
    waiters: RefCell<Vec<Rc<Waiter>>>,
    deadline: StreamDeadline,
    /// The deadlines of operations under way; the earliest is the stream's.
    deadlines_ns: RefCell<Vec<u64>>,
    /// We have said goodbye.
    closing: Cell<bool>,
    ended: RefCell<Option<Failure>>,
}

/// An operation that awaits something.
struct Waiter {
    wanted: Wanted,
    outcome: RefCell<Option<Result<Option<Message>, Failure>>>,
    waker: RefCell<Option<Waker>>,
}

/// What is awaited.
pub(super) enum Wanted {
    Message(Matcher),
    Pong([u8; 8]),
    Close,
    /// Nothing: only the deadline is of interest.
    Nothing,
}

impl Waiter {
    fn settle(&self, outcome: Result<Option<Message>, Failure>) {
        *self.outcome.borrow_mut() = Some(outcome);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Line {
    pub(super) fn new(sender: Box<Sender>, deadline: StreamDeadline) -> Self {
        Self {
            sender: Cell::new(Some(sender)),
            queue: RefCell::default(),
            waiters: RefCell::default(),
            deadline,
            deadlines_ns: RefCell::default(),
            closing: Cell::new(false),
            ended: RefCell::default(),
        }
    }

    /// Gives a message to the operation that awaits it; false when none does.
    pub(super) fn deliver(&self, view: &View<'_>) -> bool {
        let is_it = |wanted: &Wanted| match wanted {
            Wanted::Message(matcher) => matcher.matches(view),
            _ => false,
        };
        self.settle_first(is_it, || Some(view.to_message()))
    }

    /// Gives a pong to the operation that awaits it.
    pub(super) fn deliver_pong(&self, payload: &[u8]) {
        self.settle_first(
            |wanted| matches!(wanted, Wanted::Pong(sent) if sent == payload),
            || None,
        );
    }

    /// Tells whoever closed that the target has done so too; false when nobody closed.
    pub(super) fn deliver_close(&self) -> bool {
        self.settle_first(|wanted| matches!(wanted, Wanted::Close), || None);
        self.closing.get()
    }

    fn settle_first(
        &self,
        is_it: impl Fn(&Wanted) -> bool,
        outcome: impl FnOnce() -> Option<Message>,
    ) -> bool {
        let mut waiters = self.waiters.borrow_mut();
        let Some(index) = waiters.iter().position(|waiter| is_it(&waiter.wanted)) else {
            return false;
        };
        let waiter = waiters.remove(index);
        drop(waiters);
        waiter.settle(Ok(outcome()));
        true
    }

    /// Nothing comes or goes any more; true when somebody awaited something and so learns why.
    pub(super) fn end(&self, failure: &Failure) -> bool {
        self.ended.borrow_mut().get_or_insert_with(|| failure.clone());
        let waiters = std::mem::take(&mut *self.waiters.borrow_mut());
        waiters.iter().for_each(|waiter| waiter.settle(Err(failure.clone())));
        let queue = std::mem::take(&mut *self.queue.borrow_mut());
        let had_queue = !queue.is_empty();
        queue.into_iter().for_each(Waker::wake);
        had_queue || !waiters.is_empty()
    }

    pub(super) fn shut_down(&self) {
        self.deadline.shut_down();
    }

    /// We mean it to end: that is no loss of a connection.
    pub(super) fn begin_close(&self) {
        self.closing.set(true);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    /// The sending direction, once nobody else has it.
    ///
    /// # Errors
    /// Why the connection has ended.
    pub(super) async fn lend_sender(&self) -> Result<LentSender<'_>, Failure> {
        poll_fn(|task| {
            if let Some(failure) = &*self.ended.borrow() {
                return Poll::Ready(Err(failure.clone()));
            }
            if let Some(sender) = self.sender.take() {
                return Poll::Ready(Ok(LentSender { line: self, sender: Some(sender) }));
            }
            self.queue.borrow_mut().push_back(task.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Announces what an operation awaits, until `deadline_ns` at most.
    pub(super) fn await_for(self: &Rc<Self>, wanted: Wanted, deadline_ns: u64) -> Watch {
        let waiter =
            Rc::new(Waiter { wanted, outcome: RefCell::default(), waker: RefCell::default() });
        self.waiters.borrow_mut().push(Rc::clone(&waiter));
        self.deadlines_ns.borrow_mut().push(deadline_ns);
        self.update_deadline();
        Watch { line: Rc::clone(self), waiter, deadline_ns }
    }

    fn update_deadline(&self) {
        self.deadline.set(self.deadlines_ns.borrow().iter().min().copied());
    }
}

/// The sending direction while somebody sends. Dropped in the middle of that, it takes the connection with it.
pub(super) struct LentSender<'l> {
    line: &'l Line,
    sender: Option<Box<Sender>>,
}

impl LentSender<'_> {
    pub(super) fn sender(&mut self) -> &mut Sender {
        self.sender.as_mut().expect("it is given back by value")
    }

    pub(super) fn give_back(mut self) {
        self.line.sender.set(self.sender.take());
    }
}

impl Drop for LentSender<'_> {
    fn drop(&mut self) {
        if self.sender.is_some() {
            // The reader learns of it, and everybody else from the reader.
            self.line.shut_down();
        }
        let next = self.line.queue.borrow_mut().pop_front();
        if let Some(waker) = next {
            waker.wake();
        }
    }
}

/// An operation's place among those that await something; it is left when this is dropped.
pub(super) struct Watch {
    line: Rc<Line>,
    waiter: Rc<Waiter>,
    deadline_ns: u64,
}

impl Watch {
    /// Waits for what was announced; `bounds` says what to call it where the time runs out.
    pub(super) async fn outcome(&self, bounds: Bounds) -> Result<Option<Message>, Failure> {
        let outcome = poll_fn(|task| {
            if let Some(outcome) = self.waiter.outcome.take() {
                return Poll::Ready(outcome);
            }
            *self.waiter.waker.borrow_mut() = Some(task.waker().clone());
            Poll::Pending
        })
        .await;
        outcome.map_err(|failure| in_own_words(failure, bounds))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.line.waiters.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.waiter));
        let mut deadlines = self.line.deadlines_ns.borrow_mut();
        if let Some(index) = deadlines.iter().position(|other| *other == self.deadline_ns) {
            deadlines.swap_remove(index);
        }
        drop(deadlines);
        self.line.update_deadline();
    }
}

/// The reader awaits nothing in particular, so a time-out is put into the words of whoever had the deadline.
pub(super) fn in_own_words(failure: Failure, bounds: Bounds) -> Failure {
    if failure.kind != FailureKind::Timeout {
        return failure;
    }
    failure::of_stream(&std::io::ErrorKind::TimedOut.into(), bounds.awaited, bounds.timeout)
}

/// What the reader calls its waiting.
pub(super) const READING: Bounds = Bounds { awaited: Awaited::Message, timeout: Duration::ZERO };
