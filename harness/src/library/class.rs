//! User classes written in Rust.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use loadr_engine::client::session::{Session, SessionSettings};
use loadr_engine::task::{
    ActionIndex, Actor, ActorClass, ClassModel, TaskBody, TaskFuture, TaskModel, TaskSetModel,
    WaitTime,
};
use loadr_engine::user::Context;

use super::attachments::Attachments;
use super::feed::{Feed, FeedLease};
use super::kind::UserKind;
use super::task::{Code, IntoTask, IntoTaskResult, Node, TaskSet, Wait, WaitFunction};
use super::user::User;
use crate::front_end::{FrontEnd, Preparation};

/// A class of users, each with a state `S` of its own.
pub struct UserClass<S = ()> {
    weight: f64,
    fixed_count: u64,
    host: Option<String>,
    fresh_session: bool,
    state: Arc<dyn Fn(&Context) -> S + Send + Sync>,
    feeds: Vec<FeedLease>,
    root: TaskSet<S>,
}

impl<S: Default + 'static> UserClass<S> {
    /// A class without tasks, of weight 1, that does not wait, and whose users start with a default state.
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_state(name, |_| S::default())
    }
}

impl<S: 'static> UserClass<S> {
    /// As [`UserClass::new`], with users whose state is made by `state`.
    pub fn with_state(
        name: impl Into<String>,
        state: impl Fn(&Context) -> S + Send + Sync + 'static,
    ) -> Self {
        Self {
            weight: 1.0,
            fixed_count: 0,
            host: None,
            fresh_session: false,
            state: Arc::new(state),
            feeds: Vec::new(),
            root: TaskSet::new(name),
        }
    }

    /// Its share of the users.
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = weight;
        self
    }

    /// Exactly so many users, started before all others, whatever the weight.
    pub fn fixed_count(mut self, users: u64) -> Self {
        self.fixed_count = users;
        self
    }

    /// Base URL of its users' requests; `-H` takes its place.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// What users wait after each task.
    pub fn wait(mut self, wait: WaitTime) -> Self {
        self.root = self.root.wait(wait);
        self
    }

    /// Has users wait as many seconds after each task as `function` says.
    pub fn wait_with(mut self, function: impl Fn(&User<S>) -> f64 + Send + Sync + 'static) -> Self {
        self.root = self.root.wait_with(function);
        self
    }

    /// Each task begins as a new visitor: no cookies, no connections, nothing [attached](User::attached).
    pub fn fresh_session(mut self) -> Self {
        self.fresh_session = true;
        self
    }

    /// Runs its tasks in the order in which they are added, over and over.
    pub fn sequential(mut self) -> Self {
        self.root = self.root.sequential();
        self
    }

    /// Each user does this once, before its first task.
    pub fn on_start<U, F, R>(mut self, function: F) -> Self
    where
        U: UserKind<State = S>,
        F: Fn(U) -> R + Send + Sync + 'static,
        R: Future<Output: IntoTaskResult> + 'static,
    {
        self.root = self.root.on_start(function);
        self
    }

    /// Each user does this at its end, also when it is stopped in the middle of a task.
    pub fn on_stop<U, F, R>(mut self, function: F) -> Self
    where
        U: UserKind<State = S>,
        F: Fn(U) -> R + Send + Sync + 'static,
        R: Future<Output: IntoTaskResult> + 'static,
    {
        self.root = self.root.on_stop(function);
        self
    }

    /// Adds a task: an async function, or one dressed up with [`task`](super::task()).
    pub fn task<M>(mut self, task: impl IntoTask<S, M>) -> Self {
        self.root = self.root.task(task);
        self
    }

    /// Adds a task set.
    pub fn set(mut self, set: TaskSet<S>) -> Self {
        self.root = self.root.set(set);
        self
    }

    /// Lets its users draw rows from a feed, with [`User::next_row`]. Several classes may draw from one.
    pub fn feed<T>(mut self, feed: &Feed<T>) -> Self {
        self.feeds.push(feed.lease());
        self
    }

    /// The class as data, and its code.
    pub(crate) fn build(self) -> (ClassModel, Arc<dyn FrontEnd>) {
        let (actions, waits) = (Vec::new(), Vec::new());
        let mut code = RustClass { state: self.state, feeds: self.feeds, actions, waits };
        let mut root = code.take_set(self.root);
        let wait = root.wait.take().unwrap_or_default();
        let model = ClassModel {
            name: root.name.clone(),
            weight: self.weight,
            fixed_count: self.fixed_count,
            host: self.host,
            wait,
            fresh_session: self.fresh_session,
            root,
        };
        (model, Arc::new(code))
    }
}

/// The code of a class.
struct RustClass<S> {
    state: Arc<dyn Fn(&Context) -> S + Send + Sync>,
    feeds: Vec<FeedLease>,
    actions: Vec<Code<S>>,
    waits: Vec<WaitFunction<S>>,
}

