//! Steps made ready for one shard.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use loadr_engine::client::session::{Session, SessionSettings};
use loadr_engine::task::{Actor, ActorClass, ClassModel, TaskBody, TaskSetModel};
use loadr_engine::user::{Context, ShardContext};
use serde_json::Value;

use super::calls::CallCode;
use super::driver::Drivers;
use super::pieces::SlotText;
use super::rows::FeedCode;
use super::user::ScenarioUser;
use super::websocket::{SocketClassCode, SocketCode};
use crate::front_end::Preparation;
use crate::scenario::Scenario;
use crate::scenario::condition::Condition;
use crate::scenario::expect::{Expect, Extract, ExtractFrom, Subject};
use crate::scenario::model::{Class, EntryLabel};
use crate::scenario::rpc::{Faults, Rpc};
use crate::scenario::step::{
    Command, DriverCall, Exit, LoopCondition, Poll, Request, Step, Steps, Think,
};
use crate::scenario::template::{FeedSlot, Template, VariableSlot};
use crate::scenario::value::ValueTemplate;

/// Most buffers that a class keeps for later.
const BUFFERS_MAX: usize = 64;

/// A user class on one shard.
pub(super) struct ClassCode {
    /// Name of the class.
    pub(super) name: String,
    pub(super) settings: Rc<SessionSettings>,
    pub(super) actions: Box<[ActionCode]>,
    /// What users do before all else: variables whose first values are not the same for all.
    pub(super) initial: ActionCode,
    /// First values of the variables, where they are.
    pub(super) constants: Box<[Option<Value>]>,
    pub(super) variables: Box<[String]>,
    pub(super) counters: usize,
    pub(super) feeds: Box<[FeedCode]>,
    pub(super) driver: Option<Drivers>,
    /// How its users' WebSockets behave, if they have any.
    pub(super) websocket: Option<SocketClassCode>,
    buffers: RefCell<Vec<SlotText>>,
}

/// A task, an `on_start` or an `on_stop`.
pub(super) struct ActionCode {
    pub(super) ops: Box<[Op]>,
    pub(super) feeds: Box<[FeedSlot]>,
    pub(super) role: ActionRole,
}

/// What an action is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ActionRole {
    /// It is counted as an iteration.
    Task,
    Start,
    /// It goes on with the rows that there are.
    Stop,
}

/// A step, ready to be done.
pub(super) enum Op {
    Request(Box<CallCode>),
    Poll(Rc<PollCode>),
    WebSocket(Box<SocketCode>),
    Command(Rc<CommandCode>),
    DriverCall(Rc<DriverCallCode>),
    Background(Rc<[Op]>),
    Think(Think),
    Set(Box<[(VariableSlot, ValueTemplate)]>),
    Repeat(Box<RepeatCode>),
    If(Box<BranchCode>),
    Log(Template),
    Fail(Template),
    Exit(Exit),
}

/// An operation to wait for.
pub(super) struct PollCode {
    pub(super) label: EntryLabel,
    pub(super) call: CallCode,
    pub(super) poll: Poll,
}

/// A program to run.
pub(super) struct CommandCode {
    pub(super) label: EntryLabel,
    pub(super) command: Command,
}

/// A call for the driver.
pub(super) struct DriverCallCode {
    pub(super) label: EntryLabel,
    pub(super) call: DriverCall,
    pub(super) timeout: Duration,
}

pub(super) struct RepeatCode {
    pub(super) times: Option<ValueTemplate>,
    pub(super) condition: Option<LoopCondition>,
    pub(super) ops: Box<[Op]>,
}

pub(super) struct BranchCode {
    pub(super) condition: Condition,
    pub(super) then: Box<[Op]>,
    pub(super) otherwise: Box<[Op]>,
}

/// What a response is held against, and what is kept of it.
pub(super) struct Judgement {
    pub(super) expect: Expect,
    pub(super) extract: Box<[Extract]>,
    /// What a call of XML-RPC is expected to bring; nothing for a request that is none.
    pub(super) rpc: Option<RpcJudgement>,
}

