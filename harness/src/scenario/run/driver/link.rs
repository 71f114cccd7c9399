//! A driver's process that runs, and the calls that wait for it.
//!
//! Three tasks of the shard serve it: one writes calls, one reads answers and hands each to the call of its number, one
//! keeps the end of what it says to people. They end with its sockets: when it has died, when it is told to end, and when
//! the run does.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::stream::Stream;
use loadr_engine::user::{Context, ShardContext};

use super::process::{Process, Program};
use super::wire::{self, Answer, Fault, Lines, Said};
use crate::scenario::run::child::Tail;
use crate::scenario::run::groups;

/// How long a process that has closed its output is given to end, so that it can be told how it did.
const LAST_MOMENTS: Duration = Duration::from_millis(500);
/// How often it is looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
/// Most answers that may come though their calls have been given up.
const GIVEN_UP_MAX: usize = 10_000;

/// A process that runs.
pub(super) struct Link {
    shard: ShardContext,
    program: RefCell<Program>,
    /// Calls that wait for their answers, by number.
    calls: RefCell<HashMap<u64, Waiting>>,
    /// Calls that were given up, whose answers may still come.
    given_up: RefCell<HashSet<u64>>,
    next: Cell<u64>,
    outbox: RefCell<VecDeque<Bytes>>,
    writer: RefCell<Option<Waker>>,
    is_ready: Cell<bool>,
    starter: RefCell<Option<Waker>>,
    answered_ns: Cell<Option<u64>>,
    errors: RefCell<Tail>,
    errors_are_over: Cell<bool>,
    /// It is of no more use, and why; whether a call has been told.
    broken: RefCell<Option<(Failure, bool)>>,
}

#[derive(Default)]
struct Waiting {
    waker: Option<Waker>,
    answer: Option<(Answer, u64)>,
    /// The answer has been taken.
    is_over: bool,
}

/// What became of a call, and when; in nanoseconds since the run's origin.
pub(super) struct Ended {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) answer: Result<Answer, Failure>,
}

/// Why nothing more is read.
enum Over {
    /// The run is over, or the stream was closed from here.
    Here,
    /// It has closed its output.
    Closed,
    Fault(Fault),
}

