//! Tasks: what a user does, as data that every front end shares, and the loop that does it.
//!
//! A [`ClassModel`] says what a class of users is: its share of the users, its waits and its tree of tasks. It is plain
//! data, the same whether it was written in Rust, in a scenario file or in another language, so that filtering by tags,
//! the ratio of tasks and the changes asked for on the command line are functions of data. The code behind a task is
//! reached by an [`ActionIndex`] through the front end's [`Actor`], one for each user.
//!
//! The meaning is that of Locust's `User` and `TaskSet` (`locust/user/task.py`).

mod exit;
mod filter;
mod life;
mod model;
mod ratio;
mod wait;

pub use exit::{TaskExit, TaskResult};
pub use filter::{Emptied, TagFilter};
pub use life::{Actor, ActorClass, TaskClass, TaskFuture};
pub use model::{ActionIndex, ClassModel, Order, TaskBody, TaskModel, TaskSetModel};
pub use ratio::{ClassRatio, TaskRatio, ratios};
pub use wait::{BadWait, Pacing, WaitTime};