/// What a call of XML-RPC is held against, beside what it shares with others.
pub(super) struct RpcJudgement {
    pub(super) faults: Faults,
    /// Somebody looks into its value.
    pub(super) reads_value: bool,
}

impl RpcJudgement {
    pub(super) fn new(rpc: &Rpc, request: &Request) -> Self {
        let mut checks = request.expect.checks.iter();
        let mut extract = request.extract.iter();
        let reads_value = checks.any(|check| matches!(check.subject, Subject::Json(_)))
            || extract.any(|one| matches!(one.from, ExtractFrom::Json(_)));
        Self { faults: rpc.faults.clone(), reads_value }
    }
}

impl ClassCode {
    fn new(
        scenario: &Scenario,
        preparation: &Preparation<'_>,
        class: &Class,
        model: &ClassModel,
    ) -> Self {
        let host = model.host.as_deref();
        let (origins, options) = (Rc::clone(preparation.origins), preparation.sessions.clone());
        let (timeout, connect_timeout) = (options.timeout, options.connect_timeout);
        let seed = options.seed;
        let settings = SessionSettings::new(origins, host, options);
        let settings = settings.expect("hosts are checked before the run");
        let call_timeout = class.driver.as_ref().map_or(Duration::MAX, |driver| driver.timeout);
        let shard = preparation.shard;
        let compiler = Compiler {
            scenario,
            shard,
            settings: &settings,
            timeout,
            call_timeout,
            connect_timeout,
            seed,
        };
        let (starts, stops) = lifecycle(&class.model.root);
        let actions = class.actions.iter().enumerate().map(|(index, action)| ActionCode {
            ops: compiler.ops(&action.steps),
            feeds: action.feeds.clone(),
            role: match index as u32 {
                index if starts.contains(&index) => ActionRole::Start,
                index if stops.contains(&index) => ActionRole::Stop,
                _ => ActionRole::Task,
            },
        });
        let (constants, initial) = first_values(class);
        let feeds = class.feeds.iter().map(|&index| {
            let lease = preparation.first_feed + index.0 as usize;
            FeedCode::new(&scenario.feeds[index.0 as usize], lease)
        });
        Self {
            name: class.model.name.clone(),
            actions: actions.collect(),
            initial: ActionCode {
                ops: initial,
                feeds: class.initial.feeds.clone(),
                role: ActionRole::Start,
            },
            constants,
            variables: class.variables.clone().into(),
            counters: class.counters.len(),
            feeds: feeds.collect(),
            driver: class.driver.as_ref().map(|driver| Drivers::new(driver, shard)),
            websocket: class.websocket.as_ref().map(|class| compiler.websocket_class(class)),
            buffers: RefCell::default(),
            settings,
        }
    }

