//! A warm prepared call allocates nothing beyond what its runtime does for any exchange: counted on the shard's thread.
//!
//! The user first makes bare exchanges on a connection of its own, then the same with prepared calls. The least of many
//! batches counts on either side, since the shard's other tasks allocate at times.

#![cfg(not(loadr_loom))]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/one_user.rs"]
mod one_user;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use loadr_engine::client::endpoint::Endpoint;
use loadr_engine::client::http::HttpConnection;
use loadr_engine::client::session::{
    Origins, PreparedCall, PreparedParts, Reads, Session, SessionOptions, SessionSettings, Verdict,
};
use loadr_engine::record::{EntryIndex, EntryKind, Exchange};
use loadr_engine::runtime::{Address, RuntimeKind};
use loadr_engine::spawn::dispatch::ClassShare;
use loadr_engine::user::{Context, ShardContext, UserClass, UserLife, Workload};
use loadr_protocols::http1::{Limits, Method, Piece, RequestBuilder, RequestTemplate};

use counting::allocations;
use one_user::found_by_one_user;

/// Exchanges in a batch, and batches on each side.
const BATCH: u64 = 50;
const BATCHES: u64 = 20;
const TIMEOUT: Duration = Duration::from_secs(20);

struct Counted {
    address: SocketAddr,
    results: mpsc::Sender<Vec<(&'static str, u64)>>,
}

struct Class {
    endpoint: Endpoint,
    request: RequestTemplate,
    entry: EntryIndex,
    settings: Rc<SessionSettings>,
    calls: Vec<(&'static str, PreparedCall)>,
    results: mpsc::Sender<Vec<(&'static str, u64)>>,
}

impl Workload for Counted {
    fn classes(&self) -> Vec<ClassShare> {
        vec![ClassShare { name: "User".to_owned(), weight: 1.0, fixed_count: 0 }]
    }

    fn prepare(&self, shard: &ShardContext) -> Vec<Rc<dyn UserClass>> {
        let origins = Origins::new(shard, Default::default());
        let host = format!("http://{}", self.address);
        let options = SessionOptions::default();
        let settings = SessionSettings::new(origins, Some(&host), options).expect("a URL");
        let get = |target| PreparedParts::new(Method::Get, target);
        let plain = get(vec![Piece::text("/")]);
        let slotted = PreparedParts {
            name: Some("n".to_owned()),
            ..get(vec![Piece::text("/"), Piece::Slot(0)])
        };
        let reading = PreparedParts { reads: Reads { head: true, body: true }, ..slotted.clone() };
        let calls = [("plain", plain), ("slotted", slotted), ("reading", reading)];
        let prepare = |parts| PreparedCall::new(shard, &settings, parts).expect("good parts");
        let request = RequestBuilder::new(Method::Get, "/").header("Host", "h").build();
        vec![Rc::new(Class {
            endpoint: Endpoint::new(shard, "target", vec![Address::Tcp(self.address)]),
            request: request.expect("a plain request"),
            entry: shard.entry(EntryKind::Exchange, "GET", "bare"),
            calls: calls.map(|(name, parts)| (name, prepare(parts))).into(),
            settings,
            results: self.results.clone(),
        })]
    }
}

impl UserClass for Class {
    fn start(self: Rc<Self>, context: Context) -> UserLife {
        UserLife::new(async move {
            let mut results = vec![("bare", self.bare(&context).await)];
            let session = Session::new(context, Rc::clone(&self.settings));
            for (name, call) in &self.calls {
                results.push((name, prepared(&session, call).await));
            }
            self.results.send(results).expect("the test waits");
        })
    }
}

impl Class {
    async fn bare(&self, context: &Context) -> u64 {
        let stream = self
            .endpoint
            .connect(context, TIMEOUT, || unreachable!("no TLS"))
            .await
            .expect("it listens");
        let mut http = HttpConnection::new(stream, Limits::default(), TIMEOUT);
        let mut least = u64::MAX;
        for _ in 0..BATCHES {
            let before = allocations();
            for _ in 0..BATCH {
                let permit = context.permit(1).await.expect("no bound");
                let request = self.request.bytes().clone();
                let kind = self.request.kind();
                let response = http.exchange(context, request, kind, 1, &mut ()).await;
                let end_ns = response.expect("a response").end_ns;
                let start_ns = permit.start_ns;
                context.record(self.entry, &Exchange { start_ns, end_ns, ..Exchange::default() });
            }
            least = least.min(allocations() - before);
        }
        least
    }
}

async fn prepared(session: &Session, call: &PreparedCall) -> u64 {
    let mut least = u64::MAX;
    for _ in 0..BATCHES {
        let before = allocations();
        for _ in 0..BATCH {
            let values: &[&[u8]] = if call.slots() == 0 { &[] } else { &[b"value"] };
            let reply = session.send_prepared(call, values, |view| match view.status() {
                200 => Verdict::Undecided,
                _ => Verdict::Failure("not 200".into()),
            });
            assert!(!reply.await.failed);
        }
        least = least.min(allocations() - before);
    }
    least
}

/// Answers on each connection until it ends.
fn serve(listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept() {
        thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: TcpStream) {
    let mut piece = [0; 4096];
    // A request comes whole: it is small, and there is one at a time.
    while let Ok(1..) = stream.read(&mut piece) {
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        if stream.write_all(response).is_err() {
            return;
        }
    }
}

fn run(runtime: RuntimeKind) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || serve(&listener));
    let results = found_by_one_user(runtime, TIMEOUT, |results| Counted { address, results });
    let bare = results[0].1;
    for (name, least) in &results {
        assert!(*least <= bare, "{name}: {least} allocations in {BATCH} calls, {bare} without");
    }
}

#[test]
fn on_io_uring_a_warm_prepared_call_allocates_nothing() {
    run(RuntimeKind::Monoio);
}

#[test]
fn on_epoll_a_warm_prepared_call_allocates_nothing() {
    run(RuntimeKind::MonoioEpoll);
}
