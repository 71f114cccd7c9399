//! One user: its state, and the walk through its steps.
//!
//! Between tasks a user holds what it has set and drawn, and nothing else; one that has done neither holds no memory for
//! it. A task is one future, boxed by the engine; only steps inside steps, and those that are rare, are boxed again.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use loadr_engine::client::session::Session;
use loadr_engine::random::SplitMix64;
use loadr_engine::task::{ActionIndex, Actor, TaskExit, TaskFuture, TaskResult};
use loadr_engine::user::Context;
use serde_json::Value;

use super::code::{ActionCode, ActionRole, BranchCode, ClassCode, Op, RepeatCode};
use super::driver::{Driver, Drivers};
use super::pieces::rendered;
use super::websocket::UserSocket;
use crate::report::units::printable;
use crate::scenario::condition::number_of;
use crate::scenario::step::{Exit, LoopCondition, Think};
use crate::scenario::template::{
    Cell as TableCell, CounterSlot, FeedSlot, Template, Unfit, Unset, Values, VariableSlot,
};
use crate::scenario::value::ValueTemplate;

/// Rounds of a loop after which others get their turn, whether or not the loop waits for anything.
const ROUNDS_PER_TURN: u64 = 256;
/// What gives others their turn.
const TURN: Duration = Duration::from_micros(1);
/// Most characters of a message that a scenario makes up.
const MESSAGE_CHARS_MAX: usize = 300;

/// One user of a class.
pub(super) struct ScenarioUser {
    pub(super) class: Rc<ClassCode>,
    pub(super) context: Context,
    pub(super) session: Session,
    pub(super) state: RefCell<State>,
    /// What its calls go to.
    pub(super) driver: Option<Rc<Driver>>,
    /// Its WebSocket, if its class has any.
    pub(super) socket: Option<UserSocket>,
    /// What its counters stand at; empty until the first counts.
    counters: RefCell<Vec<u64>>,
    /// Tasks begun.
    iteration: Cell<u64>,
    /// Its first values are not worked out yet.
    is_new: Cell<bool>,
}

/// What a user has set and drawn; both empty until the first of each.
#[derive(Clone, Default)]
pub(super) struct State {
    variables: Vec<Option<Value>>,
    /// The row of each feed that it has.
    pub(super) rows: Vec<Option<u32>>,
}

impl State {
    pub(super) fn row(&self, slot: FeedSlot) -> Option<u32> {
        self.rows.get(slot.0 as usize).copied().flatten()
    }
}

impl Actor for ScenarioUser {
    fn run(self: Rc<Self>, action: ActionIndex) -> TaskFuture {
        Box::pin(async move { self.act(&self.class.actions[action.0 as usize]).await })
    }

    fn renew_session(&self) {
        self.session.clear();
        if let Some(socket) = &self.socket {
            socket.clear();
        }
    }
}

impl ScenarioUser {
    pub(super) fn new(class: Rc<ClassCode>, context: Context, session: Session) -> Self {
        Self {
            is_new: Cell::new(!class.initial.ops.is_empty()),
            driver: class.driver.as_ref().map(Drivers::of_user),
            socket: class.websocket.as_ref().map(|class| UserSocket::new(class, &context)),
            class,
            context,
            session,
            state: RefCell::default(),
            counters: RefCell::default(),
            iteration: Cell::new(0),
        }
    }

    /// The same user with a copy of what it has, for what it does beside its tasks.
    fn copy(&self) -> Self {
        Self {
            class: Rc::clone(&self.class),
            context: self.context.clone(),
            session: self.session.clone(),
            state: self.state.clone(),
            driver: self.driver.clone(),
            socket: self.socket.clone(),
            counters: self.counters.clone(),
            iteration: self.iteration.clone(),
            is_new: Cell::new(false),
        }
    }

    async fn act(&self, action: &ActionCode) -> TaskResult {
        if action.role == ActionRole::Task {
            self.iteration.set(self.iteration.get() + 1);
        }
        if self.is_new.get() {
            let initial = &self.class.initial;
            self.draw_rows(initial).await?;
            Box::pin(self.block(&initial.ops)).await?;
            self.is_new.set(false);
        }
        if !action.feeds.is_empty() {
            match self.draw_rows(action).await {
                // Somebody who leaves anyway and has no data has nothing to do.
                Err(TaskExit::StopUser) if action.role == ActionRole::Stop => return Ok(()),
                drawn => drawn?,
            }
        }
        self.block(&action.ops).await
    }