    /// A buffer for what slots hold, used again.
    pub(super) fn take_buffer(&self) -> SlotText {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    pub(super) fn put_buffer(&self, mut buffer: SlotText) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS_MAX {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}

/// What makes the users of a class.
pub(in crate::scenario) struct Actors(Rc<ClassCode>);

impl Actors {
    /// `class` of `scenario` on one shard; `model` is the class as it runs, its host above all.
    pub(in crate::scenario) fn new(
        scenario: &Scenario,
        preparation: &Preparation<'_>,
        class: &Class,
        model: &ClassModel,
    ) -> Self {
        Self(Rc::new(ClassCode::new(scenario, preparation, class, model)))
    }
}

impl ActorClass for Actors {
    fn actor(&self, context: Context) -> Rc<dyn Actor> {
        let session = Session::new(context.clone(), Rc::clone(&self.0.settings));
        let user = Rc::new(ScenarioUser::new(Rc::clone(&self.0), context, session));
        user.listen();
        user
    }
}

/// The actions that are no tasks: those done on entering, and those done on leaving.
fn lifecycle(set: &TaskSetModel) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let index = |action: Option<loadr_engine::task::ActionIndex>| action.map(|action| action.0);
    let mut starts: BTreeSet<u32> = index(set.on_start).into_iter().collect();
    let mut stops: BTreeSet<u32> = index(set.on_stop).into_iter().collect();
    for task in &set.tasks {
        if let TaskBody::Set(set) = &task.body {
            let (more_starts, more_stops) = lifecycle(set);
            starts.extend(more_starts);
            stops.extend(more_stops);
        }
    }
    (starts, stops)
}

/// What variables are at first: constants as far as they go, and then what every user works out for itself.
fn first_values(class: &Class) -> (Box<[Option<Value>]>, Box<[Op]>) {
    let mut constants = vec![None; class.variables.len()];
    let Some(Step::Set(pairs)) = class.initial.steps.first() else {
        return (constants.into(), Box::default());
    };
    let mut pairs = pairs.iter().peekable();
    while let Some((slot, ValueTemplate::Fixed(value))) =
        pairs.next_if(|(_, value)| matches!(value, ValueTemplate::Fixed(_)))
    {
        constants[slot.0 as usize] = Some(value.clone());
    }
    let rest: Box<[_]> = pairs.cloned().collect();
    let ops = if rest.is_empty() { Box::default() } else { Box::from([Op::Set(rest)]) };
    (constants.into(), ops)
}

/// Makes steps ready for a shard.
pub(super) struct Compiler<'c> {
    pub(super) scenario: &'c Scenario,
    pub(super) shard: &'c ShardContext,
    pub(super) settings: &'c SessionSettings,
    /// Time-out of requests that have none of their own.
    pub(super) timeout: Duration,
    /// The same of the driver's calls.
    call_timeout: Duration,
    /// Time to open a connection.
    pub(super) connect_timeout: Duration,
    /// Seed of the waits after failed connections.
    pub(super) seed: u64,
}

impl Compiler<'_> {
    fn ops(&self, steps: &Steps) -> Box<[Op]> {
        steps.iter().map(|step| self.op(step)).collect()
    }

    fn op(&self, step: &Step) -> Op {
        match step {
            Step::Request(request) => Op::Request(Box::new(self.call(request))),
            Step::Poll(poll) => Op::Poll(Rc::new(self.poll(poll))),
            Step::WebSocket(step) => Op::WebSocket(Box::new(self.websocket(step))),
            Step::Command(command) => Op::Command(Rc::new(CommandCode {
                label: self.label(command.entry).clone(),
                command: (**command).clone(),
            })),
            Step::DriverCall(call) => Op::DriverCall(Rc::new(DriverCallCode {
                label: self.label(call.entry).clone(),
                timeout: call.timeout.unwrap_or(self.call_timeout),
                call: (**call).clone(),
            })),
            Step::Background(steps) => Op::Background(self.ops(steps).into()),
            Step::Think(think) => Op::Think(*think),
            Step::Set(pairs) => Op::Set(pairs.clone()),
            Step::Repeat(repeat) => Op::Repeat(Box::new(RepeatCode {
                times: repeat.times.clone(),
                condition: repeat.condition.clone(),
                ops: self.ops(&repeat.steps),
            })),
            Step::If(branch) => Op::If(Box::new(BranchCode {
                condition: branch.condition.clone(),
                then: self.ops(&branch.then),
                otherwise: self.ops(&branch.otherwise),
            })),
            Step::Log(text) => Op::Log(text.clone()),
            Step::Fail(text) => Op::Fail(text.clone()),
            Step::Exit(exit) => Op::Exit(*exit),
        }
    }

    fn poll(&self, poll: &Poll) -> PollCode {
        let mut request = poll.request.clone();
        // A request must not outlast the operation by more than it has to.
        request.timeout = Some(request.timeout.unwrap_or(self.timeout).min(poll.timeout));
        let reads_head =
            [Some(&poll.until), poll.fail.as_ref()].into_iter().flatten().any(Expect::reads_head)
                || poll.extract.iter().any(|one| one.from.reads_head());
        PollCode {
            label: self.label(poll.entry).clone(),
            call: self.call_reading(&request, reads_head),
            poll: poll.clone(),
        }
    }
}
