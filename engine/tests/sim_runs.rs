//! The real engine on the simulated runtime: shards, users, timers, connections and coordinator in virtual time.
//!
//! What a kernel makes fuzzy is exact here: a response time is the latency of the link, a timeout ends at its
//! nanosecond, a ramp starts each user when it is due. Every world comes from a seed, which is printed when a test fails.

#![cfg(not(loadr_loom))]

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::client::http::HttpConnection;
use loadr_engine::clock::nanos;
use loadr_engine::coordinator::{EndedBy, LoadPlan, RunOutcome, RunPlan};
use loadr_engine::outcome::{Failure, FailureKind};
use loadr_engine::record::{EntryCounts, EntryIndex, EntryKind, Exchange};
use loadr_engine::run::simulate;
use loadr_engine::runtime::sim::{LinkOptions, Peer, Simulation};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::{ClassShare, SpawnRate};
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use loadr_protocols::http1::{Limits, Method, RequestBuilder, RequestTemplate};

/// Where the world's wall clock starts: a quarter past a second, so that the first interval is a short one.
const UNIX_NS: u64 = 1_795_222_119_250_000_000;
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const MILLISECOND_NS: u64 = 1_000_000;

fn address() -> Address {
    Address::Tcp(SocketAddr::from(([10, 0, 0, 1], 80)))
}

/// Users that send one request over and over, on a connection of their own.
struct Closed {
    timeout: Duration,
}

struct Class {
    endpoint: Endpoint,
    entry: EntryIndex,
    request: RequestTemplate,
    timeout: Duration,
}

impl Workload for Closed {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let request = RequestBuilder::new(Method::Get, "/").header("Host", "sim");
        vec![Rc::new(Class {
            endpoint: Endpoint::new(shard, "sim", vec![address()]),
            entry: shard.entry(EntryKind::Exchange, "GET", "/"),
            request: request.build().expect("a plain request"),
            timeout: self.timeout,
        })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new(async move {
            let mut connection = None;
            while let Some(permit) = context.permit(1).await {
                let start_ns = permit.start_ns;
                let done = self.exchange(&context, &mut connection, start_ns).await;
                let end_ns = context.now_ns();
                let exchange = Exchange { start_ns, end_ns, ..Exchange::default() };
                match done {
                    Ok(()) => context.record(self.entry, &exchange),
                    Err(failure) if failure.kind == FailureKind::Cancelled => return,
                    Err(failure) => {
                        context.record_failure(self.entry, &exchange, &failure);
                        connection = None;
                        context.sleep(Duration::from_millis(1)).await;
                    }
                }
            }
        })
    }
}

impl Class {
    async fn exchange(
        &self,
        context: &Context,
        connection: &mut Option<HttpConnection>,
        start_ns: u64,
    ) -> Result<(), Failure> {
        let http = match connection {
            Some(http) => http,
            None => {
                let stream =
                    self.endpoint.connect(context, self.timeout, || unreachable!("no TLS")).await?;
                connection.insert(HttpConnection::new(stream, Limits::default(), self.timeout))
            }
        };
        http.set_deadline(start_ns + nanos(self.timeout));
        let request = self.request.bytes().clone();
        http.exchange(context, request, self.request.kind(), 1, &mut ()).await.map(drop)
    }
}

fn plan(users: u64, shards: usize) -> RunPlan {
    RunPlan::new(users, vec![None; shards], RuntimeKind::Sim)
}

/// A link on which everything takes `latency_ns` and arrives whole.
fn exact_link(latency_ns: u64) -> LinkOptions {
    LinkOptions {
        latency_ns: latency_ns..=latency_ns,
        piece_bytes: 65_536..=65_536,
        ..LinkOptions::default()
    }
}

/// Answers each request, as many as come in one piece or in several.
async fn answer(mut peer: Peer, answered: Rc<Cell<u64>>) {
    let mut unread: Vec<u8> = Vec::new();
    loop {
        let received = peer.receive().await;
        if received.is_empty() {
            return;
        }
        unread.extend_from_slice(received);
        while let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            unread.drain(..end + 4);
            answered.set(answered.get() + 1);
            peer.send(Bytes::from_static(RESPONSE));
        }
    }
}

/// Runs `plan` against a target that answers; gives the outcome and the target's own count.
fn run(seed: u64, links: LinkOptions, plan: RunPlan, timeout: Duration) -> (RunOutcome, u64) {
    let simulation = Simulation::new(seed, UNIX_NS, links);
    let answered = Rc::new(Cell::new(0));
    let counter = Rc::clone(&answered);
    simulation.listen(address(), move |peer| answer(peer, Rc::clone(&counter)));
    let outcome = simulation.run(simulate(&simulation, plan, Arc::new(Closed { timeout })));
    (outcome, answered.get())
}

