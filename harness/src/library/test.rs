//! A test: its user classes, its shape, and who listens to its events.

use std::sync::Arc;
use std::time::Duration;

use loadr_engine::spawn::shape::{LoadShape, ShapeTick};
use loadr_engine::task::ClassModel;
use loadr_engine::user::{RequestEvent, Role, UserError};

use super::class::UserClass;
use super::event::{Events, Quitting};
use crate::front_end::{FrontEnd, TestClass};
use crate::report::Report;

/// A test written in Rust; [`crate::run`] gives it the command line.
#[derive(Default)]
pub struct Test {
    pub(crate) classes: Vec<(ClassModel, Arc<dyn FrontEnd>)>,
    pub(crate) shape: Option<LoadShape>,
    pub(crate) events: Events,
}

impl Test {
    /// A test without users.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a class of users.
    pub fn user<S: 'static>(mut self, class: UserClass<S>) -> Self {
        self.classes.push(class.build());
        self
    }

    /// Has `function` say, once a second, how many users there are to be: from the time since the start and the users
    /// there are. `None` ends the test. `--users` and `--spawn-rate` do nothing then, and `--run-time` ends it early.
    pub fn shape(
        mut self,
        function: impl Fn(Duration, u64) -> Option<ShapeTick> + Send + Sync + 'static,
    ) -> Self {
        self.shape = Some(LoadShape::Custom(Arc::new(function)));
        self
    }

    /// Uses one of the ready-made shapes.
    pub fn load_shape(mut self, shape: LoadShape) -> Self {
        self.shape = Some(shape);
        self
    }

    /// Calls `hook` once, before anything runs.
    pub fn on_init(mut self, hook: impl Fn(Role) + Send + Sync + 'static) -> Self {
        self.events.init.push(Box::new(hook));
        self
    }

    /// Calls `hook` when the test starts.
    pub fn on_test_start(mut self, hook: impl Fn(Role) + Send + Sync + 'static) -> Self {
        self.events.test_start.push(Box::new(hook));
        self
    }

    /// Calls `hook` when the test has stopped.
    pub fn on_test_stop(mut self, hook: impl Fn(Role) + Send + Sync + 'static) -> Self {
        self.events.test_stop.push(Box::new(hook));
        self
    }

    /// Calls `hook` with the number of users, when as many run as were asked for.
    pub fn on_spawning_complete(mut self, hook: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.events.spawning_complete.push(Box::new(hook));
        self
    }

    /// Calls `hook` for every request, on the thread of the shard: it must not block.
    pub fn on_request(mut self, hook: impl Fn(&RequestEvent<'_>) + Send + Sync + 'static) -> Self {
        self.events.request.push(Box::new(hook));
        self
    }

    /// Calls `hook` for every error that a task did not catch, on the thread of the shard.
    pub fn on_user_error(mut self, hook: impl Fn(&UserError<'_>) + Send + Sync + 'static) -> Self {
        self.events.user_error.push(Box::new(hook));
        self
    }

    /// Calls `hook` with the finished report.
    pub fn on_report(mut self, hook: impl Fn(&Report) + Send + Sync + 'static) -> Self {
        self.events.report.push(Box::new(hook));
        self
    }

    /// Calls `hook` before the exit code is decided; it may decide it.
    pub fn on_quitting(mut self, hook: impl Fn(&mut Quitting<'_>) + Send + Sync + 'static) -> Self {
        self.events.quitting.push(Box::new(hook));
        self
    }

    /// Calls `hook` with the exit code, last of all.
    pub fn on_quit(mut self, hook: impl Fn(u8) + Send + Sync + 'static) -> Self {
        self.events.quit.push(Box::new(hook));
        self
    }

    /// The classes as the run takes them.
    pub(crate) fn take_classes(&mut self) -> Vec<TestClass> {
        let classes = std::mem::take(&mut self.classes).into_iter();
        classes.map(|(model, front_end)| TestClass { model, front_end, index: 0 }).collect()
    }
}
