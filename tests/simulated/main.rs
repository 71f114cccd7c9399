//! URL mode on the simulated runtime: the users of the product, unchanged, in virtual time and from a seed.
//!
//! The same workload that the other tests run on kernels runs here against a peer in memory, over links that deliver
//! late and in pieces. What a kernel leaves to chance is exact: counts, start times, which exchanges fail and why.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use loadr::url_mode::{HttpExchange, UrlExchange, UrlTarget, UrlWorkload};
use loadr_engine::client::session::StatusRule;
use loadr_engine::coordinator::{EndedBy, RunOutcome, RunPlan};
use loadr_engine::outcome::FailureKind;
use loadr_engine::record::{EntryCounts, EntryKind};
use loadr_engine::run::simulate;
use loadr_engine::runtime::sim::{LinkOptions, Peer, Simulation};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::tls::TlsConfig;
use loadr_protocols::http1::{Limits, Method, RequestBuilder};

const UNIX_NS: u64 = 1_795_222_119_250_000_000;
const SEEDS: std::ops::Range<u64> = 0..12;

/// What the peer sends for each request it has received whole.
#[derive(Clone, Copy)]
enum Answer {
    Length,
    Chunked,
    /// No length: the body lasts until the close.
    UntilClose,
    /// Every fourth response closes the connection, and requests behind it stay unanswered.
    CloseEachFourth,
    /// Nothing at all.
    Silence,
    Missing,
}

struct Case {
    answer: Answer,
    users: u64,
    shards: usize,
    requests: Option<u64>,
    run_time: Option<Duration>,
    pipeline: u64,
    per_connection: Option<u64>,
    links: LinkOptions,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            answer: Answer::Length,
            users: 4,
            shards: 2,
            requests: Some(500),
            run_time: None,
            pipeline: 1,
            per_connection: None,
            links: LinkOptions::default(),
        }
    }
}

/// What came of a case, and how many requests the peer received.
struct Seen {
    outcome: RunOutcome,
    received: u64,
}

impl Case {
    fn run(&self, seed: u64) -> Seen {
        let simulation = Simulation::new(seed, UNIX_NS, self.links.clone());
        let received = Rc::new(Cell::new(0));
        let (answer, counter) = (self.answer, Rc::clone(&received));
        simulation.listen(address(), move |peer| serve(peer, answer, Rc::clone(&counter)));
        let plan = RunPlan {
            run_time: self.run_time,
            requests: self.requests,
            ..RunPlan::new(self.users, vec![None; self.shards], RuntimeKind::Sim)
        };
        let outcome = simulation.run(simulate(&simulation, plan, Arc::new(self.workload(seed))));
        Seen { outcome, received: received.get() }
    }

    fn workload(&self, seed: u64) -> UrlWorkload {
        let request = |close| {
            let builder = RequestBuilder::new(Method::Get, "/sim").header("Host", "sim");
            builder.connection_close(close).build().expect("a plain request")
        };
        let target = UrlTarget {
            name: "/sim".into(),
            authority: "sim:80".into(),
            server_name: None,
            addresses: vec![address()],
            exchange: UrlExchange::Http(HttpExchange {
                method: "GET".to_owned(),
                request: request(false),
                request_closing: request(true),
            }),
        };
        UrlWorkload {
            targets: vec![target],
            pipeline: self.pipeline,
            requests_per_connection: self.per_connection,
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            expected_status: StatusRule::BelowFourHundred,
            tls: TlsConfig::default(),
            limits: Limits::default(),
            seed,
        }
    }
}

fn address() -> Address {
    Address::Tcp(SocketAddr::from(([10, 0, 0, 1], 80)))
}

/// The peer: counts whole requests by their blank lines and answers each.
async fn serve(mut peer: Peer, answer: Answer, received: Rc<Cell<u64>>) {
    let mut unread: Vec<u8> = Vec::new();
    let mut answered = 0;
    loop {
        let bytes = peer.receive().await;
        if bytes.is_empty() {
            return;
        }
        unread.extend_from_slice(bytes);
        while let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = unread.drain(..end + 4).collect();
            received.set(received.get() + 1);
            answered += 1;
            let asked_to_close = head.windows(6).any(|window| window == b"close\r");
            let (response, closes) = respond(answer, answered);
            peer.send(Bytes::from_static(response));
            if closes || asked_to_close {
                return;
            }
        }
    }
}

