//! What a test is made of, before the command line has its say: classes written in Rust, and those of scenario files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use loadr_engine::spawn::shape::LoadShape;

use crate::front_end::TestClass;
use crate::library::Test;
use crate::library::event::Events;
use crate::scenario::model::Settings;
use crate::scenario::{ScenarioError, ScenarioFrontEnd};
use crate::threshold::Threshold;

/// Why a test is none; a scenario file may have several faults, a line each.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error("there are two user classes named '{0}'")]
    TwoOfAName(String),
    #[error("there is no user class '{name}': there are {known}")]
    UnknownClass { name: String, known: String },
    #[error("'{class}' has no task '{task}'")]
    UnknownTask { class: String, task: String },
    #[error("--config-users: a class written here has no attribute '{0}' that could be set")]
    UnknownAttribute(String),
    #[error("no task is left after --tags and --exclude-tags")]
    NoTasks,
    #[error("no user class has a weight or a fixed count above 0: nobody would do anything")]
    NoUsers,
    #[error(
        "the shape asks for {users} users, more than the {users_max} that this machine has memory for"
    )]
    TooManyUsers { users: u64, users_max: u64 },
    #[error("{0} has no host: give one with -H, or in the test")]
    HostMissing(String),
}

/// Classes, shape, settings and checks of a test.
pub(crate) struct TestSource {
    pub(crate) classes: Vec<TestClass>,
    pub(crate) shape: Option<LoadShape>,
    pub(crate) settings: Settings,
    pub(crate) fail_if: Vec<Threshold>,
    pub(crate) abort_on: Vec<Threshold>,
    pub(crate) events: Arc<Events>,
}

impl TestSource {
    /// The classes of `test`, and after them those of each file in turn. Of shapes and settings the first counts.
    pub(crate) fn new(mut test: Test, files: &[PathBuf]) -> Result<Self, TestError> {
        let classes = test.take_classes();
        let mut source = Self {
            classes,
            shape: test.shape,
            settings: Settings::default(),
            fail_if: Vec::new(),
            abort_on: Vec::new(),
            events: Arc::new(test.events),
        };
        for file in files {
            source.add_file(file)?;
        }
        source.refuse_doubles()?;
        Ok(source)
    }

    fn add_file(&mut self, file: &Path) -> Result<(), TestError> {
        let scenario = crate::scenario::load(file)?;
        self.fail_if.extend(scenario.fail_if.iter().cloned());
        self.abort_on.extend(scenario.abort_on.iter().cloned());
        self.settings = std::mem::take(&mut self.settings).or(scenario.settings.clone());
        self.shape = self.shape.take().or_else(|| scenario.shape.clone());
        self.classes.extend(ScenarioFrontEnd::classes(scenario));
        Ok(())
    }

    fn refuse_doubles(&self) -> Result<(), TestError> {
        let mut names: Vec<&str> = self.classes.iter().map(|class| &*class.model.name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(TestError::TwoOfAName(pair[0].to_owned())),
            None => Ok(()),
        }
    }
}