impl Link {
    /// Begins to talk to a process that has just started.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn new(shard: &ShardContext, process: Process) -> io::Result<Rc<Self>> {
        let input = shard.adopt(process.input)?;
        let output = shard.adopt(process.output)?;
        let errors = shard.adopt(process.errors)?;
        let link = Rc::new(Self {
            shard: shard.clone(),
            program: RefCell::new(process.program),
            calls: RefCell::default(),
            given_up: RefCell::default(),
            next: Cell::new(1),
            outbox: RefCell::default(),
            writer: RefCell::default(),
            is_ready: Cell::new(false),
            starter: RefCell::default(),
            answered_ns: Cell::new(None),
            errors: RefCell::default(),
            errors_are_over: Cell::new(false),
            broken: RefCell::default(),
        });
        shard.spawn(Rc::clone(&link).write(input));
        shard.spawn(Rc::clone(&link).listen(output));
        shard.spawn(Rc::clone(&link).keep_errors(errors));
        Ok(link)
    }

    /// Whether it is of no more use.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.borrow().is_some()
    }

    /// Why it is of no more use, if no call has been told.
    pub(super) fn take_untold(&self) -> Option<Failure> {
        let mut broken = self.broken.borrow_mut();
        let (failure, is_told) = broken.as_mut()?;
        (!std::mem::replace(is_told, true)).then(|| failure.clone())
    }

    /// Whether it has ever answered.
    pub(super) fn has_answered(&self) -> bool {
        self.answered_ns.get().is_some()
    }

    /// Waits until it says that it is ready, or has failed.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        poll_fn(|context| {
            if let Some(failure) = self.told_failure() {
                return Poll::Ready(Err(failure));
            }
            if self.is_ready.get() {
                return Poll::Ready(Ok(()));
            }
            *self.starter.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Has it answer a call, within `timeout`.
    pub(super) async fn call(
        &self,
        context: &Context,
        call: &str,
        params: &str,
        user: u64,
        timeout: Duration,
    ) -> Ended {
        let id = self.next.replace(self.next.get() + 1);
        let start_ns = context.now_ns();
        self.calls.borrow_mut().insert(id, Waiting::default());
        let ticket = Ticket { link: self, id };
        self.send(wire::request(id, call, params, user));
        let answer = context.within(timeout, ticket.answer()).await;
        drop(ticket);
        match answer {
            Some(Ok((answer, end_ns))) => Ended { start_ns, end_ns, answer: Ok(answer) },
            Some(Err(failure)) => {
                Ended { start_ns, end_ns: context.now_ns(), answer: Err(failure) }
            }
            None => {
                let text = format!("no answer within {timeout:?}");
                self.miss(start_ns);
                let answer = Err(Failure::new(FailureKind::Timeout, text));
                Ended { start_ns, end_ns: context.now_ns(), answer }
            }
        }
    }

    /// A call that began at `start_ns` has waited in vain.
    fn miss(&self, start_ns: u64) {
        let hangs = self.answered_ns.get().is_none_or(|answered_ns| answered_ns < start_ns);
        // One that answers others is merely slow, and answers are told apart by their numbers.
        if hangs || self.given_up.borrow().len() > GIVEN_UP_MAX {
            self.fail(Failure::new(FailureKind::Closed, "the driver was ended: it hung"), true);
            self.end_now();
        }
    }

    /// Ends it as is usual: its input ends, and it has some time.
    pub(super) fn close(&self) {
        self.fail(Failure::new(FailureKind::Cancelled, "the driver was ended"), true);
        self.program.borrow_mut().let_end();
    }

    /// Ends it at once.
    fn end_now(&self) {
        self.program.borrow_mut().end_now();
    }

    fn send(&self, line: String) {
        self.outbox.borrow_mut().push_back(line.into());
        wake(&self.writer);
    }

    /// Why it is of no more use; whoever asks has been told.
    fn told_failure(&self) -> Option<Failure> {
        let mut broken = self.broken.borrow_mut();
        let (failure, is_told) = broken.as_mut()?;
        *is_told = true;
        Some(failure.clone())
    }

    /// It is of no more use from here on.
    fn fail(&self, failure: Failure, is_told: bool) {
        self.broken.borrow_mut().get_or_insert((failure, is_told));
        wake(&self.writer);
        wake(&self.starter);
        let wakers: Vec<Waker> =
            self.calls.borrow_mut().values_mut().filter_map(|call| call.waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    async fn write(self: Rc<Self>, stream: Stream) {
        let (read, mut half) = stream.into_split();
        while let Some(line) = self.next_line().await {
            // Whoever reads hears of its end.
            if half.write_all(line).await.is_err() {
                break;
            }
        }
        // Its input comes to its end.
        read.shut_down();
    }

    /// What is to be written next; nothing once it is of no more use.
    fn next_line(&self) -> impl Future<Output = Option<Bytes>> + '_ {
        poll_fn(|context| {
            if self.is_broken() {
                return Poll::Ready(None);
            }
            let line = self.outbox.borrow_mut().pop_front();
            if line.is_none() {
                *self.writer.borrow_mut() = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(line)
        })
    }

    async fn listen(self: Rc<Self>, stream: Stream) {
        let (mut half, _write) = stream.into_split();
        let mut lines = Lines::default();
        let over = loop {
            match half.fill().await {
                Ok(0) => break Over::Closed,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => break Over::Here,
                Err(_) => break Over::Closed,
            }
            let now_ns = self.shard.now_ns();
            let length = half.buffer().len();
            let heard =
                lines.take(half.buffer().unread(), |line| self.hear(wire::parse(line)?, now_ns));
            half.buffer().consume(length);
            if let Err(fault) = heard {
                break Over::Fault(fault);
            }
        };
        self.finish(over).await;
    }

    fn hear(&self, said: Said, now_ns: u64) -> Result<(), Fault> {
        let (id, answer) = match said {
            Said::Ready => {
                self.is_ready.set(true);
                wake(&self.starter);
                return Ok(());
            }
            Said::Answer(id, answer) => (id, answer),
        };
        self.answered_ns.set(Some(now_ns));
        if self.given_up.borrow_mut().remove(&id) {
            return Ok(());
        }
        let mut calls = self.calls.borrow_mut();
        let call = calls.get_mut(&id).filter(|call| call.answer.is_none());
        let call = call.ok_or(Fault::UnknownId)?;
        call.answer = Some((answer, now_ns));
        let waker = call.waker.take();
        drop(calls);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Nothing more is read: finds out why, tells those who wait, and ends what may be left.
    async fn finish(&self, over: Over) {
        if self.is_broken() || matches!(over, Over::Here) {
            return self.close();
        }
        let failure = match over {
            Over::Fault(fault) => {
                Failure::new(FailureKind::Protocol, format!("the driver {fault}"))
            }
            _ => {
                let what = self.last_words().await;
                let text = self.errors.borrow().explained(what, 1);
                Failure::new(FailureKind::Closed, text)
            }
        };
        let is_told = !self.calls.borrow().is_empty();
        self.fail(failure, is_told);
        self.end_now();
    }

    /// How a process that has closed its output has come to its end.
    async fn last_words(&self) -> String {
        let deadline_ns = self.shard.now_ns() + LAST_MOMENTS.as_nanos() as u64;
        let group = self.program.borrow().group();
        let look = || groups::ended(group?).ok().flatten();
        let mut ended = None;
        while self.shard.now_ns() < deadline_ns && !self.is_broken() {
            ended = ended.or_else(look);
            // What it said last may be on its way.
            if ended.is_some() && self.errors_are_over.get() {
                break;
            }
            self.shard.sleep(LOOK_INTERVAL).await;
        }
        match ended {
            Some(status) => format!("the driver has ended: {}", groups::words(&status)),
            None => "the driver closed its output".to_owned(),
        }
    }

    async fn keep_errors(self: Rc<Self>, stream: Stream) {
        let (mut half, _write) = stream.into_split();
        while matches!(half.fill().await, Ok(1..)) {
            let length = half.buffer().len();
            self.errors.borrow_mut().push(half.buffer().unread());
            half.buffer().consume(length);
        }
        self.errors_are_over.set(true);
    }
}

/// Somebody waits for the answer to a call.
struct Ticket<'l> {
    link: &'l Link,
    id: u64,
}

impl Ticket<'_> {
    /// The answer, with the moment at which it was there.
    fn answer(&self) -> impl Future<Output = Result<(Answer, u64), Failure>> + '_ {
        poll_fn(|context| {
            let mut calls = self.link.calls.borrow_mut();
            let call =
                calls.get_mut(&self.id).expect("it waits for as long as its ticket is there");
            if let Some(answer) = call.answer.take() {
                call.is_over = true;
                return Poll::Ready(Ok(answer));
            }
            call.waker = Some(context.waker().clone());
            drop(calls);
            match self.link.told_failure() {
                Some(failure) => Poll::Ready(Err(failure)),
                None => Poll::Pending,
            }
        })
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let call = self.link.calls.borrow_mut().remove(&self.id);
        if call.is_some_and(|call| call.answer.is_none() && !call.is_over) {
            self.link.given_up.borrow_mut().insert(self.id);
        }
    }
}

fn wake(waker: &RefCell<Option<Waker>>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
