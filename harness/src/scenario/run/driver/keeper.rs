//! What starts a driver's process with the first call, and the next when one has died.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use loadr_engine::clock::nanos;
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::user::{Context, Sample, ShardContext, Timed};

use super::link::Link;
use super::process::Process;
use crate::scenario::model::{Driver as Spec, DriverPer};

/// The pause before a process is started once more after one that has answered nothing; it doubles from time to time.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// The drivers of a class on one shard.
pub(in super::super) enum Drivers {
    /// Each user has one of its own.
    Each(Arc<Spec>, ShardContext),
    /// All users have this one.
    One(Rc<Driver>),
}

impl Drivers {
    /// Those of a class with the driver `spec`.
    pub(in super::super) fn new(spec: &Arc<Spec>, shard: &ShardContext) -> Self {
        match spec.per {
            DriverPer::User => Self::Each(Arc::clone(spec), shard.clone()),
            DriverPer::Shard => Self::One(Rc::new(Driver::new(Arc::clone(spec), shard.clone()))),
        }
    }

    /// That of a new user.
    pub(in super::super) fn of_user(&self) -> Rc<Driver> {
        match self {
            Self::Each(spec, shard) => Rc::new(Driver::new(Arc::clone(spec), shard.clone())),
            Self::One(driver) => Rc::clone(driver),
        }
    }
}

/// A driver, whether or not a process of it runs; with it goes its process.
pub(in super::super) struct Driver {
    spec: Arc<Spec>,
    shard: ShardContext,
    state: RefCell<State>,
    /// Those who wait for a process that somebody else starts.
    waiting: RefCell<Vec<Waker>>,
    /// Processes in a row that have answered nothing.
    failures: Cell<u32>,
}

enum State {
    /// No process; the next is not to start before this moment.
    Down(u64),
    Starting,
    Up(Rc<Link>),
}

/// Why there is no process to call.
pub(super) enum NoLink {
    /// It has died since the last call, and nobody has been told.
    Died(Failure),
    /// It could not be started, which has been counted.
    NotStarted,
}

impl Driver {
    fn new(spec: Arc<Spec>, shard: ShardContext) -> Self {
        let state = RefCell::new(State::Down(0));
        Self { spec, shard, state, waiting: RefCell::default(), failures: Cell::new(0) }
    }

    /// The process to call: the one that runs, or a new one.
    pub(super) async fn link(&self, context: &Context) -> Result<Rc<Link>, NoLink> {
        loop {
            match self.look() {
                Look::Up(link) => return Ok(link),
                Look::Died(failure) => return Err(NoLink::Died(failure)),
                Look::Starting => self.somebody_elses_start().await,
                Look::Down(at_ns) if context.now_ns() < at_ns => context.sleep_until(at_ns).await,
                Look::Down(_) => return self.start(context).await,
            }
        }
    }

    /// How it stands; a process that has died is let go of.
    fn look(&self) -> Look {
        let mut state = self.state.borrow_mut();
        let link = match &*state {
            State::Down(at_ns) => return Look::Down(*at_ns),
            State::Starting => return Look::Starting,
            State::Up(link) if !link.is_broken() => return Look::Up(Rc::clone(link)),
            State::Up(link) => Rc::clone(link),
        };
        if link.has_answered() {
            self.failures.set(0);
        }
        let at_ns = if link.has_answered() { 0 } else { self.next_try_ns() };
        *state = State::Down(at_ns);
        link.take_untold().map_or(Look::Down(at_ns), Look::Died)
    }

    /// When the next process may start, after one more that answered nothing.
    fn next_try_ns(&self) -> u64 {
        self.failures.set(self.failures.get().saturating_add(1));
        self.shard.now_ns().saturating_add(nanos(pause(self.failures.get())))
    }

    async fn start(&self, context: &Context) -> Result<Rc<Link>, NoLink> {
        let starting = Starting::begin(self);
        let Timed { value, took, .. } = context.timed(self.process(context)).await;
        let (state, outcome, failure) = match value {
            Ok(link) => (State::Up(Rc::clone(&link)), Ok(link), None),
            Err(failure) => {
                (State::Down(self.next_try_ns()), Err(NoLink::NotStarted), Some(failure))
            }
        };
        starting.end(state);
        context.record_sample(&Sample {
            method: "DRIVER",
            name: "start",
            start_ns: context.now_ns().saturating_sub(nanos(took)),
            response_time: took,
            body_bytes: 0,
            failure,
        });
        outcome
    }

    /// A new process, ready to be called.
    async fn process(&self, context: &Context) -> Result<Rc<Link>, Failure> {
        let spec = Arc::clone(&self.spec);
        let cannot = |error| {
            let text = format!("cannot run {}: {error}", self.spec.arguments[0]);
            Failure::new(FailureKind::Other, text)
        };
        let process = context.blocking(move || Process::start(&spec)).await.map_err(cannot)?;
        let link = Link::new(&self.shard, process).map_err(cannot)?;
        if !self.spec.says_ready {
            return Ok(link);
        }
        // It ends with the start that is given up.
        let unready = CloseOnDrop(Some(link));
        let link = unready.0.as_ref().expect("it was just put there");
        let timeout = self.spec.timeout;
        let late = || Failure::new(FailureKind::Timeout, format!("not ready within {timeout:?}"));
        context.within(timeout, link.ready()).await.ok_or_else(late)??;
        Ok(unready.keep())
    }

    async fn somebody_elses_start(&self) {
        poll_fn(|context| {
            if !matches!(*self.state.borrow(), State::Starting) {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let State::Up(link) = &*self.state.borrow() {
            link.close();
        }
    }
}

/// How a driver stands.
enum Look {
    Up(Rc<Link>),
    /// Its process has died, and nobody has been told.
    Died(Failure),
    Starting,
    /// The next process may start at this moment.
    Down(u64),
}

/// A process is being started; where that is broken off, somebody else may try.
struct Starting<'d> {
    driver: &'d Driver,
    state: State,
}

impl<'d> Starting<'d> {
    fn begin(driver: &'d Driver) -> Self {
        *driver.state.borrow_mut() = State::Starting;
        Self { driver, state: State::Down(0) }
    }

    fn end(mut self, state: State) {
        self.state = state;
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Down(0));
        *self.driver.state.borrow_mut() = state;
        self.driver.waiting.take().into_iter().for_each(Waker::wake);
    }
}

/// A process that is not ready yet.
struct CloseOnDrop(Option<Rc<Link>>);

impl CloseOnDrop {
    fn keep(mut self) -> Rc<Link> {
        self.0.take().expect("it is there until it is kept")
    }
}

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(link) = &self.0 {
            link.close();
        }
    }
}

/// The pause after so many processes in a row that have answered nothing.
fn pause(failures: u32) -> Duration {
    PAUSE_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let millis: Vec<u128> = (1..9).map(|failures| pause(failures).as_millis()).collect();
        assert_eq!(millis, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(pause(u32::MAX), PAUSE_MAX);
    }
}
