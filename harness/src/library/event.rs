//! Events: what can be listened to, with Locust's names for it.
//!
//! | Event | Fires | Where |
//! |---|---|---|
//! | `init` | once, before anything runs | every process |
//! | `test_start`, `test_stop` | once a test | every process |
//! | `spawning_complete` | when as many users run as were asked for | every process |
//! | `request` | for every request and sample | where users run, on the shard's thread |
//! | `user_error` | for every error that a task did not catch | where users run, on the shard's thread |
//! | `report` | with the finished report | local and master |
//! | `quitting`, `quit` | once, before and after the exit code is decided | every process |
//!
//! [`Test`](super::Test) has a method for each. A listener that panics is told of in the log, and makes the exit code 2
//! where it would have been 0.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use loadr_engine::user::{Listener, RequestEvent, Role, UserError};

use crate::exit_code::COULD_NOT_RUN;
use crate::report::Report;

type Hook<T> = dyn Fn(T) + Send + Sync;
type ReportHook = dyn Fn(&Report) + Send + Sync;
type QuittingHook = dyn Fn(&mut Quitting<'_>) + Send + Sync;
type RequestHook = dyn Fn(&RequestEvent<'_>) + Send + Sync;
type UserErrorHook = dyn Fn(&UserError<'_>) + Send + Sync;

/// The end of the process, while its exit code can still be set.
#[derive(Debug)]
pub struct Quitting<'a> {
    /// What the run measured.
    pub report: &'a Report,
    /// Set to decide the exit code, whatever became of the run.
    pub exit_code: Option<u8>,
}

/// Who listens to what.
#[derive(Default)]
pub(crate) struct Events {
    pub(crate) init: Hooks<Hook<Role>>,
    pub(crate) test_start: Hooks<Hook<Role>>,
    pub(crate) test_stop: Hooks<Hook<Role>>,
    pub(crate) spawning_complete: Hooks<Hook<u64>>,
    pub(crate) request: Hooks<RequestHook>,
    pub(crate) user_error: Hooks<UserErrorHook>,
    pub(crate) report: Hooks<ReportHook>,
    pub(crate) quitting: Hooks<QuittingHook>,
    pub(crate) quit: Hooks<Hook<u8>>,
}

/// Listeners to one event. One that panics takes nothing with it: what was measured is still reported.
pub(crate) struct Hooks<F: ?Sized> {
    hooks: Vec<Box<F>>,
    panicked: AtomicBool,
}

impl<F: ?Sized> Default for Hooks<F> {
    fn default() -> Self {
        Self { hooks: Vec::new(), panicked: AtomicBool::new(false) }
    }
}

impl<F: ?Sized> Hooks<F> {
    pub(crate) fn push(&mut self, hook: Box<F>) {
        self.hooks.push(hook);
    }

    fn call<'h>(&'h self, hooks: impl Iterator<Item = &'h Box<F>>, mut call: impl FnMut(&F)) {
        for hook in hooks {
            // Whatever it left half done is the listener's own.
            let called = catch_unwind(AssertUnwindSafe(|| call(hook)));
            // The first is enough: a listener to requests could fill a disk.
            if let Err(panic) = called
                && !self.panicked.swap(true, Ordering::Relaxed)
            {
                log::error!("Uncaught exception in event handler: {}", text_of(&*panic));
            }
        }
    }

    fn each(&self, call: impl FnMut(&F)) {
        self.call(self.hooks.iter(), call);
    }

    fn has_panicked(&self) -> bool {
        self.panicked.load(Ordering::Relaxed)
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text")
}

impl Events {
    /// Somebody listens to what happens on shards.
    pub(crate) fn on_shards(&self) -> bool {
        !(self.request.hooks.is_empty() && self.user_error.hooks.is_empty())
    }

    pub(crate) fn fire<T: Copy>(hooks: &Hooks<Hook<T>>, value: T) {
        hooks.each(|hook| hook(value));
    }

    pub(crate) fn fire_report(&self, report: &Report) {
        self.report.each(|hook| hook(report));
    }

    /// The exit code that a listener decided on, the last of them first, as in Locust; that of a broken test where a
    /// listener panicked and the run was good.
    pub(crate) fn fire_quitting(&self, report: &Report) -> Option<u8> {
        let mut quitting = Quitting { report, exit_code: None };
        self.quitting.call(self.quitting.hooks.iter().rev(), |hook| hook(&mut quitting));
        let good = report.totals.failures == 0 && report.thresholds.iter().all(|t| !t.missed);
        let broken = good && self.has_panicked();
        quitting.exit_code.or(broken.then_some(COULD_NOT_RUN))
    }

    fn has_panicked(&self) -> bool {
        let of_the_test = [&self.init, &self.test_start, &self.test_stop];
        of_the_test.into_iter().any(Hooks::has_panicked)
            || self.spawning_complete.has_panicked()
            || self.request.has_panicked()
            || self.user_error.has_panicked()
            || self.report.has_panicked()
            || self.quitting.has_panicked()
    }
}

/// The events of users, on one shard.
pub(crate) struct ShardEvents(pub(crate) Arc<Events>);

impl Listener for ShardEvents {
    fn request(&self, event: &RequestEvent<'_>) {
        self.0.request.each(|hook| hook(event));
    }

    fn user_error(&self, event: &UserError<'_>) {
        self.0.user_error.each(|hook| hook(event));
    }
}

type SharedListener<T> = Arc<dyn Fn(&T) + Send + Sync>;

/// An event of the test's own: those who listen are called by whoever fires it, on its thread.
///
/// ```
/// static ORDERED: loadr::Event<u64> = loadr::Event::new();
/// ORDERED.listen(|order| println!("ordered {order}"));
/// ORDERED.fire(&7);
/// ```
pub struct Event<T: ?Sized> {
    listeners: RwLock<Vec<SharedListener<T>>>,
}

impl<T: ?Sized> Event<T> {
    /// An event that nobody listens to yet.
    pub const fn new() -> Self {
        Self { listeners: RwLock::new(Vec::new()) }
    }

    /// Has `listener` called whenever the event is fired.
    pub fn listen(&self, listener: impl Fn(&T) + Send + Sync + 'static) {
        let mut listeners = self.listeners.write().unwrap_or_else(PoisonError::into_inner);
        listeners.push(Arc::new(listener));
    }

    /// Calls all listeners, in the order in which they came.
    pub fn fire(&self, value: &T) {
        // Copied, so that a listener may itself listen or fire.
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner).clone();
        listeners.iter().for_each(|listener| listener(value));
    }
}

impl<T: ?Sized> Default for Event<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    #[test]
    fn an_event_of_ones_own_reaches_all_who_listen() {
        static SUM: AtomicU64 = AtomicU64::new(0);
        let event = Event::new();
        event.listen(|value: &u64| {
            SUM.fetch_add(*value, Ordering::Relaxed);
        });
        event.listen(|value: &u64| {
            SUM.fetch_add(10 * value, Ordering::Relaxed);
        });
        event.fire(&3);
        assert_eq!(SUM.load(Ordering::Relaxed), 33);
    }

    #[test]
    fn a_listener_that_panics_takes_nobody_with_it() {
        static HEARD: AtomicU64 = AtomicU64::new(0);
        let mut events = Events::default();
        events.init.push(Box::new(|_| panic!("a listener's own fault")));
        events.init.push(Box::new(|_| {
            HEARD.fetch_add(1, Ordering::Relaxed);
        }));
        assert!(!events.has_panicked());
        Events::fire(&events.init, Role::Local);
        assert_eq!(HEARD.load(Ordering::Relaxed), 1);
        assert!(events.has_panicked());
    }
}
