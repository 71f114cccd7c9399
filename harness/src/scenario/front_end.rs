//! A scenario's classes as the engine runs them.

use std::rc::Rc;
use std::sync::Arc;

use loadr_engine::task::{ActorClass, ClassModel};

use super::Scenario;
use super::data::{Feed, FeedOrder, WhenOut};
use super::run::Actors;
use super::step::websocket::SocketAction;
use super::step::{Step, Steps};
use crate::front_end::{FrontEnd, Preparation, TestClass};

/// The code of a scenario file, shared by all shards.
pub(crate) struct ScenarioFrontEnd {
    scenario: Scenario,
}

impl ScenarioFrontEnd {
    /// The classes of `scenario`, ready for a test.
    pub(crate) fn classes(scenario: Scenario) -> Vec<TestClass> {
        let host = scenario.host.clone();
        let models: Vec<ClassModel> =
            scenario.classes.iter().map(|class| class.model.clone()).collect();
        let front_end = Arc::new(Self { scenario });
        let class = |(index, model): (usize, ClassModel)| {
            let host = model.host.clone().or_else(|| host.clone());
            let front_end = Arc::clone(&front_end) as Arc<dyn FrontEnd>;
            TestClass { model: ClassModel { host, ..model }, front_end, index }
        };
        models.into_iter().enumerate().map(class).collect()
    }
}

impl FrontEnd for ScenarioFrontEnd {
    fn feeds(&self) -> Vec<Option<u64>> {
        self.scenario.feeds.iter().map(leased_rows).collect()
    }

    fn needs_host(&self, index: usize) -> bool {
        let class = &self.scenario.classes[index];
        let websocket = class.websocket.as_ref();
        websocket.is_some_and(|websocket| !websocket.connects)
            || class.actions.iter().any(|action| sends_to_paths(&action.steps))
    }

    fn prepare(
        &self,
        shard: &Preparation<'_>,
        index: usize,
        model: &ClassModel,
    ) -> Rc<dyn ActorClass> {
        Rc::new(Actors::new(&self.scenario, shard, &self.scenario.classes[index], model))
    }
}

/// Rows that are dealt out over the whole run, where they come to an end.
fn leased_rows(feed: &Feed) -> Option<u64> {
    let ends = feed.order == FeedOrder::Unique && feed.when_out != WhenOut::Cycle;
    ends.then(|| feed.table.rows().get() as u64)
}

/// Whether a request among `steps` has a URL that may be a path.
fn sends_to_paths(steps: &Steps) -> bool {
    steps.iter().any(|step| match step {
        Step::Request(request) => !request.is_whole_url(),
        Step::Poll(poll) => !poll.request.is_whole_url(),
        Step::WebSocket(step) => match &step.action {
            SocketAction::Connect(connect) => !connect.is_whole_url(),
            _ => false,
        },
        Step::Background(steps) => sends_to_paths(steps),
        Step::Repeat(repeat) => sends_to_paths(&repeat.steps),
        Step::If(branch) => sends_to_paths(&branch.then) || sends_to_paths(&branch.otherwise),
        Step::Command(_)
        | Step::DriverCall(_)
        | Step::Think(_)
        | Step::Set(_)
        | Step::Log(_)
        | Step::Fail(_)
        | Step::Exit(_) => false,
    })
}
