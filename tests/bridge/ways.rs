//! Both ways off the shard: who waits, who does not, and what comes back.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use loadr_engine::client::session::{
    KnownHosts, Origins, Session, SessionOptions, SessionSettings,
};
use loadr_engine::coordinator::RunPlan;
use loadr_engine::outcome::FailureKind;
use loadr_engine::runtime::Address;
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use loadr_target::RouteKind;
use loadr_tests::{on_each_runtime, start_target, url};

use super::{Lives, expect_no_errors, plan, run, waits};

on_each_runtime!(
    a_parked_call_holds_up_nobody,
    what_panics_off_the_shard_fails_its_task,
    tokio_has_time_tasks_and_a_handle,
    results_come_back_to_those_who_asked,
);

/// Exchanges of the others while one user is parked.
const EXCHANGES: u64 = 1_000;

/// One user parks a thread on a barrier; the others load the target, and open it with the last of their exchanges.
struct Parked {
    host: String,
    address: Address,
    barrier: Arc<Barrier>,
    begun: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
}

struct ParkedClass {
    settings: Rc<SessionSettings>,
    barrier: Arc<Barrier>,
    begun: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
}

impl Workload for Parked {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let mut known = KnownHosts::default();
        known.set(&self.host, vec![self.address.clone()]).expect("a URL");
        let origins = Origins::new(shard, known);
        let settings = SessionSettings::new(origins, Some(&self.host), SessionOptions::default());
        vec![Rc::new(ParkedClass {
            settings: settings.expect("a URL"),
            barrier: Arc::clone(&self.barrier),
            begun: Arc::clone(&self.begun),
            done: Arc::clone(&self.done),
        })]
    }
}

impl UserClass for ParkedClass {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new(async move {
            if context.user_index() == 0 {
                let barrier = Arc::clone(&self.barrier);
                context.blocking(move || barrier.wait()).await;
                assert_eq!(self.done.load(Ordering::Relaxed), EXCHANGES);
                return context.stop_test();
            }
            let session = Session::new(context.clone(), Rc::clone(&self.settings));
            while self.begun.fetch_add(1, Ordering::Relaxed) < EXCHANGES {
                session.get("/").send().await;
                if self.done.fetch_add(1, Ordering::Relaxed) + 1 == EXCHANGES {
                    // Off the shard, for it waits until the other has come.
                    let barrier = Arc::clone(&self.barrier);
                    context.blocking(move || barrier.wait()).await;
                }
            }
        })
    }
}

fn a_parked_call_holds_up_nobody(runtime: &str) {
    let target = start_target();
    let parked = Parked {
        host: url(&target, ""),
        address: Address::Tcp(target.local_addr()),
        barrier: Arc::new(Barrier::new(2)),
        begun: Arc::default(),
        done: Arc::default(),
    };
    let outcome = run(plan(runtime, 5, 4), parked);
    expect_no_errors(&outcome);
    assert_eq!(waits(&outcome, "blocking").counts.requests, 2);
    let counted = target.stop().expect("the target served to its end");
    assert_eq!(counted.served(RouteKind::Root), EXCHANGES);
}

fn what_panics_off_the_shard_fails_its_task(runtime: &str) {
    let life = |context: Context| async move {
        match context.user_index() {
            0 => context.blocking(|| panic!("a thread, as the test wants it")).await,
            1 => context.tokio(async { panic!("a future, as the test wants it") }).await,
            _ => {
                let late = async {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    panic!("a late future, as the test wants it")
                };
                context.tokio(late).await
            }
        }
    };
    // With a budget that nobody is left to spend, the run ends.
    let plan = RunPlan { iterations: Some(1), ..plan(runtime, 3, 4) };
    let outcome = run(plan, Lives::new(life));
    let mut texts: Vec<_> = outcome.errors.iter().map(|error| &*error.message).collect();
    texts.sort_unstable();
    let expected = ["a future", "a late future", "a thread"];
    assert_eq!(texts.len(), expected.len(), "{texts:?}");
    for (text, who) in texts.into_iter().zip(expected) {
        assert!(text.starts_with(&format!("panicked: {who}, as the test wants it (")), "{text}");
        assert!(text.contains("ways.rs:"), "it says where: {text}");
    }
    assert!(outcome.errors.iter().all(|error| error.kind == FailureKind::Exception));
    assert!(outcome.shards.iter().all(|shard| shard.panicked.is_none()));
}

#[expect(clippy::async_yields_async, reason = "the task outlives the call that spawned it")]
fn tokio_has_time_tasks_and_a_handle(runtime: &str) {
    let life = |context: Context| async move {
        let begun_ns = context.now_ns();
        let spawned = context.tokio(async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            tokio::spawn(async { 7 })
        });
        // The task goes on by itself, and another call hears of its end.
        let spawned = spawned.await;
        assert!(context.now_ns() - begun_ns >= 10_000_000);
        assert_eq!(context.tokio(spawned).await.expect("it ends"), 7);
        let socket = {
            let _entered = context.tokio_handle().enter();
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
            socket.set_nonblocking(true).expect("a socket can be set so");
            tokio::net::UdpSocket::from_std(socket).expect("made where a runtime is entered")
        };
        let sent = context.tokio(async move {
            let here = socket.local_addr().expect("it is bound");
            socket.send_to(b"a", here).await.expect("it takes a byte")
        });
        assert_eq!(sent.await, 1);
        context.stop_test();
    };
    let outcome = run(plan(runtime, 1, 4), Lives::new(life));
    expect_no_errors(&outcome);
    let counts = &waits(&outcome, "tokio").counts;
    assert_eq!((counts.requests, counts.failures), (3, 0));
}

/// Many pieces of both kinds under way at once.
fn results_come_back_to_those_who_asked(runtime: &str) {
    const ROUNDS: u64 = 50;
    const USERS: u64 = 20;
    let sum = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&sum);
    let life = move |context: Context| {
        let heard = Arc::clone(&heard);
        async move {
            let right = Cell::new(0);
            for round in 0..ROUNDS {
                let asked = context.user_index() * ROUNDS + round;
                let (one, two) = futures_lite::future::zip(
                    context.blocking(move || asked),
                    context.tokio(async move { asked }),
                )
                .await;
                right.set(right.get() + u64::from((one, two) == (asked, asked)));
            }
            let mut heard = heard.lock().expect("nobody panics with it");
            heard.push(right.get());
            if heard.len() as u64 == USERS {
                context.stop_test();
            }
        }
    };
    let outcome = run(plan(runtime, USERS, 3), Lives::new(life));
    expect_no_errors(&outcome);
    assert_eq!(*sum.lock().expect("nobody panics with it"), [ROUNDS; USERS as usize]);
    for name in ["blocking", "tokio"] {
        let counts = &waits(&outcome, name).counts;
        assert_eq!((counts.requests, counts.failures), (USERS * ROUNDS, 0), "{name}");
    }
}
