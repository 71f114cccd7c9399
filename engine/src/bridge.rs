//! Work that blocks, off the shard: a thread for each piece, bounded in number, and a way back.
//!
//! A runtime of a shard may not be woken by another thread (monoio is built without its locks for that). So a finished
//! piece of work is announced in a channel, and the shard's control task, which looks into its mailboxes anyway, looks
//! there too and wakes who waits. That costs up to one look of delay, which a measured time does not include when the
//! work measures itself.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

/// Most threads of one shard at a time; further work waits its turn.
const THREADS_MAX: usize = 64;

type Work = Box<dyn FnOnce() + Send>;

/// One shard's way to threads and back.
pub(crate) struct Bridge {
    announce: Sender<u64>,
    finished: Receiver<u64>,
    next: Cell<u64>,
    running: Cell<usize>,
    queue: RefCell<VecDeque<(u64, Work)>>,
    /// `None` once the work has finished.
    waiting: RefCell<HashMap<u64, Option<Waker>>>,
}

impl Default for Bridge {
    fn default() -> Self {
        let (announce, finished) = mpsc::channel();
        Self {
            announce,
            finished,
            next: Cell::new(0),
            running: Cell::new(0),
            queue: RefCell::default(),
            waiting: RefCell::default(),
        }
    }
}

impl Bridge {
    /// Runs `work` on a thread and waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let result = Arc::new(Mutex::new(None));
        let place = Arc::clone(&result);
        let ticket = self.begin(Box::new(move || {
            let done = catch_unwind(AssertUnwindSafe(work));
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        }));
        ticket.await;
        let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.expect("it was announced as finished").unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Work that somebody waits for is under way.
    pub(crate) fn is_busy(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// Wakes whoever waits for work that has finished, and starts what waited for a thread.
    pub(crate) fn collect(&self) {
        while let Ok(id) = self.finished.try_recv() {
            self.running.set(self.running.get() - 1);
            let waker = self.waiting.borrow_mut().get_mut(&id).and_then(Option::take);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        while self.running.get() < THREADS_MAX {
            let Some((id, work)) = self.queue.borrow_mut().pop_front() else { return };
            self.start(id, work);
        }
    }

    fn begin(&self, work: Work) -> impl Future<Output = ()> + '_ {
        let id = self.next.replace(self.next.get() + 1);
        self.waiting.borrow_mut().insert(id, Some(Waker::noop().clone()));
        self.queue.borrow_mut().push_back((id, work));
        let ticket = Ticket { bridge: self, id };
        self.collect();
        async move {
            // Named whole: by its fields alone it would be copied, and itself dropped here and now.
            let ticket = &ticket;
            poll_fn(|context| match ticket.bridge.waiting.borrow_mut().get_mut(&ticket.id) {
                Some(Some(waker)) => {
                    waker.clone_from(context.waker());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            })
            .await;
        }
    }

    fn start(&self, id: u64, work: Work) {
        self.running.set(self.running.get() + 1);
        let announce = self.announce.clone();
        let finish = move || {
            work();
            // Nobody listens once the shard has ended.
            let _ = announce.send(id);
        };
        let builder = thread::Builder::new().name("loadr-blocking".to_owned());
        if let Err(error) = builder.spawn(finish) {
            panic!("no thread for blocking work: {error}");
        }
    }
}

/// Somebody waits; work that has not begun when nobody does any more is forgotten.
struct Ticket<'a> {
    bridge: &'a Bridge,
    id: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.bridge.waiting.borrow_mut().remove(&self.id);
        self.bridge.queue.borrow_mut().retain(|(id, _)| *id != self.id);
    }
}
