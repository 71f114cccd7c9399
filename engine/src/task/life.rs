//! The life of a user with tasks: `on_start`, one task after another, `on_stop` (`locust/user/task.py`, `TaskSet.run`).

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use super::exit::{TaskExit, TaskResult};
use super::model::{ActionIndex, ClassModel, Order, TaskBody, TaskModel, TaskSetModel};
use super::wait::Pacing;
use crate::record::{EntryIndex, EntryKind, Exchange};
use crate::user::panic::catch;
use crate::user::{Context, ShardContext, TaskStats, UserClass, UserLife};

/// What a user who does nothing yields to the others for: the runtime serves its timers and sockets meanwhile.
const IDLE_TURN: Duration = Duration::from_micros(1);

/// A task under way.
pub type TaskFuture = Pin<Box<dyn Future<Output = TaskResult>>>;

/// The code of a class, on one shard.
pub trait ActorClass {
    /// Makes one user's code.
    fn actor(&self, context: Context) -> Rc<dyn Actor>;
}

/// One user's code.
pub trait Actor {
    /// Runs a task, an `on_start` or an `on_stop`. What it gives may be dropped at any await, when the user is stopped.
    fn run(self: Rc<Self>, action: ActionIndex) -> TaskFuture;

    /// Seconds to wait, by a function of the class.
    fn wait(&self, _function: u32) -> f64 {
        0.0
    }

    /// Makes a new visitor of the user: no cookies, no connections.
    fn renew_session(&self) {}
}

/// A class of users with tasks, on one shard.
pub struct TaskClass {
    model: ClassModel,
    actors: Rc<dyn ActorClass>,
    /// Entries of the tasks that are counted, by action.
    entries: Vec<Option<EntryIndex>>,
}

impl TaskClass {
    /// The class of `model`, whose code is `actors`.
    pub fn new(shard: &ShardContext, model: ClassModel, actors: Rc<dyn ActorClass>) -> Rc<Self> {
        let mut entries = Vec::new();
        let kind = match shard.task_stats() {
            TaskStats::Off => None,
            TaskStats::Beside => Some(EntryKind::Task),
            TaskStats::Only => Some(EntryKind::Exchange),
        };
        if let Some(kind) = kind {
            for (name, ActionIndex(action)) in model.root.actions() {
                let position = action as usize;
                entries.resize(entries.len().max(position + 1), None);
                entries[position] = Some(shard.entry(kind, "TASK", name));
            }
        }
        Rc::new(Self { model, actors, entries })
    }
}

impl UserClass for TaskClass {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        let actor = self.actors.actor(context.clone());
        let pacing = Cell::new(Pacing::new(context.now_ns()));
        let on_stops = RefCell::default();
        let life = Rc::new(Life { class: self, actor, context, pacing, on_stops });
        UserLife::new(Rc::clone(&life).live()).then(|| life.end())
    }
}

/// One user.
struct Life {
    class: Rc<TaskClass>,
    actor: Rc<dyn Actor>,
    context: Context,
    pacing: Cell<Pacing>,
    /// What is still to be done at the user's end, the last first: its own `on_stop` and those of the task sets it is in.
    on_stops: RefCell<Vec<Option<ActionIndex>>>,
}

/// How a user came out of a task set.
enum Left {
    /// The set was interrupted.
    Set { reschedule: bool },
    /// The user ends.
    User,
}

impl Life {
    async fn live(self: Rc<Self>) {
        let root = &self.class.model.root;
        self.on_stops.borrow_mut().push(root.on_stop);
        match self.act(root.on_start).await {
            Ok(()) => {}
            Err(TaskExit::StopUser) => return,
            Err(TaskExit::StopTest) => return self.context.stop_test(),
            Err(exit) => {
                // As in Locust, a user that could not start is not stopped either.
                self.on_stops.borrow_mut().clear();
                return self.report(&exit, "on_start");
            }
        }
        if let Left::Set { .. } = self.run_set(root).await {
            // Interrupting the root, which is no set of its own, is an error of the test: no `on_stop` in Locust.
            self.on_stops.borrow_mut().clear();
            let name = &self.class.model.name;
            let message = "a task outside any task set has interrupted it: the user ends";
            self.context.record_exception(name, message);
        }
    }

    /// What the user does once it has ended or was stopped.
    async fn end(self: Rc<Self>) {
        while let Some(on_stop) = self.pop_on_stop() {
            self.stop(on_stop).await;
        }
    }

    fn pop_on_stop(&self) -> Option<Option<ActionIndex>> {
        self.on_stops.borrow_mut().pop()
    }

    async fn stop(&self, on_stop: Option<ActionIndex>) {
        if let Err(exit) = self.act(on_stop).await {
            self.report(&exit, "on_stop");
        }
    }

    /// Runs code of the class; a panic is an error like another.
    async fn act(&self, action: Option<ActionIndex>) -> TaskResult {
        let Some(action) = action else { return Ok(()) };
        match catch(Rc::clone(&self.actor).run(action)).await {
            Ok(result) => result,
            Err(panic) => Err(TaskExit::error(panic)),
        }
    }

