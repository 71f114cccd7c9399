//! URL mode allocates nothing per exchange once it is warm: counted by an allocator that counts on shards' threads.
//!
//! Each measured window lies within one second of the wall clock, away from its ends, where shards close their report
//! intervals. What happens once, such as a response time of a magnitude not seen before, may touch new memory, so a few
//! windows are measured and the best one counts: what is allocated for each exchange is in every window, thousands of
//! times. glommio itself allocates for each operation; there the bar is a bare loop on it, measured by the same means.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::TcpStream;
use glommio::{LocalExecutorBuilder, Placement};
use loadr::url_mode::{HttpExchange, UrlExchange, UrlTarget, UrlWorkload};
use loadr_engine::client::session::StatusRule;
use loadr_engine::coordinator::{EndedBy, Phase, RunPlan};
use loadr_engine::run::Run;
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::tls::TlsConfig;
use loadr_engine::user::{ShardContext, UserClass, Workload};
use loadr_protocols::http1::{Limits, Method, RequestBuilder, RequestTemplate};
use loadr_target::TargetHandle;
use loadr_tests::start_target;

/// Users of each run.
const USERS: u64 = 8;
/// Windows measured at most.
const WINDOWS: usize = 6;
/// Fewest exchanges that make a window worth something.
const EXCHANGES_MIN: u64 = 500;

struct Counting;

thread_local! {
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn count() {
    if COUNTED.get() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on unchanged to the system's allocator; counting touches an atomic and a thread-local
// cell that has no destructor and needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about `layout` are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `pointer` came from the system's allocator, with this layout; `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// URL mode whose shards' threads are counted.
struct Counted(UrlWorkload);

impl Workload for Counted {
    fn classes(&self) -> Vec<ClassShare> {
        self.0.classes()
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        COUNTED.set(true);
        self.0.prepare(shard)
    }
}

fn request(close: bool) -> RequestTemplate {
    let builder = RequestBuilder::new(Method::Get, "/").header("Host", "target");
    builder.connection_close(close).build().expect("a plain request")
}

fn workload(address: SocketAddr, pipeline: u64) -> Counted {
    let target = UrlTarget {
        name: "/".to_owned(),
        authority: address.to_string(),
        server_name: None,
        addresses: vec![Address::Tcp(address)],
        exchange: UrlExchange::Http(HttpExchange {
            method: "GET".to_owned(),
            request: request(false),
            request_closing: request(true),
        }),
    };
    Counted(UrlWorkload {
        targets: vec![target],
        pipeline,
        requests_per_connection: None,
        timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        expected_status: StatusRule::BelowFourHundred,
        tls: TlsConfig::default(),
        limits: Limits::default(),
        seed: 1,
    })
}

/// What happened between two marks.
#[derive(Clone, Copy, Debug)]
struct Window {
    exchanges: u64,
    allocations: u64,
}

impl Window {
    fn allocations_per_exchange(&self) -> f64 {
        self.allocations as f64 / self.exchanges as f64
    }
}

/// Part of the current wall second that has passed.
fn second_part() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
    f64::from(now.subsec_millis()) / 1e3
}

/// Measures from two to eight tenths of a wall second, while `go_on` keeps things going.
fn measure(target: &TargetHandle, mut go_on: impl FnMut()) -> Window {
    let mut await_part = |wanted: std::ops::Range<f64>| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !wanted.contains(&second_part()) {
            go_on();
            assert!(Instant::now() < deadline, "the wall clock does not go");
            thread::sleep(Duration::from_millis(5));
        }
    };
    await_part(0.2..0.3);
    let before = (target.stats().requests(), ALLOCATIONS.load(Ordering::Relaxed));
    await_part(0.8..0.9);
    let after = (target.stats().requests(), ALLOCATIONS.load(Ordering::Relaxed));
    Window { exchanges: after.0 - before.0, allocations: after.1 - before.1 }
}

