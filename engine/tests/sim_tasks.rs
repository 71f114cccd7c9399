//! The life of users with tasks, in virtual time: what runs, in what order, after which waits, and what is counted.
//!
//! Each class here is a script: its actions are small steps that leave marks in a journal, with the moment they were left
//! at. Every world comes from a seed, which a failure names.

#![cfg(not(loadr_loom))]

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loadr_engine::coordinator::{EndedBy, LoadPlan, RunOutcome, RunPlan};
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::{EntryKind, Exchange};
use loadr_engine::run::simulate;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::runtime::sim::{LinkOptions, Simulation};
use loadr_engine::spawn::dispatch::{ClassShare, SpawnRate};
use loadr_engine::spawn::shape::{LoadShape, ShapeTick, Stage};
use loadr_engine::task::{
    ActionIndex, Actor, ActorClass, ClassModel, Order, TaskBody, TaskClass, TaskExit, TaskFuture,
    TaskModel, TaskSetModel, WaitTime,
};
use loadr_engine::user::{
    Context, Listener, RequestEvent, Sample, ShardContext, TaskStats, UserClass, UserError,
    Workload,
};

const UNIX_NS: u64 = 1_795_222_119_250_000_000;
const SEED: u64 = 11;

/// One thing that an action does.
#[derive(Clone, Debug)]
enum Step {
    Mark(&'static str),
    Sleep(u64),
    /// An exchange that takes so many milliseconds.
    Exchange(u64),
    FailedExchange,
    Exit(fn() -> TaskExit),
    Panic,
    /// Marks the row that it draws from feed 0.
    Row,
    Sample,
    /// Polls for so many milliseconds beside the tasks, then leaves the mark.
    Background(u64, &'static str),
    RenewedSession,
}

/// A mark with the user that left it and the millisecond of the run.
type Mark = (u64, u64, String);

#[derive(Clone, Default)]
struct Script {
    classes: Vec<ClassModel>,
    actions: Vec<Vec<Step>>,
    rows: Option<u64>,
    journal: Arc<Mutex<Vec<Mark>>>,
}

impl Script {
    fn action(&mut self, steps: &[Step]) -> ActionIndex {
        self.actions.push(steps.to_vec());
        ActionIndex(self.actions.len() as u32 - 1)
    }

    fn task(&mut self, name: &str, weight: u32, steps: &[Step]) -> TaskModel {
        let body = TaskBody::Action(self.action(steps));
        TaskModel { name: name.into(), weight, tags: vec![], body }
    }

    /// A class whose tasks run in order, with marks of its own.
    fn class(&mut self, name: &str, tasks: Vec<TaskModel>) -> &mut ClassModel {
        let mut class = ClassModel::new(name);
        class.root.order = Order::Sequential;
        class.root.tasks = tasks;
        self.classes.push(class);
        self.classes.last_mut().expect("it was just pushed")
    }

    fn run(&self, plan: RunPlan) -> RunOutcome {
        let simulation = Simulation::new(SEED, UNIX_NS, LinkOptions::default());
        simulation.run(simulate(&simulation, plan, Arc::new(self.clone())))
    }

    fn marks(&self) -> Vec<Mark> {
        self.journal.lock().expect("nobody panics with it").clone()
    }

    /// What user 0 did, without its times.
    fn names(&self) -> Vec<String> {
        let marks = self.marks();
        marks.into_iter().filter(|mark| mark.0 == 0).map(|mark| mark.2).collect()
    }

    fn count(&self, name: &str) -> usize {
        self.marks().iter().filter(|mark| mark.2 == name).count()
    }
}

impl Workload for Script {
    fn classes(&self) -> Vec<ClassShare> {
        self.classes.iter().map(ClassModel::share).collect()
    }

    fn feeds(&self) -> Vec<Option<u64>> {
        vec![self.rows]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let class = |model: &ClassModel| {
            TaskClass::new(shard, model.clone(), Rc::new(self.clone())) as Rc<dyn UserClass>
        };
        self.classes.iter().map(class).collect()
    }

    fn listener(&self, _shard: &ShardContext) -> Option<Rc<dyn Listener>> {
        Some(Rc::new(Hearer(Arc::clone(&self.journal))))
    }
}

impl ActorClass for Script {
    fn actor(&self, context: Context) -> Rc<dyn Actor> {
        Rc::new(Player { script: self.clone(), context, renewed: RefCell::new(0) })
    }
}

struct Hearer(Arc<Mutex<Vec<Mark>>>);

impl Listener for Hearer {
    fn request(&self, event: &RequestEvent<'_>) {
        let heard = format!("heard {} {} {}", event.method, event.name, event.failure.is_some());
        self.0.lock().expect("nobody panics with it").push((event.user_index, 0, heard));
    }

    fn user_error(&self, event: &UserError<'_>) {
        let heard = format!("heard error of {}", event.task);
        self.0.lock().expect("nobody panics with it").push((event.user_index, 0, heard));
    }
}

struct Player {
    script: Script,
    context: Context,
    renewed: RefCell<u32>,
}

impl Actor for Player {
    fn run(self: Rc<Self>, action: ActionIndex) -> TaskFuture {
        Box::pin(async move {
            for step in &self.script.actions[action.0 as usize] {
                self.step(step).await?;
            }
            Ok(())
        })
    }

    fn wait(&self, _function: u32) -> f64 {
        0.25
    }

    fn renew_session(&self) {
        *self.renewed.borrow_mut() += 1;
    }
}

impl Player {
    fn mark(&self, name: impl Into<String>) {
        let mark = (self.context.user_index(), self.context.now_ns() / 1_000_000, name.into());
        self.script.journal.lock().expect("nobody panics with it").push(mark);
    }

    async fn step(&self, step: &Step) -> Result<(), TaskExit> {
        match step {
            Step::Mark(name) => self.mark(*name),
            Step::Sleep(ms) => self.context.sleep(Duration::from_millis(*ms)).await,
            Step::Exchange(ms) => self.exchange(*ms, None).await,
            Step::FailedExchange => {
                self.exchange(1, Some(Failure::new(FailureKind::Status, "status 500"))).await;
            }
            Step::Exit(exit) => return Err(exit()),
            Step::Panic => panic!("as the script says"),
            Step::Row => match self.context.next_row(0).await {
                Some(row) => self.mark(format!("row {row}")),
                None => return Err(TaskExit::StopUser),
            },
            Step::Sample => {
                let (start_ns, response_time) = (self.context.now_ns(), Duration::from_millis(7));
                self.context.record_sample(&Sample {
                    method: "OWN",
                    name: "sample",
                    start_ns,
                    response_time,
                    body_bytes: 3,
                    failure: None,
                });
            }
            Step::Background(ms, name) => {
                let (ms, name, script) = (*ms, *name, self.script.clone());
                self.context.background(async move |context: Context| {
                    context.sleep(Duration::from_millis(ms)).await;
                    let mark =
                        (context.user_index(), context.now_ns() / 1_000_000, name.to_owned());
                    script.journal.lock().expect("nobody panics with it").push(mark);
                });
            }
            Step::RenewedSession => self.mark(format!("session {}", self.renewed.borrow())),
        }
        Ok(())
    }

    async fn exchange(&self, ms: u64, failure: Option<Failure>) {
        let entry = self.context.entry(EntryKind::Exchange, "GET", "/");
        let Some(permit) = self.context.permit_in_task(1).await else {
            return std::future::pending().await;
        };
        self.context.sleep(Duration::from_millis(ms)).await;
        let end_ns = self.context.now_ns();
        let exchange = Exchange { start_ns: permit.start_ns, end_ns, ..Exchange::default() };
        match failure {
            None => self.context.record(entry, &exchange),
            Some(failure) => self.context.record_failure(entry, &exchange, &failure),
        }
    }
}

fn plan(users: u64, shards: usize) -> RunPlan {
    RunPlan::new(users, vec![None; shards], RuntimeKind::Sim)
}

fn for_ms(ms: u64, plan: RunPlan) -> RunPlan {
    RunPlan { run_time: Some(Duration::from_millis(ms)), ..plan }
}

fn entry<'a>(outcome: &'a RunOutcome, method: &str, name: &str) -> (EntryKind, u64, u64, &'a str) {
    let found = outcome.entries.iter().find(|e| *e.key.method == *method && *e.key.name == *name);
    let found = found.unwrap_or_else(|| panic!("no {method} {name} in {:?}", outcome.entries));
    (found.key.kind, found.counts.requests, found.counts.failures, &found.key.name)
}

#[test]
fn a_user_starts_works_waits_and_stops() {
    let mut script = Script::default();
    let tasks = vec![
        script.task("a", 1, &[Step::Mark("a"), Step::Sleep(100)]),
        script.task("b", 2, &[Step::Mark("b"), Step::Sleep(100)]),
    ];
    let (on_start, on_stop) = (
        script.action(&[Step::Mark("start"), Step::Sleep(50)]),
        script.action(&[Step::Mark("stop")]),
    );
    let class = script.class("User", tasks);
    class.wait = WaitTime::Constant(0.4);
    (class.root.on_start, class.root.on_stop) = (Some(on_start), Some(on_stop));
    script.run(for_ms(2_300, plan(1, 1)));
    assert_eq!(
        script.names(),
        ["start", "a", "b", "b", "a", "b", "stop"],
        "a weight repeats in place"
    );
    let started: Vec<u64> = script.marks().iter().map(|mark| mark.1).collect();
    let first = started[1];
    assert!((50..65).contains(&first), "the coordinator and the shard look each 5 ms: {started:?}");
    assert_eq!(started[1..6], [first, first + 500, first + 1_000, first + 1_500, first + 2_000]);
}

#[test]
fn pacing_keeps_starts_apart() {
    let mut script = Script::default();
    let tasks = vec![
        script.task("short", 1, &[Step::Mark("short"), Step::Sleep(100)]),
        script.task("long", 1, &[Step::Mark("long"), Step::Sleep(1_500)]),
    ];
    script.class("User", tasks).wait = WaitTime::ConstantPacing(1.0);
    script.run(for_ms(5_300, plan(1, 1)));
    let marks = script.marks();
    let at = |index: usize| marks[index].1 - marks[0].1;
    // The long task begins at 1000 and ends at 2500: the next begins at once, and nothing is made up.
    assert_eq!([at(1), at(2), at(3), at(4)], [1_000, 2_500, 3_500, 5_000]);
}

#[test]
fn task_sets_nest_and_are_left_by_interrupts() {
    let mut script = Script::default();
    let interrupt = |reschedule: bool| -> Step {
        match reschedule {
            true => Step::Exit(|| TaskExit::Interrupt { reschedule: true }),
            false => Step::Exit(|| TaskExit::Interrupt { reschedule: false }),
        }
    };
    let mut inner = TaskSetModel::new("inner");
    inner.order = Order::Sequential;
    inner.on_start = Some(script.action(&[Step::Mark("inner start")]));
    inner.on_stop = Some(script.action(&[Step::Mark("inner stop")]));
    inner.tasks = vec![
        script.task("read", 1, &[Step::Mark("read")]),
        script.task("leave", 1, &[Step::Mark("leave"), interrupt(false)]),
    ];
    let mut outer = TaskSetModel::new("outer");
    outer.order = Order::Sequential;
    outer.wait = Some(WaitTime::Constant(0.2));
    outer.on_stop = Some(script.action(&[Step::Mark("outer stop")]));
    outer.tasks = vec![
        TaskModel { name: "inner".into(), weight: 1, tags: vec![], body: TaskBody::Set(inner) },
        script.task("out", 1, &[Step::Mark("out"), interrupt(true)]),
    ];
    let set =
        TaskModel { name: "outer".into(), weight: 1, tags: vec![], body: TaskBody::Set(outer) };
    let tasks = vec![set, script.task("home", 1, &[Step::Mark("home")])];
    script.class("User", tasks).wait = WaitTime::Constant(10.0);
    script.run(for_ms(500, plan(1, 1)));
    let round = ["inner start", "read", "leave", "inner stop", "out", "outer stop", "home"];
    // The inner set waits as the class does, not as its parent: its tasks are 10 s apart.
    assert_eq!(script.names(), ["inner start", "read", "inner stop", "outer stop"]);

    let mut quick = Script { journal: Arc::default(), ..script };
    quick.classes[0].wait = WaitTime::Constant(0.1);
    quick.run(for_ms(750, plan(1, 1)));
    let marks = quick.marks();
    assert_eq!(quick.names()[..7], round);
    let at = |name: &str| marks.iter().find(|mark| mark.2 == name).map(|mark| mark.1);
    assert_eq!(at("leave"), at("inner stop"), "left at once");
    assert_eq!(at("out"), at("inner stop").map(|ms| ms + 200), "not rescheduled: the parent waits");
    assert_eq!(at("home"), at("outer stop"), "rescheduled: no wait");
}

#[test]
fn errors_and_panics_are_counted_and_the_user_lives_on() {
    let mut script = Script::default();
    let tasks = vec![
        script.task("bad", 1, &[Step::Mark("bad"), Step::Exit(|| TaskExit::error("no stock"))]),
        script.task("worse", 1, &[Step::Mark("worse"), Step::Panic]),
        script.task("good", 1, &[Step::Mark("good")]),
    ];
    let on_stop = script.action(&[Step::Mark("stop")]);
    let class = script.class("User", tasks);
    class.root.on_stop = Some(on_stop);
    class.wait = WaitTime::Constant(0.1);
    let outcome = script.run(for_ms(480, plan(1, 1)));
    let heard: Vec<String> =
        script.names().into_iter().filter(|name| !name.starts_with("heard")).collect();
    assert_eq!(heard, ["bad", "worse", "good", "bad", "worse", "stop"]);
    let errors: Vec<_> =
        outcome.errors.iter().map(|e| (e.kind, &*e.name, &*e.message, e.count)).collect();
    assert_eq!(errors[0], (FailureKind::Exception, "User.bad", "no stock", 2));
    assert_eq!((errors[1].0, errors[1].1, errors[1].3), (FailureKind::Exception, "User.worse", 2));
    assert!(errors[1].2.starts_with("panicked: as the script says ("), "{}", errors[1].2);
    assert_eq!(script.count("heard error of User.worse"), 2);
}

#[test]
fn an_error_in_on_start_ends_the_user_without_on_stop() {
    let mut script = Script::default();
    let tasks = vec![script.task("never", 1, &[Step::Mark("never")])];
    let on_start = script.action(&[Step::Exit(|| TaskExit::error("no login"))]);
    let on_stop = script.action(&[Step::Mark("stop")]);
    let class = script.class("User", tasks);
    (class.root.on_start, class.root.on_stop) = (Some(on_start), Some(on_stop));
    let outcome = script.run(for_ms(300, plan(3, 2)));
    assert_eq!((script.count("never"), script.count("stop")), (0, 0));
    assert_eq!((&*outcome.errors[0].name, outcome.errors[0].count), ("User.on_start", 3));
}

#[test]
fn a_user_that_stops_itself_runs_on_stop_and_a_test_can_be_stopped() {
    let mut script = Script::default();
    let tasks =
        vec![script.task("once", 1, &[Step::Mark("once"), Step::Exit(|| TaskExit::StopUser)])];
    let on_stop = script.action(&[Step::Mark("stop"), Step::Exchange(5)]);
    script.class("User", tasks).root.on_stop = Some(on_stop);
    let outcome = script.run(for_ms(300, plan(4, 2)));
    assert_eq!((script.count("once"), script.count("stop")), (4, 4));
    assert_eq!(entry(&outcome, "GET", "/").1, 4, "on_stop may make requests");
    assert_eq!(outcome.ended_by, EndedBy::RunTime, "a test without users goes on");

    let mut script = Script::default();
    let tasks = vec![script.task("end", 1, &[Step::Sleep(100), Step::Exit(|| TaskExit::StopTest)])];
    let on_stop = script.action(&[Step::Mark("stop")]);
    script.class("User", tasks).root.on_stop = Some(on_stop);
    let outcome = script.run(for_ms(60_000, plan(3, 2)));
    assert_eq!((outcome.ended_by, script.count("stop")), (EndedBy::Test, 3));
}

#[test]
fn users_that_are_cut_off_still_run_on_stop() {
    let mut script = Script::default();
    let tasks = vec![script.task("long", 1, &[Step::Exchange(60_000), Step::Mark("never")])];
    let on_stop = script.action(&[Step::Sleep(300), Step::Exchange(20), Step::Mark("stopped")]);
    script.class("User", tasks).root.on_stop = Some(on_stop);
    let outcome = script.run(for_ms(500, plan(5, 2)));
    assert_eq!((script.count("never"), script.count("stopped")), (0, 5));
    assert_eq!((entry(&outcome, "GET", "/").1, outcome.cut_off), (5, 5));
}

#[test]
fn an_on_stop_that_hangs_is_given_up() {
    let mut script = Script::default();
    let tasks = vec![script.task("idle", 1, &[Step::Sleep(10)])];
    let on_stop = script.action(&[Step::Sleep(3_600_000), Step::Mark("never")]);
    script.class("User", tasks).root.on_stop = Some(on_stop);
    let outcome = script.run(for_ms(100, plan(2, 1)));
    assert_eq!((script.count("never"), outcome.shards[0].panicked.as_deref()), (0, None));
}

#[test]
fn the_stop_timeout_lets_tasks_end_and_no_new_ones_begin() {
    let mut script = Script::default();
    let tasks = vec![
        script.task("first", 1, &[Step::Exchange(400), Step::Exchange(400), Step::Mark("first")]),
        script.task("second", 1, &[Step::Mark("second")]),
    ];
    let on_stop = script.action(&[Step::Mark("stop")]);
    script.class("User", tasks).root.on_stop = Some(on_stop);
    let plan = RunPlan { stop_timeout: Duration::from_secs(5), ..for_ms(500, plan(3, 2)) };
    let outcome = script.run(plan);
    assert_eq!(["first", "second", "stop"].map(|name| script.count(name)), [3, 0, 3]);
    assert_eq!((entry(&outcome, "GET", "/").1, outcome.cut_off), (6, 0));
    assert!(outcome.measured < Duration::from_millis(1_000), "{:?}", outcome.measured);
}

#[test]
fn iterations_are_exact_over_shards() {
    for (users, shards, iterations) in [(1, 1, 7), (5, 3, 100), (8, 2, 25_000), (4, 4, 2)] {
        let mut script = Script::default();
        let tasks = vec![script.task("t", 1, &[Step::Sleep(1)])];
        script.class("User", tasks);
        let task_stats = TaskStats::Beside;
        let plan = RunPlan { iterations: Some(iterations), task_stats, ..plan(users, shards) };
        let outcome = script.run(plan);
        assert_eq!(entry(&outcome, "TASK", "t").1, iterations, "{users} users on {shards} shards");
        assert_eq!(outcome.ended_by, EndedBy::Iterations);
    }
}

#[test]
fn the_budget_of_requests_is_exact_and_the_last_tasks_end() {
    let mut script = Script::default();
    let tasks =
        vec![script.task("t", 1, &[Step::Exchange(3), Step::Sleep(50), Step::Mark("done")])];
    let on_stop = script.action(&[Step::Mark("stop")]);
    script.class("User", tasks).root.on_stop = Some(on_stop);
    let outcome = script.run(RunPlan { requests: Some(90), ..plan(7, 3) });
    assert_eq!((entry(&outcome, "GET", "/").1, script.count("done")), (90, 90));
    assert_eq!((outcome.ended_by, script.count("stop")), (EndedBy::Requests, 7));
}

#[test]
fn rows_are_used_once_over_all_shards() {
    let mut script = Script { rows: Some(100), ..Script::default() };
    let tasks = vec![script.task("t", 1, &[Step::Row, Step::Sleep(1)])];
    script.class("A", tasks.clone());
    script.class("B", tasks);
    script.run(for_ms(3_000, plan(7, 3)));
    let mut rows: Vec<u64> = script
        .marks()
        .iter()
        .filter_map(|mark| mark.2.strip_prefix("row ").map(|row| row.parse().expect("a number")))
        .collect();
    rows.sort_unstable();
    assert_eq!(rows, (0..100).collect::<Vec<_>>(), "each once, none left");
}

#[test]
fn background_work_is_awaited_or_ends_with_the_run() {
    let steps =
        [Step::Mark("task"), Step::Background(200, "polled"), Step::Exit(|| TaskExit::StopUser)];
    let mut script = Script::default();
    let tasks = vec![script.task("t", 1, &steps)];
    script.class("User", tasks);
    script.run(RunPlan { iterations: Some(3), ..plan(3, 2) });
    assert_eq!(script.count("polled"), 3, "a user that ends by itself awaits it");

    let mut script = Script::default();
    let tasks = vec![script.task("t", 1, &[Step::Background(60_000, "polled"), Step::Sleep(10)])];
    script.class("User", tasks);
    let outcome = script.run(for_ms(300, plan(2, 1)));
    assert_eq!((script.count("polled"), outcome.ended_by), (0, EndedBy::RunTime));
}

#[test]
fn tasks_are_counted_beside_requests_or_instead() {
    let run = |task_stats| {
        let mut script = Script::default();
        let tasks = vec![
            script.task("ok", 1, &[Step::Exchange(10), Step::Exchange(10), Step::Sample]),
            script.task("failing", 1, &[Step::FailedExchange, Step::Exchange(10)]),
        ];
        script.class("User", tasks);
        let plan = RunPlan { iterations: Some(10), task_stats, ..plan(1, 1) };
        (script.run(plan), script)
    };
    let (outcome, script) = run(TaskStats::Beside);
    assert_eq!(entry(&outcome, "TASK", "ok"), (EntryKind::Task, 5, 0, "ok"));
    assert_eq!(entry(&outcome, "TASK", "failing"), (EntryKind::Task, 5, 5, "failing"));
    assert_eq!(entry(&outcome, "GET", "/"), (EntryKind::Exchange, 20, 5, "/"));
    assert_eq!(entry(&outcome, "OWN", "sample").1, 5);
    let rows: u64 = outcome.series.iter().map(|row| row.requests).sum();
    assert_eq!(rows, 25, "tasks stand outside the total");
    assert_eq!([script.count("heard GET / true"), script.count("heard GET / false")], [5, 15]);

    let (outcome, _) = run(TaskStats::Only);
    assert_eq!(entry(&outcome, "TASK", "failing"), (EntryKind::Exchange, 5, 5, "failing"));
    assert_eq!(outcome.entries.len(), 2, "{:?}", outcome.entries);
    let rows: u64 = outcome.series.iter().map(|row| row.requests).sum();
    assert_eq!(rows, 10, "tasks are what is counted");
}

#[test]
fn classes_share_the_users_and_ramp_down_takes_the_last() {
    let mut script = Script::default();
    for (name, weight, fixed_count) in [("A", 3.0, 0), ("B", 1.0, 0), ("F", 1.0, 2)] {
        let start = match name {
            "A" => "start A",
            "B" => "start B",
            _ => "start F",
        };
        let on_start = script.action(&[Step::Mark(start)]);
        let on_stop = script.action(&[Step::Mark("stop")]);
        let tasks = vec![script.task("t", 1, &[Step::Sleep(10)])];
        let class = script.class(name, tasks);
        (class.weight, class.fixed_count) = (weight, fixed_count);
        (class.root.on_start, class.root.on_stop) = (Some(on_start), Some(on_stop));
    }
    let tick = |users| ShapeTick::new(users, 100.0);
    let stage =
        |seconds, users| Stage { duration: Duration::from_secs(seconds), tick: tick(users) };
    let shape = LoadShape::Stages(vec![stage(2, 10), stage(2, 4), stage(2, 6)]);
    let plan = RunPlan { load: LoadPlan::Shape(shape), users_max: 100, ..plan(0, 3) };
    let outcome = script.run(plan);
    let started = ["start F", "start A", "start B"].map(|name| script.count(name));
    // 10: two fixed, then six of A to two of B; down to 4; and two more of the sequence.
    assert_eq!(started.iter().sum::<usize>(), 12);
    assert_eq!(started[0], 2, "the fixed ones came first, and were not among the last");
    let stopped: Vec<u64> =
        script.marks().iter().filter(|mark| mark.2 == "stop").map(|mark| mark.1).collect();
    assert_eq!(stopped.len(), 12, "each once");
    assert!(stopped[..6].iter().all(|ms| (2_000..2_020).contains(ms)), "{stopped:?}");
    assert_eq!((outcome.ended_by, outcome.users_max), (EndedBy::Shape, 10));
}

#[test]
fn a_shape_that_wants_too_much_is_refused() {
    let mut script = Script::default();
    let tasks = vec![script.task("t", 1, &[Step::Exchange(10)])];
    script.class("User", tasks);
    let shape = LoadShape::Custom(Arc::new(|time, _users| {
        Some(ShapeTick::new(if time.as_secs() < 2 { 2 } else { 1_000_000 }, 10.0))
    }));
    let outcome =
        script.run(RunPlan { load: LoadPlan::Shape(shape), users_max: 500, ..plan(0, 2) });
    assert_eq!(outcome.ended_by, EndedBy::Refused);
    let refused = outcome.refused.map(|refused| refused.to_string()).unwrap_or_default();
    assert!(refused.starts_with("1000000 users are more than the 500"), "{refused}");
    assert!(outcome.entries[0].counts.requests > 100, "what was measured is kept");
}

#[test]
fn the_ramp_can_be_left_out_of_the_statistics() {
    let mut script = Script::default();
    let tasks = vec![script.task("t", 1, &[Step::Exchange(100)])];
    script.class("User", tasks);
    let spawn_rate = Some(SpawnRate::per_sec(1.0).expect("a rate"));
    let load = LoadPlan::Users { users: 4, spawn_rate };
    let plan = RunPlan { load, reset_stats: true, ..for_ms(5_000, plan(4, 2)) };
    let outcome = script.run(plan);
    let (_, requests, ..) = entry(&outcome, "GET", "/");
    // The last of four starts after three seconds; four users make ten a second each for two.
    assert!((72..=84).contains(&requests), "{requests} requests");
    assert!(outcome.measured < Duration::from_millis(2_100), "{:?}", outcome.measured);
}

#[test]
fn a_fresh_session_for_each_task_when_asked() {
    let mut script = Script::default();
    let tasks = vec![script.task("t", 1, &[Step::RenewedSession])];
    let class = script.class("User", tasks);
    class.fresh_session = true;
    class.wait = WaitTime::Function(0);
    script.run(for_ms(600, plan(1, 1)));
    assert_eq!(script.names(), ["session 1", "session 2", "session 3"]);
}

/// A task that awaits nothing must not keep its shard from the other users.
#[test]
fn idle_tasks_leave_the_shard_to_others() {
    let mut script = Script::default();
    let idle = vec![script.task("idle", 1, &[])];
    script.class("Idle", idle);
    let busy = vec![script.task("busy", 1, &[Step::Exchange(10)])];
    script.class("Busy", busy);
    let outcome = script.run(for_ms(200, plan(2, 1)));
    assert!(entry(&outcome, "GET", "/").1 >= 15);
}

/// Users of one shard end by themselves, with the rest of its block of the budget unspent.
#[test]
fn a_budget_that_nobody_is_left_to_spend_does_not_keep_the_run() {
    let mut script = Script { rows: Some(10), ..Script::default() };
    let tasks = vec![script.task("t", 1, &[Step::Row, Step::Exchange(1)])];
    script.class("User", tasks);
    let outcome = script.run(RunPlan { iterations: Some(100), ..plan(7, 2) });
    assert_eq!(outcome.ended_by, EndedBy::NoUsers);
    assert_eq!(entry(&outcome, "GET", "/").1, 10);
}