fn exchanges(outcome: &RunOutcome) -> &EntryCounts {
    let mut entries = outcome.entries.iter().filter(|e| e.key.kind == EntryKind::Exchange);
    &entries.next().expect("the workload made its entry").counts
}

fn kinds(outcome: &RunOutcome) -> Vec<(FailureKind, u64)> {
    outcome.errors.iter().map(|error| (error.kind, error.count)).collect()
}

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn response_times_are_those_of_the_link() {
    const LATENCY_NS: u64 = 5 * MILLISECOND_NS;
    let plan = RunPlan { requests: Some(300), ..plan(3, 1) };
    let (outcome, answered) = run(1, exact_link(LATENCY_NS), plan, PATIENCE);
    let counts = exchanges(&outcome);
    assert_eq!((counts.requests, counts.failures, answered), (300, 0, 300));
    assert_eq!(outcome.ended_by, EndedBy::Requests);
    let times = &counts.response_time;
    // There and back; the first of each user has the way of the connection on top.
    assert_eq!(times.min_ns(), Some(2 * LATENCY_NS));
    assert_eq!(times.max_ns(), Some(3 * LATENCY_NS));
    assert_eq!(times.sum_ns(), u128::from(300 * 2 * LATENCY_NS + 3 * LATENCY_NS));
}

#[test]
fn a_closed_loop_makes_what_fits_the_time() {
    const LATENCY_NS: u64 = 5 * MILLISECOND_NS;
    let plan = RunPlan { run_time: Some(Duration::from_secs(1)), ..plan(4, 2) };
    let (outcome, answered) = run(2, exact_link(LATENCY_NS), plan, PATIENCE);
    let counts = exchanges(&outcome);
    // 10 ms each, after the connection: 99 in 995 ms; the coordinator ends the run at a step of its own.
    assert!((4 * 98..=4 * 101).contains(&counts.requests), "{} requests", counts.requests);
    assert_eq!(outcome.cut_off, 4, "each user has one in flight at the end");
    assert!((counts.requests..=counts.requests + 4).contains(&answered), "{answered} answered");
    let rows: u64 = outcome.series.iter().map(|row| row.requests).sum();
    assert_eq!(rows, counts.requests);
}

/// An interval is a second of the wall clock, whatever the moment at which the run began.
#[test]
fn rows_of_the_series_are_wall_seconds() {
    let plan = RunPlan { run_time: Some(Duration::from_secs(3)), ..plan(4, 2) };
    let (outcome, _) = run(3, exact_link(MILLISECOND_NS), plan, PATIENCE);
    let rows: Vec<(u64, u32)> =
        outcome.series.iter().map(|row| (row.unix_second, row.seconds)).collect();
    let first = UNIX_NS / 1_000_000_000;
    assert_eq!(rows, [(first, 1), (first + 1, 1), (first + 2, 1), (first + 3, 1)]);
    // 750 ms of the first second and 250 ms of the last.
    let whole = outcome.series[1].requests;
    assert!(outcome.series[0].requests < whole && outcome.series[3].requests < whole / 2);
}

#[test]
fn the_budget_is_met_exactly_over_shards() {
    for seed in 0..8 {
        let links = LinkOptions { latency_ns: 1_000..=100_000, ..LinkOptions::default() };
        // Enough for the budget to be dealt out in several blocks.
        let requests = 4_000 + seed * 37;
        let plan = RunPlan { requests: Some(requests), ..plan(7, 3) };
        let (outcome, answered) = run(seed, links, plan, PATIENCE);
        let counts = exchanges(&outcome);
        let found = (counts.requests, counts.failures, outcome.cut_off, answered);
        assert_eq!(found, (requests, 0, 0, requests), "seed {seed}");
    }
}

#[test]
fn a_timeout_ends_at_its_deadline() {
    const TIMEOUT: Duration = Duration::from_millis(250);
    let simulation = Simulation::new(5, UNIX_NS, exact_link(MILLISECOND_NS));
    simulation.listen(address(), |mut peer: Peer| async move {
        // Takes everything and answers nothing.
        while !peer.receive().await.is_empty() {}
    });
    let plan = RunPlan { requests: Some(6), ..plan(3, 1) };
    let workload = Arc::new(Closed { timeout: TIMEOUT });
    let outcome = simulation.run(simulate(&simulation, plan, workload));
    let times = &exchanges(&outcome).response_time;
    assert_eq!(kinds(&outcome), [(FailureKind::Timeout, 6)]);
    assert_eq!((times.min_ns(), times.max_ns()), (Some(nanos(TIMEOUT)), Some(nanos(TIMEOUT))));
}