    fn report(&self, exit: &TaskExit, place: &str) {
        let message = match exit {
            TaskExit::Error(message) => message.to_string(),
            exit => format!("{exit:?} is for tasks"),
        };
        self.context.record_exception(&format!("{}.{place}", self.class.model.name), &message);
    }

    /// Runs tasks of a set until something ends it. Boxed: sets nest.
    fn run_set<'a>(&'a self, set: &'a TaskSetModel) -> Pin<Box<dyn Future<Output = Left> + 'a>> {
        Box::pin(async move {
            let mut position = 0;
            let mut pacing = Pacing::new(self.context.now_ns());
            loop {
                if self.context.is_stopping() {
                    return Left::User;
                }
                let turn = self.context.turn();
                let Some(task) = self.choose(set, &mut position) else {
                    self.context.record_exception(&set.name, "the task set has no tasks");
                    return Left::User;
                };
                match self.execute(task).await {
                    Ok(()) | Err(TaskExit::Reschedule | TaskExit::Error(_)) => {
                        self.wait(set, &mut pacing).await;
                    }
                    Err(TaskExit::RescheduleNow) => {}
                    Err(TaskExit::Interrupt { reschedule }) => return Left::Set { reschedule },
                    Err(TaskExit::StopUser) => return Left::User,
                    Err(TaskExit::StopTest) => {
                        self.context.stop_test();
                        return Left::User;
                    }
                }
                if self.context.turn() == turn {
                    self.context.sleep(IDLE_TURN).await;
                }
            }
        })
    }

    fn choose<'a>(&self, set: &'a TaskSetModel, position: &mut u64) -> Option<&'a TaskModel> {
        let weight = set.weight();
        if weight == 0 {
            return None;
        }
        let point = match set.order {
            Order::Random => self.context.random(|random| random.below(weight)),
            Order::Sequential => {
                let point = *position;
                *position = (point + 1) % weight;
                point
            }
        };
        set.at_weight(point)
    }

    async fn execute(&self, task: &TaskModel) -> TaskResult {
        match &task.body {
            TaskBody::Action(action) => self.execute_action(&task.name, *action).await,
            TaskBody::Set(set) => {
                let result = self.enter(set).await;
                if let Err(exit @ TaskExit::Error(_)) = &result {
                    self.report(exit, &task.name);
                }
                result
            }
        }
    }

    async fn execute_action(&self, name: &str, action: ActionIndex) -> TaskResult {
        if !self.context.iteration().await {
            return Err(TaskExit::StopUser);
        }
        if self.class.model.fresh_session {
            self.actor.renew_session();
        }
        // The clock is asked only where the task is counted.
        let counted = self.class.entries.get(action.0 as usize).copied().flatten();
        let counted = counted.map(|entry| (entry, self.context.now_ns()));
        self.context.take_failure();
        let result = self.act(Some(action)).await;
        if let Err(exit @ TaskExit::Error(_)) = &result {
            self.report(exit, name);
        }
        if let Some((entry, start_ns)) = counted {
            let failure = self.context.take_failure();
            let (end_ns, failed) = (self.context.now_ns(), failure.is_some());
            let exchange = Exchange { start_ns, end_ns, failed, ..Exchange::default() };
            self.context.record_task(entry, &exchange, failure.as_ref());
        }
        result
    }

    /// Runs a task set from its `on_start` to its end; how it ended tells its parent what to do next.
    async fn enter(&self, set: &TaskSetModel) -> TaskResult {
        match self.act(set.on_start).await {
            Err(TaskExit::Interrupt { reschedule }) => return Err(after_interrupt(reschedule)),
            started => started?,
        }
        self.on_stops.borrow_mut().push(set.on_stop);
        match self.run_set(set).await {
            Left::User => Err(TaskExit::StopUser),
            Left::Set { reschedule } => {
                self.on_stops.borrow_mut().pop();
                self.stop(set.on_stop).await;
                Err(after_interrupt(reschedule))
            }
        }
    }

    /// Waits as the set says, or else as the class does; pacing is kept by whoever says it.
    async fn wait(&self, set: &TaskSetModel, own: &mut Pacing) {
        let now_ns = || self.context.now_ns();
        let mut users = self.pacing.get();
        let (wait, pacing) = match set.wait {
            Some(wait) => (wait, own),
            None => (self.class.model.wait, &mut users),
        };
        let duration = self.context.random(|random| {
            wait.next(pacing, now_ns, random, |function| self.actor.wait(function))
        });
        self.pacing.set(users);
        if !duration.is_zero() {
            self.context.wait(duration).await;
        }
    }
}

/// What a parent does when a set of its was interrupted.
fn after_interrupt(reschedule: bool) -> TaskExit {
    if reschedule { TaskExit::RescheduleNow } else { TaskExit::Reschedule }
}
