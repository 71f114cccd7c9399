//! Tasks and task sets written in Rust.

use std::any::type_name;
use std::future::Future;
use std::sync::Arc;

use loadr_engine::task::{Order, TaskFuture, TaskResult, WaitTime};

use super::kind::UserKind;
use super::user::User;

/// What a task may give back: nothing, or why it ended early.
#[diagnostic::on_unimplemented(
    message = "a task cannot give back `{Self}`",
    label = "this task gives back `{Self}`",
    note = "a task gives back nothing, or a `TaskResult`: end it with `Ok(())`"
)]
pub trait IntoTaskResult {
    /// As the engine has it.
    fn into_task_result(self) -> TaskResult;
}

impl IntoTaskResult for () {
    fn into_task_result(self) -> TaskResult {
        Ok(())
    }
}

impl IntoTaskResult for TaskResult {
    fn into_task_result(self) -> TaskResult {
        self
    }
}

pub(super) type Code<S> = Arc<dyn Fn(User<S>) -> TaskFuture + Send + Sync>;
pub(super) type WaitFunction<S> = Arc<dyn Fn(&User<S>) -> f64 + Send + Sync>;

fn code<U, F, R>(function: F) -> Code<U::State>
where
    U: UserKind,
    F: Fn(U) -> R + Send + Sync + 'static,
    R: Future<Output: IntoTaskResult> + 'static,
{
    Arc::new(move |user| {
        let running = function(U::of(user));
        Box::pin(async move { running.await.into_task_result() })
    })
}

/// One task, with how often and under what tags it runs.
pub struct Task<S = ()> {
    pub(super) name: String,
    pub(super) weight: u32,
    pub(super) tags: Vec<String>,
    pub(super) code: Code<S>,
}

/// A task of `function`, with its name, of weight 1.
pub fn task<U, F, R>(function: F) -> Task<U::State>
where
    U: UserKind,
    F: Fn(U) -> R + Send + Sync + 'static,
    R: Future<Output: IntoTaskResult> + 'static,
{
    Task { name: name_of::<F>(), weight: 1, tags: Vec::new(), code: code(function) }
}

/// The name of a function, from the path that the compiler knows it by.
fn name_of<F>() -> String {
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    path.rsplit("::").next().unwrap_or(path).to_owned()
}

impl<S> Task<S> {
    /// Calls it by another name than its function's; a closure has no good one.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Runs it so many times as often as a task of weight 1.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Adds a tag, for `--tags` and `--exclude-tags`.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// A group of tasks that a user works in until it is interrupted.
pub struct TaskSet<S = ()> {
    pub(super) name: String,
    pub(super) order: Order,
    pub(super) weight: u32,
    pub(super) tags: Vec<String>,
    pub(super) wait: Option<Wait<S>>,
    pub(super) on_start: Option<Code<S>>,
    pub(super) on_stop: Option<Code<S>>,
    pub(super) tasks: Vec<Node<S>>,
}

/// What stands in a task set.
pub(super) enum Node<S> {
    Task(Task<S>),
    Set(TaskSet<S>),
}

/// What a class or a set waits after a task.
pub(super) enum Wait<S> {
    Time(WaitTime),
    Function(WaitFunction<S>),
}

impl<S> TaskSet<S> {
    /// A set without tasks, of weight 1, in which the next task is drawn at random.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            order: Order::Random,
            weight: 1,
            tags: Vec::new(),
            wait: None,
            on_start: None,
            on_stop: None,
            tasks: Vec::new(),
        }
    }

    /// Runs its tasks in the order in which they are added, over and over: Locust's `SequentialTaskSet`.
    pub fn sequential(mut self) -> Self {
        self.order = Order::Sequential;
        self
    }

    /// Enters it so many times as often as a task of weight 1.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Adds a tag to all its tasks.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Waits so after each of its tasks, instead of as the class does.
    pub fn wait(mut self, wait: WaitTime) -> Self {
        self.wait = Some(Wait::Time(wait));
        self
    }

    /// Waits as many seconds after each of its tasks as `function` says.
    pub fn wait_with(mut self, function: impl Fn(&User<S>) -> f64 + Send + Sync + 'static) -> Self {
        self.wait = Some(Wait::Function(Arc::new(function)));
        self
    }

    /// Does this on entering, before the first task.
    pub fn on_start<U, F, R>(mut self, function: F) -> Self
    where
        U: UserKind<State = S>,
        F: Fn(U) -> R + Send + Sync + 'static,
        R: Future<Output: IntoTaskResult> + 'static,
    {
        self.on_start = Some(code(function));
        self
    }

    /// Does this on leaving, by whichever way.
    pub fn on_stop<U, F, R>(mut self, function: F) -> Self
    where
        U: UserKind<State = S>,
        F: Fn(U) -> R + Send + Sync + 'static,
        R: Future<Output: IntoTaskResult> + 'static,
    {
        self.on_stop = Some(code(function));
        self
    }

    /// Adds a task: an async function, or one dressed up with [`task`](task()).
    pub fn task<M>(mut self, task: impl IntoTask<S, M>) -> Self {
        self.tasks.push(Node::Task(task.into_task()));
        self
    }

    /// Adds a set within this one.
    pub fn set(mut self, set: TaskSet<S>) -> Self {
        self.tasks.push(Node::Set(set));
        self
    }
}

/// What can be added as a task.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no task of users with the state `{S}`",
    label = "no task",
    note = "a task is an `async fn` that takes a `User<{S}>` or another `UserKind` of that state by value, or one dressed up with `task(..)`"
)]
pub trait IntoTask<S, M> {
    /// The task.
    fn into_task(self) -> Task<S>;
}

/// Marks tasks that are dressed up.
pub struct Dressed;
/// Marks tasks that are plain functions.
pub struct Plain;

impl<S> IntoTask<S, Dressed> for Task<S> {
    fn into_task(self) -> Task<S> {
        self
    }
}

impl<S, U, F, R> IntoTask<S, (Plain, U, R)> for F
where
    U: UserKind<State = S>,
    F: Fn(U) -> R + Send + Sync + 'static,
    R: Future<Output: IntoTaskResult> + 'static,
{
    fn into_task(self) -> Task<S> {
        task(self)
    }
}