/// The best of a few windows; stops at the first without allocations.
fn best(mut window: impl FnMut() -> Window) -> Window {
    let mut best: Option<Window> = None;
    for _ in 0..WINDOWS {
        let next = window();
        assert!(next.exchanges >= EXCHANGES_MIN, "{next:?} is no load");
        if best.is_none_or(|best| next.allocations_per_exchange() < best.allocations_per_exchange())
        {
            best = Some(next);
        }
        if next.allocations == 0 {
            break;
        }
    }
    best.expect("there is one window at least")
}

/// The best window of a run on one shard.
fn of_url_mode(runtime: RuntimeKind, pipeline: u64) -> Window {
    let target = start_target();
    let plan = RunPlan::new(USERS, vec![None], runtime);
    let workload = Arc::new(workload(target.local_addr(), pipeline));
    let mut run = Run::launch(plan, workload).expect("the runtime starts");
    // The first window warms everything up: buffers, histograms, the snapshots that circulate.
    measure(&target, || run.step());
    let best = best(|| measure(&target, || run.step()));
    run.stop(EndedBy::Signal);
    let deadline = Instant::now() + Duration::from_secs(20);
    while run.phase() != Phase::Ended {
        run.step();
        assert!(Instant::now() < deadline, "the run does not end");
        thread::sleep(Duration::from_millis(5));
    }
    let failures: u64 = run.finish().entries.iter().map(|entry| entry.counts.failures).sum();
    assert_eq!(failures, 0, "exchanges fail");
    best
}

/// The best window of the least that can be done on glommio: write a request, read its response.
///
/// glommio allocates for a read that has to wait, and for none that does not. With one user each waits, so that this is
/// the price of an exchange that comes to no luck; with several it depends on who is faster.
fn of_bare_glommio() -> Window {
    let target = start_target();
    let address = target.local_addr();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let looping = thread::spawn(move || {
        let executor = LocalExecutorBuilder::new(Placement::Unbound).make();
        executor.expect("glommio starts").run(async move {
            COUNTED.set(true);
            bare_user(address, stopped).await;
        });
    });
    measure(&target, || ());
    let best = best(|| measure(&target, || ()));
    stop.store(true, Ordering::Relaxed);
    looping.join().expect("the bare loop ends");
    best
}

async fn bare_user(address: SocketAddr, stop: Arc<AtomicBool>) {
    let mut stream = TcpStream::connect(address).await.expect("the target listens");
    let request = request(false);
    let mut response = [0; 160];
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(request.bytes()).await.expect("the target reads");
        stream.read_exact(&mut response).await.expect("the target answers");
    }
}

/// One test, because the counter is one: tests side by side in a process would count each other.
#[test]
fn url_mode_allocates_nothing_per_exchange() {
    for runtime in [RuntimeKind::Monoio, RuntimeKind::MonoioEpoll] {
        for pipeline in [1, 16] {
            let window = of_url_mode(runtime, pipeline);
            assert_eq!(window.allocations, 0, "{runtime}, {pipeline} in the pipe: {window:?}");
        }
    }
    let bare = of_bare_glommio();
    let ours = of_url_mode(RuntimeKind::Glommio, 1);
    // Timers of the control task and their like come on top, a few hundred times a second.
    let allowed = bare.allocations_per_exchange() * 1.02 + 600.0 / ours.exchanges as f64;
    assert!(
        ours.allocations_per_exchange() <= allowed,
        "{:.3} an exchange, {:.3} on bare glommio, {allowed:.3} allowed: {ours:?} {bare:?}",
        ours.allocations_per_exchange(),
        bare.allocations_per_exchange()
    );
    // The canary: an allocation on a counted thread is seen.
    COUNTED.set(true);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    drop(std::hint::black_box(Box::new(1_u64)));
    assert!(ALLOCATIONS.load(Ordering::Relaxed) > before, "the counter counts nothing");
}
