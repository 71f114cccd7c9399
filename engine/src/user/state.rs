//! What the shard keeps of a user: its index, what it has under way, and the ways to end it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::UserLife;
use super::panic::catch;
use crate::outcome::Failure;
use crate::random::SplitMix64;

/// One user as its shard sees it.
pub(crate) struct UserState {
    index: u64,
    class: u32,
    random: RefCell<SplitMix64>,
    body: Cancel,
    ending: Cancel,
    /// Told to stop: it leaves at the end of its task.
    stopping: Cell<bool>,
    /// The body is over, by itself or by force.
    has_ended: Cell<bool>,
    /// Waits between tasks that may be cut short.
    waits: Cell<u32>,
    /// Exchanges permitted and not recorded.
    in_flight: Cell<u64>,
    /// Was refused an exchange, because the run's budget is spent.
    starved: Cell<bool>,
    /// The first failure since this was last looked at.
    failed: RefCell<Option<Failure>>,
    background: RefCell<Vec<Background>>,
    background_ended: RefCell<Option<Waker>>,
}

impl UserState {
    pub(crate) fn new(index: u64, class: u32, seed: u64) -> Rc<Self> {
        // The index is scrambled by one draw, so that neighbours do not draw alike.
        let mut scrambled = SplitMix64::new(index);
        Rc::new(Self {
            index,
            class,
            random: RefCell::new(SplitMix64::new(seed ^ scrambled.next_u64())),
            body: Cancel::default(),
            ending: Cancel::default(),
            stopping: Cell::new(false),
            has_ended: Cell::new(false),
            waits: Cell::new(0),
            in_flight: Cell::new(0),
            starved: Cell::new(false),
            failed: RefCell::default(),
            background: RefCell::default(),
            background_ended: RefCell::default(),
        })
    }

    pub(crate) fn index(&self) -> u64 {
        self.index
    }

    pub(crate) fn class(&self) -> u32 {
        self.class
    }

    pub(crate) fn random<T>(&self, draw: impl FnOnce(&mut SplitMix64) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    #[inline]
    pub(crate) fn begin(&self, count: u64) {
        self.in_flight.set(self.in_flight.get() + count);
    }

    #[inline]
    pub(crate) fn finish(&self) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
    }

    /// Forgets the exchanges that will never be recorded; says how many.
    pub(crate) fn take_in_flight(&self) -> u64 {
        self.in_flight.take()
    }

    /// True the first time.
    pub(crate) fn starve(&self) -> bool {
        !self.starved.replace(true)
    }

    /// True if it was starved until now.
    pub(crate) fn revive(&self) -> bool {
        self.starved.take()
    }

    pub(crate) fn note_failure(&self, failure: &Failure) {
        self.failed.borrow_mut().get_or_insert_with(|| failure.clone());
    }

    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.failed.take()
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get()
    }

    /// How often the user has been polled: two equal figures mean that it awaited nothing in between.
    pub(crate) fn turn(&self) -> u64 {
        self.body.turns.get()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    /// Lets the user finish its task; one that merely waits for its next ends now.
    pub(crate) fn stop(&self) {
        self.stopping.set(true);
        if self.waits.get() > 0 {
            self.cancel();
        }
    }

    /// Drops whatever the user is doing at its next turn; its ending still runs.
    pub(crate) fn cancel(&self) {
        self.stopping.set(true);
        self.body.cancel();
        self.cancel_background(|work| work.awaited);
    }

    /// As [`Self::cancel`], the ending included.
    pub(crate) fn kill(&self) {
        self.cancel();
        self.ending.cancel();
    }

    /// Marks a wait that may be cut short, for as long as the mark lives.
    pub(crate) fn wait(self: &Rc<Self>) -> WaitMark {
        self.waits.set(self.waits.get() + 1);
        WaitMark(Rc::clone(self))
    }

    /// Runs the user to its end; gives the texts of what panicked.
    pub(crate) async fn run(self: &Rc<Self>, life: UserLife, ended: impl Fn()) -> Vec<String> {
        let UserLife { body, ending } = life;
        let mut panics = Vec::new();
        if let Some(Err(panic)) = self.body.run(Box::pin(catch(body))).await {
            panics.push(panic);
        }
        // Work in the background is the user's: one that ends by itself awaits it.
        self.body.run(Box::pin(self.background_end())).await;
        self.cancel_background(|work| work.awaited);
        self.has_ended.set(true);
        ended();
        if let Some(ending) = ending
            && let Some(Err(panic)) = self.ending.run(Box::pin(catch(ending()))).await
        {
            panics.push(panic);
        }
        self.cancel_background(|_| true);
        panics
    }

    /// Wraps work that goes on beside the user's tasks. What is awaited, by a user that ends by itself, is over before the
    /// ending; the rest is dropped behind it.
    pub(crate) fn background<T>(
        self: &Rc<Self>,
        work: impl Future<Output = T> + 'static,
        awaited: bool,
    ) -> impl Future<Output = Option<T>> + 'static {
        let cancel = Rc::new(Cancel::default());
        // A task that may still end may still begin work.
        if awaited && (self.body.cancelled.get() || self.has_ended.get()) {
            cancel.cancel();
        }
        self.background.borrow_mut().push(Background { cancel: Rc::clone(&cancel), awaited });
        let user = Rc::clone(self);
        async move {
            let done = cancel.run(Box::pin(work)).await;
            user.background.borrow_mut().retain(|other| !Rc::ptr_eq(&other.cancel, &cancel));
            if let Some(waker) = user.background_ended.take() {
                waker.wake();
            }
            done
        }
    }

    fn cancel_background(&self, is_meant: impl Fn(&Background) -> bool) {
        let background = self.background.borrow().clone();
        background.iter().filter(|work| is_meant(work)).for_each(|work| work.cancel.cancel());
    }

    async fn background_end(&self) {
        poll_fn(|context| {
            if !self.background.borrow().iter().any(|work| work.awaited) {
                return Poll::Ready(());
            }
            *self.background_ended.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Work beside a user's tasks.
#[derive(Clone)]
struct Background {
    cancel: Rc<Cancel>,
    awaited: bool,
}

/// A wait that may be cut short; see [`UserState::wait`].
pub(crate) struct WaitMark(Rc<UserState>);

impl Drop for WaitMark {
    fn drop(&mut self) {
        self.0.waits.set(self.0.waits.get() - 1);
    }
}

/// The way to drop a future from outside.
#[derive(Default)]
pub(crate) struct Cancel {
    cancelled: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    /// How often the future was polled.
    turns: Cell<u64>,
}

impl Cancel {
    fn cancel(&self) {
        self.cancelled.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Runs `future` until it ends or is cancelled, and drops it before returning.
    async fn run<F: Future>(&self, mut future: Pin<Box<F>>) -> Option<F::Output> {
        let mut registered = false;
        poll_fn(|context| {
            if self.cancelled.get() {
                return Poll::Ready(None);
            }
            if !registered {
                // A task is woken by any of its wakers, so the first is good for life.
                *self.waker.borrow_mut() = Some(context.waker().clone());
                registered = true;
            }
            self.turns.set(self.turns.get() + 1);
            future.as_mut().poll(context).map(Some)
        })
        .await
    }
}
