//! A bounded pool of threads for work that blocks: first come, first served.
//!
//! A thread is started when a piece finds none idle, up to the bound, and ends when it has had nothing to do for a while.
//! The queue's lock is held for a few instructions at a time, never while work runs.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::BridgeOptions;

/// Work that has not begun.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// The threads of one shard.
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    options: BridgeOptions,
    state: Mutex<State>,
    has_work: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order of their numbers, which are given in the order of arrival.
    queue: BTreeMap<u64, Work>,
    threads: usize,
    /// Threads that wait for work, those that have just been woken for it included.
    idle: usize,
    is_closed: bool,
}

impl Pool {
    pub(super) fn new(options: BridgeOptions) -> Self {
        let (state, has_work) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { options, state, has_work }))
    }

    /// Has `work` done by a thread; `id` is greater than any before.
    ///
    /// # Errors
    /// When no thread could be started and there is none to wait for.
    pub(super) fn submit(&self, id: u64, work: Work) -> io::Result<()> {
        let mut state = self.0.state();
        state.queue.insert(id, work);
        // Each idle thread takes one piece, those that wait in the queue already included.
        if state.queue.len() <= state.idle {
            self.0.has_work.notify_one();
            return Ok(());
        }
        if state.threads >= self.0.options.threads_max.max(1) {
            return Ok(());
        }
        state.threads += 1;
        drop(state);
        self.start_thread().or_else(|error| {
            let mut state = self.0.state();
            state.threads -= 1;
            // Whoever works will come to it.
            if state.threads > 0 { Ok(()) } else { Err(error) }
        })
    }

    /// Takes a piece out of the queue, if it is still there.
    pub(super) fn forget(&self, id: u64) {
        let forgotten = self.0.state().queue.remove(&id);
        // What it holds is let go of outside of the lock.
        drop(forgotten);
    }

    fn start_thread(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let builder = thread::Builder::new().name("loadr-blocking".to_owned());
        builder.spawn(move || shared.work()).map(drop)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_closed = true;
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.0.has_work.notify_all();
        drop(queue);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a thread does from its start to its end.
    fn work(&self) {
        leave_shards_cpu();
        let mut state = self.state();
        loop {
            if let Some((_, work)) = state.queue.pop_first() {
                drop(state);
                work();
                state = self.state();
                continue;
            }
            if state.is_closed {
                break;
            }
            state.idle += 1;
            let waited = self.has_work.wait_timeout(state, self.options.keep_alive);
            let (woken, wait) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.idle -= 1;
            if wait.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

/// Has the current thread run on any CPU that the process may use: it was started by a shard, whose CPU is the shard's.
pub(super) fn leave_shards_cpu() {
    use rustix::{process, thread};
    // The first thread of the process is pinned to nothing that the whole was not.
    let allowed = thread::sched_getaffinity(Some(process::getpid()));
    let moved = allowed.and_then(|allowed| thread::sched_setaffinity(None, &allowed));
    if let Err(error) = moved {
        log::debug!("work off the shard stays on the shard's CPU: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    /// Longest wait for something that is to happen.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn pool(threads_max: usize) -> Pool {
        Pool::new(BridgeOptions { threads_max, keep_alive: Duration::from_millis(20) })
    }

    #[test]
    fn pieces_past_the_bound_wait_and_begin_in_the_order_they_came() {
        let pool = pool(2);
        let (begun, begins) = mpsc::channel();
        let gates: Vec<_> = (0..6_u64)
            .map(|id| {
                let (gate, opened) = mpsc::channel::<()>();
                let begun = begun.clone();
                let work = move || {
                    begun.send(id).unwrap();
                    while opened.recv().is_ok() {}
                };
                pool.submit(id, Box::new(work)).unwrap();
                gate
            })
            .collect();
        let mut first = [0, 0].map(|_| begins.recv_timeout(PATIENCE).unwrap());
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        assert_eq!(pool.0.state().threads, 2);
        assert_eq!(pool.0.state().queue.len(), 4, "the others wait");
        for (id, gate) in gates.into_iter().enumerate() {
            drop(gate);
            if id < 4 {
                assert_eq!(begins.recv_timeout(PATIENCE).unwrap(), id as u64 + 2);
            }
        }
    }

    #[test]
    fn a_thread_is_used_again_and_ends_when_it_has_nothing_to_do() {
        let pool = pool(8);
        let (told, names) = mpsc::channel();
        let mut threads = Vec::new();
        for id in 0..20 {
            let told = told.clone();
            pool.submit(id, Box::new(move || told.send(thread::current().id()).unwrap())).unwrap();
            threads.push(names.recv_timeout(PATIENCE).unwrap());
        }
        threads.dedup();
        assert!(threads.len() < 20, "{threads:?}");
        let since = Instant::now();
        while pool.0.state().threads > 0 {
            assert!(since.elapsed() < PATIENCE, "threads stay");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn forgotten_pieces_never_begin_and_let_go_of_what_they_hold() {
        let pool = pool(1);
        let (gate, opened) = mpsc::channel::<()>();
        let (told, begun) = mpsc::channel();
        pool.submit(0, Box::new(move || while opened.recv().is_ok() {})).unwrap();
        let held = Arc::new(());
        for id in 1..4 {
            let (told, held) = (told.clone(), Arc::clone(&held));
            let work = move || {
                told.send(id).unwrap();
                drop(held);
            };
            pool.submit(id, Box::new(work)).unwrap();
        }
        pool.forget(2);
        assert_eq!(Arc::strong_count(&held), 3);
        drop(gate);
        assert_eq!([0, 0].map(|_| begun.recv_timeout(PATIENCE).unwrap()), [1, 3]);
    }

    #[test]
    fn a_pool_that_is_gone_begins_nothing_more() {
        let pool = pool(1);
        let (gate, opened) = mpsc::channel::<()>();
        let (told, begun) = mpsc::channel();
        let (started, starts) = mpsc::channel();
        let first = move || {
            started.send(()).unwrap();
            while opened.recv().is_ok() {}
        };
        pool.submit(0, Box::new(first)).unwrap();
        starts.recv_timeout(PATIENCE).unwrap();
        pool.submit(1, Box::new(move || told.send(()).unwrap())).unwrap();
        drop(pool);
        drop(gate);
        let gone = begun.recv_timeout(PATIENCE);
        assert_eq!(gone, Err(mpsc::RecvTimeoutError::Disconnected), "it was dropped");
    }
}
