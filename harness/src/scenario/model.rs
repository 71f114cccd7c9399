//! A scenario as data: what a file comes to once it has been checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use loadr_engine::spawn::shape::LoadShape;
pub use loadr_engine::task::{
    ActionIndex, ClassModel, Order, TaskBody, TaskModel, TaskSetModel, WaitTime,
};
pub use loadr_engine::user::TaskStats;

use super::data::{Feed, FeedIndex};
use super::step::Steps;
use super::step::websocket::SocketClass;
use super::template::FeedSlot;
use crate::threshold::Threshold;

/// A checked scenario file. Everything in it is shared by all shards and never changes.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file as it was named.
    pub file: PathBuf,
    /// Base URL of the classes that name none of their own.
    pub host: Option<String>,
    /// What the file fixes about a run.
    pub settings: Settings,
    /// How many users there are over time, if the file says.
    pub shape: Option<LoadShape>,
    /// The user classes in the order of the file; at least one.
    pub classes: Vec<Class>,
    /// All data feeds.
    pub feeds: Vec<Feed>,
    /// What requests and operations are counted under.
    pub entries: Vec<EntryLabel>,
    /// A run for which one of these holds has failed.
    pub fail_if: Vec<Threshold>,
    /// A run for which one of these holds is ended.
    pub abort_on: Vec<Threshold>,
}

/// `[run]`: settings for which the command line said nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Users at the peak.
    pub users: Option<u64>,
    /// Users started per second.
    pub spawn_rate: Option<f64>,
    /// How long the run lasts.
    pub run_time: Option<Duration>,
    /// How long tasks may take to end when the run does.
    pub stop_timeout: Option<Duration>,
    /// Requests of the whole run.
    pub requests: Option<u64>,
    /// Tasks of the whole run.
    pub iterations: Option<u64>,
    /// Only tasks with one of these tags.
    pub tags: Vec<String>,
    /// No tasks with one of these tags.
    pub exclude_tags: Vec<String>,
    /// Entries for tasks.
    pub task_stats: Option<TaskStats>,
    /// Seed of all that is random.
    pub seed: Option<u64>,
    /// Whether statistics begin anew once all users have been spawned.
    pub reset_stats: Option<bool>,
    /// Whether all tasks weigh the same.
    pub equal_weights: Option<bool>,
}

impl Settings {
    /// These settings, and those of `other` where these say nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        let either = |these: Vec<String>, others| if these.is_empty() { others } else { these };
        Self {
            users: self.users.or(other.users),
            spawn_rate: self.spawn_rate.or(other.spawn_rate),
            run_time: self.run_time.or(other.run_time),
            stop_timeout: self.stop_timeout.or(other.stop_timeout),
            requests: self.requests.or(other.requests),
            iterations: self.iterations.or(other.iterations),
            tags: either(self.tags, other.tags),
            exclude_tags: either(self.exclude_tags, other.exclude_tags),
            task_stats: self.task_stats.or(other.task_stats),
            seed: self.seed.or(other.seed),
            reset_stats: self.reset_stats.or(other.reset_stats),
            equal_weights: self.equal_weights.or(other.equal_weights),
        }
    }
}

/// A user class: its tree of tasks, and the code and names that the tree's actions use.
#[derive(Clone, Debug)]
pub struct Class {
    /// The tree of tasks.
    pub model: ClassModel,
    /// What actions do; [`ActionIndex`] points here.
    pub actions: Vec<Action>,
    /// Names of the variables, by slot.
    pub variables: Vec<String>,
    /// Values that variables have when a user starts, in order; a later one may use an earlier one.
    pub initial: Action,
    /// Names of the counters, by slot.
    pub counters: Vec<String>,
    /// The feeds drawn from, by slot.
    pub feeds: Vec<FeedIndex>,
    /// The program that its users' calls go to.
    pub driver: Option<Arc<Driver>>,
    /// How its users' WebSockets behave, if they have any.
    pub websocket: Option<Box<SocketClass>>,
}

/// A program that answers calls, one JSON line each; the protocol is that of `harness/scenarios.md`, "Drivers".
#[derive(Clone, Debug, PartialEq)]
pub struct Driver {
    /// The program, which is looked up in `PATH`, and its arguments.
    pub arguments: Vec<String>,
    /// Variables added to the environment.
    pub environment: Vec<(String, String)>,
    /// Where it runs.
    pub folder: PathBuf,
    /// Who has a process of its own.
    pub per: DriverPer,
    /// Longest time to an answer where the call does not say.
    pub timeout: Duration,
    /// It says when it is ready; until then it is starting.
    pub says_ready: bool,
}

/// Who has a driver's process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverPer {
    /// Every user.
    User,
    /// All users of the class on a shard together.
    Shard,
}

/// Code that runs from beginning to end: a task, `on_start` or `on_stop`.
#[derive(Clone, Debug, Default)]
pub struct Action {
    /// What it does.
    pub steps: Steps,
    /// The feeds of which it needs a row before it begins, in order.
    pub feeds: Box<[FeedSlot]>,
}

/// Index into [`Scenario::entries`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntrySlot(pub u32);

/// What something measured is counted under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryLabel {
    /// What is measured.
    pub kind: LabelKind,
    /// The method, or the type of an operation: `GET`, `ASYNC`, `COMMAND`.
    pub method: String,
    /// The name.
    pub name: String,
}

/// What is measured under an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelKind {
    /// An HTTP request.
    Request,
    /// An operation that the target goes on with after the request that began it.
    Operation,
    /// A program that is run.
    Command,
    /// A call that a driver answers.
    Call,
    /// What is done with a WebSocket.
    WebSocket,
}
