//! One piece of work: what its shard and whoever runs it both hold.

use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use super::bell::Bell;
use crate::clock::Origin;
use crate::user::panic::{Panic, guarded};

/// Reads the run's clock off the shard.
#[derive(Clone, Copy)]
pub(super) enum Stopwatch {
    /// The system's clock.
    Running(Origin),
    /// Simulated time, which stands still for threads.
    Still(u64),
}

impl Stopwatch {
    fn now_ns(self) -> u64 {
        match self {
            Self::Running(origin) => origin.elapsed_ns(),
            Self::Still(now_ns) => now_ns,
        }
    }
}

/// How far a piece has come; its times are nanoseconds since the run's origin.
enum Stage<T> {
    Waiting,
    Begun {
        begun_ns: u64,
    },
    Done(Done<T>),
    /// Nobody waits for it, and it has not begun: it never will.
    Forgotten,
}

/// A piece that has come to its end.
pub(super) struct Done<T> {
    pub(super) begun_ns: u64,
    pub(super) ended_ns: u64,
    pub(super) result: Result<T, Panic>,
}

/// A piece of work as its ticket and its job share it.
pub(super) struct Piece<T>(Mutex<Stage<T>>);

impl<T> Default for Piece<T> {
    fn default() -> Self {
        Self(Mutex::new(Stage::Waiting))
    }
}

impl<T> Piece<T> {
    fn stage(&self) -> MutexGuard<'_, Stage<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came of it, once.
    pub(super) fn take_done(&self) -> Option<Done<T>> {
        let mut stage = self.stage();
        match mem::replace(&mut *stage, Stage::Forgotten) {
            Stage::Done(done) => Some(done),
            earlier => {
                *stage = earlier;
                None
            }
        }
    }

    /// Keeps it from beginning; says when it did, if it is too late for that.
    pub(super) fn forget(&self) -> Option<u64> {
        let mut stage = self.stage();
        match &*stage {
            Stage::Begun { begun_ns } => Some(*begun_ns),
            Stage::Done(done) => Some(done.begun_ns),
            Stage::Waiting | Stage::Forgotten => {
                *stage = Stage::Forgotten;
                None
            }
        }
    }
}

/// A piece of work as whoever runs it has it.
pub(super) struct Job<T> {
    piece: Arc<Piece<T>>,
    id: u64,
    stopwatch: Stopwatch,
    bell: Arc<Bell>,
}

impl<T> Job<T> {
    pub(super) fn new(
        piece: Arc<Piece<T>>,
        id: u64,
        stopwatch: Stopwatch,
        bell: Arc<Bell>,
    ) -> Self {
        Self { piece, id, stopwatch, bell }
    }

    /// Runs `work` here and now.
    pub(super) fn run(self, work: impl FnOnce() -> T) {
        if let Some(begun_ns) = self.begin() {
            self.end(begun_ns, guarded(work));
        }
    }

    /// Runs `work` whenever it is polled.
    pub(super) async fn drive(self, work: impl Future<Output = T>) {
        let Some(begun_ns) = self.begin() else { return };
        let mut work = pin!(work);
        let result = poll_fn(|context| match guarded(|| work.as_mut().poll(context)) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic)),
        });
        self.end(begun_ns, result.await);
    }

    /// The moment at which it begins, if anybody waits for it.
    fn begin(&self) -> Option<u64> {
        let mut stage = self.piece.stage();
        if !matches!(*stage, Stage::Waiting) {
            return None;
        }
        let begun_ns = self.stopwatch.now_ns();
        *stage = Stage::Begun { begun_ns };
        Some(begun_ns)
    }

    fn end(self, begun_ns: u64, result: Result<T, Panic>) {
        let ended_ns = self.stopwatch.now_ns();
        *self.piece.stage() = Stage::Done(Done { begun_ns, ended_ns, result });
        self.bell.ring(self.id);
    }
}