fn respond(answer: Answer, answered: u64) -> (&'static [u8], bool) {
    match answer {
        Answer::Length => (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false),
        Answer::Chunked => {
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n", false)
        }
        Answer::UntilClose => (b"HTTP/1.1 200 OK\r\n\r\nhello", true),
        Answer::CloseEachFourth if answered.is_multiple_of(4) => {
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", true)
        }
        Answer::CloseEachFourth => (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false),
        Answer::Silence => (b"", false),
        Answer::Missing => (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", false),
    }
}

fn exchanges(seen: &Seen) -> EntryCounts {
    let mut total = EntryCounts::default();
    for entry in seen.outcome.entries.iter().filter(|entry| entry.key.kind == EntryKind::Exchange) {
        assert_eq!((&*entry.key.method, &*entry.key.name), ("GET", "/sim"));
        total.add(&entry.counts);
    }
    total
}

/// Runs `check` on every seed; a failure names the seed.
fn for_each_seed(case: &Case, check: impl Fn(&Seen)) {
    for seed in SEEDS {
        let run = std::panic::AssertUnwindSafe(|| check(&case.run(seed)));
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("failed with seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

fn all_succeed(seen: &Seen, requests: u64) {
    let counts = exchanges(seen);
    assert_eq!((counts.requests, counts.failures), (requests, 0), "{:?}", seen.outcome.errors);
    assert_eq!(counts.body_bytes, 5 * requests);
    assert_eq!(seen.outcome.cut_off, 0);
    assert_eq!(seen.outcome.ended_by, EndedBy::Requests);
}

#[test]
fn every_framing_is_counted_exactly() {
    for answer in [Answer::Length, Answer::Chunked, Answer::UntilClose] {
        for_each_seed(&Case { answer, ..Case::default() }, |seen| {
            all_succeed(seen, 500);
            assert_eq!(seen.received, 500);
        });
    }
}

#[test]
fn a_pipeline_is_kept_full_and_counted_exactly() {
    for_each_seed(&Case { pipeline: 16, shards: 3, users: 5, ..Case::default() }, |seen| {
        all_succeed(seen, 500);
        assert_eq!(seen.received, 500);
    });
}

#[test]
fn unanswered_requests_are_sent_again_and_counted_once() {
    let case = Case { answer: Answer::CloseEachFourth, pipeline: 3, ..Case::default() };
    for_each_seed(&case, |seen| {
        all_succeed(seen, 500);
        assert!(seen.received >= 500, "{} received", seen.received);
    });
}

#[test]
fn a_connection_carries_as_many_requests_as_it_may() {
    let case = Case { per_connection: Some(7), users: 1, shards: 1, ..Case::default() };
    for_each_seed(&case, |seen| {
        all_succeed(seen, 500);
        let connections =
            seen.outcome.entries.iter().find(|entry| entry.key.kind == EntryKind::Connection);
        assert_eq!(
            connections.expect("connections are counted").counts.requests,
            500_u64.div_ceil(7)
        );
    });
}

#[test]
fn a_status_from_400_on_is_a_failure() {
    for_each_seed(&Case { answer: Answer::Missing, ..Case::default() }, |seen| {
        let counts = exchanges(seen);
        assert_eq!((counts.requests, counts.failures), (500, 500));
        let [error] = seen.outcome.errors.as_slice() else { panic!("{:?}", seen.outcome.errors) };
        assert_eq!(
            (error.kind, &*error.message, error.count),
            (FailureKind::Status, "404 Not Found", 500)
        );
    });
}

#[test]
fn silence_times_out_at_the_nanosecond() {
    let case = Case { answer: Answer::Silence, requests: Some(8), ..Case::default() };
    for_each_seed(&case, |seen| {
        let counts = exchanges(seen);
        assert_eq!((counts.requests, counts.failures), (8, 8));
        let times = &counts.response_time;
        let timeout_ns = 2_000_000_000;
        assert_eq!((times.min_ns(), times.max_ns()), (Some(timeout_ns), Some(timeout_ns)));
        assert!(seen.outcome.errors.iter().all(|error| error.kind == FailureKind::Timeout));
    });
}

#[test]
fn nothing_is_lost_when_links_break() {
    let links = LinkOptions {
        refused_per_million: 50_000,
        reset_per_million: 20_000,
        piece_bytes: 1..=40,
        ..LinkOptions::default()
    };
    let case = Case { links, pipeline: 4, ..Case::default() };
    for_each_seed(&case, |seen| {
        let counts = exchanges(seen);
        assert_eq!(counts.requests, 500);
        let errors: u64 = seen.outcome.errors.iter().map(|error| error.count).sum();
        assert_eq!(errors, counts.failures);
        assert!(counts.failures > 0, "the links were to break");
        assert_eq!(seen.outcome.cut_off, 0);
    });
}

#[test]
fn what_is_in_flight_at_the_end_is_cut_off_and_said_so() {
    let run_time = Some(Duration::from_millis(400));
    let case = Case { requests: None, run_time, pipeline: 2, ..Case::default() };
    for_each_seed(&case, |seen| {
        let counts = exchanges(seen);
        assert_eq!(counts.failures, 0, "{:?}", seen.outcome.errors);
        assert!(seen.outcome.cut_off <= case.users * case.pipeline);
        assert!(seen.received <= counts.requests + seen.outcome.cut_off);
        assert_eq!(seen.outcome.ended_by, EndedBy::RunTime);
        assert_eq!(seen.outcome.measured, Duration::from_millis(400));
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let case = Case { pipeline: 3, answer: Answer::CloseEachFourth, ..Case::default() };
    for seed in SEEDS {
        let (first, second) = (case.run(seed), case.run(seed));
        assert_eq!(exchanges(&first), exchanges(&second), "seed {seed}");
        assert_eq!(first.received, second.received, "seed {seed}");
        assert_eq!(first.outcome.series, second.outcome.series, "seed {seed}");
    }
}
