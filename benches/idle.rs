//! `cargo bench --bench idle`: what users cost who mostly wait.
//!
//! A hundred thousand users, each with a session of its own but no connection, start at once on one shard, run a task
//! that does nothing, wait, and run it again. Three figures come of it: the time until the last of them ran its first
//! task, the memory that each takes, and how late the second task began after its wait.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use loadr_engine::client::session::{Origins, Session, SessionOptions, SessionSettings};
use loadr_engine::coordinator::{EndedBy, Phase, RunPlan};
use loadr_engine::run::Run;
use loadr_engine::runtime::RuntimeKind;
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::task::{
    ActionIndex, Actor, ActorClass, ClassModel, TaskBody, TaskClass, TaskFuture, TaskModel,
    WaitTime,
};
use loadr_engine::user::{Context, ShardContext, UserClass, Workload};

/// What is wanted of each figure.
const SPAWN_MAX: Duration = Duration::from_secs(2);
const BYTES_MAX: u64 = 3 * 1024;

/// What users cost who mostly wait.
#[derive(Parser)]
struct Args {
    /// Users on the one shard.
    #[arg(long, default_value_t = 100_000)]
    users: u64,
    /// Seconds that they wait between tasks.
    #[arg(long, default_value_t = 30)]
    wait: u64,
    /// Runtime: monoio, monoio-epoll or glommio.
    #[arg(long, default_value = "monoio")]
    runtime: RuntimeKind,
    /// What `cargo bench` adds for libtest.
    #[arg(long, hide = true)]
    bench: bool,
}

/// When tasks began, in nanoseconds since the run's origin.
#[derive(Default)]
struct Seen {
    first: Vec<u64>,
    lateness: Vec<u64>,
}

#[derive(Clone)]
struct Idlers {
    wait: Duration,
    seen: Arc<Mutex<Seen>>,
}

impl Idlers {
    fn model(&self) -> ClassModel {
        let mut class = ClassModel::new("Idler");
        class.wait = WaitTime::Constant(self.wait.as_secs_f64());
        let body = TaskBody::Action(ActionIndex(0));
        class.root.tasks.push(TaskModel { name: "idle".into(), weight: 1, tags: vec![], body });
        class
    }
}

impl Workload for Idlers {
    fn classes(&self) -> Vec<ClassShare> {
        vec![self.model().share()]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let origins = Origins::new(shard, Default::default());
        let host = Some("http://127.0.0.1:9");
        let settings = SessionSettings::new(origins, host, SessionOptions::default());
        let actors = Actors { settings: settings.expect("a URL"), idlers: self.clone() };
        vec![TaskClass::new(shard, self.model(), Rc::new(actors))]
    }
}

struct Actors {
    settings: Rc<SessionSettings>,
    idlers: Idlers,
}

impl ActorClass for Actors {
    fn actor(&self, context: Context) -> Rc<dyn Actor> {
        let session = Session::new(context.clone(), Rc::clone(&self.settings));
        let seen = Arc::clone(&self.idlers.seen);
        Rc::new(Idler { context, session, seen, due_ns: Cell::new(0), wait: self.idlers.wait })
    }
}

struct Idler {
    context: Context,
    session: Session,
    seen: Arc<Mutex<Seen>>,
    /// When the next task is to begin.
    due_ns: Cell<u64>,
    wait: Duration,
}

impl Actor for Idler {
    fn run(self: Rc<Self>, _action: ActionIndex) -> TaskFuture {
        Box::pin(async move {
            let now_ns = self.context.now_ns();
            {
                let mut seen = self.seen.lock().expect("nobody panics with it");
                match self.due_ns.get() {
                    0 => seen.first.push(now_ns),
                    due_ns => seen.lateness.push(now_ns.saturating_sub(due_ns)),
                }
            }
            self.due_ns.set(self.context.now_ns() + self.wait.as_nanos() as u64);
            Ok(())
        })
    }

    fn renew_session(&self) {
        self.session.clear();
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if !args.bench {
        // `cargo test --all-targets` runs benches too, without this flag: speed is not a test.
        println!("idle measures only under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let idlers = Idlers {
        wait: Duration::from_secs(args.wait),
        seen: Arc::new(Mutex::new(Seen::default())),
    };
    {
        // Room for the figures is nobody's cost.
        let mut seen = idlers.seen.lock().expect("nobody panics with it");
        seen.first = vec![0; args.users as usize];
        seen.lateness = vec![0; 2 * args.users as usize];
        seen.first.clear();
        seen.lateness.clear();
    }
    let plan = RunPlan::new(args.users, vec![None], args.runtime);
    let before = resident_bytes();
    let mut run = Run::launch(plan, Arc::new(idlers.clone())).expect("the runtime starts");
    let mut resident = 0;
    while run.elapsed() < idlers.wait + Duration::from_secs(3) {
        run.step();
        if resident == 0 && run.elapsed() > idlers.wait.min(Duration::from_secs(4)) {
            resident = resident_bytes() - before;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    run.stop(EndedBy::Signal);
    while run.phase() != Phase::Ended {
        run.step();
        std::thread::sleep(Duration::from_millis(5));
    }
    report(&args, &idlers, resident);
    ExitCode::SUCCESS
}

fn report(args: &Args, idlers: &Idlers, resident: u64) {
    let mut seen = idlers.seen.lock().expect("nobody panics with it");
    let verdict = |good: bool| if good { "reached" } else { "NOT REACHED" };
    let last = Duration::from_nanos(seen.first.iter().copied().max().unwrap_or(0));
    let all = seen.first.len() as u64 == args.users;
    let started = seen.first.len();
    println!(
        "{started} of {} users had begun their first task after {last:?} (wanted: {SPAWN_MAX:?}): {}",
        args.users,
        verdict(all && last <= SPAWN_MAX)
    );
    let each = resident / args.users.max(1);
    println!("{each} bytes a user (wanted: {BYTES_MAX}): {}", verdict(each <= BYTES_MAX));
    seen.lateness.sort_unstable();
    let at = |part: f64| {
        let index = (seen.lateness.len() as f64 * part) as usize;
        Duration::from_nanos(seen.lateness.get(index).copied().unwrap_or(0))
    };
    println!(
        "{} second tasks began late by: median {:?}, p99 {:?}, worst {:?}",
        seen.lateness.len(),
        at(0.5),
        at(0.99),
        Duration::from_nanos(seen.lateness.last().copied().unwrap_or(0))
    );
}

/// Memory of this process that is resident now.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux has it");
    let pages: u64 =
        text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages resident");
    pages * rustix::param::page_size() as u64
}