/// Nobody listens, and then somebody does.
#[test]
fn refusals_are_counted_until_the_target_is_there() {
    let simulation = Simulation::new(6, UNIX_NS, exact_link(MILLISECOND_NS));
    let world = simulation.handle();
    let plan = RunPlan { run_time: Some(Duration::from_secs(1)), ..plan(2, 1) };
    let answered = Rc::new(Cell::new(0));
    let counter = Rc::clone(&answered);
    let outcome = simulation.run(async {
        let simulation = &simulation;
        let returning = async move {
            world.sleep(500 * MILLISECOND_NS).await;
            simulation.listen(address(), move |peer| answer(peer, Rc::clone(&counter)));
        };
        let running = simulate(simulation, plan, Arc::new(Closed { timeout: PATIENCE }));
        futures_lite::future::zip(returning, running).await.1
    });
    let counts = exchanges(&outcome);
    // An attempt takes a millisecond and the wait after it another.
    let [(FailureKind::ConnectRefused, refused)] = kinds(&outcome)[..] else {
        panic!("{:?}", kinds(&outcome))
    };
    assert!((2 * 245..=2 * 255).contains(&refused), "{refused} refused");
    assert_eq!(counts.failures, refused);
    assert!(counts.requests - refused > 2 * 200, "it came back: {} requests", counts.requests);
}

#[test]
fn every_exchange_is_counted_once_whatever_the_links_do() {
    for seed in 0..8 {
        let links = LinkOptions {
            latency_ns: 1_000..=100_000,
            piece_bytes: 1..=40,
            refused_per_million: 100_000,
            reset_per_million: 5_000,
            ..LinkOptions::default()
        };
        let plan = RunPlan { requests: Some(1_500), ..plan(5, 3) };
        let (outcome, answered) = run(seed, links, plan, Duration::from_secs(1));
        let counts = exchanges(&outcome);
        assert_eq!((counts.requests, outcome.cut_off), (1_500, 0), "seed {seed}");
        let failed: u64 = kinds(&outcome).iter().map(|(_, count)| count).sum();
        assert_eq!(failed, counts.failures, "seed {seed}");
        let found: Vec<FailureKind> = kinds(&outcome).into_iter().map(|(kind, _)| kind).collect();
        for wanted in [FailureKind::ConnectRefused, FailureKind::Reset] {
            assert!(found.contains(&wanted), "seed {seed}: {found:?} without {wanted}");
        }
        let answers = counts.requests - counts.failures..=counts.requests;
        assert!(answers.contains(&answered), "seed {seed}: {answered} answered, {answers:?}");
    }
}

#[test]
fn users_start_when_they_are_due() {
    let arrivals: Rc<std::cell::RefCell<Vec<u64>>> = Rc::default();
    let simulation = Simulation::new(8, UNIX_NS, exact_link(MILLISECOND_NS));
    let clock = simulation.handle().clock();
    let noted = Rc::clone(&arrivals);
    simulation.listen(address(), move |peer| {
        noted.borrow_mut().push(clock.now_ns());
        answer(peer, Rc::default())
    });
    let mut plan = plan(10, 2);
    // Two a step, a step each 0.8 s, as Locust has it.
    let rate = SpawnRate::per_sec(2.5).expect("a rate");
    plan.load = LoadPlan::Users { users: 10, spawn_rate: Some(rate) };
    plan.run_time = Some(Duration::from_millis(4_000));
    let outcome =
        simulation.run(simulate(&simulation, plan, Arc::new(Closed { timeout: PATIENCE })));
    let arrivals = arrivals.borrow();
    assert_eq!((arrivals.len(), outcome.users_max), (10, 10));
    for (user, arrived_ns) in (0..).zip(arrivals.iter()) {
        let due_ns = user / 2 * 800 * MILLISECOND_NS + MILLISECOND_NS;
        // The coordinator looks each 5 ms, and so does the shard.
        let late_ns = arrived_ns.checked_sub(due_ns).expect("nobody starts early");
        assert!(late_ns <= 11 * MILLISECOND_NS, "user {user} started {late_ns} ns late");
    }
}

/// Everything that an outcome says, as text.
fn described(outcome: &RunOutcome) -> String {
    format!("{:?} {:?} {:?}", outcome.entries, outcome.errors, outcome.series)
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let world = |seed| {
        let links = LinkOptions {
            latency_ns: 1_000..=200_000,
            piece_bytes: 1..=30,
            refused_per_million: 50_000,
            reset_per_million: 10_000,
            ..LinkOptions::default()
        };
        let plan = RunPlan { requests: Some(1_000), ..plan(5, 3) };
        described(&run(seed, links, plan, Duration::from_secs(1)).0)
    };
    assert_eq!(world(42), world(42));
    assert_ne!(world(42), world(43), "the seed has no effect");
}