impl<S> RustClass<S> {
    fn take_set(&mut self, set: TaskSet<S>) -> TaskSetModel {
        let on_start = set.on_start.map(|code| self.take_code(code));
        let on_stop = set.on_stop.map(|code| self.take_code(code));
        let wait = set.wait.map(|wait| self.take_wait(wait));
        let tasks = set.tasks.into_iter().map(|node| self.take_node(node)).collect();
        TaskSetModel { name: set.name, order: set.order, wait, on_start, on_stop, tasks }
    }

    fn take_node(&mut self, node: Node<S>) -> TaskModel {
        match node {
            Node::Task(task) => {
                let body = TaskBody::Action(self.take_code(task.code));
                TaskModel { name: task.name, weight: task.weight, tags: task.tags, body }
            }
            Node::Set(mut set) => {
                let (weight, tags) = (set.weight, std::mem::take(&mut set.tags));
                let set = self.take_set(set);
                TaskModel { name: set.name.clone(), weight, tags, body: TaskBody::Set(set) }
            }
        }
    }

    fn take_code(&mut self, code: Code<S>) -> ActionIndex {
        self.actions.push(code);
        ActionIndex(self.actions.len() as u32 - 1)
    }

    fn take_wait(&mut self, wait: Wait<S>) -> WaitTime {
        match wait {
            Wait::Time(wait) => wait,
            Wait::Function(function) => {
                self.waits.push(function);
                WaitTime::Function(self.waits.len() as u32 - 1)
            }
        }
    }
}

impl<S: 'static> FrontEnd for RustClass<S> {
    fn feeds(&self) -> Vec<Option<u64>> {
        self.feeds.iter().map(FeedLease::rows).collect()
    }

    fn prepare(
        &self,
        shard: &Preparation<'_>,
        _index: usize,
        model: &ClassModel,
    ) -> Rc<dyn ActorClass> {
        for (number, feed) in (shard.first_feed..).zip(&self.feeds) {
            feed.number(number);
        }
        let host = model.host.as_deref();
        let settings = SessionSettings::new(Rc::clone(shard.origins), host, shard.sessions.clone());
        Rc::new(RustActors {
            settings: settings.expect("hosts are checked before the run"),
            state: Arc::clone(&self.state),
            code: Rc::new((self.actions.clone(), self.waits.clone())),
        })
    }
}

/// The code of a class's actions and waits, by their indices.
type Codes<S> = (Vec<Code<S>>, Vec<WaitFunction<S>>);

/// The class on one shard.
struct RustActors<S> {
    settings: Rc<SessionSettings>,
    state: Arc<dyn Fn(&Context) -> S + Send + Sync>,
    code: Rc<Codes<S>>,
}

impl<S: 'static> ActorClass for RustActors<S> {
    fn actor(&self, context: Context) -> Rc<dyn Actor> {
        let client = Session::new(context.clone(), Rc::clone(&self.settings));
        let state = Rc::new((self.state)(&context));
        let attachments = Rc::new(Attachments::default());
        let user = User { client, state, context, attachments };
        Rc::new(RustActor { user, code: Rc::clone(&self.code) })
    }
}

struct RustActor<S> {
    user: User<S>,
    code: Rc<Codes<S>>,
}

impl<S: 'static> Actor for RustActor<S> {
    fn run(self: Rc<Self>, action: ActionIndex) -> TaskFuture {
        (self.code.0[action.0 as usize])(self.user.clone())
    }

    fn wait(&self, function: u32) -> f64 {
        (self.code.1[function as usize])(&self.user)
    }

    fn renew_session(&self) {
        self.user.client.clear();
        self.user.attachments.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::task::task;
    use loadr_engine::task::{Order, TaskResult};

    async fn browse(_user: User) {}
    async fn buy(user: User) -> TaskResult {
        user.stop()
    }

    #[test]
    fn a_class_becomes_data_with_the_names_of_its_functions() {
        let forum = TaskSet::new("forum").sequential().weight(2).tag("social").task(browse);
        let class = UserClass::new("Shopper")
            .weight(3.0)
            .wait(WaitTime::Between(1.0, 2.0))
            .on_start(browse)
            .task(task(buy).weight(5).tag("money"))
            .task(browse)
            .task(task(|_user: User| async {}).name("closure"))
            .set(forum);
        let (model, _) = class.build();
        let tasks: Vec<_> = model.root.tasks.iter().map(|t| (&*t.name, t.weight)).collect();
        assert_eq!(tasks, [("buy", 5), ("browse", 1), ("closure", 1), ("forum", 2)]);
        assert_eq!((model.name.as_str(), model.weight), ("Shopper", 3.0));
        assert_eq!(model.wait, WaitTime::Between(1.0, 2.0));
        assert_eq!(model.root.on_start, Some(ActionIndex(0)));
        let TaskBody::Set(set) = &model.root.tasks[3].body else { panic!("a set") };
        assert_eq!((set.order, set.tasks.len()), (Order::Sequential, 1));
        assert_eq!(model.root.tasks[3].tags, ["social"]);
    }
}