    /// Does steps in order.
    pub(super) async fn block(&self, ops: &[Op]) -> TaskResult {
        for op in ops {
            match op {
                Op::Request(call) => self.request(call).await?,
                Op::Think(think) => self.context.sleep(self.pause(*think)).await,
                op => self.rarer(op).await?,
            }
        }
        Ok(())
    }

    /// Does what requests and pauses are not.
    async fn rarer(&self, op: &Op) -> TaskResult {
        match op {
            Op::Request(call) => Box::pin(self.request(call)).await,
            Op::Think(think) => {
                self.context.sleep(self.pause(*think)).await;
                Ok(())
            }
            Op::Set(pairs) => self.set_all(pairs),
            Op::If(branch) => {
                let ops = self.way(branch)?;
                if ops.is_empty() { Ok(()) } else { Box::pin(self.block(ops)).await }
            }
            Op::Repeat(repeat) => Box::pin(self.repeat(repeat)).await,
            Op::Poll(poll) => Box::pin(self.poll(poll)).await,
            Op::WebSocket(step) => Box::pin(self.websocket(step)).await,
            Op::Command(command) => Box::pin(self.command(command)).await,
            Op::DriverCall(call) => Box::pin(self.driver_call(call)).await,
            Op::Background(ops) => {
                self.background(Rc::clone(ops));
                Ok(())
            }
            Op::Log(text) => {
                // What came from a target must not drive the terminal.
                log::info!(target: "loadr::scenario", "{}", printable(&self.rendered(text)?));
                Ok(())
            }
            Op::Fail(text) => Err(TaskExit::error(shortened(self.rendered(text)?))),
            Op::Exit(exit) => Err(task_exit(*exit)),
        }
    }

    fn pause(&self, think: Think) -> Duration {
        let seconds = match think {
            Think::Constant(seconds) => seconds,
            Think::Between(low, high) => {
                low + (high - low) * self.context.random(|random| random.unit())
            }
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    fn set_all(&self, pairs: &[(VariableSlot, ValueTemplate)]) -> TaskResult {
        for (slot, value) in pairs {
            let value = self.read(|scope| value.evaluate(scope))?;
            self.set(*slot, Some(value));
        }
        Ok(())
    }

    fn way<'b>(&self, branch: &'b BranchCode) -> Result<&'b [Op], TaskExit> {
        let holds = self.read(|scope| branch.condition.holds(scope))?;
        Ok(if holds { &branch.then } else { &branch.otherwise })
    }

    async fn repeat(&self, repeat: &RepeatCode) -> TaskResult {
        let rounds = self.rounds(repeat)?;
        for round in 1..=rounds {
            if let Some(LoopCondition::While(condition)) = &repeat.condition
                && !self.read(|scope| condition.holds(scope))?
            {
                break;
            }
            self.block(&repeat.ops).await?;
            if let Some(LoopCondition::Until(condition)) = &repeat.condition
                && self.read(|scope| condition.holds(scope))?
            {
                break;
            }
            if round % ROUNDS_PER_TURN == 0 {
                self.context.sleep(TURN).await;
            }
        }
        Ok(())
    }

    /// How many rounds a loop has at most.
    fn rounds(&self, repeat: &RepeatCode) -> Result<u64, TaskExit> {
        let Some(times) = &repeat.times else { return Ok(u64::MAX) };
        let times = self.read(|scope| times.evaluate(scope))?;
        match number_of(&times) {
            Some(number) if number >= 0.0 => Ok(number as u64),
            _ => Err(TaskExit::error(shortened(format!("repeat: \"times\" is {times}, no count")))),
        }
    }

