//! Where the code of user classes comes from, and the workload that classes of all origins make up together.

use std::rc::Rc;
use std::sync::Arc;

use loadr_engine::client::session::{KnownHosts, Origins, SessionOptions};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::task::{ActorClass, ClassModel, TaskClass};
use loadr_engine::user::{Listener, ShardContext, UserClass, Workload};

use crate::library::event::{Events, ShardEvents};

/// One way to write user classes: in Rust, as a scenario file, or in another language.
pub(crate) trait FrontEnd: Send + Sync {
    /// Rows in each of its feeds of data that are leased over the whole run; `None` for one that never ends.
    fn feeds(&self) -> Vec<Option<u64>> {
        Vec::new()
    }

    /// Whether its class number `index` sends requests to paths, and so needs a host. Code may bring its own URLs.
    fn needs_host(&self, _index: usize) -> bool {
        false
    }

    /// Makes the code of its class number `index`, of the model given, for one shard.
    fn prepare(
        &self,
        shard: &Preparation<'_>,
        index: usize,
        model: &ClassModel,
    ) -> Rc<dyn ActorClass>;
}

/// What front ends make their code with.
pub(crate) struct Preparation<'p> {
    pub(crate) shard: &'p ShardContext,
    /// The shard's connections to hosts.
    pub(crate) origins: &'p Rc<Origins>,
    pub(crate) sessions: &'p SessionOptions,
    /// Number of the front end's first feed among those of the run.
    pub(crate) first_feed: usize,
}

/// A class of a test.
#[derive(Clone)]
pub(crate) struct TestClass {
    pub(crate) model: ClassModel,
    pub(crate) front_end: Arc<dyn FrontEnd>,
    /// Its number among the classes of its front end.
    pub(crate) index: usize,
}

/// The classes of a test, as shards run them.
#[derive(Clone)]
pub(crate) struct TestWorkload {
    classes: Vec<TestClass>,
    /// Each front end once, in order.
    front_ends: Vec<Arc<dyn FrontEnd>>,
    hosts: KnownHosts,
    sessions: SessionOptions,
    events: Arc<Events>,
}

impl TestWorkload {
    pub(crate) fn new(
        classes: Vec<TestClass>,
        hosts: KnownHosts,
        sessions: SessionOptions,
        events: Arc<Events>,
    ) -> Self {
        let mut front_ends: Vec<Arc<dyn FrontEnd>> = Vec::new();
        for class in &classes {
            if !front_ends.iter().any(|known| Arc::ptr_eq(known, &class.front_end)) {
                front_ends.push(Arc::clone(&class.front_end));
            }
        }
        Self { classes, front_ends, hosts, sessions, events }
    }

    fn first_feed(&self, front_end: &Arc<dyn FrontEnd>) -> usize {
        let before = self.front_ends.iter().take_while(|known| !Arc::ptr_eq(known, front_end));
        before.map(|known| known.feeds().len()).sum()
    }
}

impl Workload for TestWorkload {
    fn classes(&self) -> Vec<ClassShare> {
        self.classes.iter().map(|class| class.model.share()).collect()
    }

    fn feeds(&self) -> Vec<Option<u64>> {
        self.front_ends.iter().flat_map(|front_end| front_end.feeds()).collect()
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let origins = Origins::new(shard, self.hosts.clone());
        let prepared = self.classes.iter().map(|class| {
            let preparation = Preparation {
                shard,
                origins: &origins,
                sessions: &self.sessions,
                first_feed: self.first_feed(&class.front_end),
            };
            let code = class.front_end.prepare(&preparation, class.index, &class.model);
            TaskClass::new(shard, class.model.clone(), code) as Rc<dyn UserClass>
        });
        prepared.collect()
    }

    fn listener(&self, _shard: &ShardContext) -> Option<Rc<dyn Listener>> {
        self.events.on_shards().then(|| Rc::new(ShardEvents(Arc::clone(&self.events))) as _)
    }
}