    fn background(&self, ops: Rc<[Op]>) {
        let user = self.copy();
        self.context.background(async move |context: Context| {
            let session = user.session.with_context(context.clone());
            let socket = user.socket.as_ref().map(|socket| socket.with_context(&context));
            let user = Self { session, socket, context, ..user };
            // Other exits cannot stand there: the file would not have been read.
            if let Err(TaskExit::Error(message)) = user.block(&ops).await {
                let place = format!("{}.background", user.class.name);
                user.context.record_exception(&place, &message);
            }
        });
    }

    /// Gives a variable a value, or takes it away.
    pub(super) fn set(&self, slot: VariableSlot, value: Option<Value>) {
        let variables = &mut self.state.borrow_mut().variables;
        if variables.is_empty() {
            variables.extend_from_slice(&self.class.constants);
        }
        variables[slot.0 as usize] = value;
    }

    pub(super) fn rendered(&self, template: &Template) -> Result<String, TaskExit> {
        self.read(|scope| rendered(template, scope))
    }

    /// What `read` makes of the user's values.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Scope<'_>) -> Result<T, Unset>,
    ) -> Result<T, TaskExit> {
        self.look(read).map_err(|unset| self.unset(unset))
    }

    /// As [`Self::read`], for where no task can be ended.
    pub(super) fn look<T>(
        &self,
        look: impl FnOnce(&Scope<'_>) -> Result<T, Unset>,
    ) -> Result<T, Unset> {
        look(&Scope { user: self, state: &self.state.borrow() })
    }

    /// What is told where a value was wanted that is not there.
    #[cold]
    pub(super) fn unset(&self, unset: Unset) -> TaskExit {
        TaskExit::error(match unset {
            Unset::Variable(slot) => format!(
                "the variable \"{}\" has no value: no step before this one set it, or the response that it comes from \
                 had nothing for it",
                self.class.variables[slot.0 as usize]
            ),
            Unset::Row(slot) => {
                format!("no row of {} was drawn", self.class.feeds[slot.0 as usize].name)
            }
            Unset::Unfit(Unfit::Character(code)) => {
                format!("a value has the character U+{code:04X}, which XML cannot carry")
            }
            Unset::Unfit(Unfit::Depth) => "a value is nested too deep for XML-RPC".to_owned(),
            Unset::Unfit(Unfit::NoType(kind)) => {
                format!("a value is no {kind}, as which it was to be sent")
            }
        })
    }
}

fn task_exit(exit: Exit) -> TaskExit {
    match exit {
        Exit::Interrupt { reschedule } => TaskExit::Interrupt { reschedule },
        Exit::Reschedule { immediately: true } => TaskExit::RescheduleNow,
        Exit::Reschedule { immediately: false } => TaskExit::Reschedule,
        Exit::StopUser => TaskExit::StopUser,
        Exit::StopTest => TaskExit::StopTest,
    }
}

/// A message cut to what a report can show.
pub(super) fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MESSAGE_CHARS_MAX) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// A user's values, as templates see them.
pub(super) struct Scope<'s> {
    user: &'s ScenarioUser,
    state: &'s State,
}

impl Values for Scope<'_> {
    fn variable(&self, slot: VariableSlot) -> Option<&Value> {
        let index = slot.0 as usize;
        match self.state.variables.get(index) {
            Some(value) => value.as_ref(),
            None => self.user.class.constants[index].as_ref(),
        }
    }

    fn cell(&self, feed: FeedSlot, column: u32) -> Option<TableCell<'_>> {
        let row = self.state.row(feed)?;
        Some(self.user.class.feeds[feed.0 as usize].table.cell(row as usize, column))
    }

    fn random(&self) -> u64 {
        self.user.context.random(SplitMix64::next_u64)
    }

    fn count_on(&self, counter: CounterSlot) -> u64 {
        let counters = &mut *self.user.counters.borrow_mut();
        if counters.is_empty() {
            counters.resize(self.user.class.counters, 0);
        }
        let count = &mut counters[counter.0 as usize];
        *count += 1;
        *count
    }

    fn user_index(&self) -> u64 {
        self.user.context.user_index()
    }

    fn iteration(&self) -> u64 {
        self.user.iteration.get()
    }

    fn now(&self) -> Timestamp {
        let seconds = self.user.context.unix_s(self.user.context.now_ns());
        Timestamp::from_microsecond((seconds * 1e6) as i64).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}
